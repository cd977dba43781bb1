//! Panics in `lifecycle.start`. The host must treat it as a fault before the first event, without restarting it for
//! ever.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct TrapsAtStart;

impl Lifecycle for TrapsAtStart {
    fn start(&mut self, _: &Run) -> Result<(), Failure> {
        panic!("this guest does not even start")
    }
}

impl CancelPolicy for TrapsAtStart {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Ok(Verdict::Proceed)
    }
}

playwarden_sdk::export!(TrapsAtStart: Lifecycle + CancelPolicy);
