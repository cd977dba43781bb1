//! What goes over a stream when a job runs elsewhere: the job one way, events and artifacts the other.
//!
//! The form is ansible-runner's, so that either end may be one: lines of JSON, and archives in base64 between them.
//!
//! **Invariant:** nothing that a stream says leads out of the folder that it is unpacked into, and no line and no archive of it
//! makes us keep more in memory or on disk than we allowed for one. Their sum is not bounded.

mod archive;
mod job;
mod stream;
mod unpack;
mod zip;

pub(crate) use archive::{Added, pack};
pub(crate) use job::{at_worker, for_worker};
pub(crate) use stream::{Message, StreamReader, StreamedEvent, write_archive, write_line};
pub(crate) use unpack::{Bounds, Links, unpack};
