//! What is Ansible's own: how it is started, and what it says.
//!
//! One Python file is carried in the program ([`callback`](Installed)). It reports over an inherited socket ([`Link`]) in
//! records ([`Record`]), of which the run makes events.
//!
//! **Invariant:** nothing that Ansible prints is ever parsed for events, and nothing here decides what a record means for
//! the run.

mod callback_path;
mod install;
mod link;
mod record;
mod spill;
mod syntax;

pub(crate) use callback_path::CallbackPath;
pub(crate) use install::{INTERRUPTS, Installed, START};
pub(crate) use link::{Answer, Link, LinkError, Welcome, frames};
pub(crate) use record::{Record, Reported, TEMPORARY};
pub(crate) use spill::{Spill, SpillError};
pub(crate) use syntax::syntax_error;
