//! From a template to a component: what `playwarden plugin new` and `plugin build` stand on.
//!
//! A [`Project`] is a folder with a `plugin.toml`. [`create`] writes one from a template: the author's file, a helper for the
//! language as source, the contract, a case. [`Project::build`] calls the language's own tools, which it installs into a
//! folder where a project may do that, and makes a component of what they made.
//!
//! **Invariant:** nothing here runs a component, and nothing is installed outside the project and the folder for tools.

mod bindings;
mod component;
mod hooks;
mod language;
mod project;
mod recipe;
mod steps;
mod tools;

pub use language::Language;
pub use project::{NAME_RULE, NewError, Project, ProjectError, create, write_contract};
pub use recipe::Built;
pub use steps::{BuildError, Told};
