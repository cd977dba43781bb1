//! The Python package: its own tests, each module of them as one test here, with the real program and the tests' Ansible.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Project, ran, venv};

/// Runs a module of `python/tests`. All of its tests must run and pass.
fn passes(module: &str) {
    let project = Project::empty();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(venv().join("bin/python"));
    python.args(["-W", "error", "-m", "unittest", "-v", &format!("tests.{module}")]);
    project.adopt(&mut python);
    let usual = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(venv().join("bin")).chain(std::env::split_paths(&usual));
    python
        .current_dir(root.join("python"))
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("PLAYWARDEN", env!("CARGO_BIN_EXE_playwarden"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Ansible takes the home folder of the user instead of `HOME`.
        .env("ANSIBLE_REMOTE_TEMP", project.path("home/remote"))
        .stdin(Stdio::null());
    let said = ran(python.output().unwrap()).expect(0).stderr;
    let count = said.lines().filter(|line| line.ends_with(" ... ok")).count();
    assert!(count > 0 && said.contains(&format!("Ran {count} test")), "{said}");
    assert!(said.ends_with("\nOK\n"), "{said}");
}

#[test]
fn the_stream_of_events_the_handlers_and_the_end() {
    passes("test_stream");
}

#[test]
fn programs_of_ansible() {
    passes("test_commands");
}

#[test]
fn the_package_has_the_version_of_the_program() {
    let package = include_str!("../../python/playwarden/__init__.py");
    assert!(package.contains(&format!("\n__version__ = {:?}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_ansible_runner_documents_and_what_it_gets_wrong() {
    passes("test_runs");
}
