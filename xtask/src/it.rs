//! The end-to-end tests as one program that can be run on any ansible-core, and what came of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::command;
use crate::failure::Failure;
use crate::project::Project;

/// Tells the tests which virtual environment has the Ansible they use.
pub(crate) const VENV: &str = "PLAYWARDEN_TEST_ANSIBLE";

/// Tells the tests which ansible-runner is the other half of what streams jobs.
pub(crate) const RUNNER: &str = "PLAYWARDEN_TEST_RUNNER";

/// Modules of the tests that no Ansible takes part in, or whose subject is the command line, the configuration or the
/// documentation: what they show on one core holds on all. Everything else is run on every core, a module that is new too.
pub(crate) const ONE_CORE: [&str; 9] =
    ["begin", "book", "config", "guests", "library", "reading", "refusals", "reports", "rooms"];

/// What a run of the tests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many were to run.
    pub(crate) chosen: usize,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Counts {
    /// How many came to an end.
    pub(crate) fn ran(self) -> usize {
        self.passed + self.failed
    }

    /// Whether all that were to run passed.
    pub(crate) fn are_good(self) -> bool {
        self.chosen > 0 && self.passed == self.chosen
    }

    /// Counts a line that the test program printed.
    fn add(&mut self, line: &str) {
        let is_test = line.starts_with("test ");
        self.passed += usize::from(is_test && line.ends_with(" ... ok"));
        self.failed += usize::from(is_test && line.ends_with(" ... FAILED"));
    }
}

/// The compiled tests.
#[derive(Debug)]
pub(crate) struct Tests {
    program: PathBuf,
}

impl Tests {
    /// Builds them, and the host with them.
    pub(crate) fn build(project: &Project) -> Result<Self, Failure> {
        let mut build = project.host_cargo();
        build.args(["test", "--release", "--locked", "--workspace", "--no-run"]);
        build.arg("--message-format=json-render-diagnostics");
        let messages = command::output(&mut build, "build the tests")?;
        let program = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == "it")
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        let lost = || Failure::new("cargo does not say where it put the tests").command(command::shown(&build));
        Ok(Self { program: program.ok_or_else(lost)? })
    }

    /// The names of the tests for every core that have one of these words in them; all of them without a word.
    pub(crate) fn choose(&self, words: &[String]) -> Result<Vec<String>, Failure> {
        let mut list = Command::new(&self.program);
        let listed = command::output(list.args(["--list", "--format", "terse"]), "list the tests")?;
        let names: Vec<_> = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .filter(|name| is_for_every_core(name))
            .filter(|name| words.is_empty() || words.iter().any(|word| name.contains(word)))
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Err(Failure::new(format!("no test for every core is named like {}", words.join(" or "))));
        }
        Ok(names)
    }

    /// Runs the tests of these names on the Ansible of an environment, with more variables for them. After `limit` they
    /// are killed.
    pub(crate) fn run(
        &self,
        project: &Project,
        names: &[String],
        venv: &Path,
        variables: &[(&str, String)],
        limit: Option<Duration>,
    ) -> Result<Counts, Failure> {
        let mut run = Command::new(&self.program);
        run.current_dir(project.root()).env(VENV, venv).envs(variables.iter().map(|(name, value)| (name, value)));
        run.arg("--exact").args(names).stdin(Stdio::null()).stdout(Stdio::piped());
        let cannot = |err| Failure::new("cannot start the tests").because(err);
        let mut child = run.spawn().map_err(cannot)?;
        let stdout = child.stdout.take();
        let child = Mutex::new(child);
        let lock = || child.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = Counts { chosen: names.len(), ..Counts::default() };
        let (done, is_done) = mpsc::channel::<()>();
        let is_late = thread::scope(|scope| {
            let killer = limit.map(|limit| {
                scope.spawn(move || {
                    let is_late = is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
                    is_late && lock().kill().is_ok()
                })
            });
            let mut tells = true;
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok) {
                println!("{line}");
                // What a failed test printed comes after this line.
                tells &= line != "failures:";
                if tells {
                    counts.add(&line);
                }
            }
            drop(done);
            killer.is_some_and(|killer| killer.join().unwrap_or(false))
        });
        lock().wait().map_err(cannot)?;
        if is_late {
            eprintln!("The tests did not come to an end and were killed; look for what is left of their runs.");
        }
        Ok(counts)
    }
}

fn is_for_every_core(name: &str) -> bool {
    let module = name.split("::").next().unwrap_or_default();
    !ONE_CORE.contains(&module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_print_is_counted() {
        let mut counts = Counts { chosen: 3, ..Counts::default() };
        for line in [
            "running 3 tests",
            "test plays::ends::one ... ok",
            "test plays::ends::two has been running for over 60 seconds",
            "test plays::ends::two ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 4.00s",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { chosen: 3, passed: 1, failed: 1 });
        assert!(!counts.are_good() && counts.ran() == 2);
        assert!(!Counts::default().are_good(), "nothing was run");
        assert!(Counts { chosen: 2, passed: 2, failed: 0 }.are_good());
    }

    #[test]
    fn what_is_not_for_every_core_is_there() {
        let main = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/it/main.rs")).unwrap();
        for module in ONE_CORE {
            assert!(main.contains(&format!("\nmod {module};\n")), "{module}");
        }
        assert!(is_for_every_core("hooks::reports::one") && !is_for_every_core("reports::one"));
    }
}
