//! The journal: one event a line, each chained to the one before.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

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

    /// Returns the hash of the last line.
    pub(crate) fn last_hash(&self) -> &str {
        &self.prev
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

pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use playwarden_event::{Head, Json};

    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        let mut journal = Journal::new(tempfile::tempfile().unwrap());
        for counter in 1..=3 {
            let event = Event::decode(Head::numbered(counter), "verbose", Json::default());
            let place = journal.append(&event).unwrap();
            assert_eq!(read_at(&journal.file, place), Some(event));
        }
        assert_eq!(journal.last(), 3);
    }
}
