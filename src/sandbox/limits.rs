//! The ceilings of one instance.

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

/// What one plugin may use. Each limit has a guest in the tests that runs against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory and of tables, all of the component's together.
    pub memory: u64,
    /// Wall-clock time of one call, time spent in the host's functions included.
    pub call: Duration,
    /// Wall-clock time of each of the last calls, `finished-callback.on-finished` and `lifecycle.stop`.
    pub finish: Duration,
    /// Bytes of log lines and standard output in a run, over all incarnations.
    pub log: u64,
    /// Bytes of output files in a run, over all incarnations. Files in granted folders do not count.
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

/// What the host holds for an element of a table.
const TABLE_ELEMENT: usize = size_of::<usize>();

/// So many core instances, memories and tables a component may have. Python, the largest, is linked of some twenty
/// modules.
const INSTANCES: usize = 256;
const MEMORIES: usize = 16;
const TABLES: usize = 64;

/// Bytes that a guest may hand to one host function: enough for a long line, too little to hurt.
pub(crate) const HOST_CALL_BYTES: usize = 16 << 20;

/// Files, streams, requests and the like that a guest may hold open at a time. Each may cost the host a file descriptor.
pub(crate) const RESOURCES: usize = 256;

/// Writes a number of bytes as runner.toml would.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

/// Refuses memory beyond the limit, and remembers that it did: a guest that got none usually ends in a trap that does
/// not say why. What a guest survived is forgotten at its next call.
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

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    fn charge(&mut self, bytes: usize) -> bool {
        let wanted = self.used.saturating_add(bytes as u64);
        self.refused |= wanted > self.limit;
        if wanted <= self.limit {
            self.used = wanted;
        }
        wanted <= self.limit
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.charge(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.charge(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT)))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }

    fn tables(&self) -> usize {
        TABLES
    }
}

/// When the present call has to be over. Wall clock, not ticks: a loaded machine does not change its meaning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// Returns how long until then; a day when there is no deadline.
    pub(crate) fn left(self) -> Duration {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.0.map_or(Duration::from_secs(24 * 60 * 60), left)
    }

    pub(crate) fn is_over(self) -> bool {
        self.0.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_paid_from_one_budget() {
        let mut memory = MemoryLimiter::new(1 << 20);
        let eighth = (1 << 17) / TABLE_ELEMENT;
        assert!(memory.memory_growing(0, 1 << 19, None).unwrap());
        for _ in 0..4 {
            assert!(memory.table_growing(0, eighth, None).unwrap());
        }
        assert!(!memory.refused);
        assert!(!memory.table_growing(eighth, eighth + 1, None).unwrap());
        assert!(memory.refused);
    }

    #[test]
    fn bytes_are_written_in_the_largest_unit_that_is_exact() {
        let written = [64 << 20, 3 << 30, 64 << 10, 1000, 0].map(bytes);
        assert_eq!(written, ["64 MiB", "3 GiB", "64 KiB", "1000 bytes", "0 bytes"]);
    }
}
