//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    playwarden::cli::main()
}
