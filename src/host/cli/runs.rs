//! `list`, `show`, `events`, `stdout`: reads runs back.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use playwarden_event::Timestamp;
use playwarden_event::reader::{JournalReader, ReadError};
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::{EventsArguments, ListArguments, OneRun, terminal};
use crate::report::{listing, summary};
use crate::store::{NotFound, StoredRun};

pub(super) fn list(context: &Context, arguments: &ListArguments) -> Exit {
    let found = match context.store().map(|store| store.list()) {
        Ok(Ok(found)) => found,
        Ok(Err(err)) => return not_found(context, &err),
        Err(exit) => return exit,
    };
    let none = match (found.unreadable.is_empty() && found.runs.is_empty(), arguments.failed) {
        (true, _) => "no runs yet\n",
        (false, true) => "no run ended badly\n",
        (false, false) => "",
    };
    for (folder, why) in found.unreadable {
        not_found(context, &NotFound::Unreadable(folder, why));
    }
    let mut runs = found.runs.clone();
    if arguments.failed {
        use playwarden_event::Status::{Canceled, Denied, Failed, Lost, Timeout};
        runs.retain(|run| matches!(run.status(), Failed | Canceled | Timeout | Lost | Denied));
    }
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

pub(super) fn events(context: &Context, arguments: &EventsArguments) -> Exit {
    with_run(context, &arguments.one.run, |run| {
        let path = run.folder.join("events.jsonl");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(err) => return unreadable(context, &path, &err),
        };
        let mut reader = JournalReader::new(BufReader::new(file));
        let mut out = BufWriter::new(anstream::stdout().lock());
        loop {
            let (line, event) = match reader.next_line() {
                Ok(None) => break,
                Ok(Some(read)) => read,
                Err(err) => {
                    // What can be read was printed; what follows is an error all the same.
                    out.flush().ok();
                    drop(out);
                    let damaged = Damaged { path: shown(context, &path), source: err };
                    let hint = "everything before that place was shown";
                    terminal::error(&damaged, Some(hint), context.color());
                    return Exit::Evidence;
                }
            };
            if arguments.host.as_deref().is_some_and(|host| event.host() != Some(host)) {
                continue;
            }
            let text = if arguments.one.json { line } else { listing::event_line(&event) };
            if writeln!(out, "{text}").is_err() {
                // The reader went away, and has what it wanted.
                break;
            }
        }
        out.flush().ok();
        Exit::Success
    })
}

pub(super) fn stdout(context: &Context, run: &str) -> Exit {
    with_run(context, run, |run| {
        let path = run.folder.join("stdout");
        match fs::read(&path) {
            Ok(bytes) => {
                terminal::out(&String::from_utf8_lossy(&bytes));
                Exit::Success
            }
            Err(err) => unreadable(context, &path, &err),
        }
    })
}

fn with_run(context: &Context, wanted: &str, then: impl FnOnce(&StoredRun) -> Exit) -> Exit {
    match context.store().map(|store| store.find(wanted)) {
        Ok(Ok(run)) => then(&run),
        Ok(Err(err)) => not_found(context, &err),
        Err(exit) => exit,
    }
}

fn not_found(context: &Context, err: &NotFound) -> Exit {
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

fn unreadable(context: &Context, path: &Path, err: &std::io::Error) -> Exit {
    let hint = "`playwarden show` and `playwarden events` may still tell of the run";
    terminal::complain(&format!("`{}` cannot be read: {err}", shown(context, path)), Some(hint), context.color());
    Exit::Evidence
}

fn print_json<T: Serialize + ?Sized>(value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    terminal::out(&format!("{text}\n"));
}
