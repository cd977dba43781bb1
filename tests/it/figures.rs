//! Figures of the fault suite: measured, never asserted. `cargo xtask test`, `matrix` and `soak` show them as a table.
//!
//! When `PLAYWARDEN_FIGURES` names a file, each measurement is one line of JSON appended to it:
//! `{"figure":"verdict_ms","value":3.2,"core":"2.19.14"}`, with further keys where they help. The figures:
//!
//! | figure | one line for each | value |
//! |---|---|---|
//! | `late_starts` | run that a policy canceled because of an event | tasks started after that event: 0 |
//! | `verdict_ms` | such a run whose event a policy is asked about at once: failed, unreachable | milliseconds from that event to the verdict |
//! | `end_ms` | the same | milliseconds from that event to `run_finished` |
//! | `stop_ms` | run that was made to end | milliseconds from status `canceling` to `run_finished` |
//! | `alive_after_end` | search for processes of a run that is over | how many were found: 0 |
//! | `kills` | time the host was killed | 1, if the next command found the run and went on |
//! | `events_lost` | run whose host was killed, or that was counted by somebody else | events that are not in the journal: 0 |
//! | `cancels` | run that was made to end in the middle of its tasks | 1 |
//! | `not_run` | test, or real part of one, that this machine does not have | 1; standard error says which |
//! | `hung` | the same | 1, if it did not come to an end, else 0 |
//!
//! The first three and `stop_ms` are noted for every run that [`Evidence`](crate::evidence::Evidence) is taken of.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use playwarden_event::kind::VerdictWord;
use playwarden_event::{Event, EventKind, Status};
use serde_json::{Value, json};

use crate::support::core;

/// Notes a measurement.
pub(crate) fn note(figure: &str, value: impl Into<Value>) {
    note_with(figure, value, json!({}));
}

/// Notes a measurement, and what else helps to understand it.
pub(crate) fn note_with(figure: &str, value: impl Into<Value>, mut more: Value) {
    let Some(path) = std::env::var_os("PLAYWARDEN_FIGURES").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return;
    };
    for (key, value) in [("figure", figure.into()), ("value", value.into()), ("core", core().into())] {
        more[key] = value;
    }
    // One write, so that lines of tests that run side by side stay whole.
    let line = format!("{more}\n");
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
}

/// Notes what the journal of a finished run tells.
pub(crate) fn of_run(events: &[Event]) {
    let Some(last) = events.last() else { return };
    let milliseconds = |from: &Event, to: &Event| to.head().created.since(from.head().created).as_secs_f64() * 1000.0;
    let is_canceling =
        |event: &&Event| matches!(event.kind(), EventKind::StatusChanged(change) if change.to == Status::Canceling);
    if let Some(canceling) = events.iter().find(is_canceling) {
        note("stop_ms", milliseconds(canceling, last));
    }
    let decisive = events.iter().find_map(|event| match event.kind() {
        EventKind::PolicyVerdict(verdict) if verdict.acted_on && verdict.verdict == VerdictWord::Cancel => {
            Some((event, verdict.reason.event?))
        }
        _ => None,
    });
    let Some((verdict, counter)) = decisive else { return };
    let Some(breaking) = events.iter().find(|event| event.counter() == counter) else { return };
    let late = events.iter().filter(|event| event.counter() > counter && event.name() == "runner_on_start").count();
    note("late_starts", late);
    // Others are judged with what follows them, up to the next start of a task.
    if !breaking.marks().failed && !breaking.marks().unreachable {
        return;
    }
    note("verdict_ms", milliseconds(breaking, verdict));
    note("end_ms", milliseconds(breaking, last));
}

/// The rounds of a test that has a long form: so many, or `PLAYWARDEN_SOAK`. At least one, and none is begun after
/// `PLAYWARDEN_SOAK_SECONDS`: tests with many rounds leave their time to the others.
pub(crate) fn rounds(short: u32) -> impl Iterator<Item = u32> {
    let number = |name: &str| {
        std::env::var(name).ok().map(|text| text.parse::<u32>().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let limit = number("PLAYWARDEN_SOAK_SECONDS").map(|seconds| Duration::from_secs(seconds.into()));
    let start = Instant::now();
    (0..number("PLAYWARDEN_SOAK").unwrap_or(short))
        .take_while(move |round| *round == 0 || limit.is_none_or(|limit| start.elapsed() < limit))
}
