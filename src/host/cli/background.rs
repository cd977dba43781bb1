//! `start`, `stop` and `is-alive`: runs that nobody waits for.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args;
use rustix::process::setsid;

use super::RunArguments;
use super::cancel::{self, CancelArguments};
use super::context::Context;
use super::exit::Exit;
use super::terminal;
use crate::store::{Store, StoredRun};

/// How often is looked whether the run has begun.
const LOOK: Duration = Duration::from_millis(20);

/// Options before the subcommand that take a value.
const WITH_VALUE: [&str; 4] = ["-f", "--file", "--private-data-dir", "--artifact-dir"];

#[derive(Args, Debug)]
pub(super) struct StopArguments {
    /// Run id or the beginning of one [default: the newest that is running]
    run: Option<String>,
    /// Kill everything at once instead of letting running tasks be interrupted
    #[arg(long)]
    now: bool,
}

#[derive(Args, Debug)]
pub(super) struct IsAliveArguments {
    /// Run id or the beginning of one [default: any that is running]
    run: Option<String>,
}

/// Where a run that nobody waits for says what it has to say, and that it is there.
struct Places {
    log: PathBuf,
    pid: PathBuf,
}

/// Starts the same program in the background, and returns when its run has begun.
pub(super) fn start(context: &Context, arguments: &RunArguments) -> Exit {
    let Ok(store) = context.store() else { return Exit::Configuration };
    let folder = store.artifacts();
    let base = match context.private_data_dir() {
        Some(base) => base.to_owned(),
        None => folder.to_owned(),
    };
    let places = Places { log: base.join("daemon.log"), pid: base.join("pid") };
    let given = arguments.run_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let said_before = fs::metadata(&places.log).map_or(0, |log| log.len());
    match begin(context, arguments, &given, &places) {
        Ok(child) => wait(context, &store, child, &given, (&places.log, said_before)),
        Err(err) => {
            terminal::error(&err, Some("check who may write there"), context.color());
            Exit::Evidence
        }
    }
}

fn begin(context: &Context, arguments: &RunArguments, id: &str, places: &Places) -> io::Result<Child> {
    let folder = places.log.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&places.log)?;
    let mut command = Command::new(env::current_exe()?);
    command.args(as_run(env::args_os().skip(1))).arg("--detached").arg(&places.pid);
    if arguments.run_id.is_none() {
        command.arg("--run-id").arg(id);
    }
    // What is read from it is read by the run.
    command.stdin(if arguments.data_dir.reads_input() { Stdio::inherit() } else { Stdio::null() });
    command.stdout(log.try_clone()?).stderr(log).current_dir(context.cwd()).spawn()
}

/// Says `run` instead of `start`.
fn as_run(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (mut changed, mut is_value) = (false, false);
    arguments
        .map(|word| {
            if !changed && !is_value && word == OsStr::new("start") {
                changed = true;
                return "run".into();
            }
            is_value = WITH_VALUE.iter().any(|option| word == OsStr::new(option));
            word
        })
        .collect()
}

/// Waits until the run has begun, or cannot.
fn wait(context: &Context, store: &Store, mut child: Child, id: &str, (log, said_before): (&Path, u64)) -> Exit {
    loop {
        if store.artifacts().join(id).join("events.jsonl").exists() {
            terminal::out(&format!("{id}\n"));
            return Exit::Success;
        }
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            // It was over before anybody looked.
            Ok(Some(_)) if store.artifacts().join(id).join("run.json").exists() => {
                terminal::out(&format!("{id}\n"));
                return Exit::Success;
            }
            Ok(Some(status)) => {
                let text = fs::read(log).unwrap_or_default();
                let said = text.get(usize::try_from(said_before).unwrap_or(0)..).unwrap_or(&text);
                terminal::note(&String::from_utf8_lossy(said));
                let text = format!("the run did not begin, see `{}`", log.display());
                terminal::complain(&text, None, context.color());
                return status.code().and_then(Exit::from_code).unwrap_or(Exit::CouldNotStart);
            }
            Err(err) => {
                terminal::error(&err, None, context.color());
                return Exit::CouldNotStart;
            }
        }
    }
}

/// Makes this process one that nobody waits for, until the value is dropped.
pub(super) struct Detached {
    pid: PathBuf,
}

impl Detached {
    pub(super) fn new(pid: PathBuf) -> io::Result<Self> {
        // Whoever closes the terminal does not mean us.
        setsid()?;
        fs::write(&pid, format!("{}\n", std::process::id()))?;
        Ok(Self { pid })
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        // Unless a later one has written it.
        if fs::read_to_string(&self.pid).is_ok_and(|text| text.trim() == std::process::id().to_string()) {
            fs::remove_file(&self.pid).ok();
        }
    }
}

pub(super) fn stop(context: &Context, arguments: &StopArguments) -> Exit {
    match running(context, arguments.run.as_deref()) {
        Err(exit) => exit,
        Ok(None) => {
            terminal::complain("nothing is running", Some("`playwarden list` shows what was"), context.color());
            Exit::Nothing
        }
        Ok(Some(run)) => {
            cancel::cancel(context, &CancelArguments { run: run.record.id, now: arguments.now, no_wait: false })
        }
    }
}

pub(super) fn is_alive(context: &Context, arguments: &IsAliveArguments) -> Exit {
    match running(context, arguments.run.as_deref()) {
        Err(exit) => exit,
        Ok(None) => Exit::Nothing,
        Ok(Some(run)) => {
            terminal::out(&format!("{}\n", run.record.id));
            Exit::Success
        }
    }
}

/// The newest run that is running, or the one that is meant if it is.
fn running(context: &Context, wanted: Option<&str>) -> Result<Option<StoredRun>, Exit> {
    let failed = |err| {
        terminal::error(&err, None, context.color());
        Exit::Usage
    };
    let store = context.store()?;
    let runs = match wanted {
        Some(wanted) => vec![store.find(wanted).map_err(failed)?],
        None => store.list().map_err(failed)?.runs,
    };
    Ok(runs.into_iter().find(|run| run.record.outcome.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_subcommand_is_changed() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let line = "--private-data-dir start start --cmdline start start";
        assert_eq!(as_run(words(line).into_iter()), words("--private-data-dir start run --cmdline start start"));
    }
}
