//! Which plugin is meant on the command line, and with which config.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::check::lock_hint;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal;
use crate::config::{self, Config, did_you_mean};
use crate::plan::{Component, PluginPlan};
use crate::report::diagnostic;
use crate::run::{Trouble, TroubleKind};

#[derive(Args, Debug)]
pub(in crate::cli) struct ConfigArguments {
    /// Set a key of its config: `key=value`, or several as JSON
    #[arg(short, long, value_name = "CONFIG", value_parser = pairs)]
    config: Vec<Map<String, Value>>,
}

impl ConfigArguments {
    /// Puts these over what the plan has.
    pub(in crate::cli) fn over(&self, plan: &mut PluginPlan) {
        if let Value::Object(map) = &mut plan.config {
            self.config.iter().for_each(|more| map.extend(more.clone()));
        }
    }
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

/// Finds a plugin: one of runner.toml, as a job uses it, a built-in one, the path of a component, or the folder of a project
/// that is built. Only where it could be the first is there need of a runner.toml.
pub(in crate::cli) fn plan(context: &Context, wanted: &str, job: Option<&str>) -> Result<PluginPlan, Exit> {
    let config = if context.has_config() || context.private_data_dir().is_some() {
        let read = context.config().map_err(|findings| {
            terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
            Exit::Configuration
        });
        Some(read?.0)
    } else {
        None
    };
    match config.as_ref().and_then(|config| of_config(context, config, wanted, job)) {
        Some(found) => found,
        None if config::BUILTINS.contains(&wanted) => {
            Ok(PluginPlan::new(wanted, Component::Builtin(wanted.to_owned())))
        }
        None if context.cwd().join(wanted).join("plugin.toml").is_file() => {
            let project = super::build::project(context, Path::new(wanted))?;
            if project.component().is_file() {
                return Ok(of_path(project.component()));
            }
            let hint = format!("`playwarden plugin build {wanted}` builds it");
            terminal::complain(&format!("plugin `{}` is not built", project.name), Some(&hint), context.color());
            Err(Exit::PluginLoad)
        }
        None if wanted.contains(['/', '.']) => Ok(of_path(context.cwd().join(wanted))),
        None => {
            let names = config.iter().flat_map(|config| &config.plugins).map(|plugin| plugin.name.as_str());
            let known: Vec<&str> = names.chain(config::BUILTINS.iter().copied()).collect();
            let hint = did_you_mean(wanted, known.iter().copied()).unwrap_or_else(|| {
                "name a plugin of runner.toml, a built-in one, or the path of a component".to_owned()
            });
            terminal::complain(&format!("there is no plugin `{wanted}`"), Some(&hint), context.color());
            Err(Exit::Usage)
        }
    }
}

/// A component that nothing is said about.
pub(in crate::cli) fn of_path(path: PathBuf) -> PluginPlan {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    PluginPlan::new(&name, Component::Path(path))
}

fn of_config(context: &Context, config: &Config, wanted: &str, job: Option<&str>) -> Option<Result<PluginPlan, Exit>> {
    // As the job uses it; where there is no such job, as any other does.
    let jobs = job.into_iter().chain(config.jobs.iter().map(|job| job.name.as_str()));
    let resolved = jobs.into_iter().find_map(|job| PluginPlan::resolve(config, wanted, job, &context.environment))?;
    Some(resolved.map_err(|list| {
        let findings = config.findings(list);
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        Exit::Configuration
    }))
}

/// Says why a plugin cannot be used.
pub(in crate::cli) fn unusable(context: &Context, plugin: &str, troubles: Vec<TroubleKind>) -> Exit {
    let load = troubles.iter().any(TroubleKind::is_load);
    for kind in troubles {
        complain(context, plugin, kind);
    }
    if load { Exit::PluginLoad } else { Exit::Configuration }
}

/// Says what a plugin has to say nevertheless.
pub(in crate::cli) fn warn(plugin: &str, kind: TroubleKind) {
    terminal::note(&format!("warning: {}\n", Trouble { plugin: plugin.to_owned(), kind }));
}

/// Says what is wrong with a plugin, and what can be done.
fn complain(context: &Context, plugin: &str, kind: TroubleKind) {
    let hint = match &kind {
        TroubleKind::Load(err) => Some(err.hint()),
        TroubleKind::NotLocked | TroubleKind::Changed { .. } => Some(lock_hint(plugin)),
        TroubleKind::Fault(fault) if !fault.stderr.is_empty() => Some(fault.stderr.clone()),
        TroubleKind::Config { pointer, .. } if !pointer.is_empty() => Some(format!("at `{pointer}` of its config")),
        _ => None,
    };
    let trouble = Trouble { plugin: plugin.to_owned(), kind };
    terminal::complain(&trouble.to_string(), hint.as_deref(), context.color());
}
