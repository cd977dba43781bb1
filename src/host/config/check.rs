//! The rules about the file as a whole: names, references, keys that go or do
//! not go together.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::DeTable;

use super::Config;
use super::check_plugin::{check_lists, check_overrides, check_plugin, check_use, finish_plugin, job_plugins};
use super::combine::{CancelWhen, read_cancel_when};
use super::finding::Finding;
use super::job::{Job, JobWork};
use super::locate::Places;
use super::names::check_name;
use super::raw::{self, RawJob, RunnerToml};
use super::raw_plugin::RawPlugin;
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

    raw.plugins.iter().for_each(|plugin| check_plugin(notes, plugin));
    let finished = raw.plugins.iter().filter_map(|plugin| finish_plugin(plugin, plugin.settings.clone()));
    let plugins = finished.collect();
    check_lists(notes, &raw.defaults, &raw.plugins);
    let mut jobs = Vec::new();
    for job in &raw.jobs {
        check_name(notes, "job", &job.name);
        check_lists(notes, job, &raw.plugins);
        check_overrides(notes, job, &raw.plugins);
        let work = check_work(notes, job);
        let cancel_when = read_cancel_when(notes, job);
        jobs.extend(work.map(|work| Job { cancel_when, ..finish_job(job, work, &raw.plugins) }));
    }
    check_use(notes, &raw, &places);
    let (path, text) = (notes.path.to_owned(), Arc::clone(text));
    Some(Config { path, text, places, ansible: raw.ansible, audit: raw.audit, redact: raw.redact, jobs, plugins })
}

pub(super) fn syntax(path: &Path, text: &str, err: &toml::de::Error) -> Finding {
    let word = err.span().and_then(|span| text.get(span));
    match word.filter(|_| err.message() == "duplicate key") {
        Some(word) => Finding::error("duplicate-key", path, format!("`{word}` stands here a second time")),
        None => Finding::error("syntax", path, err.message()),
    }
    .at(err.span())
}

fn check_work(notes: &mut Notes<'_>, job: &RawJob) -> Option<JobWork> {
    let name = job.name.get_ref();
    let present = |key: &'static str| job.keys.get(key).map(|span| (key, span));
    let works: Vec<_> = ["playbook", "module", "role"].into_iter().filter_map(present).collect();
    if let [(first, _), (second, span), ..] = &works[..] {
        let message = format!("job `{name}` has both `{first}` and `{second}`");
        let help = "keep one, or make two jobs".to_owned();
        notes.error_with_help("conflict", span.clone(), message, help);
        return None;
    }
    let work = works.first().map(|(key, span)| (*key, span.clone()));
    let belongs: &[(&str, &[&str], &str)] = &[
        ("args", &["module"], "`args` belongs to a `module`"),
        ("hosts", &["module", "role"], "`hosts` belongs to a `module` or a `role`"),
    ];
    for (key, works, message) in belongs {
        let fits = work.as_ref().is_some_and(|(work, _)| works.contains(work));
        if let Some(span) = job.keys.get(key).filter(|_| !fits) {
            let help = if *key == "hosts" { Some("a playbook names its own; see `limit`".to_owned()) } else { None };
            notes.error_with_help("conflict", span, (*message).to_owned(), help);
        }
    }
    let text = |word: &Option<Spanned<String>>| word.as_ref().map(|word| word.get_ref().clone());
    match work {
        Some(("module", span)) => {
            for key in ["tags", "skip-tags"] {
                if let Some(span) = job.keys.get(key) {
                    notes.error("conflict", span, format!("a module has no tags, so `{key}` cannot choose any"));
                }
            }
            if job.keys.get("hosts").is_none() {
                let message = format!("job `{name}` has a `module` but no `hosts` to run it on");
                let help = "add `hosts = \"PATTERN\"`, such as \"all\"".to_owned();
                notes.error_with_help("missing-key", span, message, help);
            }
            Some(JobWork::Module { name: text(&job.module)?, args: text(&job.args), hosts: text(&job.hosts)? })
        }
        Some(("role", _)) => {
            let hosts = text(&job.hosts).unwrap_or_else(|| "all".to_owned());
            Some(JobWork::Role { name: text(&job.role)?, hosts })
        }
        Some(_) => Some(JobWork::Playbook(text(&job.playbook)?)),
        None if job.keys.get("private-data-dir").is_some() => Some(JobWork::Args),
        None => {
            let message = format!("job `{name}` does not say what to run");
            let help = "add `playbook = \"FILE\"`, `role = \"NAME\"`, or `module` with `hosts`".to_owned();
            notes.error_with_help("missing-key", job.name.span(), message, help);
            None
        }
    }
}

fn finish_job(raw: &RawJob, work: JobWork, plugins: &[RawPlugin]) -> Job {
    let plugins = job_plugins(raw, plugins);
    let raw = raw.clone();
    let names = |list: Vec<Spanned<String>>| list.into_iter().map(Spanned::into_inner).collect();
    let [cancel_policies, event_handlers, status_handlers, finished_callbacks] = raw.lists.map(names);
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
        private_data_dir: raw.private_data_dir.map(Spanned::into_inner),
        forks: raw.forks,
        check: raw.check,
        diff: raw.diff,
        verbosity: raw.verbosity,
        extra_vars: raw.extra_vars,
        env: raw.env,
        passwords: raw.passwords,
        ssh_key: raw.ssh_key,
        vault_ids: raw.vault_ids,
        timeout: raw.timeout,
        idle_timeout: raw.idle_timeout,
        job_events: raw.job_events,
        stop: raw.stop,
        cancel_policies,
        cancel_when: CancelWhen::default(),
        event_handlers,
        status_handlers,
        finished_callbacks,
        plugins,
    }
}

/// Warns of secrets that stand in the file itself, and hides them.
fn find_secrets(notes: &mut Notes<'_>, raw: &RunnerToml, places: &Places) {
    let template = "keep it in an Ansible vault, or look it up: \"{{ lookup('env', 'NAME') }}\"";
    let grant = "name its source in `grants.secrets`, such as `secrets.token = { env = \"NAME\" }`";
    // Tables whose keys are the user's, by their path without the last name.
    let mut tables: Vec<(Vec<&str>, &str, Value, &str)> = Vec::new();
    let defaults = std::iter::once((vec!["defaults"], &raw.defaults));
    let jobs = raw.jobs.iter().map(|job| (vec!["jobs", job.name.get_ref()], job));
    for (base, job) in defaults.chain(jobs) {
        let env: Map<_, _> = job.env.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        for (plugin, over) in &job.overrides {
            let base = [&base[..], &["plugins", plugin.get_ref()]].concat();
            tables.push((base, "config", over.config.clone().into(), grant));
        }
        tables.push((base.clone(), "extra-vars", job.extra_vars.clone().into(), template));
        tables.push((base, "env", env.into(), template));
    }
    for plugin in &raw.plugins {
        tables.push((vec!["plugins", plugin.name.get_ref()], "config", plugin.settings.config.clone().into(), grant));
    }
    for (base, key, table, help) in tables {
        let mut found = Vec::new();
        raw.redact.literals(key, &table, false, &mut found);
        for (path, _) in found {
            let path: Vec<_> = base.iter().copied().chain(path.iter().map(String::as_str)).collect();
            // What is inherited was found in the defaults.
            let Some(span) = places.exact(&path) else { continue };
            notes.hidden.push(span.clone());
            let finding = Finding::warning("literal-secret", notes.path, "secrets should not stand in `runner.toml`");
            notes.list.push(finding.at(span).help(help));
        }
    }
}
