//! Format, lints and documentation of both workspaces, and what of the book is generated. Warnings are errors here and only here.

use std::process::Command;

use crate::book;
use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::setup::guest_target;
use crate::steps::{Done, Steps};

/// How many steps [`run`] takes.
pub(crate) const STEPS: usize = 7;

/// Checks everything that needs no test.
pub(crate) fn run(project: &Project, steps: &mut Steps) -> Result<(), Failure> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    let mut doc = with(project.host_cargo(), &["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    let checks = [
        ("Format of the host", with(project.host_cargo(), &["fmt", "--all", "--check"])),
        ("Format of the guests", with(project.guest_cargo(), &["fmt", "--all", "--check"])),
        ("Lints of the host", with(project.host_cargo(), &clippy)),
        ("Lints of the guests", with(project.guest_cargo(), &clippy)),
        ("Documentation", doc),
    ];
    steps.take("Rust's target for guests, wasm32-wasip2", || guest_target::add(project))?;
    for (title, mut check) in checks {
        steps.take(title, || {
            command::run(&mut check, "pass this check")?;
            Ok(Done::Now)
        })?;
    }
    steps.take("Generated pages of the book", || book::check(project).map(|()| Done::Now))
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}
