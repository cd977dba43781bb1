//! What host and guard tell each other, one JSON value a line.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use playwarden_event::Process;
use serde::{Deserialize, Serialize};

use super::container::Container;

/// From the host.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Order {
    /// Start the program. The first order, sent once.
    Launch(Box<Launch>),
    /// In these folders it makes temporary ones.
    Temporary(Vec<PathBuf>),
    /// It has ended by itself, and all that it said was heard: whether what it began must not outlive it.
    Conclude { leave_nothing: bool },
    /// End it: interrupt, then SIGTERM, then SIGKILL to the whole tree.
    Stop,
    /// End it at once.
    Kill,
}

/// What to start, and how to end it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Added to the environment that the guard has from the host.
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) folder: PathBuf,
    /// The guard holds this file locked as long as it lives.
    pub(crate) lock: PathBuf,
    /// Wait so long after the interrupt.
    pub(crate) interrupt: Duration,
    /// Wait so long after SIGTERM.
    pub(crate) terminate: Duration,
    /// After a normal end: whether processes that detached are killed too.
    pub(crate) kill_survivors: bool,
    /// How its temporary folders are named, with `{pid}` for the process that made one, `*` and `?`. Of those that were
    /// ended none stays.
    pub(crate) temporary: Vec<String>,
    /// For an agent of its own, which ends with it.
    pub(crate) key: Option<Key>,
    /// Where the program is only the client of a container.
    pub(crate) container: Option<Container>,
    /// Whether the program goes on when the host is gone.
    pub(crate) outlive_host: bool,
}

/// The program's ssh agent, which has one key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Key {
    pub(crate) text: Hidden,
    /// Where its socket may be: the first of these folders whose path is short enough and that is there. The guard makes
    /// a folder of its own in any but the first.
    pub(crate) folders: Vec<PathBuf>,
}

/// A text that crosses to the guard and is shown nowhere.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

/// From the guard.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Report {
    /// The program runs, under the guard of this id.
    Started { pid: u32, guard: u32 },
    /// It could not be started.
    NotStarted { text: String },
    /// It ended; what it began may still be alive.
    Exited(Exit),
    /// Nothing more will be done: these are still alive. The last report.
    Over { alive: Vec<Process> },
}

/// Reads what the guard wrote into its lock, as far as it came.
pub(crate) fn reports(lock: &Path) -> Vec<Report> {
    let text = fs::read_to_string(lock).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// How the program ended: one of the two is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
}
