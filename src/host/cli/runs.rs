//! `list`, `show`, `events`, `stdout`: reads runs back.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};

use playwarden_event::Timestamp;
use playwarden_event::reader::JournalReader;
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
    for (folder, why) in &found.unreadable {
        let text = format!("the run in `{}` cannot be read: {why}", folder.display());
        terminal::complain(&text, None, context.color());
    }
    let mut runs = found.runs;
    if arguments.failed {
        use playwarden_event::Status::{Canceled, Denied, Failed, Lost, Timeout};
        runs.retain(|run| matches!(run.status(), Failed | Canceled | Timeout | Lost | Denied));
    }
    if arguments.json {
        print_json(&runs.iter().map(listing::Row::of).collect::<Vec<_>>());
    } else if runs.is_empty() {
        terminal::note("no runs yet\n");
    } else {
        terminal::out(&listing::table(&runs, Timestamp::now()));
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
                    terminal::error(&err, None, context.color());
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
        NotFound::None(_) | NotFound::NoSuch { .. } => Some("`playwarden list` shows the runs"),
        NotFound::Ambiguous { .. } => Some("write more of the id"),
        NotFound::Io(..) | NotFound::Unreadable(..) => None,
    };
    terminal::error(err, hint, context.color());
    match err {
        NotFound::Io(..) | NotFound::Unreadable(..) => Exit::Evidence,
        _ => Exit::Usage,
    }
}

fn unreadable(context: &Context, path: &std::path::Path, err: &std::io::Error) -> Exit {
    terminal::complain(&format!("`{}` cannot be read: {err}", path.display()), None, context.color());
    Exit::Evidence
}

fn print_json<T: Serialize + ?Sized>(value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    terminal::out(&format!("{text}\n"));
}
