//! The folder of one run.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// A run's folder could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is a run of that id already.
    #[error("there is a run `{id}` already")]
    Exists {
        /// The run id.
        id: String,
    },
    /// A run id becomes the name of a folder.
    #[error("`{id}` cannot be a run id")]
    BadId {
        /// What was asked for.
        id: String,
    },
    /// Nobody can sign that the run begins.
    #[error("the run cannot be signed: {text}")]
    Unsigned {
        /// Why not.
        text: String,
        /// What can be done about it.
        hint: String,
    },
    /// The disk refused.
    #[error("`{}` cannot be written", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StoreError {
    /// Returns what can be done about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Exists { .. } => "choose another `--run-id`, or leave it out to get a new one".to_owned(),
            Self::BadId { .. } => {
                "use 1 to 100 letters, digits, `-`, `_` and `.`, starting with a letter or digit".to_owned()
            }
            Self::Unsigned { hint, .. } => hint.clone(),
            Self::Io { path, source } if source.kind() == io::ErrorKind::StorageFull => {
                format!("make room on the disk that holds `{}`", path.display())
            }
            Self::Io { path, source } if matches!(source.kind(), io::ErrorKind::NotADirectory) => {
                format!("runs are kept there: move away what stands at `{}`", path.display())
            }
            Self::Io { path, .. } => format!("check who may write `{}`, and whether its disk has room", path.display()),
        }
    }
}

/// Held by the host, by the guard and by Ansible, each as long as it lives. In this order: who looks whether they are held
/// gets no further than to the first one that is.
const LOCKS: [&str; 3] = [".private/lock", ".private/guard", ".private/spill"];

/// A run's folder, held by the one process that writes it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    /// Locked as long as the run is alive; the kernel lets go of them when their holder dies.
    _locks: Vec<File>,
}

impl RunFolder {
    /// The secrets of the run, sealed.
    pub(crate) const SECRETS: &str = ".private/secrets";

    /// Makes the folder, readable by its owner only.
    pub(crate) fn create(artifacts: &Path, id: &str) -> Result<Self, StoreError> {
        if !crate::is_run_id(id) {
            return Err(StoreError::BadId { id: id.to_owned() });
        }
        make_artifacts(artifacts).map_err(|source| StoreError::Io { path: artifacts.to_owned(), source })?;
        let path = artifacts.join(id);
        let failed = |source| StoreError::Io { path: path.clone(), source };
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                if !clear(&path).map_err(failed)? {
                    return Err(StoreError::Exists { id: id.to_owned() });
                }
            }
            made => made.map_err(failed)?,
        }
        for folder in ["plugins", ".private"] {
            DirBuilder::new().mode(0o700).create(path.join(folder)).map_err(failed)?;
        }
        let lock = open(&path.join(LOCKS[0])).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|err| failed(err.into()))?;
        Ok(Self { path, _locks: vec![lock] })
    }

    /// Takes over the folder of a run on which nobody works any more; none where somebody does, or may. A guard that was about to
    /// begin finds its lock taken then.
    pub(crate) fn take_over(path: &Path) -> Option<Self> {
        let mut locks = Vec::new();
        for name in LOCKS {
            let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
            match OpenOptions::new()
                .create(true)
                .append(true)
                .read(true)
                .mode(0o600)
                .custom_flags(flags)
                .open(path.join(name))
            {
                Ok(lock) => {
                    flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
                    locks.push(lock);
                }
                // There is no private folder.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                Err(_) => return None,
            }
        }
        Some(Self { path: path.to_owned(), _locks: locks })
    }

    /// Returns the file that the guard locks.
    pub(crate) fn guard_lock(&self) -> PathBuf {
        guard_lock(&self.path)
    }

    /// Returns the file in which the secrets of the run lie sealed, for who comes after its host.
    pub(crate) fn sealed_secrets(&self) -> PathBuf {
        self.path.join(Self::SECRETS)
    }

    /// Returns the file into which the callback writes what no host takes, and which it locks.
    pub(crate) fn spill(&self) -> PathBuf {
        self.path.join(LOCKS[2])
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of what only a live run needs; it is removed at its end.
    pub(crate) fn private(&self) -> PathBuf {
        self.path.join(".private")
    }

    /// Makes and returns the folder of a plugin's own outputs.
    pub(crate) fn plugin(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join("plugins").join(name);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map(|()| path.clone()).map_err(|source| StoreError::Io { path, source })
    }

    /// Opens a file for appending.
    pub(crate) fn append(&self, name: &str) -> Result<File, StoreError> {
        let path = self.path.join(name);
        open(&path).map_err(|source| StoreError::Io { path, source })
    }

    /// Writes a small file whole: a reader sees the old text or the new one.
    pub(crate) fn replace(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        replace(&path, text).map_err(|source| StoreError::Io { path, source })
    }

    /// Removes what only a live run needs.
    pub(crate) fn tidy(&self) {
        // What cannot be removed is private.
        fs::remove_dir_all(self.private()).ok();
    }
}

/// Makes room in a folder in which no run has begun: what a host left that was killed before it wrote `run.json` goes, folders
/// that somebody has put there for the run, such as a cache of facts, stay. Whether there is room now.
fn clear(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_dir() || path.join(super::RunRecord::FILE).exists() {
        return Ok(false);
    }
    let private = path.join(".private");
    if private.exists() && RunFolder::take_over(path).is_none() {
        return Ok(false);
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name == "status" || name.to_string_lossy().starts_with(".tmp");
        if entry.file_type()?.is_dir() {
            if name == ".private" || name == "plugins" {
                fs::remove_dir_all(entry.path())?;
            }
        } else if is_ours {
            fs::remove_file(entry.path())?;
        } else {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the file that the guard of a run locks.
pub(crate) fn guard_lock(run: &Path) -> PathBuf {
    run.join(LOCKS[1])
}

fn make_artifacts(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        // Something else has the name.
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Err(Errno::NOTDIR.into()),
        made => made,
    }
}

pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|err| err.error)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)
}
