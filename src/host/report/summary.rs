//! A run in a few lines, for people.

use std::fmt::Write as _;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use playwarden_event::{Cause, Outcome, Status};

use super::counted;
use super::listing::{one_line, took};
use crate::run::Finished;
use crate::store::StoredRun;

/// Further lines of a cause that are shown.
const CAUSE_LINES: usize = 12;

/// Digits of a plugin's digest that are shown to people; `run.json` has all of them.
const SHORT_SHA256: usize = 12;

/// Returns what is said at the end of a run; `whole` adds all lines of a cause that has several.
#[must_use]
pub fn finished(finished: &Finished, base: &Path, color: bool, whole: bool) -> String {
    let outcome = &finished.outcome;
    let style = if color { style(outcome.status) } else { Style::new() };
    let mut text = format!("\n{style}{}{style:#}", outcome.status);
    text += &tail(outcome, whole);
    let folder = finished.folder.strip_prefix(base).unwrap_or(&finished.folder);
    writeln!(text, "  run    {}\n  files  {}", finished.id, folder.display()).ok();
    text
}

/// Returns a run that was read back.
#[must_use]
pub fn stored(run: &StoredRun, base: &Path) -> String {
    let record = &run.record;
    let folder = run.folder.strip_prefix(base).unwrap_or(&run.folder);
    let mut text = format!("run       {}\njob       {}\nstarted   {}\n", record.id, record.job, record.started);
    for (title, pointer) in [("by", "/user"), ("reason", "/reason"), ("ticket", "/ticket")] {
        if let Some(said) = record.plan.pointer(pointer).and_then(|value| value.read::<String>().ok()) {
            writeln!(text, "{title:9} {}", one_line(&said, 200)).ok();
        }
    }
    if let Some(ansible) = &record.ansible {
        writeln!(text, "ansible   core {}, Python {}", ansible.core, ansible.python).ok();
    }
    for plugin in &record.plugins {
        let short = plugin.sha256.get(..SHORT_SHA256).unwrap_or(&plugin.sha256);
        let version = plugin.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        writeln!(text, "plugin    {}{version}  sha256:{short}", plugin.name).ok();
        for (path, bytes) in run.outputs(&plugin.name) {
            let path = path.strip_prefix(base).unwrap_or(&path);
            writeln!(text, "  output  {} ({bytes} bytes)", one_line(&path.display().to_string(), 400)).ok();
        }
    }
    write!(text, "files     {}\nstatus    {}", folder.display(), run.status()).ok();
    match &record.outcome {
        Some(outcome) => text += &tail(outcome, true),
        None => text.push('\n'),
    }
    text
}

/// What follows the status: why, the counts, and what should be known.
fn tail(outcome: &Outcome, whole: bool) -> String {
    let cause = outcome.cause.as_ref().map(ToString::to_string);
    let mut text = match &cause {
        Some(cause) if whole => {
            let mut lines = cause.trim().lines();
            let mut text = format!(": {}\n", one_line(lines.next().unwrap_or_default(), 400));
            for line in lines.take(CAUSE_LINES) {
                let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
                writeln!(text, "{}", format!("  | {line}").trim_end()).ok();
            }
            text
        }
        Some(cause) => format!(": {}\n", one_line(cause, 400)),
        None => "\n".to_owned(),
    };
    let run = outcome.totals.run;
    if run.hosts > 0 {
        writeln!(
            text,
            "  {}: {} failed, {} unreachable, {} changed; tasks: ok {}, changed {}, failed {}, skipped {}, \
             rescued {}, ignored {}; {}",
            counted(run.hosts, "host"),
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
        )
        .ok();
    }
    if outcome.cause == Some(Cause::NoHostsMatched) {
        text += "  compare the inventory with `hosts` of the play and with `limit`\n";
    }
    for pair in &outcome.in_flight {
        writeln!(text, "  interrupted: {} on {}", one_line(&pair.task, 100), pair.host).ok();
    }
    for process in &outcome.left_alive {
        writeln!(text, "  still alive: process {} ({})", process.pid, one_line(&process.command, 100)).ok();
    }
    for plugin in &outcome.faulty_plugins {
        writeln!(text, "  plugin `{plugin}` had a fault").ok();
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
