//! What is run and how: jobs and the Ansible that runs them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::combine::CancelWhen;
use super::plugin::{Plugin, SecretSource};
use super::units;

/// Each hook with the key of the list by which a job chooses plugins for it, in the order in which lists are read.
pub const HOOK_LISTS: [(&str, &str); 4] = [
    ("cancel-policy", "cancel-policies"),
    ("event-handler", "event-handlers"),
    ("status-handler", "status-handlers"),
    ("finished-callback", "finished-callbacks"),
];

/// The table `[ansible]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ansible {
    /// Which Ansible.
    pub used: AnsibleUse,
    /// What becomes of a run whose host died.
    pub on_host_loss: OnHostLoss,
}

/// The table `[audit]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The private key that signs, by its path as written.
    pub key: String,
    /// Where that stands.
    pub(crate) place: Range<usize>,
    /// The name of the log; none for that of the machine.
    pub origin: Option<String>,
}

/// Which installation of Ansible is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnsibleUse {
    /// The first one on the PATH, else the private one.
    #[default]
    Path,
    /// The newest one that `playwarden ansible install` made.
    Private,
    /// That of a virtual environment, by its folder as written.
    Venv(String),
    /// That of a container's image.
    Container(Container),
}

/// A container that Ansible runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The name of the image, as the engine takes it.
    pub image: String,
    /// What makes it.
    pub engine: Engine,
    /// `SOURCE:TARGET` or `SOURCE:TARGET:OPTIONS`, the source as written.
    pub mounts: Vec<String>,
}

/// A program that runs containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// podman.
    #[default]
    Podman,
    /// docker.
    Docker,
}

impl Engine {
    pub(super) const WORDS: [(&'static str, Self); 2] = [("podman", Self::Podman), ("docker", Self::Docker)];

    /// Returns the program's name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

/// What becomes of a run whose host died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHostLoss {
    /// Ansible stops within seconds.
    #[default]
    Cancel,
    /// Ansible goes on to its end, without anybody who judges or limits it, and what it reports is kept.
    Continue,
}

impl OnHostLoss {
    pub(super) const WORDS: [(&'static str, Self); 2] = [("cancel", Self::Cancel), ("continue", Self::Continue)];
}

/// One `[jobs.NAME]` over `[defaults]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name, fit for a folder.
    pub name: String,
    /// What Ansible is asked to do.
    pub work: JobWork,
    /// The folder of ansible-runner's inputs, as written.
    pub private_data_dir: Option<String>,
    /// Paths or host lists as written; empty leaves the choice to Ansible.
    pub inventory: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--tags`; always empty for a module.
    pub tags: Vec<String>,
    /// `--skip-tags`; always empty for a module.
    pub skip_tags: Vec<String>,
    /// `--forks`; none leaves it to Ansible.
    pub forks: Option<u32>,
    /// `--check`.
    pub check: bool,
    /// `--diff`.
    pub diff: bool,
    /// How many `-v`, at most 6.
    pub verbosity: u8,
    /// Extra vars; the job's over the defaults', key by key.
    pub extra_vars: Map<String, Value>,
    /// Environment of Ansible; the job's over the defaults', key by key.
    pub env: BTreeMap<String, String>,
    /// What is typed at which prompt, by keys as written: the job's own, then those of the defaults. The first that fits
    /// counts.
    pub passwords: Vec<(String, SecretSource)>,
    /// Where the private key of Ansible's connections is.
    pub ssh_key: Option<SecretSource>,
    /// `--vault-id`, as written.
    pub vault_ids: Vec<String>,
    /// The longest that the run may take.
    pub timeout: Option<Duration>,
    /// The longest that nothing may happen.
    pub idle_timeout: Option<Duration>,
    /// Whether each event is also written into a file of its own, as ansible-runner does.
    pub job_events: bool,
    /// How a run is ended.
    pub stop: Stop,
    /// Names of plugins, in the order in which they are asked.
    pub cancel_policies: Vec<String>,
    /// Which of them have to want the run canceled until it is.
    pub cancel_when: CancelWhen,
    /// Names of plugins that are told of every event.
    pub event_handlers: Vec<String>,
    /// Names of plugins that are told of every change of the status.
    pub status_handlers: Vec<String>,
    /// Names of plugins that are told how the run ended.
    pub finished_callbacks: Vec<String>,
    /// Every plugin that the job uses, once, with the job's overrides merged.
    pub plugins: Vec<Plugin>,
}

impl Job {
    /// Returns the names in one of the [`HOOK_LISTS`], by its key; empty for any other key.
    pub fn list(&self, key: &str) -> &[String] {
        match key {
            "cancel-policies" => &self.cancel_policies,
            "event-handlers" => &self.event_handlers,
            "status-handlers" => &self.status_handlers,
            "finished-callbacks" => &self.finished_callbacks,
            _ => &[],
        }
    }
}

/// What Ansible is asked to do; paths as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobWork {
    /// `ansible-playbook`.
    Playbook(String),
    /// `ansible -m`.
    Module {
        /// Name of the module.
        name: String,
        /// `-a`.
        args: Option<String>,
        /// Pattern of inventory hosts.
        hosts: String,
    },
    /// A role, in a play that is made for it.
    Role {
        /// Name of the role.
        name: String,
        /// Pattern of inventory hosts.
        hosts: String,
    },
    /// What the file `args` of the private data dir says.
    Args,
}

/// How a run is ended: interrupt, wait, SIGTERM, wait, SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// How long to wait after the interrupt.
    #[serde(serialize_with = "units::serialize")]
    pub interrupt: Duration,
    /// How long to wait after SIGTERM.
    #[serde(serialize_with = "units::serialize")]
    pub terminate: Duration,
    /// What happens to processes that outlive a normal end.
    pub survivors: Survivors,
}

impl Default for Stop {
    fn default() -> Self {
        Self { interrupt: Duration::from_secs(10), terminate: Duration::from_secs(5), survivors: Survivors::Leave }
    }
}

/// What happens to processes that outlive a normal end of the run.
///
/// After a cancel or a timeout they are always killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Survivors {
    /// They are named and left: a service restarted on localhost is wanted.
    Leave,
    /// They are killed.
    Kill,
}

impl Survivors {
    pub(super) const WORDS: [(&'static str, Self); 2] = [("leave", Self::Leave), ("kill", Self::Kill)];
}
