//! The rules about plugins: where each comes from, and which jobs use it for
//! what.

use std::collections::BTreeSet;

use playwarden_event::EventPattern;
use toml::Spanned;

use super::finding::Finding;
use super::job::HOOK_LISTS;
use super::locate::Places;
use super::names::check_name;
use super::near::did_you_mean;
use super::plugin::{BUILTINS, Component, Plugin};
use super::raw::{RawJob, RunnerToml};
use super::raw_plugin::{RawPlugin, Settings};
use super::table::Notes;

pub(super) fn check_plugin(notes: &mut Notes<'_>, raw: &RawPlugin) {
    check_name(notes, "plugin", &raw.name);
    let origins: Vec<_> =
        ["builtin", "path", "oci"].into_iter().filter_map(|key| Some((key, raw.keys.get(key)?))).collect();
    match &origins[..] {
        [] => {
            let message = format!("plugin `{}` does not say where its component is", raw.name.get_ref());
            let help = "add `path = \"FILE.wasm\"` or `builtin = \"NAME\"`".to_owned();
            notes.error_with_help("missing-key", raw.name.span(), message, help);
        }
        [_] => {}
        [(first, _), others @ ..] => {
            for (other, span) in others {
                let message = format!("plugin `{}` has both `{first}` and `{other}`", raw.name.get_ref());
                let help = "keep one, or make two plugins".to_owned();
                notes.error_with_help("conflict", span.clone(), message, help);
            }
        }
    }
    if let Some(name) = raw.builtin.as_ref().filter(|name| !BUILTINS.contains(&name.get_ref().as_str())) {
        let message = format!("there is no built-in plugin `{}`", name.get_ref());
        let help = did_you_mean(name.get_ref(), BUILTINS.iter().copied());
        notes.error_with_help("unknown-builtin", name.span(), message, help);
    }
}

/// Completes a plugin with what was left out; `None` only beside findings.
pub(super) fn finish_plugin(raw: &RawPlugin, settings: Settings) -> Option<Plugin> {
    let path = raw.path.as_ref().map(|path| Component::Path(path.get_ref().clone()));
    let builtin = raw.builtin.as_ref().map(|name| Component::Builtin(name.get_ref().clone()));
    Some(Plugin {
        name: raw.name.get_ref().clone(),
        component: path.or(builtin)?,
        sha256: raw.sha256.clone(),
        mode: settings.mode.unwrap_or_default(),
        config: settings.config,
        events: settings.events.unwrap_or_else(|| vec![EventPattern::all()]),
        payload: settings.payload,
        on_fault: settings.on_fault.finish(),
        restart: settings.restart.finish(),
        tick: settings.tick,
        limits: settings.limits.finish(),
        grants: settings.grants.finish(),
    })
}

/// Every plugin that a job uses, once, with the job's overrides.
pub(super) fn job_plugins(job: &RawJob, plugins: &[RawPlugin]) -> Vec<Plugin> {
    let mut names = BTreeSet::new();
    let used = job.lists.iter().flatten().map(Spanned::get_ref).filter(|name| names.insert(name.as_str()));
    used.filter_map(|name| {
        let plugin = plugins.iter().find(|plugin| plugin.name.get_ref() == name)?;
        let overrides = job.overrides.iter().filter(|(over, _)| over.get_ref() == name);
        finish_plugin(plugin, overrides.fold(plugin.settings.clone(), |own, (_, over)| own.with(over)))
    })
    .collect()
}

pub(super) fn check_lists(notes: &mut Notes<'_>, job: &RawJob, plugins: &[RawPlugin]) {
    for ((_, key), list) in HOOK_LISTS.iter().zip(&job.lists) {
        let mut seen = BTreeSet::new();
        for word in list {
            check_reference(notes, word, plugins);
            if !seen.insert(word.get_ref()) {
                let message = format!("plugin `{}` stands twice in `{key}`", word.get_ref());
                notes.error("repeated-plugin", word.span(), message);
            }
        }
    }
}

pub(super) fn check_overrides(notes: &mut Notes<'_>, job: &RawJob, plugins: &[RawPlugin]) {
    for (plugin, _) in &job.overrides {
        if check_reference(notes, plugin, plugins) && !job.uses(plugin.get_ref()) {
            let (job, plugin, span) = (job.name.get_ref(), plugin.get_ref(), plugin.span());
            let message = format!("job `{job}` overrides plugin `{plugin}` but does not use it");
            let help = format!("add `{plugin}` to a list such as `cancel-policies`, or remove the override");
            notes.error_with_help("unused-override", span, message, help);
        }
    }
}

fn check_reference(notes: &mut Notes<'_>, word: &Spanned<String>, plugins: &[RawPlugin]) -> bool {
    let names = plugins.iter().map(|plugin| plugin.name.get_ref().as_str());
    let known = names.clone().any(|name| name == word.get_ref());
    if !known {
        let message = format!("there is no plugin `{}`", word.get_ref());
        let help = did_you_mean(word.get_ref(), names)
            .unwrap_or_else(|| format!("describe it in `[plugins.{}]`", word.get_ref()));
        notes.error_with_help("unknown-plugin", word.span(), message, help);
    }
    known
}

/// Warns of plugins that nobody uses, and of keys that only mean something for
/// a policy where there is none.
pub(super) fn check_use(notes: &mut Notes<'_>, raw: &RunnerToml, places: &Places) {
    for plugin in &raw.plugins {
        let name = plugin.name.get_ref().as_str();
        let all = || raw.jobs.iter().chain([&raw.defaults]);
        if !all().any(|job| job.uses(name)) {
            let message = format!("no job uses plugin `{name}`");
            notes.list.push(Finding::warning("unused-plugin", notes.path, message).at(plugin.name.span()));
        } else if !all().any(|job| job.judges(name)) {
            check_policy_keys(notes, places, &["plugins", name], "no job has it");
        }
    }
    for job in &raw.jobs {
        for (plugin, _) in &job.overrides {
            let (job_name, name) = (job.name.get_ref().as_str(), plugin.get_ref().as_str());
            if job.uses(name) && !job.judges(name) {
                check_policy_keys(notes, places, &["jobs", job_name, "plugins", name], "this job does not have it");
            }
        }
    }
}

fn check_policy_keys(notes: &mut Notes<'_>, places: &Places, table: &[&str], why: &str) {
    for key in ["mode", "tick"] {
        if let Some(span) = places.exact(&[table, &[key]].concat()) {
            let name = table.last().copied().unwrap_or_default();
            let message = format!("`{key}` of plugin `{name}` has no effect: {why} among its `cancel-policies`");
            let help = "only policies have it; remove it, or make the plugin a policy";
            notes.list.push(Finding::warning("unused-key", notes.path, message).at(span).help(help));
        }
    }
}
