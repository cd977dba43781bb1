//! Cancels a run when more hosts failed than are allowed.

use playwarden_sdk::prelude::*;

#[derive(Clone, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    max_failed_hosts: u32,
}

struct Policy {
    config: Config,
    /// One verdict is enough, also where `mode = "monitor"` lets the run go on.
    spoken: bool,
}

impl Plugin for Policy {
    fn new() -> Result<Self, Failure> {
        Ok(Self { config: config()?, spoken: false })
    }
}

impl CancelPolicy for Policy {
    fn evaluate(&mut self, _: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        let (failed, hosts, max) = (totals.run.hosts_failed, totals.run.hosts, self.config.max_failed_hosts);
        if self.spoken || failed <= max {
            return Ok(Verdict::Proceed);
        }
        self.spoken = true;
        let text = format!("{failed} of {hosts} hosts failed, more than the {max} allowed");
        let verdict = Verdict::cancel(text).code("too-many-failed");
        let counts = |event: &&Event| !event.marked(Marks::IGNORED) && !event.marked(Marks::RESCUED);
        Ok(match events.iter().rev().filter(|event| event.failed()).find(counts) {
            Some(event) => verdict.at(event),
            None => verdict,
        })
    }
}

impl ConfigCheck for Policy {
    fn schema() -> &'static str {
        r#"{
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "max-failed-hosts": {
                    "description": "So many hosts may fail; one more cancels.",
                    "type": "integer", "minimum": 0, "default": 0
                }
            }
        }"#
    }

    fn validate() -> Vec<Problem> {
        config::check::<Config>().1
    }
}

playwarden_sdk::export!(Policy: ConfigCheck + CancelPolicy);
