//! What a cancel policy is asked, and what it answers.

use serde::{Deserialize, Serialize};

use crate::Json;

/// A cancel policy's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// Recorded and shown; the run goes on.
    Warn(Reason),
    /// The run ends `canceled`, whatever Ansible returns.
    Cancel(Reason, Stop),
}

/// Why, in a form for people and for machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Reason {
    /// One sentence for the operator.
    pub text: String,
    /// Stable word for tools, such as `too-many-failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Counter of the event that decided; none for a decision by time or about a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
}

/// How a canceled run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Nothing new starts; running tasks end by themselves, up to the run's time limits.
    AfterRunningTasks,
    /// Running tasks are interrupted.
    Now,
}

/// The start of a task on one inventory host, before it is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct StartRequest {
    /// The uuid that the event `runner_on_start` will have.
    pub uuid: String,
    /// Name of the play.
    pub play: String,
    /// Ansible's uuid of the play.
    pub play_uuid: String,
    /// Name of the task.
    pub task: String,
    /// Ansible's uuid of the task.
    pub task_uuid: String,
    /// The module, fully qualified where that is known.
    pub action: String,
    /// Ansible role of the task.
    pub role: Option<String>,
    /// The inventory host.
    pub host: String,
    /// The user the task becomes, where it does; untemplated.
    pub become_user: Option<String>,
    /// Connection plugin, untemplated.
    pub connection: Option<String>,
    /// Where the host is reached, untemplated, where its variables say so. None also of a host that the task is delegated to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The user that logs in there, untemplated; none leaves it to the connection plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_user: Option<String>,
    /// The host the task is delegated to, untemplated.
    pub delegate_to: Option<String>,
    /// Tags of the task, inherited ones included.
    pub tags: Vec<String>,
    /// The task runs in check mode.
    pub check_mode: bool,
    /// The task's results are hidden.
    pub no_log: bool,
    /// The task is a handler.
    pub handler: bool,
    /// Arguments as far as they are known before templating; none under `no_log`.
    pub args: Option<Json>,
    /// `file:line`.
    pub path: Option<String>,
    /// The inventory groups that the host is in as the plays so far said, sorted, without `all`: what the host adds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}
