//! The processes below one process, as the kernel knows them.

use std::collections::HashMap;
use std::fs;

use playwarden_event::Process;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Far more than any tree needs that only forks as Ansible does.
const PASSES: usize = 100;

/// A process that was alive when it was looked at. The start time tells it from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pid: i32,
    parent: i32,
    started: u64,
}

impl Found {
    /// Whether it is the same process, whoever its parent is by now.
    pub(crate) fn is(self, other: Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }

    /// Whether it still lives.
    pub(crate) fn is_alive(self) -> bool {
        look(self.pid).is_some_and(|(now, zombie)| now.is(self) && !zombie)
    }
}

/// Returns the living descendants of processes; zombies, which only wait to be reaped, left out. More than one root is for
/// one in the middle that cannot be seen, where processes of others are hidden.
pub(crate) fn descendants(roots: &[i32]) -> Vec<Found> {
    let mut children: HashMap<i32, Vec<(Found, bool)>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some((found, zombie)) = look(pid) {
            children.entry(found.parent).or_default().push((found, zombie));
        }
    }
    let mut below = Vec::new();
    let mut next = roots.to_vec();
    while let Some(parent) = next.pop() {
        for (found, zombie) in children.remove(&parent).unwrap_or_default() {
            next.push(found.pid);
            if !zombie {
                below.push(found);
            }
        }
    }
    below
}

/// Sends a signal to exactly this process.
///
/// # Errors
/// `SRCH` when it is gone already, `PERM` when it is out of our reach.
pub(crate) fn signal(process: Found, signal: Signal) -> Result<(), Errno> {
    let pid = Pid::from_raw(process.pid).ok_or(Errno::SRCH)?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    // The handle is of whoever has the id now. If that is still the one we saw, it cannot change any more.
    match look(process.pid) {
        Some((now, _)) if now.started == process.started => pidfd_send_signal(&handle, signal),
        _ => Err(Errno::SRCH),
    }
}

/// Kills a process and all below it, for when its guard is gone. What detached itself from it cannot be found any more.
pub(crate) fn kill(root: i32) {
    // Each pass may find what was forked during the one before.
    for _ in 0..PASSES {
        let root = look(root).filter(|(_, zombie)| !zombie).map(|(found, _)| found);
        let Some(root) = root else { return };
        for found in descendants(&[root.pid]).into_iter().chain([root]) {
            // One that is gone already needs no signal.
            signal(found, Signal::KILL).ok();
        }
    }
}

/// Returns a process in the form that people see.
pub(crate) fn describe(process: Found) -> Process {
    const LIMIT: usize = 200;
    let raw = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    let mut command = String::from_utf8_lossy(&raw).trim_end_matches('\0').replace('\0', " ");
    if command.is_empty() {
        command = fs::read_to_string(format!("/proc/{}/comm", process.pid)).unwrap_or_default().trim().to_owned();
    }
    command.truncate(command.floor_char_boundary(LIMIT));
    Process { pid: process.pid.unsigned_abs(), command }
}

/// Whether a process waits for its standard input, where the kernel tells us.
pub(crate) fn reads_input(pid: i32) -> bool {
    // The number of `read`, and its first argument.
    const READ: &str = if cfg!(target_arch = "aarch64") { "63 0x0 " } else { "0 0x0 " };
    fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|call| call.starts_with(READ))
}

/// Reads `/proc/PID/stat`: the process, and whether it is a zombie.
pub(crate) fn look(pid: i32) -> Option<(Found, bool)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command's name in parentheses and may hold anything, parentheses too.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Fields 20 and 22 of proc(5); the next one is number 5.
    let threads: u32 = fields.nth(15)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    // Where only the first thread has ended the others go on.
    Some((Found { pid, parent, started }, matches!(state, "Z" | "X") && threads <= 1))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_whose_first_thread_has_ended_is_alive() {
        let script = "import ctypes, threading, time\n\
                      threading.Thread(target=time.sleep, args=(1000,)).start()\n\
                      ctypes.CDLL(None).pthread_exit(None)";
        let mut child = Command::new("python3").args(["-c", script]).spawn().unwrap();
        let pid = child.id().cast_signed();
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let begun = std::time::Instant::now();
        while !state().rsplit_once(") ").unwrap().1.starts_with('Z') {
            assert!(begun.elapsed().as_secs() < 60, "the first thread never ended: {}", state());
            std::thread::yield_now();
        }
        let (found, zombie) = look(pid).unwrap();
        assert!(!zombie);
        assert_eq!(signal(found, Signal::KILL), Ok(()));
        child.wait().unwrap();
    }

    #[test]
    fn finds_children_of_children_and_signals_only_them() {
        let script = "sh -c 'echo up; exec sleep 1000' & wait";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let below = descendants(&[child.id().cast_signed()]);
        assert_eq!(below.len(), 1, "{below:?}");
        let stranger = Found { started: 0, ..below[0] };
        assert_eq!(signal(stranger, Signal::KILL), Err(Errno::SRCH));
        signal(below[0], Signal::KILL).unwrap();
        assert!(child.wait().unwrap().code().is_some());
        assert_eq!(signal(below[0], Signal::KILL), Err(Errno::SRCH));
    }
}
