//! From a checked job to a plan: the precedence of command line over file, and
//! a finding for everything that is not there.

use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::answers::Passwords;
use super::data_dir::{Given, role_play};
use super::files::Missing;
use super::initiator::initiator;
use super::{
    AnsiblePlan, Approval, AuditPlan, Component, Environment, HandedInventory, JobPlan, Overrides, PluginPlan, Secret,
    Work, ansible, files,
};
use crate::config::{self, AnsibleUse, Config, Finding, Job, JobWork, LOCK_FILE, Lock, Plugin, Restart, did_you_mean};

/// The longest argument that Linux passes on: 32 pages with the closing NUL.
const MAX_ARGUMENT: usize = 128 * 1024 - 1;

impl JobPlan {
    /// Joins a job with the command line and the environment.
    ///
    /// # Errors
    ///
    /// Returns everything that stands against the run, at least one finding.
    /// [`Config::findings`] adds the text that they point into.
    pub fn resolve(
        config: &Config,
        job: &str,
        overrides: &Overrides,
        environment: &Environment,
    ) -> Result<Self, Vec<Finding>> {
        Self::resolve_in(config, job, overrides, environment, false)
    }

    /// The same for a job that runs elsewhere: here there need be no Ansible.
    ///
    /// # Errors
    ///
    /// As [`JobPlan::resolve`].
    pub fn resolve_elsewhere(
        config: &Config,
        job: &str,
        overrides: &Overrides,
        environment: &Environment,
    ) -> Result<Self, Vec<Finding>> {
        Self::resolve_in(config, job, overrides, environment, true)
    }

    fn resolve_in(
        config: &Config,
        job: &str,
        overrides: &Overrides,
        environment: &Environment,
        elsewhere: bool,
    ) -> Result<Self, Vec<Finding>> {
        let Some(job) = config.job(job) else { return Err(vec![unknown_job(config, job)]) };
        let mut resolver = Resolver { elsewhere, ..Resolver::new(config, job, environment) };
        let plan = resolver.plan(overrides);
        match plan {
            Some(plan) if resolver.findings.is_empty() => Ok(plan),
            _ => Err(resolver.findings),
        }
    }
}

impl PluginPlan {
    /// Finds out what a plugin of the file needs: as the job uses it, or where that does not use it, as it stands in the
    /// file. None when the file has no such plugin or no such job.
    ///
    /// # Errors
    /// Returns everything that stands against its use.
    pub fn resolve(
        config: &Config,
        name: &str,
        job: &str,
        environment: &Environment,
    ) -> Option<Result<Self, Vec<Finding>>> {
        let job = config.job(job)?;
        let plugin = job.plugins.iter().chain(&config.plugins).find(|plugin| plugin.name == name)?;
        let mut resolver = Resolver::new(config, job, environment);
        let plan = resolver.plugin(plugin);
        Some(if resolver.findings.is_empty() { Ok(plan) } else { Err(resolver.findings) })
    }
}

pub(super) struct Resolver<'a> {
    pub(super) config: &'a Config,
    pub(super) job: &'a Job,
    pub(super) environment: &'a Environment,
    pub(super) root: PathBuf,
    /// Ansible is not here.
    pub(super) elsewhere: bool,
    /// Ansible is to run in a container.
    pub(super) contained: bool,
    /// Folders that Ansible is told of and a container must have.
    pub(super) needed: Vec<PathBuf>,
    pub(super) findings: Vec<Finding>,
    lock_is_wrong: bool,
    pub(super) warnings: Vec<Finding>,
}

impl<'a> Resolver<'a> {
    fn new(config: &'a Config, job: &'a Job, environment: &'a Environment) -> Self {
        let root = root(config, environment);
        Self {
            config,
            job,
            environment,
            root,
            elsewhere: false,
            contained: false,
            needed: Vec::new(),
            findings: Vec::new(),
            lock_is_wrong: false,
            warnings: Vec::new(),
        }
    }
}

impl Resolver<'_> {
    /// Returns `None` only beside findings.
    fn plan(&mut self, overrides: &Overrides) -> Option<JobPlan> {
        let job = self.job;
        self.check_overrides(overrides);
        self.contained = matches!(self.config.ansible.used, AnsibleUse::Container(_));
        let folder = job.private_data_dir.as_ref().map(|dir| files::absolute(dir, &self.root, self.environment));
        let mut given = folder.as_ref().map(|folder| self.given(folder, overrides)).unwrap_or_default();
        let work = match (&job.private_data_dir, given.work.take()) {
            (None, _) => self.work(),
            (Some(_), work) => work,
        };
        let inventory = self.inventory(overrides, &mut given);
        let plugins: Vec<_> = job.plugins.iter().map(|plugin| self.plugin(plugin)).collect();
        let more_extra_vars = self.more_extra_vars(&overrides.extra_vars);
        let audit = self.audit();
        let work = work?;
        let is_given = job.private_data_dir.is_some();
        let start = if is_given { given.folder.clone() } else { self.root.clone() };
        // Beside runner.toml, where all its runs are; without one, in the private data dir.
        let in_data_dir = is_given && (self.config.is_bare() || overrides.keywords.artifact_dir.is_some());
        let artifacts = if in_data_dir { given.artifacts.clone() } else { self.root.join("artifacts") };
        let used = match self.container(given.container.take(), folder.as_deref(), &start, &artifacts, &work) {
            Some(used) => used,
            None if self.elsewhere => Ok(AnsiblePlan {
                executable: work.program().into(),
                config: "ansible-config".into(),
                on_host_loss: self.config.ansible.on_host_loss,
                container: None,
            }),
            None => ansible::find(self.config, work.program(), &self.root, self.environment),
        };
        let used = used.map_err(|finding| self.findings.push(*finding)).ok();
        self.check_read_folders(&plugins);
        self.check_folders(&plugins, used.as_ref());
        let mut env = given.env;
        env.extend(job.env.clone());
        let mut keep = given.keep;
        keep.job_events |= job.job_events;
        let Passwords { answers, ask, mut vault_ids } = self.passwords();
        // What a program says comes first: the first that fits is typed.
        let answers = given.answers.into_iter().chain(answers).collect();
        vault_ids.extend(overrides.vault_ids.iter().cloned());
        let ssh_key = given.ssh_key.or_else(|| self.ssh_key());

        let either = |mine: &[String], file: &[String]| if mine.is_empty() { file } else { mine }.to_vec();
        let mut plan = JobPlan {
            job: if self.config.is_bare() { work.name() } else { job.name.clone() },
            run_id: overrides.run_id.clone(),
            user: overrides.user.clone(),
            reason: overrides.reason.clone(),
            ticket: overrides.ticket.clone(),
            artifacts,
            root: start,
            audit,
            redact: self.config.redact.clone(),
            ansible: used?,
            work,
            inventory,
            handed: given.handed,
            more_arguments: given.more_arguments,
            limit: overrides.limit.clone().or_else(|| job.limit.clone()),
            tags: either(&overrides.tags, &job.tags),
            skip_tags: either(&overrides.skip_tags, &job.skip_tags),
            forks: overrides.forks.or(job.forks),
            check: overrides.check.unwrap_or(job.check),
            diff: overrides.diff.unwrap_or(job.diff),
            verbosity: overrides.verbosity.unwrap_or(job.verbosity),
            extra_vars: job.extra_vars.clone(),
            more_extra_vars,
            env,
            answers,
            withheld: self.withheld(),
            ask,
            vault_ids,
            ssh_key,
            timeout: overrides.timeout.or(job.timeout).or(given.timeout),
            idle_timeout: job.idle_timeout.or(given.idle_timeout),
            keep,
            stop: job.stop,
            cancel_policies: job.cancel_policies.clone(),
            cancel_when: job.cancel_when.clone(),
            event_handlers: job.event_handlers.clone(),
            status_handlers: job.status_handlers.clone(),
            finished_callbacks: job.finished_callbacks.clone(),
            plugins,
            config_file: (!self.config.is_bare()).then(|| self.environment.cwd.join(self.config.path())),
            initiator: initiator(overrides.user.clone(), self.environment),
            secret_files: self.secret_files(),
            hidden: given.hidden,
            warnings: std::mem::take(&mut self.warnings),
        };
        if !self.elsewhere {
            for unseen in plan.move_inside(&self.needed) {
                let shown = unseen.display();
                let message = format!("the container does not have `{shown}`");
                let finding = Finding::error("not-mounted", Path::new(""), message);
                self.findings.push(finding.help(format!("mount it, such as by `\"{shown}:{shown}:ro\"` in `mounts`")));
            }
        }
        if plan.arguments(Path::new("")).iter().any(|argument| argument.len() > MAX_ARGUMENT) {
            let finding = self.finding("too-large", "extra-vars", "the extra vars are too large for a command line");
            self.findings.push(finding.help("put them into a file and name it in the playbook's `vars_files`"));
        }
        Some(plan)
    }

    fn work(&mut self) -> Option<Work> {
        Some(match &self.job.work {
            // Of a private data dir, which this job does not have.
            JobWork::Args => return None,
            JobWork::Module { name, args, hosts } => {
                Work::Module { name: name.clone(), args: args.clone(), hosts: hosts.clone() }
            }
            JobWork::Role { name, hosts } => {
                let plays = role_play(name, Some(vec![hosts.clone()]), serde_json::Map::new(), true);
                Work::Play { plays, beside: self.root.clone() }
            }
            // Ansible finds these itself, in its collections.
            JobWork::Playbook(name) if files::is_collection_name(name) && !self.root.join(name).exists() => {
                Work::Playbook { path: name.into() }
            }
            JobWork::Playbook(name) => {
                let path = files::absolute(name, &self.root, self.environment);
                if let Some(missing) = files::missing_file(&path, name) {
                    let span = self.config.span_of_job_key(&self.job.name, "playbook");
                    self.findings.push(self.in_file(missing_path("playbook", name, &path, &missing), span));
                }
                Work::Playbook { path }
            }
        })
    }

    /// What was said over what the job says, over what lies in a private data dir.
    fn inventory(&mut self, overrides: &Overrides, lying: &mut Given) -> Vec<OsString> {
        let keyword = overrides.keywords.inventory.as_ref().filter(|keyword| !keyword.is_null());
        if let (Some(keyword), true) = (keyword, overrides.inventory.is_empty()) {
            return self.inventory_keyword(keyword, lying);
        }
        let given = !overrides.inventory.is_empty();
        let (list, folder) = match given {
            true => (&overrides.inventory, &self.environment.cwd),
            false => (&self.job.inventory, &self.root),
        };
        if list.is_empty() {
            return lying.inventory.take().into_iter().map(PathBuf::into_os_string).collect();
        }
        let mut inventory = Vec::new();
        for (index, source) in list.iter().enumerate() {
            // Ansible's own rule: what has a comma is a list of hosts.
            if source.contains(',') {
                inventory.push(source.into());
                continue;
            }
            let path = files::absolute(source, folder, self.environment);
            let named = lying.inventories.join(source);
            if given && !path.exists() && !lying.inventories.as_os_str().is_empty() && named.exists() {
                inventory.push(named.into());
                continue;
            }
            if !path.exists() && !self.is_inside(&path) {
                let missing = Missing::Nothing { near: files::near_file(&path, source) };
                let mut finding = missing_path("inventory", source, &path, &missing);
                if given && self.job.private_data_dir.is_some() {
                    // There `-i` is something else.
                    let help = "`-i` is the inventory here; what ansible-runner calls `-i` is `--ident`";
                    finding = finding.help(help);
                }
                let span = self.config.span_of_job_item(&self.job.name, "inventory", index);
                self.findings.push(if given { finding } else { self.in_file(finding, span) });
            }
            inventory.push(path.into());
        }
        inventory
    }

    /// As ansible-runner takes it: hosts themselves, the name of a file among the inventories, a path, a text, or a list.
    fn inventory_keyword(&mut self, keyword: &Value, lying: &mut Given) -> Vec<OsString> {
        let beside = lying.inventories.clone();
        let hand = |name: &str, text: String| {
            Some(HandedInventory { name: name.to_owned(), text: Secret::new(text), beside: beside.clone() })
        };
        match keyword {
            Value::Array(list) => {
                let words = list.iter().map(|source| source.as_str().unwrap_or_default());
                words
                    .map(|source| match files::absolute(source, &self.environment.cwd, self.environment) {
                        path if !source.contains(',') && path.exists() => path.into(),
                        _ => source.into(),
                    })
                    .collect()
            }
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            Value::String(text) => {
                let is_line = !text.contains('\n');
                let among = lying.inventories.join(text);
                let path = files::absolute(text, &self.environment.cwd, self.environment);
                match () {
                    () if is_line && among.exists() => vec![among.into()],
                    () if is_line && (path.exists() || text.starts_with('/')) => vec![path.into()],
                    // Ansible's own rule: what has a comma is a list of hosts.
                    () if is_line && text.contains(',') => vec![text.into()],
                    () => {
                        lying.handed.inventory = hand("hosts", text.clone());
                        Vec::new()
                    }
                }
            }
            hosts => {
                lying.handed.inventory = hand("hosts.json", hosts.to_string());
                Vec::new()
            }
        }
    }

    fn plugin(&mut self, plugin: &Plugin) -> PluginPlan {
        let component = match &plugin.component {
            config::Component::Path(written) => Component::Path(self.component_file(plugin, written)),
            config::Component::Builtin(name) => Component::Builtin(name.clone()),
        };
        PluginPlan {
            name: plugin.name.clone(),
            component,
            sha256: plugin.sha256.clone(),
            mode: plugin.mode,
            config: Value::Object(plugin.config.clone()),
            on_fault: plugin.on_fault,
            payload: plugin.payload.clone(),
            events: plugin.events.clone(),
            tick: plugin.tick,
            restart: plugin.restart.unwrap_or_else(|| self.usual_restart(&plugin.name)),
            limits: plugin.limits,
            grants: self.grants(plugin),
            approval: self.approval(&plugin.name),
        }
    }

    fn approval(&mut self, plugin: &str) -> Approval {
        if self.config.is_bare() {
            return Approval::NotNeeded;
        }
        match Lock::load(&self.root.join(LOCK_FILE)) {
            Ok(None) => Approval::NotNeeded,
            Ok(Some(mut lock)) => lock.plugins.remove(plugin).map_or(Approval::Missing, Approval::Given),
            Err(findings) => {
                // Once, however many plugins there are.
                self.findings.extend(findings.list.into_iter().filter(|_| !self.lock_is_wrong));
                self.lock_is_wrong = true;
                Approval::Missing
            }
        }
    }

    /// A policy that starts again has forgotten what it counted: it must be wanted.
    fn usual_restart(&self, plugin: &str) -> Restart {
        let usual = Restart::default();
        if self.job.cancel_policies.iter().any(|name| name == plugin) { Restart { max: 0, ..usual } } else { usual }
    }

    fn component_file(&mut self, plugin: &Plugin, written: &str) -> PathBuf {
        let path = files::absolute(written, &self.root, self.environment);
        if let Some(missing) = files::missing_file(&path, written) {
            let message = format!("plugin `{}`: {}", plugin.name, missing.message(written));
            let span = self.config.span_of_plugin_key(&plugin.name, "path");
            let help = missing.near().unwrap_or_else(|| "build the component, or correct the path".to_owned());
            self.findings.push(Finding::error("missing-file", self.config.path(), message).at(span).help(help));
        }
        path
    }

    /// Returns who signs, and looks for the key.
    fn audit(&mut self) -> Option<AuditPlan> {
        let audit = self.config.audit.as_ref()?;
        let plan = super::audit_plan(self.config, self.environment)?;
        if let Some(missing) = files::missing_file(&plan.key, &audit.key) {
            let message = format!("the key that signs: {}", missing.message(&audit.key));
            let help = missing.near().unwrap_or_else(|| format!("make it with `playwarden audit key {}`", audit.key));
            let finding = Finding::error("missing-file", self.config.path(), message);
            self.findings.push(finding.at(Some(audit.place.clone())).help(help));
        }
        Some(plan)
    }

    fn more_extra_vars(&mut self, given: &[String]) -> Vec<OsString> {
        let mut list = Vec::new();
        for vars in given {
            let Some(name) = vars.strip_prefix('@') else {
                list.push(vars.into());
                continue;
            };
            // Ansible starts in the file's folder, the name is meant from here.
            let path = files::absolute(name, &self.environment.cwd, self.environment);
            if let Some(missing) = files::missing_file(&path, name) {
                self.findings.push(missing_path("file of extra vars", name, &path, &missing));
            }
            let mut argument = OsString::from("@");
            argument.push(path);
            list.push(argument);
        }
        list
    }

    fn check_overrides(&mut self, overrides: &Overrides) {
        let mut refuse = |message: String| {
            self.findings.push(Finding::error("bad-argument", Path::new(""), message));
        };
        if let Some(id) = overrides.run_id.as_deref().filter(|id| !crate::is_run_id(id)) {
            refuse(format!(
                "`{id}` cannot be a run id: 1 to 100 letters, digits, `-`, `_` and `.`, starting with a letter or digit"
            ));
        }
        if overrides.forks == Some(0) {
            refuse("forks must be at least 1".to_owned());
        }
        if overrides.verbosity.is_some_and(|verbosity| verbosity > 6) {
            refuse("verbosity must be from 0 to 6".to_owned());
        }
        if overrides.timeout.is_some_and(|timeout| timeout.is_zero()) {
            refuse("timeout must be more than zero".to_owned());
        }
        let tags = !overrides.tags.is_empty() || !overrides.skip_tags.is_empty();
        if tags && matches!(self.job.work, JobWork::Module { .. }) {
            refuse(format!("job `{}` runs a module, which has no tags", self.job.name));
        }
    }

    /// Moves a finding from the command line to a place in the file.
    fn in_file(&self, finding: Finding, span: Option<Range<usize>>) -> Finding {
        Finding { path: self.config.path().to_owned(), ..finding.at(span) }
    }

    fn finding(&self, code: &'static str, key: &str, message: impl Into<String>) -> Finding {
        let span = self.config.span_of_job_key(&self.job.name, key);
        Finding::error(code, self.config.path(), message).at(span)
    }
}

/// Says that a path of the command line leads nowhere.
fn missing_path(what: &str, written: &str, path: &Path, missing: &Missing) -> Finding {
    let message = format!("{what} {}", missing.message(written));
    Finding::error("missing-file", Path::new(""), message).help_if(missing.help(path))
}

fn unknown_job(config: &Config, job: &str) -> Finding {
    let names = config.jobs.iter().map(|job| job.name.as_str());
    let message = format!("there is no job `{job}` in `{}`", config.path().display());
    Finding::error("unknown-job", Path::new(""), message).help_if(did_you_mean(job, names))
}

/// Returns the folder of the file, absolute.
pub(super) fn root(config: &Config, environment: &Environment) -> PathBuf {
    let path = environment.cwd.join(config.path());
    let folder = path.parent().unwrap_or(&path).to_owned();
    // Without symbolic links where possible, so that it stays the same folder
    // however the run was started.
    fs::canonicalize(&folder).unwrap_or(folder)
}
