//! Cancels a run, or warns, when what a task says matches a pattern. README.md explains every key.
//!
//! [`Watch`] follows one run; everything around it reads the configuration and hands events on.
//!
//! **Invariant:** what a signature found follows from the events alone, one after the other, so it does not matter in how
//! many calls they arrive.

mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use playwarden_sdk::prelude::*;
use regex::Regex;
use serde_json::Value;
use settings::{Config, Signature, When, Word};

/// The longest part of a text that a verdict repeats, in characters.
const SHOWN: usize = 200;

/// Reads the data of an event at a pointer.
type Read<'a> = &'a dyn Fn(&Event, &str) -> Option<Value>;

/// The signatures, made ready.
type Signatures = Rc<Vec<(Signature, Regex)>>;

/// What the signatures found in one run.
#[derive(Debug)]
struct Watch {
    signatures: Signatures,
    stop: When,
    /// The hosts on which each was found.
    hosts: Vec<BTreeSet<String>>,
    /// Each speaks once, also where `mode = "monitor"` lets the run go on.
    spoke: Vec<bool>,
}

/// What a signature found in an event.
struct Found<'s> {
    place: &'s str,
    line: String,
}

impl Watch {
    fn new(signatures: &Signatures, stop: When) -> Self {
        let count = signatures.len();
        Self { signatures: Rc::clone(signatures), stop, hosts: vec![BTreeSet::new(); count], spoke: vec![false; count] }
    }

    /// Takes an event; returns what there is to say of it.
    fn take(&mut self, event: &Event, read: Read<'_>) -> Verdict {
        let signatures = Rc::clone(&self.signatures);
        let (mut cancels, mut warns) = (Vec::new(), Vec::new());
        for (index, (signature, regex)) in signatures.iter().enumerate() {
            if self.spoke[index] || !signature.is_about(event.kind.name(), event.task.as_deref().unwrap_or_default()) {
                continue;
            }
            let Some(found) = find(signature, regex, event, read) else { continue };
            // What is of no host counts as one more.
            self.hosts[index].insert(event.host.clone().unwrap_or_default());
            let hosts = self.hosts[index].len();
            if hosts < usize::try_from(signature.hosts).unwrap_or(usize::MAX) {
                continue;
            }
            self.spoke[index] = true;
            let Signature { name, .. } = signature;
            let many = if hosts > 1 { format!(", on {hosts} hosts now") } else { String::new() };
            let text = format!("{name} in {}: {}{many}", found.place, found.line);
            if signature.verdict == Word::Cancel { &mut cancels } else { &mut warns }.push((name.as_str(), text));
        }
        let is_cancel = !cancels.is_empty();
        cancels.extend(warns);
        let Some((code, _)) = cancels.first() else { return Verdict::Proceed };
        let texts: Vec<&str> = cancels.iter().map(|(_, text)| text.as_str()).collect();
        let text = format!("{}{}", about(event), texts.join("; "));
        let verdict = if is_cancel { Verdict::cancel(text) } else { Verdict::warn(text) };
        match self.stop {
            When::Now => verdict.code(*code).at(event),
            When::AfterRunningTasks => verdict.code(*code).at(event).after_running_tasks(),
        }
    }
}

/// Says which host and task an event is about, as far as it is.
fn about(event: &Event) -> String {
    match (&event.host, &event.task) {
        (Some(host), Some(task)) => format!("{host}, task \"{task}\": "),
        (Some(name), None) | (None, Some(name)) => format!("{name}: "),
        (None, None) => String::new(),
    }
}

/// Looks for a signature in the places that it names, in their order.
fn find<'s>(signature: &'s Signature, regex: &Regex, event: &Event, read: Read<'_>) -> Option<Found<'s>> {
    signature.pointers().find_map(|(place, pointer)| {
        let text = match read(event, pointer)? {
            Value::String(text) => text,
            Value::Null => return None,
            Value::Array(lines) if lines.iter().all(Value::is_string) => {
                lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
            }
            value => value.to_string(),
        };
        let found = regex.find(&text)?;
        Some(Found { place, line: line(&text, found.start()) })
    })
}

/// Returns the line of a text in which a place is, its beginning where it is long.
fn line(text: &str, place: usize) -> String {
    let start = text[..place].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default().trim();
    // Where the line is long, from a little before the place.
    let before = text[start..place].chars().count();
    let skipped = if line.chars().count() > SHOWN { before.saturating_sub(SHOWN / 4) } else { 0 };
    let shown: String = line.chars().skip(skipped).take(SHOWN).collect();
    let (left, right) = (skipped > 0, line.chars().count() > skipped + SHOWN);
    format!("{}{shown}{}", if left { "…" } else { "" }, if right { "…" } else { "" })
}

/// A watch over each run: one in a job, those of all its jobs in a workflow.
struct SignaturePolicy {
    signatures: Signatures,
    stop: When,
    watches: BTreeMap<String, Watch>,
}

impl Plugin for SignaturePolicy {
    fn new() -> Result<Self, Failure> {
        let config = config::config_with(Config::problems)?;
        let ready = |signature: Signature| signature.regex().map(|regex| (signature, regex));
        let signatures = config.signatures.into_iter().map(ready).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { signatures: Rc::new(signatures), stop: config.stop, watches: BTreeMap::new() })
    }
}

impl CancelPolicy for SignaturePolicy {
    fn evaluate(&mut self, source: &Source, events: &[Event], _totals: &Totals) -> Result<Verdict, Failure> {
        let read = |event: &Event, pointer: &str| {
            let text = journal::data(source, event.counter, pointer)?;
            serde_json::from_str(&text).ok()
        };
        let Self { signatures, stop, watches } = self;
        let watch = watches.entry(format!("{} {}", source.run, source.job)).or_insert_with(|| {
            // Nothing on the first call of a run. After a restart of the instance it is what the lost one had found.
            let mut watch = Watch::new(signatures, *stop);
            for event in journal::before(source, events.first().map_or(0, |event| event.counter)) {
                watch.take(&event, &read);
            }
            watch
        });
        Ok(events.iter().fold(Verdict::Proceed, |said, event| said.and(watch.take(event, &read))))
    }
}

impl ConfigCheck for SignaturePolicy {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(Config::problems)
    }
}

playwarden_sdk::export!(SignaturePolicy: ConfigCheck + CancelPolicy);
