//! What is alive after the end.

use std::process::Child;

use playwarden_event::{Cause, Status};
use rustix::process::Signal;

use super::under;
use crate::alive::{appears, eventually, kill, mark, marked, send};
use crate::evidence::Evidence;
use crate::support::{Project, Ran, ran};

/// A play that starts what detaches in every way, and then sleeps until it is ended.
fn detaches(mark: &str, last: &str) -> String {
    // In brackets, so that the search does not find itself.
    let rest = mark.strip_prefix('4').unwrap();
    format!(
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: detach
      raw: |
        nohup sleep {mark} >/dev/null 2>&1 &
        setsid sleep {mark} >/dev/null 2>&1 &
        setsid env -i /bin/sleep {mark} >/dev/null 2>&1 &
        (setsid sh -c 'sleep {mark} & exit' >/dev/null 2>&1 &)
        true
    - name: background
      command: sleep {mark}
      async: 9000
      poll: 0
    - name: last
      raw: |
        until [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -cx '[4]{rest}') -ge 5 ]; do sleep 0.02; done
        touch {{{{ playbook_dir }}}}/reached
        {last}
    - name: after
      raw: touch {{{{ playbook_dir }}}}/after
"
    )
}

/// Returns a project whose runs bear a mark.
fn project(mark: &str, defaults: &str, last: &str) -> Project {
    let rest = format!("env = {{ PW_MARK = \"{mark}\" }}\n{defaults}\n[jobs.play]\nplaybook = \"play.yml\"\n");
    Project::new(1, &rest).file("play.yml", &detaches(mark, last))
}

fn end(child: Child) -> Ran {
    ran(child.wait_with_output().unwrap())
}

#[track_caller]
fn nothing_is_alive(mark: &str) {
    let alive = marked(mark);
    assert!(alive.is_empty(), "{alive:?}");
}

#[test]
fn control_c_ends_a_run_in_order_and_nothing_is_alive() {
    let mark = mark();
    let project = project(&mark, "", "sleep 600");
    let child = project.start(&["run"]);
    appears(&project.path("reached"));
    assert!(marked(&mark).len() > 5, "{:?}", marked(&mark));
    send(&child, Signal::INT);
    let shown = end(child).expect(20);
    nothing_is_alive(&mark);
    assert!(shown.stderr.contains("canceled: a person asked for it"), "{}", shown.stderr);
    let run = Evidence::of(&project);
    assert_eq!(
        (run.outcome.status, run.outcome.rc, &run.outcome.cause),
        (Status::Canceled, Some(254), &Some(Cause::Person))
    );
    assert_eq!(run.outcome.in_flight.iter().map(|flight| flight.task.as_str()).collect::<Vec<_>>(), ["last"]);
    assert!(run.outcome.left_alive.is_empty() && !project.path("after").exists());
    // Temporary folders are gone too, also where only the inventory says that they are.
    assert_eq!(project.names("home/.ansible/tmp"), Vec::<String>::new());
    assert_eq!(project.names("home/remote"), Vec::<String>::new());
}

#[test]
fn a_terminate_signal_ends_a_run_as_control_c_does() {
    let mark = mark();
    let project = project(&mark, "", "sleep 600");
    let child = project.start(&["run", "--ansible-exit-code"]);
    appears(&project.path("reached"));
    send(&child, Signal::TERM);
    let _shown = end(child).expect(254);
    nothing_is_alive(&mark);
    assert_eq!(Evidence::of(&project).outcome.cause, Some(Cause::Person));
}

/// Starts a run, and once its last task sleeps sends a signal to Ansible's main process.
fn start_and_send(project: &Project, signal: Signal) -> Child {
    let child = project.start(&["run"]);
    appears(&project.path("reached"));
    let journal = std::fs::read_to_string(project.run_folder().join("events.jsonl")).unwrap();
    let line = journal.lines().find(|line| line.contains("playbook_on_start")).unwrap();
    let event: playwarden_event::Event = serde_json::from_str(line).unwrap();
    kill(event.head().pid.unwrap().cast_signed(), signal);
    child
}

#[test]
fn control_c_ends_a_run_that_has_only_begun() {
    let mark = mark();
    let project = project(&mark, "", "sleep 600");
    let child = project.start(&["run"]);
    // Ansible is still loading, or not even started.
    eventually("a run", || !project.names("artifacts").is_empty());
    let status = project.run_folder().join("status");
    appears(&status);
    send(&child, Signal::INT);
    let _shown = end(child).expect(20);
    nothing_is_alive(&mark);
    let run = Evidence::of(&project);
    assert_eq!((run.outcome.status, &run.outcome.cause), (Status::Canceled, &Some(Cause::Person)));
    assert!(!project.path("reached").exists());
}

#[test]
fn control_c_hastens_a_verdict_that_waits_for_running_tasks() {
    let mark = mark();
    let defaults = format!("env = {{ PW_MARK = \"{mark}\" }}");
    let settings = "config = { kind = \"runner_on_failed\", stop = \"after-running-tasks\" }";
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: work
      raw: |
        {% if inventory_hostname == 'h2' %}
        until [ -e {{ playbook_dir }}/sleeping ]; do sleep 0.02; done; exit 1
        {% else %}
        touch {{ playbook_dir }}/sleeping; sleep 600
        {% endif %}
";
    let project = under("verdict_table", settings, 2, &defaults, playbook);
    let child = project.start(&["run"]);
    appears(&project.path("sleeping"));
    let status = project.run_folder().join("status");
    eventually("canceling", || std::fs::read_to_string(&status).unwrap() == "canceling");
    assert!(!marked(&mark).is_empty());
    send(&child, Signal::INT);
    // The first reason stays.
    let _shown = end(child).expect(21);
    nothing_is_alive(&mark);
    let run = Evidence::of(&project);
    assert!(matches!(run.outcome.cause, Some(Cause::Plugin { .. })), "{:?}", run.outcome.cause);
}

#[test]
fn control_c_twice_ends_what_does_not_hear() {
    let mark = mark();
    let project = project(&mark, "stop = { interrupt = \"1h\", terminate = \"1h\" }", "sleep 600");
    // A stopped process hears no signal but SIGKILL.
    let child = start_and_send(&project, Signal::STOP);
    send(&child, Signal::INT);
    let status = project.run_folder().join("status");
    eventually("canceling", || std::fs::read_to_string(&status).unwrap() == "canceling");
    assert!(!marked(&mark).is_empty());
    send(&child, Signal::INT);
    let _shown = end(child).expect(20);
    nothing_is_alive(&mark);
    assert_eq!(Evidence::of(&project).outcome.status, Status::Canceled);
}

#[test]
fn control_c_twice_does_not_wait_for_a_policy() {
    let mark = mark();
    let defaults = format!("env = {{ PW_MARK = \"{mark}\" }}");
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: never\n      raw: 'true'\n";
    // Asleep for an hour, which its deadline allows.
    let project = under("sleeps_in_host", "limits = { call = \"2h\" }", 1, &defaults, playbook);
    let child = project.start(&["run"]);
    eventually("the gate", || {
        let journal =
            project.names("artifacts").first().map(|run| project.path(&format!("artifacts/{run}/events.jsonl")));
        journal.is_some_and(|path| std::fs::read_to_string(path).unwrap_or_default().contains("playbook_on_task_start"))
    });
    send(&child, Signal::INT);
    eventually("Ansible is gone", || marked(&mark).is_empty());
    send(&child, Signal::INT);
    let _shown = end(child).expect(20);
    let run = Evidence::of(&project);
    assert_eq!((run.outcome.status, &run.outcome.cause), (Status::Canceled, &Some(Cause::Person)));
    assert!(run.named("runner_on_start").is_empty(), "{}", run.list());
}

#[test]
fn what_does_not_hear_is_killed_after_its_time() {
    let mark = mark();
    let project = project(&mark, "stop = { interrupt = \"100ms\", terminate = \"100ms\" }", "sleep 600");
    let child = start_and_send(&project, Signal::STOP);
    send(&child, Signal::INT);
    let _shown = end(child).expect(20);
    nothing_is_alive(&mark);
    let _run = Evidence::of(&project);
}

#[test]
fn when_ansible_itself_is_killed_its_workers_do_not_go_on() {
    let mark = mark();
    let project = project(&mark, "stop = { terminate = \"500ms\" }", "sleep 600");
    let child = start_and_send(&project, Signal::KILL);
    let shown = end(child).expect(10);
    nothing_is_alive(&mark);
    assert!(shown.stderr.contains("failed: Ansible was ended by signal 9"), "{}", shown.stderr);
    let run = Evidence::of(&project);
    assert_eq!((run.outcome.status, run.outcome.rc, &run.outcome.stats), (Status::Failed, Some(137), &None));
}

#[test]
fn a_worker_that_is_killed_is_told_in_ansibles_words() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: dies\n      raw: kill -9 $PPID\n";
    let project = Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", playbook);
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    let Some(Cause::AnsibleEnded { text }) = &run.outcome.cause else { panic!("{:?}", run.outcome) };
    assert!(text.contains("dead state"), "{text}");
    assert!(run.named("runner_on_start").len() == 1 && run.named("playbook_on_stats").is_empty(), "{}", run.list());
}

#[test]
fn after_a_verdict_nothing_is_alive() {
    let mark = mark();
    let settings = "config = { kind = \"runner_on_failed\" }";
    let defaults = format!("env = {{ PW_MARK = \"{mark}\" }}");
    let project = under("verdict_table", settings, 1, &defaults, &detaches(&mark, "false"));
    let _shown = project.playwarden(&["run"]).expect(21);
    nothing_is_alive(&mark);
    let run = Evidence::of(&project);
    assert!(run.outcome.left_alive.is_empty());
    assert!(project.path("reached").exists() && !project.path("after").exists());
}

#[test]
fn after_a_normal_end_what_detached_is_named_and_left() {
    let mark = mark();
    let project = project(&mark, "", "true");
    let shown = project.playwarden(&["run"]).expect(0);
    let alive = marked(&mark);
    let run = Evidence::of(&project);
    for (pid, _) in &alive {
        kill(*pid, Signal::KILL);
    }
    let sleeps = alive.iter().filter(|(_, command)| command.trim().ends_with(&format!("sleep {mark}"))).count();
    assert_eq!(sleeps, 5, "{alive:?}");
    let mut named: Vec<_> = run.outcome.left_alive.iter().map(|process| process.pid.cast_signed()).collect();
    let mut living: Vec<_> = alive.iter().map(|(pid, _)| *pid).collect();
    named.sort_unstable();
    living.sort_unstable();
    assert_eq!(named, living, "{:?}\n{alive:?}", run.outcome.left_alive);
    assert!(shown.stderr.contains(&format!("(sleep {mark})")), "{}", shown.stderr);
    eventually("the test's own survivors are gone", || marked(&mark).is_empty());
}

#[test]
fn after_a_normal_end_survivors_are_killed_where_that_is_wanted() {
    let mark = mark();
    let project = project(&mark, "stop = { survivors = \"kill\", terminate = \"500ms\" }", "true");
    let _shown = project.playwarden(&["run"]).expect(0);
    nothing_is_alive(&mark);
    let run = Evidence::of(&project);
    assert_eq!((run.outcome.status, run.outcome.left_alive.len()), (Status::Successful, 0));
    assert!(project.path("after").exists());
}

#[test]
fn time_limits_end_a_run() {
    for (limit, code, cause) in [("timeout", 22, Cause::JobTimeout), ("idle-timeout", 23, Cause::IdleTimeout)] {
        let mark = mark();
        let project = project(&mark, &format!("{limit} = \"4s\""), "sleep 600");
        let _shown = project.playwarden(&["run"]).expect(code);
        nothing_is_alive(&mark);
        let run = Evidence::of(&project);
        assert_eq!(
            (run.outcome.status, run.outcome.rc, &run.outcome.cause),
            (Status::Timeout, Some(254), &Some(cause))
        );
        assert!(!project.path("after").exists());
    }
}

#[test]
fn when_the_host_is_killed_ansible_and_its_tree_go_too_and_the_run_is_lost() {
    let mark = mark();
    let project = project(&mark, "stop = { interrupt = \"1s\", terminate = \"1s\" }", "sleep 600");
    let mut child = project.start(&["run"]);
    appears(&project.path("reached"));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    assert!(!project.path("after").exists());

    // The guard is the last one, and may have a word to write down.
    eventually("the run is lost", || {
        let listed = project.playwarden(&["list", "--json"]).expect(0);
        let rows: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        rows[0]["status"] == "lost"
    });
    assert_eq!(project.outcome().status, Status::Lost);
    // Whole and verified; the last tasks are there.
    let events = project.events();
    assert!(
        events.iter().any(|event| event.name() == "runner_on_start" && event.context().task.as_deref() == Some("last"))
    );
    let listed = project.playwarden(&["list"]).expect(0);
    assert!(listed.stdout.contains(" lost "), "{}", listed.stdout);
}

#[test]
fn a_hangup_that_was_ignored_when_it_began_ends_nothing() {
    let mark = mark();
    let wait = "until [ -e {{ playbook_dir }}/go ]; do sleep 0.02; done; pkill -f '[s]leep MARK' || true";
    let project = project(&mark, "", &wait.replace("MARK", &mark));
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", "trap '' HUP; exec \"$0\" run", env!("CARGO_BIN_EXE_playwarden")]);
    project.adopt(&mut shell);
    let child = shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    appears(&project.path("reached"));
    send(&child, Signal::HUP);
    let project = project.file("go", "");
    let _shown = end(child).expect(0);
    assert_eq!(Evidence::of(&project).outcome.status, Status::Successful);
}

#[test]
fn an_ansible_that_is_only_started_by_a_wrapper_is_refused_and_not_waited_for() {
    let mark = mark();
    let real = crate::support::venv().join("bin");
    let wrapper = format!("#!/bin/sh\n{}/ansible-playbook \"$@\"\nexit $?\n", real.display());
    let project = project(&mark, "", "true").file("wrapped/bin/ansible-playbook", &wrapper);
    std::os::unix::fs::symlink(real.join("ansible-config"), project.path("wrapped/bin/ansible-config")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.path("wrapped/bin/ansible-playbook"), mode).unwrap();
    let text = std::fs::read_to_string(project.path("runner.toml")).unwrap();
    let other = text.replace(&crate::support::venv().display().to_string(), "wrapped");
    let project = project.file("runner.toml", &other);
    let shown = project.playwarden(&["run"]).expect(12);
    assert!(shown.stderr.contains("must `exec` it"), "{}", shown.stderr);
    nothing_is_alive(&mark);
}
