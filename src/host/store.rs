//! A run on disk: written in order while it lasts, read back afterwards.
//!
//! The layout is a promise (see README): `events.jsonl` is the truth, everything else can be made from it.
//!
//! **Invariant:** nothing is rendered here, and nothing is written that did not pass [`crate::redact::Redactor`] first.

mod chain;
mod durations;
mod event_files;
mod folder;
mod follow;
mod journal;
mod list;
mod output;
mod read;
mod record;

pub use chain::{Chain, ChainError, verify};
pub use durations::{Durations, DurationsFile};
pub(crate) use event_files::EventFiles;
pub use folder::StoreError;
pub(crate) use folder::{RunFolder, guard_lock, replace};
pub use follow::{Follower, Growing, Next, Watch};
pub(crate) use journal::{Journal, read_at};
pub(crate) use list::rc_text;
pub use list::{Close, Found, NotFound, Store, StoredRun};
pub(crate) use output::{Output, Printed};
pub use read::{Filter, HostRecap, Recap, RecapSource};
pub use record::{AnsibleVersions, RunRecord};
