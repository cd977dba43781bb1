//! Never comes back from `evaluate`. The host must end the call at its deadline and name the plugin.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct NeverReturns;

impl CancelPolicy for NeverReturns {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        loop {
            std::hint::spin_loop();
        }
    }
}

playwarden_sdk::export!(NeverReturns: CancelPolicy);
