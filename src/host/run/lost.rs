//! The end of a run whose host was killed, made by whoever looks at the run next.
//!
//! Nothing that Ansible reported is lost by that: what the host had not written down the callback has, beside the journal.
//! It goes the way that all events go, redacted, numbered and chained, behind the last whole line; then the status `lost`
//! and the outcome follow. All this can be killed again at any moment: events are told by their uuid, so that the next one
//! goes on where this one ended.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use playwarden_event::kind::StatusChanged;
use playwarden_event::reader::{JournalReader, ReadError};
use playwarden_event::{Cause, Event, EventKind, Json, Outcome, Process, Stats, Status, Timestamp, line};
use playwarden_sandbox::RunView as _;
use serde::Deserialize;

use super::dispatcher::conceal;
use super::publish::Publisher;
use crate::ansible::{Record, Reported, Spill, SpillError};
use crate::audit::Sealer;
use crate::config::MAX_EVENT;
use crate::plan::EventData;
use crate::process::{Report, reports};
use crate::redact::{Masked, Redactor, SealedRedactor};
use crate::store::{AnsibleVersions, ChainError, EventFiles, Journal, Output, RunFolder, RunRecord, rc_text, verify};

/// Brings the run in a folder to its end whose host was killed, and returns what `run.json` says then; none while somebody
/// works on it.
///
/// # Errors
/// When the folder cannot be read or written. What is written then is whole, and trying again goes on behind it.
pub fn close(path: &Path) -> io::Result<Option<RunRecord>> {
    let Some(folder) = RunFolder::take_over(path) else { return Ok(None) };
    let mut record = RunRecord::read(path)?;
    if record.outcome.is_some() {
        // Somebody else was faster.
        return Ok(Some(record));
    }
    let written = Written::read(&folder)?;
    let (outcome, is_all) = match &written.finished {
        // Killed between the last event and run.json: the journal knows.
        Some(outcome) => (Outcome::clone(outcome), true),
        None => Closing::new(&folder, written)?.close(&mut record)?,
    };
    folder.replace("rc", &rc_text(&outcome)).map_err(io::Error::other)?;
    record.outcome = Some(outcome.clone());
    super::launch::write_record(&folder, &record).map_err(io::Error::other)?;
    folder.replace("status", outcome.status.word()).map_err(io::Error::other)?;
    // What could not be taken in is evidence.
    if is_all {
        folder.tidy();
    }
    drop(folder);
    seal(path, &record);
    Ok(Some(record))
}

/// Has the run's end signed, where its plan says who signs. Who looks at runs need not be able to: the next run that is signed does
/// it then.
fn seal(path: &Path, record: &RunRecord) {
    #[derive(Deserialize)]
    struct Plan {
        audit: Option<Signer>,
    }
    #[derive(Deserialize)]
    struct Signer {
        key: PathBuf,
    }
    let Some(Signer { key }) = record.plan.read::<Plan>().ok().and_then(|plan| plan.audit) else { return };
    if let Some(artifacts) = path.parent() {
        Sealer { artifacts, key: &key, origin: None }.lost().ok();
    }
}

/// What the killed host wrote.
#[derive(Default)]
struct Written {
    events: Vec<(Event, std::ops::Range<u64>)>,
    uuids: HashSet<String>,
    /// The hash of the last line.
    prev: Option<String>,
    /// Bytes of whole lines.
    whole: u64,
    /// Bytes and lines of what Ansible printed, as far as it belongs to events.
    text: u64,
    lines: u64,
    /// The part of it that belongs to none of Ansible's events and stands behind them all.
    loose: String,
    status: Option<Status>,
    stats: Option<Stats>,
    finished: Option<Outcome>,
    faulty: Vec<String>,
    /// What is wrong with the journal.
    problem: Option<String>,
    /// Nothing may be written behind what is wrong.
    damaged: bool,
}

impl Written {
    /// Reads the journal as far as it can be read.
    fn read(folder: &RunFolder) -> io::Result<Self> {
        let mut written = Self::default();
        let path = folder.path().join("events.jsonl");
        let file = match File::open(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(written),
            file => file?,
        };
        // Lines that do not follow from each other somebody else wrote.
        match verify(BufReader::new(File::open(&path)?)) {
            // What is no whole line is found again below.
            Ok(_) | Err(ChainError::Io(_) | ChainError::Torn { .. } | ChainError::NoEvent { .. }) => {}
            Err(err) => (written.problem, written.damaged) = (Some(err.to_string()), true),
        }
        let mut reader = JournalReader::new(BufReader::new(file));
        loop {
            match reader.next_line() {
                Ok(None) => break,
                Ok(Some((text, event))) => written.take(&text, event),
                Err(ReadError::Io(err)) => return Err(err),
                Err(ReadError::Torn { line, .. }) => {
                    written.problem = written
                        .problem
                        .take()
                        .or_else(|| Some(format!("line {line} of the journal was torn and is cut")));
                    break;
                }
                Err(err) => {
                    (written.problem, written.damaged) = (Some(err.to_string()), true);
                    break;
                }
            }
        }
        Ok(written)
    }

    fn take(&mut self, text: &str, event: Event) {
        let start = self.whole;
        self.whole += text.len() as u64 + 1;
        self.prev = line::unseal(text).map(|(_, hash)| hash.to_owned());
        let head = event.head();
        let inside = head.stdout.matches('\n').count() as u64;
        // The last line end is not part of an event's text.
        let end = if head.end_line - head.start_line > inside { "\n" } else { "" };
        self.text += (head.stdout.len() + end.len()) as u64;
        self.lines = head.end_line;
        if head.pid.is_some() {
            self.loose.clear();
        } else {
            self.loose.extend([head.stdout.as_str(), end]);
        }
        self.uuids.insert(head.uuid.clone());
        match (event.kind(), &mut self.finished) {
            (EventKind::StatusChanged(change), _) => self.status = Some(change.to),
            (EventKind::PlaybookOnStats(stats), _) => self.stats = Some(Stats::clone(stats)),
            (EventKind::RunFinished(outcome), _) => self.finished = Some(Outcome::clone(outcome)),
            (EventKind::PluginFault(fault), Some(outcome)) => outcome.take_late_fault(fault),
            (EventKind::PluginFault(fault), None) if !self.faulty.contains(&fault.plugin.name) => {
                self.faulty.push(fault.plugin.name.clone());
            }
            _ => {}
        }
        self.events.push((event, start..self.whole));
    }
}

/// A run on the way to its end.
struct Closing<'a> {
    folder: &'a RunFolder,
    publisher: Publisher,
    uuids: HashSet<String>,
    status: Status,
    stats: Option<Stats>,
    versions: Option<AnsibleVersions>,
    /// Starts that Ansible asked for, and that did not happen unless it says so.
    asked: HashMap<String, Box<Reported>>,
    /// How much had been printed at the latest record that is in the journal.
    known: Option<u64>,
    /// Bytes of the text that is in the journal, and what of it stands behind the latest of Ansible's events.
    text: u64,
    loose: String,
    /// It is known where the text begins that is not in the journal.
    is_placed: bool,
    /// How many events were added.
    added: u64,
    /// The latest event of Ansible's, and when it was.
    last: Option<String>,
    time: Timestamp,
    rc: Option<i32>,
    left_alive: Vec<Process>,
    concealing: bool,
    faulty: Vec<String>,
    notes: Vec<String>,
    /// Nothing is written behind what is wrong with the journal, and nothing that is there is changed.
    damaged: bool,
    /// Everything beside the journal was taken.
    is_all: bool,
}

impl<'a> Closing<'a> {
    fn new(folder: &'a RunFolder, written: Written) -> io::Result<Self> {
        let file = |name: &str, length: u64| {
            if written.damaged {
                return tempfile::tempfile();
            }
            let file = folder.append(name).map_err(io::Error::other)?;
            file.set_len(length)?;
            Ok(file)
        };
        let journal = file("events.jsonl", written.whole)?;
        let last = written.events.last().map_or(0, |(event, _)| event.counter());
        let prev = written.prev.unwrap_or_else(|| line::FIRST_PREV.to_owned());
        let journal = Journal::resume(journal, last, prev, written.whole);
        // The standard error is made again from its beginning: which part of it belongs to which event nobody asks.
        let (stdout, stderr) = (file("stdout", written.text)?, file("stderr", 0)?);
        let stdout = Output::resume(source(folder, "stdout")?, stdout, written.lines);
        let stderr = Output::new(source(folder, "stderr")?, stderr);
        let redactor = redactor(folder)?;
        let id = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = EventFiles::resume(folder.path());
        let mut publisher = Publisher::new(id, journal, redactor, stdout, stderr).with_files(files, EventData::All);
        let (mut last, mut time, mut concealing) = (None, Timestamp::from_ns(0), false);
        for (event, place) in written.events {
            publisher.pid = event.head().pid.or(publisher.pid);
            last = describe(&event).or(last);
            concealing |= is_concealing(&event);
            time = time.max(event.head().created);
            publisher.view.push(&event, place);
        }
        let mut closing = Self {
            folder,
            publisher,
            uuids: written.uuids,
            status: written.status.unwrap_or(Status::Unstarted),
            stats: written.stats,
            versions: None,
            asked: HashMap::new(),
            known: None,
            text: written.text,
            loose: written.loose,
            is_placed: false,
            added: 0,
            last,
            time,
            rc: None,
            left_alive: Vec::new(),
            concealing,
            faulty: written.faulty,
            notes: written.problem.into_iter().collect(),
            damaged: written.damaged,
            is_all: !written.damaged,
        };
        closing.hear_guard();
        Ok(closing)
    }

    /// Takes what the guard wrote down of Ansible's end, which it may have seen after the host was gone.
    fn hear_guard(&mut self) {
        for report in reports(&self.folder.guard_lock()) {
            match report {
                Report::Exited(exit) => self.rc = exit.code.or(exit.signal.map(|signal| 128 + signal)),
                Report::Over { alive } => self.left_alive = alive,
                Report::Started { pid, .. } => self.publisher.pid = Some(pid),
                Report::NotStarted { .. } => {}
            }
        }
    }

    /// Returns the outcome, and whether everything beside the journal was taken.
    fn close(mut self, record: &mut RunRecord) -> io::Result<(Outcome, bool)> {
        if self.damaged {
            let private = self.folder.private();
            self.notes.push(format!("nothing was added, and what was beside it is kept in `{}`", private.display()));
        } else {
            self.take_spill()?;
            self.loose(None)?;
            if let Some((name, err)) = self.publisher.take_trouble() {
                return Err(io::Error::new(err.kind(), format!("`{name}`: {err}")));
            }
        }
        if record.ansible.is_none() {
            record.ansible = self.versions.take();
        }
        if self.concealing {
            self.left_alive.iter_mut().for_each(conceal);
        }
        let text = self.text();
        let outcome = Outcome {
            // The host may have come as far as to say how the run ended.
            status: if self.status.is_terminal() { self.status } else { Status::Lost },
            rc: self.rc,
            cause: Some(Cause::HostTrouble { text: text.clone() }),
            started: record.started,
            finished: self.time.max(record.started),
            totals: self.publisher.view.totals(),
            stats: self.stats.take(),
            in_flight: self.publisher.view.in_flight(),
            left_alive: std::mem::take(&mut self.left_alive),
            faulty_plugins: std::mem::take(&mut self.faulty),
            redacted: self.publisher.view.redacted(),
        };
        if self.damaged {
            let known = self.publisher.redactor.json(Json::of(&outcome)).read();
            return Ok((known.unwrap_or(outcome), false));
        }
        if !self.status.is_terminal() {
            let change = StatusChanged { from: self.status, to: Status::Lost, detail: Some(text) };
            self.publisher.event("status_changed", &change)?;
        }
        let finished = self.publisher.event("run_finished", &outcome)?;
        self.publisher.sync()?;
        // As it stands in the journal: without what is secret.
        let outcome = match finished.kind() {
            EventKind::RunFinished(written) => Outcome::clone(written),
            _ => outcome,
        };
        Ok((outcome, self.is_all))
    }

    fn text(&self) -> String {
        let mut text = "the host was killed before the run ended".to_owned();
        if let Some(last) = &self.last {
            text = format!("{text}; the last event is {last}");
        }
        if self.added > 0 {
            text = format!("{text}; {} events were taken from beside the journal", self.added);
        }
        for note in &self.notes {
            text = format!("{text}; {note}");
        }
        text
    }

    fn take_spill(&mut self) -> io::Result<()> {
        let mut spill = Spill::open(&self.folder.spill(), MAX_EVENT)?;
        loop {
            match spill.record() {
                Ok(None) => return Ok(()),
                Ok(Some(record)) => self.take(record)?,
                // It may be read another time.
                Err(SpillError::Io(err)) => return Err(err),
                Err(err) => {
                    let private = self.folder.private();
                    let text = super::dispatcher::chain(&err);
                    self.notes.push(format!("{text}; they are kept in `{}`", private.display()));
                    self.is_all = false;
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::Hello { core, python, printed, .. } => {
                self.versions = Some(AnsibleVersions { core, python });
                // Text that the host had taken is not taken again.
                if self.text == 0 { self.loose(printed.stdout) } else { Ok(()) }
            }
            Record::End { printed } => self.loose(printed.stdout),
            Record::Event(reported) | Record::Start(reported) if self.uuids.contains(&reported.uuid) => {
                self.known = reported.printed.stdout.or(self.known);
                Ok(())
            }
            Record::Start(reported) if reported.asked => {
                self.asked.insert(reported.uuid.clone(), reported);
                Ok(())
            }
            Record::Event(reported) => self.add(*reported, Masked::default()),
            Record::Start(reported) => self.add_start(*reported),
            Record::Granted { uuid } => match self.asked.remove(&uuid) {
                Some(reported) => self.add_start(*reported),
                None => Ok(()),
            },
        }
    }

    fn add_start(&mut self, mut reported: Reported) -> io::Result<()> {
        let masked = self.publisher.judged(&mut reported);
        self.add(reported, masked)
    }

    fn add(&mut self, reported: Reported, masked: Masked) -> io::Result<()> {
        self.place_text()?;
        self.uuids.insert(reported.uuid.clone());
        let event = self.publisher.reported(reported, masked)?;
        self.note_event(&event);
        Ok(())
    }

    fn loose(&mut self, length: Option<u64>) -> io::Result<()> {
        self.place_text()?;
        for event in self.publisher.loose_text(length)? {
            self.note_event(&event);
        }
        Ok(())
    }

    /// Finds where in what was printed the text begins that is not in the journal.
    fn place_text(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_placed, true) {
            return Ok(());
        }
        let mut printed = source(self.folder, "stdout")?;
        let (from, text) = match self.known {
            Some(from) if self.text > 0 => (from, self.loose.clone().into_bytes()),
            // Nothing says where, but what is printed first is in the journal first.
            _ => (0, fs::read(self.folder.path().join("stdout"))?),
        };
        let mut same = vec![0; text.len()];
        printed.seek(SeekFrom::Start(from))?;
        let there = printed.read_exact(&mut same).is_ok() && same == text;
        let taken = if there {
            from + text.len() as u64
        } else {
            // A secret was masked in it, so that lengths say nothing. To show a part of one would be worse.
            self.notes.push("what was printed last is left out, for where it begins cannot be told".to_owned());
            printed.metadata()?.len()
        };
        self.publisher.stdout.skip_to(taken);
        Ok(())
    }

    fn note_event(&mut self, event: &Event) {
        self.added += 1;
        self.time = self.time.max(event.head().created);
        self.concealing |= is_concealing(event);
        if let EventKind::PlaybookOnStats(stats) = event.kind() {
            self.stats = Some(Stats::clone(stats));
        }
        self.last = describe(event).or(self.last.take());
    }
}

/// Opens what Ansible printed, as it printed it. It may never have begun to.
fn source(folder: &RunFolder, name: &str) -> io::Result<File> {
    match File::open(folder.private().join(name)) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => tempfile::tempfile(),
        file => file,
    }
}

/// Reads what the host wrote down of its secrets.
fn redactor(folder: &RunFolder) -> io::Result<Redactor> {
    let sealed: SealedRedactor = match fs::read_to_string(folder.sealed_secrets()) {
        // Killed before it was written, and before Ansible was started.
        Err(err) if err.kind() == io::ErrorKind::NotFound => SealedRedactor::default(),
        text => serde_json::from_str(&text?).map_err(|err| {
            let path = folder.sealed_secrets();
            let text = format!("`{}` is damaged, without which secrets could not be masked: {err}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?,
    };
    Ok(sealed.into())
}

fn is_concealing(event: &Event) -> bool {
    matches!(event.kind(), EventKind::RunnerOnStart(start) if start.no_log)
}

/// Names an event for people, if it is one that says how far Ansible had come.
fn describe(event: &Event) -> Option<String> {
    if event.host().is_none() && !event.name().starts_with("playbook_") {
        return None;
    }
    let mut text = format!("{}, {}", event.counter(), event.name());
    if let Some(task) = &event.context().task {
        text = format!("{text} of `{task}`");
    }
    if let Some(host) = event.host() {
        text = format!("{text} on {host}");
    }
    Some(text)
}
