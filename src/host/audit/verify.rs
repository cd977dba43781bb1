//! Holds runs, their log and its signatures against each other. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use playwarden_event::{Status, Timestamp};
use serde::Serialize;

use super::key::PublicKey;
use super::log::{CHECKPOINT, Entry, FOLDER, LOG, ROTATION, keys};
use super::note::Checkpoint;
use super::seal::digests;
use super::tree::{Hash, Tree};
use crate::store::{Chain, ChainError, RunRecord, verify as verify_chain};

/// What an auditor knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys whose signatures count. With none the log is taken at its word about its keys.
    pub keys: Vec<PublicKey>,
    /// Checkpoints that were kept elsewhere: the log must contain them.
    pub checkpoints: Vec<String>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The run; none when it is about the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The file, in the folder of the runs.
    pub file: String,
    /// The first line that is wrong, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where that line begins, in bytes from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is wrong.
    pub text: String,
}

/// What was looked at of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// The run id.
    pub run: String,
    /// How it ended; none while it lasts.
    pub status: Option<Status>,
    /// How many events its journal has, as far as that is sound.
    pub events: u64,
    /// Whether a signature says that it is as it was at its end.
    pub sealed: Sealed,
}

/// How far signatures reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sealed {
    /// The run's end is signed.
    Yes,
    /// It was signed by a later run: its own host was killed.
    Late,
    /// It is not over, or nobody has signed its end yet.
    Open,
    /// It is in no log.
    No,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The runs, by their ids.
    pub runs: Vec<RunReport>,
    /// All that is not as it was written. Empty when everything holds.
    pub wrong: Vec<Wrong>,
    /// What to know about how far that reaches.
    pub notes: Vec<String>,
    /// The name of the log; none where there is no log.
    pub origin: Option<String>,
    /// How many entries of it are signed.
    pub entries: u64,
    /// The keys that signed it, the last one at the end.
    pub keys: Vec<String>,
}

/// Verifies the runs of an artifacts folder: those of some ids, or all, and that none of all is missing.
///
/// # Errors
/// When a file cannot be read. What was changed is no error, but in the report.
pub fn verify(artifacts: &Path, runs: Option<&[String]>, trust: &Trust) -> io::Result<Report> {
    let mut audit = Audit { artifacts, report: Report::default(), log: Signed::default(), is_there: false };
    audit.read_log(trust)?;
    let wanted: BTreeSet<String> = match runs {
        Some(runs) => runs.iter().cloned().collect(),
        None => audit.folders()?.into_iter().chain(audit.log.runs.keys().cloned()).collect(),
    };
    for run in &wanted {
        audit.run(run)?;
    }
    Ok(audit.report)
}

/// What the log says of a run.
#[derive(Debug, Default)]
struct Logged {
    first: String,
    end: Option<End>,
    removed: Option<String>,
}

#[derive(Debug)]
struct End {
    chain: (u64, String),
    files: BTreeMap<String, String>,
    late: bool,
    /// The size of the log with this entry.
    size: u64,
}

/// The log as far as it is signed.
#[derive(Debug, Default)]
struct Signed {
    runs: BTreeMap<String, Logged>,
    /// The root at each size.
    roots: Vec<Hash>,
    /// The key that signs at each size.
    keys: Vec<Option<PublicKey>>,
    began: Option<Timestamp>,
}

struct Audit<'a> {
    artifacts: &'a Path,
    report: Report,
    log: Signed,
    is_there: bool,
}

impl Audit<'_> {
    fn wrong(&mut self, run: Option<&str>, file: impl Into<String>, text: impl Into<String>) {
        let (run, file, text) = (run.map(str::to_owned), file.into(), text.into());
        self.report.wrong.push(Wrong { run, file, line: None, offset: None, text });
    }

    fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.report.notes.contains(&text) {
            self.report.notes.push(text);
        }
    }

    /// Returns the names of the folders that are runs.
    fn folders(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.artifacts) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.join(RunRecord::FILE).exists() || path.join("events.jsonl").exists() {
                names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
        }
        Ok(names)
    }

    // ---- the log ------------------------------------------------------------------------------------------------------

    fn read_log(&mut self, trust: &Trust) -> io::Result<()> {
        let folder = self.artifacts.join(FOLDER);
        let Some(text) = read(&folder.join(LOG))? else {
            if folder.exists() {
                self.is_there = true;
                self.wrong(None, format!("{FOLDER}/{LOG}"), "is missing");
            } else if !trust.keys.is_empty() || !trust.checkpoints.is_empty() {
                self.wrong(None, FOLDER, "is missing: these runs have no log");
            } else {
                self.note(
                    "there is no log over these runs: a run that was removed, or written anew as a whole, is not seen",
                );
            }
            return Ok(());
        };
        self.is_there = true;
        let entries = self.take_entries(&text);
        self.report.keys = keys(&entries).into_iter().cloned().collect();
        self.latest(&folder, trust)?;
        self.key_changes(&folder, &entries, trust)?;
        for note in &trust.checkpoints {
            let held = self.held(note);
            if let Err(why) = held {
                self.wrong(None, format!("{FOLDER}/{LOG}"), format!("the checkpoint that was kept elsewhere {why}"));
            }
        }
        Ok(())
    }

    /// Reads the entries, as far as they can be read.
    fn take_entries(&mut self, text: &[u8]) -> Vec<Entry> {
        let (mut tree, mut entries, mut offset) = (Tree::default(), Vec::new(), 0);
        let mut key = None;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let bytes = line.strip_suffix(b"\n");
            let entry = bytes.and_then(|bytes| serde_json::from_slice::<Entry>(bytes).ok());
            let (Some(bytes), Some(entry)) = (bytes, entry) else {
                let place = (Some(entries.len() as u64 + 1), Some(offset));
                let text = "cannot be read".to_owned();
                let file = format!("{FOLDER}/{LOG}");
                self.report.wrong.push(Wrong { run: None, file, line: place.0, offset: place.1, text });
                break;
            };
            offset += line.len() as u64;
            tree.push(bytes);
            match &entry {
                Entry::Log { origin, key: named, time } => {
                    if entries.is_empty() {
                        self.report.origin = Some(origin.clone());
                        self.log.began = Some(*time);
                    }
                    key = named.parse().ok();
                }
                Entry::Key { key: named, .. } => key = named.parse().ok(),
                Entry::RunStarted { run, first, .. } => {
                    // A run id that is free again can be used again.
                    self.log.runs.insert(run.clone(), Logged { first: first.clone(), ..Logged::default() });
                }
                Entry::RunEnded { run, events, last, files, late, .. } => {
                    let end =
                        End { chain: (*events, last.clone()), files: files.clone(), late: *late, size: tree.size() };
                    self.log.runs.entry(run.clone()).or_default().end = Some(end);
                }
                Entry::RunRemoved { run, why, .. } => {
                    self.log.runs.entry(run.clone()).or_default().removed = Some(why.clone());
                }
            }
            self.log.roots.push(tree.root());
            self.log.keys.push(key.clone());
            entries.push(entry);
        }
        entries
    }

    /// Looks at the latest checkpoint: all entries must be under it.
    fn latest(&mut self, folder: &Path, trust: &Trust) -> io::Result<()> {
        let file = format!("{FOLDER}/{CHECKPOINT}");
        let Some(bytes) = read(&folder.join(CHECKPOINT))? else {
            self.wrong(None, file, "is missing: nothing of the log is signed");
            return Ok(());
        };
        let note = String::from_utf8_lossy(&bytes).into_owned();
        match self.held(&note) {
            Err(why) => self.wrong(None, file, why),
            Ok(size) => {
                self.report.entries = size;
                let more = self.log.roots.len() as u64 - size;
                if more > 0 {
                    let text = format!("has {more} entries behind its {size} signed ones");
                    self.wrong(None, format!("{FOLDER}/{LOG}"), text);
                }
            }
        }
        if trust.keys.is_empty() {
            self.note("the log names its key itself: compare it with the one you know, or give that by `--key`");
        }
        Ok(())
    }

    /// Returns how many entries a checkpoint covers that is of this log, or why it is not.
    fn held(&self, note: &str) -> Result<u64, String> {
        let note = Checkpoint::read(note).ok_or("is no checkpoint")?;
        if Some(&note.origin) != self.report.origin.as_ref() {
            return Err(format!("is of another log, `{}`", note.origin));
        }
        let entries = self.log.roots.len() as u64;
        let last = usize::try_from(note.size).ok().and_then(|size| size.checked_sub(1));
        let Some(root) = last.and_then(|last| self.log.roots.get(last)) else {
            return Err(format!("has {} entries, and the log {entries}: some are missing", note.size));
        };
        if *root != note.root {
            return Err(format!("has other entries than the first {} of the log", note.size));
        }
        let key = last.and_then(|last| self.log.keys.get(last)).and_then(Option::as_ref);
        match key {
            Some(key) if note.is_signed_by(key) => Ok(note.size),
            Some(key) => Err(format!("is not signed by {key}")),
            None => Err("is signed by a key that the log does not name".to_owned()),
        }
    }

    /// Looks at each change of the key: who had the one before must have signed it, or the auditor knows both.
    fn key_changes(&mut self, folder: &Path, entries: &[Entry], trust: &Trust) -> io::Result<()> {
        let file = format!("{FOLDER}/{LOG}");
        let known = |key: &str| trust.keys.iter().any(|known| known.to_string() == key);
        let mut trusted = false;
        let mut before: Option<&String> = None;
        let mut strangers = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let size = index as u64 + 1;
            let key = match entry {
                Entry::Log { key, .. } => {
                    trusted = known(key);
                    before = Some(key);
                    continue;
                }
                Entry::Key { key, before: handed, .. } => {
                    let agreed = handed.is_some() && handed.as_ref() == before && self.agreed(folder, size, before)?;
                    if handed.is_some() && !agreed {
                        let text = format!("entry {size} hands over to {key}, and the key before did not sign that");
                        self.wrong(None, &file, text);
                    }
                    // Who has the last key vouches for all before it; who had one before, for what it handed over to.
                    trusted = known(key) || (trusted && agreed);
                    let both_known = known(key) && before.is_some_and(|before| known(before));
                    if !agreed && !both_known {
                        let old = before.map_or_else(String::new, Clone::clone);
                        strangers.push(format!(
                            "the chain of {old} ends at entry {index}: {key} signs from there on, and nobody handed over to \
                             it; if that key was lost, give both by `--key`"
                        ));
                    }
                    key
                }
                _ => continue,
            };
            before = Some(key);
        }
        for text in strangers {
            self.wrong(None, &file, text);
        }
        if !trust.keys.is_empty() && !trusted {
            let last = before.map_or_else(String::new, Clone::clone);
            self.wrong(
                None,
                &file,
                format!("is signed by {last}, which is none of the given keys, nor handed over to"),
            );
        }
        Ok(())
    }

    /// Returns whether a key signed the entry that hands over from it.
    fn agreed(&self, folder: &Path, size: u64, before: Option<&String>) -> io::Result<bool> {
        let Some(bytes) = read(&folder.join(format!("{ROTATION}{size}")))? else { return Ok(false) };
        let note = String::from_utf8_lossy(&bytes).into_owned();
        let before = before.and_then(|key| key.parse::<PublicKey>().ok());
        let by_both = || Some(Checkpoint::read(&note)?.is_signed_by(&before?));
        Ok(self.held(&note) == Ok(size) && by_both() == Some(true))
    }

    // ---- a run --------------------------------------------------------------------------------------------------------

    fn run(&mut self, run: &str) -> io::Result<()> {
        let folder = self.artifacts.join(run);
        let logged = self.log.runs.remove(run);
        if !folder.exists() {
            match logged.as_ref().and_then(|logged| logged.removed.as_deref()) {
                Some(why) => self.note(format!("{run} was removed: {why}")),
                None if logged.is_some() => self.wrong(Some(run), run, "is missing: the log knows it"),
                None => self.wrong(Some(run), run, "is missing"),
            }
            return Ok(());
        }
        let record = RunRecord::read(&folder);
        if let Err(err) = &record {
            self.wrong(Some(run), format!("{run}/{}", RunRecord::FILE), format!("cannot be read: {err}"));
        }
        let record = record.ok();
        let status = record.as_ref().and_then(|record| Some(record.outcome.as_ref()?.status));
        let file = format!("{run}/events.jsonl");
        let chain = match File::open(folder.join("events.jsonl")) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                self.wrong(Some(run), &file, "is missing");
                None
            }
            journal => match verify_chain(BufReader::with_capacity(1 << 18, journal?)) {
                Ok(chain) => Some(chain),
                // A run that is not over may be at work on its last line.
                Err(ChainError::Torn { chain, .. }) if status.is_none() => Some(chain),
                Err(ChainError::Io(err)) => return Err(err),
                Err(err) => {
                    let (line, offset) = err.place();
                    let (run, text) = (Some(run.to_owned()), err.to_string());
                    self.report.wrong.push(Wrong {
                        run,
                        file: file.clone(),
                        line: Some(line),
                        offset: Some(offset),
                        text,
                    });
                    None
                }
            },
        };
        let sealed = self.seal(run, &folder, chain.as_ref(), logged, record.as_ref())?;
        let events = chain.map_or(0, |chain| chain.events);
        self.report.runs.push(RunReport { run: run.to_owned(), status, events, sealed });
        Ok(())
    }

    /// Holds a run against what the log says of it.
    fn seal(
        &mut self,
        run: &str,
        folder: &Path,
        chain: Option<&Chain>,
        logged: Option<Logged>,
        record: Option<&RunRecord>,
    ) -> io::Result<Sealed> {
        let file = format!("{run}/events.jsonl");
        let Some(logged) = logged else {
            let is_later = record.zip(self.log.began).is_some_and(|(record, began)| record.started >= began);
            match () {
                () if folder.join(CHECKPOINT).exists() => {
                    self.wrong(Some(run), format!("{run}/{CHECKPOINT}"), "is of a log that does not know this run");
                }
                () if is_later => self.note(format!("{run} is not in the log: it ran without a key")),
                () if self.is_there => self.note(format!("{run} is not in the log: it is older")),
                () => {}
            }
            return Ok(Sealed::No);
        };
        if let Some(chain) = chain.filter(|chain| chain.first != logged.first && !logged.first.is_empty()) {
            self.wrong(Some(run), &file, format!("begins with {}, and the log has {}", chain.first, logged.first));
        }
        let Some(end) = logged.end else {
            if record.is_some_and(|record| record.outcome.is_some()) {
                self.note(format!(
                    "{run} is over, and its end is not signed: its host was killed; the next run signs it"
                ));
            }
            return Ok(Sealed::Open);
        };
        let (events, last) = end.chain;
        if let Some(chain) = chain {
            if chain.events != events {
                let text = format!("has {} events, and {events} are signed", chain.events);
                self.wrong(Some(run), &file, text);
            } else if chain.last != last {
                self.wrong(Some(run), &file, format!("ends with {}, and {last} is signed", chain.last));
            }
        }
        let found = digests(folder)?;
        for name in end.files.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
            let text = match (end.files.get(name), found.get(name)) {
                (Some(signed), Some(found)) if signed == found => continue,
                (Some(signed), Some(found)) => format!("was changed: its SHA-256 is {found}, and {signed} is signed"),
                (Some(_), None) => "is missing".to_owned(),
                _ => "was added after the run had ended".to_owned(),
            };
            self.wrong(Some(run), format!("{run}/{name}"), text);
        }
        match read(&folder.join(CHECKPOINT))? {
            None => self.note(format!("{run} has no checkpoint of its own; the log has its end")),
            Some(bytes) => match self.held(&String::from_utf8_lossy(&bytes)) {
                Ok(size) if size >= end.size => {}
                Ok(_) => self.wrong(Some(run), format!("{run}/{CHECKPOINT}"), "is older than the run's end"),
                Err(why) => self.wrong(Some(run), format!("{run}/{CHECKPOINT}"), why),
            },
        }
        Ok(if end.late { Sealed::Late } else { Sealed::Yes })
    }
}

/// Reads a file; none where there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}
