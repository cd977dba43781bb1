//! The project's chores, run as `cargo xtask COMMAND`.
//!
//! Each command first sets up what it needs and lacks, so that a fresh clone needs nothing but a Rust toolchain and a
//! Python. What happens is said on standard error; results go to standard output.
//!
//! **Invariant:** nothing is installed outside the repository, but for the Rust target that the guests are built for.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal, with no library in it")]

mod bench;
mod book;
mod checks;
mod command;
mod demo;
mod failure;
mod figures;
mod it;
mod languages;
mod matrix;
mod parity;
mod project;
mod setup;
mod soak;
mod steps;
mod table;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::project::Project;
use crate::steps::Steps;

/// The project's chores. Each command first sets up what is missing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install and build what is missing: the Rust target, a private ansible-core, guests, host
    Setup,
    /// Run a rollout that succeeds and one that a policy cancels, on twelve local hosts
    Demo,
    /// Run all tests
    Test(test::Arguments),
    /// Run the end-to-end tests on every ansible-core that is supported, and say how many ran
    Matrix(matrix::Arguments),
    /// Run the same private data dirs under ansible-runner and under Playwarden, and compare all that they leave
    Parity(parity::Arguments),
    /// Make, build and try plugins in every language, and print what each costs
    Languages(languages::Arguments),
    /// Run the end-to-end tests with many more cancels, kills and rounds, and show their figures
    Soak(soak::Arguments),
    /// Compare the time of a playbook under Playwarden with that under bare ansible-playbook
    Bench(bench::Arguments),
    /// Make what of the book follows from the sources
    Book(book::Arguments),
    /// Check format, lints, documentation and the generated pages of the book
    Lint,
    /// Do what `.ci/run` does: lint, test, then the tests on the oldest and the newest core that it looks at
    Ci,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let project = Project::find()?;
    match command {
        Command::Setup => {
            let mut steps = Steps::new(setup::STEPS);
            setup::run(&project, &mut steps, setup::Built::Program)?;
            eprintln!("\nAll is set up.");
            Ok(())
        }
        Command::Demo => demo::run(&project),
        Command::Test(arguments) => {
            let mut steps = Steps::new(setup::STEPS + test::steps(&arguments));
            test::run(&project, &arguments, &mut steps)
        }
        Command::Matrix(arguments) => {
            let mut steps = Steps::new(setup::STEPS + matrix::steps(&arguments));
            matrix::run(&project, &arguments, &mut steps)
        }
        Command::Parity(arguments) => {
            let mut steps = Steps::new(parity::steps(&arguments));
            parity::run(&project, &arguments, &mut steps)
        }
        Command::Languages(arguments) => {
            let mut steps = Steps::new(setup::STEPS + languages::steps(&arguments));
            languages::run(&project, &arguments, &mut steps)
        }
        Command::Soak(arguments) => {
            let mut steps = Steps::new(setup::STEPS + soak::steps(&arguments));
            soak::run(&project, &arguments, &mut steps)
        }
        Command::Bench(arguments) => bench::run(&project, &arguments),
        Command::Book(arguments) => book::run(&project, &arguments),
        Command::Lint => checks::run(&project, &mut Steps::new(checks::STEPS)),
        Command::Ci => {
            let arguments = test::Arguments::default();
            let matrix = matrix::Arguments::of_ci();
            let own = test::steps(&arguments) + matrix::steps(&matrix);
            let mut steps = Steps::new(checks::STEPS + 2 * setup::STEPS + own);
            checks::run(&project, &mut steps)?;
            test::run(&project, &arguments, &mut steps)?;
            matrix::run(&project, &matrix, &mut steps)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
