//! One plugin in one run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use playwarden_event::{Event, Json, StartRequest, Timestamp, Totals, Verdict};
use wasmtime::component::Instance as WasmInstance;
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::bindings::exports::playwarden::plugin as hooks;
use crate::bindings::playwarden::plugin::types as wit;
use crate::capture::Notes;
use crate::convert;
use crate::fault::{Fault, FaultKind};
use crate::guest::{Guest, RunAccess};
use crate::limits::{Deadline, HOST_CALL_BYTES, Limits, bytes};
use crate::load::{Indices, Plugin};
use crate::view::{RunView, Subscription};

/// Time that a call cut at its deadline gets to come back by itself before it is dropped where it stands.
const GRACE: Duration = Duration::from_millis(100);

/// What an instance needs to begin its work.
pub struct Setup {
    /// The plugin's config.
    pub config: Json,
    /// Its ceilings.
    pub limits: Limits,
    /// Which events it gets.
    pub subscription: Subscription,
    /// Its folder for outputs and `log.jsonl`; must exist.
    pub outputs: PathBuf,
    /// The run.
    pub run: RunInfo,
    /// The run so far.
    pub view: Arc<dyn RunView>,
    /// What an earlier instance of this run kept in its `state`.
    pub state: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("run", &self.run).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The run that an instance serves.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// The run id.
    pub id: String,
    /// The job's name in runner.toml.
    pub job: String,
    /// 1; more after a restart.
    pub incarnation: u32,
    /// The run only looks.
    pub check_mode: bool,
    /// The run shows differences.
    pub diff_mode: bool,
    /// The resolved plan as JSON, without secrets.
    pub data: Json,
}

/// A store and the instance in it: what every call goes through.
pub(crate) struct Caller {
    store: Store<Guest>,
    instance: WasmInstance,
}

impl Caller {
    pub(crate) async fn instantiate(plugin: &Plugin, guest: Guest, limits: Limits) -> Result<Self, Fault> {
        let mut store = Store::new(plugin.pre.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.epoch_deadline_callback(|context| {
            let over = context.data().deadline.is_over();
            // Going on gives the runtime its thread back for a moment, at every tick.
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        let call = "instantiate";
        store.data_mut().deadline = Deadline::after(limits.call);
        // Before anything runs: the deadline of a fresh store is already over.
        store.set_epoch_deadline(1);
        let made = tokio::time::timeout(limits.call + GRACE, plugin.pre.instantiate_async(&mut store)).await;
        match made {
            Ok(Ok(instance)) => Ok(Self { store, instance }),
            Ok(Err(err)) => Err(fault(call, limits.call, &err, store.data())),
            Err(_) => Err(timeout(call, limits.call, store.data())),
        }
    }

    /// Makes one call under its deadline.
    pub(crate) async fn call<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(&mut Store<Guest>, &WasmInstance) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let guest = self.store.data_mut();
        guest.memory.refused = false;
        guest.deadline = Deadline::after(limit);
        self.store.set_epoch_deadline(1);
        // The second clock is for time spent in the host's functions, where the first one does not tick.
        match tokio::time::timeout(limit + GRACE, call(&mut self.store, &self.instance)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(err)) => Err(fault(name, limit, &err, self.store.data())),
            Err(_) => Err(timeout(name, limit, self.store.data())),
        }
    }

    /// Lets the guest look at the run up to its last event.
    fn show_all(&mut self) {
        if let Some(run) = &mut self.store.data_mut().run {
            run.handed = run.view.last();
        }
    }
}

/// A plugin at work in a run.
///
/// After a fault that is not a [`FaultKind::Failure`] the instance is dead: every further call is a fault too.
pub struct Instance {
    caller: Caller,
    indices: Arc<Indices>,
    limits: Limits,
    source: wit::Source,
    subscription: Subscription,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Makes the plugin's instance for a run, and calls its `lifecycle.start` if it has one.
    ///
    /// # Errors
    /// When the instance cannot be made, or its start does not come to an answer or fails.
    pub async fn start(&self, setup: Setup) -> Result<Instance, Fault> {
        let Setup { config, limits, subscription, outputs, run, view, state } = setup;
        let notes = Notes::open(Some(&outputs), limits.log).map_err(|err| Instance::host_fault("instantiate", &err))?;
        let mut guest = Guest::new(config, &limits, notes, Some(outputs));
        guest.state = state;
        guest.run = Some(RunAccess { id: run.id.clone(), view, subscription: subscription.clone(), handed: 0 });
        let mut caller = Caller::instantiate(self, guest, limits).await?;

        if let Some(indices) = &self.indices.lifecycle {
            let info = hooks::lifecycle::Run {
                id: run.id.clone(),
                name: run.job.clone(),
                workflow: false,
                incarnation: run.incarnation,
                check_mode: run.check_mode,
                diff_mode: run.diff_mode,
                data: run.data.text().to_owned(),
            };
            let call = "lifecycle.start";
            let answer = caller
                .call(call, limits.call, async |store, instance| {
                    indices.load(&mut *store, instance)?.call_start(store, &info).await
                })
                .await?;
            answer.map_err(|failure| failed(call, failure, caller.store.data()))?;
        }
        let source = wit::Source { run: run.id, job: run.job };
        Ok(Instance { caller, indices: Arc::clone(&self.indices), limits, source, subscription })
    }
}

impl Instance {
    /// Whether the plugin gets events of this name.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.indices.cancel_policy.is_some() && self.subscription.wants(name)
    }

    /// Hands events to the policy, in order, and returns its verdict.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn evaluate(&mut self, events: &[Arc<Event>], totals: Totals) -> Result<Verdict, Fault> {
        let Some(indices) = &self.indices.cancel_policy else { return Ok(Verdict::Proceed) };
        if let (Some(run), Some(last)) = (&mut self.caller.store.data_mut().run, events.last()) {
            // Not further, also where a tick has seen more: the verdict is to follow from these events.
            run.handed = last.counter();
        }
        let payload = &self.subscription.payload;
        let events: Vec<_> = events.iter().map(|event| convert::event_to_guest(event, payload)).collect();
        let (source, totals) = (&self.source, convert::totals(totals));
        let call = "cancel-policy.evaluate";
        let answer = self
            .caller
            .call(call, self.limits.call, async |store, instance| {
                indices.load(&mut *store, instance)?.call_evaluate(store, source, &events, totals).await
            })
            .await?;
        answer.map(convert::verdict).map_err(|failure| failed(call, failure, self.caller.store.data()))
    }

    /// Asks whether a task may start on a host.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn admit(&mut self, time: Timestamp, start: &StartRequest, totals: Totals) -> Result<Verdict, Fault> {
        let Some(indices) = &self.indices.start_policy else { return Ok(Verdict::Proceed) };
        self.caller.show_all();
        let start = convert::start(time.ns(), start);
        let (source, totals) = (&self.source, convert::totals(totals));
        let call = "start-policy.admit";
        let answer = self
            .caller
            .call(call, self.limits.call, async |store, instance| {
                indices.load(&mut *store, instance)?.call_admit(store, source, &start, totals).await
            })
            .await?;
        answer.map(convert::verdict).map_err(|failure| failed(call, failure, self.caller.store.data()))
    }

    /// Asks as time goes by.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn tick(&mut self, now: Timestamp, totals: Totals) -> Result<Verdict, Fault> {
        let Some(indices) = &self.indices.tick_policy else { return Ok(Verdict::Proceed) };
        self.caller.show_all();
        let (source, totals) = (&self.source, convert::totals(totals));
        let call = "tick-policy.tick";
        let answer = self
            .caller
            .call(call, self.limits.call, async |store, instance| {
                indices.load(&mut *store, instance)?.call_tick(store, source, now.ns(), totals).await
            })
            .await?;
        answer.map(convert::verdict).map_err(|failure| failed(call, failure, self.caller.store.data()))
    }

    /// Makes the last call. It has a deadline of its own.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn stop(mut self) -> Result<(), Fault> {
        let Some(indices) = &self.indices.lifecycle else { return Ok(()) };
        let stop = async |store: &mut Store<Guest>, instance: &WasmInstance| {
            indices.load(&mut *store, instance)?.call_stop(store).await
        };
        self.caller.call("lifecycle.stop", self.limits.finish, stop).await
    }

    pub(crate) fn host_fault(call: &'static str, err: &dyn std::error::Error) -> Fault {
        let text = format!("could not be served: {err}");
        Fault { call, kind: FaultKind::Host, text, stderr: String::new() }
    }
}

fn failed(call: &'static str, failure: wit::Failure, guest: &Guest) -> Fault {
    let text = format!("answered with a failure: {}", convert::cut(failure.message, 4096));
    Fault { call, kind: FaultKind::Failure, text, stderr: guest.notes.take_stderr() }
}

fn timeout(call: &'static str, limit: Duration, guest: &Guest) -> Fault {
    let text = format!("took longer than {limit:?}");
    Fault { call, kind: FaultKind::Timeout, text, stderr: guest.notes.take_stderr() }
}

/// Says what an error of wasmtime's was, in our words where we know better.
fn fault(call: &'static str, limit: Duration, err: &wasmtime::Error, guest: &Guest) -> Fault {
    let trap = err.downcast_ref::<Trap>();
    let (kind, text) = if trap == Some(&Trap::Interrupt) {
        return timeout(call, limit, guest);
    } else if let Some(trouble) = guest.notes.trouble() {
        (FaultKind::Host, trouble)
    } else if guest.memory.refused {
        (FaultKind::Memory, format!("needed more memory than its {}", bytes(guest.memory.limit())))
    } else if guest.notes.over_limit() {
        (FaultKind::Log, err.root_cause().to_string())
    } else if let Some(trap) = trap {
        (FaultKind::Trap, trapped(*trap))
    } else {
        (FaultKind::Trap, convert::cut(format!("{err:#}"), 4096))
    };
    Fault { call, kind, text, stderr: guest.notes.take_stderr() }
}

fn trapped(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => {
            "gave up (an `unreachable` trap: a panic or an exception nobody caught)".to_owned()
        }
        Trap::StackOverflow => "used up its stack".to_owned(),
        Trap::CannotEnterComponent => "is dead after an earlier fault".to_owned(),
        other => format!("trapped: {other}"),
    }
}
