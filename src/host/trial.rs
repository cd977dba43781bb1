//! A plugin tried outside a run: on events that somebody wrote, in cases with what is expected of it, and against the clock.
//!
//! **Invariant:** nothing here reaches anything: no grants, no Ansible; and the time is that of the events.

mod case;
mod compare;
mod cost;
mod junit;
mod written;

pub use case::{Case, CaseError, Verdict, cases};
pub use cost::{Cost, CostError, Measured, measure};
pub use junit::junit;
pub use written::BadLine;

use std::fs;
use std::path::Path;

use playwarden_event::Json;
use playwarden_sandbox::RunInfo;

use crate::run::Recorded;

/// A list of events cannot be shown to a plugin.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The file cannot be read, or what is made of it not written.
    #[error("`{0}` cannot be read: {1}")]
    Io(String, #[source] std::io::Error),
    /// A line is no event.
    #[error("`{0}`, {1}")]
    Line(String, #[source] BadLine),
}

/// Makes a run of a file of events, whose journal is put into `folder`.
///
/// # Errors
/// When the file cannot be read or one of its lines is no event.
pub fn recorded(events: &Path, job: &str, folder: &Path) -> Result<Recorded, EventsError> {
    let shown = events.display().to_string();
    let io = |err| EventsError::Io(shown.clone(), err);
    let text = fs::read_to_string(events).map_err(io)?;
    let made = written::journal(&text).map_err(|bad| EventsError::Line(shown.clone(), bad))?;
    let journal = folder.join("events.jsonl");
    fs::write(&journal, made.text).map_err(io)?;
    let info = RunInfo {
        id: made.run,
        job: job.to_owned(),
        incarnation: 1,
        check_mode: false,
        diff_mode: false,
        data: Json::of(&serde_json::json!({ "job": job })),
    };
    Ok(Recorded { info, journal, outcome: None, restart_after: Vec::new() })
}
