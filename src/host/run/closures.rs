//! Hooks that are Rust closures of the program that runs us.

use std::fmt;

use std::panic::{AssertUnwindSafe, catch_unwind};

use playwarden_event::kind::{PluginFault, StatusChanged};
use playwarden_event::{Event, EventKind, Outcome, PluginIdentity, Totals, Verdict};
use playwarden_sandbox::FaultKind;

type OnEvent = Box<dyn FnMut(&Event) + Send>;
type OnStatus = Box<dyn FnMut(&StatusChanged) + Send>;
type OnQuestion = Box<dyn FnMut(&Event, &Totals) -> Verdict + Send>;
type OnFinished = Box<dyn FnOnce(&Outcome) + Send>;

/// The hooks of a plan that are closures. They are trusted and called from the run's own loop: what they take, Ansible
/// waits for.
#[derive(Default)]
pub struct Closures {
    pub(crate) events: Vec<OnEvent>,
    pub(crate) statuses: Vec<OnStatus>,
    pub(crate) policies: Vec<(String, Judge)>,
    pub(crate) finished: Vec<OnFinished>,
    /// The hooks of those that panicked.
    pub(crate) broken: Vec<String>,
}

impl fmt::Debug for Closures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, statuses, policies, finished, .. } = self;
        let counts = [events.len(), statuses.len(), policies.len(), finished.len()];
        write!(f, "Closures{counts:?}")
    }
}

impl Closures {
    /// Tells of an event that is in the journal. What panics is not told any more, and returned as a fault.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<PluginFault> {
        let mut faults = Vec::new();
        self.events.retain_mut(|tell| keep("event-handler", || tell(event), &mut faults));
        if let EventKind::StatusChanged(change) = event.kind() {
            self.statuses.retain_mut(|tell| keep("status-handler", || tell(change), &mut faults));
        }
        self.broken.extend(faults.iter().map(|fault| fault.plugin.name.clone()));
        faults
    }

    /// Tells of the end. There is nothing left that a panic could change.
    pub(crate) fn finish(&mut self, outcome: &Outcome) {
        for tell in std::mem::take(&mut self.finished) {
            keep("finished-callback", || tell(outcome), &mut Vec::new());
        }
    }
}

/// A cancel policy that is a closure.
pub(crate) struct Judge(OnQuestion);

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

/// Calls a closure; false when it panicked.
fn keep(hook: &'static str, call: impl FnOnce(), faults: &mut Vec<PluginFault>) -> bool {
    let called = caught(call);
    faults.extend(called.as_ref().err().map(|text| fault(hook, hook, text)));
    called.is_ok()
}

/// Calls a closure; what it panicked with is the error.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        format!("panicked: {}", words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
    })
}

/// A panic as it stands in the journal.
fn fault(name: &str, call: &str, text: &str) -> PluginFault {
    PluginFault {
        plugin: PluginIdentity { name: name.to_owned(), version: None, sha256: String::new() },
        call: call.to_owned(),
        fault: FaultKind::Trap.word().to_owned(),
        text: text.to_owned(),
        stderr: String::new(),
        on_fault: "cancel".to_owned(),
    }
}
