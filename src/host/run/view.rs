//! The run so far, shared between the loop that makes it and the plugins that may look at it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use playwarden_event::outcome::InFlight;
use playwarden_event::{Event, EventKind, Json, Tallies, Tally, Totals};
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
    /// What each host's modules returned as facts, in order.
    facts: HashMap<String, Vec<Json>>,
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
        if let EventKind::RunnerOnOk(result) = event.kind()
            && let Some(facts) = &result.res.ansible_facts
        {
            inner.facts.entry(result.host.clone()).or_default().push(facts.clone());
        }
    }

    pub(crate) fn in_flight(&self) -> Vec<InFlight> {
        self.inner().tallies.in_flight()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunView for View {
    fn event(&self, counter: u64) -> Option<Arc<Event>> {
        let index = usize::try_from(counter.checked_sub(1)?).ok()?;
        let place = self.inner().places.get(index)?.clone();
        read_at(&self.journal, place).map(Arc::new)
    }

    fn facts(&self, host: &str) -> Option<Json> {
        let inner = self.inner();
        let mut merged = BTreeMap::new();
        for facts in inner.facts.get(host)? {
            merged.extend(facts.read::<BTreeMap<String, Json>>().unwrap_or_default());
        }
        Some(Json::of(&merged))
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
}
