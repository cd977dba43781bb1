//! One line of the journal: an event, and its place in the chain.
//!
//! A line is the event's JSON with two more keys at its end: `prev`, the `hash` of the line before (64 zeros on the
//! first), and `hash`, the SHA-256 of the line's exact bytes without that last key. What computes the hash is not here:
//! this crate only knows where it stands.

use serde::Deserialize;

use crate::Event;

/// The `prev` of the first line.
pub const FIRST_PREV: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const HASH_KEY: &str = r#","hash":""#;
const DIGEST_LENGTH: usize = 64;

/// Returns the bytes that a line's hash is made of: the event, and the hash of the line before.
///
/// # Panics
/// Never: an event is always JSON.
#[must_use]
pub fn unsealed(event: &Event, prev: &str) -> String {
    let mut text = serde_json::to_string(event).expect("an event should be representable as JSON");
    text.pop();
    text.push_str(r#","prev":""#);
    text.push_str(prev);
    text.push_str("\"}");
    text
}

/// Adds the hash, in hex, to the bytes it was made of. The line end is not part of it.
#[must_use]
pub fn seal(mut unsealed: String, hash: &str) -> String {
    unsealed.pop();
    unsealed.push_str(HASH_KEY);
    unsealed.push_str(hash);
    unsealed.push_str("\"}");
    unsealed
}

/// Takes a line apart: the bytes its hash is made of, and the hash it states. None when the line has no hash at its end.
#[must_use]
pub fn unseal(line: &str) -> Option<(String, &str)> {
    let body = line.strip_suffix("\"}")?;
    let split = body.len().checked_sub(DIGEST_LENGTH)?;
    let (before, hash) = (body.get(..split)?, body.get(split..)?);
    let before = before.strip_suffix(HASH_KEY)?;
    Some((format!("{before}}}"), hash))
}

/// Returns the `prev` that a line states.
#[must_use]
pub fn prev(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Chained {
        prev: String,
    }
    serde_json::from_str::<Chained>(line).ok().map(|chained| chained.prev)
}
