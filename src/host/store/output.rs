//! What Ansible prints: from the file that it prints into, to the pieces that belong to events.
//!
//! Ansible prints into a private file, because only of a file can be asked how much was printed up to a moment. The text
//! goes on from there twice: at once to whoever watches, and event by event, redacted, into the artifact.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use crate::redact::Redactor;

/// One stream of Ansible's.
#[derive(Debug)]
pub(crate) struct Output {
    source: File,
    artifact: File,
    /// Up to here the source has been read.
    read: u64,
    /// Read, but not yet part of an event.
    pending: Vec<u8>,
    /// Read, but not yet shown.
    unshown: Vec<u8>,
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
        Self { source, artifact, read: 0, pending: Vec::new(), unshown: Vec::new(), lines: 0, trouble: None }
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
            self.unshown.extend_from_slice(&self.pending[start..]);
            self.read = length;
        }
        Ok(())
    }

    /// Returns what was not shown yet: whole lines, or everything when `all`.
    pub(crate) fn fresh(&mut self, redactor: &Redactor, all: bool) -> Option<String> {
        let length = match self.unshown.iter().rposition(|byte| *byte == b'\n') {
            _ if all => self.unshown.len(),
            Some(at) => at + 1,
            None => 0,
        };
        let fresh: Vec<u8> = self.unshown.drain(..length).collect();
        (length > 0).then(|| redactor.text(&String::from_utf8_lossy(&fresh)).into_owned())
    }

    /// Takes the text of the event that was reported when the source had this length; without one, all there is.
    pub(crate) fn take(&mut self, length: Option<u64>, redactor: &Redactor) -> Printed {
        let taken = self.read - self.pending.len() as u64;
        let length = match length {
            Some(length) => usize::try_from(length.saturating_sub(taken)).unwrap_or(0).min(self.pending.len()),
            None => self.pending.len(),
        };
        let bytes: Vec<u8> = self.pending.drain(..length).collect();
        let mut text = redactor.text(&String::from_utf8_lossy(&bytes)).into_owned();
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

    use super::*;

    #[test]
    fn text_is_shown_at_once_and_taken_event_by_event() {
        let mut ansible = tempfile::NamedTempFile::new().unwrap();
        let mut artifact = tempfile::NamedTempFile::new().unwrap();
        let redactor = Redactor::new(vec!["hunter2".to_owned()]);
        let mut output = Output::new(ansible.reopen().unwrap(), artifact.reopen().unwrap());

        ansible.write_all(b"PLAY [hunter2]\nTASK").unwrap();
        output.read().unwrap();
        assert_eq!(output.fresh(&redactor, false).as_deref(), Some("PLAY [********]\n"));
        assert_eq!(output.fresh(&redactor, false), None);
        assert_eq!(output.fresh(&redactor, true).as_deref(), Some("TASK"));

        ansible.write_all(b" [x]\n\nok\n").unwrap();
        output.read().unwrap();
        let first = output.take(Some(15), &redactor);
        assert_eq!(first, Printed { text: "PLAY [********]".to_owned(), start_line: 0, end_line: 1 });
        assert_eq!(output.fresh(&redactor, false).as_deref(), Some(" [x]\n\nok\n"));
        let second = output.take(Some(25), &redactor);
        assert_eq!(second, Printed { text: "TASK [x]\n".to_owned(), start_line: 1, end_line: 3 });
        let rest = output.take(None, &redactor);
        assert_eq!(rest, Printed { text: "ok".to_owned(), start_line: 3, end_line: 4 });

        let mut written = String::new();
        artifact.rewind().unwrap();
        io::Read::read_to_string(&mut artifact, &mut written).unwrap();
        assert_eq!(written, "PLAY [********]\nTASK [x]\n\nok\n");
    }
}
