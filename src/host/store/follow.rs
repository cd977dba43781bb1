//! Files of a run that may still grow.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use playwarden_event::Event;
use playwarden_event::reader::ReadError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::StoredRun;

/// How much is read at once.
const CHUNK: u64 = 256 * 1024;

/// A host that was killed changes nothing that could be watched: so often is looked whether it is there.
const LOOK: Duration = Duration::from_millis(500);

/// What a file of a run has to give.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<T> {
    /// This.
    Some(T),
    /// Nothing now; the run goes on.
    Later,
    /// Nothing any more: the run is over.
    End,
}

/// A file of a run, read from its start to where the run ends it.
#[derive(Debug)]
pub struct Growing {
    run: StoredRun,
    path: PathBuf,
    file: Option<File>,
    read: u64,
}

impl Growing {
    /// Reads a file by its name in the run's folder. It need not be there yet while the run is alive.
    #[must_use]
    pub fn new(run: StoredRun, name: &str) -> Self {
        Self { path: run.folder.join(name), run, file: None, read: 0 }
    }

    /// Appends what was written since, a piece of it at a time.
    ///
    /// # Errors
    /// When the file cannot be read, or the run's `run.json`.
    pub fn read(&mut self, to: &mut Vec<u8>) -> io::Result<Next<()>> {
        loop {
            // Looked at before reading: what is written last is then not missed.
            let over = self.run.record.outcome.is_some();
            match self.piece(to) {
                Ok(0) if over => return Ok(Next::End),
                Ok(0) => {}
                Ok(_) => return Ok(Next::Some(())),
                Err(err) if err.kind() == io::ErrorKind::NotFound && !over => {}
                Err(err) => return Err(err),
            }
            self.run = self.run.again().map_err(io::Error::other)?;
            if self.run.record.outcome.is_none() {
                return Ok(Next::Later);
            }
        }
    }

    fn piece(&mut self, to: &mut Vec<u8>) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        let read = file.take(CHUNK).read_to_end(to)?;
        self.read += read as u64;
        Ok(read)
    }

    /// Reads on from an earlier place: what stood behind it is not what stands there now.
    fn back_to(&mut self, place: u64) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(place))?;
            self.read = place;
        }
        Ok(())
    }
}

/// The events of a run as they come, with the text of their lines.
///
/// A last line without an end is waited for while the run is alive. Read nothing after an error.
#[derive(Debug)]
pub struct Follower {
    journal: Growing,
    bytes: Vec<u8>,
    /// Where the next line begins, and up to where no end of it was found.
    start: usize,
    searched: usize,
    line: u64,
    whole: u64,
    /// The run is over, and its journal will not change any more.
    is_settled: bool,
}

impl Follower {
    /// Reads a run's journal from its start.
    #[must_use]
    pub fn new(run: StoredRun) -> Self {
        let journal = Growing::new(run, "events.jsonl");
        let is_settled = journal.run.record.outcome.is_some();
        Self { journal, bytes: Vec::new(), start: 0, searched: 0, line: 0, whole: 0, is_settled }
    }

    /// Returns the run as it was last found.
    #[must_use]
    pub fn run(&self) -> &StoredRun {
        &self.journal.run
    }

    /// Returns the next line without its end, and the event in it.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn next_line(&mut self) -> Result<Next<(String, Event)>, ReadError> {
        loop {
            if let Some(length) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + length;
                let text = String::from_utf8(self.bytes[self.start..end].to_vec());
                self.line += 1;
                self.whole += (end + 1 - self.start) as u64;
                (self.start, self.searched) = (end + 1, end + 1);
                let line = self.line;
                let text = text.map_err(|_| ReadError::NotText { line })?;
                let event = serde_json::from_str(&text).map_err(|problem| ReadError::Line { line, problem })?;
                return Ok(Next::Some((text, event)));
            }
            self.bytes.drain(..self.start);
            (self.start, self.searched) = (0, self.bytes.len());
            let read = self.journal.read(&mut self.bytes)?;
            if !self.is_settled && self.journal.run.record.outcome.is_some() {
                // A killed host may have left a torn line, in whose place others stand now.
                self.is_settled = true;
                self.bytes.clear();
                self.searched = 0;
                self.journal.back_to(self.whole)?;
                continue;
            }
            match read {
                Next::Some(()) => {}
                Next::Later => return Ok(Next::Later),
                Next::End if self.bytes.is_empty() => return Ok(Next::End),
                Next::End => return Err(ReadError::Torn { line: self.line + 1, whole: self.whole }),
            }
        }
    }
}

/// Wakes whoever waits for a run's files to change.
#[derive(Debug)]
pub struct Watch {
    /// Without one it is looked every now and then.
    changes: Option<OwnedFd>,
}

impl Watch {
    /// Watches a run's folder. Begin before the first look at its files, so that no change is missed.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let watch = || {
            let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
            inotify::add_watch(&changes, folder, flags)?;
            Ok::<_, rustix::io::Errno>(changes)
        };
        Self { changes: watch().ok() }
    }

    /// Waits until it is worth another look, at most half a second. Returns whether somebody still reads `to`, where that
    /// can be told.
    pub fn wait(&self, to: BorrowedFd<'_>) -> bool {
        // No flag asked for: that the reader went away is always said.
        let mut waiting = vec![PollFd::from_borrowed_fd(to, PollFlags::empty())];
        waiting.extend(self.changes.as_ref().map(|changes| PollFd::new(changes, PollFlags::IN)));
        let limit = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
        if poll(&mut waiting, Some(&limit)).is_err() {
            return true;
        }
        if let Some(changes) = &self.changes {
            let mut said = [0; 4096];
            while rustix::io::read(changes, &mut said).is_ok_and(|read| read > 0) {}
        }
        !waiting[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use playwarden_event::{Head, Json, Outcome, Status, Timestamp, Totals};

    use super::super::folder::RunFolder;
    use super::super::{RunRecord, Store};
    use super::*;

    struct Live {
        artifacts: tempfile::TempDir,
        folder: RunFolder,
        record: RunRecord,
    }

    impl Live {
        fn new() -> Self {
            let artifacts = tempfile::tempdir().unwrap();
            let folder = RunFolder::create(artifacts.path(), "run").unwrap();
            let record = RunRecord {
                schema: RunRecord::SCHEMA,
                id: "run".to_owned(),
                job: "job".to_owned(),
                started: Timestamp::from_ns(0),
                playwarden: String::new(),
                ansible: None,
                plugins: Vec::new(),
                plan: Json::default(),
                outcome: None,
            };
            let live = Self { artifacts, folder, record };
            live.save();
            live
        }

        fn save(&self) {
            self.folder.replace(RunRecord::FILE, &serde_json::to_string(&self.record).unwrap()).unwrap();
        }

        fn end(&mut self) {
            self.record.outcome = Some(outcome(Status::Successful));
            self.save();
        }

        fn run(&self) -> StoredRun {
            Store::new(self.artifacts.path().to_owned(), close).find("run").unwrap()
        }

        fn write(&self, text: &str) {
            self.folder.append("events.jsonl").unwrap().write_all(text.as_bytes()).unwrap();
        }
    }

    fn outcome(status: Status) -> Outcome {
        let time = Timestamp::from_ns(0);
        Outcome {
            status,
            rc: Some(0),
            cause: None,
            started: time,
            finished: time,
            totals: Totals::default(),
            stats: None,
            in_flight: Vec::new(),
            left_alive: Vec::new(),
            faulty_plugins: Vec::new(),
            redacted: std::collections::BTreeMap::new(),
        }
    }

    /// Puts two lines in the place of a torn one.
    fn close(path: &Path) -> io::Result<Option<RunRecord>> {
        let Some(folder) = RunFolder::take_over(path) else { return Ok(None) };
        let text = std::fs::read_to_string(path.join("events.jsonl"))?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        std::fs::write(path.join("events.jsonl"), format!("{}{}\n{}\n", &text[..whole], line(2), line(3)))?;
        let record = RunRecord { outcome: Some(outcome(Status::Lost)), ..RunRecord::read(path)? };
        folder.replace(RunRecord::FILE, &serde_json::to_string(&record)?).map_err(io::Error::other)?;
        Ok(Some(record))
    }

    fn line(counter: u64) -> String {
        serde_json::to_string(&Event::decode(Head::numbered(counter), "verbose", Json::default())).unwrap()
    }

    fn counter(next: Result<Next<(String, Event)>, ReadError>) -> Next<u64> {
        match next.unwrap() {
            Next::Some((text, event)) => {
                assert_eq!(text, line(event.counter()));
                Next::Some(event.counter())
            }
            Next::Later => Next::Later,
            Next::End => Next::End,
        }
    }

    #[test]
    fn a_line_is_waited_for_until_it_is_whole() {
        let mut live = Live::new();
        let mut journal = Follower::new(live.run());
        assert_eq!(counter(journal.next_line()), Next::Later, "the file is not there yet");
        let (first, second) = (line(1), line(2));
        live.write(&first[..20]);
        assert_eq!(counter(journal.next_line()), Next::Later);
        live.write(&format!("{}\n{second}", &first[20..]));
        assert_eq!(counter(journal.next_line()), Next::Some(1));
        assert_eq!(counter(journal.next_line()), Next::Later);
        live.write("\n");
        live.end();
        assert_eq!(counter(journal.next_line()), Next::Some(2));
        assert_eq!(counter(journal.next_line()), Next::End);
    }

    #[test]
    fn a_torn_line_of_a_run_that_is_over_is_an_error() {
        let mut live = Live::new();
        let whole = format!("{}\n", line(1));
        live.write(&format!("{whole}{{\"sch"));
        live.end();
        let mut journal = Follower::new(live.run());
        assert_eq!(counter(journal.next_line()), Next::Some(1));
        let torn = journal.next_line();
        assert!(
            matches!(torn, Err(ReadError::Torn { line: 2, whole: place }) if place == whole.len() as u64),
            "{torn:?}"
        );
    }

    #[test]
    fn a_run_whose_host_was_killed_ends_at_its_last_whole_line() {
        let live = Live::new();
        live.write(&format!("{}\n{{\"sch", line(1)));
        let mut journal = Follower::new(live.run());
        assert_eq!(counter(journal.next_line()), Next::Some(1));
        assert_eq!(counter(journal.next_line()), Next::Later);
        let Live { artifacts, folder, .. } = live;
        drop(folder);
        for number in [2, 3] {
            assert_eq!(counter(journal.next_line()), Next::Some(number));
        }
        assert_eq!(counter(journal.next_line()), Next::End);
        assert_eq!(journal.run().status(), Status::Lost);
        drop(artifacts);
    }
}
