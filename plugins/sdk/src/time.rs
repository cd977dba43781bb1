//! Moments as text: RFC 3339 in UTC, to the microsecond, as events carry them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Error as _};

const DAY: u64 = 86_400;

/// A duration of a configuration: a text such as `10m` or `1h30m`, with the units `d`, `h`, `m`, `s` and `ms`, as in
/// runner.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// From the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", DAY * 1000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// Makes one of milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// Returns it in milliseconds, at most what fits.
    #[must_use]
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads one; none when the text is something else, or its units are not from the longest to the shortest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0_u64);
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let (_, factor) = units.find(|(name, _)| *name == unit)?;
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
            rest = tail;
        }
        (!text.is_empty()).then(|| Self::from_ms(total))
    }
}

/// As it is read; below a millisecond is lost.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.ms();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is not a duration: write a number and a unit, such as `90s` or `1h30m`"))
        })
    }
}

/// Returns the present moment in nanoseconds since 1970-01-01T00:00:00Z, by the clock of WASI.
#[must_use]
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes a moment, given in nanoseconds since 1970-01-01T00:00:00Z, such as `2026-11-22T05:15:34.031376Z`.
#[must_use]
pub fn rfc3339(ns: u64) -> String {
    let (seconds, micros) = (ns / 1_000_000_000, ns % 1_000_000_000 / 1000);
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Reads what [`rfc3339`] writes, and the journal's `created`; none for other zones than UTC and what is no such text.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (date, clock) = text.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let numbers = |text: &str, separator| -> Option<[u64; 3]> {
        let found: Vec<u64> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
        found.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    if !(1970..=2500).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 {
        return None;
    }
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    let nanos = format!("{fraction:0<9}").get(..9)?.parse::<u64>().ok()?;
    Some(seconds * 1_000_000_000 + nanos)
}

/// Returns year, month and day of a day since 1970. Years begin in March here, so that a leap day is the last of one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Returns the days since 1970 of a date not before it.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let month = (month + 9) % 12;
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back_loses_nothing_that_it_shows() {
        assert_eq!(rfc3339(1_795_324_534_031_376_999), "2026-11-22T05:15:34.031376Z");
        for text in ["1970-01-01T00:00:00.000000Z", "2000-02-29T23:59:59.999999Z", "2100-03-01T00:00:00.000001Z"] {
            assert_eq!(parse_rfc3339(text).map(rfc3339).as_deref(), Some(text));
        }
        assert_eq!(parse_rfc3339("2026-11-22T05:15:34.031376+00:00"), Some(1_795_324_534_031_376_000));
        assert_eq!(parse_rfc3339("2026-11-22T05:15:34Z"), Some(1_795_324_534_000_000_000));
    }

    #[test]
    fn what_is_no_moment_in_utc_is_none() {
        for text in ["", "2026-11-22", "2026-11-22T05:15:34", "2026-13-22T05:15:34Z", "2026-11-22T05:15:34+01:00"] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_they_are_shown() {
        for text in ["90s", "1h30m", "2d", "250ms", "1m5s", "0s"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(Span::parse(&span.to_string()), Some(span), "{text}");
        }
        assert_eq!(Span::parse("90s"), Some(Span::from_ms(90_000)));
        assert_eq!(Span::parse("90s").unwrap().to_string(), "1m30s");
        for text in ["", "90", "s", "5m1h", "1h1h", "1.5h", "-1s", "1 h", "99999999999999999999s", "9999999999999d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
