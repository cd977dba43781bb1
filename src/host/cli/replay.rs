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
use super::runs::{not_found, print_json};
use super::terminal;
use crate::report::tried;
use crate::run::{At, CameTo, Recorded, Replay};
use crate::store::{NotFound, StoredRun};

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// Run ids, beginnings of them, or `@` for the newest
    #[arg(required_unless_present = "last")]
    runs: Vec<String>,
    /// The newest N runs that are over
    #[arg(long, value_name = "N", conflicts_with = "runs")]
    last: Option<usize>,
    /// Of these only the runs of a job
    #[arg(long, value_name = "NAME", requires = "last")]
    job: Option<String>,
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
    let runs = runs(context, arguments)?;
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
        } else if arguments.last.is_none() {
            terminal::out(&tried::run(id, job, &came_to));
        }
    }
    if arguments.last.is_some() && !arguments.json {
        terminal::out(&sum.text());
    }
    match kept {
        Folder::Kept(folder) => terminal::note(&format!("what it wrote is in {}\n", folder.display())),
        Folder::Gone(folder) if !has_text(folder.path()) => {}
        Folder::Gone(_) => terminal::note("what it wrote is not kept; `--output DIR` keeps it\n"),
    }
    Ok(worst)
}

fn runs(context: &Context, arguments: &ReplayArguments) -> Result<Vec<StoredRun>, Exit> {
    let store = context.store()?;
    let Some(last) = arguments.last else {
        let found: Result<_, _> = arguments.runs.iter().map(|wanted| store.find(wanted)).collect();
        return found.map_err(|err| not_found(context, &err));
    };
    let found = store.list().map_err(|err| not_found(context, &err))?;
    for (folder, why) in found.unreadable {
        not_found(context, &NotFound::Unreadable(folder, why));
    }
    let is_meant =
        |run: &StoredRun| run.status().is_terminal() && arguments.job.as_ref().is_none_or(|job| *job == run.record.job);
    let runs: Vec<_> = found.runs.into_iter().filter(is_meant).take(last).collect();
    if runs.is_empty() {
        let of = arguments.job.as_ref().map(|job| format!(" of job `{job}`")).unwrap_or_default();
        let text = format!("there is no run{of} that is over");
        terminal::complain(&text, Some("`playwarden list` shows the runs"), context.color());
        return Err(Exit::Usage);
    }
    Ok(runs)
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
