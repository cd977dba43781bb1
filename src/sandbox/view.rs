//! What a plugin may see of its run.

use std::sync::Arc;

use playwarden_event::{Event, EventPattern, Json, Outcome, Status, Tally, Timestamp, Totals};

/// The run so far, as the host holds it.
pub trait RunView: Send + Sync {
    /// Returns the counter of the last event of the journal; 0 before the first.
    fn last(&self) -> u64;
    /// Returns an event of the journal; none when there is no such counter or it cannot be read.
    fn event(&self, counter: u64) -> Option<Arc<Event>>;
    /// Returns the facts of an inventory host, as gathered so far.
    fn facts(&self, host: &str) -> Option<Json>;
    /// Returns the totals of the run and of the present play.
    fn totals(&self) -> Totals;
    /// Returns the totals of the present serial batch.
    fn batch(&self) -> Tally;
    /// Returns the totals of an inventory host.
    fn host(&self, host: &str) -> Option<Tally>;
    /// Returns the totals of an inventory group; `all` is one.
    fn group(&self, group: &str) -> Option<Tally>;
}

/// Which events a plugin gets, and how much of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Those that any of these matches; empty for all events.
    pub events: Vec<EventPattern>,
    /// How much of `event_data` goes with each event.
    pub payload: Payload,
}

/// How much of `event_data` goes with an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    #[default]
    None,
    /// All of it, up to 1 MiB; above that, nothing.
    Full,
    /// What stands at these RFC 6901 pointers, up to 1 MiB; above that, nothing.
    Pointers(Vec<String>),
}

impl Subscription {
    /// Whether the plugin gets events of this name.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.events.is_empty() || self.events.iter().any(|pattern| pattern.matches(name))
    }
}

/// A change of the run's status, as status handlers hear of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusChange {
    /// What it was.
    pub from: Status,
    /// What it is now.
    pub to: Status,
    /// When it changed.
    pub time: Timestamp,
    /// Why, for people.
    pub detail: Option<String>,
    /// The totals at that time.
    pub totals: Totals,
    /// Further facts, a JSON object.
    pub data: Json,
}

/// The end of a run, as finished callbacks hear of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// How the run ended.
    pub outcome: Outcome,
    /// Counter of the last event.
    pub last_event: u64,
}
