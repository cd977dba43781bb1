//! What is posted, and what an answer to it means.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use playwarden_sdk::prelude::*;
use playwarden_sdk::time;
use serde_json::{Value, json};
use sha2::Sha256;

/// No wait between two attempts is longer, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A message, the same at each attempt.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// The same for the same fact, whoever sends it again: `Idempotency-Key`, and the body's `id`.
    pub(crate) id: String,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn of_change(change: &Change) -> Self {
        let Change { source, from, to, time_ns, detail, totals, .. } = change;
        let id = format!("{}/status/{}", source.run, to.name());
        let body = json!({
            "schema": 1,
            "id": id,
            "event": "status",
            "time": time::rfc3339(*time_ns),
            "run": source.run,
            "job": source.job,
            "from": from.name(),
            "status": to.name(),
            "detail": detail,
            "totals": counts(&totals.run),
        });
        Self { id, body: body.to_string() }
    }

    pub(crate) fn of_finish(finish: &Finish) -> Self {
        let Finish { source, status, rc, cause, by, started_ns, finished_ns, last_event, totals, .. } = finish;
        let id = format!("{}/finished/{last_event}", source.run);
        let reason = finish.reason.as_ref();
        let body = json!({
            "schema": 1,
            "id": id,
            "event": "finished",
            "time": time::rfc3339(*finished_ns),
            "run": source.run,
            "job": source.job,
            "status": status.name(),
            "cause": cause,
            "reason": reason.map(|reason| json!({"text": reason.text, "code": reason.code, "event": reason.event})),
            "by": by,
            "rc": rc,
            "started": time::rfc3339(*started_ns),
            "finished": time::rfc3339(*finished_ns),
            "last_event": last_event,
            "totals": counts(&totals.run),
        });
        Self { id, body: body.to_string() }
    }

    /// Returns the headers of an attempt at a time, given in seconds since 1970.
    ///
    /// # Errors
    ///
    /// The key cannot sign.
    pub(crate) fn headers(&self, key: Option<&str>, now: u64) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", self.id.clone()),
            ("x-playwarden-timestamp", now.to_string()),
        ];
        if let Some(key) = key {
            headers.push(("x-playwarden-signature", format!("sha256={}", signature(key, now, &self.body)?)));
        }
        Ok(headers)
    }
}

/// HMAC-SHA256 of the timestamp, a dot and the body, so that an old message cannot be sent again as a new one.
fn signature(key: &str, now: u64, body: &str) -> Result<String, Failure> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mut mac = mac.map_err(|error| Failure::new(format!("the secret cannot sign: {error}")))?;
    mac.update(format!("{now}.{body}").as_bytes());
    Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn counts(tally: &Tally) -> Value {
    json!({
        "hosts": tally.hosts, "hosts_failed": tally.hosts_failed, "hosts_unreachable": tally.hosts_unreachable,
        "hosts_changed": tally.hosts_changed, "ok": tally.ok, "changed": tally.changed, "failed": tally.failed,
        "unreachable": tally.unreachable, "skipped": tally.skipped, "rescued": tally.rescued, "ignored": tally.ignored,
    })
}

/// What came of an attempt.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The server's status code and, in seconds, its `Retry-After`.
    Status(u16, Option<u64>),
    /// No answer came.
    None(String),
    /// The host did not let the request out.
    Denied,
}

/// Says whether the message has arrived, and if not, whether and when it is to be tried again.
///
/// # Errors
///
/// It has not. `retry_after` is set where another attempt may help and there are any left.
pub(crate) fn judge(answer: Answer, attempt: u32, attempts: u32, origin: &str) -> Result<(), Failure> {
    let (text, wait) = match answer {
        Answer::Status(200..300, _) => return Ok(()),
        Answer::Status(code @ (408 | 425 | 429 | 500..), wait) => (format!("{origin} answered {code}"), wait),
        Answer::Status(code, _) => {
            return Err(Failure::new(format!("{origin} answered {code}; it is not tried again")));
        }
        Answer::None(text) => (format!("{origin}: {text}"), None),
        Answer::Denied => {
            let grant = format!("add `http = [\"{origin}\"]` to the plugin's `grants` in runner.toml");
            return Err(Failure::new(format!("the origin {origin} is not granted; {grant}")));
        }
    };
    if attempt >= attempts {
        return Err(Failure::new(format!("{text}; given up after {attempt} attempts")));
    }
    // 1 s, 2 s, 4 s and so on.
    let wait = wait.map_or_else(|| Duration::from_secs(1 << (attempt - 1).min(8)), Duration::from_secs);
    Err(Failure::new(format!("{text} at attempt {attempt} of {attempts}")).retry_after(wait.min(LONGEST_WAIT)))
}
