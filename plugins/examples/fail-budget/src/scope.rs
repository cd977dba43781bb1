//! The hosts of one window: who of them had a result, failed, or could not be reached.

use std::collections::{BTreeSet, VecDeque};

use playwarden_sdk::prelude::*;

use crate::settings::{Config, Limits, Window};

/// What came of a host's task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) failed: bool,
    pub(crate) unreachable: bool,
}

/// The counts of one window.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// How many there are, with a result or without.
    pub(crate) hosts: u32,
    with_result: BTreeSet<String>,
    failed: BTreeSet<String>,
    unreachable: BTreeSet<String>,
    /// The host that was found failed or unreachable last.
    last: String,
    /// Those with a result, the newest at the end; only kept where their number has a limit.
    newest: VecDeque<String>,
    /// One verdict for a window is enough, also where `mode = "monitor"` lets the run go on.
    pub(crate) spent: bool,
    pub(crate) warned: bool,
}

impl Scope {
    /// Counts a result. Where only so many hosts are in the window, the oldest leave it.
    pub(crate) fn take(&mut self, host: &str, outcome: Outcome, limit: Option<u32>) {
        self.with_result.insert(host.to_owned());
        if outcome.failed {
            self.failed.insert(host.to_owned());
        }
        if outcome.unreachable {
            self.unreachable.insert(host.to_owned());
        }
        if outcome.failed || outcome.unreachable {
            host.clone_into(&mut self.last);
        }
        let Some(limit) = limit else { return };
        self.newest.retain(|known| known != host);
        self.newest.push_back(host.to_owned());
        while count(self.newest.len()) > limit
            && let Some(oldest) = self.newest.pop_front()
        {
            self.with_result.remove(&oldest);
            self.failed.remove(&oldest);
            self.unreachable.remove(&oldest);
        }
        self.hosts = count(self.newest.len());
    }

    /// Returns which limit is broken: the code of the rule, and the sentence that has the figures.
    pub(crate) fn broken(&self, limits: Limits, minimum: u32, what: &Name<'_>) -> Option<(&'static str, String)> {
        let Self { last, .. } = self;
        let hosts = what.of(self.hosts);
        let unreachable = count(self.unreachable.len());
        if let Some(max) = limits.unreachable_hosts.filter(|max| unreachable > *max) {
            let text =
                format!("{unreachable} of {hosts} could not be reached, more than the {max} allowed; last: {last}");
            return Some(("unreachable", text));
        }

        let failed = count(self.failed.len());
        let how = if self.failed.is_disjoint(&self.unreachable) { "failed" } else { "failed or could not be reached" };
        let percent = f64::from(failed) * 100.0 / f64::from(self.hosts);
        let is_sample_large_enough = self.hosts > 0 && count(self.with_result.len()) >= minimum;
        let figures = if let Some(max) = limits.failed_hosts.filter(|max| failed > *max) {
            format!("{failed} of {hosts} {how}, more than the {max} allowed")
        } else if let Some(max) = limits.failed_percent.filter(|max| is_sample_large_enough && percent > *max) {
            let percent = (percent * 100.0).round() / 100.0;
            format!("{failed} of {hosts} {how} ({percent} %), more than the {max} % allowed")
        } else {
            return None;
        };
        Some(("failed", format!("{figures}; last: {last}")))
    }
}

/// How a window's hosts are called.
#[derive(Debug)]
pub(crate) struct Name<'a> {
    pub(crate) window: Window,
    pub(crate) group: &'a str,
}

impl Name<'_> {
    fn of(&self, hosts: u32) -> String {
        match self.window {
            Window::Run | Window::Play => format!("{hosts} hosts"),
            Window::Batch => format!("{hosts} hosts of the batch"),
            Window::Group => format!("{hosts} hosts of the group {}", self.group),
            Window::LastHosts => format!("the last {hosts} hosts"),
        }
    }
}

/// Returns what came of a host's task; none when the event is no result. Items of a loop and polls of an `async` task are
/// none: the result of the task follows them.
pub(crate) fn outcome(event: &Event, config: &Config) -> Option<Outcome> {
    let is_ignored = event.marked(Marks::IGNORED) && !config.ignored_counts;
    let is_rescued = event.marked(Marks::RESCUED) && !config.rescued_counts;
    let counts = !is_ignored && !is_rescued;
    let (failed, unreachable) = match event.kind {
        EventKind::RunnerOnOk | EventKind::RunnerOnSkipped => (false, false),
        EventKind::RunnerOnFailed => (counts, false),
        EventKind::RunnerOnUnreachable => (counts && config.unreachable_counts, counts),
        _ => return None,
    };
    Some(Outcome { failed, unreachable })
}

pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
