//! The end-to-end tests on every ansible-core that is supported.

use std::time::{Duration, Instant};

use clap::Args;

use crate::failure::Failure;
use crate::figures::{self, Figures};
use crate::it::{Counts, Tests};
use crate::project::Project;
use crate::setup;
use crate::setup::ansible::{self, SERIES, Series, Wanted};
use crate::steps::{Done, Steps, note, seconds};
use crate::table;

/// The cores of `.ci/run` beside the pinned one.
const OF_CI: [&str; 2] = ["2.16", "2.21"];

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A series of ansible-core, such as `2.16`; may be repeated [default: all that are supported]
    #[arg(long = "core", value_name = "SERIES", value_parser = parse_series)]
    cores: Vec<&'static Series>,
    /// Go on without a core that this machine has no Python for
    #[arg(long)]
    allow_missing: bool,
    /// Only tests with one of these words in their names
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
}

/// How many steps [`run`] takes after setting up: an environment and the tests of each core.
pub(crate) fn steps(arguments: &Arguments) -> usize {
    2 * arguments.cores().len()
}

impl Arguments {
    /// What `.ci/run` runs.
    pub(crate) fn of_ci() -> Self {
        let cores = SERIES.iter().filter(|series| OF_CI.contains(&series.name)).collect();
        Self { cores, allow_missing: false, words: Vec::new() }
    }

    fn cores(&self) -> Vec<&'static Series> {
        if self.cores.is_empty() { SERIES.iter().collect() } else { self.cores.clone() }
    }
}

/// Takes a series by its name.
pub(crate) fn parse_series(name: &str) -> Result<&'static Series, String> {
    let names: Vec<_> = SERIES.iter().map(|series| series.name).collect();
    SERIES.iter().find(|series| series.name == name).ok_or_else(|| format!("it must be one of {}", names.join(", ")))
}

/// Sets up what is missing, runs the tests on each core, and prints how many ran.
pub(crate) fn run(project: &Project, arguments: &Arguments, steps: &mut Steps) -> Result<(), Failure> {
    setup::run(project, steps, setup::Built::Tests)?;
    // Before the first test, so that a Python that is missing is known at once.
    let mut ready = Vec::new();
    for series in arguments.cores() {
        match install(project, steps, series) {
            Err(failure) if !arguments.allow_missing => return Err(failure),
            Err(failure) => {
                note(&failure.to_string().replace('\n', "\n      "));
                note(&format!("ansible-core {} is skipped", series.name));
                ready.push((series, false));
            }
            Ok(()) => ready.push((series, true)),
        }
    }
    let tests = Tests::build(project)?;
    let names = tests.choose(&arguments.words)?;
    let figures = figures::file(project, "matrix")?;

    let mut rows = Vec::new();
    for (series, is_there) in ready {
        let mut counts = None;
        let start = Instant::now();
        steps.take(&format!("Tests on ansible-core {}", series.version), || {
            if is_there {
                let variables = [(figures::FILE, figures.display().to_string())];
                let venv = ansible::environment(project, series.version);
                counts = Some(tests.run(project, &names, &venv, &variables, None)?);
            }
            Ok(Done::Now)
        })?;
        rows.push((series.version, counts, start.elapsed()));
    }
    let figures = Figures::read(&figures)?;
    println!("\n{}\n{}", figures.table(), table(&rows));
    match (verdict(&rows), figures.broken()) {
        (Some(failure), _) | (None, Some(failure)) => Err(failure),
        (None, None) => Ok(()),
    }
}

/// Makes the environment of a core.
pub(crate) fn install(project: &Project, steps: &mut Steps, series: &Series) -> Result<(), Failure> {
    let venv = ansible::environment(project, series.version);
    let wanted = Wanted::Version { version: series.version.to_owned(), python: None };
    steps.take(&format!("ansible-core {} in {}", series.version, project.shown(&venv)), || {
        ansible::install(project, &wanted, &venv)
    })
}

/// What came of each core; nothing where it was skipped.
type Row<'r> = (&'r str, Option<Counts>, Duration);

fn table(rows: &[Row<'_>]) -> String {
    let head = ["ansible-core", "tests", "ran", "passed", "failed", "time"].map(str::to_owned).to_vec();
    let body = rows.iter().map(|(core, counts, time)| match counts {
        Some(counts) => {
            let numbers = [counts.chosen, counts.ran(), counts.passed, counts.failed].map(|number| number.to_string());
            [&[(*core).to_owned()], &numbers[..], &[seconds(*time)]].concat()
        }
        None => vec![(*core).to_owned(), "skipped: there is no Python for it".to_owned()],
    });
    table::text(&std::iter::once(head).chain(body).collect::<Vec<_>>())
}

fn verdict(rows: &[Row<'_>]) -> Option<Failure> {
    let is_bad = |row: &&Row<'_>| row.1.is_some_and(|counts| !counts.are_good());
    let bad: Vec<_> = rows.iter().filter(is_bad).map(|(core, ..)| *core).collect();
    if rows.iter().all(|(_, counts, _)| counts.is_none()) {
        return Some(Failure::new("every ansible-core was skipped"));
    }
    (!bad.is_empty()).then(|| Failure::new(format!("not all tests passed on ansible-core {}", bad.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_on_which_not_all_tests_passed_is_named() {
        let time = Duration::from_secs(61);
        let good = Counts { chosen: 5, passed: 5, failed: 0 };
        let rows = [("2.16.1", Some(good), time), ("2.18.1", None, time)];
        assert!(verdict(&rows).is_none());
        assert!(verdict(&rows[1..]).is_some(), "nothing was run");
        let crashed = Counts { chosen: 5, passed: 3, failed: 0 };
        let failure = verdict(&[rows[0], ("2.21.1", Some(crashed), time)]).unwrap();
        assert_eq!(failure.to_string(), "error: not all tests passed on ansible-core 2.21.1");
        let text = table(&rows);
        assert!(text.lines().nth(1).unwrap().ends_with("5     5        5        0   61.0 s"), "{text}");
        assert!(text.contains("2.18.1") && text.contains("skipped"), "{text}");
    }

    #[test]
    fn the_checks_before_a_change_run_the_same_cores() {
        let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/run")).unwrap();
        let cores: String =
            Arguments::of_ci().cores().iter().map(|series| format!(" --core {}", series.name)).collect();
        assert!(script.contains(&format!("\ncargo xtask matrix{cores}\n")), "{script}");
    }

    #[test]
    fn a_series_is_taken_by_its_name() {
        assert_eq!(parse_series("2.16").unwrap().name, "2.16");
        assert!(parse_series("2.15").unwrap_err().ends_with("2.14, 2.16, 2.18, 2.19, 2.21"));
    }
}
