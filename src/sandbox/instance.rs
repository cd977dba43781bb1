//! One plugin in one run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use playwarden_event::{Event, Json, Reason, StartRequest, Timestamp, Totals, Verdict};

use crate::bindings::exports::playwarden::plugin as hooks;
use crate::bindings::playwarden::plugin::types as wit;
use crate::caller::{Caller, unserved};
use crate::capture::Notes;
use crate::clock::Clock;
use crate::contract::Indices;
use crate::convert;
use crate::fault::Fault;
use crate::grants::Grants;
use crate::guest::{Guest, RunAccess};
use crate::limits::Limits;
use crate::load::Plugin;
use crate::outputs::Outputs;
use crate::view::{Finish, RunView, StatusChange, Subscription};

/// What an instance needs to begin its work.
pub struct Setup {
    /// The plugin's config.
    pub config: Json,
    /// Its ceilings.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Grants,
    /// Which events it gets as a cancel policy, and how much of each.
    pub subscription: Subscription,
    /// Which events it gets as an event handler, and how much of each. Whatever else it is, it reads the journal so.
    pub handler: Subscription,
    /// Its folder for outputs and `log.jsonl`; must exist. What earlier instances of the run wrote there stays, and
    /// counts toward the limits.
    pub outputs: PathBuf,
    /// The run.
    pub run: RunInfo,
    /// The run so far.
    pub view: Arc<dyn RunView>,
    /// What an earlier instance of this run kept in its `state`.
    pub state: BTreeMap<String, Vec<u8>>,
    /// What it takes for the time, and for chance; none for this machine's.
    pub clock: Option<Clock>,
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

/// A plugin at work in a run.
///
/// After a fault that is not a [`FaultKind::Failure`](crate::FaultKind::Failure) the instance is dead: every further call
/// is a fault too. What it kept can still be taken ([`state`](Self::state)), for [`Plugin::start`] to go on with.
pub struct Instance {
    caller: Caller,
    indices: Arc<Indices>,
    limits: Limits,
    source: wit::Source,
    /// Whether an earlier instance of the run may have got events.
    resumed: bool,
    policy: Arc<Subscription>,
    handler: Arc<Subscription>,
    /// The last counters that each of the two was handed.
    judged: u64,
    handled: u64,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Makes the plugin's instance for a run, and calls its `lifecycle.start` if it has one. The same again, with what the
    /// last instance kept and the next incarnation, is a restart.
    ///
    /// # Errors
    /// When the instance cannot be made, or its start does not come to an answer or fails.
    pub async fn start(&self, setup: Setup) -> Result<Instance, Fault> {
        let Setup { config, limits, grants, subscription, handler, outputs, run, view, state, clock } = setup;
        let (policy, handler) = (Arc::new(subscription), Arc::new(handler));
        let call = "instantiate";
        let notes = Notes::open(Some(&outputs), limits.log).map_err(|err| unserved(call, err))?;
        let outputs = Outputs::open(outputs, limits.output).map_err(|err| unserved(call, err))?;
        let guest = Guest::new(config, &limits, notes, outputs, grants, clock.as_ref());
        let mut guest = guest.map_err(|why| unserved(call, why))?;
        guest.state = state;
        guest.run = Some(RunAccess { id: run.id.clone(), view, subscription: Arc::clone(&policy), handed: 0 });
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
            let start = caller.ask("lifecycle.start", limits.call, async |store, instance| {
                indices.load(&mut *store, instance)?.call_start(store, &info).await
            });
            start.await?;
        }
        let source = wit::Source { run: run.id, job: run.job };
        let (indices, resumed) = (Arc::clone(&self.indices), run.incarnation > 1);
        Ok(Instance { caller, indices, limits, source, resumed, policy, handler, judged: 0, handled: 0 })
    }
}

/// How far a call may look into the journal.
#[derive(Clone, Copy)]
enum Sight {
    To(u64),
    All,
}

impl Instance {
    /// Whether the plugin gets events of this name as a cancel policy.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.indices.cancel_policy.is_some() && self.policy.wants(name)
    }

    /// Whether the plugin gets events of this name as an event handler.
    #[must_use]
    pub fn hears(&self, name: &str) -> bool {
        self.indices.event_handler.is_some() && self.handler.wants(name)
    }

    /// Hands events to the policy, in order, and returns its verdict.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn evaluate(&mut self, events: &[Arc<Event>], totals: Totals) -> Result<Verdict, Fault> {
        let Some(indices) = &self.indices.cancel_policy else { return Ok(Verdict::Proceed) };
        self.judged = events.last().map_or(self.judged, |event| event.counter());
        // Not further, also where a tick has seen more: the verdict is to follow from these events.
        show(&mut self.caller, &self.policy, Sight::To(self.judged));
        let payload = &self.policy.payload;
        let events: Vec<_> = events.iter().map(|event| convert::event_to_guest(event, payload)).collect();
        let (source, totals) = (&self.source, convert::totals(totals));
        let ask = self.caller.ask("cancel-policy.evaluate", self.limits.call, async |store, instance| {
            indices.load(&mut *store, instance)?.call_evaluate(store, source, &events, totals).await
        });
        ask.await.map(|verdict| self.said(verdict))
    }

    /// Asks whether a task may start on a host.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn admit(&mut self, time: Timestamp, start: &StartRequest, totals: Totals) -> Result<Verdict, Fault> {
        let Some(indices) = &self.indices.start_policy else { return Ok(Verdict::Proceed) };
        show(&mut self.caller, &self.policy, Sight::All);
        let start = convert::start(time.ns(), start);
        let (source, totals) = (&self.source, convert::totals(totals));
        let ask = self.caller.ask("start-policy.admit", self.limits.call, async |store, instance| {
            indices.load(&mut *store, instance)?.call_admit(store, source, &start, totals).await
        });
        ask.await.map(|verdict| self.said(verdict))
    }

    /// Asks as time goes by.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn tick(&mut self, now: Timestamp, totals: Totals) -> Result<Verdict, Fault> {
        let Some(indices) = &self.indices.tick_policy else { return Ok(Verdict::Proceed) };
        show(&mut self.caller, &self.policy, Sight::All);
        let (source, totals) = (&self.source, convert::totals(totals));
        let ask = self.caller.ask("tick-policy.tick", self.limits.call, async |store, instance| {
            indices.load(&mut *store, instance)?.call_tick(store, source, now.ns(), totals).await
        });
        ask.await.map(|verdict| self.said(verdict))
    }

    /// Hands events to the event handler, in order, and returns the counter up to which it needs nothing again. That may be
    /// less than it was told before, and less than an earlier incarnation said: the larger number counts. With no events
    /// it is asked to finish what is pending.
    ///
    /// The list is handed over as it is; see [`size`](crate::size()) for how long it may become.
    ///
    /// # Errors
    /// When the call does not come to an answer, or acknowledges what the plugin was not handed.
    pub async fn on_events(&mut self, events: &[Arc<Event>]) -> Result<u64, Fault> {
        self.handled = events.last().map_or(0, |event| event.counter()).max(self.handled);
        let Some(indices) = &self.indices.event_handler else { return Ok(self.handled) };
        show(&mut self.caller, &self.handler, Sight::To(self.handled));
        let payload = &self.handler.payload;
        let events: Vec<_> = events.iter().map(|event| convert::event_to_guest(event, payload)).collect();
        let source = &self.source;
        let call = "event-handler.on-events";
        let ask = self.caller.ask(call, self.limits.call, async |store, instance| {
            indices.load(&mut *store, instance)?.call_on_events(store, source, &events).await
        });
        match (ask.await?, self.handled) {
            (counter, handled) if counter <= handled => Ok(counter),
            // It speaks of what an earlier incarnation got, which says nothing new.
            (_, 0) if self.resumed => Ok(0),
            (counter, 0) => Err(self.caller.failed(call, format!("acknowledged event {counter}, but had got none"))),
            (counter, handled) => {
                let text = format!("acknowledged event {counter}, but had got none after {handled}");
                Err(self.caller.failed(call, text))
            }
        }
    }

    /// Tells the status handler.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn on_status(&mut self, change: &StatusChange) -> Result<(), Fault> {
        let Some(indices) = &self.indices.status_handler else { return Ok(()) };
        show(&mut self.caller, &self.handler, Sight::All);
        let change = convert::change(&self.source, change);
        let ask = self.caller.ask("status-handler.on-status", self.limits.call, async |store, instance| {
            indices.load(&mut *store, instance)?.call_on_status(store, &change).await
        });
        ask.await
    }

    /// Tells the finished callback. It has a deadline of its own.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn on_finished(&mut self, finish: &Finish) -> Result<(), Fault> {
        let Some(indices) = &self.indices.finished_callback else { return Ok(()) };
        show(&mut self.caller, &self.handler, Sight::All);
        let finish = convert::finish(&self.source, finish);
        let ask = self.caller.ask("finished-callback.on-finished", self.limits.finish, async |store, instance| {
            indices.load(&mut *store, instance)?.call_on_finished(store, &finish).await
        });
        ask.await
    }

    /// Takes a verdict, without the guest's secrets.
    fn said(&self, verdict: wit::Verdict) -> Verdict {
        let hide = |reason: Reason| Reason { text: self.caller.guest().notes.hidden(reason.text), ..reason };
        match convert::verdict(verdict) {
            Verdict::Proceed => Verdict::Proceed,
            Verdict::Warn(reason) => Verdict::Warn(hide(reason)),
            Verdict::Cancel(reason, stop) => Verdict::Cancel(hide(reason), stop),
        }
    }

    /// Makes the last call. It has a deadline of its own.
    ///
    /// # Errors
    /// When the call does not come to an answer.
    pub async fn stop(&mut self) -> Result<(), Fault> {
        let Some(indices) = &self.indices.lifecycle else { return Ok(()) };
        let stop = self.caller.call("lifecycle.stop", self.limits.finish, async |store, instance| {
            indices.load(&mut *store, instance)?.call_stop(store).await
        });
        stop.await
    }

    /// Takes what the plugin kept in its `state`, for its next incarnation. Also there after a fault.
    pub fn state(&mut self) -> BTreeMap<String, Vec<u8>> {
        std::mem::take(&mut self.caller.guest_mut().state)
    }

    /// Returns the bytes of memory that it has.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.caller.guest().memory.used()
    }

    /// Writes a line of the host's own into the plugin's `log.jsonl`. It costs the plugin nothing of its limit; a line that
    /// cannot be written is dropped.
    pub fn note(&mut self, level: &str, text: &str) {
        self.caller.guest().notes.note(level, text);
    }
}

/// Sets what the next call may see of the journal.
fn show(caller: &mut Caller, subscription: &Arc<Subscription>, sight: Sight) {
    if let Some(run) = &mut caller.guest_mut().run {
        run.subscription = Arc::clone(subscription);
        run.handed = match sight {
            Sight::To(counter) => counter,
            Sight::All => run.view.last(),
        };
    }
}
