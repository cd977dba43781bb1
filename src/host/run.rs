//! One run, from a plan to an outcome.
//!
//! The one loop ([`dispatcher`]) is the only maker of events. Each goes the same way: redacted, numbered, into the journal,
//! to the policies, to whoever watches. Decisions are made in [`state`], which is pure. Plugins that only observe read the
//! journal at their own pace, each on a thread of its own ([`observers`]).
//!
//! **Invariant:** nothing here knows TOML, the command line or a terminal.

mod closures;
mod conclude;
mod contain;
mod dispatcher;
mod ending;
mod launch;
mod lost;
mod observer;
mod observers;
mod person;
mod plugin;
mod policies;
mod prepare;
mod prompts;
#[cfg(test)]
mod properties;
mod provenance;
mod publish;
mod replay;
mod reports;
mod state;
mod typist;
mod view;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use playwarden_event::{Event, Outcome, Totals};
use tokio::sync::watch;

use crate::plan::JobPlan;
use crate::store::StoreError;

pub use closures::Closures;
pub(crate) use closures::Judge;
pub use lost::close;
pub use person::{CancelError, cancel};
pub(crate) use plugin::setup;
pub use prepare::{Prepared, Trouble, TroubleKind, prepare};
pub(crate) use prepare::{compile, component, load, newly};
pub use replay::{At, CameTo, Recorded, Replay, ReplayError};

/// What a run needs besides its plan.
#[derive(Debug)]
pub struct Settings {
    /// The program whose `__guard` is [`crate::process::guard_main`].
    pub guard: PathBuf,
    /// The environment that this process has and Ansible inherits.
    pub environment: BTreeMap<OsString, OsString>,
    /// Where what can be found out again is kept.
    pub cache: Option<PathBuf>,
    /// Whether Ansible writes in color although its output is a file.
    pub color: bool,
    /// A prompt that nobody answers ends the run after so long: [`PROMPT_PATIENCE`].
    pub prompt_patience: Duration,
}

/// How long a prompt may usually stand unanswered, with nothing else happening.
pub const PROMPT_PATIENCE: Duration = Duration::from_secs(10);

/// What happens, for whoever watches. Text comes as soon as it is printed, events as soon as they are in the journal.
#[derive(Debug)]
pub enum Update<'a> {
    /// An event, and the totals with it.
    Event(&'a Event, Totals),
    /// Ansible printed, secrets taken out.
    Stdout(&'a str),
    /// Ansible printed on standard error, secrets taken out.
    Stderr(&'a str),
    /// Nothing, for a tenth of a second.
    Look,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The run id.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// How it ended.
    pub outcome: Outcome,
}

/// Carries a plan out, with the plugins that [`prepare`] made of it, and with closures as further hooks.
///
/// `cancel` counts how often a person asked for the end: once ends the run in order, twice at once. `watch` is called
/// from the run's own loop: what it takes, Ansible waits for.
///
/// # Errors
/// When the run's folder cannot be made; then nothing was started, and nothing is left. What goes wrong later is an
/// [`Outcome`].
pub async fn run(
    plan: &JobPlan,
    plugins: Prepared,
    closures: Closures,
    settings: &Settings,
    cancel: watch::Receiver<u32>,
    watch: &mut dyn FnMut(Update<'_>),
) -> Result<Finished, StoreError> {
    launch::run(plan, settings, plugins.plugins, closures, cancel, watch).await
}
