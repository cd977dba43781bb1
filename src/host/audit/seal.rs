//! What a run has to do with the log: it is entered when it begins, and sealed when it is over.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use playwarden_event::{Status, Timestamp};
use sha2::{Digest as _, Sha256};

use super::key::PublicKey;
use super::log::{CHECKPOINT, Entry, Log, LogError};
use crate::hex;
use crate::store::{Chain, RunFolder, RunRecord, replace, verify};

/// Where a log is and who signs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealer<'a> {
    /// The folder of the runs.
    pub(crate) artifacts: &'a Path,
    /// The private key.
    pub(crate) key: &'a Path,
    /// The name for a log that is still to begin.
    pub(crate) origin: Option<&'a str>,
}

impl Sealer<'_> {
    fn open(&self) -> Result<Log, LogError> {
        Log::open(self.artifacts, self.key, self.origin)
    }

    /// Enters a run that has begun; `first` is the hash of its journal's first line. Those that were lost are sealed on the way.
    pub(crate) fn start(&self, run: &str, job: &str, first: &str) -> Result<(), LogError> {
        let mut log = self.open()?;
        self.seal_lost(&mut log)?;
        let (run, job, first) = (run.to_owned(), job.to_owned(), first.to_owned());
        log.write(Entry::RunStarted { run, job, first, time: Timestamp::now() })?;
        log.sign().map(drop)
    }

    /// Seals runs that are over and were not sealed, because their hosts were killed.
    pub(crate) fn lost(&self) -> Result<(), LogError> {
        self.seal_lost(&mut self.open()?)
    }

    fn seal_lost(&self, log: &mut Log) -> Result<(), LogError> {
        for lost in log.open_runs() {
            let folder = self.artifacts.join(&lost);
            let Ok(record) = RunRecord::read(&folder) else { continue };
            let Some(outcome) = record.outcome else { continue };
            // Nobody works on it.
            let Some(_held) = RunFolder::take_over(&folder) else { continue };
            let journal = File::open(folder.join("events.jsonl")).map(io::BufReader::new);
            if let Ok(chain) = journal.map_err(Into::into).and_then(verify) {
                seal(log, &folder, &lost, (outcome.status, chain), true)?;
            }
        }
        Ok(())
    }

    /// Seals a run that is over: what its journal has, and its other files as they are now.
    pub(crate) fn end(&self, folder: &Path, run: &str, status: Status, chain: Chain) -> Result<(), LogError> {
        let mut log = self.open()?;
        // The log may have been moved away meanwhile.
        if log.knows(run) { seal(&mut log, folder, run, (status, chain), false) } else { Ok(()) }
    }

    /// Hands over to another key; returns its public one.
    pub(crate) fn rotate(&self, to: &Path) -> Result<PublicKey, LogError> {
        self.open()?.rotate(to)
    }

    /// Enters that runs were removed, and why.
    pub(crate) fn removed(&self, runs: &[String], why: &str) -> Result<(), LogError> {
        let mut log = self.open()?;
        for run in runs.iter().filter(|run| log.knows(run)).cloned().collect::<Vec<_>>() {
            log.write(Entry::RunRemoved { run, why: why.to_owned(), time: Timestamp::now() })?;
        }
        log.sign().map(drop)
    }
}

fn seal(log: &mut Log, folder: &Path, run: &str, (status, chain): (Status, Chain), late: bool) -> Result<(), LogError> {
    let failed = |source| LogError::Io { path: folder.to_owned(), source };
    let files = digests(folder).map_err(failed)?;
    let Chain { events, last, .. } = chain;
    log.write(Entry::RunEnded { run: run.to_owned(), status, events, last, files, late, time: Timestamp::now() })?;
    let note = log.sign()?;
    replace(&folder.join(CHECKPOINT), &note).map_err(failed)
}

/// Files of a run whose digests stand in the log; the journal has its chain, and the rest is made from it.
const FILES: [&str; 4] = ["run.json", "stdout", "stderr", "command"];

/// Returns the SHA-256 of a run's files, by their names: of those that Playwarden writes, and all that plugins wrote.
pub(super) fn digests(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut names: Vec<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
    let mut folders = vec!["plugins".to_owned()];
    while let Some(name) = folders.pop() {
        for entry in fs::read_dir(folder.join(&name)).into_iter().flatten() {
            let entry = entry?;
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() {
                names.push(name);
            }
        }
    }
    let mut digests = BTreeMap::new();
    for name in names {
        match File::open(folder.join(&name)) {
            Ok(mut file) => {
                let (mut hasher, mut bytes) = (Sha256::new(), vec![0; 1 << 16]);
                loop {
                    match file.read(&mut bytes)? {
                        0 => break,
                        length => hasher.update(&bytes[..length]),
                    }
                }
                digests.insert(name, hex(&hasher.finalize()));
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(err),
        }
    }
    Ok(digests)
}
