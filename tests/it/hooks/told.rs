//! Status handlers and finished callbacks: each change in order, the end once and last.

use playwarden_event::Status;
use serde_json::{Value, json};

use super::{LONG, PLAY, counters, of_hook, plugin, project, seen};
use crate::alive::{appears, send};
use crate::evidence::Evidence;
use crate::support::ran;

const ALL: &str = "event-handlers = [\"h\"]\nstatus-handlers = [\"h\"]\nfinished-callbacks = [\"h\"]";

fn changes(seen: &[Value]) -> Vec<[&str; 2]> {
    of_hook(seen, "on-status")
        .iter()
        .map(|line| ["from", "to"].map(|key| line["told"][key].as_str().unwrap()))
        .collect()
}

/// The end is told once, when everything else was, and agrees with run.json.
#[track_caller]
fn end(seen: &[Value], run: &Evidence) -> Value {
    let [finished] = of_hook(seen, "on-finished")[..] else { panic!("told once: {seen:?}") };
    assert_eq!(Some(finished), seen.last(), "nothing comes later");
    let told = &finished["told"];
    let last = run.only("run_finished").counter();
    assert_eq!((&told["last-event"], &told["read"]), (&json!(last), &json!(last)));
    assert_eq!(told["status"], run.outcome.status.word());
    assert_eq!(told["rc"], json!(run.outcome.rc));
    let handed: Vec<u64> = of_hook(seen, "on-events").into_iter().flat_map(counters).collect();
    assert_eq!(handed, (1..=last).collect::<Vec<_>>());
    told.clone()
}

#[test]
fn a_good_run_is_told_from_its_beginning_to_its_end() {
    let project = project(2, ALL, &plugin("h", "handler_table", ""), PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let seen = seen(&project, "h");
    assert_eq!(changes(&seen), [["unstarted", "starting"], ["starting", "running"], ["running", "successful"]]);
    let statuses = of_hook(&seen, "on-status");
    assert_eq!(statuses.iter().map(|line| &line["told"]["ok"]).collect::<Vec<_>>(), [0, 0, 4]);
    assert!(statuses.iter().all(|line| line["told"]["detail"].is_null()), "{statuses:?}");
    let end = end(&seen, &run);
    assert_eq!([&end["cause"], &end["by"], &end["reason"]], [&Value::Null; 3]);
}

#[test]
fn a_failed_run_says_why() {
    let playbook = PLAY.replace("debug: msg=two", "fail: msg=broken");
    let project = project(1, ALL, &plugin("h", "handler_table", ""), &playbook);
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    let seen = seen(&project, "h");
    assert_eq!(changes(&seen)[2], ["running", "failed"]);
    let end = end(&seen, &run);
    assert_eq!((&end["cause"], &end["by"], &end["rc"]), (&json!("hosts-failed"), &Value::Null, &json!(2)));
}

#[test]
fn a_canceled_run_says_who_and_why_while_it_ends() {
    let plugins = plugin("h", "handler_table", "")
        + &plugin("table", "verdict_table", "config = { kind = \"runner_on_ok\", host = \"h2\" }");
    let job = format!("{ALL}\ncancel-policies = [\"table\"]");
    let project = project(2, &job, &plugins, PLAY);
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    let seen = seen(&project, "h");
    assert_eq!(changes(&seen)[2..], [["running", "canceling"], ["canceling", "canceled"]]);
    let canceling = of_hook(&seen, "on-status")[2];
    assert_eq!(canceling["told"]["detail"], "policy `table`: runner_on_ok on h2");
    let data: Value = serde_json::from_str(canceling["told"]["data"].as_str().unwrap()).unwrap();
    assert_eq!((&data["cause"]["kind"], &data["cause"]["name"]), (&json!("plugin"), &json!("table")));
    let end = end(&seen, &run);
    assert_eq!((&end["cause"], &end["by"], &end["rc"]), (&json!("plugin"), &json!("table"), &json!(254)));
    assert_eq!(end["reason"], "runner_on_ok on h2");
}

#[test]
fn a_run_that_a_person_ended_says_so() {
    let project = project(1, ALL, &plugin("h", "handler_table", ""), LONG);
    let child = project.start(&["run"]);
    appears(&project.path("reached"));
    send(&child, rustix::process::Signal::INT);
    let _shown = ran(child.wait_with_output().unwrap()).expect(20);
    let run = Evidence::of(&project);
    let seen = seen(&project, "h");
    assert_eq!(changes(&seen)[2..], [["running", "canceling"], ["canceling", "canceled"]]);
    let end = end(&seen, &run);
    assert_eq!((&end["cause"], &end["by"]), (&json!("person"), &Value::Null));
}

#[test]
fn a_run_that_could_not_start_is_told_too() {
    let project = project(1, ALL, &plugin("h", "handler_table", ""), "- hosts: [\n");
    let _shown = project.playwarden(&["run"]).expect(12);
    let run = Evidence::of(&project);
    assert_eq!(run.outcome.status, Status::Failed);
    let seen = seen(&project, "h");
    assert_eq!(changes(&seen).last(), Some(&["running", "failed"]));
    assert_eq!(end(&seen, &run)["cause"], "could-not-start");
}

#[test]
fn who_wants_to_be_told_again_is() {
    let row = |hook, call| format!("{{ hook = \"{hook}\", call = {call}, act = \"retry\" }}");
    let rows = [row("on-status", 1), row("on-status", 2), row("on-finished", 1), row("on-finished", 2)].join(", ");
    let h = plugin("h", "handler_table", &format!("config = {{ do = [{rows}] }}"));
    let project = project(1, ALL, &h, PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    assert!(run.outcome.faulty_plugins.is_empty());
    let seen = seen(&project, "h");
    let to: Vec<_> = changes(&seen).into_iter().map(|[_, to]| to).collect();
    assert_eq!(to, ["starting", "starting", "starting", "running", "successful"]);
    let ends: Vec<_> = of_hook(&seen, "on-finished").into_iter().map(|line| &line["told"]).collect();
    assert!(ends.len() == 3 && ends[0] == ends[1] && ends[1] == ends[2], "{ends:?}");
}

/// Those that break at the end start again as well, with what they kept.
#[test]
fn who_breaks_at_the_end_is_started_again_and_told_again() {
    let rows = "{ hook = \"on-finished\", call = 1, incarnation = 1, act = \"trap\" }";
    let keys = format!("config = {{ do = [{rows}] }}\nrestart = {{ max = 1, backoff = \"1ms\" }}\non-fault = \"fail\"");
    let project = project(1, ALL, &plugin("h", "handler_table", &keys), PLAY);
    let shown = project.playwarden(&["run"]).expect(0);
    let seen = seen(&project, "h");
    let ends: Vec<_> = of_hook(&seen, "on-finished");
    assert_eq!(ends.iter().map(|line| &line["incarnation"]).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        (ends[0]["told"]["last-event"].clone(), &ends[1]["total"]),
        (ends[1]["told"]["last-event"].clone(), &json!(2))
    );
    assert_eq!(
        (project.outcome().status, &project.outcome().faulty_plugins[..]),
        (Status::Successful, &["h".to_owned()][..])
    );
    assert!(shown.stderr.contains("; it is started again\n"), "{}", shown.stderr);
}
