//! Loops for ever in `on-finished`. The host must end the call at `limits.finish`, and the run with it.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct NeverFinishes;

impl FinishedCallback for NeverFinishes {
    fn on_finished(&mut self, _: &Finish) -> Result<(), Failure> {
        loop {
            std::hint::spin_loop();
        }
    }
}

playwarden_sdk::export!(NeverFinishes: FinishedCallback);
