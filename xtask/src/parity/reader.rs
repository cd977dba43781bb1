//! Artifacts as an outside reader sees them: ansible-runner's own `Runner`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::case::Case;
use super::closed::{OWN_EVENTS, Rule};
use super::found::{Column, Found};
use super::normal;
use crate::failure::Failure;

/// Runs in the environment's Python.
const SCRIPT: &str = include_str!("reader.py");

/// What the reader finds in each of these artifact folders.
pub(super) fn read(venv: &Path, folders: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let cannot = |err: &dyn std::fmt::Display| Failure::new("cannot read artifacts with ansible-runner").because(err);
    let mut python = Command::new(venv.join("bin/python"));
    python.args(["-c", SCRIPT]).env_remove("PYTHONPATH").env("LC_ALL", "C.UTF-8");
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|err| cannot(&err))?;
    let lines: String = folders.iter().map(|folder| format!("{}\n", folder.display())).collect();
    // It reads all before it writes.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(lines.as_bytes()).map_err(|err| cannot(&err))?;
    }
    let output = child.wait_with_output().map_err(|err| cannot(&err))?;
    if !output.status.success() {
        return Err(cannot(&output.status));
    }
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).map_err(|err| cannot(&err))?;
    if found.len() == folders.len() { Ok(found) } else { Err(cannot(&"it did not read all of them")) }
}

/// Compares what the reader found in the folders of the two.
pub(super) fn compare(case: &Case, theirs: &Value, ours: &Value, found: &mut Found) {
    let Some(keys) = theirs.as_object() else { return };
    for (key, theirs) in keys {
        let Some(ours) = ours.get(key) else {
            found.add(Column::Reader, format!("{key}: it finds nothing"));
            continue;
        };
        match key.as_str() {
            // What they are is compared as `stdout`; that they can be read is compared here.
            "stdout" if ours.is_string() => {}
            "stderr" => {
                if ours == true {
                    found.explain(Rule::StderrApart);
                }
            }
            "events" => {
                let own = |event: &&Value| OWN_EVENTS.iter().any(|own| event[1] == *own);
                let numbers = ours.as_array().into_iter().flatten().enumerate();
                if numbers.into_iter().any(|(index, event)| event[0] != index + 1) {
                    found.add(Column::Reader, "events: not in the order of their numbers");
                }
                // Which events there are is compared as `counts`; text alone may be in standard error.
                let has = |all: &Value| {
                    let events = all.as_array().into_iter().flatten();
                    let mut of_ansible = events.filter(|event| !own(event) && event[1] != "verbose");
                    of_ansible.next().is_some()
                };
                if theirs.is_array() != ours.is_array() || has(theirs) != has(ours) {
                    found.add(Column::Reader, format!("events: {theirs} | {ours}"));
                }
            }
            _ => {
                let order = |value: &Value| {
                    let mut value = normal::value(value);
                    if let Some(list) = value.as_array_mut().filter(|_| case.asked.any_order) {
                        list.retain(|event| event != "runner_on_async_poll");
                        list.sort_by_key(Value::to_string);
                    }
                    value
                };
                let (theirs, ours) = (order(theirs), order(ours));
                if theirs != ours {
                    found.add(Column::Reader, format!("{key}: {theirs} | {ours}"));
                }
            }
        }
    }
}
