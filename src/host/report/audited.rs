//! What an audit found, as text.

use std::fmt::Write as _;

use super::counted;
use crate::audit::{Report, RunReport, Sealed, Wrong};

/// Returns a line for each run, what to know, and all that is wrong.
#[must_use]
pub fn audited(report: &Report) -> String {
    let mut text = String::new();
    for RunReport { run, status, events, sealed } in &report.runs {
        let status = status.map_or("not over", playwarden_event::Status::word);
        let sealed = match sealed {
            Sealed::Yes => "signed",
            Sealed::Late => "signed late, by another run",
            Sealed::Open => "its end not signed yet",
            Sealed::No => "not signed",
        };
        let is_wrong = report.wrong.iter().any(|wrong| wrong.run.as_ref() == Some(run));
        let word = if is_wrong { "BAD" } else { "ok " };
        writeln!(text, "{word}  {run}  {status}, {}, {sealed}", counted(*events, "event")).ok();
    }
    if let Some(origin) = &report.origin {
        let key = report.keys.last().map(|key| format!(", signed by {key}")).unwrap_or_default();
        let entries = usize::try_from(report.entries).unwrap_or(usize::MAX);
        let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
        writeln!(text, "log {origin}: {entries}{key}").ok();
    }
    for note in &report.notes {
        writeln!(text, "note: {note}").ok();
    }
    for Wrong { file, line, offset, text: what, .. } in &report.wrong {
        match (line, offset) {
            (Some(_), Some(offset)) => writeln!(text, "wrong: {file}, at byte {offset}: {what}").ok(),
            _ => writeln!(text, "wrong: {file} {what}").ok(),
        };
    }
    if report.wrong.is_empty() {
        text.push_str("nothing was changed, as far as that can be seen\n");
    }
    text
}
