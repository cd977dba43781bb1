//! Allocates until it is refused. The host must refuse at `limits.memory`; the guest then traps with the message of a
//! failed allocation, and the host itself must not have grown.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct GrowsMemory;

impl CancelPolicy for GrowsMemory {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    }
}

playwarden_sdk::export!(GrowsMemory: CancelPolicy);
