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
use crate::redact::{Masked, Redactor};
use crate::store::{Chain, EventFiles, Journal, Output, Printed, StoreError};

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

    /// Masks the data of a start: policies judge what the journal will have.
    pub(crate) fn judged(&self, reported: &mut Reported) -> Masked {
        let mut redactor = self.redactor.event(Masked::default());
        reported.data = redactor.data(std::mem::take(&mut reported.data));
        redactor.into_masked()
    }

    /// Makes an event of what the callback reported.
    pub(crate) fn reported(&mut self, reported: Reported, masked: Masked) -> io::Result<Arc<Event>> {
        self.stderr.read()?;
        self.stdout.read()?;
        let mut redactor = self.redactor.event(masked);
        let data = redactor.data(reported.data);
        // Which part of it belongs to which event nobody asks.
        let mut uncounted = self.redactor.event(redactor.masked().clone());
        self.stderr.take(reported.printed.stderr, &mut uncounted);
        let printed = self.stdout.take(reported.printed.stdout, &mut redactor);
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
            redacted: redactor.into_masked().counts,
        };
        let event = Event::decode(head, &reported.name, data);
        self.write(event)
    }

    /// Makes an event of the host's own.
    pub(crate) fn event<T: Serialize>(&mut self, name: &str, data: &T) -> io::Result<Arc<Event>> {
        // No text goes with it: what Ansible prints belongs to what Ansible reports.
        let printed = self.stdout.take(Some(0), &mut self.redactor.event(Masked::default()));
        self.own_event(name, data, printed, Masked::default())
    }

    /// Makes an event of each line that belongs to no other: of what was printed up to `length`, or all of it.
    pub(crate) fn loose_text(&mut self, length: Option<u64>) -> io::Result<Vec<Arc<Event>>> {
        self.stderr.read()?;
        self.stdout.read()?;
        if length.is_none() {
            self.stderr.take(None, &mut self.redactor.event(Masked::default()));
        }
        let mut redactor = self.redactor.event(Masked::default());
        let printed = self.stdout.take(length, &mut redactor);
        if printed.text.is_empty() && printed.start_line == printed.end_line {
            return Ok(Vec::new());
        }
        // What a secret of several lines was, no line tells: the first one has the counts.
        let mut masked = redactor.into_masked();
        let none = serde_json::Map::new();
        let lines = (printed.start_line..).zip(printed.text.split('\n'));
        // The last one may have no end.
        lines
            .map(|(at, line)| {
                let line = Printed { text: line.to_owned(), start_line: at, end_line: printed.end_line.min(at + 1) };
                self.own_event("verbose", &none, line, std::mem::take(&mut masked))
            })
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
        printed: Printed,
        masked: Masked,
    ) -> io::Result<Arc<Event>> {
        let mut redactor = self.redactor.event(masked);
        let data = redactor.strings(Json::of(data));
        let head = Head {
            counter: self.journal.last() + 1,
            uuid: Uuid::new_v4().to_string(),
            parent_uuid: None,
            runner_ident: self.id.clone(),
            pid: None,
            created: Timestamp::now(),
            stdout: printed.text,
            start_line: printed.start_line,
            end_line: printed.end_line,
            redacted: redactor.into_masked().counts,
        };
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

/// The journal's place in an error message.
pub(crate) fn journal_error(folder: &std::path::Path, source: io::Error) -> StoreError {
    StoreError::Io { path: folder.join("events.jsonl"), source }
}
