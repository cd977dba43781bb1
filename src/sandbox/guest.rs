//! What the host offers to a guest: the other side of `wit/host.wit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use playwarden_event::Json;
use wasmtime::Trap;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings::playwarden::plugin::{config, journal, log, output, state, types};
use crate::capture::Notes;
use crate::clock::Clock;
use crate::convert;
use crate::grants::Grants;
use crate::http::Gate;
use crate::limits::{Deadline, Limits, MemoryLimiter, RESOURCES};
use crate::mask::Mask;
use crate::outputs::Outputs;
use crate::view::{RunView, Subscription};

/// Bytes that a plugin may keep in its `state`, keys included.
const STATE_LIMIT: usize = 1 << 20;

/// Events that one `journal.read` hands out at most.
const READ_LIMIT: u32 = 1024;

/// Bytes of text and data that one `journal.read` hands out at most, but for a single event.
const READ_BYTES: usize = 8 << 20;

/// Bytes of headers that a guest may have in one place; with [`RESOURCES`] of them still little.
const HEADERS: usize = 64 << 10;

/// Everything an instance can reach: the data of its store.
pub(crate) struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    gate: Gate,
    pub(crate) memory: MemoryLimiter,
    pub(crate) deadline: Deadline,
    pub(crate) notes: Notes,
    config: Json,
    secrets: BTreeMap<String, String>,
    pub(crate) run: Option<RunAccess>,
    outputs: Outputs,
    pub(crate) state: BTreeMap<String, Vec<u8>>,
}

/// The run as this guest may see it.
pub(crate) struct RunAccess {
    pub(crate) id: String,
    pub(crate) view: Arc<dyn RunView>,
    /// What the present call is for.
    pub(crate) subscription: Arc<Subscription>,
    /// The counter up to which the guest may look.
    pub(crate) handed: u64,
}

impl Guest {
    /// Makes what a guest can reach. An error says which folder cannot be granted, and why.
    pub(crate) fn new(
        config: Json,
        limits: &Limits,
        notes: Notes,
        mut outputs: Outputs,
        grants: Grants,
        clock: Option<&Clock>,
    ) -> Result<Self, String> {
        // Everything that a builder does not name is closed, empty or refused.
        let mut builder = WasiCtx::builder();
        builder.stdout(notes.stdout()).stderr(notes.stderr()).allow_tcp(false).allow_udp(false);
        grants.hand_to(&mut builder)?;
        if let Some(clock) = clock {
            clock.hand_to(&mut builder);
            notes.live_by(clock);
        }
        let mask = Mask::new(&grants.secrets);
        outputs.mask = mask.clone();
        notes.hide(mask);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADERS);
        Ok(Self {
            table: table(),
            wasi: builder.build(),
            http,
            gate: Gate::new(grants.http, notes.clone()),
            memory: MemoryLimiter::new(limits.memory),
            deadline: Deadline::default(),
            notes,
            config,
            secrets: grants.secrets,
            run: None,
            outputs,
            state: BTreeMap::new(),
        })
    }

    /// Closes all that the guest held open: files, and requests with the tasks behind them.
    pub(crate) fn close(&mut self) {
        self.table = table();
    }

    fn run(&self, source: &types::Source) -> Option<&RunAccess> {
        self.run.as_ref().filter(|run| run.id == source.run)
    }

    /// Ends a call that is over, where no other clock ticks.
    fn in_time(&self) -> wasmtime::Result<()> {
        if self.deadline.is_over() { Err(Trap::Interrupt.into()) } else { Ok(()) }
    }
}

fn table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES);
    table
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.gate.deadline = self.deadline;
        WasiHttpCtxView { hooks: &mut self.gate, table: &mut self.table, ctx: &mut self.http }
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn log(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => "trace",
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.notes.line(level, &message, fields)
    }

    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(!matches!(level, log::Level::Trace))
    }
}

impl config::Host for Guest {
    fn get(&mut self, pointer: String) -> wasmtime::Result<Option<String>> {
        Ok(self.config.pointer(&pointer).map(|value| value.text().to_owned()))
    }

    fn secret(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.secrets.get(&name).cloned())
    }
}

impl journal::Host for Guest {
    fn data(&mut self, source: types::Source, counter: u64, pointer: String) -> wasmtime::Result<Option<String>> {
        let found = || {
            let run = self.run(&source).filter(|run| counter <= run.handed)?;
            let event = run.view.event(counter)?;
            event.data().pointer(&pointer).map(|value| value.text().to_owned())
        };
        Ok(found())
    }

    fn read(&mut self, source: types::Source, first: u64, max: u32) -> wasmtime::Result<Vec<types::Event>> {
        let Some(run) = self.run(&source) else { return Ok(Vec::new()) };
        let max = max.min(READ_LIMIT) as usize;
        let mut events = Vec::new();
        let mut bytes = 0;
        for counter in first.max(1)..=run.handed {
            // A filter that little passes makes this a walk through the whole journal.
            self.in_time()?;
            if events.len() == max {
                break;
            }
            let Some(event) = run.view.event(counter) else { break };
            if !run.subscription.wants(event.name()) {
                continue;
            }
            let event = convert::event_to_guest(&event, &run.subscription.payload);
            bytes += convert::text_size(&event);
            if bytes > READ_BYTES && !events.is_empty() {
                break;
            }
            events.push(event);
        }
        Ok(events)
    }

    fn facts(&mut self, source: types::Source, host: String, pointer: String) -> wasmtime::Result<Option<String>> {
        // Facts are large, and may have to be put together from many events.
        self.in_time()?;
        let facts = self.run(&source).and_then(|run| run.view.facts(&host));
        self.in_time()?;
        Ok(facts.and_then(|facts| facts.pointer(&pointer)).map(|value| value.text().to_owned()))
    }

    fn tally_of_run(&mut self, source: types::Source) -> wasmtime::Result<types::Tally> {
        Ok(convert::tally(self.run(&source).map(|run| run.view.totals().run).unwrap_or_default()))
    }

    fn tally_of_play(&mut self, source: types::Source) -> wasmtime::Result<types::Tally> {
        Ok(convert::tally(self.run(&source).map(|run| run.view.totals().play).unwrap_or_default()))
    }

    fn tally_of_batch(&mut self, source: types::Source) -> wasmtime::Result<types::Tally> {
        Ok(convert::tally(self.run(&source).map(|run| run.view.batch()).unwrap_or_default()))
    }

    fn tally_of_group(&mut self, source: types::Source, group: String) -> wasmtime::Result<Option<types::Tally>> {
        Ok(self.run(&source).and_then(|run| run.view.group(&group)).map(convert::tally))
    }

    fn tally_of_host(&mut self, source: types::Source, host: String) -> wasmtime::Result<Option<types::Tally>> {
        Ok(self.run(&source).and_then(|run| run.view.host(&host)).map(convert::tally))
    }

    fn tally_of_workflow(&mut self) -> wasmtime::Result<types::Tally> {
        Ok(convert::tally(self.run.as_ref().map(|run| run.view.totals().run).unwrap_or_default()))
    }
}

impl state::Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        let others: usize = self.state.iter().filter(|(k, _)| **k != key).map(|(k, v)| k.len() + v.len()).sum();
        if others + key.len() + value.len() > STATE_LIMIT {
            return Ok(Err(format!("the state of a plugin is limited to {STATE_LIMIT} bytes")));
        }
        self.state.insert(key, value);
        Ok(Ok(()))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        self.state.remove(&key);
        Ok(())
    }
}

impl output::Host for Guest {
    fn append(&mut self, name: String, data: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        Ok(self.outputs.append(&name, &data))
    }

    fn append_line(&mut self, name: String, mut line: String) -> wasmtime::Result<Result<(), String>> {
        line.push('\n');
        Ok(self.outputs.append(&name, line.as_bytes()))
    }

    fn publish(&mut self, name: String, value: String) -> wasmtime::Result<Result<(), String>> {
        Ok(self.outputs.publish(&name, value))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use playwarden_event::{Event, Head, Tally, Totals};

    use super::*;
    use crate::view::Payload;

    /// A run whose events have data of so many bytes.
    struct Run(u64, usize);

    impl RunView for Run {
        fn last(&self) -> u64 {
            self.0
        }
        fn event(&self, counter: u64) -> Option<Arc<Event>> {
            let head = Head::numbered(counter);
            let data = Json::of(&serde_json::json!({ "text": "x".repeat(self.1) }));
            (counter <= self.0).then(|| Arc::new(Event::decode(head, "verbose", data)))
        }
        fn facts(&self, _: &str) -> Option<Json> {
            None
        }
        fn totals(&self) -> Totals {
            Totals::default()
        }
        fn batch(&self) -> Tally {
            Tally::default()
        }
        fn host(&self, _: &str) -> Option<Tally> {
            None
        }
        fn group(&self, _: &str) -> Option<Tally> {
            None
        }
    }

    fn guest(run: Run, handed: u64, deadline: Deadline) -> (Guest, types::Source) {
        let limits = Limits::default();
        let notes = Notes::open(None, limits.log).unwrap();
        let mut guest =
            Guest::new(Json::default(), &limits, notes, Outputs::nowhere(), Grants::default(), None).unwrap();
        let subscription = Arc::new(Subscription { events: Vec::new(), payload: Payload::Full });
        guest.run = Some(RunAccess { id: "r".into(), view: Arc::new(run), subscription, handed });
        guest.deadline = deadline;
        (guest, types::Source { run: "r".into(), job: "j".into() })
    }

    /// Returns the counters that a guest reads of a run, and whether it was in time.
    fn read(run: Run, handed: u64, max: u32, deadline: Deadline) -> wasmtime::Result<Vec<u64>> {
        let (mut guest, source) = guest(run, handed, deadline);
        let events = journal::Host::read(&mut guest, source, 2, max)?;
        Ok(events.into_iter().map(|event| event.counter).collect())
    }

    #[test]
    fn the_journal_is_read_in_pages() {
        let read = |run, handed, max| read(run, handed, max, Deadline::default()).unwrap();
        assert_eq!(read(Run(9, 1), 4, 100), [2, 3, 4]);
        assert_eq!(read(Run(9, 1), 9, 2), [2, 3]);
        assert_eq!(read(Run(9, 1), 9, 0), [0; 0]);
        assert_eq!(read(Run(5000, 1), 5000, u32::MAX).len(), 1024);
        // 1,000,000 bytes of data each: eight of them are within the budget.
        assert_eq!(read(Run(99, 1_000_000), 99, 100), [2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_walk_through_the_journal_ends_at_the_deadline() {
        let err = read(Run(9, 1), 9, 100, Deadline::after(Duration::ZERO)).unwrap_err();
        assert_eq!(err.downcast_ref(), Some(&Trap::Interrupt));
        let (mut guest, source) = guest(Run(9, 1), 9, Deadline::after(Duration::ZERO));
        let err = journal::Host::facts(&mut guest, source, "h".into(), String::new()).unwrap_err();
        assert_eq!(err.downcast_ref(), Some(&Trap::Interrupt));
    }
}
