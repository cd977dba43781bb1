//! A job with nothing left to look up.
//!
//! [`JobPlan::resolve`] joins the checked file, the command line and a snapshot
//! of the environment, and finds every file that the run will need. A run is
//! only ever made from a plan, and the plan is written into `run.json`.
//!
//! **Invariant:** looking is all that happens here; nothing is started, made or
//! written, and the process's own environment is never read.

mod ansible;
mod answers;
mod arguments;
mod container;
mod data_dir;
mod files;
mod grants;
mod handed;
mod initiator;
mod keywords;
mod private;
mod resolve;
mod secrets;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use playwarden_event::kind::Initiator;
use playwarden_event::{EventPattern, Origin};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use self::answers::{Answer, Ask, Secret};
pub(crate) use self::arguments::{handed_extra_vars, handed_playbook};
pub(crate) use self::container::{AGENT, Making, SHARED, WRITTEN, container_name};
pub use self::container::{ContainerPlan, Mount, Registry};
pub use self::handed::{EventData, FactCache, Handed, HandedInventory, Keep};
pub use self::keywords::Keywords;
pub use self::private::PrivateAnsible;
use crate::config::{
    Audit, CancelWhen, Config, Finding, Limits, Mode, OnFault, OnHostLoss, Payload, Restart, Rules, Stop, units,
};

/// What the plan may know of the process: a snapshot that the cli takes once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The current folder, absolute.
    pub cwd: PathBuf,
    /// What `~/` stands for.
    pub home: Option<PathBuf>,
    /// The environment variables; those whose names are not UTF-8 left out.
    pub vars: BTreeMap<String, OsString>,
}

/// What the command line says about a job; it wins over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Paths, relative to the current folder, or host lists; empty keeps the file's.
    pub inventory: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--tags`; empty keeps the file's.
    pub tags: Vec<String>,
    /// `--skip-tags`; empty keeps the file's.
    pub skip_tags: Vec<String>,
    /// As Ansible's `-e` takes them: `k=v`, JSON or `@file`. They come after
    /// the file's own and so win in Ansible.
    pub extra_vars: Vec<String>,
    /// `--vault-id`, besides the job's.
    pub vault_ids: Vec<String>,
    /// `--check`.
    pub check: Option<bool>,
    /// `--diff`.
    pub diff: Option<bool>,
    /// `--forks`.
    pub forks: Option<u32>,
    /// How many `-v`.
    pub verbosity: Option<u8>,
    /// The longest that the run may take.
    pub timeout: Option<Duration>,
    /// The id of the run; it becomes the name of its folder.
    pub run_id: Option<String>,
    /// Who asks for the run.
    pub user: Option<String>,
    /// Why it is asked for.
    pub reason: Option<String>,
    /// What allows it, such as the number of a change.
    pub ticket: Option<String>,
    /// What else ansible-runner's users say, about a private data dir.
    pub keywords: Keywords,
}

impl Overrides {
    /// Takes what ansible-runner's keywords say. What was said before wins.
    pub fn take(&mut self, keywords: Keywords) {
        let listed = |list: &Option<Vec<String>>| {
            let words = list.iter().flatten().flat_map(|word| word.split(','));
            words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        self.run_id = self.run_id.take().or_else(|| filled(&keywords.ident));
        self.limit = self.limit.take().or_else(|| filled(&keywords.limit));
        if self.tags.is_empty() {
            self.tags = listed(&keywords.tags);
        }
        if self.skip_tags.is_empty() {
            self.skip_tags = listed(&keywords.skip_tags);
        }
        self.forks = self.forks.or(keywords.forks.filter(|forks| *forks > 0));
        self.verbosity =
            self.verbosity.or(keywords.verbosity.filter(|verbosity| *verbosity > 0).map(|level| level.min(6)));
        self.vault_ids.extend(keywords.vault_ids.iter().flatten().cloned());
        self.check = self.check.or(keywords.check);
        self.diff = self.diff.or(keywords.diff);
        let limit = keywords.timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        self.timeout = self.timeout.or(limit.filter(|limit| !limit.is_zero()));
        self.keywords = keywords;
    }
}

/// A job with everything resolved.
///
/// Serializes into `run.json`: durations as text (`1h30m`), sizes as bytes,
/// paths as text even where they are not UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobPlan {
    /// The job's name in the file.
    pub job: String,
    /// The id that was asked for; none lets the run choose one.
    pub run_id: Option<String>,
    /// Who asked for it, as far as the caller knows.
    pub user: Option<String>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// What allowed it, such as the number of a change.
    pub ticket: Option<String>,
    /// The folder of the file, or the project of a private data dir, absolute: where Ansible is started.
    #[serde(serialize_with = "text")]
    pub root: PathBuf,
    /// Where the runs are kept, absolute; it need not exist.
    #[serde(serialize_with = "text")]
    pub artifacts: PathBuf,
    /// Who signs what the run leaves.
    pub audit: Option<AuditPlan>,
    /// What is masked besides what is known to be secret.
    pub redact: Rules,
    /// How Ansible is started.
    pub ansible: AnsiblePlan,
    /// What it is asked to do.
    pub work: Work,
    /// Absolute paths and host lists; empty leaves the choice to Ansible.
    #[serde(serialize_with = "texts")]
    pub inventory: Vec<OsString>,
    /// What Ansible finds in the run's private folder, for as long as the run lasts.
    pub handed: Handed,
    /// Arguments before all others, which win over them.
    pub more_arguments: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--tags`.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `--forks`.
    pub forks: Option<u32>,
    /// `--check`.
    pub check: bool,
    /// `--diff`.
    pub diff: bool,
    /// How many `-v`, at most 6.
    pub verbosity: u8,
    /// Extra vars of the file.
    pub extra_vars: Map<String, Value>,
    /// Extra vars of the command line, ready for `-e`; they win over the file's.
    #[serde(serialize_with = "texts")]
    pub more_extra_vars: Vec<OsString>,
    /// What is added to Ansible's environment.
    pub env: BTreeMap<String, String>,
    /// What is typed at prompts; the first whose pattern fits. With any of them Ansible has a terminal.
    pub answers: Vec<Answer>,
    /// Environment variables that hold passwords or the key, and that nothing of the run gets.
    pub withheld: Vec<String>,
    /// What Ansible is told to ask for.
    pub ask: Vec<Ask>,
    /// `--vault-id`: `ID@FILE`, `ID@prompt` or a file, from the folder of runner.toml.
    pub vault_ids: Vec<String>,
    /// The text of a private key that Ansible's connections may use, by an agent of the run's own.
    pub ssh_key: Option<Secret>,
    /// The longest that the run may take.
    #[serde(serialize_with = "units::serialize_option")]
    pub timeout: Option<Duration>,
    /// The longest that nothing may happen.
    #[serde(serialize_with = "units::serialize_option")]
    pub idle_timeout: Option<Duration>,
    /// What is kept of the run besides its journal.
    pub keep: Keep,
    /// How the run is ended.
    pub stop: Stop,
    /// Names of plugins, in the order in which they are asked.
    pub cancel_policies: Vec<String>,
    /// Which of them have to want the run canceled until it is, as runner.toml has it.
    pub cancel_when: CancelWhen,
    /// Names of plugins that are told of every event.
    pub event_handlers: Vec<String>,
    /// Names of plugins that are told of every change of the status.
    pub status_handlers: Vec<String>,
    /// Names of plugins that are told how the run ended.
    pub finished_callbacks: Vec<String>,
    /// Every plugin of the job, once.
    pub plugins: Vec<PluginPlan>,
    /// The file that says what to run, absolute; none when nothing but the command line does.
    #[serde(skip)]
    pub config_file: Option<PathBuf>,
    /// Who starts it, and from where.
    #[serde(skip)]
    pub initiator: Initiator,
    /// Files that hold passwords or keys, absolute: no digest is made of them.
    #[serde(skip)]
    pub secret_files: Vec<PathBuf>,
    /// Values that are masked because they look secret where they came from.
    #[serde(skip)]
    pub hidden: Vec<Secret>,
    /// What does not stand against the run, but should be known.
    #[serde(skip)]
    pub warnings: Vec<Finding>,
}

/// Returns who signs the runs of a file; none when nobody does.
#[must_use]
pub fn audit_plan(config: &Config, environment: &Environment) -> Option<AuditPlan> {
    let Audit { key, origin, .. } = config.audit.as_ref()?;
    let key = files::absolute(key, &resolve::root(config, environment), environment);
    Some(AuditPlan { key, origin: origin.clone() })
}

/// Who signs what a run leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditPlan {
    /// The file of the private key, absolute.
    #[serde(serialize_with = "text")]
    pub key: PathBuf,
    /// The name for a log that is still to begin; none for that of the machine.
    pub origin: Option<String>,
}

/// How Ansible is started. Paths of this machine are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnsiblePlan {
    /// `ansible-playbook`, `ansible` for a module, or what is started in their place.
    #[serde(serialize_with = "text")]
    pub executable: PathBuf,
    /// The `ansible-config` of the same installation.
    #[serde(serialize_with = "text")]
    pub config: PathBuf,
    /// What becomes of the run if the host dies.
    pub on_host_loss: OnHostLoss,
    /// Where it runs, if not on this machine as it is: then `executable` is the name of a program there.
    pub container: Option<ContainerPlan>,
}

/// What Ansible is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// `ansible-playbook`.
    Playbook {
        /// Absolute, or the name of a playbook in a collection (`ns.coll.name`), or as it was named in the project of a private
        /// data dir.
        #[serde(serialize_with = "text")]
        path: PathBuf,
    },
    /// `ansible -m`.
    Module {
        /// Name of the module.
        name: String,
        /// `-a`.
        args: Option<String>,
        /// Pattern of inventory hosts.
        hosts: String,
    },
    /// `ansible-playbook`, with plays that are in no file of the project.
    Play {
        /// A list of plays.
        plays: Value,
        /// The folder that their files and roles are looked for in.
        #[serde(serialize_with = "text")]
        beside: PathBuf,
    },
    /// Another program that takes Ansible's options, and is told no playbook.
    Program {
        /// Its name or path.
        name: String,
    },
    /// A whole command.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
    },
}

impl Work {
    /// Returns the name of the program.
    fn program(&self) -> &str {
        match self {
            Self::Playbook { .. } | Self::Play { .. } => "ansible-playbook",
            Self::Module { .. } => "ansible",
            Self::Program { name } => name,
            Self::Command { words } => words.first().map_or("", String::as_str),
        }
    }

    /// Returns what is run, in a word.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Playbook { path } => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            Self::Module { name, .. } => name.clone(),
            Self::Play { .. } => "play".to_owned(),
            Self::Program { .. } | Self::Command { .. } => {
                let name = Path::new(self.program()).file_name();
                name.map_or_else(|| "command".to_owned(), |name| name.to_string_lossy().into_owned())
            }
        }
    }
}

/// A plugin as the job uses it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginPlan {
    /// Its name in the file.
    pub name: String,
    /// Where its component is.
    pub component: Component,
    /// What the component must hash to: 64 lowercase hex digits.
    pub sha256: Option<String>,
    /// Whether its verdicts are acted on.
    pub mode: Mode,
    /// Its configuration: always an object.
    pub config: Value,
    /// What happens when it breaks.
    pub on_fault: OnFault,
    /// How much of `event_data` it is handed; none leaves it to the hook: nothing for a policy, everything for a handler.
    pub payload: Option<Payload>,
    /// How often it is started again when it broke.
    pub restart: Restart,
    /// Which events it is told of: those that any pattern matches.
    pub events: Vec<EventPattern>,
    /// How often it is asked although nothing happened.
    #[serde(serialize_with = "units::serialize_option")]
    pub tick: Option<Duration>,
    /// What it may cost.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Grants,
    /// What `runner.lock` has of it.
    #[serde(skip)]
    pub approval: Approval,
}

/// What `runner.lock` says of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// There is no such file: none is needed.
    #[default]
    NotNeeded,
    /// It does not name the plugin.
    Missing,
    /// It was this.
    Given(crate::config::Locked),
}

impl PluginPlan {
    /// Returns a plugin with the usual settings, no config and no grants.
    #[must_use]
    pub fn new(name: &str, component: Component) -> Self {
        Self {
            name: name.to_owned(),
            component,
            sha256: None,
            mode: Mode::default(),
            config: Value::Object(Map::new()),
            on_fault: OnFault::default(),
            payload: None,
            restart: Restart { max: 0, ..Restart::default() },
            events: vec![EventPattern::all()],
            tick: None,
            limits: Limits::default(),
            grants: Grants::default(),
            approval: Approval::NotNeeded,
        }
    }
}

/// Where a component is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// In a file, absolute. It was there; whether it loads, and whether its hash is right, is found out when it is read.
    #[serde(serialize_with = "text")]
    Path(PathBuf),
    /// In this program, under a name that it has.
    Builtin(String),
}

/// What a plugin may reach. Serializes without what is secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// Folders that it may read.
    pub read: Vec<FolderGrant>,
    /// Folders that it may read and write. They need not exist yet.
    pub write: Vec<FolderGrant>,
    /// Origins that it may send HTTP requests to.
    pub http: Vec<Origin>,
    /// Environment variables that it sees, as they were when the plan was made.
    pub env: BTreeMap<String, String>,
    /// Secrets by the name that it asks for. Only the names are written down.
    #[serde(serialize_with = "names")]
    pub secrets: BTreeMap<String, String>,
}

/// A folder that a plugin may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FolderGrant {
    /// What the plugin calls it: as in runner.toml.
    pub name: String,
    /// Where it is, absolute.
    #[serde(serialize_with = "text")]
    pub path: PathBuf,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let secrets: Vec<_> = self.secrets.keys().collect();
        let Self { read, write, http, env, .. } = self;
        f.debug_struct("Grants")
            .field("read", read)
            .field("write", write)
            .field("http", http)
            .field("env", env)
            .field("secrets", &secrets)
            .finish()
    }
}

fn names<S: Serializer>(map: &BTreeMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(map.keys())
}

fn text<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

fn texts<S: Serializer>(list: &[OsString], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(list.iter().map(|item| OsStr::to_string_lossy(item)))
}

#[cfg(test)]
mod tests;
