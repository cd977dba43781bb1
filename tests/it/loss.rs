//! The host is killed: Ansible ends, nothing that it reported is lost, and the next command closes the run.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use playwarden_event::{Cause, EventKind, Status};
use rustix::process::Signal;

use crate::alive::{appears, eventually, mark, marked, send};
use crate::chance::Chance;
use crate::evidence::{Evidence, at};
use crate::figures;
use crate::support::{Project, guest, ran};
use crate::witness;

/// Adds what every project of these tests has: a mark in the environment, and the witness.
fn project(mark: &str, hosts: usize, defaults: &str, job: &str, playbook: &str) -> Project {
    let project = witness::add(Project::new(hosts, "").file("play.yml", playbook));
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let env = format!("env = {{ PW_MARK = \"{mark}\", {} }}", witness::variables(&project));
    let text = format!("{text}{env}\n{defaults}\n[jobs.play]\nplaybook = \"play.yml\"\n{job}");
    project.file("runner.toml", &text)
}

/// Kills the host of a run, and waits until nothing of the run is alive and a command has closed it. Returns how long
/// Ansible and all that it started took to end.
fn lose(project: &Project, mut child: Child, mark: &str) -> Duration {
    child.kill().unwrap();
    let killed = Instant::now();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(mark).is_empty());
    let took = killed.elapsed();
    close(project);
    took
}

/// Waits until a command finds that nobody works on the run any more.
#[track_caller]
fn close(project: &Project) {
    eventually("the run is closed", || {
        let rows = project.playwarden(&["list", "--json"]).expect(0).stdout;
        let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
        rows[0]["status"] == "lost"
    });
}

/// Reads a lost run, whose journal must have everything that the witness was told of.
#[track_caller]
fn lost(project: &Project) -> Evidence {
    let run = Evidence::of(project);
    assert_eq!((run.outcome.status, run.text("status").as_str()), (Status::Lost, "lost"));
    let (missing, more) = witness::compare(project, &run);
    assert!(missing.is_empty(), "{missing:?}\n{:?}\n{}\n{}", run.outcome.cause, run.text("stderr"), run.list());
    // Ours comes first: between the two each of Ansible's threads may have been ended.
    assert!(more.len() <= 2, "{more:?}\n{}", run.list());
    let last = run.events.iter().rev().nth(1).unwrap();
    assert!(matches!(last.kind(), EventKind::StatusChanged(change) if change.to == Status::Lost), "{last:?}");
    run
}

#[track_caller]
fn cause(run: &Evidence) -> String {
    let Some(Cause::HostTrouble { text }) = &run.outcome.cause else { panic!("{:?}", run.outcome) };
    assert!(text.starts_with("the host was killed before the run ended"), "{text}");
    text.clone()
}

/// A task that lasts, after which nothing may start.
const LONG: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: quick
      raw: echo quick; echo loud >&2
    - name: long
      raw: touch {{ playbook_dir }}/reached_{{ inventory_hostname }}; sleep 600
    - name: after
      raw: touch {{ playbook_dir }}/after
";

#[test]
fn a_run_whose_host_is_killed_during_a_long_task_ends_and_has_its_last_event() {
    for policy in [None, Some("fail_budget")] {
        let mark = mark();
        let job = policy.map_or_else(String::new, |policy| {
            let path = guest(policy).display().to_string();
            format!("cancel-policies = [\"p\"]\n[plugins.p]\npath = {path:?}\nconfig = {{ max-failed-hosts = 9 }}\n")
        });
        let project = project(&mark, 2, "", &job, LONG);
        let child = project.start(&["run"]);
        appears(&project.path("reached_h1"));
        appears(&project.path("reached_h2"));
        lose(&project, child, &mark);
        let run = lost(&project);
        let text = cause(&run);
        assert!(text.contains("runner_on_start of `long` on h"), "{text}");
        let flying: Vec<_> = run.outcome.in_flight.iter().map(|flight| (&*flight.host, &*flight.task)).collect();
        assert_eq!(flying, [("h1", "long"), ("h2", "long")]);
        assert!(!project.path("after").exists());
        assert!(
            run.text("stdout").contains("quick") && run.text("stderr").contains("nterrupt"),
            "{}",
            run.text("stderr")
        );
        let shown = project.playwarden(&["show"]).expect(0).stdout;
        assert!(shown.contains("lost") && shown.contains("the last event is"), "{shown}");
        // A new run may start.
        let quick = project.path("play.yml");
        fs::write(quick, "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=x\n").unwrap();
        let _shown = project.playwarden(&["run"]).expect(0);
    }
}

#[test]
fn a_run_whose_host_is_killed_at_the_gate_starts_nothing() {
    let mark = mark();
    let path = guest("sleeps_in_host").display().to_string();
    let job = format!("cancel-policies = [\"p\"]\n[plugins.p]\npath = {path:?}\nlimits = {{ call = \"1h\" }}\n");
    let project = project(&mark, 1, "", &job, LONG);
    let child = project.start(&["run"]);
    eventually("the gate", || {
        let runs = project.names("artifacts");
        let journal = runs.first().map(|run| project.path(&format!("artifacts/{run}/events.jsonl")));
        journal.is_some_and(|path| fs::read_to_string(path).unwrap_or_default().contains("playbook_on_task_start"))
    });
    lose(&project, child, &mark);
    let run = lost(&project);
    assert!(run.named("runner_on_start").is_empty() && !project.path("reached_h1").exists(), "{}", run.list());
    // What the host had not read: it was in the policy's call.
    assert_eq!(run.named("playbook_on_task_start").len(), 1, "{}", run.list());
    assert!(run.outcome.in_flight.is_empty());
}

#[test]
fn what_stands_only_beside_the_journal_is_taken_into_it_once() {
    let mark = mark();
    let project = project(&mark, 2, "", "", LONG);
    let child = project.start(&["run"]);
    appears(&project.path("reached_h1"));
    appears(&project.path("reached_h2"));
    let journal = project.run_folder().join("events.jsonl");
    let mut child = child;
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    // As if the host had been killed earlier, in the middle of a line.
    let text = fs::read_to_string(&journal).unwrap();
    let kept = text.match_indices('\n').nth(4).unwrap().0 + 40;
    fs::write(&journal, &text[..kept]).unwrap();
    let whole: Vec<&str> = text.lines().collect();
    close(&project);
    let run = lost(&project);
    let reason = cause(&run);
    assert!(reason.contains("line 6 of the journal was torn and is cut"), "{reason}");
    assert!(reason.contains("events were taken from beside the journal"), "{reason}");
    // The same events in the same order, with the same text: only who wrote them is another.
    let wanted: Vec<playwarden_event::Event> = whole.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ansibles = |event: &&playwarden_event::Event| event.head().pid.is_some();
    let wanted: Vec<_> = wanted.iter().filter(ansibles).collect();
    let found: Vec<_> = run.events.iter().filter(ansibles).collect();
    assert!(wanted.len() > 4, "{}", run.list());
    for (wanted, found) in wanted.iter().zip(&found) {
        assert_eq!((&wanted.head().uuid, wanted.data()), (&found.head().uuid, found.data()));
        assert_eq!(wanted.head().stdout, found.head().stdout);
    }
    assert!(found.len() >= wanted.len());
}

#[test]
fn behind_a_damaged_journal_nothing_is_written_and_nothing_is_thrown_away() {
    let mark = mark();
    let project = project(&mark, 1, "", "", LONG);
    let mut child = project.start(&["run"]);
    appears(&project.path("reached_h1"));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    let folder = project.run_folder();
    let journal = fs::read_to_string(folder.join("events.jsonl")).unwrap();
    // Another word in an event of Ansible's, where it stands.
    let damaged = journal.replacen("playbook_on_start", "playbook_on_stats", 1);
    fs::write(folder.join("events.jsonl"), &damaged).unwrap();
    let spill = fs::read(folder.join(".private/spill")).unwrap();
    let stdout = fs::read_to_string(folder.join("stdout")).unwrap();
    close(&project);
    let outcome = project.outcome();
    let Some(Cause::HostTrouble { text }) = &outcome.cause else { panic!("{outcome:?}") };
    assert!(text.contains("line 4 was changed: it states the hash") && text.contains("; nothing was added"), "{text}");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!((read("events.jsonl"), read("stdout")), (damaged, stdout));
    assert_eq!(fs::read(folder.join(".private/spill")).unwrap(), spill);
}

#[test]
fn a_run_may_go_on_without_its_host_and_is_closed_when_it_ends() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: waits
      raw: touch {{ playbook_dir }}/reached_{{ inventory_hostname }}; until [ -e {{ playbook_dir }}/go ]; do sleep 0.02; done
    - name: says
      debug: var=said
      vars: {said: 'said-{{ token }}'}
    - name: stays
      raw: |
        [ {{ inventory_hostname }} != h1 ] || setsid sleep MARK >/dev/null 2>&1 &
";
    let mark = mark();
    let path = guest("verdict_table").display().to_string();
    let policy = format!(
        "cancel-policies = [\"p\"]\n[plugins.p]\npath = {path:?}\nconfig = {{ kind = \"runner_on_unreachable\" }}\n"
    );
    for policy in ["", &policy] {
        let project =
            project(&mark, 2, "extra-vars = { token = \"zinnia-4711\" }", policy, &playbook.replace("MARK", &mark));
        let text = fs::read_to_string(project.path("runner.toml")).unwrap();
        let text = text.replace("[ansible]\n", "[ansible]\non-host-loss = \"continue\"\n");
        let project = project.file("runner.toml", &text);
        let mut child = project.start(&["run"]);
        appears(&project.path("reached_h1"));
        appears(&project.path("reached_h2"));
        child.kill().unwrap();
        child.wait().unwrap();
        let listed = project.playwarden(&["list"]).expect(0).stdout;
        assert!(listed.contains("running"), "{listed}");
        let project = project.file("go", "");
        close(&project);
        let run = lost(&project);
        cause(&run);
        assert_eq!(run.hosts("runner_on_ok", "says").len(), 2);
        assert_eq!(run.hosts("runner_on_start", "says").len(), 2);
        assert!(run.outcome.stats.is_some() && run.outcome.in_flight.is_empty());
        run.counts_as_ansible_does();
        assert_eq!((run.outcome.rc, run.text("rc").as_str()), (Some(0), "0"));
        let stays: Vec<_> = run.outcome.left_alive.iter().map(|process| process.command.clone()).collect();
        assert_eq!(stays, [format!("sleep {mark}")]);
        for process in &run.outcome.left_alive {
            crate::alive::kill(process.pid.cast_signed(), Signal::KILL);
        }
        run.hides("zinnia-4711");
        assert!(run.text("stdout").contains("said-********"), "{}", run.text("stdout"));
    }
}

#[test]
fn a_run_that_goes_on_without_its_host_can_still_be_canceled() {
    let mark = mark();
    let project = project(&mark, 1, "", "", LONG);
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let text = text.replace("[ansible]\n", "[ansible]\non-host-loss = \"continue\"\n");
    let project = project.file("runner.toml", &text);
    let mut child = project.start(&["run"]);
    appears(&project.path("reached_h1"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!marked(&mark).is_empty());
    let canceled = project.playwarden(&["cancel", "@"]).expect(0);
    assert!(canceled.stdout.contains("lost"), "{}", canceled.stdout);
    assert!(marked(&mark).is_empty(), "{:?}", marked(&mark));
    let run = lost(&project);
    assert!(!project.path("after").exists());
    assert_eq!(run.outcome.in_flight.len(), 1);
}

#[test]
fn a_host_that_is_killed_while_ansible_says_goodbye_loses_nothing() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: waits
      raw: touch {{ playbook_dir }}/reached; until [ -e {{ playbook_dir }}/go ]; do sleep 0.02; done
    - name: last
      debug: msg=x
";
    let mark = mark();
    let project = project(&mark, 1, "", "", playbook);
    let child = project.start(&["run"]);
    appears(&project.path("reached"));
    // The host reads nothing more, and all that follows fits into the socket.
    send(&child, Signal::STOP);
    let project = project.file("go", "");
    let printed = project.run_folder().join(".private/stdout");
    eventually("the recap", || fs::read_to_string(&printed).unwrap().contains("PLAY RECAP"));
    lose(&project, child, &mark);
    let run = lost(&project);
    assert!(run.outcome.stats.is_some() && run.hosts("runner_on_ok", "last").len() == 1, "{}", run.list());
}

#[test]
fn two_commands_that_find_a_lost_run_close_it_once() {
    let mark = mark();
    let project = project(&mark, 1, "", "", LONG);
    let mut child = project.start(&["run"]);
    appears(&project.path("reached_h1"));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    let children: Vec<_> = (0..6).map(|_| project.start(&["list"])).collect();
    for child in children {
        let _shown = ran(child.wait_with_output().unwrap()).expect(0);
    }
    close(&project);
    let run = lost(&project);
    assert_eq!(run.named("run_finished").len(), 1);
}

/// Many short tasks, loops and larger results.
fn busy() -> String {
    let tasks = |number: u32| {
        format!(
            "    - name: item {number}\n      debug: msg={{{{ 'x' * 500 }}}}\n      loop: '{{{{ range(8) | list }}}}'\n    \
             - name: task {number}\n      raw: echo {number}\n      failed_when: false\n"
        )
    };
    let tasks: String = (1..=5).map(tasks).collect();
    format!("- hosts: all\n  gather_facts: false\n  strategy: STRATEGY\n  tasks:\n{tasks}")
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_left() {
    let seed = 0x5eed_0000 + u64::from(std::process::id());
    let mut chance = Chance(seed);
    for round in figures::rounds(6) {
        let mark = mark();
        let path = guest("fail_budget").display().to_string();
        let job =
            format!("cancel-policies = [\"p\"]\n[plugins.p]\npath = {path:?}\nconfig = {{ max-failed-hosts = 9 }}\n");
        let job = if round % 2 == 0 { job } else { String::new() };
        let strategy = if round % 4 < 2 { "linear" } else { "free" };
        let project = project(&mark, 3, "", &job, &busy().replace("STRATEGY", strategy));
        let mut child = project.start(&["run"]);
        let moment = chance.below(300_000) as u64;
        let what = format!("round {round}, seed {seed}, killed at {moment} bytes");
        eventually("a run that has come so far", || {
            let runs = project.names("artifacts");
            let journal = runs.first().map(|run| project.path(&format!("artifacts/{run}/events.jsonl")));
            let is_over = child.try_wait().unwrap().is_some();
            is_over || journal.is_some_and(|path| fs::metadata(path).is_ok_and(|journal| journal.len() >= moment))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("nothing of the run is alive", || marked(&mark).is_empty());
        eventually("the run is over", || {
            let rows = project.playwarden(&["list", "--json"]).expect(0).stdout;
            let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
            matches!(rows[0]["status"].as_str(), Some("lost" | "successful"))
        });
        let run = Evidence::of(&project);
        let (missing, more) = witness::compare(&project, &run);
        figures::note("kills", 1);
        figures::note("events_lost", missing.len());
        assert!(missing.is_empty(), "{what}: {missing:?}\n{}", run.list());
        assert!(more.len() <= 2, "{what}: {more:?}");
        for event in run.named("runner_on_ok") {
            let of = (event.host(), at(event, "/task_uuid"));
            let started =
                run.named("runner_on_start").iter().any(|start| (start.host(), at(start, "/task_uuid")) == of);
            assert!(started, "{what}: {} has no start\n{}", event.counter(), run.list());
        }
        assert_eq!(project.names("home/.ansible/tmp"), Vec::<String>::new(), "{what}");
    }
}

/// Interrupts Ansible while it hands over a large record.
const TEARS: &str = r"
import signal, sys, threading, time
from ansible.plugins.callback import CallbackBase

MAIN = threading.main_thread().ident

def sends():
    frame = sys._current_frames()[MAIN]
    return frame.f_code.co_name == '_deliver' and len(frame.f_locals.get('frame', b'')) > 1000000

def tear():
    while not sends():
        time.sleep(0.01)
    while sends():      # one that comes just before it blocks would wait with it
        signal.pthread_kill(MAIN, signal.SIGINT)
        time.sleep(0.1)

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'tears'
    CALLBACK_NEEDS_ENABLED = False

    def v2_playbook_on_start(self, playbook):
        threading.Thread(target=tear, daemon=True).start()
";

#[test]
fn a_record_that_somebodys_signal_tears_is_taken_from_beside_the_journal() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: waits
      raw: touch {{ playbook_dir }}/reached; until [ -e {{ playbook_dir }}/go ]; do sleep 0.02; done
    - name: large
      raw: head -c 5000000 /dev/zero | tr '\0' x
    - name: after
      raw: touch {{ playbook_dir }}/after
";
    let mark = mark();
    let project = project(&mark, 1, "", "", playbook).file("witness/tears.py", TEARS);
    let child = project.start(&["run"]);
    appears(&project.path("reached"));
    // The host reads nothing, and the record does not fit into the socket.
    send(&child, Signal::STOP);
    let project = project.file("go", "");
    let printed = project.run_folder().join(".private/stderr");
    eventually("Ansible gives up", || fs::read_to_string(&printed).unwrap().contains("interrupted"));
    send(&child, Signal::CONT);
    let shown = ran(child.wait_with_output().unwrap());
    let run = Evidence::of(&project);
    let (missing, _) = witness::compare(&project, &run);
    figures::note("events_lost", missing.len());
    assert!(missing.is_empty(), "{missing:?}\n{}", run.list());
    let large = run.hosts("runner_on_ok", "large");
    assert_eq!(large.len(), 1, "{}\n{shown:?}", run.list());
    assert!(!project.path("after").exists());
    let Some(Cause::HostTrouble { text }) = &run.outcome.cause else { panic!("{:?}", run.outcome) };
    assert!(text.contains("were taken from beside the journal"), "{text}");
}

#[test]
fn a_terminate_signal_to_the_guard_alone_ends_the_run_in_order() {
    let mark = mark();
    let project = project(&mark, 1, "", "", LONG);
    let child = project.start(&["run"]);
    appears(&project.path("reached_h1"));
    let guard = fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (parent == child.id() && stat.contains("(pw-guard)")).then_some(pid)
    });
    crate::alive::kill(guard.unwrap(), Signal::TERM);
    let shown = ran(child.wait_with_output().unwrap());
    assert!(marked(&mark).is_empty(), "{:?}", marked(&mark));
    let run = Evidence::of(&project);
    assert!(run.outcome.status.is_terminal() && run.outcome.status != Status::Successful, "{shown:?}");
    assert!(!project.path("after").exists());
}

#[test]
fn control_c_of_the_host_beside_a_kill_changes_nothing() {
    let mark = mark();
    let project = project(&mark, 1, "", "", LONG);
    let mut child = project.start(&["run"]);
    appears(&project.path("reached_h1"));
    send(&child, Signal::INT);
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    eventually("the run is over", || {
        let rows = project.playwarden(&["list", "--json"]).expect(0).stdout;
        rows.contains("\"lost\"") || rows.contains("\"canceled\"")
    });
    let run = Evidence::of(&project);
    assert!(witness::compare(&project, &run).0.is_empty(), "{}", run.list());
}
