//! Runs Ansible under guard.
//!
//! ```text
//! runner.toml -> [config] -> [plan] --> [run] ---------------------------> exit code
//!                                       |  ^ records          ^ bytes, exit
//!                                       |  [ansible]          [process]
//!                                       v
//!                                    events -> [store]  then plugins  then [report]
//! ```
//!
//! The modules below are the rooms of that picture, in reading order; `ARCHITECTURE.md` says who may use whom.
//!
//! **Invariant:** outside [`cli`], nothing here prints, exits or reads the environment.

pub mod config;
pub mod plan;

mod ansible;
pub mod audit;
mod builtin;
pub mod process;
mod redact;
mod remote;
pub mod report;
pub mod run;
pub mod store;
pub mod tools;
pub mod trial;

pub mod cli;
mod library;

pub use library::{Caller, Error, Events, Plan, Run, is_guard, run, run_async};

/// Ways for fuzzing into what reads bytes that others made. No part of the library.
#[doc(hidden)]
pub mod fuzz {
    use std::path::Path;

    use playwarden_event::{Event, Head};

    use crate::ansible::{Record, frames};
    use crate::redact::{Masked, Redactor, Rules};
    use crate::remote::{Bounds, Links, Message, StreamReader, at_worker, unpack};

    /// Reads what a callback could send, as the run does: frame, record, redaction, typed event.
    ///
    /// # Errors
    /// When it is no record.
    pub fn records(bytes: &[u8], secrets: &[&str]) -> Result<Vec<Event>, String> {
        let redactor = Redactor::new(secrets.iter().map(|&secret| secret.to_owned()).collect(), Rules::default());
        let mut events = Vec::new();
        for record in frames(bytes, crate::config::MAX_EVENT).map_err(|err| err.to_string())? {
            if let Record::Event(reported) | Record::Start(reported) = record {
                let head = Head::numbered(events.len() as u64 + 1);
                events.push(Event::decode(head, &reported.name, redactor.event(Masked::default()).data(reported.data)));
            }
        }
        Ok(events)
    }

    /// Reads a stream of whoever sends a job or works on one, and unpacks what is in it, as both ends do.
    ///
    /// # Errors
    /// When it is no such stream; what came before that is unpacked.
    pub fn stream(bytes: &[u8], folder: &Path) -> Result<usize, String> {
        let bounds = Bounds { size: 1 << 20, links: Links::Inside };
        let mut stream = StreamReader::new(bytes);
        let mut count = 0;
        loop {
            match stream.next().map_err(|err| err.to_string())? {
                Message::Archive(length) => {
                    let archive = stream.archive(length, bounds.size).map_err(|err| err.to_string())?;
                    unpack(archive, folder, bounds).map_err(|err| err.to_string())?;
                }
                Message::Keywords(text) => drop(at_worker(&text, folder).map_err(|err| err.to_string())?),
                Message::Eof => return Ok(count),
                _ => {}
            }
            count += 1;
        }
    }

    /// Unpacks an archive, as both ends do.
    ///
    /// # Errors
    /// When it is none, or leads elsewhere.
    pub fn archive(bytes: &[u8], folder: &Path) -> Result<(), String> {
        let bounds = Bounds { size: 1 << 20, links: Links::Inside };
        unpack(std::io::Cursor::new(bytes), folder, bounds).map_err(|err| err.to_string())
    }
}

/// Returns bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A run id is the name of a folder, and an argument that may stand alone.
pub(crate) fn is_run_id(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=100).contains(&id.len()) && id.chars().all(fits) && id.starts_with(|c: char| c.is_ascii_alphanumeric())
}
