//! The words of a run, and their form on disk.
//!
//! Everything that happens in a run is one [`Event`]. The host's run loop is the only maker of events; the journal,
//! plugins and reporters only read them. The crate is a leaf: it knows no host, no sandbox and no file, and it builds for
//! wasm32 too, so that guests and tools never type events twice.
//!
//! **Invariant:** no type here holds a handle, a channel or a borrowed buffer. An event can be written down, read back
//! next year and compared for equality.
//!
//! Read in this order: [`Event`] (the envelope), [`EventKind`] (what happened), [`Context`] (where), [`Tallies`] (the
//! running counts), [`Outcome`] (how it ended), [`mod@line`] (the journal's line), [`reader`].

pub mod context;
pub mod event;
pub mod facts;
pub mod json;
pub mod kind;
pub mod line;
pub mod origin;
pub mod outcome;
pub mod pattern;
pub mod reader;
pub mod result;
pub mod tally;
pub mod time;
pub mod verdict;

pub use context::Context;
pub use event::{Event, Head, Marks};
pub use facts::Facts;
pub use json::Json;
pub use kind::EventKind;
pub use origin::Origin;
pub use outcome::{Cause, Outcome, PluginIdentity, Process, Stats, Status};
pub use pattern::EventPattern;
pub use result::HostResult;
pub use tally::{Tallies, Tally, Totals};
pub use time::Timestamp;
pub use verdict::{Reason, StartRequest, Stop, Verdict};
