//! Durations and sizes as people write them.
//!
//! **Invariant:** what [`show_duration`] writes, [`parse_duration`] reads back
//! as the same duration, to the millisecond.

use std::time::Duration;

use serde::Serializer;

/// Largest first: the order in which the parts of a duration must stand.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

const SIZES: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Parses `2h`, `1h30m` or `500ms`; `None` for anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = TIMES.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, unit, tail) = split(rest)?;
        // Taking from the one iterator refuses repeated and disordered units.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        rest = tail;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// Writes a duration as [`parse_duration`] reads it; below a millisecond is lost.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, factor) in TIMES {
        if rest >= factor {
            parts.push(format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.concat() }
}

/// Parses `64MiB` into bytes; only binary units, so that nobody has to guess.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit, rest) = split(text)?;
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
    if rest.is_empty() { number.checked_mul(*factor) } else { None }
}

/// Splits `90s…` into its number, its unit and what follows.
fn split(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(end);
    Some((number.parse().ok()?, unit, tail))
}

/// Serializes a duration as text, for `#[serde(serialize_with)]`.
pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_duration(*duration))
}

/// Serializes a duration that may be absent.
#[expect(clippy::ref_option, reason = "the signature serde asks for")]
pub(crate) fn serialize_option<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => to.serialize_some(&show_duration(*duration)),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for (text, millis) in [("2h", 7_200_000), ("1h30m", 5_400_000), ("1m30s", 90_000), ("1d", 86_400_000)] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(text), Some(duration));
            assert_eq!(show_duration(duration), text);
        }
        assert_eq!(show_duration(Duration::from_millis(1500)), "1s500ms");
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(show_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "5", "h", "5 s", "1.5h", "30m1h", "1h1h", "-1s", "1s\u{e9}", "99999999999999999999s", "300000000000d"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(parse_size("64MiB"), Some(64 << 20));
        assert_eq!(parse_size("10B"), Some(10));
        for text in ["64MB", "64", "64 MiB", "MiB", "1GiB1MiB", "99999999TiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
