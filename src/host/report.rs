//! Makes text for people and tools out of what other rooms found or did.
//!
//! **Invariant:** nothing here decides anything, and nothing prints: callers
//! get text and choose the stream.

pub mod diagnostic;
pub mod json;
pub mod listing;
mod notice;
mod progress;
pub mod recap;
pub mod summary;
pub mod tried;

pub use notice::notice;
pub use progress::Progress;

/// Returns a number of things in words: `1 host`, `2 hosts`.
pub fn counted(number: impl Into<u64>, thing: &str) -> String {
    let number = number.into();
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
