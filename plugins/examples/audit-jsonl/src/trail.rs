//! Where the lines of one run go: a file of a granted folder, or the plugin's own output.
//!
//! **Invariant:** [`Trail::last`] is the counter of the last line that is there. A trail that is opened again finds it, and
//! cuts off what was torn; so a line is neither lost nor written twice, however its writer ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use playwarden_sdk::folder::Folder;
use playwarden_sdk::prelude::*;
use serde::Deserialize;

/// A trail's name as an output of the plugin.
const OUTPUT: &str = "audit.jsonl";

/// Enough of a file's end to have a whole line in it, unless a line has long arguments.
const TAIL: u64 = 64 << 10;

#[derive(Debug)]
pub(crate) struct Trail {
    place: Place,
    /// Counter of the last line; 0 before the first.
    pub(crate) last: u64,
}

#[derive(Debug)]
enum Place {
    File { file: File, folder: Folder, durable: bool },
    Output,
}

impl Trail {
    /// Opens the trail in a granted folder.
    pub(crate) fn in_folder(folder: &str, name: &str, durable: bool) -> Result<Self, Failure> {
        let folder = Folder::open(folder)?;
        let opened = || {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.path(name))?;
            let last = resume(&mut file, TAIL)?;
            Ok((file, last))
        };
        let (file, last) = opened().map_err(|error: io::Error| folder.failure(&error))?;
        Ok(Self { place: Place::File { file, folder, durable }, last })
    }

    /// Opens the trail as an output. How far it got stands in the plugin's state.
    pub(crate) fn in_output() -> Self {
        let last = state::get("last").and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        Self { place: Place::Output, last }
    }

    /// Adds whole lines, of which the last has this counter. After an error the trail has to be opened again.
    pub(crate) fn append(&mut self, lines: &str, last: u64) -> Result<(), Failure> {
        match &mut self.place {
            Place::File { file, folder, durable } => {
                let written = file.write_all(lines.as_bytes()).and_then(|()| file.flush());
                let written = if *durable { written.and_then(|()| file.sync_data()) } else { written };
                written.map_err(|error| folder.failure(&error))?;
            }
            Place::Output => {
                output::append(OUTPUT, lines.as_bytes())?;
                state::set("last", &last.to_le_bytes())?;
            }
        }
        self.last = last;
        Ok(())
    }
}

/// Cuts off a torn last line and goes to the end of the file; returns the counter of its last line, 0 for none.
fn resume(file: &mut File, tail: u64) -> io::Result<u64> {
    #[derive(Deserialize)]
    struct Line {
        counter: u64,
    }

    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(tail);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let begin = bytes[..whole.saturating_sub(1)].iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
    if start > 0 && begin.is_none() {
        // The last whole line is longer than what was read.
        return resume(file, tail.saturating_mul(4));
    }
    let end = start + whole as u64;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    if whole == 0 {
        return Ok(0);
    }
    let line: Line = serde_json::from_slice(&bytes[begin.unwrap_or(0)..whole])?;
    Ok(line.counter)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A granted folder, removed at the end.
    struct Granted(PathBuf);

    impl Granted {
        fn new(test: &str) -> Self {
            Self(std::env::temp_dir().join(format!("playwarden-audit-{}-{test}", std::process::id())))
        }

        fn trail(&self) -> Trail {
            Trail::in_folder(self.0.to_str().unwrap(), "run.jsonl", true).unwrap()
        }

        fn text(&self) -> String {
            fs::read_to_string(self.0.join("run.jsonl")).unwrap()
        }
    }

    impl Drop for Granted {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_trail_goes_on_where_it_ended() {
        let granted = Granted::new("goes-on");
        let mut trail = granted.trail();
        assert_eq!(trail.last, 0);
        trail.append("{\"counter\":1}\n{\"counter\":3}\n", 3).unwrap();
        let mut trail = granted.trail();
        assert_eq!(trail.last, 3);
        trail.append("{\"counter\":4}\n", 4).unwrap();
        assert_eq!(granted.text(), "{\"counter\":1}\n{\"counter\":3}\n{\"counter\":4}\n");
    }

    #[test]
    fn a_torn_line_is_cut_off_and_written_again() {
        let granted = Granted::new("torn");
        granted.trail().append("{\"counter\":7}\n", 7).unwrap();
        for torn in ["{\"counter\":8", "{"] {
            fs::write(granted.0.join("run.jsonl"), format!("{{\"counter\":7}}\n{torn}")).unwrap();
            assert_eq!(granted.trail().last, 7);
            assert_eq!(granted.text(), "{\"counter\":7}\n");
        }
        fs::write(granted.0.join("run.jsonl"), "{\"counter\":1").unwrap();
        assert_eq!(granted.trail().last, 0);
        assert_eq!(granted.text(), "");
    }

    #[test]
    fn a_line_longer_than_the_tail_is_found() {
        let granted = Granted::new("long");
        let long = format!("{{\"args\":\"{}\",\"counter\":2}}\n", "x".repeat(300_000));
        granted.trail().append(&format!("{{\"counter\":1}}\n{long}"), 2).unwrap();
        assert_eq!(granted.trail().last, 2);
        assert_eq!(granted.text().len(), 14 + long.len());
    }
}
