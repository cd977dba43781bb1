//! The plugins that observe a run: event handlers, status handlers and finished callbacks.
//!
//! Each has a thread of its own and takes events from the journal at its own pace, so that a slow one stalls nobody and
//! loses nothing; the loop only says how far the journal goes. What breaks is reported to the loop, the only maker of
//! events.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use playwarden_event::{Event, Status};
use playwarden_sandbox::{Fault, FaultKind, Finish, RunView as _, StatusChange};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

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

/// What a plugin was chosen for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    pub(crate) events: bool,
    pub(crate) statuses: bool,
    pub(crate) finish: bool,
}

impl Uses {
    pub(crate) fn any(self) -> bool {
        self.events || self.statuses || self.finish
    }
}

/// All observers of a run.
#[derive(Debug)]
pub(crate) struct Observers {
    list: Vec<Observer>,
    /// The counter of the last event in the journal.
    last: watch::Sender<u64>,
    hurry: watch::Sender<bool>,
    /// When the run ended and the time for what is left began.
    end: watch::Sender<Option<Instant>>,
    said: mpsc::UnboundedReceiver<(Said, Consequence)>,
}

#[derive(Debug)]
struct Observer {
    plugin: Arc<LivePlugin>,
    uses: Uses,
    orders: mpsc::UnboundedSender<Order>,
}

/// What the loop wants of an observer.
#[derive(Debug)]
enum Order {
    Status(StatusChange),
    /// Deliver everything up to this counter, until then.
    Drain {
        through: u64,
        deadline: Instant,
        done: oneshot::Sender<()>,
    },
    Finish {
        finish: Arc<Finish>,
        done: oneshot::Sender<()>,
    },
    Stop {
        done: oneshot::Sender<()>,
    },
}

impl Observers {
    /// Starts a thread for each plugin that observes.
    pub(crate) fn start(plugins: &[(Arc<LivePlugin>, Uses)], view: &Arc<View>) -> io::Result<Self> {
        let (last, news) = watch::channel(0);
        let (hurry, hurried) = watch::channel(false);
        let (end, ended) = watch::channel(None);
        let (report, said) = mpsc::unbounded_channel();
        let mut list = Vec::new();
        for (plugin, uses) in plugins.iter().filter(|(_, uses)| uses.any()) {
            let (orders, inbox) = mpsc::unbounded_channel();
            let worker = Worker {
                plugin: Arc::clone(plugin),
                uses: *uses,
                view: Arc::clone(view),
                orders: inbox,
                news: news.clone(),
                hurried: hurried.clone(),
                ended: ended.clone(),
                report: report.clone(),
                next: 1,
                acknowledged: 0,
                list: Vec::new(),
                since: None,
                events_again: None,
                statuses: VecDeque::new(),
                statuses_again: None,
                tries: 0,
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let name = format!("plugin {}", plugin.identity.name);
            thread::Builder::new().name(name).spawn(move || runtime.block_on(worker.work()))?;
            list.push(Observer { plugin: Arc::clone(plugin), uses: *uses, orders });
        }
        Ok(Self { list, last, hurry, end, said })
    }

    /// Says how far the journal goes.
    pub(crate) fn tell(&self, last: u64) {
        self.last.send_replace(last);
    }

    /// Tells status handlers of a change.
    pub(crate) fn status(&self, change: &StatusChange) {
        for observer in self.list.iter().filter(|observer| observer.uses.statuses) {
            // A thread that is gone has reported why.
            observer.orders.send(Order::Status(change.clone())).ok();
        }
    }

    /// Returns what an observer has to report; never, when nobody observes.
    pub(crate) async fn said(&mut self) -> (Said, Consequence) {
        match self.said.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }

    /// Returns what was reported already.
    pub(crate) fn said_now(&mut self) -> Option<(Said, Consequence)> {
        self.said.try_recv().ok()
    }

    /// Nobody wants to wait any longer.
    pub(crate) fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Lets everybody take what is left up to this counter, each for as long as its `finish` allows since `end`.
    pub(crate) fn drain(&self, through: u64, end: Instant) -> Vec<oneshot::Receiver<()>> {
        self.end.send_replace(Some(end));
        let order = |observer: &Observer, done| {
            let deadline = later(end, observer.plugin.limits.finish);
            Order::Drain { through, deadline, done }
        };
        self.send(|observer| observer.uses.events || observer.uses.statuses, order)
    }

    /// Tells finished callbacks.
    pub(crate) fn finish(&self, finish: &Arc<Finish>) -> Vec<oneshot::Receiver<()>> {
        self.send(|observer| observer.uses.finish, |_, done| Order::Finish { finish: Arc::clone(finish), done })
    }

    /// Makes the last call of each.
    pub(crate) fn stop(&self) -> Vec<oneshot::Receiver<()>> {
        self.send(|_| true, |_, done| Order::Stop { done })
    }

    fn send(
        &self,
        to: impl Fn(&Observer) -> bool,
        order: impl Fn(&Observer, oneshot::Sender<()>) -> Order,
    ) -> Vec<oneshot::Receiver<()>> {
        let mut waiting = Vec::new();
        for observer in self.list.iter().filter(|observer| to(observer)) {
            let (done, over) = oneshot::channel();
            // Where nobody is left, the other end is gone too, and waiting for it ends at once.
            observer.orders.send(order(observer, done)).ok();
            waiting.push(over);
        }
        waiting
    }
}

/// The thread of one observer.
struct Worker {
    plugin: Arc<LivePlugin>,
    /// What it is still asked; a hook that broke for good is taken out.
    uses: Uses,
    view: Arc<View>,
    orders: mpsc::UnboundedReceiver<Order>,
    news: watch::Receiver<u64>,
    hurried: watch::Receiver<bool>,
    ended: watch::Receiver<Option<Instant>>,
    report: mpsc::UnboundedSender<(Said, Consequence)>,
    /// The counter that the next list begins with.
    next: u64,
    /// Up to here nothing need be sent again.
    acknowledged: u64,
    /// Events that are to be sent once more as they are.
    list: Vec<Arc<Event>>,
    /// Since when events are waiting for others.
    since: Option<Instant>,
    /// Not before then, because the plugin asked for it.
    events_again: Option<Instant>,
    statuses: VecDeque<StatusChange>,
    statuses_again: Option<Instant>,
    /// How often the present call was tried.
    tries: u32,
}

enum Next {
    Order(Option<Order>),
    Status,
    Events,
}

impl Worker {
    async fn work(mut self) {
        self.begin().await;
        loop {
            match self.next().await {
                Next::Order(None) => break,
                Next::Order(Some(Order::Status(change))) => self.statuses.push_back(change),
                Next::Order(Some(Order::Drain { through, deadline, done })) => {
                    self.drain(through, deadline).await;
                    done.send(()).ok();
                }
                Next::Order(Some(Order::Finish { finish, done })) => {
                    if self.uses.finish {
                        self.finish(&finish).await;
                    }
                    done.send(()).ok();
                }
                Next::Order(Some(Order::Stop { done })) => {
                    if let Err(fault) = self.plugin.stop().await {
                        self.broke(Hook::FinishedCallback, Broken { fault, again: false });
                    }
                    done.send(()).ok();
                    break;
                }
                Next::Status => {
                    self.in_time(async |worker| worker.tell_status().await).await;
                }
                Next::Events => {
                    let last = *self.news.borrow_and_update();
                    self.in_time(async |worker| worker.tell_events(last).await).await;
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
        let statuses = self.uses.statuses && !self.statuses.is_empty();
        let behind = *self.news.borrow() >= self.next || !self.list.is_empty();
        if self.uses.events && behind && self.since.is_none() {
            self.since = Some(Instant::now());
        }
        let gathered = self.since.map(|since| later(since, GATHER));
        tokio::select! {
            biased;
            order = self.orders.recv() => Next::Order(order),
            () = until(self.statuses_again), if statuses => Next::Status,
            () = until(gathered.max(self.events_again)), if self.uses.events && behind => Next::Events,
            changed = self.news.changed(), if self.uses.events && !behind => {
                match changed {
                    // Looks again, and waits for others to come.
                    Ok(()) => Box::pin(self.next()).await,
                    Err(_) => Next::Order(None),
                }
            }
        }
    }

    // ---- events -------------------------------------------------------------------------------------------------------

    /// Hands over the next list of events up to this counter.
    async fn tell_events(&mut self, through: u64) {
        self.since = None;
        self.events_again = None;
        if self.list.is_empty() {
            self.gather(through);
        }
        if !self.list.is_empty() {
            self.hand_over().await;
        }
    }

    fn gather(&mut self, through: u64) {
        let mut bytes = 0;
        while self.next <= through && self.list.len() < LIST && bytes < LIST_BYTES {
            let Some(event) = self.view.event(self.next) else {
                let text = format!("event {} cannot be read back from the journal", self.next);
                self.broke(Hook::EventHandler, Broken { fault: fault(ON_EVENTS, FaultKind::Host, text), again: false });
                self.uses.events = false;
                return;
            };
            self.next += 1;
            if self.plugin.heard.wants(event.name()) {
                bytes += playwarden_sandbox::size(&event, &self.plugin.heard.payload);
                self.list.push(event);
            }
        }
    }

    /// Hands over what was gathered; nothing asks to finish what is pending.
    async fn hand_over(&mut self) {
        let events = &self.list;
        match self.plugin.ask(async |instance| instance.on_events(events).await).await {
            Ok(acknowledged) => {
                self.acknowledged = self.acknowledged.max(acknowledged);
                self.list.clear();
                self.tries = 0;
            }
            Err(broken) if broken.again => {
                self.list.clear();
                self.next = self.acknowledged + 1;
                self.broke(Hook::EventHandler, broken);
            }
            Err(Broken { fault: Fault { retry_after: Some(wait), text, .. }, .. }) => {
                self.events_again = self.wait(ON_EVENTS, wait, &text).await;
            }
            Err(broken) => {
                self.uses.events = false;
                self.broke(Hook::EventHandler, broken);
            }
        }
    }

    // ---- statuses -----------------------------------------------------------------------------------------------------

    async fn tell_status(&mut self) {
        self.statuses_again = None;
        let Some(change) = self.statuses.front() else { return };
        match self.plugin.ask(async |instance| instance.on_status(change).await).await {
            Ok(()) => {
                self.statuses.pop_front();
                self.tries = 0;
            }
            Err(broken) if broken.again => self.broke(Hook::StatusHandler, broken),
            Err(Broken { fault: Fault { retry_after: Some(wait), text, .. }, .. }) => {
                self.statuses_again = self.wait(ON_STATUS, wait, &text).await;
            }
            Err(broken) => {
                self.uses.statuses = false;
                self.broke(Hook::StatusHandler, broken);
            }
        }
    }

    // ---- the end ------------------------------------------------------------------------------------------------------

    /// Does something as long as the run lasts, and its time after that. A call that is under way then is dropped where it
    /// stands, and false is returned.
    async fn in_time(&mut self, work: impl AsyncFnOnce(&mut Self)) -> bool {
        let (mut hurried, mut ended, finish) = (self.hurried.clone(), self.ended.clone(), self.plugin.limits.finish);
        let over = async {
            match ended.wait_for(Option::is_some).await.map(|end| *end) {
                Ok(end) => until(end.map(|end| later(end, finish))).await,
                Err(_) => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            biased;
            _ = hurried.wait_for(|hurried| *hurried) => IN_A_HURRY,
            () = work(self) => return true,
            () = over => LATE,
        };
        self.plugin.abandon();
        self.give_up(self.view.last(), why);
        false
    }

    /// Hands over what is left, as long as there is time.
    async fn drain(&mut self, through: u64, deadline: Instant) {
        let mut asked_to_finish = false;
        loop {
            let statuses = self.uses.statuses && !self.statuses.is_empty();
            let events = self.uses.events && (self.next <= through || !self.list.is_empty());
            let finish = self.uses.events && !events && !asked_to_finish;
            if !statuses && !events && !finish {
                return;
            }
            let due = if statuses { self.statuses_again } else { self.events_again };
            if due.unwrap_or_else(Instant::now) >= deadline {
                return self.give_up(through, LATE);
            }
            let step = async |worker: &mut Self| {
                until(due).await;
                if statuses {
                    worker.tell_status().await;
                } else if events {
                    worker.tell_events(through).await;
                } else {
                    worker.events_again = None;
                    worker.hand_over().await;
                }
            };
            if !self.in_time(step).await {
                return;
            }
            asked_to_finish |= finish && self.events_again.is_none();
        }
    }

    fn give_up(&mut self, through: u64, why: &str) {
        let left = self.view.last().min(through).saturating_sub(self.acknowledged);
        if self.uses.events {
            self.uses.events = false;
            let text = format!("{why}: of {through} events it acknowledged those up to {}", self.acknowledged);
            let text = if left == 0 { why.to_owned() } else { text };
            self.broke(Hook::EventHandler, Broken { fault: fault(ON_EVENTS, FaultKind::Timeout, text), again: false });
        }
        if self.uses.statuses && !self.statuses.is_empty() {
            self.uses.statuses = false;
            let words: Vec<_> = self.statuses.drain(..).map(|change| Status::word(change.to)).collect();
            let text = format!("{why}: it has not taken the status {}", words.join(", "));
            self.broke(Hook::StatusHandler, Broken { fault: fault(ON_STATUS, FaultKind::Timeout, text), again: false });
        }
    }

    async fn finish(&mut self, finish: &Finish) {
        let deadline = later(Instant::now(), self.plugin.limits.finish);
        let mut hurried = self.hurried.clone();
        self.tries = 0;
        loop {
            let answer = tokio::select! {
                biased;
                _ = hurried.wait_for(|hurried| *hurried) => {
                    self.plugin.abandon();
                    let fault = fault(ON_FINISHED, FaultKind::Timeout, IN_A_HURRY.to_owned());
                    Err(Broken { fault, again: false })
                }
                answer = self.plugin.ask(async |instance| instance.on_finished(finish).await) => answer,
            };
            match answer {
                Ok(()) => return,
                Err(broken) if broken.again => self.broke(Hook::FinishedCallback, broken),
                Err(broken) => {
                    let wait = broken.fault.retry_after.filter(|wait| later(Instant::now(), *wait) < deadline);
                    let Some(wait) = wait else { return self.broke(Hook::FinishedCallback, broken) };
                    let again = self.wait(ON_FINISHED, wait, &broken.fault.text).await;
                    tokio::select! {
                        _ = hurried.wait_for(|hurried| *hurried) => {}
                        () = until(again) => {}
                    }
                }
            }
        }
    }

    // ---- faults -------------------------------------------------------------------------------------------------------

    /// Notes that a call is to be made again, and returns when.
    async fn wait(&mut self, call: &str, wait: Duration, why: &str) -> Option<Instant> {
        self.tries += 1;
        let wait = wait.max(SHORTEST_WAIT);
        // An hour of refusals is worth a few lines.
        if self.tries.is_power_of_two() {
            let text = format!("`{call}` {why}; try {} follows in {wait:?}", self.tries + 1);
            self.plugin.note("warn", &text).await;
        }
        Some(later(Instant::now(), wait))
    }

    fn broke(&self, hook: Hook, broken: Broken) {
        // A loop that is gone has no use for it.
        self.report.send(self.plugin.said(hook, broken)).ok();
    }
}

const LATE: &str = "was not in time at the end of the run";
const IN_A_HURRY: &str = "was not waited for: somebody was in a hurry";

const ON_EVENTS: &str = "event-handler.on-events";
const ON_STATUS: &str = "status-handler.on-status";
const ON_FINISHED: &str = "finished-callback.on-finished";

fn fault(call: &'static str, kind: FaultKind, text: String) -> Fault {
    Fault { call, kind, text, stderr: String::new(), retry_after: None }
}

/// A time that far in the future never comes.
fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or_else(|| time + Duration::from_secs(86_400 * 365))
}

async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        sleep_until(time).await;
    }
}
