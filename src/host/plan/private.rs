//! The installations of ansible-core that are Playwarden's own: a folder for each version, whole or not there.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use super::Environment;
use super::ansible::is_executable;

/// One private installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateAnsible {
    /// Its version, such as `2.19.14`; also the name of its folder.
    pub version: String,
    /// The virtual environment.
    pub folder: PathBuf,
}

impl PrivateAnsible {
    /// Returns the folder of all of them, which need not exist: `$XDG_DATA_HOME/playwarden/ansible`, else the same below
    /// `~/.local/share`. None without a home.
    #[must_use]
    pub fn home(environment: &Environment) -> Option<PathBuf> {
        let named = environment.vars.get("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let base = named.or_else(|| environment.home.as_ref().map(|home| home.join(".local/share")));
        base.map(|base| base.join("playwarden/ansible"))
    }

    /// Returns those that are there, newest first; a release is newer than what came before it as a candidate.
    #[must_use]
    pub fn installed(environment: &Environment) -> Vec<Self> {
        let entries = Self::home(environment).and_then(|home| fs::read_dir(home).ok());
        let found = |entry: fs::DirEntry| {
            let version = entry.file_name().into_string().ok()?;
            let folder = entry.path();
            let whole = Self::is_version(&version) && Self::is_whole(&folder);
            whole.then_some(Self { version, folder })
        };
        let mut all: Vec<_> = entries.into_iter().flatten().flatten().filter_map(found).collect();
        all.sort_by_cached_key(|one| Reverse(order(&one.version)));
        all
    }

    /// Returns whether a text can be a version: it becomes the name of a folder.
    #[must_use]
    pub fn is_version(text: &str) -> bool {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    }

    /// Returns whether everything is there that a run needs.
    #[must_use]
    pub fn is_whole(folder: &Path) -> bool {
        ["ansible", "ansible-playbook", "ansible-config"]
            .iter()
            .all(|name| is_executable(&folder.join("bin").join(name)))
    }
}

/// Numbers compare as numbers, and a part with a word (`0rc1`) stands before the same one without.
fn order(version: &str) -> Vec<(u64, bool, String)> {
    let part = |part: &str| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, word) = part.split_at(digits);
        (number.parse().unwrap_or(0), word.is_empty(), word.to_owned())
    };
    version.split('.').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let mut versions = ["2.9.27", "2.19.14", "2.19.2", "2.20.0rc1", "2.20.0", "2.20.0b2"];
        versions.sort_by_cached_key(|version| Reverse(order(version)));
        assert_eq!(versions, ["2.20.0", "2.20.0rc1", "2.20.0b2", "2.19.14", "2.19.2", "2.9.27"]);
    }

    #[test]
    fn a_version_is_the_name_of_a_folder() {
        assert!(PrivateAnsible::is_version("2.21.0rc1"));
        for text in ["", "..", ".new-2.19.14", "a", "2/3", "2.19 "] {
            assert!(!PrivateAnsible::is_version(text), "{text}");
        }
    }
}
