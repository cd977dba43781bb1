//! Ansible in a container: what it finds there of the run, and how the container is made and removed.
//!
//! The container sees one folder of the run's private ones, which it cannot change, and neither the journal nor other runs. In
//! that folder lie the callback and what the run hands over; the files that Ansible prints into here are mounted into it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use playwarden_event::Cause;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::dispatcher::Run;
use super::launch::{Way, beside, disk_at, hand_over, start};
use crate::ansible::{INTERRUPTS, Installed, Link, START};
use crate::config::{Engine, MAX_EVENT};
use crate::plan::{AGENT, ContainerPlan, Making, Registry, SHARED, WRITTEN, container_name};
use crate::process::{Container, tree};

/// How long a client may take that is to end, and how often is looked.
const GRACE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

/// Engines read no longer line of a file of variables.
const LONGEST: usize = 60 << 10;

impl Run<'_> {
    /// What starts Ansible in a container.
    pub(super) fn in_container(&self, plan: &ContainerPlan, added: Vec<(OsString, OsString)>) -> Result<Way, Cause> {
        let private = self.folder.private();
        self.make_container(plan, added, &private).map_err(|err| match err.kind() {
            // What an engine cannot be told.
            io::ErrorKind::InvalidInput => start(err),
            _ => disk_at(&private, err),
        })
    }

    fn make_container(
        &self,
        plan: &ContainerPlan,
        mut added: Vec<(OsString, OsString)>,
        private: &Path,
    ) -> io::Result<Way> {
        let (shared, nothing) = (private.join("container"), private.join("nothing"));
        fs::create_dir(&shared)?;
        fs::create_dir(&nothing)?;
        File::create(self.folder.spill())?;
        // Where they are mounted.
        for name in WRITTEN {
            File::create(shared.join(name))?;
        }
        mknodat(CWD, shared.join(INTERRUPTS), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        hand_over(self.plan, &shared.join("handed"))?;
        let there = Path::new(SHARED);
        Installed::into_shared(&shared)?;
        added.extend(self.color());
        added.extend(beside(self.plan, &there.join("handed")));
        if plan.engine == Engine::Podman {
            // Files that are mounted one by one cannot be replaced.
            added.push(("ANSIBLE_UNSAFE_WRITES".into(), "1".into()));
        }
        if self.plan.ssh_key.is_some() {
            added.push(("SSH_AUTH_SOCK".into(), AGENT.into()));
        }
        let facts = self.plan.keep.fact_cache.as_ref().map(|cache| self.folder.path().join(&cache.name));
        if let Some(facts) = &facts {
            fs::create_dir_all(facts)?;
            fs::create_dir(shared.join("fact_cache"))?;
            added.retain(|(name, _)| name != "ANSIBLE_CACHE_PLUGIN_CONNECTION");
            added.push(("ANSIBLE_CACHE_PLUGIN_CONNECTION".into(), there.join("fact_cache").into()));
        }
        let env_file = private.join("env.list");
        secret_file(&env_file, &listed(&added)?)?;
        let mut environment = Vec::new();
        let login = plan.registry.as_ref().map(|registry| login(plan.engine, registry, private, &mut environment));

        let mut container = self.container(plan);
        let making = Making {
            shared: &shared,
            private,
            nothing: &nothing,
            artifacts: &self.plan.artifacts,
            env_file: &env_file,
            id_file: &container.id_file,
            login: login.transpose()?,
            facts,
            name: &container.name,
            has_terminal: !self.plan.answers.is_empty(),
        };
        let (mut arguments, more) = plan.arguments(&making);
        arguments.extend(["sh".into(), there.join(START).into(), self.plan.ansible.executable.clone().into()]);
        arguments.extend(self.plan.arguments(&there.join("handed")));
        container.agent.1 = more;
        Ok(Way {
            program: plan.program.clone(),
            arguments,
            environment,
            environment_there: Some(added),
            link: Link::in_folder(&shared, MAX_EVENT)?,
            socket: None,
            container: Some(container),
        })
    }

    /// Lets a client finish what it is making, as far as it does so soon: one that is killed in the middle leaves behind what
    /// its engine knows nothing of.
    pub(super) async fn end_engine(&self, client: u32) {
        let client = tree::look(client.cast_signed()).map(|(client, _)| client);
        let Some(client) = client.filter(|_| self.plan.ansible.container.is_some()) else { return };
        // One that is gone needs no signal.
        tree::signal(client, Signal::TERM).ok();
        let begun = Instant::now();
        while client.is_alive() && begun.elapsed() < GRACE {
            sleep(LOOK).await;
        }
    }

    /// Removes the container when nobody else does.
    pub(super) async fn remove_container(&self) {
        let Some(plan) = &self.plan.ansible.container else { return };
        let container = self.container(plan);
        // What panics there has removed nothing, and there is nobody left who could.
        tokio::task::spawn_blocking(move || container.remove()).await.ok();
    }

    /// How the run's container is reached. Where a mount is among the program's arguments is not known yet.
    fn container(&self, plan: &ContainerPlan) -> Container {
        let private = self.folder.private();
        Container {
            engine: plan.program.clone(),
            name: container_name(&self.record.id, &self.plan.artifacts),
            id_file: private.join("container-id"),
            interrupts: private.join("container").join(INTERRUPTS),
            agent: (AGENT.into(), 0),
        }
    }
}

/// `NAME=VALUE` lines, as engines read them: without quotes, so that no value can have a line break.
fn listed(environment: &[(OsString, OsString)]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for (name, value) in environment {
        let (shown, bytes) = (name.to_string_lossy(), value.as_encoded_bytes());
        let is_plain = shown.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let trouble = match () {
            () if bytes.iter().any(|byte| b"\n\r".contains(byte)) => "has a line break",
            () if bytes.len() + shown.len() > LONGEST => "is longer than 60 KiB",
            () if !is_plain => "has a name of other characters than letters, digits and `_`",
            () => "",
        };
        if !trouble.is_empty() {
            let text = format!("the variable `{shown}` {trouble}, which no container engine takes; put it into a file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        for part in [name, OsStr::new("="), value, OsStr::new("\n")] {
            text.extend_from_slice(part.as_encoded_bytes());
        }
    }
    Ok(text)
}

/// Writes what an engine needs for a login, and returns its argument.
fn login(
    engine: Engine,
    registry: &Registry,
    private: &Path,
    environment: &mut Vec<(OsString, OsString)>,
) -> io::Result<OsString> {
    let folder = private.join("login");
    fs::create_dir(&folder)?;
    let auth = BASE64.encode(format!("{}:{}", registry.username, registry.password.reveal()));
    let auths = serde_json::json!({"auths": {registry.host.as_str(): {"auth": auth}}}).to_string();
    if !registry.verify_ssl {
        let path = folder.join("registries.conf");
        let host = serde_json::Value::from(registry.host.as_str());
        fs::write(&path, format!("[[registry]]\nlocation = {host}\ninsecure = true\n"))?;
        // The second name is that of podman before 3.1.
        for name in ["CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"] {
            environment.push((name.into(), path.clone().into()));
        }
    }
    let (name, mut argument, value) = match engine {
        Engine::Docker => ("config.json", OsString::from("--config="), folder.clone()),
        Engine::Podman => ("auth.json", OsString::from("--authfile="), folder.join("auth.json")),
    };
    secret_file(&folder.join(name), auths.as_bytes())?;
    argument.push(value);
    Ok(argument)
}

fn secret_file(path: &Path, text: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text)
}
