//! The socket between the callback and the host, frame by frame.
//!
//! A frame is its length in four bytes, big-endian, and JSON. The kernel says with every piece which process sent it: only
//! Ansible's main process is heard. What another one wrote is counted and dropped; it cannot be mixed into a frame,
//! because the kernel never joins what two processes sent into one piece.

use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, send, shutdown, socketpair, sockopt,
};
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::{self, Receiver};
use tokio::net::{UnixListener, UnixStream};

use super::install::{BEGUN, SOCKET};
use super::record::{Record, RecordError};

/// A record's envelope on top of the largest event.
pub(super) const ENVELOPE: u64 = 1 << 20;

/// Bytes that may be on the way; the kernel may allow twice that.
const SEND_BUFFER: usize = 1 << 20;

/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// What the callback is told after its hello.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Welcome<'a> {
    /// Whether it waits before each start.
    pub(crate) gate: bool,
    /// The largest event in bytes that is sent whole.
    pub(crate) max_event: u64,
    pub(crate) on_host_loss: &'static str,
    /// Whether it says before the first play what Ansible has loaded.
    pub(crate) describe: bool,
    /// What modules put before the lines that they write into the logs of managed hosts.
    pub(crate) target_log_info: &'a str,
}

/// What the callback is told at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// The task may start.
    Go,
    /// Nothing more starts, what runs is interrupted.
    Now,
    /// Nothing more starts, what runs may end.
    Drain,
}

/// Why the link cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the event socket failed")]
    Io(#[from] io::Error),
    #[error("the callback sent what this host does not understand")]
    Record(#[from] RecordError),
    #[error("the callback announced a record of {0} bytes")]
    TooLarge(u64),
}

/// The host's end.
pub(crate) struct Link {
    end: End,
    /// The one process that is heard; nobody before it is known.
    sender: Option<i32>,
    /// What was received last.
    piece: Box<[u8]>,
    buffer: Vec<u8>,
    /// Where in `buffer` the next frame begins.
    start: usize,
    largest: u64,
    foreign: u64,
    /// Nothing can come any more: the other side is closed, or sent what cannot be read on from.
    closed: bool,
}

enum End {
    /// Of a socket that Ansible inherits.
    Connected(UnixStream),
    /// In a folder that Ansible sees.
    Awaited(Awaited),
}

/// Who may connect: the process that has said first that it is Ansible's, before it became that. What runs in there before
/// the callback does, such as scripts of inventories, may try as well.
struct Awaited {
    listener: UnixListener,
    path: PathBuf,
    begun: Receiver,
    /// What came by that pipe.
    said: Vec<u8>,
}

impl Awaited {
    /// Waits for the one that may connect. May be dropped and called again.
    async fn connection(&mut self) -> io::Result<(UnixStream, i32)> {
        let main = loop {
            if let Some(main) = self.main() {
                break main;
            }
            self.begun.readable().await?;
            let mut piece = [0; 32];
            match self.begun.try_read(&mut piece) {
                Ok(length) => self.said.extend_from_slice(&piece[..length]),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                Err(err) => return Err(err),
            }
        };
        loop {
            let (socket, _) = self.listener.accept().await?;
            let pid = socket.peer_cred()?.pid().filter(|pid| *pid > 0);
            if let Some(pid) = pid.filter(|pid| innermost_pid(*pid) == Some(main)) {
                fs::remove_file(&self.path).ok();
                return Ok((socket, pid));
            }
        }
    }

    /// The id of Ansible's process in its own namespace.
    fn main(&self) -> Option<i32> {
        let end = self.said.iter().position(|byte| *byte == b'\n')?;
        // What is no number is nobody's.
        Some(str::from_utf8(&self.said[..end]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }
}

/// What a process of this machine is called in the innermost namespace that it is in.
fn innermost_pid(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_whitespace().last()?.parse().ok()
}

impl Link {
    /// Listens in a folder for a callback that inherits nothing. By the pipe `begun` comes the id of the process that it
    /// will be in.
    pub(crate) fn in_folder(folder: &Path, max_event: u64) -> io::Result<Self> {
        // A path may be longer than a socket's address.
        let handle = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd())).join(SOCKET);
        let listener = StdUnixListener::bind(path)?;
        sockopt::set_socket_passcred(&listener, true)?;
        listener.set_nonblocking(true)?;
        let begun = folder.join(BEGUN);
        mknodat(CWD, &begun, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Open for writing as well, or the pipe would be at its end whenever nobody else has it open.
        let begun = pipe::OpenOptions::new().read_write(true).open_receiver(begun)?;
        let listener = UnixListener::from_std(listener)?;
        let end = End::Awaited(Awaited { listener, path: folder.join(SOCKET), begun, said: Vec::new() });
        Ok(Self::new(end, max_event))
    }

    /// Hears nothing more, and says nothing: for the other side we are gone.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        if let End::Connected(socket) = &self.end {
            // One that is closed already is as well.
            shutdown(socket, Shutdown::Both).ok();
        }
    }

    fn new(end: End, max_event: u64) -> Self {
        let largest = max_event + ENVELOPE;
        let piece = vec![0; PIECE].into();
        Self { end, sender: None, piece, buffer: Vec::new(), start: 0, largest, foreign: 0, closed: false }
    }

    /// Makes the socket: the host's end, and the callback's.
    pub(crate) fn pair(max_event: u64) -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_passcred(&ours, true)?;
        // Whatever the machine's default is: less than what the callback keeps of what it sent.
        sockopt::set_socket_send_buffer_size(&theirs, SEND_BUFFER)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let socket = UnixStream::from_std(ours.into())?;
        Ok((Self::new(End::Connected(socket), max_event), theirs))
    }

    /// Names the process to listen to, where it inherited the socket. Nothing is read before.
    pub(crate) fn listen_to(&mut self, pid: u32) {
        if matches!(self.end, End::Connected(_)) {
            self.sender = Some(pid.cast_signed());
        }
    }

    /// Returns the process that is listened to, by its id on this machine.
    pub(crate) fn sender(&self) -> Option<u32> {
        self.sender.map(i32::cast_unsigned)
    }

    /// Whether it is known whom to listen to, and something can still come.
    pub(crate) fn is_listening(&self) -> bool {
        !self.closed && (self.sender.is_some() || matches!(self.end, End::Awaited(_)))
    }

    /// Returns how many bytes other processes wrote, and forgets them.
    pub(crate) fn take_foreign(&mut self) -> u64 {
        std::mem::take(&mut self.foreign)
    }

    /// Waits for the next record; none when the other side is closed. May be dropped and called again.
    pub(crate) async fn record(&mut self) -> Result<Option<Record>, LinkError> {
        let record = self.next().await;
        self.closed |= !matches!(record, Ok(Some(_)));
        record
    }

    async fn next(&mut self) -> Result<Option<Record>, LinkError> {
        loop {
            if let Some(record) = self.buffered()? {
                return Ok(Some(record));
            }
            if let End::Awaited(awaited) = &mut self.end {
                let (socket, pid) = awaited.connection().await?;
                sockopt::set_socket_passcred(&socket, true).map_err(io::Error::from)?;
                self.sender = Some(pid);
                self.end = End::Connected(socket);
            }
            let (End::Connected(socket), piece) = (&self.end, &mut self.piece) else { continue };
            match socket.async_io(Interest::READABLE, || receive(socket, piece)).await {
                Ok((_, 0)) => return Ok(None),
                Ok((sender, length)) => self.take(sender, length),
                Err(err) if is_end(&err) => return Ok(None),
                Err(err) => return Err(err.into()),
            }
        }
    }

    /// Returns a record that has already arrived. For when the sender has ended and nothing can follow.
    pub(crate) fn record_now(&mut self) -> Result<Option<Record>, LinkError> {
        loop {
            if let Some(record) = self.buffered()? {
                return Ok(Some(record));
            }
            let End::Connected(socket) = &self.end else { return Ok(None) };
            match receive(socket, &mut self.piece) {
                Ok((_, 0)) => return Ok(None),
                Ok((sender, length)) => self.take(sender, length),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock || is_end(&err) => return Ok(None),
                Err(err) => return Err(err.into()),
            }
        }
    }

    /// Sends the answer to a hello.
    pub(crate) async fn welcome(&self, welcome: Welcome<'_>) -> io::Result<()> {
        self.send(&welcome).await
    }

    /// Sends the answer to a start.
    pub(crate) async fn answer(&self, verdict: Answer) -> io::Result<()> {
        #[derive(Serialize)]
        struct Wire {
            verdict: Answer,
        }
        self.send(&Wire { verdict }).await
    }

    /// Says that everything up to the end record is in the journal.
    pub(crate) async fn acknowledge_end(&self) -> io::Result<()> {
        #[derive(Serialize)]
        struct Wire {
            heard: &'static str,
        }
        self.send(&Wire { heard: "end" }).await
    }

    async fn send<T: Serialize>(&self, message: &T) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend(text);
        let End::Connected(socket) = &self.end else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let write = || Ok(send(socket, rest, SendFlags::NOSIGNAL)?);
            rest = &rest[socket.async_io(Interest::WRITABLE, write).await?..];
        }
        Ok(())
    }

    fn take(&mut self, sender: Option<i32>, length: usize) {
        if self.sender.is_some() && sender == self.sender {
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            self.buffer.extend_from_slice(&self.piece[..length]);
        } else {
            self.foreign += length as u64;
        }
    }

    /// Takes one whole frame off the buffer.
    fn buffered(&mut self) -> Result<Option<Record>, LinkError> {
        let Some((record, length)) = first(&self.buffer[self.start..], self.largest)? else { return Ok(None) };
        self.start += length;
        Ok(Some(record))
    }
}

/// Reads the first frame of these bytes, if it is whole: the record, and how many bytes it took.
fn first(bytes: &[u8], largest: u64) -> Result<Option<(Record, usize)>, LinkError> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    if u64::from(length) > largest {
        return Err(LinkError::TooLarge(length.into()));
    }
    let length = length as usize;
    let Some(frame) = rest.get(..length) else { return Ok(None) };
    Ok(Some((Record::decode(frame)?, 4 + length)))
}

/// Reads the frames of these bytes up to one that is not whole.
pub(crate) fn frames(mut bytes: &[u8], max_event: u64) -> Result<Vec<Record>, LinkError> {
    let mut records = Vec::new();
    while let Some((record, length)) = first(bytes, max_event + ENVELOPE)? {
        records.push(record);
        bytes = &bytes[length..];
    }
    Ok(records)
}

/// The callback was interrupted before it read our answer. The kernel says so only when all it sent has been read.
fn is_end(err: &io::Error) -> bool {
    err.kind() == io::ErrorKind::ConnectionReset
}

/// Receives a piece of what one process sent: which process, and how many bytes.
fn receive(socket: &UnixStream, piece: &mut [u8]) -> io::Result<(Option<i32>, usize)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(piece)], &mut control, flags)?;
    let sender = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid.as_raw_nonzero().get()),
        _ => None,
    });
    Ok((sender, received.bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream as StdUnixStream;
    use std::process::{Command, Stdio};

    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        let mut frame = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(text.as_bytes());
        frame
    }

    const END: &str = r#"{"record":"end","stdout":7,"stderr":null}"#;

    #[tokio::test]
    async fn frames_are_put_together_from_any_pieces() {
        let (mut link, theirs) = Link::pair(1024).unwrap();
        link.listen_to(std::process::id());
        let mut theirs = StdUnixStream::from(theirs);
        for byte in frame(END).into_iter().chain(frame(END)) {
            theirs.write_all(&[byte]).unwrap();
        }
        drop(theirs);
        for _ in 0..2 {
            assert!(matches!(link.record().await.unwrap(), Some(Record::End { printed }) if printed.stdout == Some(7)));
        }
        assert!(link.record().await.unwrap().is_none());
        assert_eq!(link.take_foreign(), 0);
    }

    #[tokio::test]
    async fn what_another_process_writes_is_not_heard() {
        let (mut link, theirs) = Link::pair(1024).unwrap();
        link.listen_to(std::process::id());
        let mut theirs = StdUnixStream::from(theirs);
        let whole = frame(END);
        theirs.write_all(&whole[..9]).unwrap();
        let socket = OwnedFd::from(theirs.try_clone().unwrap());
        let status = Command::new("sh").args(["-c", "printf intruder"]).stdout(Stdio::from(socket)).status().unwrap();
        assert!(status.success());
        theirs.write_all(&whole[9..]).unwrap();
        assert!(matches!(link.record().await.unwrap(), Some(Record::End { .. })));
        assert_eq!(link.take_foreign(), "intruder".len() as u64);
    }

    #[tokio::test]
    async fn only_who_said_that_it_began_can_connect_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        // Longer than the address of a socket may be.
        let deep = folder.path().join("a".repeat(120));
        fs::create_dir(&deep).unwrap();
        let mut link = Link::in_folder(&deep, 1024).unwrap();
        assert!(link.is_listening() && link.sender().is_none());
        let short = folder.path().join("s");
        std::os::unix::fs::symlink(&deep, &short).unwrap();
        // Another process is there before the right one, and says so too, but later.
        let own = innermost_pid(std::process::id().cast_signed()).unwrap();
        fs::write(short.join(BEGUN), format!("{own}\n")).unwrap();
        let intruder = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\nprint('there', flush=True)\ninput()";
        let mut intruder = Command::new("python3")
            .args(["-c", intruder])
            .arg(short.join(SOCKET))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        io::Read::read_exact(intruder.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
        fs::write(short.join(BEGUN), format!("{}\n", intruder.id())).unwrap();
        let mut theirs = StdUnixStream::connect(short.join(SOCKET)).unwrap();
        theirs.write_all(&frame(END)).unwrap();
        assert!(matches!(link.record().await.unwrap(), Some(Record::End { .. })));
        assert_eq!(link.sender(), Some(std::process::id()));
        assert!(!deep.join(SOCKET).exists());
        drop(theirs);
        assert!(link.record().await.unwrap().is_none());
        assert!(!link.is_listening());
        intruder.kill().unwrap();
        intruder.wait().unwrap();
    }

    #[tokio::test]
    async fn an_absurd_length_is_refused_before_it_is_waited_for() {
        let (mut link, theirs) = Link::pair(1024).unwrap();
        link.listen_to(std::process::id());
        StdUnixStream::from(theirs).write_all(&u32::MAX.to_be_bytes()).unwrap();
        assert!(matches!(link.record().await, Err(LinkError::TooLarge(_))));
    }
}
