//! Events that somebody wrote by hand, as a journal has them.
//!
//! A line is an event of a journal, or says only what matters: `{"event":"runner_on_failed","host":"web01"}`. Then the
//! envelope is made up, and every key that is not of the envelope belongs to `event_data`. What a play or a task announced
//! holds for the lines after it.

use std::fmt::Write as _;

use playwarden_event::{Event, EventKind, Timestamp};
use serde_json::{Map, Value, json};

use crate::config::did_you_mean;

/// When the first event happened, where nobody says so; each further one a second later.
const BEGIN: &str = "2026-01-01T00:00:00+00:00";

/// The run id of such events, where no line has another.
pub(super) const RUN: &str = "run";

const ENVELOPE: [&str; 9] =
    ["event", "uuid", "parent_uuid", "counter", "stdout", "start_line", "end_line", "pid", "created"];

/// What a task says of itself once.
const TASK: [&str; 6] = ["task", "task_uuid", "task_action", "resolved_action", "task_path", "role"];

/// A line that is no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub text: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

/// A journal's text, and the id of its run.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) run: String,
    pub(super) text: String,
}

/// Makes a journal of the lines; empty ones and those that begin with `//` say nothing.
pub(super) fn journal(text: &str) -> Result<Journal, BadLine> {
    let mut made = Maker { text: String::new(), run: None, counter: 0, now: begin(), play: Map::new(), plays: 0 };
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if !text.is_empty() && !text.starts_with("//") {
            made.line(text).map_err(|(text, hint)| BadLine { line, text, hint })?;
        }
    }
    Ok(Journal { run: made.run.unwrap_or_else(|| RUN.to_owned()), text: made.text })
}

fn begin() -> Timestamp {
    BEGIN.parse().unwrap_or_else(|_| Timestamp::from_ns(0))
}

type Wrong = (String, Option<String>);

struct Maker {
    text: String,
    run: Option<String>,
    counter: u64,
    now: Timestamp,
    /// What holds for the lines that follow: keys of `event_data`.
    play: Map<String, Value>,
    plays: u64,
}

impl Maker {
    fn line(&mut self, text: &str) -> Result<(), Wrong> {
        let value: Value = serde_json::from_str(text).map_err(|err| {
            let place = format!("this is no JSON: {err}").replace(" at line 1 column ", " at column ");
            (place, None)
        })?;
        let Value::Object(line) = value else { return Err(("an event is a JSON object".to_owned(), None)) };
        let whole = line.contains_key("schema");
        let line = if whole { line } else { self.completed(line)? };
        let text = Value::Object(line.clone()).to_string();
        let text = if whole { text } else { text.replace('\n', " ") };
        let event: Event = serde_json::from_str(&text).map_err(|err| (format!("this is no event: {err}"), None))?;
        if event.counter() != self.counter + 1 {
            let text = format!("its counter is {}, but {} comes next", event.counter(), self.counter + 1);
            return Err((text, Some("leave `counter` out: events are numbered in their order".to_owned())));
        }
        if matches!(event.kind(), EventKind::Other(name) if EventKind::NAMES.contains(&name.as_str())) {
            let name = event.name();
            let why = EventKind::decode(name, event.data()).err().map(|err| err.to_string()).unwrap_or_default();
            let why = why.split(" at line ").next().unwrap_or_default();
            let text = format!("`event_data` of `{name}` is not as that event has it: {why}");
            return Err((text, Some("the reference of events in the book has them all".to_owned())));
        }
        self.counter = event.counter();
        self.now = event.head().created;
        if self.run.is_none() {
            self.run = Some(event.head().runner_ident.clone());
        }
        writeln!(self.text, "{text}").ok();
        Ok(())
    }

    /// Adds to a line what nobody wants to write.
    fn completed(&mut self, mut line: Map<String, Value>) -> Result<Map<String, Value>, Wrong> {
        let name = match line.get("event") {
            Some(Value::String(name)) => name.clone(),
            _ => return Err(("it does not say which `event` it is".to_owned(), None)),
        };
        if !EventKind::NAMES.contains(&name.as_str()) {
            let hint = did_you_mean(&name, EventKind::NAMES.iter().copied());
            return Err((format!("there is no event `{name}`"), hint));
        }
        let mut data = match line.remove("event_data") {
            None => Map::new(),
            Some(Value::Object(data)) => data,
            Some(_) => return Err(("`event_data` must be an object".to_owned(), None)),
        };
        let own: Vec<String> = line.keys().filter(|key| !ENVELOPE.contains(&key.as_str())).cloned().collect();
        for key in own {
            if let Some(value) = line.remove(&key) {
                data.insert(key, value);
            }
        }
        let number = self.counter + 1;
        let uuid = line.entry("uuid").or_insert_with(|| json!(format!("event-{number}"))).clone();
        self.announce(&name, &mut data, &uuid);

        let next = Timestamp::from_ns(self.now.ns() + u64::from(number > 1) * 1_000_000_000);
        if name == "run_finished" {
            let usual = json!({
                "status": "successful", "started": self.now.to_string(), "finished": next.to_string(), "totals": {},
            });
            usual.as_object().into_iter().flatten().for_each(|(key, value)| set(&mut data, key, value.clone()));
        }
        let usual = [
            ("schema", json!(Event::SCHEMA)),
            ("counter", json!(number)),
            ("runner_ident", json!(self.run.as_deref().unwrap_or(RUN))),
            ("created", json!(next.to_string())),
            ("stdout", json!("")),
            ("start_line", json!(0)),
            ("end_line", json!(0)),
            ("event_data", Value::Object(data)),
        ];
        for (key, value) in usual {
            line.entry(key).or_insert(value);
        }
        Ok(line)
    }

    /// Puts into an event where it belongs, and remembers what it announces.
    fn announce(&mut self, name: &str, data: &mut Map<String, Value>, uuid: &Value) {
        let named = |prefix: &str, value: Option<&Value>| {
            json!(format!("{prefix}-{}", value.and_then(Value::as_str).unwrap_or_default()))
        };
        if name == "playbook_on_play_start" {
            let play = data.get("play").or_else(|| data.get("name")).cloned().unwrap_or_else(|| json!("play"));
            set(data, "name", play.clone());
            set(data, "play_uuid", named("play", Some(&play)));
            set(data, "play", play);
            self.plays += 1;
            set(data, "play_number", json!(self.plays));
            if let Some(hosts) = data.get("hosts").cloned() {
                set(data, "batch", hosts);
            }
            self.play = kept(data, &["play", "play_uuid", "play_number"]);
            return;
        }
        if !(name.starts_with("playbook_on_") || name.starts_with("runner_")) {
            return;
        }
        if name.ends_with("task_start") {
            let task = data.get("task").or_else(|| data.get("name")).cloned().unwrap_or_else(|| json!("task"));
            set(data, "name", task.clone());
            set(data, "task", task);
        }
        if data.contains_key("task") {
            let task_uuid = named("task", data.get("task"));
            set(data, "task_uuid", task_uuid);
        }
        let announced = data.get("task").is_none_or(|task| self.play.get("task") == Some(task));
        let begins = name.ends_with("task_start");
        for (key, value) in &self.play {
            if !TASK.contains(&key.as_str()) || (announced && !begins) {
                set(data, key, value.clone());
            }
        }
        if begins {
            self.play.retain(|key, _| !TASK.contains(&key.as_str()));
            self.play.extend(kept(data, &TASK));
        }
        if name == "runner_on_start" {
            start(data, uuid);
        }
    }
}

/// Sets what is not set.
fn set(data: &mut Map<String, Value>, key: &str, value: Value) {
    data.entry(key).or_insert(value);
}

fn kept(data: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    keys.iter().filter_map(|key| Some(((*key).to_owned(), data.get(*key)?.clone()))).collect()
}

/// Completes what a start is judged by.
fn start(data: &mut Map<String, Value>, uuid: &Value) {
    let text = |key: &str| data.get(key).cloned().unwrap_or_else(|| json!(""));
    let action = data.get("resolved_action").or_else(|| data.get("task_action")).cloned();
    let mut start = json!({
        "uuid": uuid, "play": text("play"), "play_uuid": text("play_uuid"), "task": text("task"),
        "task_uuid": text("task_uuid"), "action": action.unwrap_or_else(|| json!("ansible.builtin.command")),
        "role": data.get("role"), "host": text("host"), "become_user": null, "connection": "ssh", "delegate_to": null,
        "tags": [], "check_mode": false, "no_log": false, "handler": false, "args": {}, "path": null,
    });
    if let (Some(own), Some(usual)) = (data.get("start").and_then(Value::as_object), start.as_object_mut()) {
        usual.extend(own.clone());
    }
    data.insert("start".to_owned(), start);
}

#[cfg(test)]
mod tests {
    use playwarden_event::Status;

    use super::*;

    fn events(text: &str) -> Vec<Event> {
        journal(text).unwrap().text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_run_ends_well_unless_the_line_says_otherwise() {
        let list = events(
            "{\"event\":\"verbose\"}\n{\"event\":\"run_finished\",\"status\":\"failed\"}\n{\"event\":\"run_finished\"}\n",
        );
        let ended = |event: &Event| match event.kind() {
            EventKind::RunFinished(outcome) => Some((outcome.status, outcome.finished.to_string())),
            _ => None,
        };
        assert_eq!(ended(&list[1]).unwrap().0, Status::Failed);
        let (status, finished) = ended(&list[2]).unwrap();
        assert_eq!((status, finished), (Status::Successful, list[2].head().created.to_string()));
    }

    #[test]
    fn a_line_says_only_what_matters() {
        let list = events(
            "// two hosts\n{\"event\":\"playbook_on_play_start\",\"play\":\"web\",\"hosts\":[\"a\",\"b\"]}\n\n\
             {\"event\":\"playbook_on_task_start\",\"task\":\"copy\",\"task_action\":\"copy\"}\n\
             {\"event\":\"runner_on_start\",\"host\":\"a\",\"start\":{\"become_user\":\"root\"}}\n\
             {\"event\":\"runner_on_failed\",\"host\":\"a\",\"res\":{\"msg\":\"no\"},\"created\":\"2026-03-01T10:00:00Z\"}\n\
             {\"event\":\"runner_on_ok\",\"host\":\"b\",\"task\":\"other\"}\n",
        );
        assert_eq!(list.iter().map(Event::counter).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let (start, failed, other) = (&list[2], &list[3], &list[4]);
        assert_eq!(start.data().pointer("/start/become_user").unwrap().text(), "\"root\"");
        assert_eq!(start.data().pointer("/start/task").unwrap().text(), "\"copy\"");
        let context = failed.context();
        assert_eq!((context.play.as_deref(), context.task.as_deref()), (Some("web"), Some("copy")));
        assert_eq!(failed.host_result().unwrap().message(), Some("no"));
        assert_eq!(failed.head().created.to_string(), "2026-03-01T10:00:00.000000+00:00");
        assert_eq!(other.head().created.to_string(), "2026-03-01T10:00:01.000000+00:00");
        assert_eq!(
            (other.context().task.as_deref(), other.context().task_uuid.as_deref()),
            (Some("other"), Some("task-other"))
        );
    }

    #[test]
    fn what_is_no_event_is_named() {
        let wrong = |text: &str| journal(text).unwrap_err();
        let typo = wrong("{\"event\":\"verbose\"}\n{\"event\":\"runner_on_fail\"}");
        assert_eq!(typo.to_string(), "line 2: there is no event `runner_on_fail`");
        assert_eq!(typo.hint.as_deref(), Some("did you mean `runner_on_failed`?"));
        assert_eq!(wrong("{").to_string(), "line 1: this is no JSON: EOF while parsing an object at column 1");
        assert_eq!(wrong("[]").to_string(), "line 1: an event is a JSON object");
        assert_eq!(wrong("{}").to_string(), "line 1: it does not say which `event` it is");
        assert_eq!(wrong("{\"event\":\"verbose\",\"counter\":7}").text, "its counter is 7, but 1 comes next");
        let text = wrong("{\"event\":\"runner_on_ok\",\"host\":7}").text;
        let why =
            "`event_data` of `runner_on_ok` is not as that event has it: invalid type: integer `7`, expected a string";
        assert_eq!(text, why);
    }
}
