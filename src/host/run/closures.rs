//! Hooks that are Rust closures of the program that runs us.

use std::fmt;

use playwarden_event::kind::StatusChanged;
use playwarden_event::{Event, EventKind, Outcome, Totals, Verdict};

type OnEvent = Box<dyn FnMut(&Event) + Send>;
type OnStatus = Box<dyn FnMut(&StatusChanged) + Send>;
type OnFinished = Box<dyn FnOnce(&Outcome) + Send>;
type Policy = Box<dyn FnMut(&Event, &Totals) -> Verdict + Send>;

/// The hooks of a plan that are closures. They are trusted and called from the run's own loop: what they take, Ansible
/// waits for.
#[derive(Default)]
pub struct Closures {
    pub(crate) events: Vec<OnEvent>,
    pub(crate) statuses: Vec<OnStatus>,
    pub(crate) policies: Vec<(String, Judge)>,
    pub(crate) finished: Vec<OnFinished>,
}

impl fmt::Debug for Closures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, statuses, policies, finished } = self;
        let counts = [events.len(), statuses.len(), policies.len(), finished.len()];
        write!(f, "Closures{counts:?}")
    }
}

impl Closures {
    /// Tells of an event that is in the journal.
    pub(crate) fn tell(&mut self, event: &Event) {
        self.events.iter_mut().for_each(|tell| tell(event));
        if let EventKind::StatusChanged(change) = event.kind() {
            self.statuses.iter_mut().for_each(|tell| tell(change));
        }
    }
}

/// A cancel policy that is a closure.
pub(crate) struct Judge(Policy);

impl Judge {
    pub(crate) fn new(judge: impl FnMut(&Event, &Totals) -> Verdict + Send + 'static) -> Self {
        Self(Box::new(judge))
    }

    pub(crate) fn ask(&mut self, event: &Event, totals: Totals) -> Verdict {
        (self.0)(event, &totals)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}
