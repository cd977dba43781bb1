//! Numbers that look like chance and are the same for the same seed, so that what was found once is found again.

/// The 64-bit generator of Marsaglia (xorshift). Its seed is not 0.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// Returns a number below a bound; 0 where there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound.max(1) as u64).unwrap()
    }
}
