//! Runs Ansible under guard.
//!
//! ```text
//! runner.toml -> [config] -> [plan] --> [run] ---------------------------> exit code
//!                                       |  ^ records          ^ bytes, exit
//!                                       |  [ansible]          [process]
//!                                       v
//!                                    events -> [store]  then plugins  then [report]
//! ```
//!
//! The modules below are the rooms of that picture, in reading order; `ARCHITECTURE.md` says who may use whom.
//!
//! **Invariant:** outside [`cli`], nothing here prints, exits or reads the environment.

pub mod config;
pub mod plan;

mod ansible;
mod builtin;
pub mod process;
pub mod report;
pub mod run;
pub mod store;
pub mod tools;

pub mod cli;
mod library;

pub use library::{Caller, Error, Events, Plan, Run, is_guard, run, run_async};

/// Ways for fuzzing into what reads bytes that others made. No part of the library.
#[doc(hidden)]
pub mod fuzz {
    use playwarden_event::{Event, Head};

    use crate::ansible::{Record, frames};
    use crate::store::Redactor;

    /// Reads what a callback could send, as the run does: frame, record, redaction, typed event.
    ///
    /// # Errors
    /// When it is no record.
    pub fn records(bytes: &[u8], secrets: &[&str]) -> Result<Vec<Event>, String> {
        let redactor = Redactor::new(secrets.iter().map(|&secret| secret.to_owned()).collect());
        let mut events = Vec::new();
        for record in frames(bytes, crate::config::MAX_EVENT).map_err(|err| err.to_string())? {
            if let Record::Event(reported) | Record::Start(reported) = record {
                let head = Head::numbered(events.len() as u64 + 1);
                events.push(Event::decode(head, &reported.name, redactor.json(reported.data)));
            }
        }
        Ok(events)
    }
}

/// Returns bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A run id is the name of a folder, and an argument that may stand alone.
pub(crate) fn is_run_id(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=100).contains(&id.len()) && id.chars().all(fits) && id.starts_with(|c: char| c.is_ascii_alphanumeric())
}
