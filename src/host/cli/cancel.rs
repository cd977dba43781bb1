//! `playwarden cancel`: asks for the end of a run that another process works on, and waits for it.

use std::os::fd::AsFd as _;
use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::exit::Exit;
use super::runs::with_run;
use super::terminal;
use crate::report::listing;
use crate::run::{self, CancelError};
use crate::store::{StoredRun, Watch};

/// How often is looked where nothing wakes us.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(super) struct CancelArguments {
    /// Run id, the beginning of one, or `@` for the newest
    pub(super) run: String,
    /// Kill everything at once instead of letting running tasks be interrupted
    #[arg(long)]
    pub(super) now: bool,
    /// Ask and do not wait for the end
    #[arg(long)]
    pub(super) no_wait: bool,
}

pub(super) fn cancel(context: &Context, arguments: &CancelArguments) -> Exit {
    with_run(context, &arguments.run, |run| {
        // Before asking, so that no change is missed.
        let watch = Watch::new(&run.folder);
        if run.record.outcome.is_some() {
            return ended(context, run);
        }
        match run::cancel(&run.folder, arguments.now) {
            Ok(()) if arguments.no_wait => {
                terminal::out(&format!("run {} is asked to end\n", run.record.id));
                Exit::Success
            }
            Ok(()) => wait(context, run, &watch),
            // It may just have ended.
            Err(CancelError::Ended) => match run.again() {
                Ok(run) if run.record.outcome.is_some() => ended(context, &run),
                _ => {
                    let text = format!("run {} is only just beginning or ending", run.record.id);
                    terminal::complain(&text, Some("try again in a moment"), context.color());
                    Exit::Usage
                }
            },
            Err(err) => {
                let hint = match &err {
                    CancelError::NotYours(_) => "ask them, or do it with their rights",
                    _ => "check who may write it",
                };
                terminal::error(&err, Some(hint), context.color());
                Exit::Usage
            }
        }
    })
}

fn ended(context: &Context, run: &StoredRun) -> Exit {
    let text = format!("run {} has ended already: {}", run.record.id, listing::ending(run));
    terminal::complain(&text, Some("`playwarden list` shows what is running"), context.color());
    Exit::Usage
}

fn wait(context: &Context, run: &StoredRun, watch: &Watch) -> Exit {
    terminal::note(&format!("run {} is asked to end\n", run.record.id));
    let mut run = run.clone();
    while run.record.outcome.is_none() {
        if !watch.wait(std::io::stderr().as_fd()) {
            // Who read what we say is gone; the run's end is waited for all the same.
            std::thread::sleep(LOOK);
        }
        match run.again() {
            Ok(now) => run = now,
            Err(why) => {
                let text = format!("`{}` cannot be read: {why}", run.folder.join("run.json").display());
                terminal::complain(&text, None, context.color());
                return Exit::Evidence;
            }
        }
    }
    terminal::out(&format!("run {} has ended: {}\n", run.record.id, listing::ending(&run)));
    Exit::Success
}
