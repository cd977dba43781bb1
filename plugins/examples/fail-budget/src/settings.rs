//! The configuration, key by key as in README.md.

use playwarden_sdk::prelude::*;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) max_failed_hosts: Option<u32>,
    pub(crate) max_failed_percent: Option<f64>,
    pub(crate) max_unreachable_hosts: Option<u32>,
    pub(crate) unreachable_counts: bool,
    pub(crate) ignored_counts: bool,
    pub(crate) rescued_counts: bool,
    pub(crate) minimum_hosts: u32,
    pub(crate) window: Window,
    pub(crate) stop: When,
}

/// What a host is counted in: a host that failed in one window is a good host in the next.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Window {
    Run,
    Play,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    Now,
    AfterRunningTasks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_failed_hosts: None,
            max_failed_percent: None,
            max_unreachable_hosts: None,
            unreachable_counts: true,
            ignored_counts: false,
            rescued_counts: false,
            minimum_hosts: 1,
            window: Window::Run,
            stop: When::Now,
        }
    }
}

impl Config {
    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match self.max_failed_percent {
            Some(percent) if !(0.0..=100.0).contains(&percent) => {
                problems.push(Problem::error("/max-failed-percent", format!("{percent} is not within 0 to 100")));
            }
            None if self.minimum_hosts > 1 => {
                problems.push(Problem::warning("/minimum-hosts", "has no effect without `max-failed-percent`"));
            }
            _ => {}
        }
        if self.max_failed_hosts.is_none() && self.max_failed_percent.is_none() && self.max_unreachable_hosts.is_none()
        {
            let needed = "one of `max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts` is needed";
            problems.push(Problem::error("", needed));
        }
        problems
    }
}
