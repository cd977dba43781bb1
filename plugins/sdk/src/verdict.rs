//! Verdicts, written as one says them.

use crate::{Event, Reason, Stop, Verdict};

impl Verdict {
    /// Returns the verdict that cancels the run now, with one sentence for the operator.
    ///
    /// What follows makes it complete:
    ///
    /// ```ignore
    /// Verdict::cancel("web03 failed").code("too-many-failed").at(event).after_running_tasks()
    /// ```
    #[must_use]
    pub fn cancel(text: impl Into<String>) -> Self {
        Self::Cancel((Reason { text: text.into(), code: None, event: None }, Stop::Now))
    }

    /// Returns the verdict that is recorded and shown while the run goes on.
    #[must_use]
    pub fn warn(text: impl Into<String>) -> Self {
        Self::Warn(Reason { text: text.into(), code: None, event: None })
    }

    /// Adds a stable word for tools, such as `too-many-failed`.
    #[must_use]
    pub fn code(self, code: impl Into<String>) -> Self {
        self.with_reason(|reason| reason.code = Some(code.into()))
    }

    /// Adds the event that decided.
    #[must_use]
    pub fn at(self, event: &Event) -> Self {
        self.at_counter(event.counter)
    }

    /// Adds the counter of the event that decided.
    #[must_use]
    pub fn at_counter(self, counter: u64) -> Self {
        self.with_reason(|reason| reason.event = Some(counter))
    }

    /// Lets running tasks end by themselves instead of interrupting them. Only a cancel has this choice.
    #[must_use]
    pub fn after_running_tasks(self) -> Self {
        self.stop(Stop::AfterRunningTasks)
    }

    /// Says how a cancel stops. Other verdicts stay as they are.
    #[must_use]
    pub fn stop(self, stop: Stop) -> Self {
        match self {
            Self::Cancel((reason, _)) => Self::Cancel((reason, stop)),
            other => other,
        }
    }

    fn with_reason(mut self, change: impl FnOnce(&mut Reason)) -> Self {
        match &mut self {
            Self::Warn(reason) | Self::Cancel((reason, _)) => change(reason),
            Self::Proceed => {}
        }
        self
    }
}
