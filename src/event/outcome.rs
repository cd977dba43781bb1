//! How a run is doing, and how it ended.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kind::PluginFault;
use crate::verdict::Reason;
use crate::{Timestamp, Totals};

/// The closed set of words for how a run is doing. Why and by whom is the outcome's [`Cause`], never another status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing was done yet.
    Unstarted,
    /// Files and plugins are being prepared.
    Starting,
    /// Ansible runs.
    Running,
    /// Ansible was told to end.
    Canceling,
    /// Ansible ended with 0.
    Successful,
    /// Ansible ended otherwise, or could not start.
    Failed,
    /// A person, a policy or a plugin's fault ended it.
    Canceled,
    /// A time limit ended it.
    Timeout,
    /// The host was killed; found and closed by a later command.
    Lost,
    /// A job of a workflow that was not needed.
    Skipped,
    /// A job of a workflow that nobody approved.
    Denied,
}

impl Status {
    /// Returns the word, as it stands in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unstarted => "unstarted",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Lost => "lost",
            Self::Skipped => "skipped",
            Self::Denied => "denied",
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Unstarted | Self::Starting | Self::Running | Self::Canceling)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why a run ended as it did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// At least one host failed.
    HostsFailed,
    /// Hosts were unreachable and none failed.
    HostsUnreachable,
    /// No host matched: nothing was done.
    NoHostsMatched,
    /// Ansible, a plugin or the disk stood in the way before anything ran.
    CouldNotStart {
        /// What was in the way.
        text: String,
    },
    /// A cancel policy's verdict.
    Plugin {
        /// Its name in runner.toml.
        name: String,
        /// What it said.
        reason: Reason,
    },
    /// A plugin's fault, where `on-fault` is `cancel` or `fail`.
    PluginFault {
        /// Its name in runner.toml.
        name: String,
        /// What happened to it.
        text: String,
    },
    /// Somebody pressed Ctrl-C or asked for it.
    Person,
    /// The job's `timeout`.
    JobTimeout,
    /// The job's `idle-timeout`.
    IdleTimeout,
    /// Something asked, and there was no answer to give.
    UnansweredPrompt {
        /// The prompt.
        text: String,
    },
    /// Ansible ended in a way that says nothing about hosts: killed, a dead worker, an error of its own.
    AnsibleEnded {
        /// What is known.
        text: String,
    },
    /// The host could not keep its promise, such as when the disk was full.
    HostTrouble {
        /// What happened.
        text: String,
    },
}

impl fmt::Display for Cause {
    /// One line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostsFailed => f.write_str("hosts failed"),
            Self::HostsUnreachable => f.write_str("hosts were unreachable"),
            Self::NoHostsMatched => f.write_str("no host matched"),
            Self::CouldNotStart { text } | Self::AnsibleEnded { text } | Self::HostTrouble { text } => {
                f.write_str(text)
            }
            Self::Plugin { name, reason } => write!(f, "policy `{name}`: {}", reason.text),
            Self::PluginFault { name, text } => write!(f, "plugin `{name}` {text}"),
            Self::Person => f.write_str("a person asked for it"),
            Self::JobTimeout => f.write_str("the job's time limit has passed"),
            Self::IdleTimeout => f.write_str("nothing happened for too long"),
            Self::UnansweredPrompt { text } => {
                write!(f, "nobody answered the prompt `{text}`: give its answer in the job's `passwords`")
            }
        }
    }
}

/// A plugin as auditors need to know it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PluginIdentity {
    /// Its name in runner.toml.
    pub name: String,
    /// The version that the component states of itself; none where it states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the component, in hex.
    pub sha256: String,
}

/// A local process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command line, arguments joined by blanks, cut at 200 characters.
    pub command: String,
}

/// Ansible's own per-host counts, with Ansible's keys (`dark` is unreachable).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Stats {
    /// Results that were ok, changed ones included.
    pub ok: BTreeMap<String, u64>,
    /// Results that changed something.
    pub changed: BTreeMap<String, u64>,
    /// Times the host was unreachable.
    pub dark: BTreeMap<String, u64>,
    /// Failures that were neither rescued nor ignored.
    pub failures: BTreeMap<String, u64>,
    /// Skipped tasks.
    pub skipped: BTreeMap<String, u64>,
    /// Failures that a `rescue` section took over.
    pub rescued: BTreeMap<String, u64>,
    /// Failures that were ignored.
    pub ignored: BTreeMap<String, u64>,
    /// Hosts that took part.
    pub processed: BTreeMap<String, u64>,
}

/// A task that had started on a host when the run ended, and gave no result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct InFlight {
    /// The inventory host.
    pub host: String,
    /// The task's name.
    pub task: String,
}

/// How a run ended. Already includes the verdicts of its policies.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Outcome {
    /// The last status.
    pub status: Status,
    /// Ansible's exit code, 254 for canceled and timeout; none when it never started.
    pub rc: Option<i32>,
    /// Why; none when there is nothing to explain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When the run began.
    pub started: Timestamp,
    /// When nothing of it was alive any more.
    pub finished: Timestamp,
    /// The host's own counts.
    pub totals: Totals,
    /// Ansible's counts; none when Ansible ended without giving any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Stats>,
    /// What had started and gave no result: it was interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// Local processes that detached from the run and were left alive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alive: Vec<Process>,
    /// Plugins that had a fault, also where they were started again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faulty_plugins: Vec<String>,
    /// How many values were masked before this was written, by rule as in each event; under `no_log` how many events Ansible
    /// itself had hidden.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redacted: BTreeMap<String, u64>,
}

impl Outcome {
    /// What came to light after the last event makes a successful run a failed one, and changes nothing else: the first
    /// reason stays.
    pub fn amend(&mut self, cause: Cause) {
        if self.status == Status::Successful {
            self.status = Status::Failed;
            self.cause = Some(cause);
        }
    }

    /// Takes in a fault that was written down behind `run_finished`, as the host did when it wrote `run.json`.
    pub fn take_late_fault(&mut self, fault: &PluginFault) {
        let name = &fault.plugin.name;
        if !self.faulty_plugins.contains(name) {
            self.faulty_plugins.push(name.clone());
        }
        if matches!(fault.on_fault.as_str(), "fail" | "cancel") {
            let text = format!("broke in `{}`: {}", fault.call, fault.text);
            self.amend(Cause::PluginFault { name: name.clone(), text });
        }
    }
}
