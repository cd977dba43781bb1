//! Folders that cannot be written, lines that were torn. What a full disk does stands in `runs`.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use playwarden_event::{Cause, Status};
use serde_json::Value;

use crate::evidence::Evidence;
use crate::support::Project;

const PLAY: &str =
    "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: one, raw: 'touch {{ playbook_dir }}/ran'}\n";

fn project(playbook: &str) -> Project {
    Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", playbook)
}

#[test]
fn where_no_evidence_can_be_kept_nothing_is_run() {
    let project = project(PLAY);
    let place = project.path("artifacts");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o500)).unwrap();
    let shown = project.unprivileged(&["run"]).expect(74);
    assert!(
        shown.stderr.contains("cannot be written") && shown.stderr.contains("check who may write"),
        "{}",
        shown.stderr
    );
    fs::remove_dir(&place).unwrap();
    // Nobody at all can make a folder there.
    symlink("/proc/self/fdinfo", &place).unwrap();
    let shown = project.playwarden(&["run"]).expect(74);
    assert!(shown.stderr.contains("cannot be written"), "{}", shown.stderr);
    assert!(!project.path("ran").exists());
}

#[test]
fn a_folder_that_becomes_read_only_keeps_its_journal_whole_and_the_run_is_not_successful() {
    let project = project(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: close, raw: 'chmod 500 {{ playbook_dir }}/artifacts/*'}\n",
    );
    let shown = project.unprivileged(&["run"]).expect(74);
    assert!(shown.stderr.contains("cannot be written"), "{}", shown.stderr);
    let folder = project.run_folder();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let events = project.events();
    assert_eq!(events.last().unwrap().name(), "run_finished");
    assert_eq!(events.iter().filter(|event| event.name() == "runner_on_ok").count(), 1);
}

/// Makes of a finished run what a host leaves that was killed in the middle of a line.
fn tear(project: &Project) -> usize {
    let folder = project.run_folder();
    let path = folder.join("events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let whole: Vec<&str> = text.lines().take(5).collect();
    fs::write(&path, format!("{}\n", whole.join("\n"))).unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&text.lines().nth(5).unwrap().as_bytes()[..40]).unwrap();
    let record = folder.join("run.json");
    let mut json: Value = serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
    json["outcome"] = Value::Null;
    fs::write(&record, json.to_string()).unwrap();
    whole.len()
}

#[test]
fn a_line_that_was_torn_is_cut_and_said_and_the_next_run_begins() {
    let project = project(PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let _whole = Evidence::of(&project);
    let whole = tear(&project);
    let shown = project.playwarden(&["show"]).expect(0);
    assert!(shown.stdout.contains("line 6 of the journal was torn and is cut"), "{}", shown.stdout);
    // Its end was written behind it.
    let events = project.events();
    let ends: Vec<_> = events[whole..].iter().map(playwarden_event::Event::name).collect();
    assert_eq!(ends, ["status_changed", "run_finished"]);
    let outcome = project.outcome();
    assert_eq!(outcome.status, Status::Lost);
    assert!(matches!(&outcome.cause, Some(Cause::HostTrouble { text }) if text.contains("torn")), "{outcome:?}");
    let _shown = project.playwarden(&["run"]).expect(0);
    assert_eq!(project.names("artifacts").len(), 2);
}
