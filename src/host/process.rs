//! Starts one program under a guard, and ends it with everything it began.
//!
//! Between the host and the program stands a guard: a process of its own that becomes the reaper of every descendant,
//! whatever session or environment that one gave itself, and that ends them all when it is told to, or when the host is
//! gone. The host talks to it in lines of JSON ([`wire`]) over the guard's standard input.
//!
//! **Invariant:** nothing here knows that the program is Ansible.

mod agent;
mod child;
mod container;
mod guard;
mod leftovers;
pub(crate) mod terminal;
pub(crate) mod tree;
mod wire;

/// The argument by which a program is asked to be the guard.
pub(crate) const GUARD: &str = "__guard";

pub(crate) use child::{Guarded, Spawn};
pub(crate) use container::Container;
pub use guard::guard_main;
pub(crate) use guard::terminate_guard;
pub(crate) use terminal::Terminal;
pub(crate) use wire::{Exit, Hidden, Key, Launch, Report, reports};
