//! Takes its time: `on-events` returns when the run has as many results that are ok as the configuration's `ok` says, and
//! acknowledges all it got. `seen.jsonl` has each counter it was handed, one a line. The run must not wait for it, and
//! no event may be missing.

use std::time::Duration;

use playwarden_sdk::prelude::*;

struct SlowHandler {
    ok: u32,
}

impl Plugin for SlowHandler {
    fn new() -> Result<Self, Failure> {
        Ok(Self { ok: config::value("/ok")?.ok_or("config has no `ok`")? })
    }
}

impl EventHandler for SlowHandler {
    fn on_events(&mut self, source: &Source, events: &[Event]) -> Result<u64, Failure> {
        for event in events {
            output::append_line("seen.jsonl", &event.counter.to_string())?;
        }
        while journal::tally_of_run(source).ok < self.ok {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

playwarden_sdk::export!(SlowHandler: EventHandler);
