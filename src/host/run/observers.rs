//! The plugins that observe a run: event handlers, status handlers and finished callbacks.
//!
//! Each has a thread of its own ([`observer`](super::observer)) and takes events from the journal at its own pace, so that a
//! slow one stalls nobody and loses nothing; the loop only says how far the journal goes. What breaks is reported to the
//! loop, the only maker of events.

use std::io;
use std::sync::Arc;
use std::thread;

use playwarden_sandbox::{Finish, StatusChange};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::observer::{Told, Worker, hurried, later};
use super::plugin::{Hook, LivePlugin};
use super::policies::{Consequence, Said};
use super::view::View;

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
    /// From then on nobody wants to wait any longer.
    hurry: watch::Sender<Option<Instant>>,
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
pub(super) enum Order {
    Status(StatusChange),
    /// Deliver everything up to this counter, until then.
    Drain {
        through: u64,
        deadline: Instant,
        /// Nothing follows.
        last: bool,
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
        let (hurry, hurried) = watch::channel(None);
        let (end, ended) = watch::channel(None);
        let (report, said) = mpsc::unbounded_channel();
        let told = Told { news, hurried, ended, report };
        let mut list = Vec::new();
        for (plugin, uses) in plugins.iter().filter(|(_, uses)| uses.any()) {
            let (orders, inbox) = mpsc::unbounded_channel();
            let worker = Worker::new(plugin, *uses, view, inbox, told.clone());
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

    /// Nobody wants to wait any longer, from then on.
    pub(crate) fn hurry(&self, from: Instant) {
        self.hurry.send_replace(Some(from));
    }

    /// Whether somebody is in a hurry.
    pub(crate) fn is_hurried(&self) -> bool {
        self.hurry.borrow().is_some()
    }

    /// Waits until nobody wants to wait any longer.
    pub(crate) async fn hurried(&self) {
        hurried(self.hurry.subscribe()).await;
    }

    /// A thread is gone that should not be: nobody waits for it again.
    pub(crate) fn forget(&mut self, plugin: &LivePlugin) {
        self.list.retain(|observer| observer.plugin.identity != plugin.identity);
    }

    /// Lets everybody take what is left up to this counter, each for as long as its `finish` allows since `end`. The last
    /// time is also the last that they hear of events.
    pub(crate) fn drain(&self, through: u64, end: Instant, last: bool) -> Vec<Waiting> {
        self.end.send_replace(Some(end));
        let order = |observer: &Observer, done| {
            let deadline = later(end, observer.plugin.limits.finish);
            Order::Drain { through, deadline, last, done }
        };
        self.send(Hook::EventHandler, |observer| observer.uses.events || observer.uses.statuses, order)
    }

    /// Tells finished callbacks.
    pub(crate) fn finish(&self, finish: &Arc<Finish>) -> Vec<Waiting> {
        let order = |_: &Observer, done| Order::Finish { finish: Arc::clone(finish), done };
        self.send(Hook::FinishedCallback, |observer| observer.uses.finish, order)
    }

    /// Makes the last call of each.
    pub(crate) fn stop(&self) -> Vec<Waiting> {
        self.send(Hook::FinishedCallback, |_| true, |_, done| Order::Stop { done })
    }

    fn send(
        &self,
        hook: Hook,
        to: impl Fn(&Observer) -> bool,
        order: impl Fn(&Observer, oneshot::Sender<()>) -> Order,
    ) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        for observer in self.list.iter().filter(|observer| to(observer)) {
            let (done, over) = oneshot::channel();
            // Where nobody is left, the other end is gone too, and waiting for it ends at once.
            observer.orders.send(order(observer, done)).ok();
            waiting.push(Waiting { plugin: Arc::clone(&observer.plugin), hook, over });
        }
        waiting
    }
}

/// An order that is being carried out.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) plugin: Arc<LivePlugin>,
    /// What it is about.
    pub(crate) hook: Hook,
    /// An error means that the plugin's thread is gone.
    pub(crate) over: oneshot::Receiver<()>,
}
