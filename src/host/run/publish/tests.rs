//! From what the callback sends to what stands in the journal.
//!
//! `tests/golden/records/NAME.jsonl` gives `NAME.events`. A line is a record as the callback sends it, or an event of the
//! host's own as `{"own": NAME, "event_data": …}`; `NAME.stdout` is what Ansible printed.

#[path = "../../../../tests/it/golden.rs"]
mod golden;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use playwarden_event::EventKind;
use serde::Deserialize;

use self::golden::{Golden, inputs};
use super::*;
use crate::ansible::Record;
use crate::redact::Rules;

#[derive(Deserialize)]
struct Own {
    own: String,
    event_data: Json,
}

fn publisher(stdout: &Path) -> Publisher {
    let file = || tempfile::tempfile().unwrap();
    let redactor = Redactor::new(vec!["hunter2-long".to_owned()], Rules::default());
    let printed = fs::File::open(stdout).unwrap_or_else(|_| file());
    let (stdout, stderr) = (Output::new(printed, file()), Output::new(file(), file()));
    let mut publisher = Publisher::new("run".to_owned(), Journal::new(file()), redactor, stdout, stderr);
    publisher.pid = Some(4711);
    publisher
}

/// Returns the events of one line, in the journal's form.
fn publish(publisher: &mut Publisher, line: &str) -> Vec<Arc<Event>> {
    if let Ok(own) = serde_json::from_str::<Own>(line) {
        return match own.own.as_str() {
            "verbose" => publisher.loose_text(None).unwrap(),
            name => vec![publisher.event(name, &own.event_data).unwrap()],
        };
    }
    vec![match Record::decode(line.as_bytes()).unwrap() {
        Record::Event(reported) | Record::Start(reported) => publisher.reported(*reported, Masked::default()).unwrap(),
        other => panic!("no event comes of {other:?}"),
    }]
}

#[test]
fn every_record_becomes_its_event() {
    let mut golden = Golden::default();
    let mut names = BTreeSet::new();
    for input in inputs("records", "jsonl") {
        let mut publisher = publisher(&input.with_extension("stdout"));
        let mut text = String::new();
        let lines = fs::read_to_string(&input).unwrap();
        for event in lines.lines().flat_map(|line| publish(&mut publisher, line)) {
            names.insert(event.name().to_owned());
            let mut shown = serde_json::to_string(&event).unwrap();
            if event.head().pid.is_none() {
                // Made here and now.
                let head = event.head();
                shown = shown.replace(&head.uuid, "<uuid>").replace(&head.created.to_string(), "<now>");
            }
            text += &shown;
            text.push('\n');
        }
        golden.compare(&input.with_extension("events"), Some(&text));
    }
    for name in EventKind::NAMES.iter().filter(|name| !names.contains(**name)) {
        golden.refuse(Path::new("tests/golden/records"), &format!("nothing there becomes `{name}`"));
    }
    golden.finish();
}
