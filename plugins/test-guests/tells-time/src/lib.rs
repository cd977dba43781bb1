//! Logs what it takes for the time and for chance; warns at each tick.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::{SystemTime, UNIX_EPOCH};

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct TellsTime;

impl EventHandler for TellsTime {
    fn on_events(&mut self, _: &Source, events: &[Event]) -> Result<u64, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|err| Failure::new(err.to_string()))?;
        let chance = RandomState::new().hash_one("x");
        info!("{} {chance}", now.as_nanos());
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

impl TickPolicy for TellsTime {
    fn tick(&mut self, _: &Source, now_ns: u64, _: &Totals) -> Result<Verdict, Failure> {
        Ok(Verdict::warn(format!("tick at {now_ns}")))
    }
}

playwarden_sdk::export!(TellsTime: EventHandler + TickPolicy);
