//! Does what its table says when it is told something for the N-th time, and else what is right.
//!
//! ```toml
//! config = { do = [{ hook = "on-events", call = 2, incarnation = 1, act = "trap" }] }
//! ```
//!
//! `hook` is `on-events`, `on-status`, `on-finished`, `evaluate`, `admit`, `tick`, `start` or `stop`; `call` is its number in
//! this incarnation; without `call` or `incarnation` the row is for all of them, with `empty` only for lists without an
//! event; `act` is `trap`, `fail`, `retry` (fail with leave to ask again after 10 ms), `late` (acknowledge nothing),
//! `too-much` (acknowledge what never was), `hang` (in the host), `spin`, `memory`, `flood-log` or `flood-output`.
//!
//! `seen.jsonl` has a line for each call of an observing hook, written before anything is done: the hook, the incarnation,
//! the number of the call there (`call`) and in the whole run (`total`, which is kept in `state`), and what was told.

use std::collections::BTreeMap;
use std::time::Duration;

use playwarden_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Trap,
    Fail,
    Retry,
    Late,
    TooMuch,
    Hang,
    Spin,
    Memory,
    FloodLog,
    FloodOutput,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    hook: String,
    call: Option<u32>,
    incarnation: Option<u32>,
    #[serde(default)]
    empty: bool,
    act: Act,
}

struct HandlerTable {
    rows: Vec<Row>,
    incarnation: u32,
    calls: BTreeMap<&'static str, u32>,
}

impl Plugin for HandlerTable {
    fn new() -> Result<Self, Failure> {
        let rows = config::value("/do")?.unwrap_or_default();
        Ok(Self { rows, incarnation: 0, calls: BTreeMap::new() })
    }
}

impl HandlerTable {
    /// Writes a call down and does what the table says, if anything. Answers whether it is to be acknowledged as it should.
    fn told(&mut self, hook: &'static str, what: Value) -> Result<Option<&Act>, Failure> {
        let call = self.count(hook);
        let before = state::get(hook).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        let total = before + 1;
        state::set(hook, &total.to_le_bytes())?;
        let incarnation = self.incarnation;
        let line = json!({ "hook": hook, "incarnation": incarnation, "call": call, "total": total, "told": &what });
        output::append_line("seen.jsonl", &line.to_string())?;
        self.act(hook, call, what["counters"].as_array().is_some_and(Vec::is_empty))
    }

    /// Does what the table says about a question, which goes well otherwise.
    fn asked(&mut self, hook: &'static str) -> Result<Verdict, Failure> {
        let call = self.count(hook);
        self.act(hook, call, false).map(|_| Verdict::Proceed)
    }

    fn count(&mut self, hook: &'static str) -> u32 {
        let call = self.calls.entry(hook).or_default();
        *call += 1;
        *call
    }

    fn act(&self, hook: &str, call: u32, is_empty: bool) -> Result<Option<&Act>, Failure> {
        let fits = |row: &&Row| {
            row.hook == hook
                && row.call.is_none_or(|wanted| wanted == call)
                && (is_empty || !row.empty)
                && row.incarnation.is_none_or(|wanted| wanted == self.incarnation)
        };
        let act = self.rows.iter().find(fits).map(|row| &row.act);
        match act {
            Some(Act::Trap) => panic!("this guest was told to panic"),
            Some(Act::Fail) => Err(Failure::new("this guest was told to fail")),
            Some(Act::Retry) => {
                Err(Failure::new("this guest was told to ask again").retry_after(Duration::from_millis(10)))
            }
            Some(Act::Hang) => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
            Some(Act::Spin) => loop {
                std::hint::spin_loop();
            },
            Some(Act::Memory) => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            Some(Act::FloodLog) => loop {
                info!("{}", "flood ".repeat(170));
            },
            Some(Act::FloodOutput) => {
                let line = "flood ".repeat(10_000);
                loop {
                    output::append_line("flood.txt", &line).ok();
                }
            }
            other => Ok(other),
        }
    }
}

impl Lifecycle for HandlerTable {
    fn start(&mut self, run: &Run) -> Result<(), Failure> {
        self.incarnation = run.incarnation;
        self.asked("start").map(drop)
    }

    fn stop(&mut self) {
        info!("stopped"; incarnation = self.incarnation);
        self.asked("stop").ok();
    }
}

impl CancelPolicy for HandlerTable {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        self.asked("evaluate")
    }
}

impl StartPolicy for HandlerTable {
    fn admit(&mut self, _: &Source, _: &Start, _: &Totals) -> Result<Verdict, Failure> {
        self.asked("admit")
    }
}

impl TickPolicy for HandlerTable {
    fn tick(&mut self, _: &Source, _: u64, _: &Totals) -> Result<Verdict, Failure> {
        self.asked("tick")
    }
}

impl EventHandler for HandlerTable {
    fn on_events(&mut self, source: &Source, events: &[Event]) -> Result<u64, Failure> {
        let counters: Vec<u64> = events.iter().map(|event| event.counter).collect();
        let last = counters.last().copied().unwrap_or(0);
        // How far the journal can be read, which is how far the handler was told.
        let sees = journal::read(source, last.max(1), 1024).last().map(|event| event.counter);
        let data = events.iter().filter(|event| event.data.is_some()).count();
        Ok(match self.told("on-events", json!({ "counters": counters, "sees": sees, "with-data": data }))? {
            Some(Act::Late) => 0,
            Some(Act::TooMuch) => last + 1_000_000,
            _ => last,
        })
    }
}

impl StatusHandler for HandlerTable {
    fn on_status(&mut self, change: &Change) -> Result<(), Failure> {
        let told = json!({
            "from": change.from.name(), "to": change.to.name(), "detail": change.detail, "ok": change.totals.run.ok,
            "data": change.data,
        });
        self.told("on-status", told).map(drop)
    }
}

impl FinishedCallback for HandlerTable {
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure> {
        let read = journal::before(&finish.source, finish.last_event + 1).count();
        let told = json!({
            "status": finish.status.name(), "rc": finish.rc, "cause": finish.cause, "by": finish.by,
            "reason": finish.reason.as_ref().map(|reason| &reason.text), "last-event": finish.last_event, "read": read,
        });
        self.told("on-finished", told).map(drop)
    }
}

playwarden_sdk::export!(
    HandlerTable: Lifecycle + CancelPolicy + StartPolicy + TickPolicy + EventHandler + StatusHandler + FinishedCallback
);
