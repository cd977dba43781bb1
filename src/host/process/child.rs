//! The host's side of the guard.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use command_fds::{CommandFdExt as _, FdMapping};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::terminal::Terminal;
use super::wire::{Launch, Order, Report};

/// What the program gets from us.
pub(crate) struct Spawn<'a> {
    /// The program whose `__guard` is [`super::guard_main`].
    pub(crate) guard: &'a Path,
    /// Standard output and error.
    pub(crate) stdout: File,
    pub(crate) stderr: File,
    /// A socket that it finds at the number [`Spawn::SOCKET`].
    pub(crate) socket: Option<OwnedFd>,
    /// Variables of our environment that neither the guard nor anything below it gets.
    pub(crate) withheld: &'a [String],
    /// What it reads from; without one there is nothing to read.
    pub(crate) terminal: Option<&'a Terminal>,
}

impl Spawn<'_> {
    /// The number of the socket in the program.
    pub(crate) const SOCKET: i32 = 3;
}

/// A program under its guard.
pub(crate) struct Guarded {
    reports: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
    guard: Child,
}

impl Guarded {
    /// Starts the guard, and the program under it. That the program runs is a report of its own.
    pub(crate) async fn spawn(spawn: Spawn<'_>, launch: Launch) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        let mut command = Command::new(spawn.guard);
        command.arg(super::GUARD).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(spawn.stdout).stderr(spawn.stderr);
        for name in spawn.withheld {
            command.env_remove(name);
        }
        let mapping = spawn.socket.map(|socket| FdMapping { parent_fd: socket, child_fd: Spawn::SOCKET });
        command.fd_mappings(mapping.into_iter().collect()).map_err(io::Error::other)?;
        let guard = command.spawn()?;
        // The guard has its ends now; ours must be the only ones left, or nobody would notice when it is gone.
        drop(command);

        Terminal::hand_over(spawn.terminal, &ours)?;
        ours.set_nonblocking(true)?;
        let (reports, orders) = UnixStream::from_std(ours)?.into_split();
        let mut guarded = Self { reports: BufReader::new(reports).lines(), orders, guard };
        guarded.order(&Order::Launch(Box::new(launch))).await?;
        Ok(guarded)
    }

    /// Returns the guard's next report; none when the guard is gone. May be dropped and called again.
    pub(crate) async fn report(&mut self) -> Option<Report> {
        let line = self.reports.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    /// Tells in which folders the program makes temporary ones.
    pub(crate) async fn watch_over(&mut self, folders: Vec<PathBuf>) {
        // As with the others.
        self.order(&Order::Temporary(folders)).await.ok();
    }

    /// Answers the report that the program has ended: whether what it began is ended too, if it is not anyway.
    pub(crate) async fn conclude(&mut self, leave_nothing: bool) {
        // As with the others.
        self.order(&Order::Conclude { leave_nothing }).await.ok();
    }

    /// Ends the program: interrupt, then SIGTERM, then SIGKILL to the tree. More than once is as good as once.
    pub(crate) async fn stop(&mut self) {
        // A guard that is gone says so by the end of its reports.
        self.order(&Order::Stop).await.ok();
    }

    /// Ends the program and its tree at once.
    pub(crate) async fn kill(&mut self) {
        self.order(&Order::Kill).await.ok();
    }

    /// Waits for the guard itself, which ends after its last report.
    pub(crate) async fn join(mut self) {
        drop(self.orders);
        tokio::task::spawn_blocking(move || self.guard.wait()).await.ok();
    }

    async fn order(&mut self, order: &Order) -> io::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line).await
    }
}
