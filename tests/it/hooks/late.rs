//! What breaks after the last event of a run: the run ends nevertheless, and the outcome says what happened.

use std::fs;
use std::process::Child;

use playwarden_event::{Cause, Event, EventKind, Status};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{PLAY, brief, faults, plugin, project};
use crate::alive::{eventually, send};
use crate::support::{Project, ran};

const ON_FINISHED: &str = "finished-callback.on-finished";

fn never_finishes(on_fault: &str) -> Project {
    let keys =
        format!("on-fault = {on_fault:?}\nrestart = {{ max = 0 }}\nlimits = {{ call = \"1m\", finish = \"300ms\" }}");
    project(1, "finished-callbacks = [\"late\"]", &plugin("late", "never_finishes", &keys), PLAY)
}

/// Returns the events up to `run_finished`, and what follows.
fn around_the_end(events: &[Event]) -> (&Event, &[Event]) {
    let end = events.iter().position(|event| event.name() == "run_finished").unwrap();
    (&events[end], &events[end + 1..])
}

#[test]
fn a_callback_that_never_finishes_costs_its_deadline_and_is_named() {
    let project = never_finishes("ignore");
    let shown = project.playwarden(&["run"]).expect(0);
    let events = project.events();
    let (_, after) = around_the_end(&events);
    let found = faults(after);
    assert_eq!((after.len(), brief(&found)), (1, vec![[ON_FINISHED, "timeout", "ignore"].map(str::to_owned)]));
    assert_eq!(found[0].text, "took longer than 300ms");
    let outcome = project.outcome();
    assert_eq!(
        (outcome.status, &outcome.cause, &outcome.faulty_plugins[..]),
        (Status::Successful, &None, &["late".to_owned()][..])
    );
    assert!(shown.stderr.contains("plugin `late` broke in `finished-callback.on-finished`"), "{}", shown.stderr);
    assert!(!project.run_folder().join(".private").exists());
}

#[test]
fn a_callback_that_breaks_can_fail_the_run_although_the_journal_had_ended_well() {
    for on_fault in ["fail", "cancel"] {
        let project = never_finishes(on_fault);
        let shown = project.playwarden(&["run"]).expect(32);
        let events = project.events();
        let (end, after) = around_the_end(&events);
        assert!(
            matches!(end.kind(), EventKind::RunFinished(outcome) if outcome.status == Status::Successful),
            "{end:?}"
        );
        assert_eq!(brief(&faults(after)), [[ON_FINISHED, "timeout", on_fault].map(str::to_owned)]);
        is_failed(&project);
        assert!(shown.stderr.contains("failed: plugin `late` broke in"), "{}", shown.stderr);
        for (name, text) in [("status", "failed"), ("rc", "0")] {
            assert_eq!(fs::read_to_string(project.run_folder().join(name)).unwrap(), text);
        }
    }
}

#[track_caller]
fn is_failed(project: &Project) {
    let rows = project.playwarden(&["list", "--failed", "--json"]).expect(0).stdout;
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let row = &rows.as_array().unwrap()[0];
    assert_eq!((&row["status"], &row["rc"]), (&json!("failed"), &json!(0)));
    let cause = "plugin `late` broke in `finished-callback.on-finished`: took longer than 300ms";
    assert_eq!(row["cause"], cause);
    let outcome = project.outcome();
    assert_eq!(
        (outcome.status, outcome.rc, &outcome.faulty_plugins[..]),
        (Status::Failed, Some(0), &["late".to_owned()][..])
    );
    assert!(matches!(&outcome.cause, Some(Cause::PluginFault { name, .. }) if name == "late"), "{outcome:?}");
}

// ---- a host that is killed there --------------------------------------------------------------------------------------

/// Keeps the host waiting after the last event, for longer than any test.
fn waits() -> String {
    let keys = "config = { do = [{ hook = \"on-finished\", call = 1, act = \"hang\" }] }\n\
                limits = { call = \"1m\", finish = \"1h\" }";
    plugin("waits", "handler_table", keys)
}

/// Kills the host once its journal has an event of this name.
fn kill_at(project: &Project, name: &str) {
    let mut child: Child = project.start(&["run"]);
    eventually(name, || {
        let Some(run) = project.names("artifacts").into_iter().next() else { return false };
        let journal = fs::read_to_string(project.path("artifacts").join(run).join("events.jsonl")).unwrap_or_default();
        journal.lines().any(|line| line.contains(&format!("\"event\":\"{name}\"")))
    });
    send(&child, Signal::KILL);
    child.wait().unwrap();
    assert!(project.run_folder().join(".private").exists());
    let record = fs::read_to_string(project.run_folder().join("run.json")).unwrap();
    assert!(!record.contains("\"outcome\""), "{record}");
}

#[test]
fn an_outcome_that_only_the_journal_has_is_taken_from_it() {
    let project = project(1, "finished-callbacks = [\"waits\"]", &waits(), PLAY);
    kill_at(&project, "run_finished");
    let shown = project.playwarden(&["show", "--json"]).expect(0).stdout;
    let record: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&record["outcome"]["status"], &record["outcome"]["rc"]), (&json!("successful"), &json!(0)));
    let outcome = project.outcome();
    let events = project.events();
    let (end, after) = around_the_end(&events);
    assert!(after.is_empty() && matches!(end.kind(), EventKind::RunFinished(said) if **said == outcome), "{end:?}");
    for (name, text) in [("status", "successful"), ("rc", "0")] {
        assert_eq!(fs::read_to_string(project.run_folder().join(name)).unwrap(), text);
    }
}

#[test]
fn a_fault_behind_the_end_counts_there_too() {
    let keys = "on-fault = \"fail\"\nrestart = { max = 0 }\nlimits = { call = \"1m\", finish = \"300ms\" }";
    let plugins = plugin("late", "never_finishes", keys) + &waits();
    let project = project(1, "finished-callbacks = [\"late\", \"waits\"]", &plugins, PLAY);
    kill_at(&project, "plugin_fault");
    is_failed(&project);
}

#[test]
fn who_asks_twice_does_not_wait_for_a_callback() {
    let project = project(1, "finished-callbacks = [\"waits\"]", &waits(), PLAY);
    let child = project.start(&["run"]);
    // It is in its last call when this line is there.
    eventually("the last call", || {
        let Some(run) = project.names("artifacts").into_iter().next() else { return false };
        project.path("artifacts").join(run).join("plugins/waits/seen.jsonl").exists()
    });
    let shown = project.playwarden(&["cancel", "@", "--now"]);
    let shown = (shown.code, shown.stdout, shown.stderr);
    let ended = ran(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(shown.0, Some(0), "{shown:?}");
    let outcome = project.outcome();
    assert_eq!((outcome.status, &outcome.faulty_plugins[..]), (Status::Successful, &["waits".to_owned()][..]));
    assert!(ended.stderr.contains("was not waited for: somebody was in a hurry"), "{}", ended.stderr);
}
