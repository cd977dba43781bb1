//! The configuration, key by key as in plugins/README.md.

use std::collections::BTreeMap;

use playwarden_sdk::prelude::*;

/// The secret that signs unless `secret` names another one.
const SECRET: &str = "token";

/// Headers that are the plugin's own or the host's.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "x-playwarden-signature",
    "x-playwarden-timestamp",
];

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) url: String,
    #[serde(default = "usual_statuses")]
    pub(crate) on: Vec<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) secret: Option<String>,
    #[serde(default = "usual_attempts")]
    pub(crate) attempts: u32,
    #[serde(default = "usual_timeout")]
    pub(crate) timeout_ms: u64,
}

fn usual_statuses() -> Vec<String> {
    ["running", "successful", "failed", "canceled", "timeout", "lost"].map(str::to_owned).to_vec()
}

fn usual_attempts() -> u32 {
    5
}

/// Shorter than a call may usually take, so that there is time left to say what happened.
fn usual_timeout() -> u64 {
    800
}

impl Config {
    /// Returns the secret that messages are signed with; none when there is none to be used.
    ///
    /// # Errors
    ///
    /// The configuration names one that is not granted.
    pub(crate) fn key(&self, granted: impl Fn(&str) -> Option<String>) -> Result<Option<String>, Problem> {
        let Some(name) = &self.secret else { return Ok(granted(SECRET)) };
        granted(name).map(Some).ok_or_else(|| {
            let remedy =
                format!("add `secrets.{name} = {{ env = \"VARIABLE\" }}` to the plugin's `grants` in runner.toml");
            Problem::error("/secret", format!("no secret `{name}` is granted; {remedy}"))
        })
    }

    /// Returns scheme and authority of the URL: what has to be granted.
    pub(crate) fn origin(&self) -> &str {
        let start = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[start..].find(['/', '?', '#']).map_or(self.url.len(), |at| start + at);
        &self.url[..end]
    }

    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let authority = self.origin().split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
        match authority {
            Some((_, authority)) if !authority.is_empty() && !authority.contains(['@', ' ']) => {}
            _ => problems.push(Problem::error("/url", "must be such as `https://chat.example.com/hook`")),
        }
        for (index, word) in self.on.iter().enumerate() {
            if matches!(Status::from_name(word), Status::Other(_)) {
                problems.push(Problem::error(format!("/on/{index}"), format!("`{word}` is no status")));
            }
        }
        if self.on.is_empty() {
            problems.push(Problem::warning("/on", "is empty, so nothing is ever posted"));
        }
        for name in self.headers.keys() {
            let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
                problems.push(Problem::error(pointer, "is set by the plugin itself, or not at all"));
            } else if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                problems.push(Problem::error(pointer, "is no name of a header"));
            }
        }
        if self.attempts == 0 {
            problems.push(Problem::error("/attempts", "must be at least 1"));
        }
        if self.timeout_ms == 0 {
            problems.push(Problem::error("/timeout-ms", "must be at least 1"));
        }
        problems
    }
}
