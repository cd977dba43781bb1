//! Time and random numbers that are the same each time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use playwarden_event::Timestamp;
use sha2::{Digest as _, Sha256};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// So many random bytes there are before they come again.
const RANDOM: u8 = 64;

/// What a plugin takes for the time and for chance where a recorded run is shown to it: whoever shows the same run in the
/// same way hears the same. Cheap to clone; clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<Told>);

struct Told {
    seed: String,
    now: AtomicU64,
    readings: AtomicU64,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Clock {
    /// Makes one that stands until it is [`set`](Self::set). Random numbers follow from the seed.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        Self(Arc::new(Told { seed: seed.to_owned(), now: AtomicU64::new(0), readings: AtomicU64::new(0) }))
    }

    /// Moves it on; a time that was before is not gone back to.
    pub fn set(&self, now: Timestamp) {
        self.0.now.fetch_max(now.ns(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_ns(self.0.now.load(Ordering::Relaxed))
    }

    /// Makes it all that a guest knows of time and chance.
    pub(crate) fn hand_to(&self, builder: &mut WasiCtxBuilder) {
        let bytes = || {
            let block = |number: u8| Sha256::digest([self.0.seed.as_bytes(), &[number]].concat());
            Deterministic::new((0..RANDOM).flat_map(block).collect())
        };
        let seed = Sha256::digest(&self.0.seed);
        let seed = seed.first_chunk().map_or(0, |first| u128::from_le_bytes(*first));
        builder.wall_clock(self.clone()).monotonic_clock(self.clone());
        builder.secure_random(bytes()).insecure_random(bytes()).insecure_random_seed(seed);
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.now.load(Ordering::Relaxed))
    }
}

/// It goes on a little with each reading, for those who wait for it to.
impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed) + self.0.readings.fetch_add(1000, Ordering::Relaxed)
    }
}
