//! The exit codes: a promise to scripts. The README has the same table, and a test compares the two.

use playwarden_event::{Cause, Outcome, Status};

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Success = 0,
    /// The command line is wrong.
    Usage = 2,
    /// Hosts failed, or Ansible ended in a way that says nothing about hosts.
    HostsFailed = 10,
    /// Hosts were unreachable, and none failed.
    Unreachable = 11,
    /// Ansible could not start: a parse error, a vault, a missing file.
    CouldNotStart = 12,
    /// No host matched.
    NoHostsMatched = 13,
    /// A person canceled.
    CanceledByPerson = 20,
    /// A policy's verdict canceled.
    CanceledByPolicy = 21,
    /// The job's time limit.
    JobTimeout = 22,
    /// The idle time limit.
    IdleTimeout = 23,
    /// The configuration is wrong.
    Configuration = 30,
    /// A plugin does not load.
    PluginLoad = 31,
    /// A plugin's fault, with `on-fault` = `cancel` or `fail`.
    PluginFault = 32,
    /// The evidence could not be written.
    Evidence = 74,
}

impl Exit {
    /// Returns the code of a run's end.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match (&outcome.cause, outcome.status) {
            (_, Status::Successful) => Self::Success,
            (Some(Cause::HostsUnreachable), _) => Self::Unreachable,
            (Some(Cause::NoHostsMatched), _) => Self::NoHostsMatched,
            (Some(Cause::CouldNotStart { .. }), _) => Self::CouldNotStart,
            (Some(Cause::Plugin { .. }), _) => Self::CanceledByPolicy,
            (Some(Cause::PluginFault { .. }), _) => Self::PluginFault,
            (Some(Cause::Person), _) => Self::CanceledByPerson,
            (Some(Cause::JobTimeout), _) => Self::JobTimeout,
            (Some(Cause::IdleTimeout), _) => Self::IdleTimeout,
            (Some(Cause::HostTrouble { .. }), _) => Self::Evidence,
            (Some(Cause::HostsFailed | Cause::AnsibleEnded { .. }) | None, _) => Self::HostsFailed,
        }
    }

    /// Returns the number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}
