//! The run so far, shared between the loop that makes it and the plugins that may look at it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use playwarden_event::outcome::InFlight;
use playwarden_event::{Event, Facts, Json, Tallies, Tally, Totals};
use playwarden_sandbox::RunView;

use crate::store::read_at;

/// What is known of the run. Events themselves stay in the journal and are read back when asked for.
#[derive(Debug)]
pub(crate) struct View {
    journal: Arc<File>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    places: Vec<Range<u64>>,
    tallies: Tallies,
    /// The counters of each host's results that brought facts, in order.
    facts: HashMap<String, Vec<u64>>,
    /// How many values were masked, by rule.
    redacted: BTreeMap<String, u64>,
}

impl View {
    pub(crate) fn new(journal: Arc<File>) -> Self {
        Self { journal, inner: Mutex::default() }
    }

    /// Takes in an event that now stands in the journal.
    pub(crate) fn push(&self, event: &Event, place: Range<u64>) {
        let mut inner = self.inner();
        inner.places.push(place);
        inner.tallies.apply(event);
        let hidden = event.marks().no_log.then_some(("no_log", 1));
        let masked = event.head().redacted.iter().map(|(rule, count)| (rule.as_str(), *count));
        for (rule, count) in masked.chain(hidden) {
            *inner.redacted.entry(rule.to_owned()).or_default() += count;
        }
        if let (Some(_), Some(host)) = (Facts::brought(event), event.host()) {
            inner.facts.entry(host.to_owned()).or_default().push(event.counter());
        }
    }

    /// Returns the inventory groups of a host, as far as the plays so far said.
    pub(crate) fn groups_of(&self, host: &str) -> Vec<String> {
        self.inner().tallies.groups_of(host).map(str::to_owned).collect()
    }

    /// Returns how many values were masked, by rule, and how many events Ansible itself had hidden.
    pub(crate) fn redacted(&self) -> BTreeMap<String, u64> {
        self.inner().redacted.clone()
    }

    pub(crate) fn in_flight(&self) -> Vec<InFlight> {
        self.inner().tallies.in_flight()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunView for View {
    fn last(&self) -> u64 {
        self.inner().places.len() as u64
    }

    fn event(&self, counter: u64) -> Option<Arc<Event>> {
        let index = usize::try_from(counter.checked_sub(1)?).ok()?;
        let place = self.inner().places.get(index)?.clone();
        read_at(&self.journal, place).map(Arc::new)
    }

    fn facts(&self, host: &str) -> Option<Json> {
        let counters = self.inner().facts.get(host)?.clone();
        let mut facts = Facts::default();
        counters.into_iter().filter_map(|counter| self.event(counter)).for_each(|event| facts.apply(&event));
        Some(facts.json())
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

#[cfg(test)]
mod tests {
    use playwarden_event::Head;

    use super::*;
    use crate::store::Journal;

    fn event(counter: u64, data: &str) -> Event {
        let head = Head::numbered(counter);
        Event::decode(head, "runner_on_ok", Json::parse(data.to_owned()).unwrap())
    }

    #[test]
    fn facts_are_read_back_and_the_last_value_wins() {
        let mut journal = Journal::new(tempfile::tempfile().unwrap());
        let view = View::new(journal.file());
        let lines = [
            r#"{"host":"web1","res":{"ansible_facts":{"a":1,"b":1}}}"#,
            r#"{"host":"web2","res":{"ansible_facts":{"a":9}}}"#,
            r#"{"host":"web1","res":{"rc":0}}"#,
            r#"{"host":"web1","res":{"ansible_facts":{"b":2}}}"#,
        ];
        for (counter, data) in (1..).zip(lines) {
            let event = event(counter, data);
            view.push(&event, journal.append(&event).unwrap());
        }
        assert_eq!(view.facts("web1").unwrap().text(), r#"{"a":1,"b":2}"#);
        assert_eq!(view.facts("web3"), None);
        assert_eq!(view.last(), 4);
    }
}
