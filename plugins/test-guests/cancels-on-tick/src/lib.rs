//! Cancels at tick number `/after`. The run must end though no event asks anyone.

use playwarden_sdk::prelude::*;

struct CancelsOnTick {
    left: u32,
}

impl Plugin for CancelsOnTick {
    fn new() -> Result<Self, Failure> {
        Ok(Self { left: config::value("/after")?.ok_or("config: `after` is missing")? })
    }
}

impl TickPolicy for CancelsOnTick {
    fn tick(&mut self, _: &Source, _: u64, _: &Totals) -> Result<Verdict, Failure> {
        self.left = self.left.saturating_sub(1);
        Ok(if self.left == 0 { Verdict::cancel("time is up").code("ticked-out") } else { Verdict::Proceed })
    }
}

playwarden_sdk::export!(CancelsOnTick: TickPolicy);
