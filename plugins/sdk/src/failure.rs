//! Failures: calls that did not work out, though the plugin is well.

use std::time::Duration;

use crate::Failure;

impl Failure {
    /// Returns a failure that is not to be tried again.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_after_ms: None }
    }

    /// Returns the failure with leave to make the same call again after a while. A policy's calls are never
    /// made again: the run waits for them.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)), ..self }
    }
}

/// What `?` makes a failure of: the host's own refusals, which are text, and the errors that plugins meet.
macro_rules! from {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        })+
    };
}

from!(
    &str,
    String,
    std::fmt::Error,
    std::io::Error,
    std::num::ParseFloatError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    serde_json::Error,
);
