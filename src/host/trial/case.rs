//! A case: events and a config, and what a plugin is expected to say and write.
//!
//! A folder with `case.toml`, `events.jsonl`, `expected.json` and, where the plugin reads or writes files, `files/` and `expected/`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use playwarden_event::Json;
use playwarden_sandbox::Sandbox;
use serde_json::{Value, json};

use super::compare::{difference, files, holds, narrowed};
use super::{EventsError, recorded};
use crate::config::{self, CASE_FILE, Findings};
use crate::plan::{Component, FolderGrant, Grants, PluginPlan};
use crate::run::{CameTo, Replay, ReplayError, TroubleKind};

/// What is expected of the plugin.
const EXPECTED: &str = "expected.json";
/// The files that it is expected to write.
const EXPECTED_FILES: &str = "expected";
/// The files that it may read, under this name.
const READ: &str = "files";
/// The log is told apart from the files, without its times.
const LOG: &str = "log.jsonl";

/// One case of a plugin.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    folder: PathBuf,
}

/// Why there are no cases.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The folder cannot be read.
    #[error("`{0}` cannot be read: {1}")]
    Io(String, #[source] io::Error),
    /// There is no folder with events in it.
    #[error("there is no case in `{0}`")]
    None(String),
}

/// How a case ended.
#[derive(Debug)]
pub enum Verdict {
    /// Everything is as expected.
    Holds,
    /// What came was written down as what is expected from now on.
    Written,
    /// This is not.
    Differs(String),
    /// It could not be tried.
    Unusable(String),
}

/// Finds the cases in a folder, by name: each is a folder with a `case.toml`, or with events.
///
/// # Errors
/// When there are none.
pub fn cases(folder: &Path) -> Result<Vec<Case>, CaseError> {
    let shown = folder.display().to_string();
    let entries = fs::read_dir(folder).map_err(|err| CaseError::Io(shown.clone(), err))?;
    let is_case = |path: &PathBuf| [CASE_FILE, "events.jsonl", EXPECTED].iter().any(|name| path.join(name).exists());
    let mut found: Vec<Case> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_case)
        .map(|folder| Case { name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), folder })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_empty() { Err(CaseError::None(shown)) } else { Ok(found) }
}

impl Case {
    /// Tries a plugin on it; with `write`, what it says is what is expected from now on. Says how it ended; findings in the
    /// case's own file come as `Err`, since they point into it.
    ///
    /// # Errors
    /// When its `case.toml` is wrong.
    pub async fn run(&self, plugin: &PluginPlan, sandbox: &Sandbox, write: bool) -> Result<Verdict, Findings> {
        let component = match &plugin.component {
            Component::Path(path) => config::Component::Path(path.display().to_string()),
            Component::Builtin(name) => config::Component::Builtin(name.clone()),
        };
        let case = config::Case::load(&self.folder.join(CASE_FILE), &plugin.name, component)?;
        let said = match self.said(&case, plugin, sandbox).await {
            Ok(said) => said,
            Err(why) => return Ok(Verdict::Unusable(why)),
        };
        Ok(if write { self.write(&said) } else { self.compare(&said) }.unwrap_or_else(Verdict::Unusable))
    }

    async fn said(&self, case: &config::Case, plugin: &PluginPlan, sandbox: &Sandbox) -> Result<Came, String> {
        let set = case.plugin.clone();
        let files = fs::canonicalize(self.folder.join(READ)).ok().filter(|path| path.is_dir());
        let read = files.map(|path| FolderGrant { name: READ.to_owned(), path }).into_iter().collect();
        let plan = PluginPlan {
            config: Value::Object(set.config),
            mode: set.mode,
            payload: set.payload,
            events: set.events,
            tick: set.tick,
            limits: set.limits,
            grants: Grants { read, ..Grants::default() },
            ..PluginPlan::new(&plugin.name, plugin.component.clone())
        };
        let told = |kinds: Vec<TroubleKind>| -> Vec<Value> {
            let problem = |kind| match kind {
                TroubleKind::Config { severity, pointer, message } => {
                    let severity = if severity == playwarden_sandbox::Severity::Error { "error" } else { "warning" };
                    Ok(json!({ "severity": severity, "pointer": pointer, "message": message }))
                }
                other => Err(other),
            };
            let mut list: Vec<Value> = kinds.into_iter().filter_map(|kind| problem(kind).ok()).collect();
            // In no order of the plugin's own.
            list.sort_by_key(|problem| (problem["pointer"].to_string(), problem["message"].to_string()));
            list
        };
        let replay = match Replay::prepare(plan, false, sandbox).await {
            Ok(replay) => replay,
            Err(troubles) => {
                let other = troubles.iter().find(|kind| !matches!(kind, TroubleKind::Config { .. }));
                if let Some(kind) = other {
                    return Err(unusable(&plugin.name, kind));
                }
                // Nothing is shown to a plugin whose config is wrong.
                let problems = told(troubles);
                return Ok(Came { said: json!({ "problems": problems }), files: BTreeMap::new() });
            }
        };
        let folder = tempfile::tempdir().map_err(|err| err.to_string())?;
        let outputs = folder.path().join("outputs");
        fs::create_dir(&outputs).map_err(|err| err.to_string())?;
        let mut run = recorded(&self.folder.join(&case.events), "job", folder.path()).map_err(|err| told_line(&err))?;
        run.restart_after.clone_from(&case.restart_after);
        run.info.data = Json::of(&case.plan);
        let came_to = replay.show(&run, &outputs).await.map_err(|err: ReplayError| err.to_string())?;
        if let Some(after) = case.restart_after.iter().find(|after| u64::from(**after) > came_to.events) {
            let events = came_to.events;
            return Err(format!("`restart-after` names event {after}, and the case has {events}\n"));
        }
        let mut files = read_files(&outputs).map_err(|err| err.to_string())?;
        let log = files.remove(LOG).unwrap_or_default();
        let mut said = said(&came_to, &log);
        let problems = told(replay.warnings);
        if !problems.is_empty() {
            said["problems"] = Value::Array(problems);
        }
        Ok(Came { said, files })
    }

    fn compare(&self, came: &Came) -> Result<Verdict, String> {
        let path = self.folder.join(EXPECTED);
        let text = match fs::read_to_string(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Err(format!("there is no `{EXPECTED}`: write it, or let `--update` write what came\n"));
            }
            read => read.map_err(|err| format!("`{}` cannot be read: {err}\n", path.display()))?,
        };
        let expected: Value =
            serde_json::from_str(&text).map_err(|err| format!("`{}` is not JSON: {err}\n", path.display()))?;
        let mut found = Vec::new();
        if !holds(&expected, &came.said) {
            let came = narrowed(&expected, &came.said);
            found.push(difference(&pretty(&expected), &pretty(&came)));
        }
        let wanted = self.folder.join(EXPECTED_FILES);
        if wanted.is_dir() {
            let wanted =
                read_files(&wanted).map_err(|err| format!("`{}` cannot be read: {err}\n", wanted.display()))?;
            found.extend(files(&wanted, &came.files));
        }
        Ok(if found.is_empty() { Verdict::Holds } else { Verdict::Differs(found.concat()) })
    }

    fn write(&self, came: &Came) -> Result<Verdict, String> {
        let write = || {
            fs::write(self.folder.join(EXPECTED), pretty(&came.said))?;
            let folder = self.folder.join(EXPECTED_FILES);
            if folder.is_dir() {
                fs::remove_dir_all(&folder)?;
            }
            if !came.files.is_empty() {
                fs::create_dir(&folder)?;
            }
            came.files.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
        };
        write().map(|()| Verdict::Written).map_err(|err: io::Error| format!("it cannot be written: {err}\n"))
    }
}

/// What a plugin said, as `expected.json` has it, and what it wrote.
struct Came {
    said: Value,
    files: BTreeMap<String, Vec<u8>>,
}

fn said(came_to: &CameTo, log: &[u8]) -> Value {
    let verdicts = came_to.verdicts.iter().map(|at| {
        let said = &at.said;
        let mut value = json!({ "after": at.after, "verdict": said.verdict, "text": said.reason.text });
        let more = [
            ("code", said.reason.code.as_ref().map(|code| json!(code))),
            ("event", said.reason.event.map(|event| json!(event))),
            ("stop", said.stop.map(|stop| json!(stop))),
            ("start", said.start.as_ref().map(|start| json!({ "host": start.host, "task": start.task }))),
        ];
        more.into_iter().filter_map(|(key, value)| Some((key, value?))).for_each(|(key, more)| value[key] = more);
        value
    });
    let verdicts: Vec<Value> = verdicts.collect();
    let faults = came_to.faults.iter().map(|at| {
        let said = &at.said;
        json!({ "after": at.after, "call": said.call, "fault": said.fault, "text": said.text, "stderr": said.stderr })
    });
    let faults: Vec<Value> = faults.collect();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).ok()?;
        let map = value.as_object_mut()?;
        map.remove("time");
        (!map.contains_key("by")).then_some(value)
    };
    let log: Vec<Value> = String::from_utf8_lossy(log).lines().filter_map(line).collect();
    let mut value = json!({ "verdicts": verdicts, "faults": faults, "log": log });
    if let Some(acknowledged) = came_to.acknowledged {
        value["acknowledged"] = json!(acknowledged);
    }
    value
}

fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("{text}\n")
}

/// Whole files of a folder, by name.
fn read_files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
        }
    }
    Ok(files)
}

fn told_line(err: &EventsError) -> String {
    let hint = match err {
        EventsError::Line(_, bad) => bad.hint.as_ref().map(|hint| format!(" ({hint})")),
        EventsError::Io(..) => None,
    };
    format!("{err}{}\n", hint.unwrap_or_default())
}

fn unusable(plugin: &str, kind: &TroubleKind) -> String {
    match kind {
        TroubleKind::Load(err) => {
            let mut text = "the plugin cannot be loaded".to_owned();
            let mut source = std::error::Error::source(err);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            format!("{text}\n{}\n", err.hint())
        }
        TroubleKind::Fault(fault) => format!("plugin `{plugin}` {fault}\n{}\n", fault.stderr),
        _ => format!("plugin `{plugin}` cannot be used\n"),
    }
}
