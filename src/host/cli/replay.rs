//! `playwarden replay`: recorded runs through a plugin again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use playwarden_event::Status;
use playwarden_event::kind::{PluginFault, PolicyVerdict};
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::plugin::chosen::{self, ConfigArguments};
use super::run::{runtime, sandbox};
use super::runs::{RunsArguments, print_json};
use super::terminal;
use crate::report::tried;
use crate::run::{At, CameTo, Recorded, Replay};
use crate::store::StoredRun;

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    runs: RunsArguments,
    /// A plugin of runner.toml, a built-in one, or the path of a component
    #[arg(short, long, value_name = "PLUGIN")]
    plugin: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// Let it reach what runner.toml grants it: to write, or to send, what was lost
    #[arg(long)]
    grants: bool,
    /// Keep what it writes in this folder, below the run's id
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One run in `replay --json`.
#[derive(Serialize)]
struct Shown<'r> {
    run: &'r str,
    job: &'r str,
    status: Status,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<u64>,
    /// Whether the run would have been canceled, were the policy enforced.
    canceled: bool,
    /// Starts of a task on a host that came after that.
    spared: usize,
    /// Their hosts.
    spared_hosts: BTreeSet<&'r str>,
    verdicts: &'r [At<Box<PolicyVerdict>>],
    faults: &'r [At<PluginFault>],
}

pub(super) fn replay(context: &Context, arguments: &ReplayArguments) -> Exit {
    carry_out(context, arguments).unwrap_or_else(|exit| exit)
}

fn carry_out(context: &Context, arguments: &ReplayArguments) -> Result<Exit, Exit> {
    let runs = arguments.runs.find(context)?;
    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let kept = match &arguments.output {
        Some(folder) => Folder::Kept(context.cwd().join(folder)),
        None => Folder::Gone(tempfile::tempdir().map_err(|err| evidence(context, "a temporary folder", &err))?),
    };
    let mut worst = Exit::Success;
    let mut sum = tried::Sum::default();
    for run in &runs {
        let job = run.record.job.as_str();
        let mut plan = chosen::plan(context, &arguments.plugin, Some(job))?;
        arguments.config.over(&mut plan);
        if !arguments.grants {
            // Nothing is sent or written a second time unless somebody wants that. What is linked stays, refused.
            plan.grants.write.clear();
        }
        let loaded = runtime.block_on(Replay::prepare(plan, arguments.grants, &sandbox));
        let replay = loaded.map_err(|troubles| chosen::unusable(context, &arguments.plugin, troubles))?;
        let id = run.record.id.as_str();
        let outputs = kept.path().join(id);
        std::fs::create_dir_all(&outputs).map_err(|err| evidence(context, &outputs.display().to_string(), &err))?;
        let came_to = runtime.block_on(replay.show(&Recorded::from(run), &outputs)).map_err(|err| {
            terminal::error(&err, Some("everything before that place was shown to the plugin"), context.color());
            Exit::Evidence
        })?;
        if came_to.faults.iter().any(|at| at.said.on_fault != "restart") {
            worst = Exit::PluginFault;
        }
        sum.add(id, job, run.status(), &came_to);
        if arguments.json {
            print_json(&shown(run, &came_to));
        } else if arguments.runs.last.is_none() {
            terminal::out(&tried::run(id, job, &came_to));
        }
    }
    if arguments.runs.last.is_some() && !arguments.json {
        terminal::out(&sum.text());
    }
    match kept {
        Folder::Kept(folder) => terminal::note(&format!("what it wrote is in {}\n", folder.display())),
        Folder::Gone(folder) if !has_text(folder.path()) => {}
        Folder::Gone(_) => terminal::note("what it wrote is not kept; `--output DIR` keeps it\n"),
    }
    Ok(worst)
}

fn shown<'r>(run: &'r StoredRun, came_to: &'r CameTo) -> Shown<'r> {
    Shown {
        run: &run.record.id,
        job: &run.record.job,
        status: run.status(),
        events: came_to.events,
        acknowledged: came_to.acknowledged,
        canceled: came_to.cancel().is_some(),
        spared: came_to.spared.len(),
        spared_hosts: came_to.spared.iter().map(|(host, _)| host.as_str()).collect(),
        verdicts: &came_to.verdicts,
        faults: &came_to.faults,
    }
}

/// Whether anything was written into a folder's files.
fn has_text(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => has_text(&entry.path()),
        Ok(metadata) => metadata.len() > 0,
        Err(_) => false,
    })
}

/// Where a plugin's outputs go.
enum Folder {
    Kept(PathBuf),
    /// It is removed at the end.
    Gone(tempfile::TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Gone(folder) => folder.path(),
        }
    }
}

fn evidence(context: &Context, what: &str, err: &std::io::Error) -> Exit {
    terminal::complain(&format!("{what} cannot be made: {err}"), Some("name another with `--output`"), context.color());
    Exit::Evidence
}
