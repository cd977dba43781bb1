//! Refuses to start what a run may not use. README.md explains every key.
//!
//! [`Task`] is what a start says of a task, [`Law`] what is forbidden, and [`Fit`] how far the one is a case of the other:
//! before a task runs its templates are not filled in, so that much can be known for certain, or only be possible.
//!
//! **Invariant:** a start is judged by itself alone. Nothing that happened before makes a forbidden task a good one.

mod law;
mod pattern;
mod settings;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use law::{Finding, Law};
use pattern::Fit;
use playwarden_sdk::prelude::*;
use settings::{Config, Unknown, When};
use task::Task;

/// What was said of the tasks of one run.
type Said = BTreeSet<(String, Finding)>;

struct Forbidden {
    config: Config,
    law: Law,
    /// By run. Not kept over a restart: rather twice than never.
    said: BTreeMap<String, Said>,
}

impl Forbidden {
    fn with(config: Config) -> Self {
        Self { law: Law::new(&config), config, said: BTreeMap::new() }
    }

    fn judge(&mut self, run: &str, start: &Start) -> Verdict {
        if start.check_mode && !self.config.in_check_mode {
            return Verdict::Proceed;
        }
        let mut findings = self.law.findings(&Task::of(start));
        findings.retain(|finding| finding.fit == Fit::Yes || self.config.unknown == Unknown::Refuse);
        // Where `mode = "monitor"` lets a task go on, its next host has nothing new.
        let said = self.said.entry(run.to_owned()).or_default();
        findings.retain(|finding| said.insert((start.task_uuid.clone(), finding.clone())));
        // What is certain comes first, and is the code.
        findings.sort_by_key(|finding| finding.fit != Fit::Yes);
        let Some(first) = findings.first() else { return Verdict::Proceed };
        let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
        let text = format!("{}, task \"{}\": {}", start.host, start.task, texts.join("; "));
        let verdict = Verdict::cancel(text).code(first.code.as_str());
        match self.config.stop {
            When::Now => verdict,
            When::AfterRunningTasks => verdict.after_running_tasks(),
        }
    }
}

impl Plugin for Forbidden {
    fn new() -> Result<Self, Failure> {
        let config = config::config_with(Config::problems)?;
        Ok(Self::with(config))
    }
}

impl StartPolicy for Forbidden {
    fn admit(&mut self, source: &Source, start: &Start, _: &Totals) -> Result<Verdict, Failure> {
        Ok(self.judge(&format!("{} {}", source.run, source.job), start))
    }
}

impl ConfigCheck for Forbidden {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(Config::problems)
    }
}

playwarden_sdk::export!(Forbidden: ConfigCheck + StartPolicy);
