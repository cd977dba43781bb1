//! Recorded events through a plugin again: how a policy is tested, and tried on what has happened.
//!
//! A policy is asked the same questions as in the run, because they follow from the journal alone; questions by time
//! are others, since nothing is written of them when they come to nothing: they are asked at each `tick` of the recorded
//! time, and where one was written of. A handler gets the same events in the same order, in lists of its own. A plugin's clock is that of the run, and
//! chance is none: the same run shown in the same way makes it say the same.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use playwarden_event::kind::{PluginFault, PolicyVerdict, Question, VerdictWord};
use playwarden_event::reader::{JournalReader, ReadError};
use playwarden_event::{Event, EventKind, Json, Outcome, StartRequest, Timestamp};
use playwarden_sandbox::{Clock, Finish, Instance, Plugin, RunInfo, RunView as _, Sandbox, StatusChange};
use serde::Serialize;

use super::plugin::{Broken, Hook, LivePlugin};
use super::policies::{Consequence, Policies, Said, ends_list, is_plugins_own};
use super::prepare::{TroubleKind, load};
use super::view::View;
use crate::config::CancelWhen;
use crate::plan::PluginPlan;
use crate::store::StoredRun;

/// A list of events for a handler is never longer.
const LIST: usize = 64;

/// A plugin that recorded runs can be shown to.
#[derive(Debug)]
pub struct Replay {
    plugin: Plugin,
    plan: PluginPlan,
    reaches: bool,
    /// What it has to say of its config nevertheless.
    pub warnings: Vec<TroubleKind>,
}

/// A run that is over, or a list of events that somebody wrote.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What the plugin is told of it.
    pub info: RunInfo,
    /// Its journal.
    pub journal: PathBuf,
    /// How it ended, where that is not in the journal.
    pub outcome: Option<Outcome>,
    /// Counters of events after which the plugin has another instance, as after a fault that it had with the next one.
    pub restart_after: Vec<u32>,
}

impl From<&StoredRun> for Recorded {
    fn from(run: &StoredRun) -> Self {
        let flag = |key: &str| run.record.plan.pointer(key).is_some_and(|value| value.text() == "true");
        let info = RunInfo {
            id: run.record.id.clone(),
            job: run.record.job.clone(),
            incarnation: 1,
            check_mode: flag("/check"),
            diff_mode: flag("/diff"),
            data: run.record.plan.clone(),
        };
        Self {
            info,
            journal: run.folder.join("events.jsonl"),
            outcome: run.record.outcome.clone(),
            restart_after: Vec::new(),
        }
    }
}

/// What was said, and the counter of the last event before it.
#[derive(Clone, Debug, Serialize)]
pub struct At<T> {
    /// 0 before the first event.
    pub after: u64,
    /// What was said.
    #[serde(flatten)]
    pub said: T,
}

/// What a replay came to.
#[derive(Clone, Debug, Default)]
pub struct CameTo {
    /// Events in the journal.
    pub events: u64,
    /// Up to here the event handler needs nothing again; none when the plugin is none.
    pub acknowledged: Option<u64>,
    /// Starts of a task on a host that came after the first cancel, and their hosts: what would not have been touched.
    pub spared: Vec<(String, String)>,
    /// What it had to say about the run, in order.
    pub verdicts: Vec<At<Box<PolicyVerdict>>>,
    /// Where it broke, in order.
    pub faults: Vec<At<PluginFault>>,
}

impl CameTo {
    /// Returns the verdict by which the run would have been canceled, also where the plan has the policy only look on.
    #[must_use]
    pub fn cancel(&self) -> Option<&At<Box<PolicyVerdict>>> {
        self.verdicts.iter().find(|at| at.said.verdict == VerdictWord::Cancel)
    }
}

/// A recorded run could not be shown to a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be opened.
    #[error("`{}` cannot be read", .0.display())]
    Open(PathBuf, #[source] std::io::Error),
    /// The journal is damaged.
    #[error("`{}` is damaged", .0.display())]
    Damaged(PathBuf, #[source] ReadError),
    /// A folder that the plugin is granted cannot be made.
    #[error("the folder `{}` cannot be made", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
}

impl Replay {
    /// Loads a plugin and asks it about its config. Where it may not reach anybody, its requests over HTTP are refused.
    ///
    /// # Errors
    /// Returns everything that was found when the plugin cannot be used.
    pub async fn prepare(plan: PluginPlan, reaches: bool, sandbox: &Sandbox) -> Result<Self, Vec<TroubleKind>> {
        let (plugin, warnings) = load(&plan, sandbox).await?;
        Ok(Self { plugin, plan, reaches, warnings })
    }

    /// Shows a recorded run to a new instance of the plugin. All hooks that it offers are called. What it writes goes below
    /// `outputs`, a folder that must exist.
    ///
    /// # Errors
    /// When the journal cannot be read; what was said up to there was told.
    pub async fn show(&self, run: &Recorded, outputs: &Path) -> Result<CameTo, ReplayError> {
        let path = run.journal.clone();
        let file = File::open(&path).map_err(|err| ReplayError::Open(path.clone(), err))?;
        let copy = file.try_clone().map_err(|err| ReplayError::Open(path.clone(), err))?;
        let view = Arc::new(View::new(Arc::new(copy)));
        let mut plan = self.plan.clone();
        if !self.reaches {
            // What was linked for it stays, and refuses everything.
            plan.grants.http.clear();
        }
        for granted in plan.grants.write.iter().filter(|_| self.reaches) {
            fs::create_dir_all(&granted.path).map_err(|err| ReplayError::Folder(granted.path.clone(), err))?;
        }
        let live = LivePlugin::new(self.plugin.clone(), &plan, run.info.clone(), Arc::clone(&view), outputs.to_owned());
        let clock = Clock::new(&run.info.id);
        let live = Arc::new(live.living_by(clock.clone()));
        let judging = self.plugin.hooks().cancel_policy.then(|| (Arc::clone(&live), None));
        let (policies, said) = Policies::start(judging.into_iter().collect(), Vec::new(), CancelWhen::Any, &view).await;
        let mut show = Show {
            policies,
            hooks: self.plugin.hooks(),
            live,
            view,
            clock,
            tick: plan.tick.filter(|_| self.plugin.has_tick()).map(|every| (every, None)),
            list: Vec::new(),
            pending: Vec::new(),
            asked_about: HashSet::new(),
            canceled: false,
            wanted_cancel: false,
            list_ended: false,
            over: false,
            came_to: CameTo::default(),
        };
        if show.hooks.event_handler {
            show.came_to.acknowledged = Some(0);
        }
        said.into_iter().for_each(|(said, _)| show.said(said));

        let mut reader = JournalReader::new(BufReader::new(file));
        let mut place = 0;
        let mut outcome = run.outcome.clone();
        loop {
            let (line, event) = match reader.next_line() {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(err) => return Err(ReplayError::Damaged(path, err)),
            };
            let end = place + line.len() as u64;
            let counter = event.counter();
            show.event(Arc::new(event), place..end, &mut outcome).await;
            if run.restart_after.iter().any(|after| u64::from(*after) == counter) {
                show.restart().await;
            }
            place = end + 1;
        }
        Ok(show.end(outcome).await)
    }
}

/// One run on its way through a plugin.
struct Show {
    policies: Policies,
    hooks: playwarden_sandbox::Hooks,
    live: Arc<LivePlugin>,
    view: Arc<View>,
    /// The time of the last event.
    clock: Clock,
    /// How often it is asked by time, and when the next time is, once there was an event.
    tick: Option<(Duration, Option<Timestamp>)>,
    /// Events that the handler gets next.
    list: Vec<Arc<Event>>,
    /// Events that it had and did not acknowledge, for another instance.
    pending: Vec<Arc<Event>>,
    /// Starts that were asked about already, by uuid: a verdict about one stands before it, and there may be several.
    asked_about: HashSet<String>,
    canceled: bool,
    /// A policy wanted that, also where it may only look on.
    wanted_cancel: bool,
    /// The last event that is not a plugin's own ended the policy's list.
    list_ended: bool,
    /// The run had come to its end: policies were not asked any more.
    over: bool,
    came_to: CameTo,
}

impl Show {
    async fn event(&mut self, event: Arc<Event>, place: std::ops::Range<u64>, outcome: &mut Option<Outcome>) {
        self.tick(&event).await;
        self.clock.set(event.head().created);
        if let Some(start) = self.start(&event) {
            self.settle(true).await;
            self.admit(&event, &start).await;
        } else if self.all_were_asked(&event) {
            self.settle(true).await;
        }
        self.over |= is_the_end(&event);
        if !is_plugins_own(&event) {
            self.list_ended = ends_list(&event);
        }
        self.view.push(&event, place);
        self.came_to.events = event.counter();
        if !self.over {
            self.policies.push(&event);
            self.settle(false).await;
        }
        if self.hooks.event_handler && self.live.heard.wants(event.name()) {
            self.list.push(Arc::clone(&event));
        }
        if self.list.len() >= LIST {
            self.hand_over().await;
        }
        match event.kind() {
            EventKind::StatusChanged(change) if self.hooks.status_handler => {
                let change = StatusChange {
                    from: change.from,
                    to: change.to,
                    time: event.head().created,
                    detail: change.detail.clone(),
                    totals: self.view.totals(),
                    data: Json::of(&serde_json::Map::new()),
                };
                self.ask(Hook::StatusHandler, async |instance| instance.on_status(&change).await).await;
            }
            EventKind::RunFinished(finished) => *outcome = Some(Outcome::clone(finished)),
            EventKind::RunnerOnStart(start) if self.wanted_cancel => {
                let task = event.context().task.clone().unwrap_or_default();
                self.came_to.spared.push((start.host.clone(), task));
            }
            _ => {}
        }
    }

    /// Has the plugin begin anew behind the last event, with the state that it had.
    async fn restart(&mut self) {
        self.settle(true).await;
        if self.hooks.event_handler && !self.list.is_empty() {
            self.hand_over().await;
        }
        self.live.renew().await;
        self.list = std::mem::take(&mut self.pending);
    }

    /// Asks as time goes by, up to this event, and again at a moment at which a policy of the run had something to say.
    async fn tick(&mut self, event: &Event) {
        let Some((every, next)) = self.tick else { return };
        let now = event.head().created;
        let mut at = next.unwrap_or_else(|| later(now, every));
        while at <= now {
            self.tick_at(at).await;
            at = later(at, every);
        }
        if matches!(event.kind(), EventKind::PolicyVerdict(verdict) if verdict.question == Question::Tick) {
            self.tick_at(now).await;
            at = later(now, every);
        }
        self.tick = Some((every, Some(at)));
    }

    async fn tick_at(&mut self, moment: Timestamp) {
        if self.canceled || self.over {
            return;
        }
        self.clock.set(moment);
        let heard = self.policies.tick_at(moment).await;
        heard.into_iter().for_each(|(said, _)| self.said(said));
    }

    /// Whether this event shows that policies had judged everything before it: at the run's end, and where one had
    /// something to say although no list had ended.
    fn all_were_asked(&self, event: &Event) -> bool {
        match event.kind() {
            EventKind::PolicyVerdict(verdict) => verdict.question == Question::Evaluate && !self.list_ended,
            _ => !self.over && is_the_end(event),
        }
    }

    /// Returns the start that this event shows to have been asked for, once.
    fn start(&mut self, event: &Event) -> Option<StartRequest> {
        match event.kind() {
            EventKind::RunnerOnStart(_) => {
                let mut start: StartRequest = event.data().pointer("/start")?.read().ok()?;
                start.uuid.clone_from(&event.head().uuid);
                start.groups = self.view.groups_of(&start.host);
                // A verdict may have been about it, which did not stop it.
                self.asked_about.insert(start.uuid.clone()).then_some(start)
            }
            EventKind::PolicyVerdict(verdict) => {
                let start = verdict.start.clone()?;
                self.asked_about.insert(start.uuid.clone()).then_some(start)
            }
            _ => None,
        }
    }

    async fn admit(&mut self, event: &Event, start: &StartRequest) {
        let mut place = 0;
        while !self.canceled {
            let Some(heard) = self.policies.admit(place, event.head().created, start).await else { return };
            let again = matches!(&heard, Some((_, Consequence::Again)));
            heard.into_iter().for_each(|(said, _)| self.said(said));
            place += usize::from(!again);
        }
    }

    async fn settle(&mut self, all: bool) {
        while !self.canceled {
            let Some(heard) = self.policies.evaluate_next(all).await else { return };
            heard.into_iter().for_each(|(said, _)| self.said(said));
        }
    }

    fn said(&mut self, said: Said) {
        let at = self.view.last();
        match said {
            Said::Verdict(verdict) => {
                // In the run nobody would have asked any further.
                self.canceled |= verdict.acted_on;
                self.wanted_cancel |= verdict.verdict == VerdictWord::Cancel;
                self.came_to.verdicts.push(At { after: at, said: verdict });
            }
            Said::Fault(fault) => self.came_to.faults.push(At { after: at, said: fault }),
        }
    }

    async fn hand_over(&mut self) {
        let list = std::mem::take(&mut self.list);
        let last = list.last().map_or(self.came_to.events, |event| event.counter());
        if let Some(acknowledged) = self.ask(Hook::EventHandler, async |instance| instance.on_events(&list).await).await
        {
            self.came_to.acknowledged = self.came_to.acknowledged.max(Some(acknowledged.min(last)));
        }
        self.pending.extend(list);
        self.pending.retain(|event| Some(event.counter()) > self.came_to.acknowledged);
    }

    /// Makes a call, again after a restart. None when it came to nothing; that hook is not called any more.
    async fn ask<T>(
        &mut self,
        hook: Hook,
        call: impl AsyncFn(&mut Instance) -> Result<T, playwarden_sandbox::Fault>,
    ) -> Option<T> {
        loop {
            match self.live.ask(hook.call(), &call).await {
                Ok(answer) => return Some(answer),
                Err(broken) => {
                    let again = broken.again;
                    let (said, _) = self.live.said(hook, broken);
                    self.said(said);
                    if again {
                        continue;
                    }
                    match hook {
                        Hook::EventHandler => self.hooks.event_handler = false,
                        Hook::StatusHandler => self.hooks.status_handler = false,
                        Hook::FinishedCallback => self.hooks.finished_callback = false,
                        Hook::CancelPolicy => {}
                    }
                    return None;
                }
            }
        }
    }

    async fn end(mut self, outcome: Option<Outcome>) -> CameTo {
        if !self.over {
            self.settle(true).await;
        }
        if self.hooks.event_handler && !self.list.is_empty() {
            self.hand_over().await;
        }
        if self.hooks.event_handler {
            // Nothing asks to finish what is pending.
            self.hand_over().await;
        }
        if let (true, Some(outcome)) = (self.hooks.finished_callback, outcome) {
            let finish = Finish { outcome, last_event: self.came_to.events };
            self.ask(Hook::FinishedCallback, async |instance| instance.on_finished(&finish).await).await;
        }
        if let Err(fault) = self.live.stop().await {
            let (said, _) = self.live.said(Hook::FinishedCallback, Broken { fault, again: false });
            self.said(said);
        }
        self.came_to
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    // Less than a millisecond would be a question without end.
    let by = by.max(Duration::from_millis(1)).as_nanos();
    Timestamp::from_ns(time.ns().saturating_add(u64::try_from(by).unwrap_or(u64::MAX)))
}

/// What is published behind the last question to policies.
fn is_the_end(event: &Event) -> bool {
    match event.kind() {
        EventKind::StartFailed(_) => true,
        EventKind::StatusChanged(change) => change.to.is_terminal(),
        _ => false,
    }
}
