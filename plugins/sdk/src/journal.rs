//! The run so far, from its journal. An event handler and a cancel policy can read only events up to those that they were
//! already handed, each for itself; in a question about a start or by time, and when a status or the end is told, all events
//! up to now can be read. Totals and facts are always those of now.

pub use crate::bindings::playwarden::plugin::journal::{
    data, facts, read, tally_of_batch, tally_of_group, tally_of_host, tally_of_play, tally_of_run, tally_of_workflow,
};

use crate::{Event, Source};

/// How many events are asked for at a time; the contract allows no more. Fewer may come, but none only at the end.
const PAGE: u32 = 1024;

/// Reads all events before a counter, in order: what a plugin that was restarted has lost.
pub fn before(source: &Source, counter: u64) -> impl Iterator<Item = Event> {
    between(source, 1, counter)
}

/// Reads all events behind a counter, in order, as far as they can be read.
pub fn after(source: &Source, counter: u64) -> impl Iterator<Item = Event> {
    between(source, counter + 1, u64::MAX)
}

fn between(source: &Source, first: u64, end: u64) -> impl Iterator<Item = Event> {
    let mut next = first;
    std::iter::from_fn(move || {
        if next >= end {
            return None;
        }
        let mut page = read(source, next, PAGE);
        next = page.last().map_or(end, |event| event.counter + 1);
        page.retain(|event| event.counter < end);
        Some(page)
    })
    .flatten()
}
