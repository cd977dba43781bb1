//! What Ansible prints: from the file that it prints into, to the pieces that belong to events.
//!
//! Ansible prints into a private file, because only of a file can be asked how much was printed up to a moment. The text
//! goes on from there event by event, redacted, into the artifact and to whoever watches; what no event has brought for a while is
//! shown without one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use crate::redact::{EventRedactor, Redactor};

/// One stream of Ansible's.
#[derive(Debug)]
pub(crate) struct Output {
    source: File,
    artifact: File,
    /// Up to here the source has been read.
    read: u64,
    /// Read, but not yet part of an event.
    pending: Vec<u8>,
    /// So much of that was already there when it was last looked at.
    old: usize,
    /// So much of that was shown.
    shown: usize,
    /// Redacted, part of an event, and not yet shown.
    ready: String,
    /// Line ends that are part of events.
    lines: u64,
    /// The first failure to write the artifact.
    trouble: Option<io::Error>,
}

/// The text of one event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    /// As printed, last line end removed.
    pub(crate) text: String,
    pub(crate) start_line: u64,
    pub(crate) end_line: u64,
}

impl Output {
    pub(crate) fn new(source: File, artifact: File) -> Self {
        Self {
            source,
            artifact,
            read: 0,
            pending: Vec::new(),
            old: 0,
            shown: 0,
            ready: String::new(),
            lines: 0,
            trouble: None,
        }
    }

    /// Goes on behind so many lines.
    pub(crate) fn resume(source: File, artifact: File, lines: u64) -> Self {
        Self { lines, ..Self::new(source, artifact) }
    }

    /// Goes on where so many bytes of the source have been taken. For before the first read.
    pub(crate) fn skip_to(&mut self, taken: u64) {
        self.read = taken;
    }

    /// Reads what was printed since.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let length = self.source.metadata()?.len();
        let new = usize::try_from(length.saturating_sub(self.read)).unwrap_or(0);
        if new > 0 {
            let start = self.pending.len();
            self.pending.resize(start + new, 0);
            self.source.read_exact_at(&mut self.pending[start..], self.read)?;
            self.read = length;
        }
        Ok(())
    }

    /// Returns what events brought since.
    pub(crate) fn fresh(&mut self) -> Option<String> {
        (!self.ready.is_empty()).then(|| std::mem::take(&mut self.ready))
    }

    /// Returns the same, and what was there at the last look and no event has brought.
    pub(crate) fn look(&mut self, redactor: &Redactor) -> Option<String> {
        if self.old > self.shown {
            let waiting = String::from_utf8_lossy(&self.pending[self.shown..self.old]);
            self.ready += &redactor.text(&waiting);
            self.shown = self.old;
        }
        self.old = self.pending.len();
        self.fresh()
    }

    /// Takes the text of the event that was reported when the source had this length; without one, all there is.
    pub(crate) fn take(&mut self, length: Option<u64>, redactor: &mut EventRedactor<'_>) -> Printed {
        let taken = self.read - self.pending.len() as u64;
        let length = match length {
            Some(length) => usize::try_from(length.saturating_sub(taken)).unwrap_or(0).min(self.pending.len()),
            None => self.pending.len(),
        };
        let bytes: Vec<u8> = self.pending.drain(..length).collect();
        let mut text = redactor.text(&String::from_utf8_lossy(&bytes)).into_owned();
        match self.shown.min(length) {
            0 => self.ready += &text,
            shown => self.ready += &redactor.uncounted(&String::from_utf8_lossy(&bytes[shown..])),
        }
        self.shown = self.shown.saturating_sub(length);
        self.old = self.old.saturating_sub(length);
        // The journal has the text too, and may still have room: this must not keep it from getting the event.
        if let Err(err) = self.artifact.write_all(text.as_bytes()) {
            self.trouble.get_or_insert(err);
        }
        let start_line = self.lines;
        self.lines += text.matches('\n').count() as u64;
        if text.ends_with('\n') {
            text.pop();
        }
        Printed { text, start_line, end_line: self.lines }
    }

    /// Returns why the artifact could not be written, once.
    pub(crate) fn take_trouble(&mut self) -> Option<io::Error> {
        self.trouble.take()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use playwarden_event::Json;

    use super::*;
    use crate::redact::{Masked, Rules, Wanted};

    #[test]
    fn text_is_shown_as_events_take_it_and_without_one_when_none_comes() {
        let mut ansible = tempfile::NamedTempFile::new().unwrap();
        let mut artifact = tempfile::NamedTempFile::new().unwrap();
        let redactor = Redactor::new(vec!["hunter2".to_owned()], Rules::default());
        let mut output = Output::new(ansible.reopen().unwrap(), artifact.reopen().unwrap());
        let take = |output: &mut Output, length| output.take(length, &mut redactor.event(Masked::default()));

        ansible.write_all(b"PLAY [hunter2]\nTASK").unwrap();
        output.read().unwrap();
        assert_eq!(output.fresh(), None);
        let first = take(&mut output, Some(15));
        assert_eq!(first, Printed { text: "PLAY [********]".to_owned(), start_line: 0, end_line: 1 });
        assert_eq!(output.fresh().as_deref(), Some("PLAY [********]\n"));
        assert_eq!(output.look(&redactor), None, "an event may bring it");
        assert_eq!(output.look(&redactor).as_deref(), Some("TASK"));

        ansible.write_all(b" [hunter2]\n\nok\n").unwrap();
        output.read().unwrap();
        let second = take(&mut output, Some(31));
        assert_eq!(second, Printed { text: "TASK [********]\n".to_owned(), start_line: 1, end_line: 3 });
        assert_eq!(output.look(&redactor).as_deref(), Some(" [********]\n\n"));
        let rest = take(&mut output, None);
        assert_eq!(rest, Printed { text: "ok".to_owned(), start_line: 3, end_line: 4 });
        assert_eq!(output.fresh().as_deref(), Some("ok\n"));
        assert_eq!(output.look(&redactor), None);

        let mut written = String::new();
        artifact.rewind().unwrap();
        io::Read::read_to_string(&mut artifact, &mut written).unwrap();
        assert_eq!(written, "PLAY [********]\nTASK [********]\n\nok\n");
    }

    #[test]
    fn what_an_event_hides_is_hidden_in_its_text_and_counted_once() {
        let mut ansible = tempfile::NamedTempFile::new().unwrap();
        let wanted = Wanted { keys: vec!["pin".to_owned()], ..Wanted::default() };
        let redactor = Redactor::new(Vec::new(), Rules::new(wanted).unwrap());
        let mut output = Output::new(ansible.reopen().unwrap(), tempfile::tempfile().unwrap());
        ansible.write_all(b"now 12345\nthe code is 12345\n").unwrap();
        output.read().unwrap();
        let mut event = redactor.event(Masked::default());
        event.data(Json::parse(r#"{"res":{"pin":"12345"}}"#.to_owned()).unwrap());
        output.shown = 10;
        assert_eq!(output.take(None, &mut event).text, "now ********\nthe code is ********");
        assert_eq!(output.fresh().as_deref(), Some("the code is ********\n"));
        assert_eq!(event.into_masked().counts, [("keys".to_owned(), 3)].into());
    }
}
