//! `list`, `show`, and what all commands share that read runs back.

use std::path::Path;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use playwarden_event::reader::ReadError;
use playwarden_event::{Status, Timestamp};
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::{OneRun, terminal};
use crate::config::parse_duration;
use crate::report::{listing, summary};
use crate::store::{Filter, NotFound, StoredRun};

#[derive(Args, Debug)]
pub(super) struct ListArguments {
    /// Only runs that did not end well
    #[arg(long)]
    failed: bool,
    /// Only runs in this state; several with commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = statuses())]
    status: Vec<Status>,
    /// Only runs of this job
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only runs that touched this inventory host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only runs that began so long ago at most (`90m`, `7d`), or on this day or later (`2026-11-22`, UTC)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which runs a command is about.
#[derive(Args, Debug)]
pub(super) struct RunsArguments {
    /// Run ids, beginnings of them, or `@` for the newest
    #[arg(required_unless_present = "last")]
    runs: Vec<String>,
    /// The newest N runs that are over
    #[arg(long, value_name = "N", conflicts_with = "runs")]
    pub(super) last: Option<usize>,
    /// Of these only the runs of a job
    #[arg(long, value_name = "NAME", requires = "last")]
    job: Option<String>,
}

impl RunsArguments {
    /// Finds them, or says why not: with `--last`, the newest first.
    pub(super) fn find(&self, context: &Context) -> Result<Vec<StoredRun>, Exit> {
        let store = context.store()?;
        let Some(last) = self.last else {
            let found: Result<_, _> = self.runs.iter().map(|wanted| store.find(wanted)).collect();
            return found.map_err(|err| not_found(context, &err));
        };
        let found = store.list().map_err(|err| not_found(context, &err))?;
        for (folder, why) in found.unreadable {
            not_found(context, &NotFound::Unreadable(folder, why));
        }
        let is_meant =
            |run: &StoredRun| run.status().is_terminal() && self.job.as_ref().is_none_or(|job| *job == run.record.job);
        let runs: Vec<_> = found.runs.into_iter().filter(is_meant).take(last).collect();
        if runs.is_empty() {
            let of = self.job.as_ref().map(|job| format!(" of job `{job}`")).unwrap_or_default();
            let text = format!("there is no run{of} that is over");
            terminal::complain(&text, Some("`playwarden list` shows the runs"), context.color());
            return Err(Exit::Usage);
        }
        Ok(runs)
    }
}

/// The words of all states, read as such.
fn statuses() -> impl clap::builder::TypedValueParser<Value = Status> {
    use Status::{
        Canceled, Canceling, Denied, Failed, Lost, Running, Skipped, Starting, Successful, Timeout, Unstarted,
    };
    let all = [Unstarted, Starting, Running, Canceling, Successful, Failed, Canceled, Timeout, Lost, Skipped, Denied];
    PossibleValuesParser::new(all.map(Status::word))
        .map(move |word| all.into_iter().find(|status| status.word() == word).unwrap_or(Unstarted))
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Some(ago) = parse_duration(text) {
        let now = Timestamp::now().ns();
        return Ok(Timestamp::from_ns(now.saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX))));
    }
    let moment = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    moment.map_err(|_| "write how long ago, as `90m` or `7d`, or a day, as `2026-11-22`".to_owned())
}

pub(super) fn list(context: &Context, arguments: &ListArguments) -> Exit {
    let found = match context.store().map(|store| store.list()) {
        Ok(Ok(found)) => found,
        Ok(Err(err)) => return not_found(context, &err),
        Err(exit) => return exit,
    };
    let filter = Filter {
        failed: arguments.failed,
        status: arguments.status.clone(),
        job: arguments.job.clone(),
        since: arguments.since,
        host: arguments.host.clone(),
    };
    let only_failed = filter == Filter { failed: true, ..Filter::default() };
    let none = match (found.unreadable.is_empty() && found.runs.is_empty(), only_failed, filter == Filter::default()) {
        (true, ..) => "no runs yet\n",
        (_, true, _) => "no run ended badly\n",
        (_, _, true) => "",
        _ => "no run is like that\n",
    };
    for (folder, why) in found.unreadable {
        not_found(context, &NotFound::Unreadable(folder, why));
    }
    let runs: Vec<StoredRun> = found.runs.iter().filter(|run| filter.matches(run)).cloned().collect();
    if arguments.json {
        print_json(&runs.iter().map(listing::Row::of).collect::<Vec<_>>());
    } else if runs.is_empty() {
        terminal::note(none);
    } else {
        terminal::out(&listing::table(&runs, &found.runs, Timestamp::now()));
    }
    Exit::Success
}

pub(super) fn show(context: &Context, arguments: &OneRun) -> Exit {
    with_run(context, &arguments.run, |run| {
        if arguments.json {
            print_json(&run.record);
        } else {
            terminal::out(&summary::stored(run, context.cwd()));
        }
        Exit::Success
    })
}

/// Finds a run, or says why not.
pub(super) fn with_run(context: &Context, wanted: &str, then: impl FnOnce(&StoredRun) -> Exit) -> Exit {
    match context.store().map(|store| store.find(wanted)) {
        Ok(Ok(run)) => then(&run),
        Ok(Err(err)) => not_found(context, &err),
        Err(exit) => exit,
    }
}

pub(super) fn not_found(context: &Context, err: &NotFound) -> Exit {
    let hint = match err {
        NotFound::None(_) => Some("`playwarden run` makes one"),
        NotFound::NoSuch { .. } => Some("`playwarden list` shows the runs"),
        NotFound::Ambiguous { .. } => Some("write more of the id"),
        NotFound::Io(_, err) if err.kind() == std::io::ErrorKind::NotADirectory => {
            Some("runs are kept there: move away what stands in its place")
        }
        NotFound::Io(..) => Some("check who may read it"),
        NotFound::Unreadable(..) => {
            Some("the rest of the run is untouched in that folder, `events.jsonl` has all of it")
        }
    };
    terminal::error(err, hint, context.color());
    match err {
        NotFound::Io(..) | NotFound::Unreadable(..) => Exit::Evidence,
        _ => Exit::Usage,
    }
}

/// The journal of a run is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is damaged")]
struct Damaged {
    path: String,
    source: ReadError,
}

fn shown(context: &Context, path: &Path) -> String {
    path.strip_prefix(context.cwd()).unwrap_or(path).display().to_string()
}

/// Says what is wrong with a journal; what could be read of it was shown, if anything is.
pub(super) fn damaged(context: &Context, run: &StoredRun, err: ReadError, hint: &str) -> Exit {
    let path = run.folder.join("events.jsonl");
    match err {
        ReadError::Io(err) => unreadable(context, &path, &err),
        err => {
            let damaged = Damaged { path: shown(context, &path), source: err };
            terminal::error(&damaged, Some(hint), context.color());
            Exit::Evidence
        }
    }
}

/// Says that a file of a run cannot be read.
pub(super) fn unreadable(context: &Context, path: &Path, err: &std::io::Error) -> Exit {
    let hint = "`playwarden show` and `playwarden events` may still tell of the run";
    terminal::complain(&format!("`{}` cannot be read: {err}", shown(context, path)), Some(hint), context.color());
    Exit::Evidence
}

/// Prints a result as JSON.
pub(super) fn print_json<T: Serialize + ?Sized>(value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    terminal::out(&format!("{text}\n"));
}
