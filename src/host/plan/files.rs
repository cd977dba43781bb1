//! What a written path means, and what to say if nothing is there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Environment;
use crate::config::near;

/// Why a path does not lead to a file.
#[derive(Debug)]
pub(super) enum Missing {
    /// There is nothing; perhaps something with nearly that name.
    Nothing { near: Option<String> },
    /// There is a folder.
    Folder,
}

impl Missing {
    pub(super) fn message(&self, written: &str) -> String {
        match self {
            Self::Nothing { .. } => format!("`{written}` does not exist"),
            Self::Folder => format!("`{written}` is a folder"),
        }
    }

    /// Says what may have been meant, else where it was looked for.
    pub(super) fn help(&self, path: &Path) -> Option<String> {
        match self {
            Self::Nothing { .. } => self.near().or_else(|| Some(format!("looked for `{}`", path.display()))),
            Self::Folder => None,
        }
    }

    pub(super) fn near(&self) -> Option<String> {
        match self {
            Self::Nothing { near: Some(near) } => Some(format!("did you mean `{near}`?")),
            _ => None,
        }
    }
}

/// Makes a path absolute. `~/` is the home folder, as in Ansible.
pub(super) fn absolute(written: &str, folder: &Path, environment: &Environment) -> PathBuf {
    let path = match (written.strip_prefix("~/"), &environment.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(written),
    };
    // `./` goes; `..` stays, since it may lead out of a symbolic link.
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Returns an absolute path without symbolic links and `..`, as far as it
/// exists: two of them lead to the same place only if they are the same.
pub(super) fn settled(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            real.pop();
            continue;
        }
        real.push(part);
        real = fs::canonicalize(&real).unwrap_or(real);
    }
    real
}

/// Returns why a path is not a file, if it is not.
pub(super) fn missing_file(path: &Path, written: &str) -> Option<Missing> {
    if path.is_dir() {
        return Some(Missing::Folder);
    }
    // What cannot be looked at exists for this purpose: Ansible will say more.
    let missing = matches!(path.try_exists(), Ok(false));
    missing.then(|| Missing::Nothing { near: near_file(path, written) })
}

/// Returns the path, as written, of the file whose name is closest.
pub(super) fn near_file(path: &Path, written: &str) -> Option<String> {
    let mut names: Vec<String> =
        fs::read_dir(path.parent()?).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let name = near(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(Path::new(written).with_file_name(name).display().to_string())
}

/// Returns whether a name is that of a playbook in a collection: `ns.coll.name`.
pub(super) fn is_collection_name(name: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let is_file = [".yml", ".yaml", ".json"].iter().any(|ending| name.ends_with(ending));
    name.split('.').count() >= 3 && name.split('.').all(is_word) && !is_file
}
