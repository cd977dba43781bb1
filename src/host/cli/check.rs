//! `playwarden check`: everything that can be known before a run, all findings at once.

use playwarden_sandbox::{LoadErrorKind, Severity};

use super::CheckArguments;
use super::context::Context;
use super::exit::Exit;
use super::run::{runtime, sandbox};
use super::terminal;
use crate::ansible::syntax_error;
use crate::config::{Config, Finding, Findings, did_you_mean};
use crate::plan::{JobPlan, Overrides};
use crate::report::{counted, diagnostic};
use crate::run::{Trouble, TroubleKind, prepare};

pub(super) fn check(context: &Context, arguments: &CheckArguments) -> Exit {
    let (findings, fine, exit) = match find(context, arguments) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if arguments.json {
        let json = serde_json::to_string_pretty(&diagnostic::json_findings(&findings, context.cwd()));
        terminal::out(&format!("{}\n", json.unwrap_or_default()));
    } else if findings.list.is_empty() {
        terminal::out(&fine);
    } else {
        terminal::out(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
    }
    exit
}

/// What was found, what is said if that is nothing, and how the command ends.
fn find(context: &Context, arguments: &CheckArguments) -> Result<(Findings, String, Exit), Exit> {
    let (config, mut findings) = match context.config() {
        Ok(checked) => checked,
        Err(findings) => return Ok((findings, String::new(), Exit::Configuration)),
    };
    if let Some(unknown) = arguments.jobs.iter().find(|name| config.job(name).is_none()) {
        let known = config.jobs.iter().map(|job| job.name.as_str());
        let hint = did_you_mean(unknown, known);
        terminal::complain(&no_job(context, &config, unknown), hint.as_deref(), context.color());
        return Err(Exit::Usage);
    }
    let jobs: Vec<&str> = match &arguments.jobs[..] {
        [] => config.jobs.iter().map(|job| job.name.as_str()).collect(),
        named => named.iter().map(String::as_str).collect(),
    };
    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let mut load = false;
    for job in &jobs {
        let plan = match JobPlan::resolve(&config, job, &Overrides::default(), &context.environment) {
            Ok(plan) => plan,
            Err(list) => {
                findings.extend(config.findings(list));
                continue;
            }
        };
        let troubles = match runtime.block_on(prepare(&plan, &sandbox)) {
            Ok(prepared) => prepared.warnings,
            Err(troubles) => troubles,
        };
        load |= troubles.iter().any(|trouble| trouble.kind.is_load());
        findings.extend(trouble_findings(&config, job, &troubles));
        if let Some(text) = syntax_error(&plan) {
            let message = format!("Ansible does not take the playbook of job `{job}`:\n{text}");
            let finding =
                Finding::error("playbook-syntax", config.path(), message).at(config.span_of_job_key(job, "playbook"));
            findings.extend(config.findings(vec![finding]));
        }
    }
    findings.settle();
    let exit = match (findings.has_errors(), load) {
        (false, _) => Exit::Success,
        (true, true) => Exit::PluginLoad,
        (true, false) => Exit::Configuration,
    };
    let file = config.path().file_name().unwrap_or_default().display();
    let fine = format!("{file} is fine: {} checked\n", counted(jobs.len(), "job"));
    Ok((findings, fine, exit))
}

pub(super) fn no_job(context: &Context, config: &Config, wanted: &str) -> String {
    let path = config.path().strip_prefix(context.cwd()).unwrap_or(config.path());
    format!("there is no job `{wanted}` in `{}`", path.display())
}

/// What can be done about a plugin that is not as it was locked.
pub(super) fn lock_hint(plugin: &str) -> String {
    format!("look at it with `playwarden plugin inspect {plugin}`, then `playwarden plugin lock {plugin}`")
}

/// Points troubles with plugins at the words of runner.toml.
pub(super) fn trouble_findings(config: &Config, job: &str, troubles: &[Trouble]) -> Findings {
    let list = troubles.iter().map(|trouble| trouble_finding(config, job, trouble)).collect();
    config.findings(list)
}

fn trouble_finding(config: &Config, job: &str, trouble: &Trouble) -> Finding {
    let plugin = trouble.plugin.as_str();
    let message = trouble.to_string();
    let error = |code| Finding::error(code, config.path(), message.clone());
    match &trouble.kind {
        TroubleKind::Load(err) => {
            let place = match err.kind() {
                LoadErrorKind::Digest { .. } => config.span_of_plugin_key(plugin, "sha256"),
                _ => config.span_of_component(plugin),
            };
            // The path stands in the line that is pointed at.
            error("plugin-load").at(place).help(err.hint())
        }
        TroubleKind::NotBuiltIn => error("no-builtins")
            .at(config.span_of_plugin_key(plugin, "builtin"))
            .help("build it with `cargo xtask setup`, which makes the plugins first"),
        TroubleKind::NotLocked | TroubleKind::Changed { .. } => {
            error("plugin-changed").at(config.span_of_component(plugin)).help(lock_hint(plugin))
        }
        TroubleKind::NoHook { key, offered, .. } => {
            let offered = match &offered[..] {
                [] => "it offers no hook at all; look whether `path` is the right file".to_owned(),
                names => {
                    format!("it offers {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
                }
            };
            error("missing-hook").at(config.span_of_job_plugin(job, key, plugin)).help(offered)
        }
        TroubleKind::NoTick => error("no-tick").at(config.span_of_plugin_key(plugin, "tick")).help("leave `tick` out"),
        TroubleKind::Tickless => Finding::warning("no-tick", config.path(), message)
            .at(config.span_of_plugin(plugin))
            .help("add a `tick`, such as `tick = \"1s\"`"),
        TroubleKind::Config { severity, pointer, .. } => {
            let finding = match severity {
                Severity::Error => error("plugin-config"),
                Severity::Warning => Finding::warning("plugin-config", config.path(), message),
            };
            finding.at(config.span_of_plugin_config(Some(job), plugin, pointer))
        }
        TroubleKind::Fault(fault) => {
            let finding = error("plugin-fault").at(config.span_of_plugin(plugin));
            finding.help_if((!fault.stderr.is_empty()).then(|| fault.stderr.clone()))
        }
    }
}
