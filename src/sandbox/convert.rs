//! Between the words of the host and those of the contract.

use playwarden_event as event;
use playwarden_event::{Event, Json, Tally, Totals, Verdict};

use crate::bindings::exports::playwarden::plugin::start_policy::Start;
use crate::bindings::playwarden::plugin::types as wit;
use crate::view::Payload;

/// Larger data does not come with its event; a plugin asks for the parts that it needs.
const PAYLOAD_LIMIT: usize = 1 << 20;

pub(crate) fn event_to_guest(event: &Event, payload: &Payload) -> wit::Event {
    let head = event.head();
    let context = event.context();
    let result = event.host_result();
    wit::Event {
        counter: head.counter,
        uuid: head.uuid.clone(),
        parent_uuid: head.parent_uuid.clone(),
        kind: kind(event.name()),
        time_ns: head.created.ns(),
        play: context.play.clone(),
        play_uuid: context.play_uuid.clone(),
        play_number: context.play_number,
        task: context.task.clone(),
        task_uuid: context.task_uuid.clone(),
        action: context.action().map(str::to_owned),
        role: context.role.clone(),
        host: event.host().map(str::to_owned),
        item: result.and_then(|result| result.item_label.clone()),
        item_number: result.and_then(|result| result.item_number),
        marks: marks(event.marks()),
        rc: result.and_then(|result| result.res.rc),
        duration_ms: result.and_then(|result| result.duration).map(milliseconds),
        message: result.and_then(|result| result.message()).map(str::to_owned),
        data: data(event.data(), payload),
    }
}

/// Returns how many bytes of text and data an event has.
pub(crate) fn size(event: &wit::Event) -> usize {
    let wit::Event { play, task, action, role, host, item, message, data, .. } = event;
    [play, task, action, role, host, item, message, data].into_iter().flatten().map(String::len).sum()
}

fn milliseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let milliseconds = (seconds * 1000.0).round() as u64;
    milliseconds
}

fn data(data: &Json, payload: &Payload) -> Option<String> {
    match payload {
        Payload::None => None,
        Payload::Full => (data.text().len() <= PAYLOAD_LIMIT).then(|| data.text().to_owned()),
        Payload::Pointers(pointers) => {
            let found: std::collections::BTreeMap<&str, Json> = pointers
                .iter()
                .filter_map(|pointer| data.pointer(pointer).map(|value| (pointer.as_str(), value)))
                .collect();
            let found = Json::of(&found);
            (found.text().len() <= PAYLOAD_LIMIT).then(|| found.text().to_owned())
        }
    }
}

fn marks(marks: event::Marks) -> wit::Marks {
    let mut flags = wit::Marks::empty();
    for (set, flag) in [
        (marks.ok, wit::Marks::OK),
        (marks.changed, wit::Marks::CHANGED),
        (marks.failed, wit::Marks::FAILED),
        (marks.unreachable, wit::Marks::UNREACHABLE),
        (marks.skipped, wit::Marks::SKIPPED),
        (marks.ignored, wit::Marks::IGNORED),
        (marks.rescued, wit::Marks::RESCUED),
        (marks.handler, wit::Marks::HANDLER),
        (marks.check_mode, wit::Marks::CHECK_MODE),
        (marks.no_log, wit::Marks::NO_LOG),
        (marks.truncated, wit::Marks::TRUNCATED),
    ] {
        if set {
            flags |= flag;
        }
    }
    flags
}

/// The journal's name with `-` for `_`; a name that the contract does not know crosses as it is.
fn kind(name: &str) -> wit::EventKind {
    use wit::EventKind as K;
    match name {
        "run_started" => K::RunStarted,
        "status_changed" => K::StatusChanged,
        "policy_verdict" => K::PolicyVerdict,
        "plugin_fault" => K::PluginFault,
        "callback_failed" => K::CallbackFailed,
        "start_failed" => K::StartFailed,
        "run_finished" => K::RunFinished,
        "playbook_on_start" => K::PlaybookOnStart,
        "playbook_on_vars_prompt" => K::PlaybookOnVarsPrompt,
        "playbook_on_play_start" => K::PlaybookOnPlayStart,
        "playbook_on_task_start" => K::PlaybookOnTaskStart,
        "playbook_on_include" => K::PlaybookOnInclude,
        "playbook_on_notify" => K::PlaybookOnNotify,
        "playbook_on_no_hosts_matched" => K::PlaybookOnNoHostsMatched,
        "playbook_on_no_hosts_remaining" => K::PlaybookOnNoHostsRemaining,
        "playbook_on_stats" => K::PlaybookOnStats,
        "runner_on_start" => K::RunnerOnStart,
        "runner_on_ok" => K::RunnerOnOk,
        "runner_on_failed" => K::RunnerOnFailed,
        "runner_on_skipped" => K::RunnerOnSkipped,
        "runner_on_unreachable" => K::RunnerOnUnreachable,
        "runner_on_async_poll" => K::RunnerOnAsyncPoll,
        "runner_on_async_ok" => K::RunnerOnAsyncOk,
        "runner_on_async_failed" => K::RunnerOnAsyncFailed,
        "runner_on_file_diff" => K::RunnerOnFileDiff,
        "runner_retry" => K::RunnerRetry,
        "runner_item_on_ok" => K::RunnerItemOnOk,
        "runner_item_on_failed" => K::RunnerItemOnFailed,
        "runner_item_on_skipped" => K::RunnerItemOnSkipped,
        "verbose" => K::Verbose,
        "debug" => K::Debug,
        "warning" => K::Warning,
        "deprecated" => K::Deprecated,
        "system_warning" => K::SystemWarning,
        "error" => K::Error,
        other => K::Other(other.to_owned()),
    }
}

pub(crate) fn tally(tally: Tally) -> wit::Tally {
    wit::Tally {
        hosts: tally.hosts,
        hosts_failed: tally.hosts_failed,
        hosts_unreachable: tally.hosts_unreachable,
        hosts_changed: tally.hosts_changed,
        hosts_busy: tally.hosts_busy,
        ok: tally.ok,
        changed: tally.changed,
        failed: tally.failed,
        unreachable: tally.unreachable,
        skipped: tally.skipped,
        rescued: tally.rescued,
        ignored: tally.ignored,
    }
}

pub(crate) fn totals(totals: Totals) -> wit::Totals {
    wit::Totals { run: tally(totals.run), play: tally(totals.play) }
}

pub(crate) fn start(time_ns: u64, start: &event::StartRequest) -> Start {
    Start {
        time_ns,
        uuid: start.uuid.clone(),
        play: start.play.clone(),
        play_uuid: start.play_uuid.clone(),
        task: start.task.clone(),
        task_uuid: start.task_uuid.clone(),
        action: start.action.clone(),
        role: start.role.clone(),
        host: start.host.clone(),
        become_user: start.become_user.clone(),
        connection: start.connection.clone(),
        delegate_to: start.delegate_to.clone(),
        tags: start.tags.clone(),
        check_mode: start.check_mode,
        no_log: start.no_log,
        handler: start.handler,
        args: start.args.as_ref().map(|args| args.text().to_owned()),
        path: start.path.clone(),
        data: "{}".to_owned(),
    }
}

/// A reason is one sentence: what is longer is cut, so that no plugin can flood the journal with it.
const REASON_LIMIT: usize = 4096;

pub(crate) fn verdict(verdict: wit::Verdict) -> Verdict {
    match verdict {
        wit::Verdict::Proceed => Verdict::Proceed,
        wit::Verdict::Warn(why) => Verdict::Warn(reason(why)),
        wit::Verdict::Cancel((why, stop)) => {
            let stop = match stop {
                wit::Stop::Now => event::Stop::Now,
                wit::Stop::AfterRunningTasks => event::Stop::AfterRunningTasks,
            };
            Verdict::Cancel(reason(why), stop)
        }
    }
}

fn reason(reason: wit::Reason) -> event::Reason {
    event::Reason {
        text: cut(reason.text, REASON_LIMIT),
        code: reason.code.map(|code| cut(code, 128)),
        event: reason.event,
    }
}

/// Cuts a guest's text, and says so.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let full = text.len();
        text.truncate(text.floor_char_boundary(limit));
        return format!("{text} [cut, {full} bytes in full]");
    }
    text
}

#[cfg(test)]
mod tests {
    use playwarden_event::EventKind;

    use super::*;

    #[test]
    fn every_event_of_the_journal_has_its_case() {
        for name in EventKind::NAMES {
            assert!(!matches!(kind(name), wit::EventKind::Other(_)), "{name}");
        }
        assert!(matches!(kind("runner_on_new_thing"), wit::EventKind::Other(name) if name == "runner_on_new_thing"));
    }

    #[test]
    fn pointers_pick_and_leave_out_what_is_not_there() {
        let whole = Json::parse(r#"{"res":{"msg":"boom","rc":2}}"#.to_owned()).unwrap();
        let payload = Payload::Pointers(vec!["/res/msg".into(), "/res/none".into()]);
        assert_eq!(data(&whole, &payload).as_deref(), Some(r#"{"/res/msg":"boom"}"#));
        assert_eq!(data(&whole, &Payload::None), None);
    }

    #[test]
    fn data_above_the_limit_does_not_cross() {
        let of = |length: usize| Json::of(&serde_json::json!({ "a": "x".repeat(length) }));
        for payload in [Payload::Full, Payload::Pointers(vec!["/a".into()])] {
            assert!(data(&of(PAYLOAD_LIMIT - 10), &payload).is_some(), "{payload:?}");
            assert_eq!(data(&of(PAYLOAD_LIMIT), &payload), None, "{payload:?}");
        }
    }
}
