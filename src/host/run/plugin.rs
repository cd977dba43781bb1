//! One plugin in one run: its instance, shared by everybody who asks it, and what becomes of it when it breaks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use playwarden_event::kind::PluginFault;
use playwarden_event::{Cause, Json, PluginIdentity, Stop};
use playwarden_sandbox::{
    Clock, Fault, FaultKind, Grants, Instance, Limits, Payload, Plugin, RunInfo, RunView, Setup, Subscription,
};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use super::policies::{Consequence, Said};
use super::prepare::{grants, limits};
use super::view::View;
use crate::config::{self, FaultAction, Mode, OnFault, Restart};
use crate::plan::PluginPlan;

/// What a plugin is asked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    CancelPolicy,
    EventHandler,
    StatusHandler,
    FinishedCallback,
}

impl Hook {
    /// The function of the contract that is called for it, where that is one.
    pub(crate) fn call(self) -> &'static str {
        match self {
            Self::CancelPolicy => "cancel-policy.evaluate",
            Self::EventHandler => "event-handler.on-events",
            Self::StatusHandler => "status-handler.on-status",
            Self::FinishedCallback => "finished-callback.on-finished",
        }
    }
}

/// A plugin that serves a run.
///
/// All hooks of a plugin share one instance, so they are asked one after the other. An instance that broke is replaced
/// as often as `restart` allows, with what it kept in its `state`.
#[derive(Debug)]
pub(crate) struct LivePlugin {
    pub(crate) identity: PluginIdentity,
    pub(crate) plugin: Plugin,
    /// For events that it judges.
    pub(crate) judged: Subscription,
    /// For events that it is told of.
    pub(crate) heard: Subscription,
    pub(crate) limits: Limits,
    mode: Mode,
    on_fault: OnFault,
    restart: Restart,
    config: Json,
    grants: Grants,
    outputs: PathBuf,
    run: RunInfo,
    view: Arc<View>,
    clock: Option<Clock>,
    faulty: AtomicBool,
    life: Mutex<Life>,
}

#[derive(Debug, Default)]
struct Life {
    instance: Option<Instance>,
    /// How often an instance was made or tried to be made.
    incarnation: u32,
    /// What the last instance kept.
    state: BTreeMap<String, Vec<u8>>,
    /// The call that is under way.
    calling: Option<&'static str>,
    /// The next instance is not made before.
    not_before: Option<Instant>,
    /// Where it broke for the last time.
    gone: Option<&'static str>,
}

impl Life {
    /// Ends an instance whose call was dropped where it stood.
    fn bury(&mut self) {
        if let Some(call) = self.calling.take() {
            self.instance = None;
            self.gone = Some(call);
        }
    }
}

/// A call that did not come to an answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) fault: Fault,
    /// There will be another instance, which may be asked the same.
    pub(crate) again: bool,
}

impl LivePlugin {
    pub(crate) fn new(plugin: Plugin, plan: &PluginPlan, run: RunInfo, view: Arc<View>, outputs: PathBuf) -> Self {
        Self {
            identity: plugin.identity().clone(),
            plugin,
            judged: subscription(plan, Payload::None),
            heard: subscription(plan, Payload::Full),
            limits: limits(plan),
            mode: plan.mode,
            on_fault: plan.on_fault,
            restart: plan.restart,
            config: Json::of(&plan.config),
            grants: grants(plan),
            outputs,
            run,
            view,
            clock: None,
            faulty: AtomicBool::new(false),
            life: Mutex::default(),
        }
    }

    /// Has its instances take the time, and chance, from this clock.
    pub(crate) fn living_by(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Makes the first instance, which the first question would else do.
    pub(crate) async fn start(&self) -> Result<(), Broken> {
        self.ask("instantiate", async |_| Ok(())).await
    }

    /// Gives up an instance whose call was dropped where it stood. One that was not called stays.
    pub(crate) fn abandon(&self) {
        if let Ok(mut life) = self.life.try_lock() {
            life.bury();
        }
    }

    /// Makes a call, of this name in the contract. What breaks the instance ends it here, so that nobody asks a dead one.
    pub(crate) async fn ask<T>(
        &self,
        name: &'static str,
        call: impl AsyncFnOnce(&mut Instance) -> Result<T, Fault>,
    ) -> Result<T, Broken> {
        let mut life = self.awake().await;
        life.bury();
        if let Some(place) = life.gone {
            let text = format!("is gone since it broke in `{place}`");
            let fault = Fault { call: name, kind: FaultKind::Host, text, stderr: String::new(), retry_after: None };
            return Err(Broken { fault, again: false });
        }
        life.calling = Some(name);
        let (answer, made) = match self.instance(&mut life).await {
            Ok(instance) => (call(instance).await, true),
            Err(fault) => (Err(fault), false),
        };
        life.calling = None;
        let mut fault = match answer {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        // Only an answer leaves the instance alive; one that could not begin is not made again and again.
        let alive = made && fault.kind == FaultKind::Failure;
        if !made {
            fault.retry_after = None;
        }
        let again = !alive && self.lay_down(&mut life, &fault);
        Err(Broken { fault, again })
    }

    /// Waits until another instance may be made, without keeping others from asking meanwhile.
    async fn awake(&self) -> MutexGuard<'_, Life> {
        loop {
            let life = self.life.lock().await;
            match life.not_before.filter(|time| life.instance.is_none() && *time > Instant::now()) {
                None => return life,
                Some(time) => {
                    drop(life);
                    sleep_until(time).await;
                }
            }
        }
    }

    /// Returns the instance, after making one if there is none.
    async fn instance<'a>(&self, life: &'a mut Life) -> Result<&'a mut Instance, Fault> {
        if life.instance.is_none() {
            life.incarnation += 1;
            let setup = Setup {
                config: self.config.clone(),
                limits: self.limits,
                subscription: self.judged.clone(),
                handler: self.heard.clone(),
                grants: self.grants.clone(),
                outputs: self.outputs.clone(),
                run: RunInfo { incarnation: life.incarnation, ..self.run.clone() },
                view: Arc::clone(&self.view) as _,
                state: life.state.clone(),
                clock: self.clock.clone(),
            };
            life.instance = Some(self.plugin.start(setup).await?);
        }
        // Just made, where there was none.
        life.instance.as_mut().ok_or_else(|| Fault {
            call: "instantiate",
            kind: FaultKind::Host,
            text: "there is no instance".to_owned(),
            stderr: String::new(),
            retry_after: None,
        })
    }

    /// Ends an instance that is well, without a word to it. The next call makes another one.
    pub(crate) async fn renew(&self) {
        let mut life = self.life.lock().await;
        if let Some(mut instance) = life.instance.take() {
            life.state = instance.state();
        }
    }

    /// Ends the instance. Whether there will be another.
    fn lay_down(&self, life: &mut Life, fault: &Fault) -> bool {
        if let Some(mut instance) = life.instance.take() {
            life.state = instance.state();
        }
        let restarts = life.incarnation.saturating_sub(1);
        if life.gone.is_some() || restarts >= self.restart.max {
            life.gone.get_or_insert(fault.call);
            return false;
        }
        let wait = self.restart.backoff.saturating_mul(1 << restarts.min(16));
        life.not_before = Instant::now().checked_add(wait);
        true
    }

    /// Writes a line of our own into the plugin's log.
    pub(crate) async fn note(&self, level: &'static str, text: &str) {
        if let Some(instance) = &mut self.life.lock().await.instance {
            instance.note(level, text);
        }
    }

    /// Makes the last call, if there is anybody to take it.
    pub(crate) async fn stop(&self) -> Result<(), Fault> {
        match self.life.lock().await.instance.take() {
            Some(mut instance) => instance.stop().await,
            None => Ok(()),
        }
    }

    pub(crate) fn is_faulty(&self) -> bool {
        self.faulty.load(Ordering::Relaxed)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Says what a fault means for the run.
    pub(crate) fn said(&self, hook: Hook, broken: Broken) -> (Said, Consequence) {
        let Broken { fault, again } = broken;
        self.faulty.store(true, Ordering::Relaxed);
        let cause = Cause::PluginFault { name: self.identity.name.clone(), text: fault.to_string() };
        let action = match hook {
            // A policy that only watches ends nothing, not by breaking either.
            Hook::CancelPolicy if self.mode == Mode::Monitor => FaultAction::Ignore,
            Hook::CancelPolicy => self.on_fault.cancel_policy,
            Hook::EventHandler => self.on_fault.event_handler,
            Hook::StatusHandler => self.on_fault.status_handler,
            Hook::FinishedCallback => self.on_fault.finished_callback,
        };
        let (word, consequence) = match action {
            _ if again => ("restart", Consequence::Again),
            FaultAction::Ignore => ("ignore", Consequence::Nothing),
            FaultAction::Fail => ("fail", Consequence::Fail(cause)),
            FaultAction::Cancel => ("cancel", Consequence::End(cause, Stop::Now)),
        };
        let said = PluginFault {
            plugin: self.identity.clone(),
            call: fault.call.to_owned(),
            fault: fault.kind.word().to_owned(),
            text: fault.text,
            stderr: fault.stderr,
            on_fault: word.to_owned(),
        };
        (Said::Fault(said), consequence)
    }
}

/// What an instance of a plugin needs where there is no run.
pub(crate) fn setup(plan: &PluginPlan, outputs: PathBuf, view: Arc<dyn RunView>) -> Setup {
    let (id, job) = ("run".to_owned(), "job".to_owned());
    Setup {
        config: Json::of(&plan.config),
        limits: limits(plan),
        subscription: subscription(plan, Payload::None),
        handler: subscription(plan, Payload::Full),
        grants: grants(plan),
        outputs,
        run: RunInfo { id, job, incarnation: 1, check_mode: false, diff_mode: false, data: Json::default() },
        view,
        state: BTreeMap::new(),
        clock: None,
    }
}

/// Which events a plugin gets, and how much of each; `usual` where runner.toml leaves that to the hook.
fn subscription(plan: &PluginPlan, usual: Payload) -> Subscription {
    let payload = match &plan.payload {
        None => usual,
        Some(config::Payload::None) => Payload::None,
        Some(config::Payload::Full) => Payload::Full,
        Some(config::Payload::Pointers(pointers)) => Payload::Pointers(pointers.clone()),
    };
    Subscription { events: plan.events.clone(), payload }
}
