//! A terminal for what a program reads: its standard input, and what it opens as `/dev/tty`.
//!
//! Nothing that is typed is echoed, and no key is a signal: of a terminal there is only what a prompt needs.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// The host's side.
#[derive(Debug)]
pub(crate) struct Terminal {
    ours: OwnedFd,
    /// Held, so that it is there although nobody has opened it; and to ask how much was not read yet.
    theirs: OwnedFd,
}

impl Terminal {
    /// Makes one that is nobody's yet.
    pub(crate) fn new() -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let mut modes = tcgetattr(&ours)?;
        make_quiet(&mut modes);
        tcsetattr(&ours, OptionalActions::Now, &modes)?;
        let theirs = slave(&ours)?;
        fcntl_setfl(&ours, fcntl_getfl(&ours)? | OFlags::NONBLOCK)?;
        Ok(Self { ours, theirs })
    }

    /// Returns what was written to it since.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut piece = [0_u8; 4096];
        loop {
            match read(&self.ours, &mut piece) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(text),
                // A hangup: whose terminal it was is gone.
                Err(Errno::IO) => return Ok(text),
                Err(Errno::INTR) => {}
                Err(err) => return Err(err.into()),
                Ok(length) => text.extend_from_slice(&piece[..length]),
            }
        }
    }

    /// Types a line.
    pub(crate) fn type_line(&self, line: &str) -> io::Result<()> {
        self.type_keys(format!("{line}\n").as_bytes())
    }

    /// Types keys.
    pub(crate) fn type_keys(&self, keys: &[u8]) -> io::Result<()> {
        // A program that reads key by key may have switched it on.
        let mut modes = tcgetattr(&self.ours)?;
        if modes.local_modes.contains(LocalModes::ECHO) {
            modes.local_modes -= LocalModes::ECHO;
            tcsetattr(&self.ours, OptionalActions::Now, &modes)?;
        }
        let mut left = keys;
        while !left.is_empty() {
            match write(&self.ours, left) {
                Ok(length) => left = &left[length..],
                Err(Errno::INTR) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(())
    }

    /// Whether a program reads it key by key, instead of line by line: it waits for keys then.
    pub(crate) fn is_raw(&self) -> bool {
        tcgetattr(&self.ours).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON))
    }

    /// Whether all that was typed was read, or thrown away.
    pub(crate) fn is_read(&self) -> bool {
        ioctl_fionread(&self.theirs).is_ok_and(|left| left == 0)
    }

    /// Hands a copy to the guard, or says that there is none.
    pub(super) fn hand_over(terminal: Option<&Self>, to: &UnixStream) -> io::Result<()> {
        let fds = terminal.map(|terminal| terminal.ours.as_fd());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.as_slice().is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds.as_slice()));
        }
        sendmsg(to, &[IoSlice::new(b"\n")], &mut control, SendFlags::empty())?;
        Ok(())
    }
}

/// The guard's side: it keeps the terminal alive when the host is gone, so that nobody is told of a hangup.
#[derive(Debug)]
pub(super) struct Held {
    _ours: OwnedFd,
    /// What the program gets.
    pub(super) theirs: OwnedFd,
}

impl Held {
    /// Takes over what the host handed over, as the terminal of this process's session.
    pub(super) fn receive(from: &UnixStream) -> io::Result<Option<Self>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        recvmsg(from, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let ours = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let Some(ours) = ours else { return Ok(None) };
        let theirs = slave(&ours)?;
        ioctl_tiocsctty(&theirs)?;
        Ok(Some(Self { _ours: ours, theirs }))
    }
}

fn slave(ours: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(ioctl_tiocgptpeer(ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?)
}

/// Lines, as they are: no echo, no editing, no signals, no stopping, and no carriage returns.
fn make_quiet(modes: &mut Termios) {
    modes.local_modes = LocalModes::ICANON;
    modes.input_modes = InputModes::ICRNL | InputModes::IUTF8;
    modes.output_modes -= OutputModes::ONLCR;
    modes.control_modes |= ControlModes::CS8;
    for key in [
        SpecialCodeIndex::VINTR,
        SpecialCodeIndex::VQUIT,
        SpecialCodeIndex::VERASE,
        SpecialCodeIndex::VKILL,
        SpecialCodeIndex::VEOF,
        SpecialCodeIndex::VEOL,
        SpecialCodeIndex::VEOL2,
    ] {
        modes.special_codes[key] = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn lines_arrive_as_they_are_and_nothing_is_echoed() {
        let terminal = Terminal::new().unwrap();
        let mut theirs = File::from(terminal.theirs.try_clone().unwrap());
        let line = "a\u{3}b\u{4}c\u{7f}d\u{16}e\u{15}f\u{17}g\u{11}\u{13}\u{1c}\u{1a}ü";
        terminal.type_line(line).unwrap();
        let mut bytes = vec![0; line.len() + 1];
        theirs.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("{line}\n"));
        assert!(terminal.is_read() && !terminal.is_raw());
        theirs.write_all(b"Password: \nok\n").unwrap();
        assert_eq!(terminal.read().unwrap(), b"Password: \nok\n");
        assert_eq!(terminal.read().unwrap(), b"");
    }

    #[test]
    fn echo_that_a_program_wants_is_not_given() {
        let terminal = Terminal::new().unwrap();
        let mut modes = tcgetattr(&terminal.theirs).unwrap();
        modes.local_modes = LocalModes::ECHO;
        tcsetattr(&terminal.theirs, OptionalActions::Now, &modes).unwrap();
        assert!(terminal.is_raw());
        terminal.type_line("secret").unwrap();
        let mut bytes = [0; 7];
        File::from(terminal.theirs.try_clone().unwrap()).read_exact(&mut bytes).unwrap();
        assert_eq!((&bytes, terminal.read().unwrap()), (b"secret\n", Vec::new()));
    }
}
