//! The hooks as traits: what an author implements.
//!
//! They are the interfaces of `wit/hooks.wit` with the plugin's own state as `&mut self`. Which of them the component
//! offers is decided by `export!` alone; a trait that is implemented but not exported is not seen by the host.

use crate::{Change, Event, Failure, Finish, Problem, Run, Source, Start, Totals, Verdict};

/// A plugin: one value that lives as long as the instance, which is one run.
///
/// A type that has a `Default` is a plugin already.
pub trait Plugin: Sized + 'static {
    /// Makes the plugin, before its first hook is called. The place to read [`config`](crate::config()).
    ///
    /// # Errors
    ///
    /// What is wrong, for the operator. The call that needed the plugin fails with it, and the next one tries again.
    fn new() -> Result<Self, Failure>;
}

impl<T: Default + 'static> Plugin for T {
    fn new() -> Result<Self, Failure> {
        Ok(Self::default())
    }
}

/// Says whether the configuration is good. Asked in an instance of its own, before any run; no plugin is made for it.
pub trait ConfigCheck {
    /// Returns the JSON Schema of the configuration; empty for none.
    #[must_use]
    fn schema() -> &'static str {
        ""
    }

    /// Returns all that is wrong or doubtful. [`config::check`](crate::config::check) finds most of it.
    fn validate() -> Vec<Problem>;
}

/// Around all other calls of an instance.
pub trait Lifecycle: Plugin {
    /// The first call.
    ///
    /// # Errors
    ///
    /// The plugin cannot serve this run.
    fn start(&mut self, run: &Run) -> Result<(), Failure>;

    /// The last call, also after a cancel. It has its own deadline.
    fn stop(&mut self) {}
}

/// Hook `event-handler`. The run does not wait for it, but for its end: up to `limits.finish`.
pub trait EventHandler: Plugin {
    /// Takes events, in order, none missing of those asked for. An empty list asks to finish what is pending.
    ///
    /// Returns the counter up to which nothing need be sent again: after a restart the host goes on behind it.
    ///
    /// # Errors
    ///
    /// The events were not taken. With [`Failure::retry_after`] they are handed over again; without, it is a fault.
    fn on_events(&mut self, source: &Source, events: &[Event]) -> Result<u64, Failure>;
}

/// Hook `status-handler`.
pub trait StatusHandler: Plugin {
    /// Takes a change of the run's status.
    ///
    /// # Errors
    ///
    /// The change was not taken; see [`EventHandler::on_events`].
    fn on_status(&mut self, change: &Change) -> Result<(), Failure>;
}

/// Hook `cancel-policy`. The run waits for the answer.
pub trait CancelPolicy: Plugin {
    /// Judges events. The list ends after each event marked failed or unreachable, before each start of a task, and
    /// after 64 events; `totals` are those after its last event.
    ///
    /// # Errors
    ///
    /// Counts as a fault of the plugin.
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure>;
}

/// Part of the hook `cancel-policy`: asked before a task starts on a host.
pub trait StartPolicy: Plugin {
    /// Judges a start that is asked for. It is no event yet and becomes one only if every policy lets it pass.
    ///
    /// Values are as known before templating, and before variables such as `ansible_become`; see
    /// [`Start::action_is_unknown`].
    ///
    /// # Errors
    ///
    /// Counts as a fault of the plugin.
    fn admit(&mut self, source: &Source, start: &Start, totals: &Totals) -> Result<Verdict, Failure>;
}

/// Part of the hook `cancel-policy`: asked every `tick` of runner.toml, also while nothing happens.
pub trait TickPolicy: Plugin {
    /// Judges the present moment, in nanoseconds since 1970-01-01T00:00:00Z. Events that ended no list yet were not handed
    /// over; [`journal::after`](crate::journal::after) reads them.
    ///
    /// # Errors
    ///
    /// Counts as a fault of the plugin.
    fn tick(&mut self, source: &Source, now_ns: u64, totals: &Totals) -> Result<Verdict, Failure>;
}

/// Hook `finished-callback`: once, after the last event, when no process of the run is alive. It can read all of the
/// [`journal`](crate::journal), and has a deadline of its own.
pub trait FinishedCallback: Plugin {
    /// Takes the outcome.
    ///
    /// # Errors
    ///
    /// The outcome was not taken; see [`EventHandler::on_events`].
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure>;
}
