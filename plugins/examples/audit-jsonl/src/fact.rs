//! One event as one line: who did what, where, to which end.

use playwarden_sdk::prelude::*;
use playwarden_sdk::time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::Config;

/// No text of a line is longer.
const TEXT_LIMIT: usize = 1024;

/// Who started the run, and what for: what `lifecycle.start` was told, where the host knows it.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Who {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A line. Keys that say nothing are left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Fact<'a> {
    /// 1; a later form of the line would have another number.
    schema: u32,
    time: String,
    run: &'a str,
    job: &'a str,
    #[serde(flatten)]
    who: Who,
    /// Number in the run's journal: `events.jsonl` has all that is known.
    counter: u64,
    event: &'a str,
    result: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delegated_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    play: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rc: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// `handler`, `check-mode`, `no-log`, `truncated`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<&'static str>,
    /// The plugin that gave a verdict or broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// What is read of `event_data`. What a module may fill with anything is a [`Value`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    task_path: Option<String>,
    res: Res,
    /// Of a start, what it was judged by; of a result, when it started.
    start: Value,
    // The host's own events.
    plugin: Option<Named>,
    reason: Option<Reasoned>,
    verdict: Option<String>,
    acted_on: Option<bool>,
    text: Option<String>,
    error: Option<String>,
    detail: Option<String>,
    to: Option<String>,
    status: Option<String>,
    cause: Option<Cause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Res {
    attempts: Option<Value>,
    invocation: Value,
    #[serde(rename = "_ansible_delegated_vars")]
    delegated: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reasoned {
    text: Option<String>,
    code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    kind: Option<String>,
    name: Option<String>,
    text: Option<String>,
    reason: Option<Reasoned>,
}

/// Returns whether an event is a fact that this configuration wants.
pub(crate) fn is_wanted(event: &Event, config: &Config) -> bool {
    use EventKind as K;
    let is_of_task = event.kind.name().starts_with("runner_");
    if is_of_task && event.action.as_ref().is_some_and(|action| config.except_actions.contains(action)) {
        return false;
    }
    match event.kind {
        K::RunnerOnStart => config.include_start,
        K::RunnerOnSkipped | K::RunnerItemOnSkipped => config.include_skipped,
        K::RunStarted | K::StatusChanged | K::PolicyVerdict | K::PluginFault | K::CallbackFailed | K::StartFailed => {
            true
        }
        K::RunFinished | K::RunnerOnOk | K::RunnerOnFailed | K::RunnerOnUnreachable | K::RunnerRetry => true,
        K::RunnerItemOnOk | K::RunnerItemOnFailed => true,
        _ => false,
    }
}

impl<'a> Fact<'a> {
    /// Makes a line of an event.
    pub(crate) fn of(source: &'a Source, who: &Who, event: &'a Event, details: &'a Details, config: &Config) -> Self {
        let cause = details.cause.as_ref();
        let reason = details.reason.as_ref().or_else(|| cause.and_then(|cause| cause.reason.as_ref()));
        let named = details.plugin.as_ref().map(|plugin| &plugin.name);
        let message = [
            event.message.as_ref(),
            reason.and_then(|reason| reason.text.as_ref()),
            cause.and_then(|cause| cause.text.as_ref()),
            details.text.as_ref(),
            details.error.as_ref(),
            details.detail.as_ref(),
        ];
        Self {
            schema: 1,
            time: time::rfc3339(event.time_ns),
            run: &source.run,
            job: &source.job,
            who: who.clone(),
            counter: event.counter,
            event: event.kind.name(),
            result: result(event, details),
            host: event.host.as_deref(),
            delegated_to: details.delegated_to(),
            play: event.play.as_deref(),
            role: event.role.as_deref(),
            task: event.task.as_deref(),
            action: event.action.as_deref(),
            path: details.task_path.clone(),
            item: event.item.as_deref(),
            item_number: event.item_number,
            attempt: details.res.attempts.clone(),
            args: config.include_args.then(|| details.args()).flatten(),
            rc: event.rc,
            duration_ms: event.duration_ms,
            marks: marks(event),
            plugin: named.or_else(|| cause.and_then(|cause| cause.name.as_ref())).cloned(),
            code: reason.and_then(|reason| reason.code.clone()).or_else(|| cause.and_then(|cause| cause.kind.clone())),
            message: message.into_iter().flatten().next().map(|text| cut(text)),
        }
    }

    /// Makes the last line of a run whose `run_finished` was not among the events asked for.
    pub(crate) fn of_finish(source: &'a Source, who: &Who, finish: &'a Finish) -> Self {
        let reason = finish.reason.as_ref();
        Self {
            schema: 1,
            time: time::rfc3339(finish.finished_ns),
            run: &source.run,
            job: &source.job,
            who: who.clone(),
            counter: finish.last_event,
            event: EventKind::RunFinished.name(),
            result: finish.status.name(),
            plugin: finish.by.clone(),
            code: reason.and_then(|reason| reason.code.clone()).or_else(|| finish.cause.clone()),
            message: reason.map(|reason| cut(&reason.text)),
            ..Self::default()
        }
    }

    /// Writes the line, without its end.
    ///
    /// # Errors
    ///
    /// None of a fact made here: it is all text and numbers.
    pub(crate) fn line(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(self)?)
    }
}

impl Details {
    fn delegated_to(&self) -> Option<String> {
        // Older versions of Ansible name the host, newer ones its address.
        let delegated = &self.res.delegated;
        let told = [&delegated["ansible_delegated_host"], &delegated["ansible_host"], &self.start["delegate_to"]];
        told.into_iter().find_map(Value::as_str).map(str::to_owned)
    }

    fn args(&self) -> Option<Value> {
        let args = self.res.invocation.get("module_args").or_else(|| self.start.get("args"));
        args.filter(|args| !args.is_null()).cloned()
    }
}

/// What came of it, in one word.
fn result<'a>(event: &Event, details: &'a Details) -> &'a str {
    use EventKind as K;
    match event.kind {
        K::RunnerOnStart | K::RunStarted => "started",
        K::RunnerRetry => "retried",
        K::StatusChanged => details.to.as_deref().unwrap_or("unknown"),
        K::RunFinished => details.status.as_deref().unwrap_or("unknown"),
        K::PolicyVerdict => match (details.verdict.as_deref(), details.acted_on) {
            (Some("cancel"), Some(true)) => "canceled",
            (Some("cancel"), _) => "would-cancel",
            _ => "warned",
        },
        K::PluginFault | K::CallbackFailed | K::StartFailed => "failed",
        _ if event.marked(Marks::RESCUED) => "rescued",
        _ if event.marked(Marks::IGNORED) => "ignored",
        _ if event.marked(Marks::UNREACHABLE) => "unreachable",
        _ if event.marked(Marks::FAILED) => "failed",
        _ if event.marked(Marks::SKIPPED) => "skipped",
        _ if event.marked(Marks::CHANGED) => "changed",
        _ => "ok",
    }
}

fn marks(event: &Event) -> Vec<&'static str> {
    let words = [
        (Marks::HANDLER, "handler"),
        (Marks::CHECK_MODE, "check-mode"),
        (Marks::NO_LOG, "no-log"),
        (Marks::TRUNCATED, "truncated"),
    ];
    words.into_iter().filter(|(mark, _)| event.marked(*mark)).map(|(_, word)| word).collect()
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_LIMIT)]
}
