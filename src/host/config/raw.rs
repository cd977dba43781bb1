//! The document's shape: each key's type, range and words, and nothing that
//! takes two keys to tell.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::job::{Ansible, AnsibleUse, Audit, Container, Engine, HOOK_LISTS, OnHostLoss, Stop, Survivors};
use super::names::check_variable;
use super::near::near;
use super::plugin::SecretSource;
use super::raw_grants::read_secret;
use super::raw_passwords::read_passwords;
use super::raw_plugin::{RawPlugin, Settings, read_plugin, read_settings};
use super::raw_redact::read_redact;
use super::table::{Keys, Notes, TOP, Table, set, string, table};
use crate::redact::Rules;

/// The file as written.
#[derive(Debug)]
pub(super) struct RunnerToml {
    pub(super) ansible: Ansible,
    pub(super) audit: Option<Audit>,
    pub(super) redact: Rules,
    /// `[defaults]`, as a job without a name.
    pub(super) defaults: RawJob,
    pub(super) jobs: Vec<RawJob>,
    pub(super) plugins: Vec<RawPlugin>,
}

/// A job as written, over the defaults.
#[derive(Clone, Debug)]
pub(super) struct RawJob {
    pub(super) name: Spanned<String>,
    /// The keys of the job itself; what is inherited is not among them.
    pub(super) keys: Keys,
    pub(super) playbook: Option<Spanned<String>>,
    pub(super) module: Option<Spanned<String>>,
    pub(super) role: Option<Spanned<String>>,
    pub(super) private_data_dir: Option<Spanned<String>>,
    pub(super) args: Option<Spanned<String>>,
    pub(super) hosts: Option<Spanned<String>>,
    pub(super) inventory: Vec<String>,
    pub(super) limit: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) skip_tags: Vec<String>,
    pub(super) forks: Option<u32>,
    pub(super) check: bool,
    pub(super) diff: bool,
    pub(super) verbosity: u8,
    pub(super) extra_vars: Map<String, Json>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) passwords: Vec<(String, SecretSource)>,
    pub(super) ssh_key: Option<SecretSource>,
    pub(super) vault_ids: Vec<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) job_events: bool,
    pub(super) stop: Stop,
    /// In the order of [`HOOK_LISTS`].
    pub(super) lists: [Vec<Spanned<String>>; 4],
    pub(super) cancel_when: Option<Spanned<String>>,
    pub(super) overrides: Vec<(Spanned<String>, Settings)>,
}

impl Default for RawJob {
    fn default() -> Self {
        Self {
            name: Spanned::new(0..0, String::new()),
            keys: Keys::default(),
            playbook: None,
            module: None,
            role: None,
            private_data_dir: None,
            args: None,
            hosts: None,
            inventory: Vec::new(),
            limit: None,
            tags: Vec::new(),
            skip_tags: Vec::new(),
            forks: None,
            check: false,
            diff: false,
            verbosity: 0,
            extra_vars: Map::new(),
            env: BTreeMap::new(),
            passwords: Vec::new(),
            ssh_key: None,
            vault_ids: Vec::new(),
            timeout: None,
            idle_timeout: None,
            job_events: false,
            stop: Stop::default(),
            lists: Default::default(),
            cancel_when: None,
            overrides: Vec::new(),
        }
    }
}

impl RawJob {
    /// Returns whether the job uses a plugin for anything.
    pub(super) fn uses(&self, plugin: &str) -> bool {
        self.lists.iter().flatten().any(|word| word.get_ref() == plugin)
    }

    /// Returns whether a plugin is a cancel policy of the job.
    pub(super) fn judges(&self, plugin: &str) -> bool {
        self.cancel_policies().iter().any(|word| word.get_ref() == plugin)
    }

    /// Returns the names of the job's cancel policies.
    pub(super) fn cancel_policies(&self) -> &[Spanned<String>] {
        &self.lists[0]
    }
}

/// Reads a document; `None` if it follows another schema, so that nothing more
/// can be said about it.
pub(super) fn read(notes: &mut Notes<'_>, document: &DeTable<'_>) -> Option<RunnerToml> {
    let mut top = Table::new(TOP, 0..0, document);
    schema_version(notes, &mut top)?;

    let ansible = top.table(notes, "ansible").map(|table| read_ansible(notes, table)).unwrap_or_default();
    let audit = top.table(notes, "audit").and_then(|table| read_audit(notes, table));
    let redact = top.table(notes, "redact").map(|table| read_redact(notes, table)).unwrap_or_default();
    let defaults = top.table(notes, "defaults").map(|table| read_defaults(notes, table)).unwrap_or_default();
    let mut plugins = Vec::new();
    for (name, value) in top.named(notes, "plugins") {
        let what = format!("plugin `{}`", name.get_ref());
        if let Some(table) = table(notes, &format!("plugins.{}", name.get_ref()), what, name.span(), value) {
            plugins.push(read_plugin(notes, name, table));
        }
    }
    let mut jobs = Vec::new();
    for (name, value) in top.named(notes, "jobs") {
        let what = format!("job `{}`", name.get_ref());
        if let Some(mut table) = table(notes, &format!("jobs.{}", name.get_ref()), what, name.span(), value) {
            let mut job = RawJob { name, ..defaults.clone() };
            read_work(notes, &mut table, &mut job);
            read_job(notes, table, &mut job);
            jobs.push(job);
        }
    }
    top.not_offered(notes, &["workflows"], "run the jobs by name, in order: `playwarden run A B`");
    top.finish(notes);
    Some(RunnerToml { ansible, audit, redact, defaults, jobs, plugins })
}

fn schema_version(notes: &mut Notes<'_>, top: &mut Table<'_>) -> Option<()> {
    let key = "schema-version";
    let Some((span, value)) = top.take(key) else {
        let finding = super::Finding::error("missing-key", notes.path, format!("`{key}` is missing"));
        notes.list.push(finding.help(format!("write `{key} = 1` as the first line")));
        return Some(());
    };
    let Some(number) = value.get_ref().as_integer() else {
        notes.wrong_type(key, "the integer 1", value);
        return Some(());
    };
    if number.to_string() == "1" {
        return Some(());
    }
    let message = format!("this version reads schema version 1, not {number}");
    let help = "use a playwarden that is made for this file, or change it".to_owned();
    notes.error_with_help("schema-version", span.start..value.span().end, message, help);
    None
}

fn read_ansible(notes: &mut Notes<'_>, mut table: Table<'_>) -> Ansible {
    let used = read_use(notes, &mut table);
    let on_host_loss = table.word(notes, "on-host-loss", &OnHostLoss::WORDS, &[]);
    table.finish(notes);
    Ansible { used: used.unwrap_or_default(), on_host_loss: on_host_loss.unwrap_or_default() }
}

/// What `use` may say in this version.
const OFFERED: &str = "write \"path\", \"private\", { venv = \"DIR\" } or { container = \"IMAGE\" }";

fn read_use(notes: &mut Notes<'_>, table: &mut Table<'_>) -> Option<AnsibleUse> {
    let (span, value) = table.take("use")?;
    match value.get_ref() {
        DeValue::String(word) if word == "path" => Some(AnsibleUse::Path),
        DeValue::String(word) if word == "private" => Some(AnsibleUse::Private),
        DeValue::String(word) => {
            let help =
                near(word, ["path", "private"]).map_or(OFFERED.to_owned(), |meant| format!("did you mean `{meant}`?"));
            notes.error_with_help("unknown-word", value.span(), format!("`{word}` is not a value of `use`"), help);
            None
        }
        DeValue::Table(shape) => {
            let mut shape = Table::new("`use`", span, shape);
            let keys = shape.keys();
            let venv = shape.string(notes, "venv");
            let image = shape.string(notes, "container");
            let container = read_container(notes, &mut shape);
            let beside = ["engine", "mounts"].into_iter().find_map(|key| Some((key, keys.get(key)?)));
            let used = match (image, venv) {
                (Some(image), Some(_)) => {
                    let help = "leave one of them out".to_owned();
                    notes.error_with_help("conflict", image.span(), "`use` has `venv` and `container`", help);
                    None
                }
                (Some(image), None) if image.get_ref().starts_with('-') => {
                    notes.error("bad-value", image.span(), format!("`{}` is no name of an image", image.get_ref()));
                    None
                }
                (Some(image), None) => container
                    .map(|container| AnsibleUse::Container(Container { image: image.into_inner(), ..container })),
                (None, venv) => {
                    let is_named = keys.get("container").is_some();
                    if let (Some((key, span)), false) = (beside, is_named) {
                        let message = format!("`{key}` belongs to a `container`, and none is named");
                        notes.error("conflict", span.clone(), message);
                    } else if keys.get("venv").is_none() && !is_named {
                        notes.error("missing-key", shape.span.clone(), "`use` does not say what to use");
                    }
                    venv.map(|venv| AnsibleUse::Venv(venv.into_inner()))
                }
            };
            shape.finish(notes);
            used
        }
        _ => {
            notes.wrong_type("use", &OFFERED["write ".len()..], value);
            None
        }
    }
}

/// Reads what stands beside an image.
fn read_container(notes: &mut Notes<'_>, shape: &mut Table<'_>) -> Option<Container> {
    let engine = shape.word(notes, "engine", &Engine::WORDS, &[]).unwrap_or_default();
    let mounts = shape.strings(notes, "mounts", false).unwrap_or_default();
    let mut sound = true;
    for mount in &mounts {
        let mut parts = mount.get_ref().splitn(3, ':');
        if parts.next().is_none_or(str::is_empty) || parts.next().is_none_or(|target| !target.starts_with('/')) {
            let message = format!("`{}` does not say what is mounted where", mount.get_ref());
            let help = "write \"SOURCE:/TARGET\", or \"SOURCE:/TARGET:ro\"".to_owned();
            notes.error_with_help("bad-value", mount.span(), message, help);
            sound = false;
        }
    }
    let mounts = mounts.into_iter().map(Spanned::into_inner).collect();
    sound.then(|| Container { image: String::new(), engine, mounts })
}

fn read_audit(notes: &mut Notes<'_>, mut table: Table<'_>) -> Option<Audit> {
    if table.keys().get("key").is_none() {
        notes.error("missing-key", table.span.clone(), "`[audit]` does not say which `key` signs");
    }
    let key = table.string(notes, "key");
    let origin = table.string(notes, "origin");
    if let Some(origin) =
        origin.as_ref().filter(|origin| origin.get_ref().contains(|c: char| c.is_whitespace() || c == '+'))
    {
        let message = format!("`{}` is no name of a log: it has a blank or a `+`", origin.get_ref());
        notes.error_with_help("bad-value", origin.span(), message, "such as \"example.org/deploys\"".to_owned());
    }
    table.finish(notes);
    let key = key?;
    Some(Audit { place: key.span(), key: key.into_inner(), origin: origin.map(Spanned::into_inner) })
}

fn read_defaults(notes: &mut Notes<'_>, mut table: Table<'_>) -> RawJob {
    for key in ["playbook", "module", "role", "private-data-dir", "args", "hosts", "plugins"] {
        if let Some((span, _)) = table.take(key) {
            let help = if key == "plugins" { "set it in `[plugins]`" } else { "set it in each job" };
            notes.error_with_help("not-a-default", span, format!("`{key}` cannot be a default"), help.to_owned());
        }
    }
    let mut job = RawJob::default();
    read_job(notes, table, &mut job);
    job
}

/// Reads what only a job itself can say.
fn read_work(notes: &mut Notes<'_>, table: &mut Table<'_>, job: &mut RawJob) {
    job.playbook = table.string(notes, "playbook");
    job.module = table.string(notes, "module");
    job.args = table.string(notes, "args");
    job.hosts = table.string(notes, "hosts");
    job.role = table.string(notes, "role");
    job.private_data_dir = table.string(notes, "private-data-dir");
    for (name, value) in table.named(notes, "plugins") {
        let what = format!("the override of plugin `{}`", name.get_ref());
        if let Some(mut table) = self::table(notes, "plugins", what, name.span(), value) {
            let settings = read_settings(notes, &mut table);
            table.finish(notes);
            job.overrides.push((name, settings));
        }
    }
}

/// Reads a job's keys over those that it inherits.
fn read_job(notes: &mut Notes<'_>, mut table: Table<'_>, job: &mut RawJob) {
    job.keys = table.keys();
    let plain = |words: Vec<Spanned<String>>| words.into_iter().map(Spanned::into_inner).collect();
    set(&mut job.inventory, table.strings(notes, "inventory", true).map(plain));
    job.limit = table.string(notes, "limit").map(Spanned::into_inner).or(job.limit.take());
    set(&mut job.tags, table.strings(notes, "tags", false).map(plain));
    set(&mut job.skip_tags, table.strings(notes, "skip-tags", false).map(plain));
    job.forks = table.integer(notes, "forks", (1, u32::MAX)).or(job.forks);
    set(&mut job.check, table.boolean(notes, "check"));
    set(&mut job.diff, table.boolean(notes, "diff"));
    set(&mut job.verbosity, table.integer(notes, "verbosity", (0, 6)).and_then(|v| v.try_into().ok()));
    job.extra_vars.extend(table.json(notes, "extra-vars").unwrap_or_default());
    for (name, value) in table.named(notes, "env") {
        check_variable(notes, &name);
        if let Some(value) = string(notes, &format!("env.{}", name.get_ref()), value) {
            job.env.insert(name.into_inner(), value.into_inner());
        }
    }
    let passwords = read_passwords(notes, &mut table);
    job.passwords.retain(|(inherited, _)| passwords.iter().all(|(own, _)| own != inherited));
    job.passwords.splice(..0, passwords);
    if let Some((span, value)) = table.take("ssh-key") {
        job.ssh_key = read_secret(notes, &Spanned::new(span, "ssh-key".to_owned()), value).or(job.ssh_key.take());
    }
    set(&mut job.vault_ids, table.strings(notes, "vault-ids", false).map(plain));
    job.timeout = table.duration(notes, "timeout").or(job.timeout);
    job.idle_timeout = table.duration(notes, "idle-timeout").or(job.idle_timeout);
    set(&mut job.job_events, table.boolean(notes, "job-events"));
    if let Some(mut stop) = table.table(notes, "stop") {
        set(&mut job.stop.interrupt, stop.duration(notes, "interrupt"));
        set(&mut job.stop.terminate, stop.duration(notes, "terminate"));
        set(&mut job.stop.survivors, stop.word(notes, "survivors", &Survivors::WORDS, &[]));
        stop.finish(notes);
    }
    for ((_, key), list) in HOOK_LISTS.iter().zip(&mut job.lists) {
        set(list, table.strings(notes, key, false));
    }
    job.cancel_when = table.string(notes, "cancel-when").or(job.cancel_when.take());
    table.finish(notes);
}
