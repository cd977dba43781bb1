//! The loop of a run.
//!
//! Three phases, over and over: wait for an input, decide ([`State`] does), carry the orders out. Everything that happens
//! becomes an event first ([`Publisher`]); policies are asked after that, and who watches is told last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use playwarden_event::kind::{Message, StatusChanged};
use playwarden_event::{Cause, Event, EventKind, Json, Process, StartRequest, Stats, Status, Stop, Timestamp};
use playwarden_sandbox::{RunView as _, StatusChange};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::closures::Closures;
use super::conclude::Seen;
use super::launch::write_record;
use super::observers::{Observers, Uses};
use super::person::Person;
use super::plugin::LivePlugin;
use super::policies::{Consequence, Policies, Said};
use super::publish::{Publisher, journal_error};
use super::state::{Order, State};
use super::typist::Typist;
use super::{Settings, Update};
use crate::ansible::{Answer, Link, LinkError, Record, Reported, Welcome};
use crate::config::{MAX_EVENT, OnHostLoss};
use crate::plan::JobPlan;
use crate::process::{Guarded, Report};
use crate::redact::Masked;
use crate::store::{AnsibleVersions, RunFolder, RunRecord, StoreError};

/// How often time limits are looked at and text is shown that no event has brought.
const LOOK: Duration = Duration::from_millis(100);

/// So much of Ansible's standard error is kept as its last words.
const WORDS: usize = 4096;

/// Waits for a policy's answer, as long as nobody is in a hurry. Who asks for the end once ends Ansible at once; who asks twice
/// does not wait for the policy either, which is not asked again. A macro, because it takes parts of the run one by one.
macro_rules! hasten {
    ($run:ident, $call:expr) => {{
        let mut call = std::pin::pin!($call);
        loop {
            tokio::select! {
                biased;
                answer = &mut call => break answer,
                times = $run.person.asked(), if $run.guarded.is_some() => {
                    for order in $run.state.asked(times) {
                        match (&order, &mut $run.guarded) {
                            (Order::Stop, Some(guarded)) => guarded.stop().await,
                            (Order::Kill, Some(guarded)) => guarded.kill().await,
                            _ => $run.orders.push(order),
                        }
                    }
                    if $run.state.is_hurried() {
                        break Default::default();
                    }
                }
            }
        }
    }};
}

enum Input {
    Record(Result<Option<Record>, LinkError>),
    Report(Option<Report>),
    Person(u32),
    Said(Said, Consequence),
    Look,
}

/// A run and everything that belongs to it.
pub(super) struct Run<'a> {
    pub(super) plan: &'a JobPlan,
    pub(super) settings: &'a Settings,
    pub(super) folder: RunFolder,
    pub(super) record: RunRecord,
    pub(super) publisher: Publisher,
    /// All plugins of the run, and what each observes.
    pub(super) plugins: Vec<(Arc<LivePlugin>, Uses)>,
    pub(super) policies: Policies,
    pub(super) observers: Observers,
    pub(super) closures: Closures,
    pub(super) state: State,
    pub(super) person: Person,
    pub(super) watch: &'a mut dyn FnMut(Update<'_>),
    pub(super) seen: Seen,
    /// A task with `no_log` has started.
    pub(super) concealing: bool,
    /// While there is anything to guard.
    pub(super) guarded: Option<Guarded>,
    /// Where there is a terminal.
    pub(super) typist: Option<Typist>,
    /// What the guard has started.
    pub(super) main: Option<u32>,
    /// The callback has sent its last record.
    pub(super) said_all: bool,
    /// Decided, and not carried out yet.
    pub(super) orders: Vec<Order>,
    pub(super) stats: Option<Stats>,
    /// Local processes that outlived the run.
    pub(super) survivors: Vec<Process>,
    /// When Ansible was last heard of.
    pub(super) heard: Instant,
    /// What a plugin's fault after the last event makes of a successful run.
    pub(super) late: Option<Cause>,
}

impl Run<'_> {
    // ---- from the first process to the last ---------------------------------------------------------------------------

    pub(super) async fn ansible(&mut self) {
        if self.state.ending().is_some() {
            return;
        }
        let mut live = match self.launch().await {
            Ok(live) => live,
            Err(Cause::HostTrouble { text }) => {
                self.seen.trouble = Some(text);
                return;
            }
            Err(cause) => {
                self.seen.words = cause.to_string();
                return;
            }
        };
        let begun = Instant::now();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !live.over {
            let input = tokio::select! {
                biased;
                times = self.person.asked() => Input::Person(times),
                record = live.link.record(), if live.link.is_listening() && self.seen.exit.is_none() => {
                    Input::Record(record)
                }
                report = report(&mut self.guarded) => Input::Report(report),
                (said, consequence) = self.observers.said() => Input::Said(said, consequence),
                _ = look.tick() => Input::Look,
            };
            match input {
                Input::Person(times) => self.orders.extend(self.state.asked(times)),
                Input::Record(record) => {
                    self.greet(&live.link, &record).await;
                    self.take_record(&mut live.link, record).await;
                }
                Input::Report(report) => self.take_report(&mut live, report).await,
                Input::Said(said, consequence) => {
                    self.hear(said, consequence);
                }
                Input::Look => self.look(&mut live.link, begun).await,
            }
            self.carry_out().await;
        }
        if let Some(typist) = &mut self.typist {
            // The last words at the terminal; without them the run is over as well.
            typist.collect().ok();
        }
        self.publish_loose(None);
        self.survivors = live.left_alive;
        if self.concealing {
            self.survivors.iter_mut().for_each(conceal);
        }
        if let Some(guarded) = self.guarded.take() {
            guarded.join().await;
        }
    }

    /// The callback says who and where it is.
    async fn greet(&mut self, link: &Link, record: &Result<Option<Record>, LinkError>) {
        let Ok(Some(Record::Hello { temporary, .. })) = record else { return };
        if self.plan.ansible.container.is_some() {
            // What was started is only the client, and the temporary folders are the container's own.
            self.publisher.pid = link.sender().or(self.publisher.pid);
        } else if let Some(guarded) = &mut self.guarded {
            guarded.watch_over(temporary.clone()).await;
        }
    }

    // ---- records ------------------------------------------------------------------------------------------------------

    pub(super) async fn take_record(&mut self, link: &mut Link, record: Result<Option<Record>, LinkError>) {
        self.heard = Instant::now();
        self.refuse_foreign(link);
        match record {
            Ok(None) => {}
            // Who has just begun need not be asked to end: without a welcome it does nothing.
            Ok(Some(Record::Hello { .. })) if self.state.ending().is_some() => link.close(),
            Ok(Some(Record::Hello { core, python, printed, .. })) => {
                self.seen.greeted = true;
                self.record.ansible = Some(AnsibleVersions { core, python });
                let written = write_record(&self.folder, &self.record);
                self.note(written);
                self.publish_loose(printed.stdout);
                let on_host_loss = match self.plan.ansible.on_host_loss {
                    OnHostLoss::Cancel => "cancel",
                    OnHostLoss::Continue => "continue",
                };
                let target_log_info = format!("playwarden run={} job={}", self.record.id, self.plan.job);
                let welcome = Welcome {
                    gate: !self.policies.is_empty(),
                    max_event: MAX_EVENT,
                    on_host_loss,
                    describe: self.plan.audit.is_some(),
                    target_log_info: &target_log_info,
                };
                // A callback that is gone will be missed by the guard, which says so.
                link.welcome(welcome).await.ok();
                self.settle(false).await;
            }
            Ok(Some(Record::Event(reported))) => {
                self.take_event(*reported, Masked::default());
                self.show(false);
                self.settle(false).await;
            }
            Ok(Some(Record::Start(reported))) => {
                self.gate(link, *reported).await;
                self.show(false);
            }
            // For who comes after us.
            Ok(Some(Record::Granted { .. })) => {}
            Ok(Some(Record::End { printed })) => {
                self.said_all = true;
                self.publish_loose(printed.stdout);
                // It waits for that; one that was killed does not.
                link.acknowledge_end().await.ok();
            }
            Err(err) => {
                self.end(Cause::HostTrouble { text: chain(&err) }, Stop::Now);
                self.orders.push(Order::Kill);
            }
        }
    }

    fn refuse_foreign(&mut self, link: &mut Link) {
        let foreign = link.take_foreign();
        if foreign == 0 {
            return;
        }
        let text =
            format!("{foreign} bytes on the event socket came from another process than Ansible and were refused");
        self.publish("warning", &Message { message: Some(text) });
        if !self.seen.greeted {
            // The callback itself, in a process that nobody knows. It waits for a welcome that will not come.
            let program = self.plan.ansible.executable.display();
            let text =
                format!("`{program}` does not become Ansible, it starts another process: a wrapper must `exec` it");
            self.end(Cause::CouldNotStart { text }, Stop::Now);
        }
    }

    pub(super) fn take_event(&mut self, reported: Reported, masked: Masked) {
        match self.publisher.reported(reported, masked) {
            Ok(event) => {
                self.notice(&event);
                self.tell(&event);
            }
            Err(err) => self.note(Err(journal_error(self.folder.path(), err))),
        }
        if let Some((name, source)) = self.publisher.take_trouble() {
            self.note(Err(StoreError::Io { path: self.folder.path().join(name), source }));
        }
    }

    /// A task is about to start: every policy judges what came before it, then the start itself.
    async fn gate(&mut self, link: &Link, mut reported: Reported) {
        // What policies are asked about is what the journal will say.
        let masked = self.publisher.judged(&mut reported);
        if !self.policies.is_empty() {
            self.settle(true).await;
            let mut start: StartRequest =
                reported.data.pointer("/start").and_then(|start| start.read().ok()).unwrap_or_default();
            start.uuid.clone_from(&reported.uuid);
            start.groups = self.publisher.view.groups_of(&start.host);
            // All of them are asked, so that all that would refuse it are on record.
            let asked = if self.state.ending().is_none() { usize::MAX } else { 0 };
            let mut place = 0;
            while place < asked {
                let Some(heard) = hasten!(self, self.policies.admit(place, reported.time, &start)) else { break };
                let again = heard.is_some_and(|(said, consequence)| self.hear(said, consequence));
                place += usize::from(!again);
            }
        }
        // Without policies nobody waits for an answer: what is reported happens.
        if self.state.ending().is_none() || self.policies.is_empty() {
            // A start that cannot be written down does not happen.
            self.take_event(reported, masked);
        }
        let answer = match self.state.ending().map(|ending| ending.stop) {
            None => Answer::Go,
            Some(Stop::Now) => Answer::Now,
            Some(Stop::AfterRunningTasks) => Answer::Drain,
        };
        if !self.policies.is_empty() {
            // A callback that is gone will be missed by the guard, which says so.
            link.answer(answer).await.ok();
        }
    }

    // ---- policies -----------------------------------------------------------------------------------------------------

    /// Asks every policy whose list of events has ended, until none is left.
    pub(super) async fn settle(&mut self, all: bool) {
        while !self.state.is_hurried()
            && let Some(heard) = hasten!(self, self.policies.evaluate_next(all))
        {
            if let Some((said, consequence)) = heard {
                self.hear(said, consequence);
            }
        }
    }

    /// Writes down what a plugin said, and does what follows. Whether it is to be asked the same again.
    pub(super) fn hear(&mut self, said: Said, consequence: Consequence) -> bool {
        // The first cancel wins; a later one that asks for more haste still gets it.
        let late = self.state.ending().is_some();
        match said {
            Said::Verdict(mut verdict) => {
                verdict.acted_on &= !late;
                self.publish("policy_verdict", &verdict);
            }
            Said::Fault(fault) => {
                self.publish("plugin_fault", &fault);
            }
        }
        let again = consequence == Consequence::Again;
        match consequence {
            Consequence::Nothing | Consequence::Again => {}
            Consequence::End(cause, _) | Consequence::Fail(cause) if self.state.is_over() => {
                // As the journal has it: without what is secret.
                let known = self.publisher.redactor.json(Json::of(&cause)).read().unwrap_or(cause);
                self.late.get_or_insert(known);
            }
            Consequence::End(cause, stop) => self.end(cause, stop),
            Consequence::Fail(cause) => self.state.fail(cause),
        }
        again
    }

    pub(super) fn end(&mut self, cause: Cause, stop: Stop) {
        let orders = self.state.end(cause, stop);
        self.orders.extend(orders);
    }

    // ---- time ---------------------------------------------------------------------------------------------------------

    async fn look(&mut self, link: &mut Link, begun: Instant) {
        self.refuse_foreign(link);
        self.answer_prompts();
        if self.show(true) {
            self.heard = Instant::now();
        }
        (self.watch)(Update::Look);
        if self.seen.exit.is_some() {
            return;
        }
        if self.plan.timeout.is_some_and(|limit| begun.elapsed() >= limit) {
            self.end(Cause::JobTimeout, Stop::Now);
        }
        if self.plan.idle_timeout.is_some_and(|limit| self.heard.elapsed() >= limit) {
            self.end(Cause::IdleTimeout, Stop::Now);
        }
        self.notice_unanswered();
        // There is nothing stricter left to ask for.
        if self.state.ending().is_some_and(|ending| ending.stop == Stop::Now) {
            return;
        }
        for (said, consequence) in hasten!(self, self.policies.tick(Timestamp::now())) {
            self.hear(said, consequence);
        }
    }

    /// Shows what was printed; with `all`, also what no event has brought for a while. Whether there was anything.
    fn show(&mut self, all: bool) -> bool {
        let Publisher { stdout, stderr, redactor, .. } = &mut self.publisher;
        // What cannot be read now is read for the next event, which also reports the failure.
        let read = stdout.read().and_then(|()| stderr.read());
        let (out, err) = match all {
            true => (stdout.look(redactor), stderr.look(redactor)),
            false => (stdout.fresh(), stderr.fresh()),
        };
        if let Some(text) = &err {
            (self.watch)(Update::Stderr(text));
            keep_end(&mut self.seen.words, text);
        }
        if let Some(text) = &out {
            (self.watch)(Update::Stdout(text));
        }
        read.is_ok() && (out.is_some() || err.is_some())
    }

    // ---- events -------------------------------------------------------------------------------------------------------

    /// Returns the event, unless it could not be written.
    pub(super) fn publish<T: serde::Serialize>(&mut self, name: &str, data: &T) -> Option<Arc<Event>> {
        match self.publisher.event(name, data) {
            Ok(event) => {
                self.tell(&event);
                Some(event)
            }
            Err(err) => {
                self.note(Err(journal_error(self.folder.path(), err)));
                None
            }
        }
    }

    fn publish_loose(&mut self, length: Option<u64>) {
        match self.publisher.loose_text(length) {
            Ok(events) => {
                self.show(length.is_none());
                events.iter().for_each(|event| self.tell(event));
            }
            Err(err) => self.note(Err(journal_error(self.folder.path(), err))),
        }
    }

    /// Hands an event that is in the journal to the policies' lists and to who watches.
    fn tell(&mut self, event: &Arc<Event>) {
        self.policies.push(event);
        self.observers.tell(event.counter());
        let panicked = self.closures.tell(event);
        (self.watch)(Update::Event(event, self.publisher.view.totals()));
        for fault in panicked {
            let cause = Cause::PluginFault { name: fault.plugin.name.clone(), text: fault.text.clone() };
            self.hear(Said::Fault(fault), Consequence::End(cause, Stop::Now));
        }
    }

    /// Keeps what the conclusion will need.
    fn notice(&mut self, event: &Event) {
        if let Some(typist) = &mut self.typist {
            typist.heed(event);
        }
        match event.kind() {
            EventKind::PlaybookOnStart => self.seen.began = true,
            EventKind::PlaybookOnNoHostsMatched => self.seen.unmatched = true,
            EventKind::PlaybookOnStats(stats) => self.stats = Some(Stats::clone(stats)),
            EventKind::RunnerOnStart(start) => {
                self.seen.worked = true;
                self.concealing |= start.no_log;
            }
            _ => {}
        }
    }

    // ---- orders -------------------------------------------------------------------------------------------------------

    pub(super) async fn advance(&mut self, to: Status) {
        self.orders.extend(self.state.advance(to));
        self.carry_out().await;
    }

    /// Carries out what was decided, and what that decides in turn.
    pub(super) async fn carry_out(&mut self) {
        while !self.orders.is_empty() {
            for order in std::mem::take(&mut self.orders) {
                match (order, &mut self.guarded) {
                    (Order::Status { from, to }, _) => self.change_status(from, to),
                    (Order::Stop, Some(guarded)) => guarded.stop().await,
                    (Order::Kill, Some(guarded)) => guarded.kill().await,
                    // Nothing runs.
                    (Order::Stop | Order::Kill, None) => {}
                }
            }
        }
    }

    fn change_status(&mut self, from: Status, to: Status) {
        let detail =
            self.state.ending().map(|ending| self.publisher.redactor.text(&ending.cause.to_string()).into_owned());
        let cause = self.state.ending().map(|ending| ending.cause.clone());
        self.publish("status_changed", &StatusChanged { from, to, detail: detail.clone() });
        let (time, totals) = (Timestamp::now(), self.publisher.view.totals());
        let data = self.publisher.redactor.json(Json::of(&BTreeMap::from([("cause", cause)])));
        self.observers.status(&StatusChange { from, to, time, detail, totals, data });
        if !to.is_terminal() {
            let written = self.folder.replace("status", to.word());
            self.note(written);
        }
    }

    /// A run whose evidence cannot be written does not go on.
    fn note(&mut self, written: Result<(), StoreError>) {
        if let Err(err) = written {
            let text = self.trouble(&err);
            self.end(Cause::HostTrouble { text }, Stop::Now);
        }
    }

    /// Returns the first trouble of the run.
    pub(super) fn trouble(&mut self, err: &StoreError) -> String {
        let text = format!("{}; the journal is whole up to event {}", chain(err), self.publisher.last());
        self.seen.trouble.get_or_insert(text).clone()
    }
}

/// Takes the arguments from a command line: where a task has `no_log`, they may be what it hides.
pub(super) fn conceal(process: &mut Process) {
    if let Some((program, _)) = process.command.split_once(' ') {
        process.command = format!("{program} …");
    }
}

/// Returns the guard's next report, for as long as there is a guard.
async fn report(guarded: &mut Option<Guarded>) -> Option<Report> {
    match guarded {
        Some(guarded) => guarded.report().await,
        None => None,
    }
}

/// Keeps the last bytes of a growing text.
fn keep_end(kept: &mut String, text: &str) {
    kept.push_str(text);
    if kept.len() > WORDS {
        let cut = kept.ceil_char_boundary(kept.len() - WORDS);
        kept.drain(..cut);
    }
}

/// An error and its causes in one line.
pub(super) fn chain(err: &(dyn std::error::Error + 'static)) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
