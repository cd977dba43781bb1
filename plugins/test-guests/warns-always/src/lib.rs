//! Warns at each event marked failed. Every warning must be recorded and shown, and the run must go on.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct WarnsAlways;

impl CancelPolicy for WarnsAlways {
    fn evaluate(&mut self, _: &Source, events: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        let failed = events.iter().find(|event| event.marked(Marks::FAILED));
        Ok(failed.map_or(Verdict::Proceed, |event| {
            let host = event.host.as_deref().unwrap_or("a host");
            Verdict::warn(format!("{host} failed")).code("failed").at(event)
        }))
    }
}

playwarden_sdk::export!(WarnsAlways: CancelPolicy);
