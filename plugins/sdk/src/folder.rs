//! Folders that runner.toml grants: `write = ["audit"]`.
//!
//! The component sees a granted folder under the very name that the grant has, with `std::fs`. What this module adds is
//! the message when the grant is missing, and a retry when the disk is full.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Failure, Problem};

/// How long a full disk is given until the same call is made again.
const FULL_DISK_WAIT: Duration = Duration::from_secs(10);

/// A granted folder, or one below it.
#[derive(Debug, Clone)]
pub struct Folder {
    name: String,
}

impl Folder {
    /// Opens the folder, which is made when it is below a granted one and not there.
    ///
    /// # Errors
    ///
    /// It cannot be used, most often since it is not granted; the message has the line that grants it.
    pub fn open(name: &str) -> Result<Self, Failure> {
        let folder = Self { name: name.to_owned() };
        if !Path::new(name).is_dir() {
            fs::create_dir_all(name).map_err(|error| folder.missing(&error))?;
        }
        Ok(folder)
    }

    /// Says what is wrong with a folder's name in the configuration, as far as the name tells.
    #[must_use]
    pub fn problem(pointer: &str, name: &str) -> Option<Problem> {
        let message = if name.is_empty() {
            "must name a folder"
        } else if name.split('/').any(|part| part == "..") {
            "must not contain `..`; name a granted folder or one below it"
        } else {
            return None;
        };
        Some(Problem::error(pointer, message))
    }

    /// Returns where a file of the folder is.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        Path::new(&self.name).join(file)
    }

    /// Writes a file whole, or leaves the old one as it was. Doing it again does no harm.
    ///
    /// # Errors
    ///
    /// As [`failure`](Self::failure).
    pub fn replace(&self, file: &str, text: &str) -> Result<(), Failure> {
        let unfinished = self.path(&format!("{file}.part"));
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, self.path(file)))
            .map_err(|error| self.failure(&error))
    }

    /// Makes a failure of an error in this folder. The same call may be made again unless the error would only come again.
    #[must_use]
    pub fn failure(&self, error: &Error) -> Failure {
        let Self { name } = self;
        let text = format!("folder `{name}` cannot be written: {error}");
        match error.kind() {
            ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem => Failure::new(text),
            // WASI says "I/O error" of a full disk too.
            _ => Failure::new(format!("{text}; is the disk full?")).retry_after(FULL_DISK_WAIT),
        }
    }

    fn missing(&self, error: &Error) -> Failure {
        let name = &self.name;
        let remedy = format!("add `write = [\"{name}\"]` to the plugin's `grants` in runner.toml");
        Failure::new(format!("folder `{name}` is not granted: {error}; {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_worth_another_call() {
        let folder = Folder { name: "audit".to_owned() };
        for full in [ErrorKind::StorageFull, ErrorKind::Other] {
            assert_eq!(folder.failure(&full.into()).retry_after_ms, Some(10_000));
        }
        assert_eq!(folder.failure(&ErrorKind::PermissionDenied.into()).retry_after_ms, None);
        let missing = folder.missing(&ErrorKind::NotFound.into());
        assert_eq!(missing.retry_after_ms, None);
        assert!(missing.message.contains("add `write = [\"audit\"]`"), "{missing:?}");
    }

    #[test]
    fn names_that_cannot_be_granted_are_told() {
        assert_eq!(Folder::problem("/folder", "audit/2026"), None);
        for name in ["", "..", "audit/../etc"] {
            assert!(Folder::problem("/folder", name).is_some(), "{name}");
        }
    }
}
