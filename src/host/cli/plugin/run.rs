//! `plugin run`: a plugin and a list of events.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::chosen::{self, ConfigArguments};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::run::{runtime, sandbox};
use crate::cli::runs::print_json;
use crate::cli::terminal;
use crate::report::tried;
use crate::run::{At, CameTo, Replay};
use crate::trial::{self, EventsError};

#[derive(Args, Debug)]
pub(in crate::cli) struct RunArguments {
    /// A plugin of runner.toml, a built-in one, or the path of a component
    plugin: String,
    /// Lines of JSON: a journal, or events written by hand
    events: PathBuf,
    #[command(flatten)]
    config: ConfigArguments,
    /// Keep what it writes in this folder
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'c> {
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<u64>,
    canceled: bool,
    spared: usize,
    verdicts: &'c [At<Box<playwarden_event::kind::PolicyVerdict>>],
    faults: &'c [At<playwarden_event::kind::PluginFault>],
}

pub(super) fn run(context: &Context, arguments: &RunArguments) -> Result<Exit, Exit> {
    let io = |err: std::io::Error| {
        terminal::error(&err, Some("name another folder with `--output`"), context.color());
        Exit::Evidence
    };
    let mut plan = chosen::plan(context, &arguments.plugin, None)?;
    arguments.config.over(&mut plan);
    plan.grants.write.clear();
    let folder = tempfile::tempdir().map_err(io)?;
    let outputs = match &arguments.output {
        Some(output) => context.cwd().join(output),
        None => folder.path().join("outputs"),
    };
    std::fs::create_dir_all(&outputs).map_err(io)?;
    let events = context.cwd().join(&arguments.events);
    let recorded = trial::recorded(&events, "job", folder.path()).map_err(|err| refused(context, &err))?;

    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let name = plan.name.clone();
    let replay = runtime.block_on(Replay::prepare(plan, false, &sandbox));
    let replay = replay.map_err(|troubles| chosen::unusable(context, &name, troubles))?;
    let came_to: CameTo = runtime.block_on(replay.show(&recorded, &outputs)).map_err(|err| {
        terminal::error(&err, Some("everything before that place was shown to the plugin"), context.color());
        Exit::Evidence
    })?;
    if arguments.json {
        let CameTo { events, acknowledged, spared, verdicts, faults } = &came_to;
        let (canceled, spared, acknowledged) = (came_to.cancel().is_some(), spared.len(), *acknowledged);
        print_json(&Shown { events: *events, acknowledged, canceled, spared, verdicts, faults });
    } else {
        terminal::out(&tried::said(&came_to));
        terminal::out(&written(&outputs));
    }
    let broken = came_to.faults.iter().any(|at| at.said.on_fault != "restart");
    Ok(if broken { Exit::PluginFault } else { Exit::Success })
}

/// What the plugin left in its folder.
fn written(outputs: &std::path::Path) -> String {
    let log = std::fs::read_to_string(outputs.join("log.jsonl")).unwrap_or_default();
    let entries = std::fs::read_dir(outputs).into_iter().flatten().flatten();
    let file = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name != "log.jsonl").then_some(())?;
        Some((name, entry.metadata().ok()?.len()))
    };
    let mut files: Vec<_> = entries.filter_map(file).collect();
    files.sort();
    tried::written(&log, &files)
}

fn refused(context: &Context, err: &EventsError) -> Exit {
    let hint = match err {
        EventsError::Line(_, bad) => bad.hint.as_deref(),
        EventsError::Io(..) => Some("name a file of events, such as `artifacts/RUN/events.jsonl`"),
    };
    terminal::complain(&err.to_string(), hint, context.color());
    Exit::Usage
}
