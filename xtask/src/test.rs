//! All tests: of the host's workspace against a real Ansible, and of the guests that have unit tests.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::command;
use crate::failure::Failure;
use crate::figures::{self, Figures};
use crate::it;
use crate::project::Project;
use crate::setup;
use crate::setup::ansible::{self, RUNNER, Wanted};
use crate::steps::{Done, Steps, seconds};

#[derive(Args, Debug, Default)]
pub(crate) struct Arguments {
    /// Run only the end-to-end tests, against this version of ansible-core
    #[arg(long, value_name = "VERSION")]
    ansible_core: Option<String>,
    /// Make that version's environment with this Python
    #[arg(long, value_name = "PATH", requires = "ansible_core")]
    python: Option<PathBuf>,
    /// Arguments for the test programs, such as part of a test's name
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// How many steps [`run`] takes after setting up.
pub(crate) fn steps(arguments: &Arguments) -> usize {
    if arguments.ansible_core.is_some() { 3 } else { 4 }
}

/// Sets up what is missing and runs the tests.
pub(crate) fn run(project: &Project, arguments: &Arguments, steps: &mut Steps) -> Result<(), Failure> {
    let start = Instant::now();
    let (wanted, venv) = match &arguments.ansible_core {
        None => (Wanted::Pinned, project.venv()),
        Some(version) => {
            check_version(version)?;
            let python = arguments.python.clone();
            (Wanted::Version { version: version.clone(), python }, ansible::environment(project, version))
        }
    };
    setup::with_ansible(project, steps, &wanted, &venv, setup::Built::Tests)?;

    // The other half of what streams jobs, in an environment that only tests use.
    let version = ansible::version(&venv);
    let version = version.ok_or_else(|| Failure::new("the environment does not say its version of ansible-core"))?;
    let beside = ansible::environment(project, &version);
    let wanted = Wanted::Version { version, python: arguments.python.clone() };
    let place = project.shown(&beside);
    steps.take(&format!("ansible-core in {place}"), || ansible::install(project, &wanted, &beside))?;
    steps.take(&format!("ansible-runner {RUNNER} beside it"), || ansible::install_runner(project, &beside))?;

    // One profile for everything: the WebAssembly engine is compiled once.
    let mut host = project.host_cargo();
    host.args(["test", "--release", "--locked", "--workspace", "--no-fail-fast"]).env(it::VENV, &venv);
    host.env(it::RUNNER, beside.join("bin/ansible-runner"));
    let figures = figures::file(project, "test")?;
    host.env(figures::FILE, &figures);
    if arguments.ansible_core.is_some() {
        host.args(["--test", "it"]);
    }
    host.arg("--").args(&arguments.args);
    steps.take("Tests of the host", || {
        command::run(&mut host, "pass the tests of the host")?;
        Ok(Done::Now)
    })?;
    if arguments.ansible_core.is_none() {
        steps.take("Tests of the guests, natively", || guests(project, arguments))?;
    }
    let figures = Figures::read(&figures)?;
    println!("\n{}", figures.table());
    if let Some(failure) = figures.broken() {
        return Err(failure);
    }
    let which = if arguments.args.is_empty() { "All tests" } else { "The chosen tests" };
    eprintln!("\n{which} passed, in {} with setting up.", seconds(start.elapsed()));
    Ok(())
}

fn guests(project: &Project, arguments: &Arguments) -> Result<Done, Failure> {
    let mut ask = project.rustc();
    let native = command::output(ask.args(["--print", "host-tuple"]), "ask for this machine's target")?;
    let mut test = project.guest_cargo();
    test.args(["test", "--release", "--locked", "--lib", "--target", native.trim()]);
    test.args(["-p", "playwarden-sdk", "--features", "playwarden-sdk/http"]);
    for example in rust_examples(project)? {
        test.args(["-p", &example]);
    }
    test.arg("--").args(&arguments.args);
    command::run(&mut test, "pass the tests of the guests")?;
    Ok(Done::Now)
}

/// The packages of the examples; a folder may have another name than its package.
fn rust_examples(project: &Project) -> Result<Vec<String>, Failure> {
    let folder = project.path("plugins/examples");
    let cannot = |err| Failure::new(format!("cannot read `{}`", project.shown(&folder))).because(err);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let manifest = entry.path().join("Cargo.toml");
        if manifest.is_file() {
            let text = fs::read_to_string(&manifest).map_err(cannot)?;
            let manifest: toml::Table = toml::from_str(&text)
                .map_err(|err| Failure::new(format!("`{}` is no manifest", project.shown(&manifest))).because(err))?;
            names.extend(manifest["package"]["name"].as_str().map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// The version names a folder that may be deleted.
fn check_version(version: &str) -> Result<(), Failure> {
    let is_plain = version.starts_with(|char: char| char.is_ascii_digit())
        && version.chars().all(|char| char.is_ascii_alphanumeric() || char == '.');
    if is_plain { Ok(()) } else { Err(Failure::new(format!("`{version}` is not a version such as `2.16.14`"))) }
}
