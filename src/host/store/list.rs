//! The runs of an artifacts folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use playwarden_event::{Outcome, Status, Timestamp};

use super::folder::RunFolder;
use super::record::RunRecord;

/// Brings a run to its end whose host was killed, and returns what `run.json` says then; none while somebody still works
/// on it. To make events is not the store's: see [`crate::run::close`].
pub type Close = fn(&Path) -> io::Result<Option<RunRecord>>;

/// The artifacts folder.
#[derive(Clone, Debug)]
pub struct Store {
    artifacts: PathBuf,
    close: Close,
}

/// A run as it was found.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What `run.json` says.
    pub record: RunRecord,
    close: Close,
}

impl StoredRun {
    /// Returns how the run is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.record.outcome {
            Some(outcome) => outcome.status,
            None => fs::read_to_string(self.folder.join("status"))
                .ok()
                .and_then(|word| serde_json::from_value(word.trim().into()).ok())
                .unwrap_or(Status::Running),
        }
    }

    /// Reads the run in a folder. One whose host was killed is closed on the way.
    ///
    /// # Errors
    /// When `run.json` cannot be read, with the reason.
    pub fn load(folder: &Path, close: Close) -> Result<Self, String> {
        let mut record = RunRecord::read(folder).map_err(|err| err.to_string())?;
        if record.outcome.is_none() {
            let closed = close(folder);
            let closed = closed.map_err(|err| format!("it was lost, and that cannot be written down: {err}"))?;
            record = closed.unwrap_or(record);
        }
        Ok(Self { folder: folder.to_owned(), record, close })
    }

    /// Returns the run as it is now. If its host was killed meanwhile, it is closed on the way.
    ///
    /// # Errors
    /// When `run.json` cannot be read, with the reason.
    pub fn again(&self) -> Result<Self, String> {
        if self.record.outcome.is_some() { Ok(self.clone()) } else { Self::load(&self.folder, self.close) }
    }
}

/// Runs, newest first.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those that can be read.
    pub runs: Vec<StoredRun>,
    /// Folders whose `run.json` cannot be read, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// No single run is meant.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// There is none at all.
    #[error("there is no run in `{}`", .0.display())]
    None(PathBuf),
    /// None begins like this.
    #[error("there is no run `{wanted}` in `{}`", artifacts.display())]
    NoSuch {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        artifacts: PathBuf,
    },
    /// Several begin like this.
    #[error("`{wanted}` can be any of {}", ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// What it could be.
        ids: Vec<String>,
    },
    /// The folder cannot be read.
    #[error("`{}` cannot be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The run's `run.json` cannot be read.
    #[error("the run in `{}` cannot be read: `run.json`: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
}

impl Store {
    /// Looks at the runs in a folder, which need not exist.
    #[must_use]
    pub fn new(artifacts: PathBuf, close: Close) -> Self {
        Self { artifacts, close }
    }

    /// Returns the folder.
    #[must_use]
    pub fn artifacts(&self) -> &Path {
        &self.artifacts
    }

    /// Returns all runs, newest first. A run whose host was killed is closed on the way.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn list(&self) -> Result<Found, NotFound> {
        let failed = |err| NotFound::Io(self.artifacts.clone(), err);
        let entries = match fs::read_dir(&self.artifacts) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Found::default();
        for entry in entries {
            let folder = entry.map_err(failed)?.path();
            // Anything else that stands here is not ours.
            if !folder.is_dir() || !folder.join(RunRecord::FILE).exists() {
                continue;
            }
            match StoredRun::load(&folder, self.close) {
                Ok(run) => found.runs.push(run),
                Err(why) => found.unreadable.push((folder, why)),
            }
        }
        found.runs.sort_by_key(|run| (std::cmp::Reverse(run.record.started), run.record.id.clone()));
        Ok(found)
    }

    /// Returns the run of an id, of a unique beginning of one, or the newest for `@`.
    ///
    /// # Errors
    /// When that is not exactly one.
    pub fn find(&self, wanted: &str) -> Result<StoredRun, NotFound> {
        let found = self.list()?;
        if wanted == "@" {
            return found.runs.into_iter().next().ok_or_else(|| NotFound::None(self.artifacts.clone()));
        }
        let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((folder, why)) = found.unreadable.iter().find(|(folder, _)| name(folder) == wanted) {
            return Err(NotFound::Unreadable(folder.clone(), why.clone()));
        }
        let exact = found.runs.iter().find(|run| run.record.id == wanted).cloned();
        let mut matching: Vec<_> = found.runs.into_iter().filter(|run| run.record.id.starts_with(wanted)).collect();
        match (exact, matching.len()) {
            (Some(run), _) => Ok(run),
            (None, 1) => Ok(matching.remove(0)),
            (None, 0) => Err(NotFound::NoSuch { wanted: wanted.to_owned(), artifacts: self.artifacts.clone() }),
            (None, _) => {
                let ids = matching.into_iter().map(|run| run.record.id).collect();
                Err(NotFound::Ambiguous { wanted: wanted.to_owned(), ids })
            }
        }
    }
}

impl Store {
    /// Removes the oldest runs, so that `newest` of those that are over stay, and returns their ids. Those that are alive, and
    /// what is no run, stay in any case.
    pub(crate) fn rotate(&self, newest: u32) -> Vec<String> {
        let mut removed = Vec::new();
        // What cannot be read is not removed either.
        let Ok(found) = self.list() else { return removed };
        let over = found.runs.iter().filter(|run| run.record.outcome.is_some());
        for run in over.skip(newest as usize) {
            // Nobody else is at work on it, and nobody begins to be while it is held.
            let Some(_held) = RunFolder::take_over(&run.folder) else { continue };
            if fs::remove_dir_all(&run.folder).is_ok() {
                removed.push(run.record.id.clone());
            }
        }
        removed
    }
}

/// What the file `rc` says of a run.
pub(crate) fn rc_text(outcome: &Outcome) -> String {
    outcome.rc.map_or_else(|| "None".to_owned(), |rc| rc.to_string())
}

/// For times in lists.
impl StoredRun {
    /// Returns how long the run took, or has taken until `now`.
    #[must_use]
    pub fn duration(&self, now: Timestamp) -> std::time::Duration {
        let end = self.record.outcome.as_ref().map_or(now, |outcome| outcome.finished);
        end.since(self.record.started)
    }
}
