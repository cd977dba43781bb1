//! Writes down all that it is told and compares it with what it can ask for. A mismatch is a log line of level `error`
//! that begins with `mismatch:`; there must be none.
//!
//! `seen.txt` has, in the order in which the policy was asked, `COUNTER KIND HOST` for an event (`-` for no host) and
//! `start TASK HOST` for a start; `handled.txt` has the events of the event handler, `statuses.txt` the statuses.
//! Set `all = false` when the plugin is not sent every event. It is for a job: a workflow has several runs to count.

use std::collections::BTreeSet;

use playwarden_sdk::prelude::*;

struct CountsEverything {
    all: bool,
    /// The last counters that the policy and the handler were sent.
    judged: u64,
    handled: u64,
    count: u64,
    /// The uuids of the starts that were asked for and are no event yet.
    asked: BTreeSet<String>,
}

macro_rules! expect {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            error!("mismatch: {}", format_args!($($what)+));
        }
    };
}

impl Plugin for CountsEverything {
    fn new() -> Result<Self, Failure> {
        state::set("scratch", b"1")?;
        expect!(state::get("scratch").as_deref() == Some(b"1"), "state lost what was set");
        state::delete("scratch");
        expect!(state::get("scratch").is_none(), "state kept what was deleted");
        expect!(config::value::<bool>("/no/such/key")?.is_none(), "a key that is absent has a value");
        // After a restart the count goes on where the last instance left it.
        let count = state::get("count").and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        Ok(Self {
            all: config::value("/all")?.unwrap_or(true),
            judged: count,
            handled: 0,
            count,
            asked: BTreeSet::new(),
        })
    }
}

impl CountsEverything {
    fn write_down(&self, file: &str, before: u64, events: &[Event]) -> Result<u64, Failure> {
        let mut last = before;
        for event in events {
            let in_order = if self.all { event.counter == last + 1 } else { event.counter > last };
            expect!(in_order, "event {} came after {last} in {file}", event.counter);
            last = event.counter;
            let host = event.host.as_deref().unwrap_or("-");
            output::append_line(file, &format!("{} {} {host}", event.counter, event.kind.name()))?;
        }
        Ok(last)
    }

    /// Compares a list with what the journal says about the same events.
    fn compare_with_journal(source: &Source, events: &[Event]) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        let read = journal::read(source, first.counter, u32::try_from(events.len())?);
        let same = read.iter().map(|event| &event.uuid).eq(events.iter().map(|event| &event.uuid));
        expect!(same, "the journal has other events from {} to {}", first.counter, last.counter);
        let later = journal::read(source, last.counter + 1, 1);
        expect!(later.is_empty(), "the journal gave an event after {}, the last one sent", last.counter);
        for event in events {
            expect!(event.read::<serde_json::Value>(source, "")?.is_some(), "event {} has no data", event.counter);
            expect!(journal::data(source, event.counter, "/no/such/key").is_none(), "data from nowhere");
            if let Some(data) = &event.data {
                expect!(
                    serde_json::from_str::<serde_json::Value>(data).is_ok(),
                    "data of {} is no JSON",
                    event.counter
                );
            }
        }
        Ok(())
    }

    /// Compares the totals of a call with the tallies that can be asked for.
    fn compare_with_tallies(source: &Source, last: Option<&Event>, totals: &Totals) -> Result<(), Failure> {
        expect!(journal::tally_of_run(source) == totals.run, "the run's tally is not the call's");
        expect!(journal::tally_of_play(source) == totals.play, "the play's tally is not the call's");
        expect!(journal::tally_of_batch(source).hosts <= totals.play.hosts, "the batch has more hosts than the play");
        expect!(journal::tally_of_workflow().hosts >= totals.run.hosts, "the workflow has fewer hosts than the run");
        expect!(journal::tally_of_group(source, "no such group").is_none(), "a tally of no group");
        expect!(journal::tally_of_host(source, "no such host").is_none(), "a tally of no host");
        expect!(journal::facts(source, "no such host", "").is_none(), "facts of no host");
        if let Some(host) = last.and_then(|event| event.host.as_deref()) {
            let tally = journal::tally_of_host(source, host);
            expect!(tally.is_some_and(|tally| tally.hosts == 1), "no tally of the host {host}");
            expect!(journal::tally_of_group(source, "all").is_some(), "no tally of the group `all`");
            let fleet = journal::tally_of_group(source, "fleet");
            expect!(fleet.is_some_and(|fleet| fleet.failed == totals.run.failed), "not the tally of the group `fleet`");
            if let Some(facts) = journal::facts(source, host, "") {
                expect!(serde_json::from_str::<serde_json::Value>(&facts).is_ok(), "facts of {host} are no JSON");
            }
        }
        Ok(())
    }
}

impl CancelPolicy for CountsEverything {
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        expect!(events.len() <= 64, "{} events in one call", events.len());
        let ends = |event: &Event| event.marks.intersects(Marks::FAILED | Marks::UNREACHABLE);
        let end = events.iter().position(ends).map_or(events.len(), |index| index + 1);
        expect!(end == events.len(), "the list goes on after a failed event");

        for start in events.iter().filter(|event| event.is(&EventKind::RunnerOnStart)) {
            expect!(self.asked.remove(&start.uuid), "nobody asked for the start {}", start.counter);
        }
        self.judged = self.write_down("seen.txt", self.judged, events)?;
        Self::compare_with_journal(source, events)?;
        Self::compare_with_tallies(source, events.last(), totals)?;

        self.count += u64::try_from(events.len())?;
        state::set("count", &self.count.to_le_bytes())?;
        output::publish("seen", &self.count.to_string())?;
        debug!("judged {} events", events.len(); last = self.judged, job = source.job);
        Ok(Verdict::Proceed)
    }
}

impl StartPolicy for CountsEverything {
    fn admit(&mut self, source: &Source, start: &Start, totals: &Totals) -> Result<Verdict, Failure> {
        self.asked.insert(start.uuid.clone());
        expect!(!journal::read(source, 1, 1).is_empty(), "a start on {} cannot see the journal", start.host);
        expect!(totals.play.hosts > 0, "a start on {} in a play without hosts", start.host);
        output::append_line("seen.txt", &format!("start {} {}", start.task, start.host))?;
        Ok(Verdict::Proceed)
    }
}

impl EventHandler for CountsEverything {
    fn on_events(&mut self, _: &Source, events: &[Event]) -> Result<u64, Failure> {
        self.handled = self.write_down("handled.txt", self.handled, events)?;
        Ok(self.handled)
    }
}

impl StatusHandler for CountsEverything {
    fn on_status(&mut self, change: &Change) -> Result<(), Failure> {
        output::append_line("statuses.txt", change.to.name())?;
        Ok(())
    }
}

impl FinishedCallback for CountsEverything {
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure> {
        // Zero: the job did not choose this hook. A policy is not asked about how the run ended.
        let complete = !self.all || self.handled == 0 || self.handled == finish.last_event;
        expect!(complete, "handled up to {}, but the last event is {}", self.handled, finish.last_event);
        Ok(())
    }
}

playwarden_sdk::export!(CountsEverything: CancelPolicy + StartPolicy + EventHandler + StatusHandler + FinishedCallback);
