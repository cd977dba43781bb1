//! `playwarden replay`: recorded runs through a plugin again.

use std::path::PathBuf;

use clap::Args;
use playwarden_event::kind::{PluginFault, PolicyVerdict, VerdictWord};
use serde::Serialize;
use serde_json::{Map, Value};

use super::context::Context;
use super::exit::Exit;
use super::run::{runtime, sandbox};
use super::runs::{not_found, print_json};
use super::terminal;
use crate::config::{self, did_you_mean};
use crate::plan::{Component, PluginPlan};
use crate::report::diagnostic;
use crate::run::{CameTo, Replay, Replayed, Trouble, TroubleKind};
use crate::store::StoredRun;

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// Run ids, beginnings of them, or `@` for the newest
    #[arg(required = true)]
    runs: Vec<String>,
    /// A plugin of runner.toml, a built-in one, or the path of a component
    #[arg(short, long, value_name = "PLUGIN")]
    plugin: String,
    /// Set a key of its config: `key=value`, or several as JSON
    #[arg(short, long, value_name = "CONFIG", value_parser = pairs)]
    config: Vec<Map<String, Value>>,
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

/// `key=value`, where the value is JSON or else a text; or an object.
fn pairs(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|err| format!("this is not a JSON object: {err}"));
    }
    let (key, value) = text.split_once('=').ok_or("write `key=value`, or a JSON object")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok(Map::from_iter([(key.to_owned(), value)]))
}

/// One run in `replay --json`.
#[derive(Serialize)]
struct Shown<'r> {
    run: &'r str,
    job: &'r str,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<u64>,
    /// Whether the run would have been canceled.
    canceled: bool,
    /// Starts of a task on a host that came after that.
    spared: u64,
    verdicts: Vec<At<Box<PolicyVerdict>>>,
    faults: Vec<At<PluginFault>>,
}

/// What was said, and the counter of the last event before it.
#[derive(Serialize)]
struct At<T> {
    after: u64,
    #[serde(flatten)]
    said: T,
}

pub(super) fn replay(context: &Context, arguments: &ReplayArguments) -> Exit {
    carry_out(context, arguments).unwrap_or_else(|exit| exit)
}

fn carry_out(context: &Context, arguments: &ReplayArguments) -> Result<Exit, Exit> {
    let store = context.store()?;
    let runs: Result<Vec<StoredRun>, _> = arguments.runs.iter().map(|wanted| store.find(wanted)).collect();
    let runs = runs.map_err(|err| not_found(context, &err))?;
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
    for run in &runs {
        let plan = plan(context, arguments, &run.record.job)?;
        let loaded = runtime.block_on(Replay::prepare(plan, arguments.grants, &sandbox));
        let replay = loaded.map_err(|troubles| unusable(context, arguments, troubles))?;
        let outputs = kept.path().join(&run.record.id);
        std::fs::create_dir_all(&outputs).map_err(|err| evidence(context, &outputs.display().to_string(), &err))?;
        let (mut verdicts, mut faults) = (Vec::new(), Vec::new());
        let mut tell = |said| match said {
            Replayed::Verdict(after, said) => verdicts.push(At { after, said }),
            Replayed::Fault(after, said) => faults.push(At { after, said }),
        };
        let came_to = runtime.block_on(replay.show(run, &outputs, &mut tell)).map_err(|err| {
            terminal::error(&err, Some("everything before that place was shown to the plugin"), context.color());
            Exit::Evidence
        })?;
        let CameTo { events, acknowledged, spared } = came_to;
        let canceled = verdicts.iter().any(|at| at.said.verdict == VerdictWord::Cancel);
        if faults.iter().any(|at| at.said.on_fault != "restart") {
            worst = Exit::PluginFault;
        }
        let (id, job) = (run.record.id.as_str(), run.record.job.as_str());
        let shown = Shown { run: id, job, events, acknowledged, canceled, spared, verdicts, faults };
        if arguments.json { print_json(&shown) } else { terminal::out(&text(&shown)) }
    }
    match kept {
        Folder::Kept(folder) => terminal::note(&format!("what it wrote is in {}\n", folder.display())),
        Folder::Gone(_) => terminal::note("what it wrote is not kept; `--output DIR` keeps it\n"),
    }
    Ok(worst)
}

/// Where a plugin's outputs go.
enum Folder {
    Kept(PathBuf),
    /// It is removed at the end.
    Gone(tempfile::TempDir),
}

impl Folder {
    fn path(&self) -> &std::path::Path {
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

/// The plugin that is meant, with what the command line says about it.
fn plan(context: &Context, arguments: &ReplayArguments, job: &str) -> Result<PluginPlan, Exit> {
    let (config, _) = context.config().map_err(|findings| {
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        Exit::Configuration
    })?;
    let wanted = arguments.plugin.as_str();
    // As the recorded run's job uses it; where there is no such job any more, as any other does.
    let jobs = std::iter::once(job).chain(config.jobs.iter().map(|job| job.name.as_str()));
    let resolved = jobs.into_iter().find_map(|job| PluginPlan::resolve(&config, wanted, job, &context.environment));
    let mut plan = match resolved {
        Some(Ok(plan)) => plan,
        Some(Err(list)) => {
            let findings = config.findings(list);
            terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
            return Err(Exit::Configuration);
        }
        None if config::BUILTINS.contains(&wanted) => PluginPlan::new(wanted, Component::Builtin(wanted.to_owned())),
        None if wanted.contains(['/', '.']) => {
            let path = context.cwd().join(wanted);
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            PluginPlan::new(&name, Component::Path(path))
        }
        None => {
            let names = config.plugins.iter().map(|plugin| plugin.name.as_str());
            let hint = did_you_mean(wanted, names.chain(config::BUILTINS.iter().copied())).unwrap_or_else(|| {
                "name a plugin of runner.toml, a built-in one, or the path of a component".to_owned()
            });
            terminal::complain(&format!("there is no plugin `{wanted}`"), Some(&hint), context.color());
            return Err(Exit::Usage);
        }
    };
    if let Value::Object(map) = &mut plan.config {
        arguments.config.iter().for_each(|more| map.extend(more.clone()));
    }
    if !arguments.grants {
        // Nothing is sent or written a second time unless somebody wants that. What is linked stays, refused.
        plan.grants.write.clear();
    }
    Ok(plan)
}

fn unusable(context: &Context, arguments: &ReplayArguments, troubles: Vec<TroubleKind>) -> Exit {
    let load = troubles.iter().any(|kind| matches!(kind, TroubleKind::Load(_) | TroubleKind::NotBuiltIn));
    for kind in troubles {
        let hint = match &kind {
            TroubleKind::Load(err) => Some(err.hint()),
            TroubleKind::Fault(fault) if !fault.stderr.is_empty() => Some(fault.stderr.clone()),
            _ => None,
        };
        let trouble = Trouble { plugin: arguments.plugin.clone(), kind };
        terminal::complain(&trouble.to_string(), hint.as_deref(), context.color());
    }
    if load { Exit::PluginLoad } else { Exit::Configuration }
}

fn text(shown: &Shown<'_>) -> String {
    let mut lines = Vec::new();
    for At { after, said } in &shown.verdicts {
        let code = said.reason.code.as_deref().map(|code| format!(" [{code}]")).unwrap_or_default();
        let word = match (said.verdict, said.acted_on) {
            (VerdictWord::Warn, _) => "warned",
            (VerdictWord::Cancel, true) => "would have been canceled",
            (VerdictWord::Cancel, false) => "would have been canceled, were it enforced",
        };
        let start = said.start.as_ref().map(|start| format!(", before `{}` on {}", start.task, start.host));
        let at = said.reason.event.unwrap_or(*after);
        lines.push(format!("  event {at:>6}  {word}{}: {}{code}\n", start.unwrap_or_default(), said.reason.text));
    }
    for At { after, said } in &shown.faults {
        lines.push(format!("  event {after:>6}  it broke in `{}`: {}\n", said.call, said.text));
    }
    let end = match (shown.canceled, shown.acknowledged) {
        (true, _) => format!("  {} starts of a task on a host would not have happened\n", shown.spared),
        (false, Some(acknowledged)) => format!("  {acknowledged} of {} events acknowledged\n", shown.events),
        (false, None) if lines.is_empty() => format!("  nothing to object to in {} events\n", shown.events),
        (false, None) => String::new(),
    };
    format!("run {} of job {}\n{}{end}", shown.run, shown.job, lines.concat())
}
