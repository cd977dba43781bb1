//! The long form of the fault suite: the end-to-end tests with many more rounds, bounded by time.

use std::time::{Duration, Instant};

use clap::Args;

use crate::failure::Failure;
use crate::figures::{self, Figures};
use crate::it::Tests;
use crate::matrix;
use crate::project::Project;
use crate::setup;
use crate::setup::ansible::{self, Series};
use crate::steps::{Done, Steps, seconds};

/// How many rounds tests take that have a long form.
const ROUNDS: &str = "PLAYWARDEN_SOAK";

/// After how many seconds such a test begins no further round.
const SECONDS: &str = "PLAYWARDEN_SOAK_SECONDS";

/// At most so many tests have a long form.
const LONG: u32 = 12;

/// What rounds that were begun may still take, and the tests that have none.
const GRACE: Duration = Duration::from_secs(1800);

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Begin no further round of a test after so many minutes
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// How many rounds of what is done again and again, such as cancels and kills
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A series of ansible-core, such as `2.16`; may be repeated [default: the one that the project is pinned to]
    #[arg(long = "core", value_name = "SERIES", value_parser = matrix::parse_series)]
    cores: Vec<&'static Series>,
    /// Only tests with one of these words in their names
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
}

/// How many steps [`run`] takes after setting up.
pub(crate) fn steps(arguments: &Arguments) -> usize {
    (2 * arguments.cores.len()).max(1)
}

/// Sets up what is missing, runs the tests on each core, and prints their figures.
pub(crate) fn run(project: &Project, arguments: &Arguments, steps: &mut Steps) -> Result<(), Failure> {
    setup::run(project, steps, setup::Built::Tests)?;
    for series in &arguments.cores {
        matrix::install(project, steps, series)?;
    }
    let tests = Tests::build(project)?;
    let names = tests.choose(&arguments.words)?;
    let figures = figures::file(project, "soak")?;
    let mut cores: Vec<_> = arguments
        .cores
        .iter()
        .map(|series| (format!("ansible-core {}", series.version), ansible::environment(project, series.version)))
        .collect();
    if cores.is_empty() {
        cores.push(("the pinned ansible-core".to_owned(), project.venv()));
    }

    let start = Instant::now();
    let each = Duration::from_secs(60 * u64::from(arguments.minutes));
    let variables = [
        (figures::FILE, figures.display().to_string()),
        (ROUNDS, arguments.rounds.to_string()),
        (SECONDS, each.as_secs().to_string()),
    ];
    let mut bad = Vec::new();
    for (name, venv) in &cores {
        steps.take(&format!("Soak on {name}, for at most {} a test", seconds(each)), || {
            let counts = tests.run(project, &names, venv, &variables, Some(each * LONG + GRACE))?;
            if !counts.are_good() {
                bad.push(format!(
                    "{name}: of {} tests {} passed, {} failed",
                    counts.chosen, counts.passed, counts.failed
                ));
            }
            Ok(Done::Now)
        })?;
    }
    let figures = Figures::read(&figures)?;
    println!("\n{}", figures.table());
    eprintln!("{} tests on each core, in {}.", names.len(), seconds(start.elapsed()));
    if !bad.is_empty() {
        return Err(Failure::new("not all tests passed").because(bad.join("; ")));
    }
    figures.broken().map_or(Ok(()), Err)
}
