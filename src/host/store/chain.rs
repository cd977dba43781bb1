//! Checks a journal's chain: each line has the hash of its own bytes, and that of the line before.

use std::io::{self, BufRead};

use playwarden_event::line;
use playwarden_event::reader::{JournalReader, ReadError};

use super::journal::digest;

/// What a journal's chain comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// How many events there are.
    pub events: u64,
    /// The hash of the first line; empty when there is none.
    pub first: String,
    /// The hash of the last line, which everything before it follows from.
    pub last: String,
}

/// A journal that is not as it was written. Lines count from 1, and begin at an offset in bytes from 0.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is no event.
    #[error("{source}")]
    NoEvent {
        /// Its number.
        line: u64,
        /// Where it begins.
        offset: u64,
        /// Why not.
        source: ReadError,
    },
    /// A line was changed.
    #[error("line {line} was changed: it states the hash {stated}, and its bytes have {made}")]
    Changed {
        /// Its number.
        line: u64,
        /// Where it begins.
        offset: u64,
        /// The hash that it states.
        stated: String,
        /// The hash of its bytes.
        made: String,
    },
    /// Lines are missing, added or in another order.
    #[error("line {line} does not follow the line before it: it follows {stated}, and that one has {before}")]
    Broken {
        /// Its number.
        line: u64,
        /// Where it begins.
        offset: u64,
        /// The hash that it states of the line before it.
        stated: String,
        /// The hash of the line before it.
        before: String,
    },
    /// A line has another counter than its place.
    #[error("line {line} has the counter {counter}")]
    Miscounted {
        /// Its number.
        line: u64,
        /// Where it begins.
        offset: u64,
        /// Its counter.
        counter: u64,
    },
    /// The last line has no end: its writer was killed, or the file was cut.
    #[error("line {line} is torn: the file ends within it")]
    Torn {
        /// Its number.
        line: u64,
        /// Where it begins.
        offset: u64,
        /// What stands before it.
        chain: Chain,
    },
}

impl ChainError {
    /// Returns the first line that is wrong, and where it begins; the start of the file when that cannot be read.
    #[must_use]
    pub fn place(&self) -> (u64, u64) {
        match self {
            Self::Io(_) => (1, 0),
            Self::NoEvent { line, offset, .. }
            | Self::Changed { line, offset, .. }
            | Self::Broken { line, offset, .. }
            | Self::Miscounted { line, offset, .. }
            | Self::Torn { line, offset, .. } => (*line, *offset),
        }
    }
}

/// Reads a whole journal and checks its chain and its counters.
///
/// # Errors
/// At the first line that is not as it was written.
pub fn verify(journal: impl BufRead) -> Result<Chain, ChainError> {
    let mut reader = JournalReader::new(journal);
    let mut chain = Chain { last: line::FIRST_PREV.to_owned(), ..Chain::default() };
    let mut offset = 0;
    loop {
        let line = chain.events + 1;
        let (text, event) = match reader.next_line() {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(chain),
            Err(ReadError::Io(err)) => return Err(ChainError::Io(err)),
            Err(ReadError::Torn { .. }) => return Err(ChainError::Torn { line, offset, chain }),
            Err(source) => return Err(ChainError::NoEvent { line, offset, source }),
        };
        let (unsealed, stated) = line::unseal(&text).unwrap_or_default();
        let made = digest(unsealed.as_bytes());
        if made != stated {
            return Err(ChainError::Changed { line, offset, stated: stated.to_owned(), made });
        }
        let prev = line::prev(&text).unwrap_or_default();
        if prev != chain.last {
            return Err(ChainError::Broken { line, offset, stated: prev, before: chain.last });
        }
        if event.counter() != line {
            return Err(ChainError::Miscounted { line, offset, counter: event.counter() });
        }
        if chain.first.is_empty() {
            chain.first.clone_from(&made);
        }
        chain.last = made;
        chain.events = line;
        offset += text.len() as u64 + 1;
    }
}

#[cfg(test)]
mod tests {
    use playwarden_event::{Event, Head, Json};

    use super::*;

    fn journal(counters: &[u64]) -> Vec<String> {
        let mut prev = line::FIRST_PREV.to_owned();
        let mut sealed = |counter: &u64| {
            let event = Event::decode(Head::numbered(*counter), "verbose", Json::default());
            let unsealed = line::unsealed(&event, &prev);
            prev = digest(unsealed.as_bytes());
            format!("{}\n", line::seal(unsealed, &prev))
        };
        counters.iter().map(&mut sealed).collect()
    }

    #[test]
    fn what_was_written_verifies() {
        let lines = journal(&[1, 2, 3]);
        let chain = verify(lines.concat().as_bytes()).unwrap();
        assert_eq!(chain.events, 3);
        assert!(lines[0].contains(&chain.first) && lines[1].contains(&chain.first) && lines[2].contains(&chain.last));
        assert_eq!(verify([].as_slice()).unwrap(), Chain { last: line::FIRST_PREV.to_owned(), ..Chain::default() });
    }

    #[test]
    fn a_changed_a_missing_and_a_moved_line_are_found_with_their_place() {
        let lines = journal(&[1, 2, 3]);
        let length = |lines: &[String]| lines.concat().len() as u64;
        let second = (2, length(&lines[..1]));
        let changed = lines.concat().replacen("\"u2\"", "\"u9\"", 1);
        let err = verify(changed.as_bytes()).unwrap_err();
        assert!(matches!(err, ChainError::Changed { .. }) && err.place() == second, "{err}");
        let missing = [lines[0].clone(), lines[2].clone()].concat();
        let err = verify(missing.as_bytes()).unwrap_err();
        assert!(matches!(err, ChainError::Broken { .. }) && err.place() == second, "{err}");
        let moved = [lines[1].clone(), lines[0].clone(), lines[2].clone()].concat();
        let err = verify(moved.as_bytes()).unwrap_err();
        assert!(matches!(err, ChainError::Broken { .. }) && err.place() == (1, 0), "{err}");
        let text = lines.concat();
        let err = verify(&text.as_bytes()[..text.len() - 4]).unwrap_err();
        assert!(matches!(&err, ChainError::Torn { chain, .. } if chain.events == 2), "{err}");
        assert_eq!(err.place(), (3, length(&lines[..2])));
        let err = verify(journal(&[1, 3]).concat().as_bytes()).unwrap_err();
        assert!(matches!(err, ChainError::Miscounted { counter: 3, .. }) && err.place() == second, "{err}");
    }
}
