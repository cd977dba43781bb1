//! Between the words of the host and those of the contract.

use std::fmt;

use playwarden_event as event;
use playwarden_event::{Event, Json, Tally, Totals, Verdict};

use crate::bindings::exports::playwarden::plugin as hooks;
use crate::bindings::playwarden::plugin::types as wit;
use crate::view::{self, Payload};

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

/// Returns about how many bytes a guest needs for an event with so much of its data, for a caller that bounds its lists.
/// Nothing is picked or copied for it: of [`Payload::Pointers`] the whole is counted, which is what they can add up to.
#[must_use]
pub fn size(event: &Event, payload: &Payload) -> usize {
    let (head, context, result) = (event.head(), event.context(), event.host_result());
    let texts = [
        Some(head.uuid.as_str()),
        head.parent_uuid.as_deref(),
        context.play.as_deref(),
        context.play_uuid.as_deref(),
        context.task.as_deref(),
        context.task_uuid.as_deref(),
        context.action(),
        context.role.as_deref(),
        event.host(),
        result.and_then(|result| result.item_label.as_deref()),
        result.and_then(|result| result.message()),
    ];
    let data = match payload {
        Payload::None => 0,
        Payload::Full => Some(event.data().text().len()).filter(|length| *length <= PAYLOAD_LIMIT).unwrap_or(0),
        Payload::Pointers(_) => event.data().text().len().min(PAYLOAD_LIMIT),
    };
    size_of::<wit::Event>() + texts.into_iter().flatten().map(str::len).sum::<usize>() + data
}

/// Returns how many bytes of text and data an event has.
pub(crate) fn text_size(event: &wit::Event) -> usize {
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

pub(crate) fn start(time_ns: u64, start: &event::StartRequest) -> hooks::start_policy::Start {
    hooks::start_policy::Start {
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
        data: serde_json::json!({
            "address": start.address,
            "groups": start.groups,
            "remote_user": start.remote_user,
        })
        .to_string(),
    }
}

pub(crate) fn change(source: &wit::Source, change: &view::StatusChange) -> hooks::status_handler::Change {
    hooks::status_handler::Change {
        source: source.clone(),
        from: status(change.from),
        to: status(change.to),
        time_ns: change.time.ns(),
        detail: change.detail.clone(),
        totals: totals(change.totals),
        data: change.data.text().to_owned(),
    }
}

fn status(status: event::Status) -> wit::Status {
    match status {
        event::Status::Unstarted => wit::Status::Unstarted,
        event::Status::Starting => wit::Status::Starting,
        event::Status::Running => wit::Status::Running,
        event::Status::Canceling => wit::Status::Canceling,
        event::Status::Successful => wit::Status::Successful,
        event::Status::Failed => wit::Status::Failed,
        event::Status::Canceled => wit::Status::Canceled,
        event::Status::Timeout => wit::Status::Timeout,
        event::Status::Lost => wit::Status::Lost,
        event::Status::Skipped => wit::Status::Skipped,
        event::Status::Denied => wit::Status::Denied,
    }
}

pub(crate) fn finish(source: &wit::Source, finish: &view::Finish) -> hooks::finished_callback::Finish {
    let outcome = &finish.outcome;
    let cause = outcome.cause.as_ref();
    let reason = cause.map(|cause| match cause {
        event::Cause::Plugin { reason, .. } => {
            wit::Reason { text: reason.text.clone(), code: reason.code.clone(), event: reason.event }
        }
        other => wit::Reason { text: other.to_string(), code: None, event: None },
    });
    let by = cause.and_then(|cause| match cause {
        event::Cause::Plugin { name, .. } | event::Cause::PluginFault { name, .. } => Some(name.clone()),
        _ => None,
    });
    hooks::finished_callback::Finish {
        source: source.clone(),
        status: status(outcome.status),
        rc: outcome.rc,
        cause: cause.and_then(word),
        reason,
        by,
        started_ns: outcome.started.ns(),
        finished_ns: outcome.finished.ns(),
        last_event: finish.last_event,
        totals: totals(outcome.totals),
        data: Json::of(outcome).text().to_owned(),
    }
}

/// Returns the `kind` of a cause, as it stands in run.json.
fn word(cause: &event::Cause) -> Option<String> {
    Json::of(cause).pointer("/kind")?.read().ok()
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

/// Writes a text that ends at the limit, and without control characters: names of a guest may be made to grow while they are
/// written, and are shown on terminals.
pub(crate) fn bounded(limit: usize, write: impl FnOnce(&mut Bounded) -> fmt::Result) -> String {
    let mut text = Bounded { text: String::new(), limit };
    // It fails where it is full.
    let _full = write(&mut text);
    text.text
}

/// A text that takes no more than so many bytes.
pub(crate) struct Bounded {
    text: String,
    limit: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.limit.saturating_sub(self.text.len());
        let fits = &more[..more.floor_char_boundary(room.min(more.len()))];
        self.text.extend(fits.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
        if fits.len() < more.len() {
            self.text.push('…');
            return Err(fmt::Error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use playwarden_event::EventKind;

    use super::*;

    /// What the journal has since track 0.1 of the contract was frozen: the fourth of its rules.
    const LATER: [&str; 1] = ["ansible_loaded"];

    #[test]
    fn every_event_of_the_journal_has_its_case() {
        for name in EventKind::NAMES {
            assert_eq!(matches!(kind(name), wit::EventKind::Other(_)), LATER.contains(name), "{name}");
        }
        for name in LATER.into_iter().chain(["runner_on_new_thing"]) {
            assert!(matches!(kind(name), wit::EventKind::Other(said) if said == name), "{name}");
        }
    }

    #[test]
    fn pointers_pick_and_leave_out_what_is_not_there() {
        let whole = Json::parse(r#"{"res":{"msg":"boom","rc":2}}"#.to_owned()).unwrap();
        let payload = Payload::Pointers(vec!["/res/msg".into(), "/res/none".into()]);
        assert_eq!(data(&whole, &payload).as_deref(), Some(r#"{"/res/msg":"boom"}"#));
        assert_eq!(data(&whole, &Payload::None), None);
    }

    #[test]
    fn a_finish_says_why_and_by_whom() {
        let source = wit::Source { run: "r".into(), job: "j".into() };
        let finished = |cause: Option<event::Cause>| {
            let outcome = event::Outcome {
                status: event::Status::Canceled,
                rc: Some(254),
                cause,
                started: event::Timestamp::from_ns(1_000),
                finished: event::Timestamp::from_ns(2_000),
                totals: Totals::default(),
                stats: None,
                in_flight: Vec::new(),
                left_alive: Vec::new(),
                faulty_plugins: Vec::new(),
                redacted: std::collections::BTreeMap::new(),
            };
            finish(&source, &view::Finish { outcome, last_event: 7 })
        };
        let reason = event::Reason { text: "too many".into(), code: Some("too-many-failed".into()), event: Some(5) };
        let by_plugin = finished(Some(event::Cause::Plugin { name: "budget".into(), reason }));
        assert_eq!((by_plugin.cause.as_deref(), by_plugin.by.as_deref()), (Some("plugin"), Some("budget")));
        let said = by_plugin.reason.unwrap();
        assert_eq!(
            (said.text.as_str(), said.code.as_deref(), said.event),
            ("too many", Some("too-many-failed"), Some(5))
        );
        assert!(by_plugin.data.contains(r#""cause":{"kind":"plugin","name":"budget""#), "{}", by_plugin.data);

        let by_time = finished(Some(event::Cause::JobTimeout));
        assert_eq!((by_time.cause.as_deref(), by_time.by), (Some("job-timeout"), None));
        assert_eq!(by_time.reason.unwrap().text, "the job's time limit has passed");

        let plain = finished(None);
        assert!(plain.cause.is_none() && plain.reason.is_none() && plain.by.is_none());
        assert_eq!((plain.rc, plain.last_event, plain.finished_ns), (Some(254), 7, 2_000));
    }

    #[test]
    fn the_size_of_an_event_is_never_less_than_what_crosses() {
        let data = Json::of(&serde_json::json!({ "host": "web1", "task": "t", "res": { "msg": "x".repeat(5_000) } }));
        let event = Event::decode(event::Head::numbered(1), "runner_on_ok", data);
        for payload in [Payload::None, Payload::Full, Payload::Pointers(vec!["/res/msg".into()])] {
            let crossed = event_to_guest(&event, &payload);
            assert!(size(&event, &payload) >= text_size(&crossed), "{payload:?}");
        }
        assert!(size(&event, &Payload::None) < 5_000 && size(&event, &Payload::Full) > 5_000);
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
