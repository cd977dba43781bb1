//! What the plugins `rego` and `cel` share: the input document that rules are given, which moments are judged, and how
//! what rules find becomes a verdict.
//!
//! **Invariant:** the document follows from the journal, the plan and the question alone. So a replay shows rules the
//! same as the run did.

mod document;
mod finding;
mod moments;
#[cfg(test)]
mod tests;

pub use document::{Document, event, samples, start};
pub use finding::{Finding, Severity, Stop, say};
pub use moments::Moments;

use std::fs;

/// The largest file of rules that is read.
const MAX_FILE: u64 = 1 << 20;

/// Reads a file of rules from a folder that is granted by `read`.
///
/// # Errors
///
/// Why it cannot be read, with what to do.
pub fn read_file(path: &str) -> Result<String, String> {
    let remedy = "name a file in a folder of `grants.read`, by the name that is granted";
    let length = fs::metadata(path).map_err(|err| format!("`{path}` cannot be read: {err}; {remedy}"))?.len();
    if length > MAX_FILE {
        return Err(format!("`{path}` is larger than 1 MiB"));
    }
    fs::read_to_string(path).map_err(|err| format!("`{path}` cannot be read: {err}; {remedy}"))
}
