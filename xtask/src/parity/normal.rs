//! What must differ between any two runs, of whichever program, and is therefore not compared: each with its name.
//!
//! No path is among them: both runs of a case have the same folder, one after the other.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::side::IDENT;

/// What is put in the place of text that differs from run to run, and the text it stands for.
const TEXT: [(&str, &str); 12] = [
    ("<time>", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)?"),
    ("<duration>", r"\b\d+:\d\d:\d\d\.\d{6}\b"),
    ("<uuid>", r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:_\d+)?"),
    ("<generated>", r"\b[0-9a-f]{32}\b"),
    ("<generated>", r"\bmain\.json\b"),
    ("<job>", r"\bj?\d{6,}\.\d{2,}\b"),
    ("<temporary>", r"\bansible-tmp-[\d.]+-\d+-\d+"),
    ("<temporary>", r"\bansible-local-\w+"),
    ("<temporary>", r"\btmp[a-z0-9_]{8}\b"),
    ("<temporary>", r"(?:\.\w+)?_payload_[a-z0-9_]{8}\b"),
    ("<address>", r"\b0x[0-9a-f]{6,}\b"),
    ("<process>", r#"\bpid"?[ =:]+\d+"#),
];

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let parts: Vec<_> = TEXT.iter().map(|(_, pattern)| format!("({pattern})")).collect();
    Regex::new(&parts.join("|")).unwrap_or_else(|err| unreachable!("the patterns are tested: {err}"))
});

/// Workers and the main process do not always agree on who has said this once: *hint*.
pub(super) const HINT: &str = "[WARNING]: Deprecation warnings can be disabled";

/// Keys whose values are moments, durations, process ids or temporary names: that both have one is compared.
const KEYS: [&str; 13] = [
    "created",
    "start",
    "end",
    "duration",
    "delta",
    "pid",
    "atime",
    "mtime",
    "ctime",
    "ansible_job_id",
    "jid",
    "inode",
    "_original_basename",
];

/// Facts that change from second to second.
const FACTS: [&str; 9] = [
    "ansible_date_time",
    "ansible_loadavg",
    "ansible_memfree_mb",
    "ansible_memory_mb",
    "ansible_mounts",
    "ansible_swapfree_mb",
    "ansible_uptime_seconds",
    "ansible_devices",
    "ansible_interfaces",
];

/// Text without what differs from run to run.
///
/// - *line ends*: a terminal makes CRLF of each LF.
/// - *times, durations, process ids, job ids, temporary names, names of generated playbooks, addresses of objects*: see [`TEXT`].
/// - *where a generated playbook lies*: in the run's private folder instead of the project.
pub(super) fn text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(&format!("artifacts/{IDENT}/.private/handed/project"), "project");
    PATTERN
        .replace_all(&text, |found: &Captures<'_>| {
            let which = (0..TEXT.len()).find(|&index| found.get(index + 1).is_some());
            which.map_or("", |index| TEXT[index].0)
        })
        .into_owned()
}

/// A value without what differs from run to run: text as in [`text`], and what stands under [`KEYS`] and [`FACTS`].
pub(super) fn value(value: &Value) -> Value {
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(items) => Value::Array(items.iter().map(self::value).collect()),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, inner)| (text(key), entry(key, inner))).collect())
        }
        other => other.clone(),
    }
}

/// The value of a key, as in [`value`].
pub(super) fn entry(key: &str, value: &Value) -> Value {
    let is_hidden = KEYS.contains(&key) || FACTS.contains(&key);
    if is_hidden && !value.is_null() { hidden(value) } else { self::value(value) }
}

/// Options of Ansible that have two spellings.
const OPTIONS: [(&str, &str); 7] = [
    ("--inventory", "-i"),
    ("--extra-vars", "-e"),
    ("--forks", "-f"),
    ("--limit", "-l"),
    ("--tags", "-t"),
    ("--module-name", "-m"),
    ("--args", "-a"),
];

/// The words of a command: *place of the program*, *spelling of options*, and *paths* below the folder it is run in.
pub(super) fn command(words: &Value, folder: &str) -> Value {
    let Some(words) = words.as_array() else { return value(words) };
    let plain = |(index, word): (usize, &Value)| {
        let word = &*text(word.as_str().unwrap_or_default());
        let below = word.strip_prefix(folder).and_then(|word| word.strip_prefix('/')).unwrap_or(word);
        match OPTIONS.iter().find(|(long, _)| *long == word) {
            _ if index == 0 => word.rsplit('/').next().unwrap_or_default().to_owned(),
            Some((_, short)) => (*short).to_owned(),
            None => below.to_owned(),
        }
    };
    // Nothing but the end of the options is said by two dashes.
    words.iter().filter(|word| *word != "--").enumerate().map(plain).collect()
}

/// Only what kind of value it is.
fn hidden(value: &Value) -> Value {
    Value::from(match value {
        Value::Number(_) => "<number>",
        Value::String(_) => "<text>",
        Value::Array(_) => "<list>",
        Value::Object(_) => "<object>",
        Value::Null | Value::Bool(_) => return value.clone(),
    })
}

/// What a uuid in an event stands for. The uuids themselves are as random as what they name is: *ids*.
///
/// ansible-runner counts a play or task that is started again in its uuid; which one is meant stays the same.
pub(super) fn uuid(uuid: &Value, event: &Value) -> Value {
    let Some(text) = uuid.as_str() else { return uuid.clone() };
    let base = |text: &str| text.split('_').next().unwrap_or_default().to_owned();
    let data = &event["event_data"];
    let known = ["task_uuid", "play_uuid", "playbook_uuid"];
    let which = known.into_iter().find(|key| data[*key].as_str().is_some_and(|known| base(known) == base(text)));
    let own = event["uuid"].as_str() == Some(text);
    Value::from(which.unwrap_or(if own { "own" } else { "other" }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out_of_text() {
        let said =
            "at 2026-11-22 16:52:16.011972 in 0:00:00.004471\r\nj512345678.4242 /tmp/ansible-tmp-1.5-7-99/x 0x7f00ab12";
        assert_eq!(text(said), "at <time> in <duration>\n<job> /tmp/<temporary>/x <address>");
        assert_eq!(text("02fc0000-0001-031f-f964-000000000003_2 1.25 16:52"), "<uuid> 1.25 16:52");
    }

    #[test]
    fn of_a_moment_only_its_kind_is_compared() {
        let compared = value(&json!({"start": "2026", "duration": 0.5, "end": null, "res": [{"delta": "1", "rc": 0}]}));
        assert_eq!(
            compared,
            json!({"start": "<text>", "duration": "<number>", "end": null, "res": [{"delta": "<text>", "rc": 0}]})
        );
    }

    #[test]
    fn a_command_is_compared_by_its_meaning() {
        let theirs =
            command(&json!(["ansible-playbook", "-i", "/d/inventory", "--forks", "1", "main.yml"]), "/d/project");
        let long =
            json!(["/v/bin/ansible-playbook", "--inventory", "/d/inventory", "--forks", "1", "/d/project/main.yml"]);
        assert_eq!(theirs, command(&long, "/d/project"));
        assert_ne!(theirs, command(&long, "/d"));
    }

    #[test]
    fn a_uuid_is_what_it_stands_for() {
        let event = json!({"uuid": "a-b_2", "event_data": {"task_uuid": "a-b", "play_uuid": "c"}});
        assert_eq!(uuid(&json!("a-b_2"), &event), "task_uuid");
        assert_eq!(uuid(&json!("c_3"), &event), "play_uuid");
        assert_eq!(uuid(&json!("d"), &event), "other");
    }
}
