//! The stream itself: lines of JSON, with archives in base64 between them.

use std::fs::File;
use std::io::{self, BufRead, Read as _, Seek as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The longest line: an event of the largest size, escaped.
const LINE: u64 = 512 << 20;

/// What a line says. Texts are the line as it came.
#[derive(Debug)]
pub(crate) enum Message {
    /// What is to be run.
    Keywords(String),
    /// An archive of so many bytes follows.
    Archive(u64),
    /// How the run is doing.
    Status {
        /// The word.
        word: String,
        /// Why it is an error.
        explanation: Option<String>,
    },
    /// Something happened.
    Event(StreamedEvent),
    /// Nothing happened.
    Keepalive,
    /// Nothing follows.
    Eof,
}

/// An event, of which no more is known than is needed to keep it.
#[derive(Debug)]
pub(crate) struct StreamedEvent {
    /// The line as it came.
    pub(crate) line: String,
    /// Its number; none when it is no number above 0.
    pub(crate) counter: Option<u64>,
    /// Its id.
    pub(crate) uuid: Option<String>,
    /// What was printed.
    pub(crate) stdout: String,
}

/// A stream that cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// There is nothing, and no end was said.
    #[error("the stream ended before its end was said")]
    Ended,
    /// A line that is not what it should be.
    #[error("a line of the stream is no JSON object: {why}; it begins with `{begins}`")]
    Line {
        /// What is wrong with it.
        why: String,
        /// Its first characters.
        begins: String,
    },
    /// A line without end.
    #[error("a line of the stream is longer than {LINE} bytes")]
    TooLong,
    /// An archive that is larger than allowed.
    #[error("the stream has an archive of {length} bytes, more than {most}; allow more with `--max-size`")]
    TooLarge {
        /// How large it says to be.
        length: u64,
        /// The bound.
        most: u64,
    },
    /// What should be base64 is not.
    #[error("the archive in the stream is not base64")]
    Base64,
    /// The system refused.
    #[error("the stream cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// What a line can have. What else it has is an event's.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    kwargs: Option<Box<RawValue>>,
    #[serde(default)]
    zipfile: Option<u64>,
    #[serde(default, deserialize_with = "there")]
    eof: bool,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    job_explanation: Option<Value>,
    #[serde(default)]
    event: Option<Value>,
    #[serde(default)]
    counter: Option<Value>,
    #[serde(default)]
    uuid: Option<Value>,
    #[serde(default)]
    stdout: Option<Value>,
}

fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

/// Reads a stream.
#[derive(Debug)]
pub(crate) struct StreamReader<R> {
    input: R,
}

impl<R: BufRead> StreamReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input }
    }

    /// Returns what the next line says.
    ///
    /// # Errors
    /// When there is none, or it says nothing that can be understood. Nothing can be read after that.
    pub(crate) fn next(&mut self) -> Result<Message, StreamError> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Err(StreamError::Ended);
        }
        if bytes.last() != Some(&b'\n') && bytes.len() as u64 == LINE {
            return Err(StreamError::TooLong);
        }
        let begins = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().chars().take(200).collect::<String>();
        let text = String::from_utf8(bytes)
            .map_err(|err| StreamError::Line { why: "it is not UTF-8".to_owned(), begins: begins(err.as_bytes()) })?;
        let text = text.trim_end();
        let parsed: Result<Line, _> = serde_json::from_str(text).or_else(|_| serde_json::from_str(&strict(text)));
        let line = match parsed {
            // A list would be taken for the fields in their order.
            Ok(line) if text.starts_with('{') => line,
            Ok(_) => return Err(StreamError::Line { why: "it is a list".to_owned(), begins: begins(text.as_bytes()) }),
            Err(err) => return Err(StreamError::Line { why: err.to_string(), begins: begins(text.as_bytes()) }),
        };
        let word = |value: Option<Value>| match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
        };
        Ok(match line {
            Line { kwargs: Some(kwargs), .. } => Message::Keywords(kwargs.get().to_owned()),
            Line { status: Some(status), job_explanation, .. } => {
                Message::Status { word: status, explanation: word(job_explanation) }
            }
            Line { zipfile: Some(length), .. } => Message::Archive(length),
            Line { eof: true, .. } => Message::Eof,
            Line { event: Some(event), .. } if event == "keepalive" => Message::Keepalive,
            Line { counter, uuid, stdout, .. } => Message::Event(StreamedEvent {
                line: text.to_owned(),
                counter: counter.and_then(|counter| counter.as_u64()).filter(|counter| *counter > 0),
                uuid: word(uuid).filter(|uuid| !uuid.is_empty()),
                stdout: word(stdout).unwrap_or_default(),
            }),
        })
    }

    /// Reads the archive that was announced, into a file that is at its beginning afterwards.
    ///
    /// # Errors
    /// When it is larger than allowed, is not whole or is not base64.
    pub(crate) fn archive(&mut self, length: u64, most: u64) -> Result<File, StreamError> {
        if length > most {
            return Err(StreamError::TooLarge { length, most });
        }
        let mut file = tempfile::tempfile()?;
        let mut left = length.div_ceil(3) * 4;
        let (mut block, mut decoded) = (Vec::new(), 0);
        while left > 0 {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Err(StreamError::Ended);
            }
            let room = usize::try_from(left).unwrap_or(usize::MAX);
            let mut used = 0;
            for byte in bytes {
                if room == block.len() {
                    break;
                }
                used += 1;
                if !byte.is_ascii_whitespace() {
                    block.push(*byte);
                }
                if block.len() == 64 << 10 {
                    break;
                }
            }
            self.input.consume(used);
            let is_last = block.len() as u64 == left;
            if is_last || block.len() == 64 << 10 {
                let bytes = STANDARD.decode(&block).map_err(|_| StreamError::Base64)?;
                decoded += bytes.len() as u64;
                file.write_all(&bytes)?;
                left -= block.len() as u64;
                block.clear();
            }
        }
        if decoded != length {
            return Err(StreamError::Base64);
        }
        file.rewind()?;
        Ok(file)
    }
}

/// Makes strict JSON of what Python writes: no number that is none, no half of a surrogate pair.
fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        let escape = |at: usize| {
            let hex = rest.get(at..at + 6).filter(|escape| escape.starts_with("\\u"))?;
            u32::from_str_radix(&hex[2..], 16).ok()
        };
        match c {
            '"' => in_text = !in_text,
            '\\' if in_text => match escape(0) {
                Some(0xd800..=0xdbff) if matches!(escape(6), Some(0xdc00..=0xdfff)) => taken = 12,
                Some(0xd800..=0xdfff) => {
                    out.push_str("\\ufffd");
                    rest = &rest[6..];
                    continue;
                }
                _ => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            },
            'N' | 'I' | '-' if !in_text => {
                if let Some(word) = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| rest.starts_with(word)) {
                    out.push_str("null");
                    rest = &rest[word.len()..];
                    continue;
                }
            }
            _ => {}
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// Writes a line, whole.
///
/// # Errors
/// When nobody takes it.
pub(crate) fn write_line(to: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Announces an archive and writes it. No end of line follows, as ansible-runner wants it.
///
/// # Errors
/// When nobody takes it, or the archive cannot be read.
pub(crate) fn write_archive(to: &mut dyn Write, mut archive: File) -> io::Result<()> {
    let length = archive.metadata()?.len();
    write_line(to, &json!({"zipfile": length}))?;
    archive.rewind()?;
    let mut left = archive.take(length);
    let mut block = vec![0; 48 << 10];
    let mut written = 0;
    loop {
        let mut filled = 0;
        while filled < block.len() {
            match left.read(&mut block[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        written += filled as u64;
        if filled == 0 {
            break;
        }
        to.write_all(STANDARD.encode(&block[..filled]).as_bytes())?;
    }
    if written != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_comes_back_whatever_its_length_and_the_next_line_follows_at_once() {
        for length in [1, 2, 3, 49_151, 49_152, 49_153, 65_536 * 3 / 4, 300_001] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let mut stream = Vec::new();
            write_archive(&mut stream, file).unwrap();
            write_line(&mut stream, &json!({"eof": true})).unwrap();
            let mut reader = StreamReader::new(&stream[..]);
            let Ok(Message::Archive(said)) = reader.next() else { panic!("no archive") };
            let mut back = Vec::new();
            reader.archive(said, u64::MAX).unwrap().read_to_end(&mut back).unwrap();
            assert!(back == bytes && matches!(reader.next(), Ok(Message::Eof)), "{length}");
            assert!(matches!(reader.next(), Err(StreamError::Ended)));
        }
    }

    #[test]
    fn what_only_python_calls_json_is_an_event_as_it_came() {
        let line = r#"{"event": "runner_on_ok", "counter": 3, "uuid": "u", "stdout": "a\ud83d\ude00\udcff\\ud800", "x": [NaN, -Infinity, "NaN"]}"#;
        let stream = format!("{line}\n");
        let Ok(Message::Event(event)) = StreamReader::new(stream.as_bytes()).next() else { panic!("no event") };
        assert_eq!((event.line.as_str(), event.counter), (line, Some(3)));
        assert_eq!(event.stdout, "a\u{1f600}\u{fffd}\\ud800");
    }

    #[test]
    fn what_is_no_line_is_said() {
        for (stream, why) in [("", "before its end"), ("[1]\n", "list"), ("{\n", "EOF"), ("x\n", "begins with `x`")] {
            let said = StreamReader::new(stream.as_bytes()).next().unwrap_err().to_string();
            assert!(said.contains(why), "{stream}: {said}");
        }
        for (stream, why) in [("AAA", "before its end"), ("AA*A", "base64"), ("AAAA", "base64")] {
            let said = StreamReader::new(stream.as_bytes()).archive(2, 10).unwrap_err().to_string();
            assert!(said.contains(why), "{stream}: {said}");
        }
        let said = StreamReader::new(&b""[..]).archive(11, 10).unwrap_err().to_string();
        assert!(said.contains("11 bytes, more than 10"), "{said}");
    }
}
