//! The configuration, key by key as in README.md.

use playwarden_sdk::prelude::*;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) max_failed_hosts: Option<u32>,
    pub(crate) max_failed_percent: Option<f64>,
    pub(crate) max_unreachable_hosts: Option<u32>,
    pub(crate) warn_failed_hosts: Option<u32>,
    pub(crate) warn_failed_percent: Option<f64>,
    pub(crate) warn_unreachable_hosts: Option<u32>,
    pub(crate) unreachable_counts: bool,
    pub(crate) ignored_counts: bool,
    pub(crate) rescued_counts: bool,
    pub(crate) minimum_hosts: u32,
    pub(crate) window: Window,
    pub(crate) last_hosts: Option<u32>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) stop: When,
}

/// What a host is counted in: a host that failed in one window is a good host in the next.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Window {
    Run,
    Play,
    Batch,
    Group,
    LastHosts,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    Now,
    AfterRunningTasks,
}

/// How much may fail until something is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) failed_hosts: Option<u32>,
    pub(crate) failed_percent: Option<f64>,
    pub(crate) unreachable_hosts: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_failed_hosts: None,
            max_failed_percent: None,
            max_unreachable_hosts: None,
            warn_failed_hosts: None,
            warn_failed_percent: None,
            warn_unreachable_hosts: None,
            unreachable_counts: true,
            ignored_counts: false,
            rescued_counts: false,
            minimum_hosts: 1,
            window: Window::Run,
            last_hosts: None,
            groups: None,
            stop: When::Now,
        }
    }
}

impl Config {
    /// Returns what may fail until the run is canceled.
    pub(crate) fn maximum(&self) -> Limits {
        Limits {
            failed_hosts: self.max_failed_hosts,
            failed_percent: self.max_failed_percent,
            unreachable_hosts: self.max_unreachable_hosts,
        }
    }

    /// Returns what may fail until there is a warning.
    pub(crate) fn warning(&self) -> Limits {
        Limits {
            failed_hosts: self.warn_failed_hosts,
            failed_percent: self.warn_failed_percent,
            unreachable_hosts: self.warn_unreachable_hosts,
        }
    }

    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.problems_of_limits();
        problems.extend(self.problems_of_window());
        problems
    }

    fn problems_of_limits(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let percents = [("max", self.max_failed_percent), ("warn", self.warn_failed_percent)];
        for (which, percent) in percents {
            if let Some(percent) = percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
                let message = format!("{percent} is not within 0 to 100");
                problems.push(Problem::error(format!("/{which}-failed-percent"), message));
            }
        }
        if percents.iter().all(|(_, percent)| percent.is_none()) && self.minimum_hosts > 1 {
            problems.push(Problem::warning("/minimum-hosts", "has no effect without `max-failed-percent`"));
        }
        let (maximum, warning) = (self.maximum(), self.warning());
        let hosts = |limit: Option<u32>| limit.map(f64::from);
        let pairs = [
            ("failed-hosts", hosts(warning.failed_hosts), hosts(maximum.failed_hosts)),
            ("failed-percent", warning.failed_percent, maximum.failed_percent),
            ("unreachable-hosts", hosts(warning.unreachable_hosts), hosts(maximum.unreachable_hosts)),
        ];
        for (what, warns, cancels) in pairs {
            if warns.zip(cancels).is_some_and(|(warns, cancels)| warns >= cancels) {
                let message = format!("never warns: `max-{what}` is not larger, and cancels first");
                problems.push(Problem::warning(format!("/warn-{what}"), message));
            }
        }
        if pairs.iter().all(|(_, warns, cancels)| warns.is_none() && cancels.is_none()) {
            let needed = "one of `max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts` is needed";
            problems.push(Problem::error("", needed));
        }
        problems
    }

    fn problems_of_window(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match self.last_hosts {
            None if self.window == Window::LastHosts => {
                problems.push(Problem::error("", "`last-hosts` is needed: how many hosts the window has"));
            }
            Some(_) if self.window != Window::LastHosts => {
                problems.push(Problem::error("/last-hosts", "belongs to `window = \"last-hosts\"`"));
            }
            Some(0) => problems.push(Problem::error("/last-hosts", "must be 1 or more")),
            Some(hosts) if hosts < self.minimum_hosts => {
                let message = format!("the window never has {} hosts: make `last-hosts` larger", self.minimum_hosts);
                problems.push(Problem::error("/minimum-hosts", message));
            }
            _ => {}
        }
        match &self.groups {
            Some(_) if self.window != Window::Group => {
                problems.push(Problem::error("/groups", "belongs to `window = \"group\"`"));
            }
            Some(groups) if groups.is_empty() => {
                problems.push(Problem::error("/groups", "names no group; leave it out for all of them"));
            }
            _ => {}
        }
        problems
    }
}
