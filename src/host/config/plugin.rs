//! Plugins and what they may cost.

use std::collections::BTreeMap;
use std::time::Duration;

use playwarden_event::{EventPattern, Origin};
use serde::Serialize;
use serde_json::{Map, Value};

use super::units;

/// The largest event that is kept whole. Not configurable in this version.
pub const MAX_EVENT: u64 = 64 << 20;

/// The plugins that this program carries.
pub const BUILTINS: &[&str] = &[
    "audit-jsonl",
    "blast-radius",
    "cel",
    "change-window",
    "fail-budget",
    "forbidden",
    "junit",
    "rego",
    "signature",
    "slow-host",
    "summary",
    "webhook",
];

/// One `[plugins.NAME]`, within a job with that job's overrides.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Its name, fit for a folder.
    pub name: String,
    /// Where its component is.
    pub component: Component,
    /// What the file must hash to: 64 lowercase hex digits.
    pub sha256: Option<String>,
    /// Whether its verdicts are acted on.
    pub mode: Mode,
    /// Its configuration, handed over as JSON.
    pub config: Map<String, Value>,
    /// Which events it is told of: those that any pattern matches.
    pub events: Vec<EventPattern>,
    /// How much of `event_data` it is handed; none leaves it to the hook: nothing for a policy, everything for a handler.
    pub payload: Option<Payload>,
    /// What happens when it breaks.
    pub on_fault: OnFault,
    /// How often it is started again before that; none leaves it to the hook.
    pub restart: Option<Restart>,
    /// How often it is asked although nothing happened.
    pub tick: Option<Duration>,
    /// What it may cost.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Grants,
}

/// Where a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    /// In a file, as written.
    Path(String),
    /// In this program, by its name.
    Builtin(String),
}

/// How often a plugin that broke is started again, with what it kept in its `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// So many times in a run.
    pub max: u32,
    /// The wait before the first time; it doubles each time.
    #[serde(serialize_with = "units::serialize")]
    pub backoff: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self { max: 3, backoff: Duration::from_millis(200) }
    }
}

/// What a plugin may reach, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders that it may read, relative to the file.
    pub read: Vec<String>,
    /// Folders that it may read and write, relative to the file.
    pub write: Vec<String>,
    /// Origins that it may send HTTP requests to.
    pub http: Vec<Origin>,
    /// Environment variables that it may read, where they are set.
    pub env: Vec<String>,
    /// Secrets that it may ask for, by the name that it knows.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In an environment variable.
    Env(String),
    /// In a file, whose last line end does not belong to it.
    File(String),
}

/// Whether a policy's verdicts are acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are only recorded.
    Monitor,
}

impl Mode {
    pub(super) const WORDS: [(&'static str, Self); 2] = [("enforce", Self::Enforce), ("monitor", Self::Monitor)];
}

/// How much of `event_data` crosses into a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// Nothing; the plugin can still ask for it.
    #[default]
    None,
    /// Everything.
    Full,
    /// The values at these RFC 6901 pointers, where they exist.
    Pointers(Vec<String>),
}

/// What happens when a plugin breaks, by the hook in which it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OnFault {
    /// While it was asked for a verdict.
    pub cancel_policy: FaultAction,
    /// While it was handed events.
    pub event_handler: FaultAction,
    /// While it was told a status.
    pub status_handler: FaultAction,
    /// While it was told the end.
    pub finished_callback: FaultAction,
}

impl Default for OnFault {
    /// A run must not go on unguarded, but may go on unobserved.
    fn default() -> Self {
        let ignore = FaultAction::Ignore;
        Self {
            cancel_policy: FaultAction::Cancel,
            event_handler: ignore,
            status_handler: ignore,
            finished_callback: ignore,
        }
    }
}

/// What happens when a plugin breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultAction {
    /// The run goes on without it.
    Ignore,
    /// The run goes on without it and ends failed.
    Fail,
    /// The run is canceled.
    Cancel,
}

impl FaultAction {
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("ignore", Self::Ignore), ("fail", Self::Fail), ("cancel", Self::Cancel)];
}

/// What a plugin may cost; sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Linear memory.
    pub memory: u64,
    /// Wall-clock time of one call.
    #[serde(serialize_with = "units::serialize")]
    pub call: Duration,
    /// Wall-clock time that the end of the run waits for it.
    #[serde(serialize_with = "units::serialize")]
    pub finish: Duration,
    /// All that it may log in a run.
    pub log: u64,
    /// All that it may write in a run.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            call: Duration::from_secs(1),
            finish: Duration::from_secs(30),
            log: 1 << 20,
            output: 1 << 30,
        }
    }
}
