//! Where in the playbook an event belongs.

use serde::{Deserialize, Serialize};

/// The keys of `event_data` that every event of Ansible's carries, with ansible-runner's names.
///
/// Each is absent where it has no meaning: before the first play there is no `play`, ad hoc runs have no `role`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Context {
    /// The playbook as it was named; `__adhoc_playbook__` for a module run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
    /// Uuid of the playbook's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playbook_uuid: Option<String>,
    /// Name of the play.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play: Option<String>,
    /// Ansible's uuid of the play: the same for every serial batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play_uuid: Option<String>,
    /// Which start of a play this is, from 1. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play_number: Option<u32>,
    /// Name of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Ansible's uuid of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_uuid: Option<String>,
    /// The module as the task wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_action: Option<String>,
    /// The module's fully qualified name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_action: Option<String>,
    /// `file:line` of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_path: Option<String>,
    /// Ansible role of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Context {
    /// Returns the module's name, fully qualified where that is known.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.resolved_action.as_deref().or(self.task_action.as_deref())
    }
}
