//! Ansible's other programs: what there is in an inventory, what a plugin's documentation says, what is configured.
//!
//! They are asked, and say something; nothing runs on a host. What they print is theirs, in the form that was asked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::plan::JobPlan;

/// Where the programs are, and what they see.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The folder of Ansible's programs.
    pub programs: PathBuf,
    /// Where they are started: a relative path is meant from there.
    pub folder: PathBuf,
    /// Their whole environment.
    pub environment: BTreeMap<OsString, OsString>,
}

/// One of the programs could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("`{}` cannot be started", .0.display())]
    Start(PathBuf, #[source] io::Error),
    /// It ended with an error of its own, which it said.
    #[error("`{program}` ended with {code}: {said}")]
    Ended {
        /// Its name.
        program: String,
        /// Its exit code, or 128 and the signal.
        code: i32,
        /// What stands on its standard error.
        said: String,
    },
}

/// What is asked of an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InventoryQuestion {
    /// Its groups and hosts as a tree.
    Graph,
    /// Everything.
    List,
    /// The variables of one host.
    Host(String),
}

/// How an inventory is looked at.
#[derive(Clone, Debug, Default)]
pub struct InventoryOptions {
    /// Paths and host lists; none leaves them to Ansible's configuration.
    pub inventories: Vec<String>,
    /// The form of the answer; a graph has its own.
    pub form: InventoryForm,
    /// Whose `group_vars` and `host_vars` count too.
    pub playbook_dir: Option<PathBuf>,
    /// `--vault-id`.
    pub vault_ids: Vec<String>,
    /// `--vault-password-file`.
    pub vault_password_file: Option<PathBuf>,
    /// Where the answer is written instead.
    pub output: Option<PathBuf>,
    /// Whether the form is for taking in again rather than for reading.
    pub export: bool,
}

/// The form of what is said about an inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InventoryForm {
    /// JSON.
    #[default]
    Json,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
}

/// What is asked of the documentation.
#[derive(Clone, Debug, Default)]
pub struct DocsOptions {
    /// The kind of plugin, such as `module` or `lookup`; none means modules.
    pub kind: Option<String>,
    /// Whether the answer is for programs.
    pub json: bool,
    /// Whose plugins count too.
    pub playbook_dir: Option<PathBuf>,
    /// Where modules are looked for besides.
    pub module_path: Option<PathBuf>,
}

/// What is asked of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigQuestion {
    /// Every setting that there can be.
    List,
    /// Every setting as it is.
    Dump,
    /// The file.
    View,
}

impl Tools {
    /// Takes the programs of a plan's Ansible, as its run would see them; `inherited` is the environment around it.
    #[must_use]
    pub fn of(plan: &JobPlan, inherited: &BTreeMap<OsString, OsString>) -> Self {
        let mut environment = inherited.clone();
        environment.extend(plan.env.iter().map(|(name, value)| (name.into(), value.into())));
        let programs = plan.ansible.config.parent().unwrap_or(Path::new("/")).to_owned();
        Self { programs, folder: plan.root.clone(), environment }
    }

    /// Asks `ansible-inventory`.
    ///
    /// # Errors
    /// When it cannot be started or does not answer.
    pub fn inventory(&self, question: &InventoryQuestion, options: &InventoryOptions) -> Result<String, ToolError> {
        let mut words = Words::default();
        match question {
            InventoryQuestion::Graph => words.flag("--graph", true),
            InventoryQuestion::List => words.flag("--list", true),
            InventoryQuestion::Host(host) => words.joined("--host", host),
        }
        options.inventories.iter().for_each(|source| words.joined("--inventory", source));
        // A graph has a form of its own, and the programs refuse another one.
        if *question != InventoryQuestion::Graph {
            words.flag("--yaml", options.form == InventoryForm::Yaml);
            words.flag("--toml", options.form == InventoryForm::Toml);
        }
        options.vault_ids.iter().for_each(|id| words.joined("--vault-id", id));
        words.path("--playbook-dir", options.playbook_dir.as_deref());
        words.path("--vault-password-file", options.vault_password_file.as_deref());
        words.path("--output", options.output.as_deref());
        words.flag("--export", options.export);
        self.ask("ansible-inventory", words.0)
    }

    /// Returns the documentation of plugins, or with `snippet` how a task with them is written.
    ///
    /// # Errors
    /// As [`Tools::inventory`].
    pub fn docs(&self, names: &[String], snippet: bool, options: &DocsOptions) -> Result<String, ToolError> {
        let mut words = Words::docs(options);
        words.flag("--snippet", snippet);
        words.rest(names);
        self.ask("ansible-doc", words.0)
    }

    /// Returns which plugins of a kind there are, with `files` where they are.
    ///
    /// # Errors
    /// As [`Tools::inventory`].
    pub fn plugins(&self, files: bool, options: &DocsOptions) -> Result<String, ToolError> {
        let mut words = Words::docs(options);
        words.flag(if files { "--list_files" } else { "--list" }, true);
        self.ask("ansible-doc", words.0)
    }

    /// Returns the roles that have a specification of their arguments, as JSON.
    ///
    /// # Errors
    /// As [`Tools::inventory`].
    pub fn roles(&self, collection: Option<&str>, playbook_dir: Option<&Path>) -> Result<String, ToolError> {
        let mut words = Words::role(playbook_dir);
        words.flag("--list", true);
        words.rest(collection);
        self.ask("ansible-doc", words.0)
    }

    /// Returns the specification of a role's arguments, as JSON.
    ///
    /// # Errors
    /// As [`Tools::inventory`].
    pub fn role_spec(
        &self,
        role: &str,
        collection: Option<&str>,
        playbook_dir: Option<&Path>,
    ) -> Result<String, ToolError> {
        let name = collection.map_or_else(|| role.to_owned(), |collection| format!("{collection}.{role}"));
        let mut words = Words::role(playbook_dir);
        words.rest([name]);
        self.ask("ansible-doc", words.0)
    }

    /// Asks `ansible-config`. With `changed` only what differs from the defaults; that is for a dump.
    ///
    /// # Errors
    /// As [`Tools::inventory`].
    pub fn config(&self, question: ConfigQuestion, file: Option<&Path>, changed: bool) -> Result<String, ToolError> {
        let word = match question {
            ConfigQuestion::List => "list",
            ConfigQuestion::Dump => "dump",
            ConfigQuestion::View => "view",
        };
        let mut words = Words(vec![word.into()]);
        words.path("--config", file);
        words.flag("--only-changed", changed && question == ConfigQuestion::Dump);
        self.ask("ansible-config", words.0)
    }

    /// Runs one of the programs, and returns what it printed.
    fn ask(&self, program: &str, words: Vec<OsString>) -> Result<String, ToolError> {
        let path = self.programs.join(program);
        let mut command = Command::new(&path);
        command.args(words).current_dir(&self.folder).env_clear().envs(&self.environment).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().map_err(|err| ToolError::Start(path, err))?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).into_owned());
        }
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        Err(ToolError::Ended {
            program: program.to_owned(),
            code: status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(-1),
            said: String::from_utf8_lossy(&stderr).trim().to_owned(),
        })
    }
}

/// Arguments that are being put together.
#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn docs(options: &DocsOptions) -> Self {
        let mut words = Self::default();
        options.kind.iter().for_each(|kind| words.joined("--type", kind));
        words.flag("--json", options.json);
        words.path("--playbook-dir", options.playbook_dir.as_deref());
        words.path("--module-path", options.module_path.as_deref());
        words
    }

    fn role(playbook_dir: Option<&Path>) -> Self {
        let mut words =
            Self::docs(&DocsOptions { kind: Some("role".to_owned()), json: true, ..DocsOptions::default() });
        words.path("--playbook-dir", playbook_dir);
        words
    }

    fn flag(&mut self, name: &str, wanted: bool) {
        self.0.extend(wanted.then(|| name.into()));
    }

    /// As one word, so that no value is read as an option.
    fn joined(&mut self, name: &str, value: &str) {
        self.0.push(format!("{name}={value}").into());
    }

    fn path(&mut self, name: &str, value: Option<&Path>) {
        if let Some(value) = value {
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            self.0.push(word);
        }
    }

    /// What is no option, whatever it looks like.
    fn rest<T: AsRef<str>>(&mut self, names: impl IntoIterator<Item = T>) {
        self.0.push("--".into());
        self.0.extend(names.into_iter().map(|name| name.as_ref().into()));
    }
}
