//! `events`, `stdout`: what a run left, and what is still to come of it.

use std::io::{self, BufWriter, Write as _};
use std::os::fd::AsFd as _;

use clap::Args;
use playwarden_event::{Event, EventKind, EventPattern};

use super::OneRun;
use super::context::Context;
use super::exit::Exit;
use super::runs::{damaged, unreadable, with_run};
use crate::config::near;
use crate::report::listing;
use crate::store::{Follower, Growing, Next, Watch};

#[derive(Args, Debug)]
pub(super) struct EventsArguments {
    #[command(flatten)]
    one: OneRun,
    /// Go on until the run ends
    #[arg(long)]
    follow: bool,
    /// Only events about this inventory host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only events of this name, in which `*` stands for any text; several with commas
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', value_parser = pattern)]
    event: Vec<EventPattern>,
    /// Only events of tasks whose name has this text in it
    #[arg(long, value_name = "TEXT")]
    task: Option<String>,
    /// Only failed and unreachable results, ignored and rescued ones too
    #[arg(long)]
    failed: bool,
}

#[derive(Args, Debug)]
pub(super) struct StdoutArguments {
    /// Run id, the beginning of one, or `@` for the newest
    #[arg(default_value = "@")]
    run: String,
    /// Go on until the run ends
    #[arg(long)]
    follow: bool,
}

fn pattern(text: &str) -> Result<EventPattern, String> {
    EventPattern::parse(text).ok_or_else(|| match near(text, EventKind::NAMES.iter().copied()) {
        Some(meant) => format!("there is no such event; did you mean `{meant}`?"),
        None => "there is no such event; `playwarden events` shows the names, `*` stands for any text".to_owned(),
    })
}

impl EventsArguments {
    fn wants(&self, event: &Event) -> bool {
        let marks = event.marks();
        self.host.as_deref().is_none_or(|host| event.host() == Some(host))
            && (self.event.is_empty() || self.event.iter().any(|pattern| pattern.matches(event.name())))
            && (!self.failed || marks.failed || marks.unreachable)
            && self
                .task
                .as_ref()
                .is_none_or(|text| event.context().task.as_ref().is_some_and(|task| task.contains(text)))
    }
}

pub(super) fn events(context: &Context, arguments: &EventsArguments) -> Exit {
    with_run(context, &arguments.one.run, |run| {
        let watch = arguments.follow.then(|| Watch::new(&run.folder));
        let mut journal = Follower::new(run.clone());
        let mut out = BufWriter::new(anstream::stdout().lock());
        loop {
            let next = match journal.next_line() {
                Ok(next) => next,
                Err(err) => {
                    // What can be read was printed; what follows is an error all the same.
                    out.flush().ok();
                    drop(out);
                    return damaged(context, run, err, "everything before that place was shown");
                }
            };
            // Whoever reads may go away, and then has what it wanted.
            let read = match (next, &watch) {
                (Next::Some((line, event)), _) if arguments.wants(&event) => {
                    let text = if arguments.one.json { line } else { listing::event_line(&event) };
                    writeln!(out, "{text}").is_ok()
                }
                (Next::Some(_), _) => true,
                (Next::Later, Some(watch)) => out.flush().is_ok() && watch.wait(io::stdout().as_fd()),
                (Next::Later, None) | (Next::End, _) => false,
            };
            if !read {
                break;
            }
        }
        out.flush().ok();
        Exit::Success
    })
}

pub(super) fn stdout(context: &Context, arguments: &StdoutArguments) -> Exit {
    with_run(context, &arguments.run, |run| {
        let watch = arguments.follow.then(|| Watch::new(&run.folder));
        let mut file = Growing::new(run.clone(), "stdout");
        // A character may be written in two pieces.
        let mut bytes = Vec::new();
        let mut out = anstream::stdout().lock();
        loop {
            let next = match file.read(&mut bytes) {
                Ok(next) => next,
                Err(err) => return unreadable(context, &run.folder.join("stdout"), &err),
            };
            let whole = match (&next, std::str::from_utf8(&bytes)) {
                (Next::Some(()), Err(err)) if err.error_len().is_none() => err.valid_up_to(),
                _ => bytes.len(),
            };
            let text: Vec<u8> = bytes.drain(..whole).collect();
            let text = String::from_utf8_lossy(&text);
            let read = out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok();
            let more = match (next, &watch) {
                (Next::Some(()), _) => read,
                (Next::Later, Some(watch)) => watch.wait(io::stdout().as_fd()),
                (Next::Later, None) | (Next::End, _) => false,
            };
            if !more {
                return Exit::Success;
            }
        }
    })
}
