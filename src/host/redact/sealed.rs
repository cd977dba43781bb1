//! Secrets that can be found again and not read: for who comes after a host that was killed.
//!
//! Text that Ansible printed must be redacted before it goes into the journal, also by a command that has never known the
//! secrets. So their digests lie in the run's private folder as long as the run is alive: salted, by length. A text is
//! searched by a rolling checksum of few bits, which finds candidates, and the digest decides.
//!
//! What a digest hides is as strong as the secret: who can read the private folder can guess. They can read there what
//! Ansible printed, too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::MASK;
use crate::hex;

/// Odd, so that no bit of a byte is lost in a long window.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// Digests of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Sealed {
    salt: String,
    /// By length in bytes: checksums, and the digests that they lead to.
    lengths: BTreeMap<usize, Vec<(u16, String)>>,
}

impl Sealed {
    /// Seals texts, none of them empty.
    pub(super) fn new(texts: &[String]) -> Self {
        let mut sealed = Self { salt: Uuid::new_v4().to_string(), lengths: BTreeMap::new() };
        for text in texts {
            let entry = (checksum(rolled(text.as_bytes())), sealed.digest(text.as_bytes()));
            sealed.lengths.entry(text.len()).or_default().push(entry);
        }
        sealed
    }

    /// Masks every text that was sealed, longer ones first.
    pub(super) fn mask<'t>(&self, text: &'t str, masked: &mut dyn FnMut()) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (length, entries) in self.lengths.iter().rev() {
            if let Some(clean) = self.mask_length(&text, *length, entries, masked) {
                text = Cow::Owned(clean);
            }
        }
        text
    }

    fn mask_length(
        &self,
        text: &str,
        length: usize,
        entries: &[(u16, String)],
        masked: &mut dyn FnMut(),
    ) -> Option<String> {
        let bytes = text.as_bytes();
        // The weight of the byte that leaves the window.
        let last = (1..length).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        let mut window = rolled(bytes.get(..length)?);
        let (mut clean, mut kept, mut at) = (String::new(), 0, 0);
        loop {
            let found = entries
                .iter()
                .any(|(sum, digest)| *sum == checksum(window) && *digest == self.digest(&bytes[at..at + length]));
            // What was sealed was text, so that it begins and ends where characters do.
            let step = match text.get(at..at + length) {
                Some(_) if found => {
                    masked();
                    clean.push_str(&text[kept..at]);
                    clean.push_str(MASK);
                    kept = at + length;
                    length
                }
                _ => 1,
            };
            if at + step + length > bytes.len() {
                break;
            }
            if step == 1 {
                window = window.wrapping_sub(u64::from(bytes[at]).wrapping_mul(last));
                window = window.wrapping_mul(BASE).wrapping_add(u64::from(bytes[at + length]));
            } else {
                window = rolled(&bytes[at + step..at + step + length]);
            }
            at += step;
        }
        clean.push_str(&text[kept..]);
        (kept > 0).then_some(clean)
    }

    fn digest(&self, bytes: &[u8]) -> String {
        hex(&Sha256::new().chain_update(&self.salt).chain_update(bytes).finalize())
    }
}

fn rolled(window: &[u8]) -> u64 {
    window.iter().fold(0, |sum, byte| sum.wrapping_mul(BASE).wrapping_add(u64::from(*byte)))
}

/// Few bits, so that the checksum alone tells little; the highest ones, which all bytes reach.
fn checksum(window: u64) -> u16 {
    let [high, low, ..] = window.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(texts: &[&str]) -> Sealed {
        Sealed::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_was_sealed_is_masked_wherever_it_stands() {
        let sealed = sealed(&["hunter2", "schlüssel", "hunter2-long", "x"]);
        for (text, expected) in [
            ("hunter2", "********"),
            ("a hunter2", "a ********"),
            ("hunter2hunter2 b", "**************** b"),
            ("hunter2-long, hunter2-lon", "********, ********-lon"),
            ("ein schlüssel für ünter", "ein ******** für ünter"),
            ("hunter", "hunter"),
            ("", ""),
            ("äx", "ä********"),
        ] {
            assert_eq!(sealed.mask(text, &mut || {}), expected);
        }
    }

    #[test]
    fn a_seal_does_not_tell_what_it_hides() {
        let text = serde_json::to_string(&sealed(&["hunter2"])).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let again: Sealed = serde_json::from_str(&text).unwrap();
        assert_eq!(again.mask("my hunter2", &mut || {}), "my ********");
    }

    #[test]
    fn without_secrets_nothing_is_masked() {
        assert_eq!(Sealed::default().mask("text", &mut || {}), Cow::Borrowed("text"));
    }
}
