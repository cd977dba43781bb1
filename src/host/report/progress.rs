//! The live line: what is happening right now, in one line.

use std::fmt::Write as _;
use std::time::Duration;

use playwarden_event::{Event, EventKind, Totals};

/// Follows a run's events.
#[derive(Debug, Default)]
pub struct Progress {
    task: String,
    /// Ansible's uuid of it: two tasks in a row may bear one name.
    task_uuid: Option<String>,
    /// Hosts that have finished the present task.
    done: usize,
    totals: Totals,
}

impl Progress {
    /// Takes in an event, and the totals with it.
    pub fn apply(&mut self, event: &Event, totals: Totals) {
        self.totals = totals;
        match event.kind() {
            // Under `free` a task starts once for each host.
            EventKind::PlaybookOnTaskStart(start) if self.task_uuid != event.context().task_uuid => {
                self.task = start.name.clone().unwrap_or_default();
                self.task_uuid.clone_from(&event.context().task_uuid);
                self.done = 0;
            }
            EventKind::RunnerOnOk(_)
            | EventKind::RunnerOnFailed(_)
            | EventKind::RunnerOnSkipped(_)
            | EventKind::RunnerOnUnreachable(_)
                if event.context().task_uuid == self.task_uuid =>
            {
                self.done += 1;
            }
            EventKind::StatusChanged(change) if change.to == playwarden_event::Status::Canceling => {
                "canceling".clone_into(&mut self.task);
                self.task_uuid = None;
            }
            _ => {}
        }
    }

    /// Returns the line.
    #[must_use]
    pub fn line(&self, elapsed: Duration) -> String {
        let run = self.totals.run;
        let task = if self.task.is_empty() { "starting" } else { &self.task };
        let seconds = elapsed.as_secs();
        let mut line = format!("{}:{:02}  {task}", seconds / 60, seconds % 60);
        if self.totals.play.hosts > 0 {
            write!(
                line,
                "  {}/{} hosts  ok {}  changed {}  failed {}  unreachable {}",
                self.done.min(self.totals.play.hosts as usize),
                self.totals.play.hosts,
                run.ok,
                run.changed,
                run.failed,
                run.unreachable
            )
            .ok();
        }
        line
    }
}
