//! How people ask for the end of a run: through the program that runs it, or from another one.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::io::Errno;
use tokio::net::unix::pipe::{OpenOptions as PipeOptions, Receiver};
use tokio::sync::watch;

use crate::process;
use crate::store::guard_lock;

/// The pipe's name below a live run's private folder, which only its owner can enter.
const PIPE: &str = ".private/cancel";

/// Counts how often somebody asked for the end.
#[derive(Debug)]
pub(super) struct Person {
    program: watch::Receiver<u32>,
    pipe: Receiver,
    /// How often it was asked for through the pipe.
    piped: u32,
    /// The program has nothing more to say.
    mute: bool,
}

impl Person {
    /// Listens in a run's folder too. Each byte that is written to the pipe asks once.
    pub(super) fn listen(folder: &Path, program: watch::Receiver<u32>) -> io::Result<Self> {
        let path = folder.join(PIPE);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Open for writing as well, or the pipe would be at its end whenever nobody else has it open.
        let pipe = PipeOptions::new().read_write(true).open_receiver(path)?;
        Ok(Self { program, pipe, piped: 0, mute: false })
    }

    /// Waits until the end is asked for once more, and returns how often that was in all.
    pub(super) async fn asked(&mut self) -> u32 {
        loop {
            tokio::select! {
                changed = self.program.changed(), if !self.mute => {
                    if changed.is_err() {
                        self.mute = true;
                        continue;
                    }
                }
                Ok(()) = self.pipe.readable() => {
                    let mut bytes = [0; 16];
                    let Ok(read) = self.pipe.try_read(&mut bytes) else { continue };
                    self.piped = self.piped.saturating_add(u32::try_from(read).unwrap_or(u32::MAX));
                }
                else => std::future::pending().await,
            }
            return self.program.borrow_and_update().saturating_add(self.piped);
        }
    }
}

/// Why a run could not be asked to end.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// Nobody listens: the run has ended, or is about to.
    #[error("the run has ended")]
    Ended,
    /// The run is another user's.
    #[error("the run belongs to another user")]
    NotYours(#[source] io::Error),
    /// Something else stood in the way.
    #[error("`{}` cannot be written", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Asks for the end of a run in its folder, which another process works on: once for an end in order, with `now` for an
/// end at once. The run's host records it as a person's wish. A run that goes on without its host is ended in order by its
/// guard.
///
/// # Errors
/// When there is nobody to ask.
pub fn cancel(folder: &Path, now: bool) -> Result<(), CancelError> {
    let path = folder.join(PIPE);
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let opened = OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(&path);
    let mut pipe = match opened.map_err(|source| (Errno::from_io_error(&source), source)) {
        Ok(pipe) => pipe,
        // Where the host is gone and the run goes on, its guard ends it.
        Err((Some(Errno::NXIO), _)) if process::terminate_guard(&guard_lock(folder)) => return Ok(()),
        Err((Some(Errno::NXIO | Errno::NOENT), _)) => return Err(CancelError::Ended),
        Err((Some(Errno::ACCESS | Errno::PERM), source)) => return Err(CancelError::NotYours(source)),
        Err((_, source)) => return Err(CancelError::Io { path, source }),
    };
    let bytes: &[u8] = if now { b"cc" } else { b"c" };
    pipe.write_all(bytes).map_err(|source| CancelError::Io { path, source })
}
