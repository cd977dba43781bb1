//! Recorded events through a plugin again: how a policy is tested, and tried on what has happened.
//!
//! A policy is asked the same questions as in the run, because they follow from the journal alone; only questions by time
//! are not asked, since nothing is written of them when they come to nothing. A handler gets the same events in the
//! same order, in lists of its own.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use playwarden_event::kind::{PluginFault, PolicyVerdict, Question};
use playwarden_event::reader::{JournalReader, ReadError};
use playwarden_event::{Event, EventKind, Json, Outcome, StartRequest};
use playwarden_sandbox::{Finish, Instance, Plugin, RunInfo, RunView as _, Sandbox, StatusChange};

use super::plugin::{Broken, Hook, LivePlugin};
use super::policies::{Consequence, Policies, Said, ends_list, is_plugins_own};
use super::prepare::{TroubleKind, load};
use super::view::View;
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

/// What a plugin said in a replay.
#[derive(Debug)]
pub enum Replayed {
    /// It had something to say about the run. The counter is that of the last event it knew of.
    Verdict(u64, Box<PolicyVerdict>),
    /// It broke there.
    Fault(u64, PluginFault),
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameTo {
    /// Events in the journal.
    pub events: u64,
    /// Up to here the event handler needs nothing again; none when the plugin is none.
    pub acknowledged: Option<u64>,
    /// Starts of a task on a host that came after the first cancel: what would not have been touched.
    pub spared: u64,
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
    pub async fn show(
        &self,
        run: &StoredRun,
        outputs: &Path,
        tell: &mut dyn FnMut(Replayed),
    ) -> Result<CameTo, ReplayError> {
        let path = run.folder.join("events.jsonl");
        let file = File::open(&path).map_err(|err| ReplayError::Open(path.clone(), err))?;
        let copy = file.try_clone().map_err(|err| ReplayError::Open(path.clone(), err))?;
        let view = Arc::new(View::new(Arc::new(copy)));
        let flag = |key: &str| run.record.plan.pointer(key).is_some_and(|value| value.text() == "true");
        let info = RunInfo {
            id: run.record.id.clone(),
            job: run.record.job.clone(),
            incarnation: 1,
            check_mode: flag("/check"),
            diff_mode: flag("/diff"),
            data: run.record.plan.clone(),
        };
        let mut plan = self.plan.clone();
        if !self.reaches {
            // What was linked for it stays, and refuses everything.
            plan.grants.http.clear();
        }
        for granted in plan.grants.write.iter().filter(|_| self.reaches) {
            fs::create_dir_all(&granted.path).map_err(|err| ReplayError::Folder(granted.path.clone(), err))?;
        }
        let live = LivePlugin::new(self.plugin.clone(), &plan, info, Arc::clone(&view), outputs.to_owned());
        let live = Arc::new(live);
        let judging = self.plugin.hooks().cancel_policy.then(|| (Arc::clone(&live), None));
        let (policies, said) = Policies::start(judging.into_iter().collect(), Vec::new(), &view).await;
        let mut show = Show {
            policies,
            hooks: self.plugin.hooks(),
            live,
            view,
            tell,
            list: Vec::new(),
            asked_about: HashSet::new(),
            canceled: false,
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
        let mut outcome = run.record.outcome.clone();
        loop {
            let (line, event) = match reader.next_line() {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(err) => return Err(ReplayError::Damaged(path, err)),
            };
            let end = place + line.len() as u64;
            show.event(Arc::new(event), place..end, &mut outcome).await;
            place = end + 1;
        }
        Ok(show.end(outcome).await)
    }
}

/// One run on its way through a plugin.
struct Show<'t> {
    policies: Policies,
    hooks: playwarden_sandbox::Hooks,
    live: Arc<LivePlugin>,
    view: Arc<View>,
    tell: &'t mut dyn FnMut(Replayed),
    /// Events that the handler gets next.
    list: Vec<Arc<Event>>,
    /// Starts that were asked about already, by uuid: a verdict about one stands before it, and there may be several.
    asked_about: HashSet<String>,
    canceled: bool,
    /// The last event that is not a plugin's own ended the policy's list.
    list_ended: bool,
    /// The run had come to its end: policies were not asked any more.
    over: bool,
    came_to: CameTo,
}

impl Show<'_> {
    async fn event(&mut self, event: Arc<Event>, place: std::ops::Range<u64>, outcome: &mut Option<Outcome>) {
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
            EventKind::RunnerOnStart(_) if self.canceled => self.came_to.spared += 1,
            _ => {}
        }
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
                (self.tell)(Replayed::Verdict(at, verdict));
            }
            Said::Fault(fault) => (self.tell)(Replayed::Fault(at, fault)),
        }
    }

    async fn hand_over(&mut self) {
        let list = std::mem::take(&mut self.list);
        let last = list.last().map_or(self.came_to.events, |event| event.counter());
        if let Some(acknowledged) = self.ask(Hook::EventHandler, async |instance| instance.on_events(&list).await).await
        {
            self.came_to.acknowledged = self.came_to.acknowledged.max(Some(acknowledged.min(last)));
        }
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

/// What is published behind the last question to policies.
fn is_the_end(event: &Event) -> bool {
    match event.kind() {
        EventKind::StartFailed(_) => true,
        EventKind::StatusChanged(change) => change.to.is_terminal(),
        _ => false,
    }
}
