//! The ceilings of one instance.

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

/// What one plugin may use. Each limit has a guest in the tests that runs against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all memories of the component together.
    pub memory: u64,
    /// Wall-clock time of one call, time spent in the host's functions included.
    pub call: Duration,
    /// Wall-clock time of the last call.
    pub finish: Duration,
    /// Bytes of log lines and standard output in a run.
    pub log: u64,
    /// Bytes of output files in a run.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Python and SpiderMonkey need 16 MiB to begin with.
            memory: 64 << 20,
            call: Duration::from_secs(1),
            finish: Duration::from_secs(30),
            log: 1 << 20,
            output: 1 << 30,
        }
    }
}

/// Table elements of one table. SpiderMonkey needs 7,690; a bomb needs far more than this.
const TABLE_ELEMENTS: usize = 1 << 20;

/// Bytes that a guest may hand to one host function: enough for a long line, too little to hurt.
pub(crate) const HOST_CALL_BYTES: usize = 16 << 20;

/// Writes a number of bytes as runner.toml would.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

/// Refuses memory beyond the limit, and remembers that it did: a guest that got none usually ends in a trap that does
/// not say why.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: u64,
    used: u64,
    pub(crate) refused: bool,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: 0, refused: false }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add((desired as u64).saturating_sub(current as u64));
        if wanted > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

/// When the present call has to be over. Wall clock, not ticks: a loaded machine does not change its meaning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    pub(crate) fn is_over(self) -> bool {
        self.0.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_the_largest_unit_that_is_exact() {
        let written = [64 << 20, 3 << 30, 64 << 10, 1000, 0].map(bytes);
        assert_eq!(written, ["64 MiB", "3 GiB", "64 KiB", "1000 bytes", "0 bytes"]);
    }
}
