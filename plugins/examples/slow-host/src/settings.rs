//! The configuration, key by key as in README.md.

use playwarden_sdk::prelude::*;
use playwarden_sdk::time::Span;
use wildmatch::WildMatch;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) max_duration: Option<Span>,
    pub(crate) max_times_median: Option<f64>,
    pub(crate) durations: Option<String>,
    pub(crate) minimum_samples: u64,
    pub(crate) minimum_duration: Span,
    pub(crate) max_slow_hosts: Option<u32>,
    pub(crate) warn_slow_hosts: Option<u32>,
    pub(crate) tasks: Option<Vec<String>>,
    pub(crate) except_tasks: Vec<String>,
    pub(crate) stop: When,
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
            max_duration: None,
            max_times_median: None,
            durations: None,
            minimum_samples: 5,
            minimum_duration: Span::from_ms(10_000),
            max_slow_hosts: None,
            warn_slow_hosts: None,
            tasks: None,
            except_tasks: Vec::new(),
            stop: When::Now,
        }
    }
}

impl Config {
    /// Returns whether a task of this name is watched.
    pub(crate) fn is_watched(&self, task: &str) -> bool {
        let names = |patterns: &[String]| patterns.iter().any(|pattern| WildMatch::new(pattern).matches(task));
        self.tasks.as_ref().is_none_or(|tasks| names(tasks)) && !names(&self.except_tasks)
    }

    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.max_duration.is_none() && self.max_times_median.is_none() {
            problems.push(Problem::error("", "one of `max-duration` and `max-times-median` is needed"));
        }
        if self.max_slow_hosts.is_none() && self.warn_slow_hosts.is_none() {
            let needed = "one of `max-slow-hosts` and `warn-slow-hosts` is needed; 0 is the first slow host";
            problems.push(Problem::error("", needed));
        }
        if let (Some(warns), Some(cancels)) = (self.warn_slow_hosts, self.max_slow_hosts)
            && warns >= cancels
        {
            let never = "never warns: `max-slow-hosts` is not larger, and cancels first";
            problems.push(Problem::warning("/warn-slow-hosts", never));
        }
        if let Some(times) = self.max_times_median.filter(|times| !(times.is_finite() && *times > 1.0)) {
            let message = format!("{times} times the median would make half of the hosts slow: write more than 1");
            problems.push(Problem::error("/max-times-median", message));
        }
        match (&self.durations, self.max_times_median) {
            (None, Some(_)) => {
                let needed = "`durations` is needed: a file that `playwarden export --to durations` made, in a folder of \
                              `grants.read`";
                problems.push(Problem::error("", needed));
            }
            (Some(_), None) => problems.push(Problem::error("/durations", "belongs to `max-times-median`")),
            _ => {}
        }
        if self.minimum_samples == 0 {
            problems.push(Problem::error("/minimum-samples", "must be 1 or more"));
        }
        if self.tasks.as_ref().is_some_and(Vec::is_empty) {
            problems.push(Problem::error("/tasks", "names no task; leave it out for all of them"));
        }
        problems
    }
}
