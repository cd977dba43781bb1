//! Reads a journal back.

use std::io::{self, BufRead};

use crate::Event;

/// Why a journal could not be read further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("the journal could not be read")]
    Io(#[from] io::Error),
    /// A line is not an event.
    #[error("line {line} of the journal is not an event: {}", without_line(problem))]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        problem: serde_json::Error,
    },
    /// A line is not UTF-8.
    #[error("line {line} of the journal is not UTF-8")]
    NotText {
        /// Its number, from 1.
        line: u64,
    },
    /// The last line has no end: its writer was killed. Everything before it is whole.
    #[error("the last line of the journal, line {line}, is torn: its writer was killed while writing it")]
    Torn {
        /// Its number, from 1.
        line: u64,
        /// Bytes of the whole lines before it.
        whole: u64,
    },
}

/// Leaves only the column of an error's place: its text was one line of many.
fn without_line(problem: &serde_json::Error) -> String {
    problem.to_string().replace(" at line 1 column ", " at column ")
}

/// The events of a journal in order, with the text of their lines.
///
/// Ends after the first error.
#[derive(Debug)]
pub struct JournalReader<R> {
    input: R,
    line: u64,
    position: u64,
    ended: bool,
}

impl<R: BufRead> JournalReader<R> {
    /// Reads from the start of a journal.
    pub fn new(input: R) -> Self {
        Self { input, line: 0, position: 0, ended: false }
    }

    /// Returns the next line without its end, and the event in it; none at the end.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn next_line(&mut self) -> Result<Option<(String, Event)>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        // Until it turns out well.
        self.ended = true;
        let mut bytes = Vec::new();
        if self.input.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let line = self.line;
        let whole = self.position;
        self.position += bytes.len() as u64;
        if bytes.pop() != Some(b'\n') {
            return Err(ReadError::Torn { line, whole });
        }
        let text = String::from_utf8(bytes).map_err(|_| ReadError::NotText { line })?;
        let event = serde_json::from_str(&text).map_err(|problem| ReadError::Line { line, problem })?;
        self.ended = false;
        Ok(Some((text, event)))
    }
}

impl<R: BufRead> Iterator for JournalReader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map(|found| found.map(|(_, event)| event)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Json, Timestamp, line};

    fn lines() -> String {
        let head = Head {
            counter: 1,
            uuid: "u".into(),
            parent_uuid: Some("p".into()),
            runner_ident: "r".into(),
            pid: Some(7),
            created: Timestamp::from_ns(1),
            stdout: "two\nlines".into(),
            start_line: 0,
            end_line: 2,
            redacted: [("keys".to_owned(), 1)].into(),
        };
        let data = r#"{"host":"web1","task":"t","new":1180591620717411303424,"res":{"changed":true}}"#;
        let event = Event::decode(head, "runner_on_ok", Json::parse(data.into()).unwrap());
        let sealed = line::seal(line::unsealed(&event, line::FIRST_PREV), &"ab".repeat(32));
        format!("{sealed}\n")
    }

    #[test]
    fn an_event_comes_back_as_it_was_written() {
        let text = lines();
        let mut reader = JournalReader::new(text.as_bytes());
        let (line, event) = reader.next_line().unwrap().unwrap();
        assert!(event.data().text().contains("1180591620717411303424"));
        assert_eq!(event.host(), Some("web1"));
        assert!(event.marks().ok && event.marks().changed);
        let (unsealed, hash) = line::unseal(&line).unwrap();
        assert_eq!(hash, "ab".repeat(32));
        assert_eq!(unsealed, line::unsealed(&event, line::FIRST_PREV));
        assert_eq!(line::prev(&line).as_deref(), Some(line::FIRST_PREV));
        assert!(reader.next().is_none());
    }

    #[test]
    fn a_torn_last_line_is_told_from_a_broken_one() {
        let whole = lines();
        let torn = format!("{whole}{{\"schema\":1,\"uu");
        let mut reader = JournalReader::new(torn.as_bytes());
        assert!(reader.next().unwrap().is_ok());
        let expected = whole.len() as u64;
        assert!(matches!(reader.next(), Some(Err(ReadError::Torn { line: 2, whole })) if whole == expected));
        assert!(reader.next().is_none());

        let broken = format!("{whole}{{}}\n");
        let mut reader = JournalReader::new(broken.as_bytes());
        assert!(reader.next().unwrap().is_ok());
        assert!(matches!(reader.next(), Some(Err(ReadError::Line { line: 2, .. }))));
    }
}
