//! Reading events: the questions that plugins ask most.

use serde::de::DeserializeOwned;

use crate::{Event, EventKind, Failure, Marks, Source, Start, Status, journal};

impl Event {
    /// Returns an event that has nothing but a counter and a kind, for unit tests: set what the test is about.
    #[must_use]
    pub fn new(counter: u64, kind: EventKind) -> Self {
        Self {
            counter,
            uuid: format!("event-{counter}"),
            parent_uuid: None,
            kind,
            time_ns: 0,
            play: None,
            play_uuid: None,
            play_number: None,
            task: None,
            task_uuid: None,
            action: None,
            role: None,
            host: None,
            item: None,
            item_number: None,
            marks: Marks::empty(),
            rc: None,
            duration_ms: None,
            message: None,
            data: None,
        }
    }

    /// Returns whether the event is of a kind.
    #[must_use]
    pub fn is(&self, kind: &EventKind) -> bool {
        self.kind == *kind
    }

    /// Returns whether the event has all of these marks.
    #[must_use]
    pub fn marked(&self, marks: Marks) -> bool {
        self.marks.contains(marks)
    }

    /// Returns whether a task failed on a host and that was neither ignored nor rescued.
    ///
    /// Failed items of a loop and failed polls of an `async` task are not meant: the result of the task itself follows.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.is(&EventKind::RunnerOnFailed) && !self.marks.intersects(Marks::IGNORED | Marks::RESCUED)
    }

    /// Returns whether a host could not be reached and that was not ignored.
    #[must_use]
    pub fn unreachable(&self) -> bool {
        self.is(&EventKind::RunnerOnUnreachable) && !self.marked(Marks::IGNORED)
    }

    /// Reads `event_data` at a pointer, such as `/res/msg`; none when there is nothing. Works for every `payload`.
    ///
    /// # Errors
    ///
    /// There is something, but it is no `T`.
    pub fn read<T: DeserializeOwned>(&self, source: &Source, pointer: &str) -> Result<Option<T>, Failure> {
        let Some(json) = journal::data(source, self.counter, pointer) else {
            return Ok(None);
        };
        serde_json::from_str(&json)
            .map(Some)
            .map_err(|error| Failure::new(format!("event {} at `{pointer}`: {error}", self.counter)))
    }

    /// Reads those parts of `event_data` that `T` names; its default, and a warning in the log, where they are of
    /// another shape. So let `T` have a `serde_json::Value` where a module may put anything.
    ///
    /// Made for the payload "full", which event handlers have. Of a result whose data did not come with it, most often
    /// since it is larger than 1 MiB, the default is answered too: asking for all of it could break the memory limit.
    #[must_use]
    pub fn details<T: DeserializeOwned + Default>(&self, source: &Source) -> T {
        let read = match &self.data {
            Some(text) => serde_json::from_str(text).map(Some).map_err(Failure::from),
            None if self.kind.name().starts_with("runner_") => Ok(None),
            None => self.read(source, ""),
        };
        let found = read.unwrap_or_else(|failure| {
            crate::warn!("data of event {} is of another shape: {}", self.counter, failure.message);
            None
        });
        found.unwrap_or_default()
    }
}

impl Start {
    /// Returns whether the action is a template that nobody has filled in yet, so that it may be any module.
    #[must_use]
    pub fn action_is_unknown(&self) -> bool {
        ["{{", "{%", "{#"].iter().any(|mark| self.action.contains(mark))
    }
}

/// Kinds and their names in the journal, both ways.
macro_rules! names {
    ($type:ident, $what:literal: $($case:ident = $name:literal,)+) => {
        impl $type {
            #[doc = concat!("Returns the name of the ", $what, " in the journal.")]
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$case => $name,)+
                    Self::Other(name) => name,
                }
            }

            #[doc = concat!("Returns the ", $what, " of a name in the journal; one that is not known here is `Other`.")]
            #[must_use]
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$case,)+
                    _ => Self::Other(name.to_owned()),
                }
            }
        }
    };
}

names! { EventKind, "kind":
    RunStarted = "run_started",
    StatusChanged = "status_changed",
    PolicyVerdict = "policy_verdict",
    PluginFault = "plugin_fault",
    CallbackFailed = "callback_failed",
    StartFailed = "start_failed",
    RunFinished = "run_finished",
    PlaybookOnStart = "playbook_on_start",
    PlaybookOnVarsPrompt = "playbook_on_vars_prompt",
    PlaybookOnPlayStart = "playbook_on_play_start",
    PlaybookOnTaskStart = "playbook_on_task_start",
    PlaybookOnInclude = "playbook_on_include",
    PlaybookOnNotify = "playbook_on_notify",
    PlaybookOnNoHostsMatched = "playbook_on_no_hosts_matched",
    PlaybookOnNoHostsRemaining = "playbook_on_no_hosts_remaining",
    PlaybookOnStats = "playbook_on_stats",
    RunnerOnStart = "runner_on_start",
    RunnerOnOk = "runner_on_ok",
    RunnerOnFailed = "runner_on_failed",
    RunnerOnSkipped = "runner_on_skipped",
    RunnerOnUnreachable = "runner_on_unreachable",
    RunnerOnAsyncPoll = "runner_on_async_poll",
    RunnerOnAsyncOk = "runner_on_async_ok",
    RunnerOnAsyncFailed = "runner_on_async_failed",
    RunnerOnFileDiff = "runner_on_file_diff",
    RunnerRetry = "runner_retry",
    RunnerItemOnOk = "runner_item_on_ok",
    RunnerItemOnFailed = "runner_item_on_failed",
    RunnerItemOnSkipped = "runner_item_on_skipped",
    Verbose = "verbose",
    Debug = "debug",
    Warning = "warning",
    Deprecated = "deprecated",
    SystemWarning = "system_warning",
    Error = "error",
}

names! { Status, "status":
    Unstarted = "unstarted",
    Starting = "starting",
    Running = "running",
    Canceling = "canceling",
    Successful = "successful",
    Failed = "failed",
    Canceled = "canceled",
    Timeout = "timeout",
    Lost = "lost",
    Skipped = "skipped",
    Denied = "denied",
}
