//! The end of a run: what is left is handed over, nobody waits for ever, and what was not taken is named.

use super::{LONG, PLAY, brief, counters, faults, of_hook, plugin, project, seen};
use crate::alive::eventually;
use crate::support::{Project, ran};

const ON_EVENTS: &str = "event-handler.on-events";
const ON_STATUS: &str = "status-handler.on-status";
const ON_FINISHED: &str = "finished-callback.on-finished";

/// A run of two tasks under `handler-table` with one row.
fn table(hooks: &str, row: &str, keys: &str) -> Project {
    let plugin = plugin("table", "handler_table", &format!("config = {{ do = [{{ {row} }}] }}\n{keys}"));
    project(1, hooks, &plugin, PLAY)
}

/// Every list of events that was handed over.
fn lists(project: &Project) -> Vec<Vec<u64>> {
    of_hook(&seen(project, "table"), "on-events").into_iter().map(counters).collect()
}

#[test]
fn events_do_not_wait_for_a_status_that_is_refused() {
    let hooks = "event-handlers = [\"table\"]\nstatus-handlers = [\"table\"]";
    let keys = "limits = { call = \"1m\", finish = \"5s\" }";
    let project = table(hooks, "hook = \"on-status\", act = \"retry\"", keys);
    let _shown = project.playwarden(&["run"]).expect(0);
    let events = project.events();
    let lists = lists(&project);
    let last = events.iter().find(|event| event.name() == "run_finished").unwrap().counter();
    assert_eq!(lists.concat(), (1..=last).collect::<Vec<_>>());
    assert_eq!(lists.last().unwrap(), &[0; 0], "it is asked to finish what is pending");
    let found = faults(&events);
    assert_eq!(brief(&found), [[ON_STATUS, "timeout", "ignore"], [ON_STATUS, "timeout", "ignore"]]);
    // The first time for what came while Ansible ran, then for the end, which had a try of its own.
    assert!(found[0].text.ends_with("it has not taken the status starting, running"), "{}", found[0].text);
    assert!(found[1].text.ends_with("it has not taken the status successful"), "{}", found[1].text);
}

#[test]
fn who_breaks_while_asked_to_finish_is_asked_again() {
    let row = "hook = \"on-events\", incarnation = 1, empty = true, act = \"trap\"";
    let project = table("event-handlers = [\"table\"]", row, "");
    let _shown = project.playwarden(&["run"]).expect(0);
    assert_eq!(brief(&faults(&project.events())), [[ON_EVENTS, "trap", "restart"]]);
    let seen = seen(&project, "table");
    let last = of_hook(&seen, "on-events").pop().unwrap();
    assert_eq!((last["incarnation"].as_u64(), counters(last)), (Some(2), Vec::new()));
}

#[test]
fn what_is_never_acknowledged_is_named() {
    let project = table("event-handlers = [\"table\"]", "hook = \"on-events\", act = \"late\"", "");
    let _shown = project.playwarden(&["run"]).expect(0);
    let events = project.events();
    let found = faults(&events);
    assert_eq!(brief(&found), [[ON_EVENTS, "failure", "ignore"]]);
    let last = events.iter().find(|event| event.name() == "run_finished").unwrap().counter();
    assert_eq!(found[0].text, format!("got events up to {last} and acknowledged those up to 0"));
}

#[test]
fn who_took_all_its_time_is_not_called_a_second_time() {
    let keys = "limits = { call = \"1m\", finish = \"300ms\" }";
    let project = project(1, "finished-callbacks = [\"late\"]", &plugin("late", "never_finishes", keys), PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    assert_eq!(brief(&faults(&project.events())), [[ON_FINISHED, "timeout", "ignore"]]);
}

#[test]
fn a_run_that_is_ended_at_once_does_not_wait_for_those_who_observe() {
    let keys = "config = { do = [{ hook = \"on-finished\", act = \"hang\" }] }\n\
                limits = { call = \"1m\", finish = \"1h\" }";
    let plugin = plugin("table", "handler_table", keys);
    let project = project(1, "event-handlers = [\"table\"]\nfinished-callbacks = [\"table\"]", &plugin, LONG);
    let run = project.start(&["run"]);
    eventually("the long task", || project.path("reached").exists());
    let _canceled = project.playwarden(&["cancel", "@", "--now"]).expect(0);
    let _shown = ran(run.wait_with_output().unwrap()).expect(20);
    let events = project.events();
    let found = faults(&events);
    assert_eq!(brief(&found), [[ON_FINISHED, "timeout", "ignore"]]);
    assert!(found[0].text.contains("somebody was in a hurry"), "{}", found[0].text);
    // A moment was enough for all the events that there were.
    let last = events.iter().find(|event| event.name() == "run_finished").unwrap().counter();
    assert_eq!(lists(&project).concat(), (1..=last).collect::<Vec<_>>());
}
