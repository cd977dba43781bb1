//! Takes a guest's secrets out of what it says and writes: it may use them, and need not show them.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What stands in the place of a secret, as everywhere else in a run.
const MASK: &str = "********";

/// Shorter texts stand for too much else.
const SHORTEST: usize = 4;

/// Shorter lines of a secret, such as those of a key's end, say nothing alone.
const SHORTEST_LINE: usize = 8;

/// The secrets of one guest, longest first, so that none leaves a part of itself behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    /// Knows secrets whole, line by line, and as they stand in JSON.
    pub(crate) fn new(secrets: &BTreeMap<String, String>) -> Self {
        let lines = |secret: &str| -> Vec<String> {
            let lines = secret.lines().filter(|line| line.chars().count() >= SHORTEST_LINE).map(str::to_owned);
            lines.chain([secret.to_owned()]).collect()
        };
        let plain: Vec<String> = secrets.values().flat_map(|secret| lines(secret)).collect();
        let quoted = plain.iter().filter_map(|text| {
            let quoted = serde_json::to_string(text).ok()?;
            Some(quoted[1..quoted.len() - 1].to_owned())
        });
        let mut all: Vec<String> = plain.iter().cloned().chain(quoted).collect();
        all.retain(|text| text.chars().count() >= SHORTEST);
        all.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        all.dedup();
        Self(all)
    }

    /// Masks a text.
    pub(crate) fn text(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    /// Masks bytes that may be anything. A secret that is written in pieces is not found.
    pub(crate) fn bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut clean = Cow::Borrowed(bytes);
        for secret in &self.0 {
            let mut from = 0;
            while let Some(at) = find(&clean[from..], secret.as_bytes()) {
                clean.to_mut().splice(from + at..from + at + secret.len(), MASK.bytes());
                from += at + MASK.len();
            }
        }
        clean
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    match std::str::from_utf8(wanted).ok().zip(std::str::from_utf8(bytes).ok()) {
        // Much the faster way.
        Some((wanted, text)) => text.find(wanted),
        None => bytes.windows(wanted.len()).position(|window| window == wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_in_every_form_and_the_rest_stays() {
        let secrets =
            [("a", "hunter22"), ("b", "line one 1\nend\nline \"two\" 2"), ("c", "abc"), ("d", "hunter22-long")];
        let mask = Mask::new(&secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        for (text, clean) in [
            ("hunter22hunter22 hunter22-long abc", "**************** ******** abc"),
            ("x line one 1 end", "x ******** end"),
            (r#"{"k":"line one 1\nend\nline \"two\" 2"}"#, r#"{"k":"********"}"#),
            ("", ""),
        ] {
            assert_eq!(mask.text(text.to_owned()), clean);
            assert_eq!(*mask.bytes(text.as_bytes()), *clean.as_bytes());
        }
        assert_eq!(*mask.bytes(b"\xffhunter22\xffhunter22"), *b"\xff********\xff********");
        assert!(matches!(mask.bytes(b"\xff nothing"), Cow::Borrowed(_)));
    }
}
