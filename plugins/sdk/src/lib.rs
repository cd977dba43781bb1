//! Writes a Playwarden plugin in a page of Rust.
//!
//! A plugin is one type. It implements [`Plugin`], which makes it, and those of the hooks that it wants; [`export!`]
//! makes a component of it that offers these and no others. The README has the shortest policy and the command that
//! builds it.
//!
//! | a type that implements | is |
//! |---|---|
//! | [`EventHandler`] | told of every event, in order, none missing |
//! | [`StatusHandler`] | told of every change of the run's status |
//! | [`CancelPolicy`] | asked about every event whether the run may go on |
//! | [`StartPolicy`] | asked before a task starts on a host |
//! | [`TickPolicy`] | asked from time to time, also while nothing happens |
//! | [`FinishedCallback`] | told once how the run ended |
//! | [`Lifecycle`] | told about the run before the first call and after the last one |
//! | [`ConfigCheck`] | asked whether its configuration is good, before any run |
//!
//! What a plugin can ask for and do is in [`mod@config`], [`folder`], [`journal`], [`mod@log`], [`output`], [`state`] and
//! [`time`], and with the feature `http` in a module of that name; [`recorded`] is for unit tests. The types are those of
//! the contract in `wit/`, with their documentation.
//!
//! A panic ends the plugin's instance; the host shows its message, restarts the plugin if it may, or does what
//! `on-fault` says. For what is no fault of the plugin return a [`Failure`]: `?` makes one of text and of the usual
//! errors.
//!
//! **Invariant:** nothing is imported that the plugin does not use, beyond what Rust's standard library itself needs.

#[expect(missing_docs, reason = "generated; the contract documents it")]
pub mod bindings;

pub mod config;
pub mod folder;
#[cfg(feature = "http")]
pub mod http;
pub mod journal;
pub mod log;
pub mod output;
pub mod recorded;
pub mod time;

mod event;
mod export;
mod failure;
mod hooks;
mod verdict;

pub use bindings::config_check::exports::playwarden::plugin::config_check::{Problem, Severity};
pub use bindings::finished_callback::exports::playwarden::plugin::finished_callback::Finish;
pub use bindings::lifecycle::exports::playwarden::plugin::lifecycle::Run;
pub use bindings::playwarden::plugin::state;
pub use bindings::playwarden::plugin::types::{
    Event, EventKind, Failure, Marks, Reason, Source, Status, Stop, Tally, Totals, Verdict,
};
pub use bindings::start_policy::exports::playwarden::plugin::start_policy::Start;
pub use bindings::status_handler::exports::playwarden::plugin::status_handler::Change;
pub use config::config;
#[doc(hidden)]
pub use export::{__version, Exported};
pub use hooks::{
    CancelPolicy, ConfigCheck, EventHandler, FinishedCallback, Lifecycle, Plugin, StartPolicy, StatusHandler,
    TickPolicy,
};

/// Everything that a plugin usually names: `use playwarden_sdk::prelude::*`.
pub mod prelude {
    pub use crate::{
        CancelPolicy, Change, ConfigCheck, Event, EventHandler, EventKind, Failure, Finish, FinishedCallback,
        Lifecycle, Marks, Plugin, Problem, Reason, Run, Severity, Source, Start, StartPolicy, Status, StatusHandler,
        Stop, Tally, TickPolicy, Totals, Verdict, config, debug, error, info, journal, output, state, trace, warn,
    };
}
