//! Moments, to the microsecond.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A moment in UTC, with the microseconds that the journal's `created` has room for.
///
/// Nothing finer is kept, so that a replayed event carries the same time as the live one did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Returns the present moment.
    #[must_use]
    pub fn now() -> Self {
        Self::trimmed(jiff::Timestamp::now())
    }

    /// Returns the moment so many nanoseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_ns(ns: u64) -> Self {
        let time = jiff::Timestamp::from_nanosecond(i128::from(ns));
        Self::trimmed(time.unwrap_or(jiff::Timestamp::MAX))
    }

    /// Returns the nanoseconds since 1970-01-01T00:00:00Z; 0 for earlier moments.
    #[must_use]
    pub fn ns(self) -> u64 {
        u64::try_from(self.0.as_nanosecond()).unwrap_or(0)
    }

    /// Returns the time from `earlier` to this moment; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.ns().saturating_sub(earlier.ns()))
    }

    fn trimmed(time: jiff::Timestamp) -> Self {
        Self(jiff::Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time))
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 as ansible-runner writes `created`: `2026-11-22T05:15:34.031376+00:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::trimmed)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back_loses_nothing() {
        let time = Timestamp::from_ns(1_795_324_534_031_376_999);
        assert_eq!(time.to_string(), "2026-11-22T05:15:34.031376+00:00");
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        assert_eq!(time.ns(), 1_795_324_534_031_376_000);
        assert_eq!("2026-11-22T00:15:34.031376-05:00".parse::<Timestamp>().unwrap(), time);
    }
}
