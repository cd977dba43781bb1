//! `playwarden export`: recorded runs in other forms.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::exit::Exit;
use super::runs::{RunsArguments, damaged};
use super::terminal;
use crate::store::Durations;

#[derive(Args, Debug)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    runs: RunsArguments,
    /// What to make of them, on standard output
    #[arg(long, value_name = "FORM")]
    to: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// How long each task took on its hosts, as JSON: for the policy `slow-host`
    Durations,
}

pub(super) fn export(context: &Context, arguments: &ExportArguments) -> Exit {
    carry_out(context, arguments).unwrap_or_else(|exit| exit)
}

fn carry_out(context: &Context, arguments: &ExportArguments) -> Result<Exit, Exit> {
    let runs = arguments.runs.find(context)?;
    match arguments.to {
        Form::Durations => {
            let mut durations = Durations::default();
            for run in &runs {
                durations.take(run).map_err(|err| damaged(context, run, err, "leave this run out"))?;
            }
            let text = serde_json::to_string_pretty(&durations.file()).unwrap_or_default();
            terminal::out(&format!("{text}\n"));
        }
    }
    Ok(Exit::Success)
}
