//! Cancels at the first event that matches the `kind` (as in the journal), `host` and `task` of its configuration, with
//! its `stop`; a key that is absent matches anything. No task may start after that event.

use playwarden_sdk::prelude::*;

struct VerdictTable {
    kind: Option<String>,
    host: Option<String>,
    task: Option<String>,
    stop: Stop,
}

impl Plugin for VerdictTable {
    fn new() -> Result<Self, Failure> {
        let stop = match config::value::<String>("/stop")?.as_deref() {
            Some("after-running-tasks") => Stop::AfterRunningTasks,
            _ => Stop::Now,
        };
        Ok(Self { kind: config::value("/kind")?, host: config::value("/host")?, task: config::value("/task")?, stop })
    }
}

impl CancelPolicy for VerdictTable {
    fn evaluate(&mut self, _: &Source, events: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        let breaking = events.iter().find(|event| {
            self.kind.as_ref().is_none_or(|kind| event.kind.name() == kind)
                && (self.host.is_none() || self.host == event.host)
                && (self.task.is_none() || self.task == event.task)
        });
        Ok(breaking.map_or(Verdict::Proceed, |event| {
            let host = event.host.as_deref().unwrap_or("no host");
            Verdict::cancel(format!("{} on {host}", event.kind.name())).code("in-the-table").at(event).stop(self.stop)
        }))
    }
}

playwarden_sdk::export!(VerdictTable: CancelPolicy);
