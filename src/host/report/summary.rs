//! A run in a few lines, for people.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use playwarden_event::{Outcome, Status};

use super::listing::{one_line, took};
use crate::run::Finished;
use crate::store::StoredRun;

/// Returns what is said at the end of a run.
#[must_use]
pub fn finished(finished: &Finished, base: &Path, color: bool) -> String {
    let outcome = &finished.outcome;
    let style = if color { style(outcome.status) } else { Style::new() };
    let mut text = format!("\n{style}{}{style:#}", outcome.status);
    text += &tail(outcome);
    let folder = finished.folder.strip_prefix(base).unwrap_or(&finished.folder);
    text += &format!("  run    {}\n  files  {}\n", finished.id, folder.display());
    text
}

/// Returns a run that was read back.
#[must_use]
pub fn stored(run: &StoredRun, base: &Path) -> String {
    let record = &run.record;
    let folder = run.folder.strip_prefix(base).unwrap_or(&run.folder);
    let mut text = format!("run       {}\njob       {}\nstarted   {}\n", record.id, record.job, record.started);
    if let Some(ansible) = &record.ansible {
        text += &format!("ansible   core {}, Python {}\n", ansible.core, ansible.python);
    }
    for plugin in &record.plugins {
        text += &format!("plugin    {} sha256:{}\n", plugin.name, plugin.sha256);
    }
    text += &format!("files     {}\nstatus    {}", folder.display(), run.status());
    match &record.outcome {
        Some(outcome) => text += &tail(outcome),
        None => text.push('\n'),
    }
    text
}

/// What follows the status: why, the counts, and what should be known.
fn tail(outcome: &Outcome) -> String {
    let mut text = match &outcome.cause {
        Some(cause) => format!(": {}\n", one_line(&cause.to_string(), 400)),
        None => "\n".to_owned(),
    };
    let run = outcome.totals.run;
    if run.hosts > 0 {
        let hosts = if run.hosts == 1 { "host" } else { "hosts" };
        text += &format!(
            "  {} {hosts}: {} failed, {} unreachable, {} changed; tasks: ok {}, changed {}, failed {}, skipped {}, \
             rescued {}, ignored {}; {}\n",
            run.hosts,
            run.hosts_failed,
            run.hosts_unreachable,
            run.hosts_changed,
            run.ok,
            run.changed,
            run.failed,
            run.skipped,
            run.rescued,
            run.ignored,
            took(outcome.finished.since(outcome.started)),
        );
    }
    for pair in &outcome.in_flight {
        text += &format!("  was running: {} on {}\n", one_line(&pair.task, 100), pair.host);
    }
    for process in &outcome.left_alive {
        text += &format!("  still alive: process {} ({})\n", process.pid, one_line(&process.command, 100));
    }
    for plugin in &outcome.faulty_plugins {
        text += &format!("  plugin `{plugin}` had a fault and was left out from there on\n");
    }
    text
}

fn style(status: Status) -> Style {
    let color = match status {
        Status::Successful => AnsiColor::Green,
        Status::Canceled | Status::Timeout => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    color.on_default().bold()
}
