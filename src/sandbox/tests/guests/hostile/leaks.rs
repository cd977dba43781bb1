//! What is left in the host of many guests that ended badly.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::written::{Checker, Lab, MEMORY, starter};
use crate::support::{Project, block_on};

/// Set for the process in which nothing else is tested.
const ALONE: &str = "PLAYWARDEN_TEST_ALONE";

/// No thread takes so long to end, even on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

/// So many entries has a folder about this process.
fn count(of: &str) -> usize {
    fs::read_dir(format!("/proc/self/{of}")).unwrap().count()
}

/// Returns the bytes of memory that this process has in use.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Many components, each of which ends in another way.
async fn round(lab: &Lab) {
    let grows = "(drop (memory.grow (i32.const 900))) unreachable";
    let floor = "(memory (export \"memory\") 65536)";
    for checker in [
        Checker { schema: "unreachable", ..Checker::default() },
        Checker { schema: grows, ..Checker::default() },
        Checker { schema: "i32.const -4", ..Checker::default() },
        Checker { items: floor, ..Checker::default() },
    ] {
        lab.schema(checker).await.unwrap_err();
    }
    lab.start(&starter(MEMORY, "unreachable", "unreachable")).await.unwrap_err();
    // One that is dropped while it lives.
    let plugin = lab.load(&starter(MEMORY, "i32.const 1024", "i32.const 0")).await.unwrap();
    let mut project = Project::new(serde_json::json!({}));
    project.limits = lab.limits;
    drop(plugin.start(project.setup(1, BTreeMap::new())).await.unwrap());
}

#[test]
fn many_guests_that_ended_badly_leave_nothing_behind() {
    if std::env::var_os(ALONE).is_none() {
        // Other tests open files and start threads.
        let name = "hostile::leaks::many_guests_that_ended_badly_leave_nothing_behind";
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let ran = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    block_on(async {
        let lab = Lab::new();
        for _ in 0..5 {
            round(&lab).await;
        }
        let before = (count("fd"), count("task"), resident());
        for _ in 0..60 {
            round(&lab).await;
        }
        let begun = Instant::now();
        // A thread that has done its work takes a moment to end.
        while count("fd") > before.0 || count("task") > before.1 {
            assert!(
                begun.elapsed() < BOUND,
                "files and threads: {before:?}, now {} and {}",
                count("fd"),
                count("task")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let after = resident();
        // Sixty memories of 60 MiB would be 3.5 GiB; what an allocator keeps of compiled code is much less.
        assert!(after < before.2 + (256 << 20), "{before:?}, now {after}");
    });
}
