//! Answers every question with a failure. From a policy it is a fault, and `on-fault` decides; the instance lives on.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct WrongAnswer;

impl CancelPolicy for WrongAnswer {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Err(Failure::new("this guest never knows the answer"))
    }
}

impl EventHandler for WrongAnswer {
    fn on_events(&mut self, _: &Source, _: &[Event]) -> Result<u64, Failure> {
        Err(Failure::new("this guest never takes an event"))
    }
}

playwarden_sdk::export!(WrongAnswer: CancelPolicy + EventHandler);
