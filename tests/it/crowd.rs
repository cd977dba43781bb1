//! Many runs at once, in one program and in several: none touches another's files, environment, signals or id.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;

use playwarden::{Caller, Plan, Run, run_async};
use playwarden_event::reader::JournalReader;
use playwarden_event::{Cause, Event, Status};
use rustix::process::Signal;

use crate::alive::{appears, eventually, mark, marked, send};
use crate::support::{Project, ran};

/// So many in one program.
const MANY: usize = 20;

/// A run says who it is, by its variable and by its environment, and waits until it may go on.
const PLAY: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: waits
      raw: >-
        echo {{ who }}-$PW_WHO > {{ playbook_dir }}/here/{{ who }};
        until [ -e {{ playbook_dir }}/go ]; do sleep 0.1; done
    - {name: says, debug: {msg: 'i-am-{{ who }}'}}
";

fn project() -> Project {
    Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", PLAY).folder("here")
}

/// Checks that a run has only its own in its files.
#[track_caller]
fn is_its_own(folder: &Path, who: &str, others: &[String]) {
    let path = folder.join("events.jsonl");
    let open = || BufReader::new(fs::File::open(&path).unwrap());
    let count = playwarden::store::verify(open()).unwrap().events;
    let events: Vec<Event> = JournalReader::new(open()).map(Result::unwrap).collect();
    assert_eq!(events.len() as u64, count);
    let id = folder.file_name().unwrap().to_str().unwrap();
    assert!(events.iter().all(|event| event.head().runner_ident == id), "{id}");
    assert_eq!(events.iter().filter(|event| event.name() == "run_finished").count(), 1, "{id}");
    let text = fs::read_to_string(folder.join("stdout")).unwrap() + &fs::read_to_string(&path).unwrap();
    for other in others.iter().filter(|other| *other != who) {
        assert!(!text.contains(&format!("i-am-{other}")), "{who} has what {other} said");
    }
    assert!(!folder.join(".private").exists(), "{id}");
}

fn names(count: usize) -> Vec<String> {
    // None is the beginning of another one.
    (1..=count).map(|number| format!("w{number:02}")).collect()
}

#[track_caller]
fn all_are_here(project: &Project, who: &[String]) {
    for who in who {
        appears(&project.path("here").join(who));
    }
    for who in who {
        let path = project.path("here").join(who);
        eventually(who, || fs::read_to_string(&path).is_ok_and(|text| text == format!("{who}-{who}\n")));
    }
}

#[test]
fn twenty_runs_side_by_side_in_one_program_do_not_touch_each_other() {
    let project = project();
    let vars = [("PATH", std::env::var_os("PATH").unwrap()), ("HOME", project.path("home").into())];
    let caller = Caller {
        program: env!("CARGO_BIN_EXE_playwarden").into(),
        folder: project.path(""),
        vars: vars.map(|(name, value)| (OsString::from(name), value)).into_iter().collect::<BTreeMap<_, _>>(),
        cache: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/playwarden")),
    };
    let (who, mark) = (names(MANY), mark());
    let (sender, events) = channel();
    let start = |name: &String| {
        let (sender, own) = (sender.clone(), name.clone());
        let mut plan = Plan::load("runner.toml", "play", &caller)
            .unwrap()
            .on_event(move |event| sender.send((own.clone(), event.head().runner_ident.clone())).unwrap());
        plan.job.env.insert("PW_WHO".to_owned(), name.clone());
        plan.job.env.insert("PW_MARK".to_owned(), format!("{mark}-{name}-"));
        plan.job.extra_vars.insert("who".to_owned(), name.clone().into());
        run_async(plan).unwrap()
    };
    let runs: Vec<Run> = who.iter().map(start).collect();
    all_are_here(&project, &who);
    let ids: BTreeSet<_> = runs.iter().map(|run| run.id().to_owned()).collect();
    assert_eq!(ids.len(), MANY);

    runs[7].cancel().unwrap();
    let outcome = runs[7].wait().unwrap();
    assert_eq!((outcome.status, &outcome.cause), (Status::Canceled, &Some(Cause::Person)));
    assert!(marked(&format!("{mark}-{}-", who[7])).is_empty());
    for (run, name) in runs.iter().zip(&who).filter(|(_, name)| **name != who[7]) {
        assert_eq!(run.status(), Status::Running, "{name}");
        assert!(!marked(&format!("{mark}-{name}-")).is_empty(), "{name}");
    }

    let project = project.file("go", "");
    for (run, name) in runs.iter().zip(&who) {
        let expected = if *name == who[7] { Status::Canceled } else { Status::Successful };
        assert_eq!(run.wait().unwrap().status, expected, "{name}");
        is_its_own(run.folder(), name, &who);
    }
    assert!(marked(&mark).is_empty());
    assert_eq!(project.names("artifacts").len(), MANY);
    drop(sender);
    let told: BTreeSet<_> = events.into_iter().collect();
    let expected: BTreeSet<_> = who.iter().cloned().zip(runs.iter().map(|run| run.id().to_owned())).collect();
    assert_eq!(told, expected, "each closure was told of its own run alone");
}

#[test]
fn several_programs_in_one_folder_do_not_touch_each_other() {
    let project = project();
    let who = names(4);
    let start = |name: &String| {
        let job = format!("who={name}");
        let mut command = project.command(&["run", "--run-id", name, "-e", &job]);
        command.env("PW_WHO", name).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut programs: Vec<_> = who.iter().map(start).collect();
    all_are_here(&project, &who);
    let first = programs.remove(0);
    send(&first, Signal::INT);
    let _shown = ran(first.wait_with_output().unwrap()).expect(20);
    for program in &mut programs {
        assert!(program.try_wait().unwrap().is_none());
    }
    let project = project.file("go", "");
    for program in programs {
        let _shown = ran(program.wait_with_output().unwrap()).expect(0);
    }
    assert_eq!(project.names("artifacts"), who);
    for name in &who {
        is_its_own(&project.path("artifacts").join(name), name, &who);
    }
}
