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

pub mod cli;
mod library;

pub use library::{Caller, Error, Events, Plan, Run, is_guard, run, run_async};

/// Returns bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A run id is the name of a folder, and an argument that may stand alone.
pub(crate) fn is_run_id(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=100).contains(&id.len()) && id.chars().all(fits) && id.starts_with(|c: char| c.is_ascii_alphanumeric())
}
