//! What happened.
//!
//! The names and the keys are ansible-runner's; what is ours says so. Unknown keys are not lost: an [`Event`] keeps its
//! `event_data` as text beside the typed form.
//!
//! [`Event`]: crate::Event

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::outcome::{Outcome, PluginIdentity, Stats, Status};
use crate::result::HostResult;
use crate::verdict::{Reason, StartRequest, Stop};

/// Makes the enum, its names and its decoder from one list, so that none of them can miss an event.
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident $(($payload:ty))? = $name:literal,)*) => {
        /// What happened: one variant for each event of the journal.
        #[derive(Clone, Debug, PartialEq)]
        pub enum EventKind {
            $($(#[$doc])* $variant $((Box<$payload>))?,)*
            /// An event that this version does not know, by its name.
            Other(String),
        }

        impl EventKind {
            /// The names of all known events, as the journal has them.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Returns the event's name in the journal.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// Reads an event's `event_data`.
            ///
            /// # Errors
            /// When a key that the callback or the host writes itself has the wrong type.
            pub fn decode(name: &str, data: &Json) -> Result<Self, serde_json::Error> {
                Ok(match name {
                    $($name => event_kinds!(@decode $variant data $($payload)?),)*
                    other => Self::Other(other.to_owned()),
                })
            }
        }
    };
    (@decode $variant:ident $data:ident) => { Self::$variant };
    (@decode $variant:ident $data:ident $payload:ty) => { Self::$variant(Box::new($data.read::<$payload>()?)) };
}

impl EventKind {
    /// Returns whether the host itself says it, not Ansible.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(
            self,
            Self::RunStarted(_)
                | Self::StatusChanged(_)
                | Self::PolicyVerdict(_)
                | Self::PluginFault(_)
                | Self::CallbackFailed(_)
                | Self::StartFailed(_)
                | Self::RunFinished(_)
        )
    }
}

event_kinds! {
    // The host's own.
    /// The first event of a run.
    RunStarted(RunStarted) = "run_started",
    /// The run's status changed.
    StatusChanged(StatusChanged) = "status_changed",
    /// A cancel policy warned or canceled.
    PolicyVerdict(PolicyVerdict) = "policy_verdict",
    /// A plugin trapped, took too long or hit a limit.
    PluginFault(PluginFault) = "plugin_fault",
    /// A method of our callback in Ansible failed; the event it was to report is lost, and this says so.
    CallbackFailed(CallbackFailed) = "callback_failed",
    /// Ansible ended before the playbook began.
    StartFailed(StartFailed) = "start_failed",
    /// The end of a run; of one that was lost, written by the command that found it. Its data is the outcome. Only `plugin_fault` may follow, of a plugin
    /// that broke while it was told of the end.
    RunFinished(Outcome) = "run_finished",

    // The playbook.
    /// What Ansible has loaded before its first play; only of runs that are signed.
    AnsibleLoaded(AnsibleLoaded) = "ansible_loaded",
    /// The playbook began.
    PlaybookOnStart = "playbook_on_start",
    /// `vars_prompt` asks.
    PlaybookOnVarsPrompt(VarsPrompt) = "playbook_on_vars_prompt",
    /// A play, or a serial batch of it, began.
    PlaybookOnPlayStart(PlayStart) = "playbook_on_play_start",
    /// A task began; under `free` once for each host.
    PlaybookOnTaskStart(TaskStart) = "playbook_on_task_start",
    /// A file of tasks or a role was included.
    PlaybookOnInclude(Include) = "playbook_on_include",
    /// A handler was notified.
    PlaybookOnNotify(Notify) = "playbook_on_notify",
    /// The play's pattern matches no host.
    PlaybookOnNoHostsMatched = "playbook_on_no_hosts_matched",
    /// Every host of the play is out.
    PlaybookOnNoHostsRemaining = "playbook_on_no_hosts_remaining",
    /// Ansible's own counts at the end.
    PlaybookOnStats(Stats) = "playbook_on_stats",

    // One host, one task.
    /// A task was granted to start on a host.
    RunnerOnStart(HostResult) = "runner_on_start",
    /// It went well.
    RunnerOnOk(HostResult) = "runner_on_ok",
    /// It failed, perhaps ignored or rescued.
    RunnerOnFailed(HostResult) = "runner_on_failed",
    /// It was skipped.
    RunnerOnSkipped(HostResult) = "runner_on_skipped",
    /// The host could not be reached.
    RunnerOnUnreachable(HostResult) = "runner_on_unreachable",
    /// A background task was looked at.
    RunnerOnAsyncPoll(HostResult) = "runner_on_async_poll",
    /// A background task went well; `runner_on_ok` follows.
    RunnerOnAsyncOk(HostResult) = "runner_on_async_ok",
    /// A background task failed; `runner_on_failed` follows.
    RunnerOnAsyncFailed(HostResult) = "runner_on_async_failed",
    /// What changed in a file; the result follows.
    RunnerOnFileDiff(HostResult) = "runner_on_file_diff",
    /// The task will be tried again.
    RunnerRetry(HostResult) = "runner_retry",

    // One item of a loop; the result of the whole loop follows.
    /// An item went well.
    RunnerItemOnOk(HostResult) = "runner_item_on_ok",
    /// An item failed.
    RunnerItemOnFailed(HostResult) = "runner_item_on_failed",
    /// An item was skipped.
    RunnerItemOnSkipped(HostResult) = "runner_item_on_skipped",

    // Text.
    /// A line of printed text that belongs to no other event.
    Verbose = "verbose",
    /// Debugging text of Ansible itself.
    Debug(Message) = "debug",
    /// A warning.
    Warning(Message) = "warning",
    /// A deprecation.
    Deprecated(Message) = "deprecated",
    /// A warning about this system.
    SystemWarning(Message) = "system_warning",
    /// An error text.
    Error(Message) = "error",
}

impl EventKind {
    /// Returns what a `runner_*` event says of its host.
    #[must_use]
    pub fn host_result(&self) -> Option<&HostResult> {
        match self {
            Self::RunnerOnStart(result)
            | Self::RunnerOnOk(result)
            | Self::RunnerOnFailed(result)
            | Self::RunnerOnSkipped(result)
            | Self::RunnerOnUnreachable(result)
            | Self::RunnerOnAsyncPoll(result)
            | Self::RunnerOnAsyncOk(result)
            | Self::RunnerOnAsyncFailed(result)
            | Self::RunnerOnFileDiff(result)
            | Self::RunnerRetry(result)
            | Self::RunnerItemOnOk(result)
            | Self::RunnerItemOnFailed(result)
            | Self::RunnerItemOnSkipped(result) => Some(result),
            _ => None,
        }
    }
}

/// Data of `run_started`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RunStarted {
    /// The job's name in runner.toml.
    pub job: String,
    /// Playwarden's version.
    pub playwarden: String,
    /// The plugins that watch this run.
    pub plugins: Vec<PluginIdentity>,
    /// Why it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What allowed it, such as the number of a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Who started it, and from where; none in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Initiator>,
    /// SHA-256 of `plan` in `run.json`, as compact JSON, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan: String,
    /// What lay where the run found its work; only of runs that are signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

/// Who started a run, and from where. What the environment says (`sudo_user`, `ssh_client`) the person could have changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Initiator {
    /// The user's name, by whoever called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's id.
    pub uid: u32,
    /// Who logged in, also before `su` and `sudo`, by the kernel; none where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    /// `SUDO_USER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The address that an SSH session came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_client: Option<String>,
    /// The machine's name.
    pub host: String,
    /// The kernel's id of the time since the machine was started.
    pub boot_id: String,
    /// The program's process id.
    pub pid: u32,
    /// The name of the process that started it, such as `bash` or `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The working folder.
    pub cwd: String,
}

/// Something that a run was made of, as it lay there when the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Input {
    /// `config`, `project`, `playbook` (outside the project), `inventory`, `extra-vars` or `grant`.
    pub kind: String,
    /// Of a grant, the plugin that may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Where it is, absolute.
    pub path: String,
    /// SHA-256 in hex: of the file, or of what `sha256sum` prints of each file of the folder, sorted by path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How many files that is of.
    pub files: u64,
    /// The commit that git says the folder is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether git knows of something in it that is not as committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// Why there is no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Data of `ansible_loaded`: what a run is made of that only Ansible knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AnsibleLoaded {
    /// Version of ansible-core.
    pub core: String,
    /// The folder of the package `ansible`.
    pub location: String,
    /// Version of Python.
    pub python: String,
    /// The program of Python.
    pub interpreter: String,
    /// Ansible's own file of settings, where there is one.
    pub config: Option<AnsibleConfig>,
    /// What tasks may name, sorted; of two with one name the one that Ansible takes.
    pub collections: Vec<Collection>,
    /// All hosts and groups, before any play has added to them.
    pub inventory: Inventory,
}

/// A file of settings, such as `ansible.cfg`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AnsibleConfig {
    /// Where it is, absolute.
    pub path: String,
    /// SHA-256 in hex; none when it cannot be read.
    pub sha256: Option<String>,
}

/// An installed collection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Collection {
    /// `namespace.name`.
    pub name: String,
    /// As its manifest says, or its `galaxy.yml`.
    pub version: Option<String>,
    /// Its folder, absolute.
    pub path: String,
    /// SHA-256 of its `MANIFEST.json` in hex, which has the digests of what was published; none where it was not installed from that.
    pub manifest: Option<String>,
}

/// The hosts and groups of an inventory, without their variables.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Inventory {
    /// In the order of the inventory.
    pub hosts: Vec<String>,
    /// By name, `all` and `ungrouped` included.
    pub groups: BTreeMap<String, InventoryGroup>,
}

/// What is directly in a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct InventoryGroup {
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Its groups.
    pub children: Vec<String>,
}

/// Data of `status_changed`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StatusChanged {
    /// Before.
    pub from: Status,
    /// Now.
    pub to: Status,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What a policy was asked when it gave a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Events, by `evaluate`.
    Evaluate,
    /// The start of a task on a host, by `admit`.
    Admit,
    /// The time, by `tick`.
    Tick,
}

/// Data of `policy_verdict`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PolicyVerdict {
    /// Who said so.
    pub plugin: PluginIdentity,
    /// What it was asked.
    pub question: Question,
    /// `warn` or `cancel`.
    pub verdict: VerdictWord,
    /// Why.
    pub reason: Reason,
    /// How the run is to end; only with `cancel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// False where `mode = "monitor"` records and does not act, and for a verdict after the first one.
    pub acted_on: bool,
    /// The start that was asked about; when it was refused, all that is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartRequest>,
}

/// The verdicts that are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictWord {
    /// The run goes on.
    Warn,
    /// The run ends.
    Cancel,
}

/// Data of `plugin_fault`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PluginFault {
    /// Which plugin.
    pub plugin: PluginIdentity,
    /// The function that was called, such as `cancel-policy.evaluate`.
    pub call: String,
    /// `trap`, `timeout`, `memory`, `failure`: what kind of fault.
    pub fault: String,
    /// What is known of it.
    pub text: String,
    /// The end of what the guest wrote to standard error, where languages print their exceptions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// What follows: `restart` while `restart` allows it, then what `on-fault` says: `ignore`, `fail` or `cancel`.
    pub on_fault: String,
}

/// Data of `callback_failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct CallbackFailed {
    /// The callback's method.
    pub callback: String,
    /// What went wrong.
    pub error: String,
}

/// Data of `start_failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct StartFailed {
    /// Ansible's exit code, where it ran at all.
    pub rc: Option<i32>,
    /// Ansible's own words, or what was in its way.
    pub text: String,
}

/// Data of `playbook_on_vars_prompt`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct VarsPrompt {
    /// The variable.
    pub varname: Option<String>,
    /// What is asked.
    pub prompt: Option<String>,
    /// The answer is not shown.
    #[serde(deserialize_with = "crate::json::lenient")]
    pub private: Option<bool>,
}

/// Data of `playbook_on_play_start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct PlayStart {
    /// The play's name.
    pub name: Option<String>,
    /// The play's host pattern.
    pub pattern: Option<String>,
    /// Inventory hosts that the play matches after `--limit`, all serial batches together. Ours.
    pub hosts: Vec<String>,
    /// Inventory hosts of this batch. Ours.
    pub batch: Vec<String>,
    /// Those of `hosts` that are in each inventory group, groups within groups included; not the group `all`. Said at the
    /// first start of each play, and not again by its further batches. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeMap<String, Vec<String>>>,
}

/// Data of `playbook_on_task_start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct TaskStart {
    /// The task's name.
    pub name: Option<String>,
    /// The task is a handler. Ours.
    pub handler: bool,
}

/// Data of `playbook_on_include`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Include {
    /// The file.
    pub included_file: Option<String>,
    /// Inventory hosts that go on in it. Ours.
    pub hosts: Vec<String>,
}

/// Data of `playbook_on_notify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Notify {
    /// The handler's name.
    pub handler: Option<String>,
    /// The inventory host.
    pub host: Option<String>,
}

/// Data of the events that are text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Message {
    /// The text. Ours: ansible-runner has it only in `stdout`.
    pub message: Option<String>,
}
