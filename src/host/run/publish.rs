//! Makes events: the one way from something that happened to the journal.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use playwarden_event::{Event, Head, Json, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::view::View;
use crate::ansible::Reported;
use crate::plan::EventData;
use crate::redact::{Redactor, secret_values};
use crate::store::{Chain, EventFiles, Journal, Output, StoreError};

/// Numbers events and writes them down, with the text that belongs to each.
pub(crate) struct Publisher {
    pub(crate) id: String,
    pub(crate) pid: Option<u32>,
    pub(crate) redactor: Redactor,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    journal: Journal,
    files: Option<(EventFiles, EventData)>,
    pub(crate) view: Arc<View>,
}

impl Publisher {
    pub(crate) fn new(id: String, journal: Journal, redactor: Redactor, stdout: Output, stderr: Output) -> Self {
        let view = Arc::new(View::new(journal.file()));
        Self { id, pid: None, redactor, stdout, stderr, journal, files: None, view }
    }

    /// Writes each event into a file of its own as well.
    pub(crate) fn with_files(self, files: Option<EventFiles>, data: EventData) -> Self {
        Self { files: files.map(|files| (files, data)), ..self }
    }

    /// Returns what the journal comes to so far: how many events, and the hash of the last line.
    pub(crate) fn chain(&self) -> Chain {
        Chain { events: self.journal.last(), first: String::new(), last: self.journal.last_hash().to_owned() }
    }

    /// Returns the data of a start as policies judge it, and as the journal will have it.
    pub(crate) fn judged(&self, data: Json) -> Json {
        self.redactor.json(without_secret_arguments(data))
    }

    /// Makes an event of what the callback reported.
    pub(crate) fn reported(&mut self, reported: Reported) -> io::Result<Arc<Event>> {
        self.stderr.read()?;
        self.stderr.take(reported.printed.stderr, &self.redactor);
        self.stdout.read()?;
        let printed = self.stdout.take(reported.printed.stdout, &self.redactor);
        let head = Head {
            counter: self.journal.last() + 1,
            uuid: reported.uuid,
            parent_uuid: reported.parent_uuid,
            runner_ident: self.id.clone(),
            pid: self.pid,
            created: reported.time,
            stdout: printed.text,
            start_line: printed.start_line,
            end_line: printed.end_line,
        };
        let data = self.redactor.json(reported.data);
        let event = Event::decode(head, &reported.name, data);
        self.write(event)
    }

    /// Makes an event of the host's own.
    pub(crate) fn event<T: Serialize>(&mut self, name: &str, data: &T) -> io::Result<Arc<Event>> {
        // No text goes with it: what Ansible prints belongs to what Ansible reports.
        let printed = self.stdout.take(Some(0), &self.redactor);
        self.own_event(name, data, printed.text, printed.start_line, printed.end_line)
    }

    /// Makes an event of each line that belongs to no other: of what was printed up to `length`, or all of it.
    pub(crate) fn loose_text(&mut self, length: Option<u64>) -> io::Result<Vec<Arc<Event>>> {
        self.stderr.read()?;
        self.stdout.read()?;
        if length.is_none() {
            self.stderr.take(None, &self.redactor);
        }
        let printed = self.stdout.take(length, &self.redactor);
        if printed.text.is_empty() && printed.start_line == printed.end_line {
            return Ok(Vec::new());
        }
        let none = serde_json::Map::new();
        let lines = (printed.start_line..).zip(printed.text.split('\n'));
        // The last one may have no end.
        lines
            .map(|(at, line)| self.own_event("verbose", &none, line.to_owned(), at, printed.end_line.min(at + 1)))
            .collect()
    }

    /// Returns what of the output could not be written, as a name and why.
    pub(crate) fn take_trouble(&mut self) -> Option<(&'static str, io::Error)> {
        let stdout = self.stdout.take_trouble().map(|err| ("stdout", err));
        stdout.or_else(|| self.stderr.take_trouble().map(|err| ("stderr", err)))
    }

    /// Returns the counter of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.journal.last()
    }

    /// Makes the journal survive a crash of the machine.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.journal.sync()
    }

    fn own_event<T: Serialize>(
        &mut self,
        name: &str,
        data: &T,
        stdout: String,
        start_line: u64,
        end_line: u64,
    ) -> io::Result<Arc<Event>> {
        let head = Head {
            counter: self.journal.last() + 1,
            uuid: Uuid::new_v4().to_string(),
            parent_uuid: None,
            runner_ident: self.id.clone(),
            pid: None,
            created: Timestamp::now(),
            stdout,
            start_line,
            end_line,
        };
        let data = self.redactor.json(Json::of(data));
        self.write(Event::decode(head, name, data))
    }

    fn write(&mut self, event: Event) -> io::Result<Arc<Event>> {
        let place = self.journal.append(&event)?;
        self.view.push(&event, place);
        if let Some((files, data)) = &self.files {
            files.write(&data.of(&event))?;
        }
        Ok(Arc::new(event))
    }
}

/// Arguments stand in the playbook as they are; which of them a module calls secret is not known before it runs.
fn without_secret_arguments(data: Json) -> Json {
    let args = data.pointer("/start/args").and_then(|args| args.read::<serde_json::Value>().ok());
    let secrets = args.map(|args| secret_values(&args)).unwrap_or_default();
    if secrets.is_empty() { data } else { Redactor::new(secrets).json(data) }
}

/// The journal's place in an error message.
pub(crate) fn journal_error(folder: &std::path::Path, source: io::Error) -> StoreError {
    StoreError::Io { path: folder.join("events.jsonl"), source }
}
