//! Panics at the first `runner_on_ok`. The host must show the message and the plugin's name, and do what `on-fault`
//! says.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct TrapsOnEvent;

impl TrapsOnEvent {
    fn look_at(events: &[Event]) {
        assert!(!events.iter().any(|event| event.is(&EventKind::RunnerOnOk)), "this guest fails on purpose");
    }
}

impl CancelPolicy for TrapsOnEvent {
    fn evaluate(&mut self, _: &Source, events: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Self::look_at(events);
        Ok(Verdict::Proceed)
    }
}

impl EventHandler for TrapsOnEvent {
    fn on_events(&mut self, _: &Source, events: &[Event]) -> Result<u64, Failure> {
        Self::look_at(events);
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

playwarden_sdk::export!(TrapsOnEvent: CancelPolicy + EventHandler);
