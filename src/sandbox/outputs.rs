//! The files that a plugin writes into its folder of the run.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use playwarden_event::Json;

use crate::capture::LOG;
use crate::mask::Mask;

/// Files of one plugin; more names than this is a mistake or an attack.
const FILE_LIMIT: usize = 64;

/// Where named outputs of the job are collected: one line of JSON each, the last one wins.
const PUBLISHED: &str = "outputs.jsonl";

/// The plugin's folder in the run, and how much of it is used.
#[derive(Debug)]
pub(crate) struct Outputs {
    folder: Option<PathBuf>,
    /// By name; none for what an earlier incarnation wrote and this one has not opened yet.
    files: HashMap<String, Option<File>>,
    used: u64,
    limit: u64,
    pub(crate) mask: Mask,
}

impl Outputs {
    /// Returns what every write to is refused: there is no run.
    pub(crate) fn nowhere() -> Self {
        Self { folder: None, files: HashMap::new(), used: 0, limit: 0, mask: Mask::default() }
    }

    /// Opens a folder. What earlier incarnations wrote counts toward the limits.
    pub(crate) fn open(folder: PathBuf, limit: u64) -> io::Result<Self> {
        let mut files = HashMap::new();
        let mut used = 0;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != LOG {
                used += entry.metadata()?.len();
                files.insert(name.to_string_lossy().into_owned(), None);
            }
        }
        Ok(Self { folder: Some(folder), files, used, limit, mask: Mask::default() })
    }

    pub(crate) fn append(&mut self, name: &str, data: &[u8]) -> Result<(), String> {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(letters) {
            return Err(format!("`{name}` is no name for an output: letters, digits and `._-`, at most 100"));
        }
        if matches!(name, LOG | PUBLISHED) {
            return Err(format!("`{name}` is written by the host"));
        }
        self.write(name, data)
    }

    pub(crate) fn publish(&mut self, name: &str, value: String) -> Result<(), String> {
        let value = Json::parse(value).map_err(|err| format!("the value of `{name}` is not JSON: {err}"))?;
        let line = Json::of(&BTreeMap::from([(name, value)]));
        self.write(PUBLISHED, format!("{}\n", line.text()).as_bytes())
    }

    fn write(&mut self, name: &str, data: &[u8]) -> Result<(), String> {
        let Some(folder) = &self.folder else {
            return Err("there is no run to write outputs for".to_owned());
        };
        let data = &*self.mask.bytes(data);
        let used = self.used.saturating_add(data.len() as u64);
        if used > self.limit {
            return Err(format!("the outputs of this plugin are limited to {} bytes", self.limit));
        }
        if !self.files.contains_key(name) && self.files.len() >= FILE_LIMIT {
            return Err(format!("a plugin may write at most {FILE_LIMIT} outputs"));
        }
        let failed = |err: io::Error| format!("`{name}` cannot be written: {err}");
        let file = self.files.entry(name.to_owned()).or_default();
        let file = match file {
            Some(file) => file,
            none => {
                let opened = OpenOptions::new().create(true).append(true).open(folder.join(name)).map_err(failed)?;
                none.insert(opened)
            }
        };
        file.write_all(data).map_err(failed)?;
        self.used = used;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_incarnation_wrote_stays_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOG), "not an output").unwrap();
        let open = || Outputs::open(folder.path().to_owned(), 10).unwrap();
        open().append("a", b"12345").unwrap();
        let mut second = open();
        second.append("a", b"678").unwrap();
        assert_eq!(second.append("b", b"9ab").unwrap_err(), "the outputs of this plugin are limited to 10 bytes");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"12345678");
    }

    #[test]
    fn names_are_counted_over_all_incarnations() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Outputs::open(folder.path().to_owned(), 1 << 20).unwrap();
        let mut first = open();
        for number in 0..FILE_LIMIT {
            first.append(&number.to_string(), b"x").unwrap();
        }
        let mut second = open();
        assert_eq!(second.append("more", b"x").unwrap_err(), "a plugin may write at most 64 outputs");
        second.append("0", b"x").unwrap();
        assert_eq!(fs::read(folder.path().join("0")).unwrap(), b"xx");
    }
}
