//! What every command needs to know of where it is: a snapshot, taken once.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::terminal;
use crate::config::{Config, FILE_NAME, Findings, find_upward};
use crate::plan::Environment;
use crate::store::Store;

pub(super) struct Context {
    file: Option<PathBuf>,
    private_data_dir: Option<PathBuf>,
    artifact_dir: Option<PathBuf>,
    pub(super) environment: Environment,
    /// The whole environment, for what Ansible inherits.
    pub(super) inherited: BTreeMap<OsString, OsString>,
    /// Standard output is a terminal.
    pub(super) stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub(super) stderr_is_terminal: bool,
    no_color: bool,
}

impl Context {
    pub(super) fn new(
        file: Option<PathBuf>,
        private_data_dir: Option<PathBuf>,
        artifact_dir: Option<PathBuf>,
    ) -> Result<Self, Exit> {
        let cwd = env::current_dir().map_err(|err| {
            terminal::error(&err, Some("the current folder is gone: change to another one"), false);
            Exit::Configuration
        })?;
        let inherited: BTreeMap<OsString, OsString> = env::vars_os().collect();
        let text = |(name, value): (&OsString, &OsString)| Some((name.to_str()?.to_owned(), value.clone()));
        let vars: BTreeMap<String, OsString> = inherited.iter().filter_map(text).collect();
        let home = vars.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Ok(Self {
            file,
            private_data_dir: private_data_dir.map(|folder| cwd.join(folder)),
            artifact_dir: artifact_dir.map(|folder| cwd.join(folder)),
            no_color: vars.get("NO_COLOR").is_some_and(|value| !value.is_empty()),
            environment: Environment { cwd, home, vars },
            inherited,
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        })
    }

    /// The private data dir, when somebody named one.
    pub(super) fn private_data_dir(&self) -> Option<&Path> {
        self.private_data_dir.as_deref()
    }

    /// Where the runs of a private data dir are kept, when somebody said so.
    pub(super) fn artifact_dir(&self) -> Option<&Path> {
        self.artifact_dir.as_deref()
    }

    /// Who runs us: the user's name, where the system's own list has it, else the number.
    pub(super) fn user(&self) -> Option<String> {
        let id = rustix::process::getuid().as_raw().to_string();
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == id).then(|| name.to_owned())
        });
        Some(name.unwrap_or(id))
    }

    /// Whether messages for people are colored.
    pub(super) fn color(&self) -> bool {
        self.stderr_is_terminal && !self.no_color
    }

    /// Whether Ansible's own text is colored. Forcing it would win over the user's own word against it.
    pub(super) fn ansible_color(&self) -> bool {
        self.stdout_is_terminal && !self.no_color && !self.environment.vars.contains_key("ANSIBLE_NOCOLOR")
    }

    pub(super) fn cwd(&self) -> &Path {
        &self.environment.cwd
    }

    /// Reads runner.toml, from where it was said to be or upward from here; a private data dir needs none. Warnings are printed, errors too.
    pub(super) fn config(&self) -> Result<(Config, Findings), Findings> {
        if let Some(folder) = &self.private_data_dir {
            return Ok((Config::bare(folder), Findings::new(Vec::new())));
        }
        let path = self.config_path().ok_or_else(|| {
            let message = format!("there is no `{FILE_NAME}` in this folder or above it");
            let finding = crate::config::Finding::error("missing-file", Path::new(""), message);
            let help =
                "change to the folder of a project, name a file with `--file`, or let `playwarden init` write one";
            Findings::new(vec![finding.help(help)])
        })?;
        Config::load(&path)
    }

    /// The folder of runs beside runner.toml, which need not be valid for that.
    pub(super) fn store(&self) -> Result<Store, Exit> {
        if let Some(folder) = &self.private_data_dir {
            let artifacts = self.artifact_dir.clone().unwrap_or_else(|| folder.join("artifacts"));
            return Ok(Store::new(artifacts, crate::run::close));
        }
        let root = self.config_path().and_then(|path| path.parent().map(Path::to_owned)).ok_or_else(|| {
            let text = format!("there is no `{FILE_NAME}` in this folder or above it, beside which runs would be kept");
            terminal::complain(&text, Some("change to the folder of a project, or use `--file`"), self.color());
            Exit::Configuration
        })?;
        Ok(Store::new(root.join("artifacts"), crate::run::close))
    }

    /// Where compiled plugins and answers that can be found again are kept.
    pub(super) fn cache(&self) -> Option<PathBuf> {
        let absolute =
            |name: &str| self.environment.vars.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base =
            absolute("XDG_CACHE_HOME").or_else(|| self.environment.home.as_ref().map(|home| home.join(".cache")));
        base.map(|base| base.join("playwarden"))
    }

    /// Whether there is a runner.toml, good or bad.
    pub(super) fn has_config(&self) -> bool {
        self.config_path().is_some()
    }

    fn config_path(&self) -> Option<PathBuf> {
        match &self.file {
            Some(file) => Some(self.cwd().join(file)),
            None => find_upward(self.cwd()),
        }
    }
}
