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

    /// Returns the one verdict of a call that has two things to say: a cancel goes before a warning, and the first before
    /// the later one. The sentences of both are told; the code and the event are those of the one that goes before.
    /// Where one of two cancels interrupts running tasks, so do both.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let (head, other) = match (self, later) {
            (Self::Proceed, verdict) | (verdict, Self::Proceed) => return verdict,
            (first @ Self::Warn(_), later @ Self::Cancel(_)) => (later, first),
            pair => pair,
        };
        let interrupts = matches!(other, Self::Cancel((_, Stop::Now)));
        let (Self::Warn(said) | Self::Cancel((said, _))) = other else { return head };
        let both = head.with_reason(|reason| reason.text = format!("{}; {}", reason.text, said.text));
        if interrupts { both.stop(Stop::Now) } else { both }
    }

    fn with_reason(mut self, change: impl FnOnce(&mut Reason)) -> Self {
        match &mut self {
            Self::Warn(reason) | Self::Cancel((reason, _)) => change(reason),
            Self::Proceed => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_verdicts_become_one_and_nothing_is_lost() {
        let warn = |text: &str| Verdict::warn(text).code(text).at_counter(1);
        let cancel = |text: &str| Verdict::cancel(text).code(text).at_counter(2);
        assert_eq!(Verdict::Proceed.and(Verdict::Proceed), Verdict::Proceed);
        assert_eq!(Verdict::Proceed.and(warn("w")), warn("w"));
        assert_eq!(cancel("c").and(Verdict::Proceed), cancel("c"));
        assert_eq!(warn("w").and(warn("x")), Verdict::warn("w; x").code("w").at_counter(1));
        assert_eq!(warn("w").and(cancel("c")), Verdict::cancel("c; w").code("c").at_counter(2));
        assert_eq!(cancel("c").and(warn("w")), Verdict::cancel("c; w").code("c").at_counter(2));
        let later = cancel("c").after_running_tasks();
        assert_eq!(later.clone().and(warn("w")), Verdict::cancel("c; w").code("c").at_counter(2).after_running_tasks());
        assert_eq!(later.and(cancel("d")), Verdict::cancel("c; d").code("c").at_counter(2));
    }
}
