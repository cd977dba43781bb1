//! Judges a run by a team's own rules in Rego. README.md explains every key.
//!
//! [`Policy`](policy::Policy) evaluates; what rules are given is made in the crate `rules-input`.
//!
//! **Invariant:** rules see one event or one start at a time, and what they find of a host is said once. So it does not
//! matter in how many calls the events arrive.

mod launch;
mod policy;
mod settings;
#[cfg(test)]
mod tests;

use playwarden_sdk::prelude::*;
use policy::Policy;
use rules_input::{Document, Finding, Severity as What};
use settings::Config;

/// A team's rules, over one run.
struct Rego {
    config: Config,
    policy: Policy,
    document: Document,
    /// Whether this instance still has to judge the launch.
    is_first: bool,
}

impl Plugin for Rego {
    fn new() -> Result<Self, Failure> {
        let config: Config = config()?;
        let policy = config.policy()?;
        let is_first = policy.has_launch();
        Ok(Self { config, policy, document: Document::default(), is_first })
    }
}

impl Rego {
    /// Judges the launch, once in a run; after a restart of the instance again, to the same end.
    fn judge_launch(&mut self, source: &Source, now_ns: u64) -> Result<Option<Finding>, Failure> {
        if !std::mem::take(&mut self.is_first) {
            return Ok(None);
        }
        let input = launch::input(self.document.run(source), self.document.plan(), now_ns);
        let refused = self.policy.judge_launch(input)?;
        Ok(refused.map(|text| Finding {
            severity: What::Cancel,
            text,
            code: "launch-denied".to_owned(),
            host: None,
            event: None,
            stop: self.config.stop,
        }))
    }

    /// Judges one event or one start.
    fn judge(
        &mut self,
        source: &Source,
        totals: &Totals,
        (part, host, event): ((&str, serde_json::Value), Option<&str>, Option<u64>),
        found: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        for said in self.policy.judge(self.document.of(source, totals, part))? {
            let code = said.code.unwrap_or_else(|| {
                match said.severity {
                    What::Cancel => "denied",
                    What::Warn => "warned",
                }
                .to_owned()
            });
            let (severity, text, host) = (said.severity, said.text, host.map(str::to_owned));
            let finding = Finding { severity, text, code, host, event, stop: self.config.stop };
            found.push(finding);
        }
        Ok(())
    }
}

impl Lifecycle for Rego {
    fn start(&mut self, run: &Run) -> Result<(), Failure> {
        self.document.begin(run);
        Ok(())
    }
}

impl CancelPolicy for Rego {
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        let first = events.first().map_or(0, |event| event.time_ns);
        let mut found = Vec::from_iter(self.judge_launch(source, first)?);
        for event in events {
            if !self.policy.has_rules() || !self.config.on.has_event(event) {
                continue;
            }
            let what = (rules_input::event(source, event), event.host.as_deref(), Some(event.counter));
            self.judge(source, totals, what, &mut found)?;
        }
        rules_input::say(source, found)
    }
}

impl StartPolicy for Rego {
    fn admit(&mut self, source: &Source, start: &Start, totals: &Totals) -> Result<Verdict, Failure> {
        let mut found = Vec::from_iter(self.judge_launch(source, start.time_ns)?);
        if self.policy.has_rules() && self.config.on.has_start() {
            let what = (rules_input::start(start), Some(start.host.as_str()), None);
            self.judge(source, totals, what, &mut found)?;
        }
        rules_input::say(source, found)
    }
}

impl ConfigCheck for Rego {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(|config: &Config| config.policy().err().unwrap_or_default())
    }
}

playwarden_sdk::export!(Rego: ConfigCheck + Lifecycle + CancelPolicy + StartPolicy);
