//! The rules about the file as a whole: names, references, keys that go or do
//! not go together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::DeTable;

use super::Config;
use super::finding::Finding;
use super::job::{Job, JobWork};
use super::locate::Places;
use super::near::did_you_mean;
use super::plugin::{Component, Grants, Plugin};
use super::raw::{self, RawJob, RunnerToml};
use super::raw_plugin::{RawPlugin, Settings};
use super::secret;
use super::table::Notes;

/// Checks a text. Returns a config even beside errors, where that is possible;
/// such a config must not leave this room.
pub(super) fn check(notes: &mut Notes<'_>, text: &Arc<str>) -> Option<Config> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What was recovered is a guess, and rules about guesses mislead.
        notes.list.extend(errors.iter().map(|err| syntax(notes.path, text, err)));
        return None;
    }
    let places = Places::of(document.get_ref());
    let raw = raw::read(notes, document.get_ref())?;
    find_secrets(notes, &raw, &places);

    let plugins: Vec<_> = raw.plugins.iter().filter_map(|plugin| check_plugin(notes, plugin)).collect();
    let mut used = BTreeSet::new();
    check_policies(notes, &raw.defaults, &raw.plugins, &mut used);
    let mut jobs = Vec::new();
    let mut policy_words = BTreeMap::new();
    for job in &raw.jobs {
        check_name(notes, "job", &job.name);
        check_policies(notes, job, &raw.plugins, &mut used);
        check_overrides(notes, job, &raw.plugins);
        for policy in &job.cancel_policies {
            policy_words.insert((job.name.get_ref().clone(), policy.get_ref().clone()), policy.span());
        }
        let work = check_work(notes, job);
        jobs.extend(work.map(|work| finish_job(job, work, &plugins)));
    }
    for plugin in raw.plugins.iter().filter(|plugin| !used.contains(plugin.name.get_ref().as_str())) {
        let message = format!("no job uses plugin `{}`", plugin.name.get_ref());
        notes.list.push(Finding::warning("unused-plugin", notes.path, message).at(plugin.name.span()));
    }
    let (path, text) = (notes.path.to_owned(), Arc::clone(text));
    Some(Config { path, text, places, policy_words, ansible: raw.ansible, jobs, plugins })
}

fn syntax(path: &Path, text: &str, err: &toml::de::Error) -> Finding {
    let word = err.span().and_then(|span| text.get(span));
    match word.filter(|_| err.message() == "duplicate key") {
        Some(word) => Finding::error("duplicate-key", path, format!("`{word}` stands here a second time")),
        None => Finding::error("syntax", path, err.message()),
    }
    .at(err.span())
}

/// Names become folders of a run.
fn check_name(notes: &mut Notes<'_>, kind: &str, name: &Spanned<String>) {
    let text = name.get_ref();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        let message = format!("`{text}` cannot be the name of a {kind}");
        let help = "1 to 64 letters, digits, `-` and `_`".to_owned();
        notes.error_with_help("bad-name", name.span(), message, help);
    }
}

fn check_plugin(notes: &mut Notes<'_>, raw: &RawPlugin) -> Option<Plugin> {
    check_name(notes, "plugin", &raw.name);
    if !["path", "builtin", "oci"].iter().any(|key| raw.keys.get(key).is_some()) {
        let message = format!("plugin `{}` does not say where its component is", raw.name.get_ref());
        let help = "add `path = \"FILE.wasm\"`".to_owned();
        notes.error_with_help("missing-key", raw.name.span(), message, help);
    }
    let settings = raw.settings.clone();
    Some(Plugin {
        name: raw.name.get_ref().clone(),
        component: Component::Path(raw.path.as_ref()?.get_ref().clone()),
        sha256: raw.sha256.clone(),
        mode: settings.mode.unwrap_or_default(),
        config: settings.config,
        events: raw.events.clone(),
        payload: settings.payload,
        on_fault: settings.on_fault.apply(Default::default()),
        restart: None,
        tick: raw.tick,
        limits: raw.limits,
        grants: Grants::default(),
    })
}

fn check_policies<'r>(notes: &mut Notes<'_>, job: &'r RawJob, plugins: &[RawPlugin], used: &mut BTreeSet<&'r str>) {
    let mut seen = BTreeSet::new();
    for word in &job.cancel_policies {
        used.insert(word.get_ref());
        check_reference(notes, word, plugins);
        if !seen.insert(word.get_ref()) {
            let message = format!("plugin `{}` stands twice in `cancel-policies`", word.get_ref());
            notes.error("repeated-plugin", word.span(), message);
        }
    }
}

fn check_overrides(notes: &mut Notes<'_>, job: &RawJob, plugins: &[RawPlugin]) {
    for (plugin, _) in &job.overrides {
        let used = job.cancel_policies.iter().any(|word| word.get_ref() == plugin.get_ref());
        if check_reference(notes, plugin, plugins) && !used {
            let (job, plugin, span) = (job.name.get_ref(), plugin.get_ref(), plugin.span());
            let message = format!("job `{job}` overrides plugin `{plugin}` but does not use it");
            let help = format!("add `{plugin}` to `cancel-policies` or remove the override");
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

fn check_work(notes: &mut Notes<'_>, job: &RawJob) -> Option<JobWork> {
    let name = job.name.get_ref();
    let [playbook, module] = ["playbook", "module"].map(|key| job.keys.get(key));
    if let (Some(_), Some(module)) = (&playbook, &module) {
        let message = format!("job `{name}` has both `playbook` and `module`");
        let help = "keep one, or make two jobs".to_owned();
        notes.error_with_help("conflict", module.clone(), message, help);
        return None;
    }
    if let Some(module) = module {
        for key in ["tags", "skip-tags"] {
            if let Some(span) = job.keys.get(key) {
                notes.error("conflict", span, format!("a module has no tags, so `{key}` cannot choose any"));
            }
        }
        if job.keys.get("hosts").is_none() {
            let message = format!("job `{name}` has a `module` but no `hosts` to run it on");
            let help = "add `hosts = \"PATTERN\"`, such as \"all\"".to_owned();
            notes.error_with_help("missing-key", module, message, help);
        }
        let args = job.args.as_ref().map(|args| args.get_ref().clone());
        let name = job.module.as_ref()?.get_ref().clone();
        return Some(JobWork::Module { name, args, hosts: job.hosts.as_ref()?.get_ref().clone() });
    }
    let refused = ["role", "private-data-dir"].iter().any(|key| job.keys.get(key).is_some());
    if playbook.is_none() && !refused {
        let message = format!("job `{name}` does not say what to run");
        let help = "add `playbook = \"FILE\"`, or `module` with `hosts`".to_owned();
        notes.error_with_help("missing-key", job.name.span(), message, help);
    }
    for key in ["args", "hosts"] {
        if let Some(span) = job.keys.get(key).filter(|_| !refused) {
            let help = if key == "hosts" { Some("a playbook names its own; see `limit`".to_owned()) } else { None };
            notes.error_with_help("conflict", span, format!("`{key}` belongs to a `module`"), help);
        }
    }
    Some(JobWork::Playbook(job.playbook.as_ref()?.get_ref().clone()))
}

fn finish_job(raw: &RawJob, work: JobWork, plugins: &[Plugin]) -> Job {
    let raw = raw.clone();
    let cancel_policies: Vec<_> = raw.cancel_policies.into_iter().map(Spanned::into_inner).collect();
    let used = cancel_policies.iter().filter_map(|name| plugins.iter().find(|plugin| plugin.name == *name));
    let overridden = |plugin: &Plugin| {
        let over = raw.overrides.iter().find(|(name, _)| *name.get_ref() == plugin.name);
        over.map_or_else(|| plugin.clone(), |(_, settings)| merge(plugin.clone(), settings))
    };
    let plugins = used.map(overridden).collect();
    // Inherited tags are meant for the playbooks among the jobs.
    let is_module = matches!(work, JobWork::Module { .. });
    let tags = |tags: Vec<String>| if is_module { Vec::new() } else { tags };
    Job {
        name: raw.name.into_inner(),
        inventory: raw.inventory,
        limit: raw.limit,
        tags: tags(raw.tags),
        skip_tags: tags(raw.skip_tags),
        work,
        forks: raw.forks,
        check: raw.check,
        diff: raw.diff,
        verbosity: raw.verbosity,
        extra_vars: raw.extra_vars,
        env: raw.env,
        timeout: raw.timeout,
        idle_timeout: raw.idle_timeout,
        stop: raw.stop,
        cancel_policies,
        event_handlers: Vec::new(),
        status_handlers: Vec::new(),
        finished_callbacks: Vec::new(),
        plugins,
    }
}

/// Puts a job's override over a plugin; `config` key by key at the top level.
fn merge(mut plugin: Plugin, over: &Settings) -> Plugin {
    plugin.config.extend(over.config.clone());
    plugin.payload = over.payload.clone().or(plugin.payload);
    plugin.mode = over.mode.unwrap_or(plugin.mode);
    plugin.on_fault = over.on_fault.apply(plugin.on_fault);
    plugin
}

/// Warns of secrets that stand in the file itself.
fn find_secrets(notes: &mut Notes<'_>, raw: &RunnerToml, places: &Places) {
    let defaults = std::iter::once((vec!["defaults"], &raw.defaults));
    let jobs = raw.jobs.iter().map(|job| (vec!["jobs", job.name.get_ref()], job));
    for (base, job) in defaults.chain(jobs) {
        let mut found = Vec::new();
        secret::literals("extra-vars", &Value::Object(job.extra_vars.clone()), false, &mut found);
        let env: Map<_, _> = job.env.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        secret::literals("env", &Value::Object(env), false, &mut found);
        for (path, _) in found {
            let path: Vec<_> = base.iter().copied().chain(path.iter().map(String::as_str)).collect();
            // What is inherited was found in the defaults.
            let Some(span) = places.exact(&path) else { continue };
            notes.list.push(
                Finding::warning("literal-secret", notes.path, "secrets should not stand in `runner.toml`")
                    .at(span)
                    .help("keep it in an Ansible vault, or look it up: \"{{ lookup('env', 'NAME') }}\"".to_owned()),
            );
        }
    }
}

/// Returns the text with the values of literal secrets overwritten, so that no
/// finding prints one; all positions stay.
pub(super) fn mask(text: &str, findings: &[Finding]) -> String {
    let spans: Vec<Range<usize>> = findings
        .iter()
        .filter(|finding| finding.code == "literal-secret")
        .filter_map(|finding| finding.span.clone())
        .collect();
    let mut masked = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let hidden = letter != '\n' && letter != '"' && spans.iter().any(|span| span.contains(&at));
        if hidden { (0..letter.len_utf8()).for_each(|_| masked.push('*')) } else { masked.push(letter) }
    }
    masked
}
