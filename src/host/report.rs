//! Makes text for people and tools out of what other rooms found or did.
//!
//! **Invariant:** nothing here decides anything, and nothing prints: callers
//! get text and choose the stream.

use std::fmt::Display;

mod audited;
pub mod diagnostic;
pub mod json;
pub mod listing;
mod notice;
mod progress;
pub mod recap;
pub mod summary;
pub mod tried;

pub use audited::audited;
pub use notice::notice;
pub use progress::Progress;

/// Returns a number of things in words: `1 host`, `2 hosts`.
pub fn counted<N: Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    let s = if number == N::from(1) { "" } else { "s" };
    format!("{number} {thing}{s}")
}
