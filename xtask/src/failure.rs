//! Why a chore could not be done, for a person to read.

use std::fmt;

/// What could not be done, why, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    details: Vec<(&'static str, String)>,
}

impl Failure {
    /// A failure in one sentence without a full stop.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), details: Vec::new() }
    }

    /// Adds why.
    pub(crate) fn because(self, cause: impl fmt::Display) -> Self {
        self.with("caused by", cause)
    }

    /// Adds the command that failed.
    pub(crate) fn command(self, command: impl fmt::Display) -> Self {
        self.with("command", command)
    }

    /// Adds what a person can do.
    pub(crate) fn hint(self, hint: impl fmt::Display) -> Self {
        self.with("hint", hint)
    }

    fn with(mut self, label: &'static str, text: impl fmt::Display) -> Self {
        self.details.push((label, text.to_string()));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for (label, text) in &self.details {
            write!(f, "\n{label}: {text}")?;
        }
        Ok(())
    }
}
