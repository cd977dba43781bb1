//! `playwarden cancel`: the end of a run, asked for from another terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};

use playwarden_event::{Cause, Event, Status};
use rustix::process::Signal;

use super::LONG;
use crate::alive::{appears, kill, mark, marked, send};
use crate::evidence::Evidence;
use crate::support::{Project, Ran, ran};

/// Returns a project whose run bears a mark; an interrupt may take as long as it likes.
fn project(mark: &str) -> Project {
    let rest = format!(
        "env = {{ PW_MARK = \"{mark}\" }}\nstop = {{ interrupt = \"1h\" }}\n[jobs.play]\nplaybook = \"play.yml\"\n"
    );
    Project::new(1, &rest).file("play.yml", LONG)
}

fn start(project: &Project) -> Child {
    let child = project.start(&["run", "--run-id", "the-run"]);
    appears(&project.path("reached"));
    child
}

fn end(child: Child) -> Ran {
    ran(child.wait_with_output().unwrap())
}

/// Stops Ansible, so that no interrupt ends it.
fn stop_ansible(project: &Project) {
    let journal = fs::read_to_string(project.run_folder().join("events.jsonl")).unwrap();
    let line = journal.lines().find(|line| line.contains("\"playbook_on_start\"")).unwrap();
    let event: Event = serde_json::from_str(line).unwrap();
    kill(event.head().pid.unwrap().cast_signed(), Signal::STOP);
}

/// The run was ended by a person, and nothing of it is alive.
#[track_caller]
fn is_canceled(project: &Project, run: Child, mark: &str) {
    let shown = end(run).expect(20);
    assert!(shown.stderr.contains("canceled: a person asked for it"), "{}", shown.stderr);
    let run = Evidence::of(project);
    assert_eq!(
        (run.outcome.status, run.outcome.rc, &run.outcome.cause),
        (Status::Canceled, Some(254), &Some(Cause::Person))
    );
    let alive = marked(mark);
    assert!(alive.is_empty() && !project.path("after").exists(), "{alive:?}");
}

#[test]
fn a_run_is_ended_in_order_and_waited_for() {
    let mark = mark();
    let project = project(&mark);
    let run = start(&project);
    let shown = project.playwarden(&["cancel", "@"]).expect(0);
    assert_eq!(shown.stdout, "run the-run has ended: canceled (a person asked for it)\n");
    assert_eq!(shown.stderr, "run the-run is asked to end\n");
    is_canceled(&project, run, &mark);
    // Ansible's own temporary files are gone too: it was asked, not killed.
    assert_eq!(project.names("home/.ansible/tmp"), Vec::<String>::new());
    let shown = project.playwarden(&["cancel", "the-run"]).expect(2);
    assert!(
        shown.stderr.contains("run the-run has ended already: canceled (a person asked for it)"),
        "{}",
        shown.stderr
    );
}

#[test]
fn a_run_is_ended_at_once() {
    let mark = mark();
    let project = project(&mark);
    let run = start(&project);
    stop_ansible(&project);
    let shown = project.playwarden(&["cancel", "the", "--now"]).expect(0);
    assert!(shown.stdout.ends_with("has ended: canceled (a person asked for it)\n"), "{}", shown.stdout);
    is_canceled(&project, run, &mark);
}

#[test]
fn who_asks_second_makes_haste() {
    let mark = mark();
    let project = project(&mark);
    let run = start(&project);
    stop_ansible(&project);
    let both = [(); 2].map(|()| project.start(&["cancel", "@"]));
    for cancel in both {
        let shown = end(cancel).expect(0);
        assert!(shown.stdout.contains("has ended: canceled"), "{}", shown.stdout);
    }
    is_canceled(&project, run, &mark);
}

#[test]
fn nobody_has_to_wait() {
    let mark = mark();
    let project = project(&mark);
    let run = start(&project);
    let shown = project.playwarden(&["cancel", "@", "--no-wait"]).expect(0);
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("run the-run is asked to end\n", ""));
    is_canceled(&project, run, &mark);
}

#[test]
fn what_cannot_be_canceled_is_said() {
    let project = Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", super::PLAY);
    let shown = project.playwarden(&["cancel", "@"]).expect(2);
    assert!(shown.stderr.contains("there is no run in"), "{}", shown.stderr);
    for id in ["alpha-1", "alpha-2"] {
        let _shown = project.playwarden(&["run", "--run-id", id]).expect(0);
    }
    let shown = project.playwarden(&["cancel", "alpha"]).expect(2);
    assert!(shown.stderr.contains("`alpha` can be any of alpha-"), "{}", shown.stderr);
    let shown = project.playwarden(&["cancel", "beta"]).expect(2);
    assert!(shown.stderr.contains("there is no run `beta`"), "{}", shown.stderr);
    let shown = project.playwarden(&["cancel", "alpha-1", "--now"]).expect(2);
    assert!(shown.stderr.contains("run alpha-1 has ended already: successful"), "{}", shown.stderr);
}

#[test]
fn a_run_whose_host_was_killed_has_ended() {
    let mark = mark();
    let project = project(&mark);
    let mut run = start(&project);
    send(&run, Signal::KILL);
    run.wait().unwrap();
    // Its guard ends what is left, and only then the run is over.
    let over = || project.playwarden(&["list", "--status", "lost", "--json"]).expect(0).stdout.contains("the-run");
    crate::alive::eventually("a lost run", over);
    assert!(marked(&mark).is_empty());
    let shown = project.playwarden(&["cancel", "@"]).expect(2);
    assert!(shown.stderr.contains("run the-run has ended already: lost"), "{}", shown.stderr);
}

/// Somebody who may read everything of a run, and is not its owner.
const STRANGER: u32 = 65534;

#[test]
fn a_stranger_cannot_end_a_run() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let mark = mark();
    let project = project(&mark);
    let run = start(&project);
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let folder = project.run_folder();
    for path in [project.path(""), project.path("artifacts"), folder.clone()] {
        open(&path, 0o755);
    }
    for name in ["run.json", "status", "events.jsonl"] {
        open(&folder.join(name), 0o644);
    }
    // Where the tests are built need not be open to everybody.
    let program = project.path("playwarden");
    fs::copy(env!("CARGO_BIN_EXE_playwarden"), &program).unwrap();
    open(&program, 0o755);
    let mut command = Command::new(&program);
    project.adopt(&mut command);
    command.uid(STRANGER).gid(STRANGER).env("HOME", "/nonexistent").env_remove("XDG_CACHE_HOME");
    let shown = ran(command.args(["cancel", "@"]).output().unwrap()).expect(2);
    assert!(shown.stderr.contains("the run belongs to another user"), "{}", shown.stderr);
    assert_eq!(fs::read_to_string(folder.join("status")).unwrap(), "running");
    let _shown = project.playwarden(&["cancel", "@"]).expect(0);
    is_canceled(&project, run, &mark);
}
