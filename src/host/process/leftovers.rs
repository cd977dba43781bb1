//! Temporary folders of processes that were ended before they could remove them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::tree::Found;

/// What there may be to remove: known by the id of the process that made it, and made since this run began, so that
/// nothing of another run is taken for its own.
#[derive(Debug)]
pub(super) struct Leftovers {
    /// Where to look.
    pub(super) folders: Vec<PathBuf>,
    /// See [`super::Launch::temporary`].
    names: Vec<String>,
    processes: BTreeSet<i32>,
    /// Those from which something was executed.
    in_use: BTreeSet<PathBuf>,
    began: SystemTime,
}

impl Leftovers {
    /// Begins with the program itself.
    pub(super) fn new(names: Vec<String>, main: i32) -> Self {
        Self {
            folders: Vec::new(),
            names,
            processes: BTreeSet::from([main]),
            in_use: BTreeSet::new(),
            began: SystemTime::now(),
        }
    }

    /// These belong to the run, and are about to be ended. A folder from which one executes something is the run's as well,
    /// wherever it is and whoever made it.
    pub(super) fn note(&mut self, living: &[Found]) {
        self.processes.extend(living.iter().map(|process| process.pid));
        let patterns: Vec<_> = self.names.iter().map(|name| name.replace("{pid}", "*")).collect();
        for process in living {
            let command = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            let words = command.split(|c: char| c == '\0' || c == '\'' || c == '"' || c.is_whitespace());
            let inside = words.map(Path::new).filter(|path| path.is_absolute()).flat_map(Path::ancestors);
            self.in_use.extend(inside.filter(|path| is_like(&patterns, path.file_name())).map(Path::to_owned));
        }
    }

    fn patterns(&self) -> Vec<String> {
        let pids = self.processes.iter().map(ToString::to_string);
        pids.flat_map(|pid| self.names.iter().map(move |name| name.replace("{pid}", &pid))).collect()
    }

    /// Removes what they left. What cannot be removed stays: it is private, and no reason to fail.
    pub(super) fn remove(&self) {
        let patterns = self.patterns();
        let entries = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let named = entries.map(|entry| entry.path()).filter(|path| is_like(&patterns, path.file_name()));
        for path in named.chain(self.in_use.iter().cloned()) {
            let made =
                fs::symlink_metadata(&path).and_then(|metadata| metadata.created().or_else(|_| metadata.modified()));
            if made.is_ok_and(|made| made >= self.began) {
                fs::remove_dir_all(path).ok();
            }
        }
    }
}

fn is_like(patterns: &[String], name: Option<&OsStr>) -> bool {
    name.is_some_and(|name| patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_encoded_bytes())))
}

/// Whether a name is as a pattern says, with `*` for any text and `?` for any byte.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        (Some((b'?', pattern)), Some((_, name))) => matches(pattern, name),
        (Some((wanted, pattern)), Some((found, name))) => wanted == found && matches(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_these_processes_made_since_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
        };
        let make = |name: &str| fs::create_dir(folder.path().join(name)).unwrap();
        make("local-12abcdefgh");
        let mut leftovers = Leftovers::new(vec!["local-{pid}????????".into(), "tmp-*-{pid}-*".into()], 12);
        // The clock of files is coarser than the other.
        leftovers.began = SystemTime::now() + std::time::Duration::from_secs(3600);
        leftovers.folders.push(folder.path().to_owned());
        leftovers.remove();
        assert_eq!(names().len(), 1, "made before");
        leftovers.began = SystemTime::UNIX_EPOCH;
        let others = ["local-123abcdefgh", "local-1abcdefghi", "tmp-1.5-123-7", "tmp-12-3-4", "else"];
        let ours = ["local-121bcdefgh", "tmp-1.5-12-7", "tmp-1.5-34-7"];
        others.iter().chain(&ours).for_each(|name| make(name));
        fs::write(folder.path().join("tmp-1.5-12-7/secret"), "x").unwrap();
        leftovers.processes.insert(34);
        leftovers.remove();
        assert_eq!(names(), others.map(str::to_owned).into());
    }
}
