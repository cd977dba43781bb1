//! Plugins and what they may cost.

use std::time::Duration;

use playwarden_event::EventPattern;
use serde::Serialize;
use serde_json::{Map, Value};

use super::units;

/// The largest event that is kept whole. Not configurable in this version.
pub const MAX_EVENT: u64 = 64 << 20;

/// One `[plugins.NAME]`, within a job with that job's overrides.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Its name, fit for a folder.
    pub name: String,
    /// The component's file as written.
    pub path: String,
    /// What the file must hash to: 64 lowercase hex digits.
    pub sha256: Option<String>,
    /// Whether its verdicts are acted on.
    pub mode: Mode,
    /// Its configuration, handed over as JSON.
    pub config: Map<String, Value>,
    /// Which events it is told of: those that any pattern matches.
    pub events: Vec<EventPattern>,
    /// How much of `event_data` it is handed.
    pub payload: Payload,
    /// What happens when it breaks.
    pub on_fault: OnFault,
    /// How often it is asked although nothing happened.
    pub tick: Option<Duration>,
    /// What it may cost.
    pub limits: Limits,
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
