//! The text of `runner.toml`, checked.
//!
//! [`Config::parse`] runs in two steps: `raw` reads the document's shape,
//! `check` applies the rules about the file as a whole. Both note everything
//! that is wrong and go on, so one look at the findings is enough.
//!
//! **Invariant:** nothing here looks at the environment, the clock or any other
//! file. Paths stand as written; [`crate::plan`] finds out what they mean.

mod case;
mod check;
mod check_plugin;
mod combine;
mod explain;
mod finding;
mod job;
mod locate;
mod lock;
mod names;
mod near;
mod plugin;
mod prompt;
mod raw;
mod raw_grants;
mod raw_passwords;
mod raw_plugin;
mod raw_redact;
mod secret;
mod table;
pub(crate) mod units;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::case::{CASE_FILE, Case};
pub use self::combine::{CancelWhen, Node};
pub use self::explain::{CODES, explain};
pub use self::finding::{Finding, Findings, Severity};
pub use self::job::{
    Ansible, AnsibleUse, Audit, Container, Engine, HOOK_LISTS, Job, JobWork, OnHostLoss, Stop, Survivors,
};
pub use self::lock::{LOCK_FILE, Lock, Locked};
pub use self::near::{did_you_mean, near};
pub use self::plugin::{
    BUILTINS, Component, FaultAction, Grants, Limits, MAX_EVENT, Mode, OnFault, Payload, Plugin, Restart, SecretSource,
};
pub use self::prompt::Prompt;
pub(crate) use self::prompt::compile as compile_prompt;
pub use self::units::{parse_duration, parse_size, show_duration};
pub use crate::redact::Rules;
pub use playwarden_event::Origin;

/// The name of the file that says what to run.
pub const FILE_NAME: &str = "runner.toml";

/// The JSON Schema (draft 2020-12) of that file, for editors: what can be said
/// of each key alone. Only [`Config::parse`] knows which keys go together.
pub const SCHEMA: &str = include_str!("config/schema.json");

/// A checked `runner.toml`: defaults merged, every reference resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    path: PathBuf,
    /// For pointing into only: literal secrets are overwritten.
    text: Arc<str>,
    places: locate::Places,
    /// How Ansible is started.
    pub ansible: Ansible,
    /// Who signs what the runs leave; none when nobody does.
    pub audit: Option<Audit>,
    /// What is masked besides what is known to be secret.
    pub redact: Rules,
    /// In the order of the file.
    pub jobs: Vec<Job>,
    /// In the order of the file, without any job's overrides.
    pub plugins: Vec<Plugin>,
}

impl Config {
    /// Reads and checks a file. What comes beside a config are only warnings.
    ///
    /// # Errors
    ///
    /// Returns all findings if one of them is an error, among them that the
    /// file is missing, unreadable or not UTF-8.
    pub fn load(path: &Path) -> Result<(Self, Findings), Findings> {
        Self::parse(path, &read_text(path)?)
    }

    /// Checks a text. The path is only named in findings and asked for by plan.
    ///
    /// # Errors
    ///
    /// Returns all findings if one of them is an error.
    pub fn parse(path: &Path, text: &str) -> Result<(Self, Findings), Findings> {
        let text: Arc<str> = text.into();
        let mut notes = table::Notes { path, list: Vec::new(), hidden: Vec::new() };
        let config = check::check(&mut notes, &text);
        let masked = secret::mask(&text, &notes.hidden).into();
        let mut findings = Findings::new(notes.list);
        findings.add_source(path, Arc::clone(&masked));
        findings.settle();
        let config = config.map(|config| Self { text: masked, ..config });
        match config {
            Some(config) if !findings.has_errors() => Ok((config, findings)),
            _ => Err(findings),
        }
    }

    /// The name of the job that there is without a runner.toml.
    pub const BARE_JOB: &str = "";

    /// Returns what there is without a runner.toml: one job, without a name, for a private data dir. Absolute.
    #[must_use]
    pub fn bare(private_data_dir: &Path) -> Self {
        let path = private_data_dir.join(FILE_NAME);
        let text = "schema-version = 1\n[jobs.bare]\nprivate-data-dir = \".\"\n";
        let (mut config, _) = Self::parse(&path, text).expect("the text should be a valid runner.toml");
        for job in &mut config.jobs {
            job.name.clear();
            job.private_data_dir = Some(private_data_dir.display().to_string());
        }
        Self { text: "".into(), places: locate::Places::default(), ..config }
    }

    /// Returns whether there is no file.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the path of the file, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts later findings together with the text that they point into.
    pub fn findings(&self, list: Vec<Finding>) -> Findings {
        let mut findings = Findings::new(list);
        findings.add_source(&self.path, Arc::clone(&self.text));
        findings
    }

    /// Returns the job of this name.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// Returns the plugin of this name, without any job's overrides.
    pub fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.name == name)
    }

    /// Returns where a job is named.
    pub fn span_of_job(&self, job: &str) -> Option<Range<usize>> {
        self.places.nearest(&["jobs", job])
    }

    /// Returns the value of a job's key, else where `[defaults]` sets it, else
    /// the job.
    pub fn span_of_job_key(&self, job: &str, key: &str) -> Option<Range<usize>> {
        self.places
            .exact(&["jobs", job, key])
            .or_else(|| self.places.exact(&["defaults", key]))
            .or_else(|| self.span_of_job(job))
    }

    /// Returns one value of a list that a job or `[defaults]` sets, else what
    /// [`span_of_job_key`](Self::span_of_job_key) returns.
    pub fn span_of_job_item(&self, job: &str, key: &str, index: usize) -> Option<Range<usize>> {
        let (own, index) = (self.places.exact(&["jobs", job, key]).is_some(), index.to_string());
        let path: &[&str] = if own { &["jobs", job, key, &index] } else { &["defaults", key, &index] };
        self.places.exact(path).or_else(|| self.span_of_job_key(job, key))
    }

    /// Returns an entry of a table that a job or `[defaults]` sets, else what
    /// [`span_of_job_key`](Self::span_of_job_key) returns.
    pub fn span_of_job_entry(&self, job: &str, key: &str, entry: &[&str]) -> Option<Range<usize>> {
        let own = self.places.exact(&[&["jobs", job, key], entry].concat());
        let inherited = || self.places.exact(&[&["defaults", key], entry].concat());
        own.or_else(inherited).or_else(|| self.span_of_job_key(job, key))
    }

    /// Returns where the file says which Ansible to use, if it does.
    pub fn span_of_ansible_use(&self) -> Option<Range<usize>> {
        self.places.nearest(&["ansible", "use", "venv"])
    }

    /// Returns where a plugin is named.
    pub fn span_of_plugin(&self, plugin: &str) -> Option<Range<usize>> {
        self.places.nearest(&["plugins", plugin])
    }

    /// Returns where a plugin says where its component is, else the plugin.
    pub fn span_of_component(&self, plugin: &str) -> Option<Range<usize>> {
        let place = ["path", "builtin"].iter().find_map(|key| self.places.exact(&["plugins", plugin, key]));
        place.or_else(|| self.span_of_plugin(plugin))
    }

    /// Returns the value of a plugin's key, else the plugin.
    pub fn span_of_plugin_key(&self, plugin: &str, key: &str) -> Option<Range<usize>> {
        self.places.nearest(&["plugins", plugin, key])
    }

    /// Returns the word by which a job chooses a plugin in a list, which may be
    /// inherited; else the job. The list is named by its key, as in [`HOOK_LISTS`].
    pub fn span_of_job_plugin(&self, job: &str, list: &str, plugin: &str) -> Option<Range<usize>> {
        let index = self.job(job).and_then(|job| job.list(list).iter().position(|name| name == plugin));
        index.map_or_else(|| self.span_of_job(job), |index| self.span_of_job_item(job, list, index))
    }

    /// Returns a value below a plugin's `grants`: in the job's override if that
    /// sets it, else in the plugin's own, else the closest thing around it.
    pub fn span_of_grant(&self, job: &str, plugin: &str, path: &[&str]) -> Option<Range<usize>> {
        let own = [&["jobs", job, "plugins", plugin, "grants"], path].concat();
        self.places.exact(&own).or_else(|| self.places.nearest(&[&["plugins", plugin, "grants"], path].concat()))
    }

    /// Returns what a JSON pointer into a plugin's configuration stands for:
    /// in the job's override if that sets the key, else in the plugin's own,
    /// else the closest thing around it.
    pub fn span_of_plugin_config(&self, job: Option<&str>, plugin: &str, json_pointer: &str) -> Option<Range<usize>> {
        let names = locate::pointer_names(json_pointer).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if let Some(job) = job {
            let base = ["jobs", job, "plugins", plugin, "config"];
            // Overrides are merged at the top level, so its first name decides.
            let decisive: Vec<_> = base.iter().chain(names.first()).copied().collect();
            if self.places.exact(&decisive).is_some() {
                let path: Vec<_> = base.iter().chain(&names).copied().collect();
                return self.places.nearest_pair(&path);
            }
        }
        let base = ["plugins", plugin, "config"];
        let path: Vec<_> = base.iter().chain(&names).copied().collect();
        self.places.nearest_pair(&path)
    }
}

/// Looks for [`FILE_NAME`] in a folder and all above it, as cargo does.
pub fn find_upward(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file())
}

/// Reads a file that must be text.
fn read_text(path: &Path) -> Result<String, Findings> {
    let bytes = fs::read(path).map_err(|err| unreadable(path, &err))?;
    String::from_utf8(bytes).map_err(|err| {
        let valid = err.utf8_error().valid_up_to();
        let line = err.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let message = format!("`{}` is not UTF-8 text", path.display());
        let finding = Finding::error("not-utf-8", path, message);
        Findings::new(vec![finding.help(format!("the first bad byte is in line {line}"))])
    })
}

fn unreadable(path: &Path, err: &io::Error) -> Findings {
    let shown = path.display();
    let (code, message) = match err.kind() {
        io::ErrorKind::NotFound => ("missing-file", format!("`{shown}` does not exist")),
        io::ErrorKind::IsADirectory => ("unreadable-file", format!("`{shown}` is a folder")),
        _ => ("unreadable-file", format!("`{shown}` cannot be read: {err}")),
    };
    Findings::new(vec![Finding::error(code, path, message).help("`--file` names a readable runner.toml")])
}

#[cfg(test)]
mod tests;
