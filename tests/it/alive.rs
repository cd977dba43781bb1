//! Processes of a run, found by a mark in their environment or their command line.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::figures;

/// No condition that a test waits for takes so long, even on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

/// Returns a mark of one test: a number of seconds that nobody else sleeps.
pub(crate) fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("4242.{:07}{next:03}", std::process::id())
}

/// Returns the living processes that bear a mark, with their command lines.
pub(crate) fn marked(mark: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        let environment = read("environ");
        if command.contains(mark) || environment.windows(mark.len()).any(|window| window == mark.as_bytes()) {
            found.push((pid, command));
        }
    }
    found
}

/// Asserts that nothing with this mark is alive, now that its run is over.
#[track_caller]
pub(crate) fn nothing_with(mark: &str) {
    let alive = marked(mark);
    figures::note("alive_after_end", alive.len());
    assert!(alive.is_empty(), "{alive:?}");
}

/// Waits for a condition; panics when it does not come true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < BOUND, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a file is there.
#[track_caller]
pub(crate) fn appears(path: &Path) {
    eventually(&path.display().to_string(), || path.exists());
}

/// Sends a signal to a program that the test started.
pub(crate) fn send(child: &Child, signal: Signal) {
    kill(child.id().cast_signed(), signal);
}

/// Sends a signal to a process of a run.
pub(crate) fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}
