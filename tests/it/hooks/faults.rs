//! A plugin that breaks is started again while it may be; then `on-fault` says what follows, for each hook by itself.

use playwarden_event::{Cause, EventKind, Status};

use super::{LONG, PLAY, brief, counters, faults, plugin, project, seen};
use crate::evidence::Evidence;
use crate::support::{Project, Ran};

const TRAP: &str = "{ hook = \"on-events\", call = 1, act = \"trap\" }";
const ON_EVENTS: &str = "event-handler.on-events";

fn table(rows: &str, keys: &str, job: &str, playbook: &str) -> Project {
    let keys = format!("config = {{ do = [{rows}] }}\n{keys}");
    let job = format!("event-handlers = [\"h\"]\n{job}");
    project(2, &job, &plugin("h", "handler_table", &keys), playbook)
}

#[test]
fn the_next_incarnation_goes_on_behind_the_acknowledgment_with_what_was_kept() {
    let project = table(
        "{ hook = \"on-events\", call = 2, incarnation = 1, act = \"trap\" }",
        "restart = { max = 1, backoff = \"10ms\" }\non-fault = \"cancel\"",
        "",
        PLAY,
    );
    let shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let found = faults(&run.events);
    assert_eq!(brief(&found), [[ON_EVENTS, "trap", "restart"].map(str::to_owned)]);
    assert!(found[0].stderr.contains("this guest was told to panic"), "{found:?}");
    assert!(shown.stderr.contains("; it is started again\n") && !shown.stderr.contains("canceled"), "{}", shown.stderr);
    assert_eq!((run.outcome.status, &run.outcome.cause), (Status::Successful, &None));
    assert_eq!(run.outcome.faulty_plugins, ["h"]);

    let seen = seen(&project, "h");
    let calls: Vec<_> =
        seen.iter().map(|line| ["incarnation", "call", "total"].map(|key| line[key].as_u64().unwrap())).collect();
    assert_eq!(calls[..3], [[1, 1, 1], [1, 2, 2], [2, 1, 3]]);
    let lists: Vec<_> = seen.iter().map(counters).collect();
    assert_eq!(lists[2].first(), lists[1].first(), "it begins with what broke the first one");
    // Only the call that broke was lost.
    assert_eq!([&lists[..1], &lists[2..]].concat().concat(), (1..=run.events.len() as u64).collect::<Vec<_>>());
}

/// Runs a handler that breaks at each first call, with one restart.
fn breaks(keys: &str, job: &str, playbook: &str, code: i32) -> (Project, Evidence, Ran) {
    let keys = format!("events = [\"runner_on_ok\"]\nrestart = {{ max = 1, backoff = \"1ms\" }}\n{keys}");
    let project = table(TRAP, &keys, job, playbook);
    let shown = project.playwarden(&["run"]).expect(code);
    let run = Evidence::of(&project);
    let found = brief(&faults(&run.events));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], [ON_EVENTS, "trap", "restart"].map(str::to_owned));
    let lists: Vec<_> = seen(&project, "h").iter().map(counters).collect();
    assert_eq!((lists.len(), lists[0].first()), (2, lists[1].first()), "{lists:?}");
    (project, run, shown)
}

#[track_caller]
fn is_the_cause(run: &Evidence, status: Status, rc: i32) {
    assert_eq!((run.outcome.status, run.outcome.rc), (status, Some(rc)));
    let cause = run.outcome.cause.as_ref();
    assert!(
        matches!(cause, Some(Cause::PluginFault { name, text }) if name == "h" && text.contains(ON_EVENTS)),
        "{cause:?}"
    );
}

#[test]
fn when_no_restart_is_left_the_run_goes_on_without_it() {
    let (_project, run, shown) = breaks("", "", PLAY, 0);
    assert_eq!(brief(&faults(&run.events))[1][2], "ignore");
    assert!(shown.stderr.contains("; the run goes on without it\n"), "{}", shown.stderr);
}

#[test]
fn when_no_restart_is_left_the_run_can_end_failed() {
    let (_project, run, shown) = breaks("on-fault = \"fail\"", "", PLAY, 32);
    assert_eq!(brief(&faults(&run.events))[1][2], "fail");
    is_the_cause(&run, Status::Failed, 0);
    assert_eq!(run.named("runner_on_ok").len(), 4, "the run goes on to its end");
    assert!(shown.stderr.contains("will end failed\n"), "{}", shown.stderr);
    assert_eq!(run.text("status"), "failed");
}

/// One that lasts is interrupted, and nothing follows it.
fn is_canceled(keys: &str, job: &str) {
    let (project, run, shown) = breaks(keys, job, LONG, 32);
    assert_eq!(brief(&faults(&run.events))[1][2], "cancel");
    is_the_cause(&run, Status::Canceled, 254);
    let fault = run.named("plugin_fault")[1].counter();
    let late: Vec<_> = run
        .named("runner_on_start")
        .into_iter()
        .filter(|event| event.context().task.as_deref() == Some("after"))
        .collect();
    assert!(late.is_empty() && !project.path("after").exists(), "after event {fault}\n{}", run.list());
    assert!(shown.stderr.contains("; the run is canceled\n"), "{}", shown.stderr);
    let change = run.named("status_changed").into_iter().find(|event| event.counter() > fault).unwrap();
    assert!(matches!(change.kind(), EventKind::StatusChanged(change) if change.to == Status::Canceling), "{change:?}");
}

#[test]
fn when_no_restart_is_left_the_run_can_be_canceled() {
    is_canceled("on-fault = \"cancel\"", "");
}

#[test]
fn each_hook_has_its_own_answer() {
    is_canceled("on-fault = { event-handler = \"cancel\", status-handler = \"fail\" }", "");
}

#[test]
fn a_job_can_be_stricter_about_one_hook() {
    is_canceled("on-fault = \"ignore\"", "plugins.h.on-fault.event-handler = \"cancel\"");
}

#[test]
fn one_hook_that_fails_leaves_the_others() {
    let rows = "{ hook = \"on-events\", call = 1, act = \"fail\" }";
    let job = "status-handlers = [\"h\"]\nfinished-callbacks = [\"h\"]";
    let project = table(rows, "on-fault = { event-handler = \"ignore\", finished-callback = \"cancel\" }", job, PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let seen = seen(&project, "h");
    let hooks: Vec<_> = seen.iter().map(|line| line["hook"].as_str().unwrap()).collect();
    let count = |hook| hooks.iter().filter(|found| **found == hook).count();
    assert_eq!((count("on-events"), count("on-status"), count("on-finished")), (1, 3, 1), "{hooks:?}");
    assert_eq!(brief(&faults(&Evidence::of(&project).events)).len(), 1);
}

// ---- a policy that is a handler too -----------------------------------------------------------------------------------

const BOTH: &str = "cancel-policies = [\"both\"]";

#[test]
fn a_plugin_with_all_hooks_is_one_instance_and_agrees_with_itself() {
    let job =
        format!("{BOTH}\nevent-handlers = [\"both\"]\nstatus-handlers = [\"both\"]\nfinished-callbacks = [\"both\"]");
    let project = project(2, &job, &plugin("both", "counts_everything", ""), PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    assert!(faults(&run.events).is_empty(), "{}", run.list());
    let log = run.text("plugins/both/log.jsonl");
    assert!(!log.contains("mismatch"), "{log}");
    assert_eq!(run.text("plugins/both/handled.txt").lines().count(), run.events.len());
    assert_eq!(run.text("plugins/both/statuses.txt"), "starting\nrunning\nsuccessful\n");
    let starts = run.text("plugins/both/seen.txt").lines().filter(|line| line.starts_with("start ")).count();
    assert_eq!(starts, run.named("runner_on_start").len());
}

/// The last host goes on only once the handler's fault is in the journal; the policy is asked when all have gone on.
const WAITS: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: one
      raw: >-
        [ {{ inventory_hostname }} = h1 ] ||
        until grep -q 'plugin_[f]ault' {{ playbook_dir }}/artifacts/*/events.jsonl; do sleep 0.02; done
    - {name: two, debug: msg=two}
";

#[test]
fn a_policy_whose_handler_died_does_not_guard_in_silence() {
    let job = format!("{BOTH}\nevent-handlers = [\"both\"]");
    let keys = "restart = { max = 0 }\non-fault = { cancel-policy = \"cancel\", event-handler = \"ignore\" }";
    let project = project(2, &job, &plugin("both", "traps_on_event", keys), WAITS);
    let shown = project.playwarden(&["run"]).expect(32);
    let run = Evidence::of(&project);
    let found = faults(&run.events);
    let expected = [[ON_EVENTS, "trap", "ignore"], ["cancel-policy.evaluate", "host", "cancel"]];
    assert_eq!(brief(&found), expected.map(|row| row.map(str::to_owned)));
    assert_eq!(found[1].text, "is gone since it broke in `event-handler.on-events`");
    assert!(shown.stderr.contains("; the run is canceled\n"), "{}", shown.stderr);
    assert_eq!((run.outcome.status, run.outcome.rc), (Status::Canceled, Some(254)));
    assert!(matches!(&run.outcome.cause, Some(Cause::PluginFault { name, .. }) if name == "both"), "{:?}", run.outcome);
    assert!(run.about("runner_on_start", "two").is_empty(), "{}", run.list());
}
