//! Runs and events, one a line.

use std::time::Duration;

use playwarden_event::{Event, EventKind, Status, Timestamp};
use serde::Serialize;

use crate::store::StoredRun;

/// One run in `list --json`.
#[derive(Debug, Serialize)]
pub struct Row<'r> {
    id: &'r str,
    job: &'r str,
    status: Status,
    rc: Option<i32>,
    started: Timestamp,
    finished: Option<Timestamp>,
    cause: Option<String>,
    folder: String,
}

impl<'r> Row<'r> {
    /// Returns the row of a run.
    #[must_use]
    pub fn of(run: &'r StoredRun) -> Self {
        let outcome = run.record.outcome.as_ref();
        Self {
            id: &run.record.id,
            job: &run.record.job,
            status: run.status(),
            rc: outcome.and_then(|outcome| outcome.rc),
            started: run.record.started,
            finished: outcome.map(|outcome| outcome.finished),
            cause: outcome.and_then(|outcome| outcome.cause.as_ref()).map(ToString::to_string),
            folder: run.folder.display().to_string(),
        }
    }
}

/// Returns a table of runs. Ids are shortened to what is unique among `all` of them.
#[must_use]
pub fn table(runs: &[StoredRun], all: &[StoredRun], now: Timestamp) -> String {
    let job = runs.iter().map(|run| run.record.job.chars().count()).max().unwrap_or(0).max("JOB".len());
    let id = runs.iter().map(|run| short(&run.record.id, all).len()).max().unwrap_or(0).max("RUN".len());
    let mut text = format!("{:id$}  {:job$}  {:10}  {:19}  {:>8}  WHY\n", "RUN", "JOB", "STATUS", "STARTED", "TOOK");
    for run in runs {
        let why = run.record.outcome.as_ref().and_then(|outcome| outcome.cause.as_ref());
        let why = why.map(|cause| one_line(&cause.to_string(), 80)).unwrap_or_default();
        let line = format!(
            "{:id$}  {:job$}  {:10}  {:19}  {:>8}  {why}",
            short(&run.record.id, all),
            run.record.job,
            run.status(),
            run.record.started.to_string().replace('T', " ").split('.').next().unwrap_or_default(),
            took(run.duration(now)),
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Returns how a run ended, in a few words.
#[must_use]
pub fn ending(run: &StoredRun) -> String {
    let cause = run.record.outcome.as_ref().and_then(|outcome| outcome.cause.as_ref());
    match cause {
        Some(cause) => format!("{} ({})", run.status(), one_line(&cause.to_string(), 80)),
        None => run.status().to_string(),
    }
}

/// The shortest beginning of an id, from eight characters on, that no other run has.
fn short<'i>(id: &'i str, runs: &[StoredRun]) -> &'i str {
    let unique = |length: &usize| {
        let Some(head) = id.get(..*length) else { return false };
        runs.iter().filter(|run| run.record.id.starts_with(head)).count() == 1
    };
    (8..id.len()).find(unique).and_then(|length| id.get(..length)).unwrap_or(id)
}

/// Returns an event as one line for people.
#[must_use]
pub fn event_line(event: &Event) -> String {
    let time = event.head().created.to_string();
    let time = time.get(11..23).unwrap_or(&time);
    let mut line = format!("{:>6}  {time}  {:<28}", event.counter(), event.name());
    let context = event.context();
    let about = match event.kind() {
        EventKind::StatusChanged(change) => format!("{} -> {}", change.from, change.to),
        EventKind::PolicyVerdict(verdict) => format!("{}: {}", verdict.plugin.name, verdict.reason.text),
        EventKind::PluginFault(fault) => format!("{}: broke in `{}`: {}", fault.plugin.name, fault.call, fault.text),
        EventKind::CallbackFailed(failed) => format!("{}: {}", failed.callback, failed.error),
        EventKind::StartFailed(failed) => failed.text.clone(),
        EventKind::RunFinished(outcome) => match &outcome.cause {
            Some(cause) => format!("{}: {cause}", outcome.status),
            None => outcome.status.to_string(),
        },
        EventKind::RunStarted(started) => started.job.clone(),
        EventKind::Warning(message)
        | EventKind::Deprecated(message)
        | EventKind::SystemWarning(message)
        | EventKind::Error(message) => message.message.clone().unwrap_or_default(),
        EventKind::Verbose | EventKind::Debug(_) => event.head().stdout.clone(),
        EventKind::PlaybookOnPlayStart(_) => context.play.clone().unwrap_or_default(),
        _ => {
            let place = [event.host(), context.task.as_deref()];
            let mut about = place.into_iter().flatten().collect::<Vec<_>>().join("  ");
            if let Some(message) = event.host_result().and_then(|result| result.message())
                && (event.marks().failed || event.marks().unreachable)
            {
                about = format!("{about}  {message}");
            }
            about
        }
    };
    line += "  ";
    line += &one_line(&about, 160);
    line.trim_end().to_owned()
}

/// Returns a duration with the precision that people want of it.
pub(super) fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Returns the first line of a text, cut where it is too long.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    // What a play names may hold anything; a control character must not reach a terminal.
    let mut clean: String = line.chars().filter(|c| !c.is_control()).take(limit).collect();
    if line.chars().count() > limit || text.trim().lines().nth(1).is_some() {
        clean.push('…');
    }
    clean
}
