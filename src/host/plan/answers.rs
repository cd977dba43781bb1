//! What is typed when something asks for it.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A text that is never shown: neither by `Debug` nor in what is written down.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text to itself.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for whoever has a use for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("…")
    }
}

/// What is typed at one prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The prompt: a regular expression in the manner of Python's, in which `^` and `$` are of a line.
    pub pattern: String,
    /// What is typed, without the end of the line.
    pub answer: Secret,
}
