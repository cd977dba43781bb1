//! Runs WebAssembly plugins under grants and limits.
//!
//! The only crate that names wasmtime. The way of a plugin: [`Sandbox::load`] compiles the component (or takes it from
//! the cache), looks at what it offers ([`Hooks`]) and refuses what was not granted; [`Plugin::check`] asks it about its
//! config; [`Plugin::start`] makes the one [`Instance`] of a run; the instance is asked until it has a [`Fault`] or is
//! stopped.
//!
//! **Invariant:** nothing is linked that was not granted. A plugin gets the interfaces of `wit/host.wit`, and of WASI
//! what toolchains import whether they use it or not: clocks, random numbers, closed standard input, captured standard
//! output and error; a file system without a single folder, a network that refuses every address, no environment.
//!
//! **Invariant:** nothing generated from WIT is public. The words outside are those of `playwarden_event`.

mod bindings;
mod cache;
mod capture;
mod convert;
mod engine;
mod fault;
mod guest;
mod instance;
mod limits;
mod load;
mod view;

pub use engine::{Sandbox, SandboxError};
pub use fault::{Fault, FaultKind};
pub use instance::{Instance, RunInfo, Setup};
pub use limits::Limits;
pub use load::{Hooks, LoadError, LoadErrorKind, Plugin, Problem, Severity};
pub use view::{Payload, RunView, Subscription};
