//! The envelope: one numbered fact.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::kind::EventKind;
use crate::result::HostResult;
use crate::{Context, Json, Timestamp};

/// Everything about an event but what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number in the run's journal, from 1, without gaps.
    pub counter: u64,
    /// Unique in the run.
    pub uuid: String,
    /// Uuid of the event of the task, play or playbook that this belongs to.
    pub parent_uuid: Option<String>,
    /// The run id, under ansible-runner's name for it.
    pub runner_ident: String,
    /// Ansible's main process; none for the host's own events.
    pub pid: Option<u32>,
    /// When it happened, by the clock of whoever saw it first.
    pub created: Timestamp,
    /// Exactly what Ansible printed up to this event since the one before, last line end removed.
    pub stdout: String,
    /// Lines of standard output before this event.
    pub start_line: u64,
    /// Lines of standard output after this event; equal to `start_line` when nothing was printed.
    pub end_line: u64,
    /// How many values were masked in it, by rule: `secrets`, `keys`, `modules`, `urls` and `patterns.NAME`.
    pub redacted: BTreeMap<String, u64>,
}

impl Head {
    /// Returns an envelope that says nothing but its number, for events made by hand. Its uuid is `u` and the number, its
    /// time so many nanoseconds after 1970.
    #[must_use]
    pub fn numbered(counter: u64) -> Self {
        Self {
            counter,
            uuid: format!("u{counter}"),
            parent_uuid: None,
            runner_ident: String::new(),
            pid: None,
            created: Timestamp::from_ns(counter),
            stdout: String::new(),
            start_line: 0,
            end_line: 0,
            redacted: BTreeMap::new(),
        }
    }
}

/// One event of a run.
///
/// `event_data` is there twice: as text, exactly as it was reported, and typed. Both are made from the same text at the
/// same moment and cannot be changed afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    head: Head,
    context: Context,
    kind: EventKind,
    data: Json,
}

/// Results of the flags that policies branch on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The result was ok.
    pub ok: bool,
    /// Something was changed.
    pub changed: bool,
    /// It failed, ignored and rescued failures included.
    pub failed: bool,
    /// The host could not be reached.
    pub unreachable: bool,
    /// It was skipped.
    pub skipped: bool,
    /// The failure, or the host being unreachable, was ignored as the task asked.
    pub ignored: bool,
    /// A `rescue` section takes over.
    pub rescued: bool,
    /// The task is a handler.
    pub handler: bool,
    /// The task ran in check mode.
    pub check_mode: bool,
    /// The result is hidden.
    pub no_log: bool,
    /// The result was too large.
    pub truncated: bool,
}

impl Event {
    /// The version of the line's form, its `schema`.
    pub const SCHEMA: u32 = 1;

    /// Makes an event of a name and its `event_data`. Data of a form that this version does not know makes it
    /// [`EventKind::Other`]: nothing is lost, but nothing is read of it either.
    #[must_use]
    pub fn decode(head: Head, name: &str, data: Json) -> Self {
        let kind = EventKind::decode(name, &data).unwrap_or_else(|_| EventKind::Other(name.to_owned()));
        let context = data.read().unwrap_or_default();
        Self { head, context, kind, data }
    }

    /// Returns the envelope.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the number in the run's journal, from 1.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.head.counter
    }

    /// Returns the name in the journal, such as `runner_on_ok`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.kind.name()
    }

    /// Returns what happened.
    #[must_use]
    pub fn kind(&self) -> &EventKind {
        &self.kind
    }

    /// Returns where in the playbook it happened.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns `event_data` as it was reported.
    #[must_use]
    pub fn data(&self) -> &Json {
        &self.data
    }

    /// Returns what a `runner_*` event says of its host.
    #[must_use]
    pub fn host_result(&self) -> Option<&HostResult> {
        self.kind.host_result()
    }

    /// Returns the inventory host, where the event is about one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.kind {
            EventKind::PlaybookOnNotify(notify) => notify.host.as_deref(),
            EventKind::PolicyVerdict(verdict) => verdict.start.as_ref().map(|start| start.host.as_str()),
            kind => kind.host_result().map(|result| result.host.as_str()),
        }
    }

    /// Returns the same event with empty `event_data`, of which nothing can be read any more.
    #[must_use]
    pub fn without_data(&self) -> Self {
        let kind = EventKind::Other(self.name().to_owned());
        Self { head: self.head.clone(), context: Context::default(), kind, data: Json::default() }
    }

    /// Returns the flags that policies branch on.
    #[must_use]
    pub fn marks(&self) -> Marks {
        let Some(result) = self.kind.host_result() else {
            let handler = matches!(&self.kind, EventKind::PlaybookOnTaskStart(task) if task.handler);
            return Marks { handler, ..Marks::default() };
        };
        let mut marks = Marks {
            changed: result.res.changed.unwrap_or(false),
            ignored: result.ignored(),
            rescued: result.rescued,
            handler: result.handler,
            check_mode: result.check_mode,
            no_log: result.no_log,
            truncated: result.truncated.is_some(),
            ..Marks::default()
        };
        match &self.kind {
            EventKind::RunnerOnOk(_) | EventKind::RunnerOnAsyncOk(_) | EventKind::RunnerItemOnOk(_) => marks.ok = true,
            EventKind::RunnerOnFailed(_) | EventKind::RunnerOnAsyncFailed(_) | EventKind::RunnerItemOnFailed(_) => {
                marks.failed = true;
            }
            EventKind::RunnerOnSkipped(_) | EventKind::RunnerItemOnSkipped(_) => marks.skipped = true,
            EventKind::RunnerOnUnreachable(_) => marks.unreachable = true,
            _ => {}
        }
        marks
    }
}

/// The form on disk: ansible-runner's keys in its order, `schema` before them.
#[derive(Deserialize, Serialize)]
struct Wire<'a> {
    schema: u32,
    #[serde(borrow)]
    uuid: Cow<'a, str>,
    counter: u64,
    #[serde(borrow)]
    stdout: Cow<'a, str>,
    start_line: u64,
    end_line: u64,
    #[serde(borrow)]
    runner_ident: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_uuid: Option<String>,
    #[serde(default, skip_serializing_if = "is_empty")]
    redacted: Cow<'a, BTreeMap<String, u64>>,
    #[serde(borrow)]
    event_data: &'a RawValue,
}

fn is_empty(counts: &BTreeMap<String, u64>) -> bool {
    counts.is_empty()
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head = &self.head;
        Wire {
            schema: Self::SCHEMA,
            uuid: Cow::Borrowed(&head.uuid),
            counter: head.counter,
            stdout: Cow::Borrowed(&head.stdout),
            start_line: head.start_line,
            end_line: head.end_line,
            runner_ident: Cow::Borrowed(&head.runner_ident),
            event: Cow::Borrowed(self.name()),
            pid: head.pid,
            created: head.created,
            parent_uuid: head.parent_uuid.clone(),
            redacted: Cow::Borrowed(&head.redacted),
            event_data: self.data.raw(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        if wire.schema != Self::SCHEMA {
            let schema = wire.schema;
            return Err(serde::de::Error::custom(format_args!("schema {schema} is not known to this version")));
        }
        let head = Head {
            counter: wire.counter,
            uuid: wire.uuid.into_owned(),
            parent_uuid: wire.parent_uuid,
            runner_ident: wire.runner_ident.into_owned(),
            pid: wire.pid,
            created: wire.created,
            stdout: wire.stdout.into_owned(),
            start_line: wire.start_line,
            end_line: wire.end_line,
            redacted: wire.redacted.into_owned(),
        };
        Ok(Self::decode(head, &wire.event, Json::from(wire.event_data)))
    }
}
