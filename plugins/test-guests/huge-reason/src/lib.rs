//! Cancels at the first event with a reason of 1 MiB. The run must be canceled, with the reason cut to what a person
//! reads.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct HugeReason;

impl CancelPolicy for HugeReason {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Ok(Verdict::cancel("x".repeat(1 << 20)).code("huge"))
    }
}

playwarden_sdk::export!(HugeReason: CancelPolicy);
