//! A container that the guarded program is only the client of: signals to the client do not reach what runs in there, and
//! what runs in there is no descendant of it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::{Deserialize, Serialize};

/// How long an engine may take to end a container.
const PATIENCE: Duration = Duration::from_secs(20);

/// How to reach it, from outside.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Container {
    /// The program that makes containers.
    pub(crate) engine: PathBuf,
    /// What it is told to call this one.
    pub(crate) name: String,
    /// The file into which it writes this one's id, when there is one.
    pub(crate) id_file: PathBuf,
    /// A pipe of which each byte is an interrupt, to whoever in there has it open.
    pub(crate) interrupts: PathBuf,
    /// Where it has the socket of an agent, and the place of that mount among the program's arguments.
    pub(crate) agent: (PathBuf, usize),
}

impl Container {
    /// Whether the engine has made it.
    pub(super) fn is_made(&self) -> bool {
        self.id().is_some()
    }

    /// Opens the way for interrupts: before anything runs in there, which might put something else in its place. What nobody
    /// has heard is there for who comes.
    pub(super) fn interrupts(&self) -> io::Result<File> {
        let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
        // For reading as well, or it could only be opened once somebody reads.
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&self.interrupts)?;
        if pipe.metadata()?.file_type().is_fifo() { Ok(pipe) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Asks the engine to send SIGTERM. Does not wait for it.
    pub(super) fn terminate(&self) {
        // What the engine does not do now, it is asked again.
        self.ask(&["kill", "--signal", "TERM"]);
    }

    /// Ends everything in there at once. What cannot be ended stays until [`remove`](Self::remove).
    pub(super) fn kill(&self) {
        self.asked(&["kill"]);
    }

    /// Ends and removes it, if it is still there. For when nobody can make it anew: the client is gone.
    pub(crate) fn remove(&self) {
        // An engine that does not answer is not asked again.
        if self.asked(&["kill"]) {
            self.asked(&["rm", "--force"]);
        }
    }

    /// Whether the engine has done it, or refused it.
    fn asked(&self, words: &[&str]) -> bool {
        self.ask(words).as_ref().is_none_or(wait)
    }

    fn id(&self) -> Option<String> {
        let id = fs::read_to_string(&self.id_file).ok()?.trim().to_owned();
        (!id.is_empty() && id.chars().all(|letter| letter.is_ascii_alphanumeric())).then_some(id)
    }

    /// Starts the engine with these words and the container's id. Its name where there is none: an engine makes a container
    /// before it writes the id, and may be killed between.
    fn ask(&self, words: &[&str]) -> Option<Child> {
        let mut command = Command::new(&self.engine);
        command.args(words).arg(self.id().unwrap_or_else(|| self.name.clone())).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    }
}

/// Waits until a process has ended, not for its status: somebody else may reap it. One that has no end is killed. Whether it
/// came to its own.
fn wait(child: &Child) -> bool {
    let Ok(handle) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) else { return true };
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], left.as_ref()) {
            // A signal.
            Err(Errno::INTR) => {}
            Ok(0) => {
                // With what it has started.
                kill_process_group(Pid::from_child(child), Signal::KILL).ok();
                return false;
            }
            Ok(_) | Err(_) => return true,
        }
    }
}
