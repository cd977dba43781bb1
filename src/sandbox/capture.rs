//! What a guest says: log lines, standard output, standard error.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use playwarden_event::Timestamp;
use serde::Serialize;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::clock::Clock;
use crate::limits;
use crate::mask::Mask;

/// Name of the log in the plugin's folder.
pub(crate) const LOG: &str = "log.jsonl";

/// So much of a guest's standard error is kept for its fault.
const STDERR_KEPT: usize = 8 << 10;

/// So much may be written to a stream at a time.
const WRITE_PERMIT: usize = 64 << 10;

/// The words of one guest, shared by the log interface and its two streams.
#[derive(Clone, Debug)]
pub(crate) struct Notes(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    file: Option<File>,
    limit: u64,
    used: u64,
    over: bool,
    /// Why a line could not be kept.
    trouble: Option<String>,
    stdout: Vec<u8>,
    stderr: VecDeque<u8>,
    mask: Mask,
    /// None for this machine's time.
    clock: Option<Clock>,
}

#[derive(Serialize)]
struct LogLine<'a> {
    /// Only of the host's own lines, so that they are known again.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    time: Timestamp,
    level: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Notes {
    /// Keeps lines in `log.jsonl` of `folder`; without a folder they are counted and dropped. What stands there already,
    /// from an earlier incarnation, counts toward the limit.
    pub(crate) fn open(folder: Option<&Path>, limit: u64) -> io::Result<Self> {
        let open = |folder: &Path| OpenOptions::new().create(true).append(true).open(folder.join(LOG));
        let file = folder.map(open).transpose()?;
        let used = folder.map_or(Ok(0), guests_bytes)?;
        let (stdout, stderr) = (Vec::new(), VecDeque::new());
        let (over, trouble, mask, clock) = (false, None, Mask::default(), None);
        Ok(Self(Arc::new(Mutex::new(Inner { file, limit, used, over, trouble, stdout, stderr, mask, clock }))))
    }

    /// Hides these from now on, in all that is kept.
    pub(crate) fn hide(&self, mask: Mask) {
        self.inner().mask = mask;
    }

    /// Takes the time of lines from this clock from now on.
    pub(crate) fn live_by(&self, clock: &Clock) {
        self.inner().clock = Some(clock.clone());
    }

    /// Returns a text without what is hidden.
    pub(crate) fn hidden(&self, text: String) -> String {
        self.inner().mask.text(text)
    }

    /// Keeps a line. An error is the guest's end: it has logged more than its limit, or the line could not be written.
    pub(crate) fn line(&self, level: &str, message: &str, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.inner().line(level, message, fields)
    }

    /// Keeps a line of the host's own, which the guest does not pay for. One that cannot be written is dropped: nobody
    /// asked for it.
    pub(crate) fn note(&self, level: &str, message: &str) {
        let mut inner = self.inner();
        if let (Ok(line), Some(file)) =
            (encoded(Some("host"), inner.time(), level, message, Vec::new()), inner.file.as_mut())
        {
            drop(file.write_all(&line));
        }
    }

    /// Whether the guest reached its limit.
    pub(crate) fn over_limit(&self) -> bool {
        self.inner().over
    }

    /// Returns why a line could not be written, if so: no fault of the guest's.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.inner().trouble.clone()
    }

    /// Takes the end of the guest's standard error.
    pub(crate) fn take_stderr(&self) -> String {
        let bytes: Vec<u8> = self.inner().stderr.drain(..).collect();
        self.hidden(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    pub(crate) fn stdout(&self) -> Stream {
        Stream { notes: self.clone(), keep: Keep::Lines }
    }

    pub(crate) fn stderr(&self) -> Stream {
        Stream { notes: self.clone(), keep: Keep::End }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what guests have written into the log of a folder, over all incarnations.
fn guests_bytes(folder: &Path) -> io::Result<u64> {
    let path = folder.join(LOG);
    if !std::fs::metadata(&path)?.is_file() {
        return Ok(0);
    }
    let said = std::fs::read(path)?;
    let guests = said.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(BY_HOST));
    Ok(guests.map(|line| line.len() as u64).sum())
}

/// How a line of the host's own begins.
const BY_HOST: &[u8] = br#"{"by":"host","#;

fn encoded(
    by: Option<&'static str>,
    time: Timestamp,
    level: &str,
    message: &str,
    fields: Vec<(String, String)>,
) -> serde_json::Result<Vec<u8>> {
    let fields = fields.into_iter().map(|(key, value)| (key, value.into())).collect();
    let mut line = serde_json::to_vec(&LogLine { by, time, level, message, fields })?;
    line.push(b'\n');
    Ok(line)
}

impl Inner {
    fn time(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(Timestamp::now, Clock::now)
    }

    fn line(&mut self, level: &str, message: &str, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let fields = fields.into_iter().map(|(key, value)| (key, self.mask.text(value))).collect();
        let line = encoded(None, self.time(), level, &self.mask.text(message.to_owned()), fields)?;
        self.used += line.len() as u64;
        if self.used > self.limit {
            self.over = true;
            wasmtime::bail!("logged more than {}", limits::bytes(self.limit));
        }
        if let Some(Err(err)) = self.file.as_mut().map(|file| file.write_all(&line)) {
            let trouble = format!("could not be served: `{LOG}` cannot be written: {err}");
            self.trouble = Some(trouble.clone());
            return Err(wasmtime::Error::msg(trouble));
        }
        Ok(())
    }

    fn print(&mut self, bytes: &[u8]) -> wasmtime::Result<()> {
        self.stdout.extend_from_slice(bytes);
        while let Some(end) = self.stdout.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.stdout.drain(..=end).collect();
            self.line("info", String::from_utf8_lossy(&line).trim_end(), Vec::new())?;
        }
        if self.used + self.stdout.len() as u64 > self.limit {
            self.over = true;
            wasmtime::bail!("printed more than {}", limits::bytes(self.limit));
        }
        Ok(())
    }

    fn complain(&mut self, bytes: &[u8]) {
        self.stderr.extend(bytes);
        let excess = self.stderr.len().saturating_sub(STDERR_KEPT);
        self.stderr.drain(..excess);
    }
}

#[derive(Clone, Copy)]
enum Keep {
    /// Each line, within the log's limit.
    Lines,
    /// Only the end.
    End,
}

/// A standard stream of the guest.
#[derive(Clone)]
pub(crate) struct Stream {
    notes: Notes,
    keep: Keep,
}

impl Stream {
    fn take(&self, bytes: &[u8]) -> wasmtime::Result<()> {
        let mut inner = self.notes.inner();
        match self.keep {
            Keep::Lines => inner.print(bytes),
            Keep::End => {
                inner.complain(bytes);
                Ok(())
            }
        }
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes).map_err(StreamError::Trap)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.take(bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_earlier_incarnation_count_and_notes_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Notes::open(Some(folder.path()), 300).unwrap();
        let first = open();
        first.line("info", "one", Vec::new()).unwrap();
        first.note("warn", &"the host may say as much as it needs to ".repeat(10));
        first.line("info", "two", Vec::new()).unwrap();
        let second = open();
        second.line("info", "three", Vec::new()).unwrap();
        second.line("info", &"four".repeat(20), Vec::new()).unwrap_err();
        assert!(second.over_limit() && !first.over_limit());
        assert_eq!(std::fs::read_to_string(folder.path().join(LOG)).unwrap().lines().count(), 4);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_no_fault_of_the_guest() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join(LOG)).unwrap();
        let notes = Notes::open(Some(folder.path()), 1 << 20).unwrap();
        notes.line("info", "hello", Vec::new()).unwrap_err();
        assert!(!notes.over_limit());
        assert!(notes.trouble().unwrap().contains("`log.jsonl` cannot be written: No space left"), "{notes:?}");
    }
}
