//! What everything else needs: the Rust target of the guests, a private Ansible, the guests, the host.
//!
//! **Invariant:** what is there is not touched. A second time costs what cargo needs to see that nothing changed.

pub(crate) mod ansible;
pub(crate) mod guest_target;
mod python;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::ansible::Wanted;
use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::steps::{Done, Steps, note};

/// How many steps [`run`] takes.
pub(crate) const STEPS: usize = 4;

/// What of the host is built.
#[derive(Clone, Copy)]
pub(crate) enum Built {
    /// The program alone, for who only wants to run it.
    Program,
    /// The tests as well. Their dependencies ask for other features of some packages, which would be compiled twice if the
    /// program was built first and the tests later.
    Tests,
}

/// Sets up what is missing and returns the host's program.
pub(crate) fn run(project: &Project, steps: &mut Steps, built: Built) -> Result<PathBuf, Failure> {
    with_ansible(project, steps, &Wanted::Pinned, &project.venv(), built)
}

/// Like [`run`], with an Ansible of one's choice in a folder of its own.
pub(crate) fn with_ansible(
    project: &Project,
    steps: &mut Steps,
    wanted: &Wanted,
    venv: &Path,
    what: Built,
) -> Result<PathBuf, Failure> {
    steps.take("Rust's target for guests, wasm32-wasip2", || guest_target::add(project))?;
    steps.take(&format!("ansible-core in {}", project.shown(venv)), || ansible::install(project, wanted, venv))?;
    steps.take("Guests", || guests(project))?;
    let mut program = None;
    steps.take("Host", || {
        let built = host(project, what)?;
        let place = project.shown(&built);
        program = Some(built);
        Ok(Done::At(place))
    })?;
    program.ok_or_else(|| Failure::new("cannot build the host"))
}

fn guests(project: &Project) -> Result<Done, Failure> {
    let mut build = project.guest_cargo();
    build.args(["build", "--release", "--locked"]);
    command::run(&mut build, "build the guests")?;
    Ok(Done::At(project.shown(&project.guests())))
}

/// Builds the host. Cargo is asked where the program is, because several settings can move it.
fn host(project: &Project, what: Built) -> Result<PathBuf, Failure> {
    if !project.has_host() {
        note("The first build takes about ten minutes on two cores: the WebAssembly engine is compiled too.");
    }
    let mut build = project.host_cargo();
    // All of the workspace, as the tests do: with other features of packages everything would be compiled twice.
    build.args(["build", "--release", "--workspace", "--locked", "--message-format=json-render-diagnostics"]);
    if matches!(what, Built::Tests) {
        build.args(["--bins", "--tests"]);
    }
    let messages = command::output(&mut build, "build the host")?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "playwarden" && message["target"]["kind"][0] == "bin")
        // Not the tests of its own file, which bear its name.
        .filter(|message| message["profile"]["test"] == false)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| Failure::new("cargo does not say where it put the host").command(command::shown(&build)))
}
