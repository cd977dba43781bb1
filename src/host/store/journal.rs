//! The journal: one event a line, each chained to the one before.

use std::fs::File;
use std::io::{self, BufRead, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use playwarden_event::reader::{JournalReader, ReadError};
use playwarden_event::{Event, line};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// Writes events, and reads those that it wrote.
///
/// When `append` returns, the event is with the kernel: it survives the death of this process, and a crash of the machine
/// from the next [`Journal::sync`] on.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Arc<File>,
    last: u64,
    /// Where the next line begins.
    end: u64,
    prev: String,
    /// A part of a line could not be taken back: nothing may stand behind it.
    broken: bool,
}

impl Journal {
    /// Begins a journal in an empty file.
    pub(crate) fn new(file: File) -> Self {
        Self { file: Arc::new(file), last: 0, end: 0, prev: line::FIRST_PREV.to_owned(), broken: false }
    }

    /// Goes on behind the last line of a journal: its event, the hash that it states, and where it ends.
    pub(crate) fn resume(file: File, last: u64, prev: String, end: u64) -> Self {
        Self { file: Arc::new(file), last, end, prev, broken: false }
    }

    /// Returns the counter of the last event; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Writes one event, and returns where its line stands. After an error nothing of it is there; where even that fails,
    /// nothing more is written.
    pub(crate) fn append(&mut self, event: &Event) -> io::Result<Range<u64>> {
        if self.broken {
            return Err(io::Error::other("an earlier event could not be written whole"));
        }
        self.only_ours()?;
        let unsealed = line::unsealed(event, &self.prev);
        let hash = digest(unsealed.as_bytes());
        let mut sealed = line::seal(unsealed, &hash);
        sealed.push('\n');
        if let Err(err) = (&*self.file).write_all(sealed.as_bytes()) {
            // A part of a line must not stand before the next one.
            self.broken = self.file.set_len(self.end).is_err();
            return Err(err);
        }
        let start = self.end;
        self.end += sealed.len() as u64;
        self.last = event.counter();
        self.prev = hash;
        Ok(start..self.end)
    }

    /// Makes everything written so far survive a crash of the machine.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.only_ours()?;
        self.file.sync_data()
    }

    /// Takes out what someone else put behind our last line. The kernel lets any process of the same user do that.
    fn only_ours(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length == self.end {
            return Ok(());
        }
        // Lines that are missing cannot be brought back.
        self.broken = length < self.end || self.file.set_len(self.end).is_err();
        Err(io::Error::other("another process wrote into it"))
    }

    /// Returns the file, to read from it what stands where [`Journal::append`] said.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

/// Reads the event whose line stands there.
pub(crate) fn read_at(file: &File, place: Range<u64>) -> Option<Event> {
    let mut bytes = vec![0; usize::try_from(place.end.checked_sub(place.start)?).ok()?];
    file.read_exact_at(&mut bytes, place.start).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A journal that is not as it was written.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A line was changed.
    #[error("line {line} does not have the hash that it states")]
    Changed {
        /// Its number, from 1.
        line: u64,
    },
    /// Lines are missing, added or in another order.
    #[error("line {line} does not follow the line before it")]
    Broken {
        /// Its number, from 1.
        line: u64,
    },
}

/// Reads a whole journal and checks its chain and its counters. Returns the number of events.
///
/// # Errors
/// At the first line that is not as it was written.
pub fn verify(journal: impl BufRead) -> Result<u64, ChainError> {
    let mut reader = JournalReader::new(journal);
    let mut prev = line::FIRST_PREV.to_owned();
    let mut line = 0;
    while let Some((text, event)) = reader.next_line()? {
        line += 1;
        let (unsealed, stated) = line::unseal(&text).ok_or(ChainError::Changed { line })?;
        if digest(unsealed.as_bytes()) != stated {
            return Err(ChainError::Changed { line });
        }
        if event.counter() != line || line::prev(&text).as_deref() != Some(prev.as_str()) {
            return Err(ChainError::Broken { line });
        }
        stated.clone_into(&mut prev);
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use playwarden_event::{Head, Json};

    use super::*;

    fn event(counter: u64) -> Event {
        let head = Head::numbered(counter);
        Event::decode(head, "verbose", Json::default())
    }

    fn written() -> (Journal, String) {
        let mut journal = Journal::new(tempfile::tempfile().unwrap());
        for counter in 1..=3 {
            let place = journal.append(&event(counter)).unwrap();
            assert_eq!(read_at(&journal.file, place), Some(event(counter)));
        }
        let length = usize::try_from(journal.end).unwrap();
        let mut bytes = vec![0; length];
        journal.file.read_exact_at(&mut bytes, 0).unwrap();
        (journal, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_was_written_verifies_and_reads_back() {
        let (journal, text) = written();
        assert_eq!(verify(text.as_bytes()).unwrap(), 3);
        assert_eq!(journal.last(), 3);
    }

    #[test]
    fn a_changed_a_missing_and_a_moved_line_are_found() {
        let (_, text) = written();
        let lines: Vec<&str> = text.lines().collect();
        let join = |lines: &[&str]| format!("{}\n", lines.join("\n"));
        let changed = text.replacen("\"u2\"", "\"u9\"", 1);
        assert!(matches!(verify(changed.as_bytes()), Err(ChainError::Changed { line: 2 })));
        let missing = join(&[lines[0], lines[2]]);
        assert!(matches!(verify(missing.as_bytes()), Err(ChainError::Broken { line: 2 })));
        let moved = join(&[lines[1], lines[0], lines[2]]);
        assert!(matches!(verify(moved.as_bytes()), Err(ChainError::Broken { line: 1 })));
        let torn = &text[..text.len() - 4];
        assert!(matches!(verify(torn.as_bytes()), Err(ChainError::Read(ReadError::Torn { line: 3, .. }))));
    }
}
