//! Recorded runs, for unit tests: a journal (`artifacts/<run>/events.jsonl`) as the plugin would have got it.
//!
//! Everything has the payload "full", whatever its size. What a plugin asks the host for is not there natively.

use serde_json::{Map, Value};

use crate::{Event, EventKind, Failure, Finish, Marks, Reason, Source, Status, Tally, Totals, time};

/// A run read back.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The run and its job.
    pub source: Source,
    /// All events.
    pub events: Vec<Event>,
    /// How it ended; none when the journal has no `run_finished`.
    pub finish: Option<Finish>,
}

impl Recording {
    /// Reads a journal.
    ///
    /// # Errors
    ///
    /// A line is no event; the message has its number.
    pub fn read(journal: &str) -> Result<Self, Failure> {
        let mut recording =
            Self { source: Source { run: String::new(), job: String::new() }, events: Vec::new(), finish: None };
        for (number, line) in (1..).zip(journal.lines()) {
            let line: Value =
                serde_json::from_str(line).map_err(|error| Failure::new(format!("line {number}: {error}")))?;
            let (event, data) =
                event(&line).ok_or_else(|| Failure::new(format!("line {number} of the journal is no event")))?;
            if event.is(&EventKind::RunStarted) {
                recording.source.job = text(&data["job"]).unwrap_or_default();
                recording.source.run = text(&line["runner_ident"]).unwrap_or_default();
            }
            if event.is(&EventKind::RunFinished) {
                recording.finish = finish(&recording.source, &event, &data);
            }
            recording.events.push(event);
        }
        Ok(recording)
    }
}

fn event(line: &Value) -> Option<(Event, Value)> {
    let data = &line["event_data"];
    let res = &data["res"];
    let kind = EventKind::from_name(line["event"].as_str()?);
    let field = |name: &str| text(&data[name]);
    let seconds = data["duration"].as_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let duration_ms = seconds.map(|seconds| (seconds * 1000.0).round() as u64);
    let host = match kind {
        EventKind::PolicyVerdict => text(&data["start"]["host"]),
        _ if kind.name().starts_with("runner_") || kind == EventKind::PlaybookOnNotify => field("host"),
        _ => None,
    };
    let event = Event {
        counter: line["counter"].as_u64()?,
        uuid: text(&line["uuid"])?,
        parent_uuid: text(&line["parent_uuid"]),
        time_ns: time::parse_rfc3339(line["created"].as_str()?)?,
        play: field("play"),
        play_uuid: field("play_uuid"),
        play_number: number(&data["play_number"]),
        task: field("task"),
        task_uuid: field("task_uuid"),
        action: field("resolved_action").or_else(|| field("task_action")),
        role: field("role"),
        host,
        item: field("item_label"),
        item_number: number(&data["item_number"]),
        marks: marks(&kind, data),
        rc: res["rc"].as_i64(),
        duration_ms,
        message: message(res),
        data: Some(data.to_string()),
        kind,
    };
    Some((event, data.clone()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

fn marks(kind: &EventKind, data: &Value) -> Marks {
    use EventKind as K;
    let is_set = |name: &str| data[name] == true;
    let is_result = kind.name().starts_with("runner_");
    let mut marks = Marks::empty();
    marks.set(Marks::OK, matches!(kind, K::RunnerOnOk | K::RunnerOnAsyncOk | K::RunnerItemOnOk));
    marks.set(Marks::FAILED, matches!(kind, K::RunnerOnFailed | K::RunnerOnAsyncFailed | K::RunnerItemOnFailed));
    marks.set(Marks::SKIPPED, matches!(kind, K::RunnerOnSkipped | K::RunnerItemOnSkipped));
    marks.set(Marks::UNREACHABLE, *kind == K::RunnerOnUnreachable);
    marks.set(Marks::CHANGED, is_result && data["res"]["changed"] == true);
    marks.set(Marks::IGNORED, is_set("ignore_errors") || is_set("ignore_unreachable"));
    marks.set(Marks::TRUNCATED, is_result && data["truncated"].is_u64());
    for (name, mark) in [
        ("rescued", Marks::RESCUED),
        ("handler", Marks::HANDLER),
        ("check_mode", Marks::CHECK_MODE),
        ("no_log", Marks::NO_LOG),
    ] {
        marks.set(mark, is_set(name) && (is_result || (*kind == K::PlaybookOnTaskStart && name == "handler")));
    }
    marks
}

fn message(res: &Value) -> Option<String> {
    let texts =
        ["msg", "stderr", "module_stderr", "reason"].map(|name| (name, res[name].as_str().unwrap_or("").trim()));
    let (name, text) = texts.into_iter().find(|(_, text)| !text.is_empty())?;
    let text = if name == "msg" { text } else { text.lines().next()? };
    Some(text[..text.floor_char_boundary(1024)].to_owned())
}

fn finish(source: &Source, event: &Event, outcome: &Value) -> Option<Finish> {
    let cause = &outcome["cause"];
    let word = text(&cause["kind"]);
    let reason = match &cause["reason"] {
        Value::Object(reason) => Some(reason_of(reason)),
        _ => word.as_ref().map(|word| Reason {
            text: text(&cause["text"]).unwrap_or_else(|| word.replace('-', " ")),
            code: None,
            event: None,
        }),
    };
    Some(Finish {
        source: source.clone(),
        status: Status::from_name(outcome["status"].as_str()?),
        rc: outcome["rc"].as_i64().and_then(|rc| rc.try_into().ok()),
        cause: word,
        reason,
        by: text(&cause["name"]),
        started_ns: time::parse_rfc3339(outcome["started"].as_str()?)?,
        finished_ns: time::parse_rfc3339(outcome["finished"].as_str()?)?,
        last_event: event.counter,
        totals: Totals { run: tally(&outcome["totals"]["run"]), play: tally(&outcome["totals"]["play"]) },
        data: outcome.to_string(),
    })
}

fn reason_of(reason: &Map<String, Value>) -> Reason {
    let field = |name: &str| reason.get(name).and_then(text);
    Reason {
        text: field("text").unwrap_or_default(),
        code: field("code"),
        event: reason.get("event").and_then(Value::as_u64),
    }
}

fn tally(counts: &Value) -> Tally {
    let count = |name: &str| number(&counts[name]).unwrap_or(0);
    Tally {
        hosts: count("hosts"),
        hosts_failed: count("hosts_failed"),
        hosts_unreachable: count("hosts_unreachable"),
        hosts_changed: count("hosts_changed"),
        hosts_busy: count("hosts_busy"),
        ok: count("ok"),
        changed: count("changed"),
        failed: count("failed"),
        unreachable: count("unreachable"),
        skipped: count("skipped"),
        rescued: count("rescued"),
        ignored: count("ignored"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = include_str!("../../examples/testdata/canary.jsonl");

    #[test]
    fn a_journal_comes_back_as_events() {
        let run = Recording::read(CANARY).unwrap();
        assert_eq!(run.source.job, "canary");
        assert!((1..).zip(&run.events).all(|(counter, event)| event.counter == counter));
        let failed = run.events.iter().find(|event| event.failed()).unwrap();
        assert_eq!((failed.host.as_deref(), failed.rc), (Some("web01"), Some(1)));
        assert_eq!(failed.action.as_deref(), Some("ansible.builtin.command"));
        assert_eq!(failed.message.as_deref(), Some("non-zero return code"));
        let finish = run.finish.unwrap();
        assert_eq!((finish.status, finish.cause.as_deref()), (Status::Canceled, Some("plugin")));
        assert_eq!((finish.by.as_deref(), finish.totals.run.hosts), (Some("fail-budget"), 3));
        assert_eq!(finish.last_event, run.events.len() as u64);
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let broken = CANARY.replacen("\"counter\":2,", "", 1);
        assert_eq!(Recording::read(&broken).unwrap_err().message, "line 2 of the journal is no event");
        assert!(Recording::read("{").unwrap_err().message.starts_with("line 1: "));
    }
}
