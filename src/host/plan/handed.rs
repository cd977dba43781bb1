//! What a run hands to Ansible in files of its own, and what it keeps.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;

use playwarden_event::Event;
use serde::Serialize;

use super::Secret;

/// What Ansible finds in the run's private folder, and what is gone with it. Nothing of it stands on a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handed {
    /// An inventory.
    pub inventory: Option<HandedInventory>,
    /// Extra vars, as JSON.
    pub extra_vars: Option<Secret>,
    /// Files of extra vars, which stay where they are. What is said in other ways wins over them.
    #[serde(serialize_with = "super::texts")]
    pub extra_vars_files: Vec<OsString>,
}

/// An inventory that is in no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandedInventory {
    /// What the file is called: how Ansible reads it depends on that.
    pub name: String,
    /// What it holds.
    pub text: Secret,
    /// The folder whose `group_vars` and `host_vars` go with it.
    #[serde(serialize_with = "super::text")]
    pub beside: PathBuf,
}

/// What is kept of a run besides its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Keep {
    /// Whether each event is written into a file of its own.
    pub job_events: bool,
    /// Which of those files, and of the events that are shown, have `event_data`.
    pub event_data: EventData,
    /// Whether nothing is shown while the run lasts.
    pub quiet: bool,
    /// How many runs are kept, this one included; of older ones only those that are over are removed.
    pub newest: Option<u32>,
    /// Where Ansible keeps facts; none leaves that to its own configuration.
    pub fact_cache: Option<FactCache>,
}

impl Default for Keep {
    fn default() -> Self {
        Self { job_events: false, event_data: EventData::All, quiet: false, newest: None, fact_cache: None }
    }
}

/// Which events are shown with their data. The journal has all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventData {
    /// All.
    #[default]
    All,
    /// Those that tell of a failure.
    Failed,
    /// None.
    None,
}

impl EventData {
    /// Returns the event as it is shown.
    pub(crate) fn of(self, event: &Event) -> Cow<'_, Event> {
        let marks = event.marks();
        let whole = match self {
            Self::All => true,
            Self::Failed => marks.failed || marks.unreachable,
            Self::None => false,
        };
        // What we say ourselves is not of Ansible's data.
        if whole || event.kind().is_own() { Cow::Borrowed(event) } else { Cow::Owned(event.without_data()) }
    }
}

/// A cache of facts in files of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactCache {
    /// The name of its folder in that of the run.
    pub name: String,
}
