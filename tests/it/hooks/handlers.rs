//! Event handlers get every event once, in order, at their own pace.

use std::fs;

use playwarden_event::Status;
use serde_json::json;

use super::{PLAY, brief, counters, faults, lines, of_hook, plugin, project, seen};
use crate::evidence::Evidence;
use crate::support::Project;

const HANDLER: &str = "event-handlers = [\"h\"]";

fn table(rows: &str, keys: &str) -> Project {
    let keys = format!("config = {{ do = [{rows}] }}\n{keys}");
    project(2, HANDLER, &plugin("h", "handler_table", &keys), PLAY)
}

#[test]
fn a_slow_handler_stalls_nothing_and_loses_nothing() {
    // Its first call returns when the last result is in the journal: were Ansible to wait for it, neither would go on.
    let slow = plugin("h", "slow_handler", "config = { ok = 4 }\nlimits = { call = \"5m\" }");
    let project = project(2, HANDLER, &slow, PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    assert_eq!((run.outcome.status, &run.outcome.faulty_plugins[..]), (Status::Successful, &[][..]));
    let counters: Vec<u64> = run.text("plugins/h/seen.jsonl").lines().map(|counter| counter.parse().unwrap()).collect();
    assert_eq!(counters, (1..=run.events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn all_events_come_in_lists_and_the_last_call_asks_to_finish() {
    let project = table("", "");
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let seen = seen(&project, "h");
    let lists: Vec<_> = seen.iter().map(counters).collect();
    assert_eq!(lists.concat(), (1..=run.events.len() as u64).collect::<Vec<_>>());
    assert!(lists.iter().all(|list| list.len() <= 64));
    // It is asked when all the others have come, and once more behind the last event.
    assert!((1..=2).contains(&lists.iter().filter(|list| list.is_empty()).count()), "{lists:?}");
    assert!(lists.last().unwrap().is_empty(), "{lists:?}");
    // It sees no more of the journal than it was handed.
    for line in seen.iter().filter(|line| !counters(line).is_empty()) {
        assert_eq!(line["told"]["sees"].as_u64(), counters(line).last().copied());
        assert_eq!(line["told"]["with-data"], counters(line).len());
    }
    let log = lines(&run.folder.join("plugins/h/log.jsonl"));
    assert_eq!(log.iter().map(|line| &line["message"]).collect::<Vec<_>>(), ["stopped"]);
}

// ---- acknowledgments --------------------------------------------------------------------------------------------------

#[test]
fn a_list_is_sent_again_when_the_handler_wants_that() {
    let row = |call| format!("{{ hook = \"on-events\", call = {call}, act = \"retry\" }}");
    let project = table(&format!("{}, {}", row(1), row(2)), "");
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let lists: Vec<_> = seen(&project, "h").iter().map(counters).collect();
    assert!(lists[0] == lists[1] && lists[1] == lists[2] && lists[0][0] == 1, "{lists:?}");
    assert_eq!(lists[2..].concat(), (1..=run.events.len() as u64).collect::<Vec<_>>());
    assert!(run.outcome.faulty_plugins.is_empty() && faults(&run.events).is_empty());
    let log = run.text("plugins/h/log.jsonl");
    assert!(log.contains("this guest was told to ask again; try 2 follows in 10ms"), "{log}");
}

#[test]
fn a_refusal_without_leave_to_ask_again_is_the_end_of_the_handler() {
    // A failure is an answer: there is nothing to start again.
    for (act, text) in [("fail", "this guest was told to fail"), ("too-much", "acknowledged event ")] {
        let row = format!("{{ hook = \"on-events\", call = 2, act = \"{act}\" }}");
        let project = table(&row, "restart = { max = 5, backoff = \"1ms\" }");
        let shown = project.playwarden(&["run"]).expect(0);
        let run = Evidence::of(&project);
        let faults = faults(&run.events);
        assert_eq!(brief(&faults), [["event-handler.on-events", "failure", "ignore"].map(str::to_owned)]);
        assert!(faults[0].text.contains(text), "{faults:?}");
        assert_eq!(seen(&project, "h").len(), 2, "it is not called any more");
        assert!(shown.stderr.contains("; the run goes on without it\n"), "{}", shown.stderr);
        assert_eq!(run.outcome.faulty_plugins, ["h"]);
    }
}

#[test]
fn what_was_not_acknowledged_is_sent_again_after_a_restart() {
    let rows = "{ hook = \"on-events\", call = 1, incarnation = 1, act = \"late\" }, \
                { hook = \"on-events\", call = 2, incarnation = 1, act = \"trap\" }";
    let project = table(rows, "restart = { max = 1, backoff = \"1ms\" }");
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let seen = seen(&project, "h");
    let (first, second): (Vec<_>, Vec<_>) = seen.iter().partition(|line| line["incarnation"] == 1);
    assert_eq!((first.len(), counters(first[0])[0]), (2, 1));
    let again: Vec<u64> = second.into_iter().flat_map(counters).collect();
    assert_eq!(again, (1..=run.events.len() as u64).collect::<Vec<_>>(), "from the beginning");
}

// ---- which events, and how much of each -------------------------------------------------------------------------------

#[test]
fn a_handler_gets_the_events_and_the_data_that_it_was_given() {
    for (payload, with_data) in [("\"none\"", 0), ("\"full\"", 4), ("[\"/res/msg\", \"/no/such\"]", 4)] {
        let keys = format!("events = [\"runner_on_ok\"]\npayload = {payload}");
        let project = table("", &keys);
        let _shown = project.playwarden(&["run"]).expect(0);
        let run = Evidence::of(&project);
        let seen = seen(&project, "h");
        let got: Vec<u64> = seen.iter().flat_map(counters).collect();
        assert_eq!(got, run.named("runner_on_ok").iter().map(|event| event.counter()).collect::<Vec<_>>());
        let data: u64 = seen.iter().map(|line| line["told"]["with-data"].as_u64().unwrap()).sum();
        assert_eq!(data, with_data, "{payload}");
    }
}

#[test]
fn a_job_has_its_own_say_about_every_key() {
    let plugin = plugin(
        "h",
        "handler_table",
        "events = [\"runner_on_failed\"]\npayload = \"none\"\non-fault = \"cancel\"\nrestart = { max = 0 }\n\
         limits = { call = \"1m\", log = \"1KiB\" }\nconfig = { do = [{ hook = \"on-events\", call = 1, act = \"trap\" }] }",
    );
    let job = "event-handlers = [\"h\"]\nplugins.h.events = [\"runner_on_ok\"]\nplugins.h.payload = \"full\"\n\
               plugins.h.on-fault = \"ignore\"\nplugins.h.restart = { max = 1, backoff = \"1ms\" }\n\
               plugins.h.limits.call = \"2s\"\nplugins.h.grants.write = [\"kept\"]\n\
               plugins.h.config.do = [{ hook = \"on-events\", call = 1, incarnation = 1, act = \"hang\" }]";
    let project = project(2, job, &plugin, PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let faults = faults(&run.events);
    assert_eq!(brief(&faults), [["event-handler.on-events", "timeout", "restart"].map(str::to_owned)]);
    assert_eq!(faults[0].text, "took longer than 2s");
    let seen = seen(&project, "h");
    let second: Vec<_> = seen.iter().filter(|line| line["incarnation"] == 2).collect();
    let got: Vec<u64> = second.iter().flat_map(|line| counters(line)).collect();
    assert_eq!(got, run.named("runner_on_ok").iter().map(|event| event.counter()).collect::<Vec<_>>());
    assert!(second.iter().all(|line| line["told"]["with-data"] == counters(line).len()), "{second:?}");
    assert!(project.path("kept").is_dir());
    let record = serde_json::from_str::<serde_json::Value>(&run.text("run.json")).unwrap();
    assert_eq!(record["plan"]["plugins"][0]["limits"]["log"], json!(1024), "what the job does not name stays");
    assert_eq!(fs::read_dir(project.path("kept")).unwrap().count(), 0);
    assert!(of_hook(&seen, "on-status").is_empty());
}
