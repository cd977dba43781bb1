//! What a plugin costs: to load, and per call and event.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use playwarden_event::reader::JournalReader;
use playwarden_event::{Event, Json, StartRequest, Tallies, Tally, Timestamp, Totals};
use playwarden_sandbox::{Fault, Instance, RunView, Sandbox, SandboxError, Setup};

use super::written;
use crate::plan::PluginPlan;
use crate::run::{self, TroubleKind};

/// Calls of each kind.
const CALLS: usize = 2000;
/// Events in a long list.
const LIST: usize = 64;

/// What one plugin costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Bytes of the component.
    pub size: u64,
    /// To load it where it was never compiled.
    pub cold: Duration,
    /// To load it from the cache.
    pub cached: Duration,
    /// To make an instance and start it.
    pub start: Duration,
    /// Bytes of its memory after all calls.
    pub memory: u64,
    /// By hook.
    pub hooks: Vec<Measured>,
}

/// What the calls of one hook cost.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The hook's function.
    pub call: &'static str,
    /// A call with one event or start: half of them took no longer.
    pub median: Duration,
    /// A call with one event or start: 99 of 100 took no longer.
    pub slow: Duration,
    /// One event in a list of 64, on average; none where there are no lists.
    pub event: Option<Duration>,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// There is no engine.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// There is no place for a cache, or the component cannot be read.
    #[error("a file or folder cannot be read or made")]
    Io(#[from] std::io::Error),
    /// It cannot be used.
    #[error("it cannot be used")]
    Unusable(Vec<TroubleKind>),
    /// It broke.
    #[error("it broke: {0}")]
    Fault(Box<Fault>),
}

/// Measures a plugin, with results of tasks as events, of a kilobyte each, `failed` never, and with starts of tasks.
///
/// # Errors
/// When it cannot be used, or breaks.
pub async fn measure(plan: &PluginPlan) -> Result<Cost, CostError> {
    let size = run::component(&plan.component).map_or(0, |bytes| bytes.len() as u64);
    let folder = tempfile::tempdir()?;
    let (mut cold, mut cached) = (Duration::ZERO, Duration::ZERO);
    let mut plugin = None;
    // An engine of its own each time, as in a process of its own.
    for took in [&mut cold, &mut cached] {
        let sandbox = Sandbox::new(Some(folder.path().join("cache")))?;
        let begin = Instant::now();
        let loaded = run::load(plan, &sandbox).await.map_err(CostError::Unusable)?;
        *took = begin.elapsed();
        plugin = Some((loaded.0, sandbox));
    }
    let Some((plugin, _sandbox)) = plugin else { return Err(CostError::Unusable(Vec::new())) };

    let view = Arc::new(Told::default());
    let setup = run::setup(plan, folder.path().to_owned(), Arc::clone(&view) as Arc<dyn RunView>);
    let begin = Instant::now();
    let mut instance = start(&plugin, setup).await?;
    let start = begin.elapsed();

    let hooks = plugin.hooks();
    let mut measured = Vec::new();
    if plugin.judges_events() {
        let ask = async |instance: &mut Instance, events: &[Arc<Event>], totals: Totals| {
            instance.evaluate(events, totals).await.map(drop)
        };
        measured.push(calls("cancel-policy.evaluate", &mut instance, &view, ask).await?);
    }
    if plugin.judges_starts() {
        measured.push(starts(&mut instance, &view).await?);
    }
    if hooks.event_handler {
        let ask = async |instance: &mut Instance, events: &[Arc<Event>], _: Totals| {
            instance.on_events(events).await.map(drop)
        };
        measured.push(calls("event-handler.on-events", &mut instance, &view, ask).await?);
    }
    let memory = instance.memory();
    Ok(Cost { size, cold, cached, start, memory, hooks: measured })
}

async fn start(plugin: &playwarden_sandbox::Plugin, setup: Setup) -> Result<Instance, CostError> {
    plugin.start(setup).await.map_err(|fault| CostError::Fault(Box::new(fault)))
}

async fn starts(instance: &mut Instance, view: &Told) -> Result<Measured, CostError> {
    let mut took = Vec::with_capacity(CALLS);
    for number in 0..CALLS {
        let start = start_of(number);
        let begin = Instant::now();
        let answer = instance.admit(Timestamp::from_ns(0), &start, view.totals()).await;
        answer.map_err(|fault| CostError::Fault(Box::new(fault)))?;
        took.push(begin.elapsed());
    }
    took.sort_unstable();
    let (median, slow) = (took[CALLS / 2], took[CALLS * 99 / 100]);
    Ok(Measured { call: "start-policy.admit", median, slow, event: None })
}

async fn calls(
    call: &'static str,
    instance: &mut Instance,
    view: &Told,
    ask: impl AsyncFn(&mut Instance, &[Arc<Event>], Totals) -> Result<(), Fault>,
) -> Result<Measured, CostError> {
    let fault = |fault| CostError::Fault(Box::new(fault));
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let events = view.more(1);
        let begin = Instant::now();
        ask(instance, &events, view.totals()).await.map_err(fault)?;
        took.push(begin.elapsed());
    }
    let mut lists = Duration::ZERO;
    let count = CALLS / LIST;
    for _ in 0..count {
        let events = view.more(LIST);
        let begin = Instant::now();
        ask(instance, &events, view.totals()).await.map_err(fault)?;
        lists += begin.elapsed();
    }
    took.sort_unstable();
    let events = u32::try_from(count * LIST).unwrap_or(u32::MAX);
    Ok(Measured { call, median: took[CALLS / 2], slow: took[CALLS * 99 / 100], event: Some(lists / events) })
}

/// A run that goes on as long as somebody wants.
#[derive(Default)]
struct Told(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    events: Vec<Arc<Event>>,
    tallies: Tallies,
}

impl Told {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many results happen.
    fn more(&self, count: usize) -> Vec<Arc<Event>> {
        let mut inner = self.inner();
        let first = inner.events.len() as u64 + 1;
        let events: Vec<_> = (first..).take(count).filter_map(|counter| result(counter).map(Arc::new)).collect();
        for event in &events {
            inner.tallies.apply(event);
        }
        inner.events.extend(events.iter().cloned());
        events
    }
}

/// The start of a task, one host after the other.
fn start_of(number: usize) -> StartRequest {
    StartRequest {
        uuid: format!("start-{number}"),
        play: "web".to_owned(),
        task: "write the file".to_owned(),
        action: "ansible.builtin.copy".to_owned(),
        host: format!("web{:02}", number % 40),
        args: Some(Json::of(&serde_json::json!({ "dest": "/etc/app.conf", "content": "line\n".repeat(40) }))),
        ..StartRequest::default()
    }
}

/// The result of a task.
fn result(counter: u64) -> Option<Event> {
    let line = serde_json::json!({
        "event": "runner_on_ok", "host": format!("web{:02}", counter % 40), "play": "web", "task": "write the file",
        "resolved_action": "ansible.builtin.copy", "duration": 0.25,
        "res": { "changed": counter.is_multiple_of(3), "msg": "", "checksum": "0".repeat(40), "diff": "+ a line\n".repeat(60) },
    });
    let text = written::journal(&line.to_string()).ok()?.text;
    let event: Event = JournalReader::new(text.as_bytes()).next()?.ok()?;
    let head = playwarden_event::Head { counter, uuid: format!("event-{counter}"), ..event.head().clone() };
    Some(Event::decode(head, event.name(), event.data().clone()))
}

impl RunView for Told {
    fn last(&self) -> u64 {
        self.inner().events.len() as u64
    }

    fn event(&self, counter: u64) -> Option<Arc<Event>> {
        self.inner().events.get(usize::try_from(counter.checked_sub(1)?).ok()?).cloned()
    }

    fn facts(&self, _: &str) -> Option<Json> {
        None
    }

    fn totals(&self) -> Totals {
        self.inner().tallies.totals()
    }

    fn batch(&self) -> Tally {
        self.inner().tallies.batch()
    }

    fn host(&self, host: &str) -> Option<Tally> {
        self.inner().tallies.host(host)
    }

    fn group(&self, group: &str) -> Option<Tally> {
        self.inner().tallies.group(group)
    }
}
