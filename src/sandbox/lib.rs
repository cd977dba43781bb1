//! Runs WebAssembly plugins under grants and limits.
//!
//! The only crate that names wasmtime. The way of a plugin: [`Sandbox::load`] compiles the component (or takes it from
//! the cache), looks at what it offers ([`Hooks`]) and refuses what was not granted; [`Plugin::check`] asks it about its
//! config; [`Plugin::start`] makes the one [`Instance`] of a run; the instance is asked and told until it has a [`Fault`]
//! or is stopped. After a fault the same plugin may be started again.
//!
//! **Invariant:** nothing is linked that was not granted. A plugin gets the interfaces of `wit/host.wit`, and of WASI
//! what toolchains import whether they use it or not: clocks, random numbers, closed standard input, captured standard
//! output and error; a file system of the granted folders, an environment of the granted variables, sockets that are
//! refused. `wasi:http` is there only with granted origins ([`Grants`]), and each request is compared with them.
//!
//! **Invariant:** nothing generated from WIT is public. The words outside are those of `playwarden_event`.

mod bindings;
mod cache;
mod caller;
mod capture;
mod census;
mod clock;
mod contract;
mod convert;
mod engine;
mod fault;
mod grants;
mod guest;
mod http;
mod instance;
mod limits;
mod load;
mod mask;
mod outputs;
mod survey;
mod view;

pub use clock::Clock;
pub use contract::{Hooks, Misfit};
pub use convert::size;
pub use engine::{Sandbox, SandboxError};
pub use fault::{Fault, FaultKind};
pub use grants::{Folder, Grants};
pub use instance::{Instance, RunInfo, Setup};
pub use limits::Limits;
pub use load::{Code, LoadError, LoadErrorKind, Plugin, Problem, Severity};
pub use survey::Survey;
pub use view::{Finish, Payload, RunView, StatusChange, Subscription};
