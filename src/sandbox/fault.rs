//! What can happen to a plugin.

use std::fmt;
use std::time::Duration;

/// The kinds of fault, told apart in messages, journal and exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The guest trapped: a panic, an exception nobody caught, an instruction that cannot be.
    Trap,
    /// A call took longer than its limit.
    Timeout,
    /// The guest wanted more memory than its limit.
    Memory,
    /// The guest logged more than its limit.
    Log,
    /// The guest answered that the call did not work out. The instance lives on.
    Failure,
    /// The host could not carry the call out.
    Host,
}

impl FaultKind {
    /// Returns the word for it, as it stands in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Log => "log",
            Self::Failure => "failure",
            Self::Host => "host",
        }
    }
}

/// A call that did not come to an answer. Unless it is a [`FaultKind::Failure`] the instance is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The function that was called, such as `cancel-policy.evaluate`.
    pub call: &'static str,
    /// What kind it is.
    pub kind: FaultKind,
    /// What is known of it, for people.
    pub text: String,
    /// The end of what the guest wrote to standard error, where languages print their exceptions.
    pub stderr: String,
    /// After how long the same call may be made again; none: do not repeat it. Only of a [`FaultKind::Failure`].
    pub retry_after: Option<Duration>,
}

impl Fault {
    pub(crate) fn new(call: &'static str, kind: FaultKind, text: String) -> Self {
        Self { call, kind, text, stderr: String::new(), retry_after: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broke in `{}`: {}", self.call, self.text)
    }
}

impl std::error::Error for Fault {}
