//! What a run leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::side::IDENT;

/// All that is compared of one run.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// How the program ended; nothing if it had to be killed.
    pub(super) exit: Option<i32>,
    pub(super) rc: Option<String>,
    pub(super) status: Option<String>,
    pub(super) stdout: Option<String>,
    pub(super) stderr: Option<String>,
    pub(super) command: Option<Value>,
    /// The files of `job_events` in the order of their numbers, with their names.
    pub(super) events: Vec<(String, Value)>,
    /// What of `job_events` is not JSON.
    pub(super) unreadable: Vec<String>,
    /// Names of artifacts with their modes, `job_events` without its files.
    pub(super) artifacts: BTreeMap<String, u32>,
    /// Modes of the files in `job_events`.
    pub(super) event_modes: BTreeSet<u32>,
    /// The names in `artifacts`, which is not always only this run's.
    pub(super) runs: BTreeSet<String>,
    /// What is elsewhere in the private data dir and was not there before.
    pub(super) left: BTreeSet<String>,
    /// What of it is there no longer.
    pub(super) gone: BTreeSet<String>,
}

/// Reads a private data dir after a run.
pub(super) fn read(folder: &Path, exit: Option<i32>, given: &BTreeSet<String>) -> io::Result<Evidence> {
    let run = folder.join("artifacts").join(IDENT);
    let text = |name: &str| fs::read(run.join(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let there = files(folder)?;
    let other = |file: &&String| !file.starts_with("artifacts/");
    let mut evidence = Evidence {
        exit,
        rc: text("rc"),
        status: text("status"),
        stdout: text("stdout"),
        stderr: text("stderr"),
        command: text("command").and_then(|text| serde_json::from_str(&text).ok()),
        left: there.difference(given).filter(other).cloned().collect(),
        gone: given.difference(&there).cloned().collect(),
        ..Evidence::default()
    };
    for entry in fs::read_dir(folder.join("artifacts")).into_iter().flatten() {
        evidence.runs.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    if run.is_dir() {
        artifacts(&run, "", &mut evidence)?;
    }
    let mut events = Vec::new();
    for entry in fs::read_dir(run.join("job_events")).into_iter().flatten() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        evidence.event_modes.insert(entry.metadata()?.permissions().mode() & 0o7777);
        let text = fs::read_to_string(entry.path())?;
        let event = serde_json::from_str::<Value>(&text).or_else(|_| {
            evidence.unreadable.push(name.clone());
            serde_json::from_str(&strict(&text))
        });
        let event = event.unwrap_or_default();
        events.push((event["counter"].as_u64().unwrap_or_default(), name, event));
    }
    events.sort_by_key(|(counter, ..)| *counter);
    evidence.events = events.into_iter().map(|(_, name, event)| (name, event)).collect();
    Ok(evidence)
}

/// What Python's parser takes as JSON, for one that keeps to the rules.
fn strict(text: &str) -> String {
    static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"(?P<number>-?Infinity|NaN)(?P<after>[,}\]])|\\(?P<surrogate>ud[c-f][0-9a-f]{2})";
        Regex::new(pattern).unwrap_or_else(|err| unreachable!("the pattern is tested: {err}"))
    });
    let replaced = |found: &Captures<'_>| match (found.name("number"), found.name("surrogate")) {
        (_, Some(surrogate)) => format!(r"\\{}", surrogate.as_str()),
        (number, None) => format!("\"{}\"{}", number.map_or("", |number| number.as_str()), &found["after"]),
    };
    LOOSE.replace_all(text, replaced).into_owned()
}

fn artifacts(folder: &Path, below: &str, evidence: &mut Evidence) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let metadata = entry.path().symlink_metadata()?;
        evidence.artifacts.insert(name.clone(), metadata.permissions().mode() & 0o7777);
        if metadata.is_dir() && name != "job_events" {
            artifacts(&entry.path(), &format!("{name}/"), evidence)?;
        }
    }
    Ok(())
}

/// The files below a folder, by their names from there.
pub(super) fn files(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, below)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_takes_as_json_can_be_read() {
        let text = r#"{"a": NaN, "b": [-Infinity, Infinity], "c": "x\udcff"}"#;
        let value: Value = serde_json::from_str(&strict(text)).unwrap();
        assert_eq!(value, json!({"a": "NaN", "b": ["-Infinity", "Infinity"], "c": "x\\udcff"}));
    }
}
