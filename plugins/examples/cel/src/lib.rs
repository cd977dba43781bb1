//! Judges a run by a team's own rules in CEL, the Common Expression Language. README.md explains every key.
//!
//! [`rules`] compiles and evaluates; what rules are given is made in the crate `rules-input`.
//!
//! **Invariant:** rules see one event or one start at a time, and what they find of a host is said once. So it does not
//! matter in how many calls the events arrive.

mod rules;
mod settings;
#[cfg(test)]
mod tests;

use playwarden_sdk::prelude::*;
use rules::{Compiler, Rule};
use rules_input::{Document, Finding};
use settings::Config;

/// A team's rules, over one run.
struct Cel {
    compiler: Compiler,
    rules: Vec<Rule>,
    document: Document,
}

impl Plugin for Cel {
    fn new() -> Result<Self, Failure> {
        let config: Config = config()?;
        let compiler = Compiler::new();
        let rules = config.rules(&compiler)?;
        Ok(Self { compiler, rules, document: Document::default() })
    }
}

impl Cel {
    /// Asks the rules that `is_meant` about one event or one start.
    fn judge(
        &self,
        source: &Source,
        totals: &Totals,
        is_meant: impl Fn(&Rule) -> bool,
        what: impl FnOnce() -> (&'static str, serde_json::Value),
        (host, event): (Option<&str>, Option<u64>),
        found: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let mut meant = self.rules.iter().filter(|rule| is_meant(rule)).peekable();
        if meant.peek().is_none() {
            return Ok(());
        }
        let input = self.compiler.input(self.document.of(source, totals, what()));
        for rule in meant {
            let Some(text) = rule.judge(&input)? else { continue };
            let (code, host) = (rule.name.clone(), host.map(str::to_owned));
            let finding = Finding { severity: rule.verdict, text, code, host, event, stop: rule.stop };
            found.push(finding);
        }
        Ok(())
    }
}

impl Lifecycle for Cel {
    fn start(&mut self, run: &Run) -> Result<(), Failure> {
        self.document.begin(run);
        Ok(())
    }
}

impl CancelPolicy for Cel {
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        let mut found = Vec::new();
        for event in events {
            let is_meant = |rule: &Rule| rule.on.has_event(event);
            let what = || rules_input::event(source, event);
            let place = (event.host.as_deref(), Some(event.counter));
            self.judge(source, totals, is_meant, what, place, &mut found)?;
        }
        rules_input::say(source, found)
    }
}

impl StartPolicy for Cel {
    fn admit(&mut self, source: &Source, start: &Start, totals: &Totals) -> Result<Verdict, Failure> {
        let mut found = Vec::new();
        let is_meant = |rule: &Rule| rule.on.has_start();
        let place = (Some(start.host.as_str()), None);
        self.judge(source, totals, is_meant, || rules_input::start(start), place, &mut found)?;
        rules_input::say(source, found)
    }
}

impl ConfigCheck for Cel {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(|config: &Config| config.rules(&Compiler::new()).err().unwrap_or_default())
    }
}

playwarden_sdk::export!(Cel: ConfigCheck + Lifecycle + CancelPolicy + StartPolicy);
