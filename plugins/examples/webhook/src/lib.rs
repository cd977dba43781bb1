//! Posts changes of the status and the outcome to a URL, signed. plugins/README.md explains every key.
//!
//! [`Message`] is what is posted, [`judge`] says what an answer means; both ask nothing of the host.
//!
//! **Invariant:** a message has the same id and body at each attempt, so that a receiver can tell that it had it already.

mod message;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use message::{Answer, Message, judge};
use playwarden_sdk::http::Request;
use playwarden_sdk::prelude::*;
use playwarden_sdk::time;
use settings::Config;

struct Webhook {
    config: Config,
    key: Option<String>,
    /// Attempts so far of what has not arrived yet, by id.
    attempts: BTreeMap<String, u32>,
}

impl Plugin for Webhook {
    fn new() -> Result<Self, Failure> {
        let config: Config = config()?;
        let key = config.key(config::secret).map_err(|problem| Failure::new(problem.message))?;
        Ok(Self { config, key, attempts: BTreeMap::new() })
    }
}

impl Webhook {
    fn wants(&self, status: &Status) -> bool {
        self.config.on.iter().any(|word| word == status.name())
    }

    fn post(&mut self, message: Message) -> Result<(), Failure> {
        let attempt = self.attempts.entry(message.id.clone()).or_insert(0);
        *attempt += 1;
        let answer = send(&self.config, self.key.as_deref(), &message)?;
        let judged = judge(answer, *attempt, self.config.attempts, self.config.origin());
        if !matches!(&judged, Err(failure) if failure.retry_after_ms.is_some()) {
            self.attempts.remove(&message.id);
        }
        judged
    }
}

fn send(config: &Config, key: Option<&str>, message: &Message) -> Result<Answer, Failure> {
    let mut request = Request::post(&config.url).timeout(Duration::from_millis(config.timeout_ms));
    for (name, value) in message.headers(key, time::now_ns() / 1_000_000_000)? {
        request = request.header(name, value);
    }
    for (name, value) in &config.headers {
        request = request.header(name, value.as_str());
    }
    Ok(match request.body(message.body.clone().into_bytes()).send() {
        Ok(response) => {
            // A date, its other form, is left to the usual waits.
            let wait = response.header("retry-after").and_then(|wait| wait.trim().parse().ok());
            Answer::Status(response.status, wait)
        }
        Err(error) if error.is_denied() => Answer::Denied,
        Err(error) => Answer::None(error.to_string()),
    })
}

impl StatusHandler for Webhook {
    fn on_status(&mut self, change: &Change) -> Result<(), Failure> {
        if self.wants(&change.to) { self.post(Message::of_change(change)) } else { Ok(()) }
    }
}

impl FinishedCallback for Webhook {
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure> {
        if self.wants(&finish.status) { self.post(Message::of_finish(finish)) } else { Ok(()) }
    }
}

impl ConfigCheck for Webhook {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        let (config, mut problems) = config::check::<Config>();
        if let Some(config) = config {
            problems.extend(config.problems());
            match config.key(config::secret) {
                Err(problem) => problems.push(problem),
                Ok(None) => {
                    let text = "no secret `token` is granted, so messages are not signed";
                    problems.push(Problem::warning("", text));
                }
                Ok(Some(_)) => {}
            }
        }
        problems
    }
}

playwarden_sdk::export!(Webhook: ConfigCheck + StatusHandler + FinishedCallback);
