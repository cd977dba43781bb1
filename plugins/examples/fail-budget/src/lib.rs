//! Cancels a run when too many hosts failed or could not be reached. README.md explains every key.
//!
//! [`Budget`] counts and judges one run; everything around it reads the configuration and hands events on.
//!
//! **Invariant:** hosts are counted, not results, and a verdict follows from the events of one window alone. So it does
//! not matter in how many calls the events arrive, and a window never pays for an earlier one.

mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use playwarden_sdk::prelude::*;
use settings::{Config, When, Window};

/// How much failing one run may still do in the present window.
#[derive(Debug, Default)]
struct Budget {
    config: Config,
    /// The play that is the window; none when the run is, or no play has begun.
    play: Option<String>,
    /// Hosts in the window, failed or not, as the totals last had it.
    hosts: u32,
    with_result: BTreeSet<String>,
    failed: BTreeSet<String>,
    unreachable: BTreeSet<String>,
    /// The host that was found failed or unreachable last.
    last: String,
    /// One verdict for a window is enough, also where `mode = "monitor"` lets the run go on.
    spent: bool,
}

impl Budget {
    fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes the events of one call; returns the verdict on the first of them that breaks a rule.
    fn judge(&mut self, events: &[Event], totals: &Totals) -> Verdict {
        let present = events.iter().rev().find_map(|event| event.play_uuid.as_ref());
        let mut verdict = Verdict::Proceed;
        for event in events {
            self.enter_window_of(event);
            // Totals are those after the last event. A list may begin in one play and end in the next, whose totals say
            // nothing about the first. Whatever failed there ended an earlier call, and the totals of that call still
            // hold.
            match self.config.window {
                Window::Run => self.hosts = totals.run.hosts,
                Window::Play if self.play.as_ref() == present => self.hosts = totals.play.hosts,
                Window::Play => {}
            }
            let may_speak = self.take(event) && !self.spent && verdict == Verdict::Proceed;
            if let Some(broken) = self.broken_rule().filter(|_| may_speak) {
                self.spent = true;
                verdict = match self.config.stop {
                    When::Now => broken.at(event),
                    When::AfterRunningTasks => broken.at(event).after_running_tasks(),
                };
            }
        }
        verdict
    }

    fn enter_window_of(&mut self, event: &Event) {
        if self.config.window == Window::Play && event.play_uuid.is_some() && event.play_uuid != self.play {
            *self = Self { play: event.play_uuid.clone(), ..Self::new(self.config.clone()) };
        }
    }

    /// Counts the event's host; returns whether the event was a result at all. Items of a loop and polls of an `async`
    /// task are none: the result of the task follows them.
    fn take(&mut self, event: &Event) -> bool {
        let Some(host) = &event.host else { return false };
        let is_ignored = event.marked(Marks::IGNORED) && !self.config.ignored_counts;
        let is_rescued = event.marked(Marks::RESCUED) && !self.config.rescued_counts;
        let counts = !is_ignored && !is_rescued;
        let (failed, unreachable) = match event.kind {
            EventKind::RunnerOnOk | EventKind::RunnerOnSkipped => (false, false),
            EventKind::RunnerOnFailed => (counts, false),
            EventKind::RunnerOnUnreachable => (counts && self.config.unreachable_counts, counts),
            _ => return false,
        };
        self.with_result.insert(host.clone());
        if failed {
            self.failed.insert(host.clone());
        }
        if unreachable {
            self.unreachable.insert(host.clone());
        }
        if failed || unreachable {
            self.last.clone_from(host);
        }
        true
    }

    fn broken_rule(&self) -> Option<Verdict> {
        let Config { max_failed_hosts, max_failed_percent, max_unreachable_hosts, minimum_hosts, .. } = self.config;
        let Self { hosts, last, .. } = self;
        let unreachable = count(&self.unreachable);
        if let Some(max) = max_unreachable_hosts.filter(|max| unreachable > *max) {
            let figures = format!("{unreachable} of {hosts} hosts could not be reached, more than the {max} allowed");
            return Some(Verdict::cancel(format!("{figures}; last: {last}")).code("too-many-unreachable"));
        }

        let failed = count(&self.failed);
        let how = if self.failed.is_disjoint(&self.unreachable) { "failed" } else { "failed or could not be reached" };
        let percent = f64::from(failed) * 100.0 / f64::from(*hosts);
        let is_sample_large_enough = *hosts > 0 && count(&self.with_result) >= minimum_hosts;
        let figures = if let Some(max) = max_failed_hosts.filter(|max| failed > *max) {
            format!("{failed} of {hosts} hosts {how}, more than the {max} allowed")
        } else if let Some(max) = max_failed_percent.filter(|max| is_sample_large_enough && percent > *max) {
            let percent = (percent * 100.0).round() / 100.0;
            format!("{failed} of {hosts} hosts {how} ({percent} %), more than the {max} % allowed")
        } else {
            return None;
        };
        Some(Verdict::cancel(format!("{figures}; last: {last}")).code("too-many-failed"))
    }
}

fn count(hosts: &BTreeSet<String>) -> u32 {
    u32::try_from(hosts.len()).unwrap_or(u32::MAX)
}

/// A budget for each run: one in a job, those of all its jobs in a workflow.
struct FailBudget {
    config: Config,
    budgets: BTreeMap<String, Budget>,
}

impl Plugin for FailBudget {
    fn new() -> Result<Self, Failure> {
        let config: Config = config()?;
        match config.problems().into_iter().find(|problem| problem.severity == Severity::Error) {
            Some(problem) => Err(Failure::new(format!("config{}: {}", problem.pointer, problem.message))),
            None => Ok(Self { config, budgets: BTreeMap::new() }),
        }
    }
}

impl CancelPolicy for FailBudget {
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        let first = events.first().map_or(0, |event| event.counter);
        let budget = self.budgets.entry(format!("{} {}", source.run, source.job)).or_insert_with(|| {
            // Nothing on the first call of a run. After a restart of the instance it is what the lost one had counted.
            let mut budget = Budget::new(self.config.clone());
            for event in journal::before(source, first) {
                budget.enter_window_of(&event);
                budget.take(&event);
            }
            budget
        });
        Ok(budget.judge(events, totals))
    }
}

impl ConfigCheck for FailBudget {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        let (config, mut problems) = config::check::<Config>();
        // What was read without the keys that are wrong would only seem to lack a limit.
        if let Some(config) = config.filter(|_| problems.is_empty()) {
            problems = config.problems();
        }
        problems
    }
}

playwarden_sdk::export!(FailBudget: ConfigCheck + CancelPolicy);
