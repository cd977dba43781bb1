//! The log over the runs of an artifacts folder: what began, how it ended, and what was removed, so that a run that is missing is missed.
//!
//! `.audit/log.jsonl` has one entry a line, `.audit/checkpoint` the latest checkpoint over them. An entry is only added where the
//! log agrees with its checkpoint: else a new signature would vouch for what somebody changed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use playwarden_event::{Status, Timestamp};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::key::{KeyError, PublicKey, SigningKey, is_name};
use super::note::Checkpoint;
use super::tree::Tree;
use crate::store::replace;

/// The folder of the log, in that of the runs. It is no run: its name begins with a dot.
pub(super) const FOLDER: &str = ".audit";
/// The entries.
pub(super) const LOG: &str = "log.jsonl";
/// The latest checkpoint; in a run's folder the one that was the latest when the run had ended.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// What the names of checkpoints begin with that two keys signed.
pub(super) const ROTATION: &str = "rotation-";

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// The first one.
    Log {
        /// The log's name.
        origin: String,
        /// The key that signs from here on.
        key: String,
        time: Timestamp,
    },
    RunStarted {
        run: String,
        job: String,
        /// The hash that the journal's first line states.
        first: String,
        time: Timestamp,
    },
    RunEnded {
        run: String,
        status: Status,
        /// How many events the journal has.
        events: u64,
        /// The hash that the journal's last line states.
        last: String,
        /// The SHA-256 of the run's other files, by their names.
        files: BTreeMap<String, String>,
        /// The run's own host did not live to say it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
        time: Timestamp,
    },
    RunRemoved {
        run: String,
        why: String,
        time: Timestamp,
    },
    /// Another key signs from here on.
    Key {
        key: String,
        /// The key before; none when it was not there to agree.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
        time: Timestamp,
    },
}

impl Entry {
    /// Returns the key that signs from here on, where that changes.
    fn key(&self) -> Option<&String> {
        match self {
            Self::Log { key, .. } | Self::Key { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// Why nothing can be added to a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The key cannot be used.
    #[error("the key `{}` cannot be used: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The disk refused.
    #[error("`{}` cannot be written: {source}", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is there is not what was signed.
    #[error("the log in `{}` is not as it was signed: {what}", path.display())]
    Changed {
        /// The log's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl LogError {
    /// Returns what can be done about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Key { path, .. } => format!("make a key with `playwarden audit key {}`", path.display()),
            Self::Io { path, .. } => format!("check who may write `{}`, and whether its disk has room", path.display()),
            Self::Changed { path, .. } => format!(
                "`playwarden audit verify --all` says more; move `{}` away, as evidence, to begin a new log",
                path.display()
            ),
        }
    }
}

/// A log that is held: nobody else adds to it meanwhile.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    origin: String,
    /// Who signs.
    key: SigningKey,
    tree: Tree,
    entries: Vec<Entry>,
    file: File,
    _lock: File,
}

impl Log {
    /// Opens the log of an artifacts folder, and begins it where there is none. Where another key signs than before, it says so.
    pub(crate) fn open(artifacts: &Path, key: &Path, origin: Option<&str>) -> Result<Self, LogError> {
        let folder = artifacts.join(FOLDER);
        let failed = |source| LogError::Io { path: folder.clone(), source };
        if !folder.exists() {
            begin(artifacts, &folder, key, origin)?;
        }
        let lock = open(&folder.join("lock")).map_err(failed)?;
        loop {
            match flock(&lock, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                locked => break locked.map_err(|err| failed(err.into()))?,
            }
        }
        let file = open(&folder.join(LOG)).map_err(failed)?;
        let (tree, entries) = read(&folder, &file)?;
        let Some(Entry::Log { origin, .. }) = entries.first() else {
            let what = "its first entry says nothing of it".to_owned();
            return Err(LogError::Changed { path: folder, what });
        };
        let origin = origin.clone();
        let key = read_key(key, &origin)?;
        let mut log = Self { folder, origin, key, tree, entries, file, _lock: lock };
        let public = log.key.public().to_string();
        if keys(&log.entries).last() != Some(&&public) {
            log.write(Entry::Key { key: public, before: None, time: Timestamp::now() })?;
        }
        Ok(log)
    }

    /// Adds an entry. It counts once [`Log::sign`] has signed it.
    pub(crate) fn write(&mut self, entry: Entry) -> Result<(), LogError> {
        let mut line = serde_json::to_string(&entry).expect("an entry should be representable as JSON");
        self.tree.push(line.as_bytes());
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|source| self.failed(source))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Signs the log as it is; returns the checkpoint.
    pub(crate) fn sign(&mut self) -> Result<String, LogError> {
        self.sign_with(&[])
    }

    fn sign_with(&mut self, others: &[&SigningKey]) -> Result<String, LogError> {
        self.file.sync_data().map_err(|source| self.failed(source))?;
        let keys: Vec<&SigningKey> = [&self.key].into_iter().chain(others.iter().copied()).collect();
        let note = Checkpoint::write(&self.origin, &self.tree, &keys);
        let path = self.folder.join(CHECKPOINT);
        replace(&path, &note).map_err(|source| LogError::Io { path, source })?;
        Ok(note)
    }

    /// Hands over to another key, which is then the one to configure. Both sign that.
    pub(crate) fn rotate(&mut self, to: &Path) -> Result<PublicKey, LogError> {
        let next = read_key(to, &self.origin)?;
        let (before, time) = (Some(self.key.public().to_string()), Timestamp::now());
        self.write(Entry::Key { key: next.public().to_string(), before, time })?;
        let note = self.sign_with(&[&next])?;
        let path = self.folder.join(format!("{ROTATION}{}", self.tree.size()));
        replace(&path, &note).map_err(|source| LogError::Io { path, source })?;
        Ok(next.public().clone())
    }

    /// Returns the runs that began and of which no end is known.
    pub(crate) fn open_runs(&self) -> Vec<String> {
        let mut runs: Vec<String> = Vec::new();
        for entry in &self.entries {
            match entry {
                Entry::RunStarted { run, .. } => runs.push(run.clone()),
                Entry::RunEnded { run, .. } | Entry::RunRemoved { run, .. } => runs.retain(|open| open != run),
                Entry::Log { .. } | Entry::Key { .. } => {}
            }
        }
        runs
    }

    /// Returns whether a run is in the log.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::RunStarted { run, .. } if run == id))
    }

    fn failed(&self, source: io::Error) -> LogError {
        LogError::Io { path: self.folder.join(LOG), source }
    }
}

/// Returns the keys that sign a log, one after the other.
pub(super) fn keys(entries: &[Entry]) -> Vec<&String> {
    entries.iter().filter_map(Entry::key).collect()
}

/// Makes a log with its first entry. It is there whole and signed, or not at all.
fn begin(artifacts: &Path, folder: &Path, key: &Path, origin: Option<&str>) -> Result<(), LogError> {
    let failed = |source| LogError::Io { path: folder.to_owned(), source };
    let origin = origin.map_or_else(own_name, str::to_owned);
    let key = read_key(key, &origin)?;
    DirBuilder::new().recursive(true).mode(0o700).create(artifacts).map_err(failed)?;
    let made = tempfile::Builder::new()
        .prefix(".audit-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(artifacts)
        .map_err(failed)?;
    let entry = Entry::Log { origin: origin.clone(), key: key.public().to_string(), time: Timestamp::now() };
    let line = serde_json::to_string(&entry).expect("an entry should be representable as JSON");
    let mut tree = Tree::default();
    tree.push(line.as_bytes());
    let note = Checkpoint::write(&origin, &tree, &[&key]);
    replace(&made.path().join(LOG), &format!("{line}\n")).map_err(failed)?;
    replace(&made.path().join(CHECKPOINT), &note).map_err(failed)?;
    match fs::rename(made.path(), folder) {
        Ok(()) => {
            drop(made.keep());
            Ok(())
        }
        // Another run was faster.
        Err(_) if folder.join(LOG).exists() => Ok(()),
        Err(err) => Err(failed(err)),
    }
}

/// Returns the name of a log that nobody named: that of the machine.
pub(super) fn own_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{}/playwarden", if is_name(&name) { &name } else { "localhost" })
}

fn read_key(path: &Path, name: &str) -> Result<SigningKey, LogError> {
    SigningKey::read(path, name).map_err(|source| LogError::Key { path: path.to_owned(), source })
}

/// Reads a log that is to be added to, and holds it against its checkpoint. What stands behind that was never signed: the host was
/// killed before, or it is not ours. It is cut.
fn read(folder: &Path, file: &File) -> Result<(Tree, Vec<Entry>), LogError> {
    let failed = |name: &str, source| LogError::Io { path: folder.join(name), source };
    let changed = |what: String| LogError::Changed { path: folder.to_owned(), what };
    let text = fs::read(folder.join(LOG)).map_err(|err| failed(LOG, err))?;
    let note = match fs::read_to_string(folder.join(CHECKPOINT)) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            return Err(changed("its checkpoint is missing".to_owned()));
        }
        note => note.map_err(|err| failed(CHECKPOINT, err))?,
    };
    let note = Checkpoint::read(&note).ok_or_else(|| changed("its checkpoint cannot be read".to_owned()))?;
    let (mut tree, mut entries, mut length) = (Tree::default(), Vec::new(), 0);
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    while tree.size() < note.size
        && let Some(line) = lines.next()
    {
        length += line.len() as u64;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let entry = serde_json::from_slice(line);
        entries.push(entry.map_err(|err| changed(format!("entry {}: {err}", entries.len() + 1)))?);
        tree.push(line);
    }
    let signed = |key: &&String| key.parse().is_ok_and(|key| note.is_signed_by(&key));
    if note.size != tree.size() || note.root != tree.root() || !keys(&entries).last().is_some_and(signed) {
        return Err(changed(format!("its entries are not the {} of its checkpoint", note.size)));
    }
    file.set_len(length).map_err(|err| failed(LOG, err))?;
    Ok((tree, entries))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)
}
