//! How a run begins: its folder, its plugins, Ansible under its guard.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use playwarden_event::kind::RunStarted;
use playwarden_event::{Cause, Json, Process, Status, Timestamp};
use playwarden_sandbox::{Plugin, RunInfo};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::closures::Closures;
use super::conclude::Seen;
use super::dispatcher::{Run, chain};
use super::observers::{Observers, Uses};
use super::person::Person;
use super::plugin::LivePlugin;
use super::policies::Policies;
use super::prepare::{is_policy, uses};
use super::publish::Publisher;
use super::state::State;
use super::typist::Typist;
use super::view::View;
use super::{Finished, Settings, Update, provenance};
use crate::ansible::{CallbackPath, Installed, Link, TEMPORARY};
use crate::audit::{LogError, Sealer};
use crate::config::{MAX_EVENT, OnHostLoss, Survivors};
use crate::hex;
use crate::plan::{AuditPlan, Handed, JobPlan, Work, handed_extra_vars, handed_playbook};
use crate::process::{Container, Guarded, Hidden, Key, Launch, Spawn};
use crate::redact::Redactor;
use crate::store::{EventFiles, Journal, Output, RunFolder, RunRecord, Store, StoreError};

/// See [`super::run`].
pub(super) async fn run(
    plan: &JobPlan,
    settings: &Settings,
    plugins: Vec<Plugin>,
    closures: Closures,
    cancel: watch::Receiver<u32>,
    watch: &mut dyn FnMut(Update<'_>),
) -> Result<Finished, StoreError> {
    let id = plan.run_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    if let Some(newest) = plan.keep.newest {
        let removed = Store::new(plan.artifacts.clone(), super::close).rotate(newest.saturating_sub(1));
        if let Some(sealer) = sealer(plan).filter(|_| !removed.is_empty()) {
            sealer.removed(&removed, "older runs are not kept").map_err(|err| unsigned(&err))?;
        }
    }
    let folder = RunFolder::create(&plan.artifacts, &id)?;
    let path = folder.path().to_owned();
    let begun = begin(plan, settings, plugins, closures, (id, folder), cancel, watch).await;
    let mut run = begun.inspect_err(|_| {
        // There was no run; half a folder would look like one that was lost.
        fs::remove_dir_all(&path).ok();
    })?;
    run.ansible().await;
    Ok(run.finish().await)
}

/// Makes everything that a run needs before Ansible, and says so in its first events.
async fn begin<'a>(
    plan: &'a JobPlan,
    settings: &'a Settings,
    plugins: Vec<Plugin>,
    mut closures: Closures,
    (id, folder): (String, RunFolder),
    cancel: watch::Receiver<u32>,
    watch: &'a mut dyn FnMut(Update<'_>),
) -> Result<Run<'a>, StoreError> {
    let redactor = Redactor::new(plan.secrets(), plan.redact.clone());
    let record = RunRecord {
        schema: RunRecord::SCHEMA,
        id: id.clone(),
        job: plan.job.clone(),
        started: Timestamp::now(),
        playwarden: env!("CARGO_PKG_VERSION").to_owned(),
        ansible: None,
        plugins: plugins.iter().map(|plugin| plugin.identity().clone()).collect(),
        plan: redactor.json(recorded(plan)),
        outcome: None,
    };
    write_record(&folder, &record)?;
    folder.replace("status", Status::Starting.word())?;

    let sealed = serde_json::to_string(&redactor.seal()).map_err(io::Error::other);
    let sealed = sealed.map_err(|source| StoreError::Io { path: folder.sealed_secrets(), source })?;
    folder.replace(RunFolder::SECRETS, &sealed)?;
    let files = |source| StoreError::Io { path: folder.path().to_owned(), source };
    let source = |name: &str| folder.append(&format!(".private/{name}"));
    let stdout = Output::new(source("stdout")?, folder.append("stdout")?);
    let stderr = Output::new(source("stderr")?, folder.append("stderr")?);
    let journal = Journal::new(folder.append("events.jsonl")?);
    let event_files = match plan.keep.job_events {
        true => Some(EventFiles::create(folder.path()).map_err(files)?),
        false => None,
    };
    let publisher =
        Publisher::new(id.clone(), journal, redactor, stdout, stderr).with_files(event_files, plan.keep.event_data);
    let view = Arc::clone(&publisher.view);
    let person = Person::listen(folder.path(), cancel).map_err(files)?;
    let plugins = live_plugins(plan, plugins, &record, &folder, &view)?;
    let judging = plugins.iter().filter(|(plugin, _)| is_policy(plan, &plugin.identity.name));
    let ticks = judging.map(|(plugin, _)| {
        let wanted = plan.plugins.iter().find(|wanted| wanted.name == plugin.identity.name);
        (Arc::clone(plugin), wanted.and_then(|wanted| wanted.tick))
    });
    let ticks = in_order(plan, ticks.collect());
    let (policies, said) =
        Policies::start(ticks, std::mem::take(&mut closures.policies), plan.cancel_when.clone(), &view).await;
    let observers = Observers::start(&plugins, &view).map_err(files)?;

    let started = RunStarted {
        job: plan.job.clone(),
        playwarden: record.playwarden.clone(),
        plugins: record.plugins.clone(),
        reason: plan.reason.clone(),
        ticket: plan.ticket.clone(),
        by: Some(plan.initiator.clone()),
        plan: hex(&Sha256::digest(record.plan.text())),
        inputs: if plan.audit.is_some() { provenance::inputs(plan) } else { Vec::new() },
    };
    let mut run = Run {
        plan,
        settings,
        folder,
        record,
        publisher,
        plugins,
        policies,
        observers,
        closures,
        state: State::new(),
        person,
        watch,
        // With a policy, what cannot be judged does not pass.
        seen: Seen { mute: !plan.must_greet() && plan.cancel_policies.is_empty(), ..Seen::default() },
        concealing: false,
        guarded: None,
        typist: None,
        main: None,
        said_all: false,
        orders: Vec::new(),
        stats: None,
        survivors: Vec::new(),
        heard: Instant::now(),
        late: None,
    };
    run.publish("run_started", &started);
    if let Some(sealer) = sealer(plan) {
        let first = run.publisher.chain().last;
        sealer.start(&run.record.id, &plan.job, &first).map_err(|err| unsigned(&err))?;
    }
    run.advance(Status::Starting).await;
    for (said, consequence) in said {
        run.hear(said, consequence);
    }
    run.carry_out().await;
    Ok(run)
}

/// Returns who signs, where anybody does.
pub(super) fn sealer(plan: &JobPlan) -> Option<Sealer<'_>> {
    let AuditPlan { key, origin } = plan.audit.as_ref()?;
    Some(Sealer { artifacts: &plan.artifacts, key, origin: origin.as_deref() })
}

pub(super) fn unsigned(err: &LogError) -> StoreError {
    StoreError::Unsigned { text: err.to_string(), hint: err.hint() }
}

/// Makes of each plugin what serves this run; the folders that they are granted are there afterwards.
fn live_plugins(
    plan: &JobPlan,
    plugins: Vec<Plugin>,
    record: &RunRecord,
    folder: &RunFolder,
    view: &Arc<View>,
) -> Result<Vec<(Arc<LivePlugin>, Uses)>, StoreError> {
    let run = RunInfo {
        id: record.id.clone(),
        job: plan.job.clone(),
        incarnation: 1,
        check_mode: plan.check,
        diff_mode: plan.diff,
        data: record.plan.clone(),
    };
    let mut list = Vec::new();
    for (plugin, wanted) in plugins.into_iter().zip(&plan.plugins) {
        for granted in &wanted.grants.write {
            let made = fs::create_dir_all(&granted.path);
            made.map_err(|source| StoreError::Io { path: granted.path.clone(), source })?;
        }
        let outputs = folder.plugin(&wanted.name)?;
        let live = LivePlugin::new(plugin, wanted, run.clone(), Arc::clone(view), outputs);
        list.push((Arc::new(live), uses(plan, &wanted.name)));
    }
    Ok(list)
}

/// Policies are asked in the order of the job's list, which need not be that of its plugins.
fn in_order(plan: &JobPlan, mut list: Vec<Judging>) -> Vec<Judging> {
    let place = |plugin: &LivePlugin| plan.cancel_policies.iter().position(|name| *name == plugin.identity.name);
    list.sort_by_key(|(plugin, _)| place(plugin));
    list
}

/// A policy and how often it is asked by time.
type Judging = (Arc<LivePlugin>, Option<Duration>);

fn disk(err: StoreError) -> Cause {
    Cause::HostTrouble { text: chain(&err) }
}

pub(super) fn disk_at(path: &Path, source: io::Error) -> Cause {
    disk(StoreError::Io { path: path.to_owned(), source })
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub(super) fn start(err: io::Error) -> Cause {
    Cause::CouldNotStart { text: err.to_string() }
}

/// How Ansible is started, and by what we hear of it.
pub(super) struct Way {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// What is added to the program's environment.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// Ansible's environment, where it has nothing of the program's.
    pub(super) environment_there: Option<Vec<(OsString, OsString)>>,
    pub(super) link: Link,
    /// The callback's end, where it inherits it.
    pub(super) socket: Option<OwnedFd>,
    pub(super) container: Option<Container>,
}

/// Ansible and its socket, while there are any.
pub(super) struct Live {
    pub(super) link: Link,
    /// Set once the guard has nothing more to do.
    pub(super) over: bool,
    pub(super) left_alive: Vec<Process>,
}

impl Run<'_> {
    /// Starts Ansible under its guard. The cause is the disk's, or Ansible's.
    pub(super) async fn launch(&mut self) -> Result<Live, Cause> {
        let mut added: Vec<(OsString, OsString)> =
            self.plan.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        if let Some(cache) = &self.plan.keep.fact_cache {
            added.push(("ANSIBLE_CACHE_PLUGIN".into(), "jsonfile".into()));
            added.push(("ANSIBLE_CACHE_PLUGIN_CONNECTION".into(), self.folder.path().join(&cache.name).into()));
        }
        let private = self.folder.private();
        let files = |source| StoreError::Io { path: private.clone(), source };
        let way = match &self.plan.ansible.container {
            None => self.on_machine(added)?,
            Some(container) => self.in_container(container, added)?,
        };
        let Way { program, arguments, environment: added, environment_there, link, socket, container } = way;
        self.write_command(&program, &arguments, environment_there.as_ref().unwrap_or(&added)).map_err(disk)?;
        if !self.plan.answers.is_empty() {
            let contained = container.is_some();
            let typist = Typist::new(&self.plan.answers, &private, contained);
            self.typist = Some(typist.map_err(|text| Cause::CouldNotStart { text })?);
        }
        let key = self
            .plan
            .ssh_key
            .as_ref()
            .map(|key| Key { text: Hidden(key.reveal().to_owned()), folders: self.agent_folders(&private) });
        let launch = Launch {
            program,
            arguments,
            environment: added,
            folder: self.plan.root.clone(),
            lock: self.folder.guard_lock(),
            interrupt: self.plan.stop.interrupt,
            terminate: self.plan.stop.terminate,
            kill_survivors: self.plan.stop.survivors == Survivors::Kill,
            temporary: TEMPORARY.map(str::to_owned).to_vec(),
            key,
            container,
            outlive_host: self.plan.ansible.on_host_loss == OnHostLoss::Continue,
        };
        let append = |name: &str| OpenOptions::new().append(true).open(private.join(name)).map_err(files).map_err(disk);
        let spawn = Spawn {
            guard: &self.settings.guard,
            stdout: append("stdout")?,
            stderr: append("stderr")?,
            socket,
            withheld: &self.plan.withheld,
            terminal: self.typist.as_ref().map(Typist::terminal),
        };
        self.guarded = Some(Guarded::spawn(spawn, launch).await.map_err(start)?);
        Ok(Live { link, over: false, left_alive: Vec::new() })
    }

    /// What starts Ansible on this machine as it is.
    fn on_machine(&self, mut added: Vec<(OsString, OsString)>) -> Result<Way, Cause> {
        let inherited = self.settings.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        let environment = inherited.chain(added.iter().cloned()).collect();
        let path = CallbackPath {
            program: &self.plan.ansible.config,
            folder: &self.plan.root,
            environment: &environment,
            cache: self.settings.cache.as_deref(),
        };
        let path = path.find().map_err(start)?;
        let private = self.folder.private();
        let handed = private.join("handed");
        let installed = Installed::into(&private, self.folder.spill()).map_err(|err| disk_at(&private, err))?;
        added.extend(installed.environment(&path, Spawn::SOCKET, &environment));
        added.extend(self.color());
        added.extend(beside(self.plan, &handed));
        hand_over(self.plan, &handed).map_err(|err| disk_at(&private, err))?;
        let (link, socket) = Link::pair(MAX_EVENT).map_err(start)?;
        Ok(Way {
            program: self.plan.ansible.executable.clone(),
            arguments: self.plan.arguments(&handed),
            environment: added,
            environment_there: None,
            link,
            socket: Some(socket),
            container: None,
        })
    }

    pub(super) fn color(&self) -> Option<(OsString, OsString)> {
        self.settings.color.then(|| ("ANSIBLE_FORCE_COLOR".into(), "1".into()))
    }

    /// Where the socket of an agent may be: beside the run's private files, or where such things usually are.
    fn agent_folders(&self, private: &Path) -> Vec<PathBuf> {
        let named = ["XDG_RUNTIME_DIR", "TMPDIR"].map(|name| self.settings.environment.get(OsStr::new(name)));
        let named = named.into_iter().flatten().map(PathBuf::from).filter(|path| path.is_absolute());
        std::iter::once(private.to_owned()).chain(named).chain([PathBuf::from("/tmp")]).collect()
    }

    /// The file `command`, as ansible-runner has it; of this machine's environment only what a run adds.
    fn write_command(
        &self,
        program: &Path,
        arguments: &[OsString],
        environment: &[(OsString, OsString)],
    ) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct Command {
            command: Vec<String>,
            cwd: String,
            env: BTreeMap<String, String>,
        }
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        let executable = program.to_owned().into_os_string();
        let command = Command {
            command: std::iter::once(&executable).chain(arguments).map(text).collect(),
            cwd: self.plan.root.display().to_string(),
            env: environment.iter().map(|(name, value)| (text(name), text(value))).collect(),
        };
        let json = self.publisher.redactor.json(Json::of(&command));
        self.folder.replace("command", json.text())
    }
}

/// What tells the callback to which folder generated plays belong. `handed` is where they lie, as Ansible sees it.
pub(super) fn beside(plan: &JobPlan, handed: &Path) -> Vec<(OsString, OsString)> {
    let Work::Play { beside, .. } = &plan.work else { return Vec::new() };
    let inside = plan.ansible.container.as_ref().and_then(|container| container.inside(beside));
    let folder = handed_playbook(handed).parent().unwrap_or(handed).to_owned();
    let beside = inside.unwrap_or_else(|| beside.clone());
    vec![("PLAYWARDEN_GENERATED".into(), folder.into()), ("PLAYWARDEN_BESIDE".into(), beside.into())]
}

/// Writes what the run hands to Ansible: plays and an inventory see the same files around them that they would see in the
/// user's folders.
pub(super) fn hand_over(plan: &JobPlan, handed: &Path) -> io::Result<()> {
    fs::create_dir(handed)?;
    // A link is followed where Ansible is.
    let there = |path: PathBuf| match &plan.ansible.container {
        Some(container) => container.inside(&path).unwrap_or(path),
        None => path,
    };
    let Handed { inventory, extra_vars, .. } = &plan.handed;
    if let Some(vars) = extra_vars {
        fs::write(handed_extra_vars(handed), vars.reveal())?;
    }
    if let Some(inventory) = inventory {
        let folder = handed.join("inventory");
        fs::create_dir(&folder)?;
        for name in ["group_vars", "host_vars"].map(OsStr::new) {
            if inventory.beside.join(name).exists() {
                symlink(there(inventory.beside.join(name)), folder.join(name))?;
            }
        }
        fs::write(folder.join(&inventory.name), inventory.text.reveal())?;
    }
    if let Work::Play { plays, beside } = &plan.work {
        let playbook = handed_playbook(handed);
        let folder = playbook.parent().unwrap_or(handed);
        fs::create_dir(folder)?;
        for entry in fs::read_dir(beside).into_iter().flatten().flatten() {
            if entry.path() != plan.artifacts && folder.join(entry.file_name()) != playbook {
                symlink(there(entry.path()), folder.join(entry.file_name()))?;
            }
        }
        fs::write(playbook, plays.to_string())?;
    }
    Ok(())
}

/// Writes `run.json`.
pub(super) fn write_record(folder: &RunFolder, record: &RunRecord) -> Result<(), StoreError> {
    let text = serde_json::to_string_pretty(record).expect("a run's record should be representable as JSON");
    folder.replace(RunRecord::FILE, &format!("{text}\n"))
}

/// Returns what is kept of a plan. Also what is too short to be looked for elsewhere is masked under its key.
fn recorded(plan: &JobPlan) -> Json {
    let mut kept = serde_json::to_value(plan).unwrap_or_default();
    for pointer in ["/extra_vars", "/env"] {
        if let Some(vars) = kept.pointer_mut(pointer) {
            plan.redact.hide("", vars, false);
        }
    }
    for plugin in kept.get_mut("plugins").and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
        if let Some(config) = plugin.get_mut("config") {
            plan.redact.hide("", config, false);
        }
    }
    Json::of(&kept)
}
