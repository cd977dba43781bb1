//! The thread of one observing plugin: what it is told next, and what becomes of it at the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use playwarden_event::Event;
use playwarden_sandbox::{Fault, FaultKind, Finish, RunView as _, StatusChange};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::observers::{Order, Uses};
use super::plugin::{Broken, Hook, LivePlugin};
use super::policies::{Consequence, Said};
use super::view::View;

/// A list of events is never longer.
const LIST: usize = 64;

/// So many bytes end a list of events: several of them have to fit into a plugin's memory.
const LIST_BYTES: usize = 4 << 20;

/// So long a first event waits for others.
const GATHER: Duration = Duration::from_millis(50);

/// A plugin that asks to be called again sooner is called then.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

const ON_EVENTS: &str = "event-handler.on-events";
const ON_STATUS: &str = "status-handler.on-status";
const ON_FINISHED: &str = "finished-callback.on-finished";

const LATE: &str = "was not in time at the end of the run";
const IN_A_HURRY: &str = "was not waited for: somebody was in a hurry";

/// The thread of one observer.
pub(super) struct Worker {
    plugin: Arc<LivePlugin>,
    /// What it is still asked; a hook that broke for good is taken out.
    uses: Uses,
    view: Arc<View>,
    orders: mpsc::UnboundedReceiver<Order>,
    /// How far the journal goes.
    news: watch::Receiver<u64>,
    hurried: watch::Receiver<Option<Instant>>,
    /// When Ansible ended.
    ended: watch::Receiver<Option<Instant>>,
    report: mpsc::UnboundedSender<(Said, Consequence)>,
    /// The counter that the next list begins with.
    next: u64,
    /// The last counter that it got.
    handed: u64,
    /// Up to here nothing need be sent again.
    acknowledged: u64,
    /// Events that are to be sent once more as they are.
    list: Vec<Arc<Event>>,
    /// Since when events are waiting for others.
    since: Option<Instant>,
    /// Not before then, because the plugin asked for it.
    events_again: Option<Instant>,
    event_tries: u32,
    statuses: VecDeque<StatusChange>,
    statuses_again: Option<Instant>,
    status_tries: u32,
}

enum Next {
    Order(Option<Order>),
    Status,
    Events,
}

impl Worker {
    pub(super) fn new(
        plugin: &Arc<LivePlugin>,
        uses: Uses,
        view: &Arc<View>,
        orders: mpsc::UnboundedReceiver<Order>,
        told: Told,
    ) -> Self {
        let Told { news, hurried, ended, report } = told;
        Self {
            plugin: Arc::clone(plugin),
            uses,
            view: Arc::clone(view),
            orders,
            news,
            hurried,
            ended,
            report,
            next: 1,
            handed: 0,
            acknowledged: 0,
            list: Vec::new(),
            since: None,
            events_again: None,
            event_tries: 0,
            statuses: VecDeque::new(),
            statuses_again: None,
            status_tries: 0,
        }
    }

    pub(super) async fn work(mut self) {
        self.begin().await;
        loop {
            match self.next().await {
                Next::Order(None) => break,
                Next::Order(Some(Order::Status(change))) => self.statuses.push_back(change),
                Next::Order(Some(Order::Drain { through, deadline, last, done })) => {
                    self.drain(through, deadline, last).await;
                    if last {
                        self.close();
                    }
                    done.send(()).ok();
                }
                Next::Order(Some(Order::Finish { finish, done })) => {
                    if self.uses.finish {
                        self.finish(&finish).await;
                    }
                    done.send(()).ok();
                }
                Next::Order(Some(Order::Stop { done })) => {
                    self.stop().await;
                    done.send(()).ok();
                    break;
                }
                Next::Status => {
                    let told = self.in_time(Duration::ZERO, async |worker| worker.tell_status().await).await;
                    told.unwrap_or_else(|why| self.give_up(why));
                }
                Next::Events => {
                    let last = *self.news.borrow_and_update();
                    let told = self.in_time(Duration::ZERO, async |worker| worker.tell_events(last).await).await;
                    told.unwrap_or_else(|why| self.give_up(why));
                }
            }
        }
    }

    /// Makes the instance, so that its `lifecycle.start` does not wait for a first event.
    async fn begin(&mut self) {
        while let Err(broken) = self.plugin.start().await {
            let again = broken.again;
            let Uses { events, statuses, .. } = self.uses;
            let (hook, used) = match (events, statuses) {
                (true, _) => (Hook::EventHandler, &mut self.uses.events),
                (_, true) => (Hook::StatusHandler, &mut self.uses.statuses),
                _ => (Hook::FinishedCallback, &mut self.uses.finish),
            };
            // Whoever is asked as something else too says so when it comes to that.
            *used &= again;
            self.broke(hook, broken);
            if !again {
                break;
            }
        }
    }

    /// Waits for what is to be done next: orders before statuses before events.
    async fn next(&mut self) -> Next {
        loop {
            let statuses = self.uses.statuses && !self.statuses.is_empty();
            let last = *self.news.borrow();
            let behind = self.uses.events && (last >= self.next || !self.list.is_empty());
            let full = last.saturating_sub(self.next) + 1 >= LIST as u64;
            if behind && self.since.is_none() {
                self.since = Some(Instant::now());
            }
            let gathered = self.since.filter(|_| !full).map(|since| later(since, GATHER));
            tokio::select! {
                biased;
                order = self.orders.recv() => return Next::Order(order),
                () = until(self.statuses_again), if statuses => return Next::Status,
                () = until(gathered.max(self.events_again)), if behind => return Next::Events,
                changed = self.news.changed(), if self.uses.events && !behind => {
                    if changed.is_err() {
                        return Next::Order(None);
                    }
                }
            }
        }
    }

    // ---- events -------------------------------------------------------------------------------------------------------

    /// Hands over the next list of events up to this counter.
    async fn tell_events(&mut self, through: u64) {
        if self.list.is_empty() {
            self.gather(through);
        }
        if !self.list.is_empty() {
            self.hand_over().await;
        }
    }

    fn gather(&mut self, through: u64) {
        self.since = None;
        let mut bytes = 0;
        while self.next <= through && self.list.len() < LIST && bytes < LIST_BYTES {
            let Some(event) = self.view.event(self.next) else {
                let text = format!("event {} cannot be read back from the journal", self.next);
                self.uses.events = false;
                return self.broke_by_us(Hook::EventHandler, ON_EVENTS, FaultKind::Host, text);
            };
            self.next += 1;
            if self.plugin.heard.wants(event.name()) {
                bytes += playwarden_sandbox::size(&event, &self.plugin.heard.payload);
                self.list.push(event);
            }
        }
    }

    /// Hands over what was gathered; nothing asks to finish what is pending. Whether it was taken.
    async fn hand_over(&mut self) -> bool {
        self.since = None;
        self.events_again = None;
        self.handed = self.handed.max(self.list.last().map_or(0, |event| event.counter()));
        let events = &self.list;
        match self.plugin.ask(ON_EVENTS, async |instance| instance.on_events(events).await).await {
            Ok(acknowledged) => {
                self.acknowledged = self.acknowledged.max(acknowledged);
                self.list.clear();
                self.event_tries = 0;
                return true;
            }
            Err(broken) if broken.again => {
                self.list.clear();
                self.next = self.acknowledged + 1;
                self.broke(Hook::EventHandler, broken);
            }
            Err(Broken { fault: Fault { retry_after: Some(wait), text, .. }, .. }) => {
                self.event_tries += 1;
                self.events_again = Some(self.wait(ON_EVENTS, self.event_tries, wait, &text).await);
            }
            Err(broken) => {
                self.uses.events = false;
                self.broke(Hook::EventHandler, broken);
            }
        }
        false
    }

    // ---- statuses -----------------------------------------------------------------------------------------------------

    async fn tell_status(&mut self) {
        self.statuses_again = None;
        let Some(change) = self.statuses.front() else { return };
        match self.plugin.ask(ON_STATUS, async |instance| instance.on_status(change).await).await {
            Ok(()) => {
                self.statuses.pop_front();
                self.status_tries = 0;
            }
            Err(broken) if broken.again => self.broke(Hook::StatusHandler, broken),
            Err(Broken { fault: Fault { retry_after: Some(wait), text, .. }, .. }) => {
                self.status_tries += 1;
                self.statuses_again = Some(self.wait(ON_STATUS, self.status_tries, wait, &text).await);
            }
            Err(broken) => {
                self.uses.statuses = false;
                self.broke(Hook::StatusHandler, broken);
            }
        }
    }

    // ---- the end ------------------------------------------------------------------------------------------------------

    /// Does something as long as the run lasts, and the plugin's time after that, at least for so long. A call that is under
    /// way then is dropped where it stands; the error is why.
    async fn in_time(&mut self, least: Duration, work: impl AsyncFnOnce(&mut Self)) -> Result<(), &'static str> {
        let (hurry, mut ended, finish) = (self.hurried.clone(), self.ended.clone(), self.plugin.limits.finish);
        let begun = Instant::now();
        let over = async {
            match ended.wait_for(Option::is_some).await.map(|end| *end) {
                Ok(end) => until(end.map(|end| later(end, finish).max(later(begun, least)))).await,
                Err(_) => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            biased;
            () = hurried(hurry) => IN_A_HURRY,
            () = work(self) => return Ok(()),
            () = over => LATE,
        };
        self.plugin.abandon();
        Err(why)
    }

    /// Hands over what is left, as long as there is time. Events and statuses do not wait for each other.
    async fn drain(&mut self, through: u64, deadline: Instant, last: bool) {
        let mut flushed = false;
        loop {
            let now = Instant::now();
            let statuses = self.uses.statuses && !self.statuses.is_empty();
            let events = self.uses.events && (self.next <= through || !self.list.is_empty());
            let status = statuses.then(|| self.statuses_again.unwrap_or(now));
            let event = (self.uses.events && (events || !flushed)).then(|| self.events_again.unwrap_or(now));
            let (due, is_status) = match (status, event) {
                (None, None) => return,
                (Some(status), Some(event)) if event < status => (event, false),
                (Some(status), _) => (status, true),
                (None, Some(event)) => (event, false),
            };
            // What came when the time was over gets one try all the same: the last status, the last events.
            let fresh = if is_status { self.status_tries == 0 } else { last && self.event_tries == 0 };
            if due >= deadline && !fresh {
                if is_status {
                    self.give_up_statuses(LATE);
                } else {
                    self.give_up_events(LATE);
                }
                continue;
            }
            let mut taken = false;
            let step = async |worker: &mut Self| {
                sleep_until(due).await;
                if is_status {
                    worker.tell_status().await;
                } else if events {
                    worker.tell_events(through).await;
                } else {
                    taken = worker.hand_over().await;
                }
            };
            let least = if fresh { self.plugin.limits.call } else { Duration::ZERO };
            if let Err(why) = self.in_time(least, step).await {
                return self.give_up(why);
            }
            flushed |= taken;
        }
    }

    /// Nothing follows any more. What was not acknowledged is named.
    fn close(&mut self) {
        if std::mem::take(&mut self.uses.events) && self.acknowledged < self.handed {
            let text = format!("got events up to {} and acknowledged those up to {}", self.handed, self.acknowledged);
            self.broke_by_us(Hook::EventHandler, ON_EVENTS, FaultKind::Failure, text);
        }
        self.uses.statuses = false;
    }

    fn give_up(&mut self, why: &str) {
        self.give_up_events(why);
        self.give_up_statuses(why);
    }

    fn give_up_events(&mut self, why: &str) {
        if !std::mem::take(&mut self.uses.events) {
            return;
        }
        let (last, acknowledged) = (self.view.last(), self.acknowledged);
        let text = match acknowledged < last {
            true => format!("{why}: of {last} events it acknowledged those up to {acknowledged}"),
            false => why.to_owned(),
        };
        self.broke_by_us(Hook::EventHandler, ON_EVENTS, FaultKind::Timeout, text);
    }

    /// The status that the run ends with may still come, and is tried.
    fn give_up_statuses(&mut self, why: &str) {
        if !self.uses.statuses || self.statuses.is_empty() {
            return;
        }
        let words: Vec<_> = self.statuses.drain(..).map(|change| change.to.word()).collect();
        (self.statuses_again, self.status_tries) = (None, 0);
        let text = format!("{why}: it has not taken the status {}", words.join(", "));
        self.broke_by_us(Hook::StatusHandler, ON_STATUS, FaultKind::Timeout, text);
    }

    async fn finish(&mut self, finish: &Finish) {
        let deadline = later(Instant::now(), self.plugin.limits.finish);
        for tries in 1.. {
            let answer = tokio::select! {
                biased;
                () = hurried(self.hurried.clone()) => {
                    self.plugin.abandon();
                    let text = IN_A_HURRY.to_owned();
                    return self.broke_by_us(Hook::FinishedCallback, ON_FINISHED, FaultKind::Timeout, text);
                }
                answer = self.plugin.ask(ON_FINISHED, async |instance| instance.on_finished(finish).await) => answer,
            };
            let Err(Broken { fault, again }) = answer else { return };
            // One that took all its time does not get it again.
            let again = again && fault.kind != FaultKind::Timeout && Instant::now() < deadline;
            let wait = fault.retry_after.filter(|wait| later(Instant::now(), *wait) < deadline);
            match wait {
                Some(wait) => {
                    let time = self.wait(ON_FINISHED, tries, wait, &fault.text).await;
                    tokio::select! {
                        () = hurried(self.hurried.clone()) => {}
                        () = sleep_until(time) => {}
                    }
                }
                None => {
                    self.broke(Hook::FinishedCallback, Broken { fault, again });
                    if !again {
                        return;
                    }
                }
            }
        }
    }

    async fn stop(&self) {
        tokio::select! {
            biased;
            () = hurried(self.hurried.clone()) => self.plugin.abandon(),
            stopped = self.plugin.stop() => {
                if let Err(fault) = stopped {
                    self.broke(Hook::FinishedCallback, Broken { fault, again: false });
                }
            }
        }
    }

    // ---- faults -------------------------------------------------------------------------------------------------------

    /// Notes that a call is to be made again, and returns when.
    async fn wait(&self, call: &str, tries: u32, wait: Duration, why: &str) -> Instant {
        let wait = wait.max(SHORTEST_WAIT);
        // An hour of refusals is worth a few lines.
        if tries.is_power_of_two() {
            self.plugin.note("warn", &format!("`{call}` {why}; try {} follows in {wait:?}", tries + 1)).await;
        }
        later(Instant::now(), wait)
    }

    fn broke_by_us(&self, hook: Hook, call: &'static str, kind: FaultKind, text: String) {
        let fault = Fault { call, kind, text, stderr: String::new(), retry_after: None };
        self.broke(hook, Broken { fault, again: false });
    }

    fn broke(&self, hook: Hook, broken: Broken) {
        // A loop that is gone has no use for it.
        self.report.send(self.plugin.said(hook, broken)).ok();
    }
}

/// What the loop tells all observers, and how they report.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) news: watch::Receiver<u64>,
    pub(super) hurried: watch::Receiver<Option<Instant>>,
    pub(super) ended: watch::Receiver<Option<Instant>>,
    pub(super) report: mpsc::UnboundedSender<(Said, Consequence)>,
}

/// Waits until nobody wants to wait any longer.
pub(super) async fn hurried(mut hurry: watch::Receiver<Option<Instant>>) {
    loop {
        let from = *hurry.borrow_and_update();
        tokio::select! {
            () = until(from), if from.is_some() => return,
            changed = hurry.changed() => {
                if changed.is_err() {
                    // Nobody can become impatient any more.
                    match from {
                        Some(from) => return sleep_until(from).await,
                        None => std::future::pending().await,
                    }
                }
            }
        }
    }
}

/// A time that far in the future never comes.
pub(super) fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or_else(|| time + Duration::from_secs(86_400 * 365))
}

async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        sleep_until(time).await;
    }
}
