//! Finds an error at `/threshold` and a warning about the whole in any configuration. The host must show both with
//! their lines in runner.toml, and start no run with it.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct RefusesConfig;

impl ConfigCheck for RefusesConfig {
    fn validate() -> Vec<Problem> {
        vec![
            Problem::error("/threshold", "no threshold is good enough for this guest"),
            Problem::warning("", "this guest refuses every configuration"),
        ]
    }
}

impl CancelPolicy for RefusesConfig {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Ok(Verdict::Proceed)
    }
}

playwarden_sdk::export!(RefusesConfig: ConfigCheck + CancelPolicy);
