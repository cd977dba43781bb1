//! `run.json`: what was asked, and how it ended.

use std::fs;
use std::io;
use std::path::Path;

use playwarden_event::{Json, Outcome, PluginIdentity, Timestamp};
use serde::{Deserialize, Serialize};

/// The content of `run.json`. The outcome is there from the end on; the versions, once Ansible has said them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RunRecord {
    /// The form of this file.
    pub schema: u32,
    /// The run id.
    pub id: String,
    /// The job's name in runner.toml.
    pub job: String,
    /// When the run began.
    pub started: Timestamp,
    /// Playwarden's version.
    pub playwarden: String,
    /// Ansible's, once it has said hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ansible: Option<AnsibleVersions>,
    /// The components that watch it.
    pub plugins: Vec<PluginIdentity>,
    /// The resolved plan, without secrets.
    pub plan: Json,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What ran the playbook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AnsibleVersions {
    /// ansible-core.
    pub core: String,
    /// Its Python.
    pub python: String,
}

impl RunRecord {
    /// The name of the file.
    pub const FILE: &'static str = "run.json";
    /// The form that this version writes.
    pub const SCHEMA: u32 = 1;

    /// Reads the `run.json` in a run's folder.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(folder.join(Self::FILE))?)?)
    }
}
