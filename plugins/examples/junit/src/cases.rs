//! From events to test cases: a suite for each play, a case for each task on each host, or for each item of its loop.

use std::collections::BTreeMap;

use playwarden_sdk::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// No text that a module wrote is longer in the report.
const TEXT_LIMIT: usize = 4096;

/// The suites of one run. Follow from the events alone, so that a restarted plugin has them again.
#[derive(Debug, Default)]
pub(crate) struct Suites {
    pub(crate) list: Vec<Suite>,
    /// Counter of the last event that was taken.
    pub(crate) last: u64,
    /// Where the suite of a play is; serial batches of a play have one together.
    numbers: BTreeMap<String, usize>,
    /// Tasks that started on a host and gave no result yet, by host and uuid of the task.
    open: BTreeMap<(String, String), Open>,
}

#[derive(Debug, Default)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) started_ns: u64,
    pub(crate) ended_ns: u64,
    pub(crate) retries: u32,
    pub(crate) cases: Vec<Case>,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) host: String,
    pub(crate) name: String,
    pub(crate) ms: u64,
    pub(crate) end: End,
    /// What is worth saying though it decides nothing: ignored failures, retries.
    pub(crate) note: Option<String>,
}

/// What became of a case, in JUnit's words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Passed,
    Skipped { message: String },
    Failure { message: String, text: String },
    Error { kind: String, message: String },
}

impl End {
    fn is_red(&self) -> bool {
        matches!(self, Self::Failure { .. } | Self::Error { .. })
    }
}

#[derive(Debug)]
struct Open {
    suite: usize,
    name: String,
    /// When it started, or its last item ended.
    since_ns: u64,
    retries: u32,
    /// Its items so far. Whether their failures count is known when the task has its result.
    items: Vec<Case>,
}

/// What is read of `event_data`. What a module may fill with anything is a [`Value`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    task_path: Option<String>,
    res: BTreeMap<String, Value>,
}

impl Suites {
    /// Takes an event, unless it was taken before.
    pub(crate) fn take(&mut self, source: &Source, event: &Event) {
        use EventKind as K;
        if event.counter <= self.last {
            return;
        }
        self.last = event.counter;
        match event.kind {
            K::PlaybookOnPlayStart => {
                self.suite(event);
            }
            K::RunnerOnStart => {
                self.open(event);
            }
            K::RunnerRetry => {
                let open = self.open(event);
                open.retries += 1;
                let suite = open.suite;
                self.list[suite].retries += 1;
            }
            K::RunnerItemOnOk | K::RunnerItemOnFailed | K::RunnerItemOnSkipped => {
                let case = Case { note: None, ..case(source, event) };
                let open = self.open(event);
                let item = event.item.clone().or_else(|| event.item_number.map(|number| number.to_string()));
                let name = format!("{} [{}]", open.name, item.unwrap_or_default());
                let ms = event.time_ns.saturating_sub(open.since_ns) / 1_000_000;
                open.since_ns = event.time_ns;
                open.items.push(Case { name, ms, ..case });
            }
            K::RunnerOnOk | K::RunnerOnFailed | K::RunnerOnSkipped | K::RunnerOnUnreachable => {
                self.close(source, event);
            }
            _ => {}
        }
    }

    /// Ends what had started and gave no result, and says so where the run failed in no case.
    pub(crate) fn finish(&mut self, finish: &Finish) {
        let status = finish.status.name();
        let reason = finish.reason.as_ref().map_or(status, |reason| &reason.text);
        for ((host, _), open) in std::mem::take(&mut self.open) {
            let suite = &mut self.list[open.suite];
            suite.ended_ns = suite.ended_ns.max(finish.finished_ns);
            suite.cases.extend(open.items);
            let ms = finish.finished_ns.saturating_sub(open.since_ns) / 1_000_000;
            let end = End::Error { kind: status.to_owned(), message: format!("{status}: {reason}") };
            suite.cases.push(Case { host, name: open.name, ms, end, note: None });
        }
        let is_red = self.list.iter().flat_map(|suite| &suite.cases).any(|case| case.end.is_red());
        if finish.status != Status::Successful && !is_red {
            let kind = finish.cause.clone().unwrap_or_else(|| status.to_owned());
            let end = End::Error { kind, message: format!("{status}: {reason}") };
            let (host, name) = ("playwarden".to_owned(), "run".to_owned());
            let case = Case { host, name, ms: 0, end, note: None };
            let (started_ns, ended_ns) = (finish.started_ns, finish.finished_ns);
            let name = finish.source.job.clone();
            self.list.push(Suite { name, started_ns, ended_ns, retries: 0, cases: vec![case] });
        }
    }

    fn suite(&mut self, event: &Event) -> usize {
        let uuid = event.play_uuid.clone().unwrap_or_default();
        let number = *self.numbers.entry(uuid).or_insert_with(|| {
            let name = event.play.clone().unwrap_or_default();
            self.list.push(Suite { name, started_ns: event.time_ns, ended_ns: event.time_ns, ..Suite::default() });
            self.list.len() - 1
        });
        self.list[number].ended_ns = event.time_ns;
        number
    }

    /// Returns the task on the host that the event is about. Meta tasks have results without a start.
    fn open(&mut self, event: &Event) -> &mut Open {
        let suite = self.suite(event);
        self.open.entry(key(event)).or_insert_with(|| Open {
            suite,
            name: title(event),
            since_ns: event.time_ns,
            retries: 0,
            items: Vec::new(),
        })
    }

    fn close(&mut self, source: &Source, event: &Event) {
        let suite = self.suite(event);
        let (retries, mut items) =
            self.open.remove(&key(event)).map_or((0, Vec::new()), |open| (open.retries, open.items));
        let mut case = case(source, event);
        if retries > 0 {
            let tried = format!("tried again {retries} times");
            case.note = Some(case.note.map_or_else(|| tried.clone(), |note| format!("{note}\n{tried}")));
        }
        // The items say it all, unless something went wrong outside of them.
        let is_said = !items.is_empty() && (!case.end.is_red() || items.iter().any(|item| item.end.is_red()));
        if let Some(borne) = borne(event) {
            for item in &mut items {
                if let End::Failure { message, .. } = &item.end {
                    item.note = Some(format!("{borne}: {message}"));
                    item.end = End::Passed;
                }
            }
        }
        if let (true, Some(last)) = (is_said && retries > 0, items.last_mut()) {
            last.note = case.note.take();
        }
        let cases = &mut self.list[suite].cases;
        cases.extend(items);
        if !is_said {
            cases.push(case);
        }
    }
}

/// Makes a case of a result, as if it had no items.
fn case(source: &Source, event: &Event) -> Case {
    let details: Details = event.details(source);
    let field = |name: &str| details.res.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = event.message.clone().unwrap_or_else(|| "failed without a message".to_owned());
    let mut note = None;
    let end = if let Some(borne) = borne(event) {
        note = Some(format!("{borne}: {message}"));
        End::Passed
    } else if event.is(&EventKind::RunnerOnUnreachable) {
        End::Error { kind: "unreachable".to_owned(), message }
    } else if event.marked(Marks::FAILED) {
        let rc = event.rc.map(|rc| format!("rc {rc}"));
        let at = details.task_path.as_ref().map(|path| format!("at {path}"));
        let stderr = field("stderr");
        let stderr = stderr[..stderr.floor_char_boundary(TEXT_LIMIT)].to_owned();
        let parts = [Some(message.clone()), rc, at, Some(stderr).filter(|stderr| !stderr.is_empty())];
        End::Failure { text: parts.into_iter().flatten().collect::<Vec<_>>().join("\n"), message }
    } else if event.marked(Marks::SKIPPED) {
        let condition = details.res.get("false_condition").map(|condition| match condition {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let parts = [Some(field("skip_reason").to_owned()).filter(|reason| !reason.is_empty()), condition];
        End::Skipped { message: parts.into_iter().flatten().collect::<Vec<_>>().join(": ") }
    } else {
        End::Passed
    };
    let host = event.host.clone().unwrap_or_default();
    Case { host, name: title(event), ms: event.duration_ms.unwrap_or(0), end, note }
}

/// Returns why a failure is none for the run.
fn borne(event: &Event) -> Option<&'static str> {
    let what = [(Marks::IGNORED, "failed, ignored"), (Marks::RESCUED, "failed, rescued")];
    let is_failure = event.marks.intersects(Marks::FAILED | Marks::UNREACHABLE);
    what.into_iter().find(|(mark, _)| is_failure && event.marked(*mark)).map(|(_, words)| words)
}

fn key(event: &Event) -> (String, String) {
    (event.host.clone().unwrap_or_default(), event.task_uuid.clone().unwrap_or_default())
}

/// The task's name as Ansible prints it, with its role.
fn title(event: &Event) -> String {
    let task = event.task.as_deref().unwrap_or("a task without a name");
    event.role.as_ref().map_or_else(|| task.to_owned(), |role| format!("{role} : {task}"))
}
