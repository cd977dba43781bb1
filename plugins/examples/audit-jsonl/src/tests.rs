//! Lines of recorded runs, made natively.

use playwarden_sdk::recorded::Recording;
use serde_json::{Value, json};

use super::*;

const DEPLOY: &str = include_str!("../../testdata/deploy.jsonl");
const CANARY: &str = include_str!("../../testdata/canary.jsonl");
const BROKEN: &str = include_str!("../../testdata/broken.jsonl");

fn lines(journal: &str, config: &str) -> Vec<Value> {
    let (config, problems) = config::check_text::<Config>(config);
    assert_eq!(problems, []);
    let config = config.unwrap();
    let who: Who = serde_json::from_str(r#"{"user":"ann","reason":"CHG-7","plan":{}}"#).unwrap();
    let run = Recording::read(journal).unwrap();
    let wanted = run.events.iter().filter(|event| fact::is_wanted(event, &config));
    wanted
        .map(|event| Fact::of(&run.source, &who, event, &event.details(&run.source), &config).line().unwrap())
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

/// Returns the lines of a task as `[event, host, item, result]`.
fn of_task(lines: &[Value], task: &str) -> Vec<Value> {
    let of_task = lines.iter().filter(|line| line["task"] == task);
    of_task.map(|line| json!([line["event"], line["host"], line["item"], line["result"]])).collect()
}

#[test]
fn a_line_says_who_did_what_where_to_which_end() {
    let lines = lines(DEPLOY, "{}");
    let mut failed = lines.iter().find(|line| line["task"] == "Verify" && line["result"] == "failed").unwrap().clone();
    for key in ["time", "run", "counter", "duration_ms"] {
        assert!(failed.as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    let expected = json!({
        "schema": 1, "job": "deploy", "user": "ann", "reason": "CHG-7", "event": "runner_on_failed",
        "result": "failed", "host": "web02", "play": "Roll out", "task": "Verify",
        "action": "ansible.builtin.assert", "path": "/srv/deploy/site.yml:51",
        "message": "release 2.0.0 does not start",
    });
    assert_eq!(failed, expected);
}

#[test]
fn every_end_of_a_task_has_its_word() {
    let lines = lines(DEPLOY, "{}");
    assert_eq!(of_task(&lines, "Say hello")[0], json!(["runner_on_unreachable", "db02", null, "unreachable"]));
    assert!(of_task(&lines, "Check each part").contains(&json!(["runner_item_on_failed", "web02", "disk", "failed"])));
    assert!(of_task(&lines, "Check each part").contains(&json!([
        "runner_item_on_skipped",
        "web01",
        "tape",
        "skipped"
    ])));
    assert!(of_task(&lines, "Check each part").contains(&json!(["runner_on_failed", "web02", null, "ignored"])));
    assert_eq!(of_task(&lines, "Migrate")[0][3], "rescued");
    let tries = of_task(&lines, "Ask the service until it is up");
    assert_eq!(tries.iter().filter(|line| line[3] == "retried").count(), 4);
    let delegated = lines.iter().find(|line| line["task"] == "Tell the balancer").unwrap();
    assert_eq!((&delegated["delegated_to"], &delegated["result"]), (&json!("db01"), &json!("changed")));
    let hidden = lines.iter().find(|line| line["task"] == "Hand out the token").unwrap();
    assert_eq!(hidden["marks"], json!(["no-log"]));
    let handler = lines.iter().find(|line| line["task"] == "Reload nginx").unwrap();
    assert_eq!((&handler["marks"], &handler["role"]), (&json!(["handler"]), &json!("nginx")));
}

#[test]
fn what_a_policy_and_the_run_came_to_are_facts_too() {
    let lines = lines(CANARY, "{}");
    let verdict = lines.iter().find(|line| line["event"] == "policy_verdict").unwrap();
    let text = "1 of 3 hosts failed, more than the 0 allowed; last: web01";
    assert_eq!((&verdict["result"], &verdict["plugin"]), (&json!("canceled"), &json!("fail-budget")));
    assert_eq!((&verdict["code"], &verdict["message"]), (&json!("too-many-failed"), &json!(text)));
    let words: Vec<&Value> =
        lines.iter().filter(|line| line["event"] == "status_changed").map(|line| &line["result"]).collect();
    assert_eq!(words, ["starting", "running", "canceling", "canceled"]);
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["result"]), (&json!("run_finished"), &json!("canceled")));
    assert_eq!((&last["plugin"], &last["message"]), (&json!("fail-budget"), &json!(text)));

    let lines = self::lines(BROKEN, "{}");
    let failed = lines.iter().find(|line| line["event"] == "start_failed").unwrap();
    assert!(failed["message"].as_str().unwrap().contains("nonsense_module_name"));
}

#[test]
fn what_is_written_is_chosen() {
    let count = |config: &str, event: &str| lines(DEPLOY, config).iter().filter(|line| line["event"] == event).count();
    assert_eq!(count("{}", "runner_on_start"), 0);
    assert_eq!(count(r#"{"include-start": true}"#, "runner_on_start"), 28);
    assert_eq!(count(r#"{"include-skipped": false}"#, "runner_on_skipped"), 0);
    assert_eq!(count("{}", "runner_on_skipped"), 1);

    let of_assert =
        |config: &str| lines(DEPLOY, config).iter().filter(|line| line["action"] == "ansible.builtin.assert").count();
    assert_eq!(of_assert("{}"), 14);
    assert_eq!(of_assert(r#"{"except-actions": ["ansible.builtin.assert"]}"#), 0);

    let args = lines(DEPLOY, r#"{"include-args": true}"#);
    let folder = args.iter().find(|line| line["item"] == "pool").unwrap();
    assert_eq!(folder["args"]["path"], "/srv/deploy/state/pool");
    assert!(args.iter().filter(|line| line["task"] == "Hand out the token").all(|line| line["args"].is_null()));
    assert!(lines(DEPLOY, "{}").iter().all(|line| line["args"].is_null()));
}

#[test]
fn the_last_line_is_the_same_from_the_outcome() {
    let run = Recording::read(CANARY).unwrap();
    let finish = run.finish.unwrap();
    let line: Value =
        serde_json::from_str(&Fact::of_finish(&run.source, &Who::default(), &finish).line().unwrap()).unwrap();
    let written = lines(CANARY, "{}").pop().unwrap();
    for key in ["schema", "run", "job", "counter", "event", "result", "plugin", "code", "message"] {
        assert_eq!(line[key], written[key], "{key}");
    }
}

#[test]
fn a_message_is_cut_between_characters() {
    let source = Source { run: "r".to_owned(), job: "j".to_owned() };
    let data = json!({"text": format!("a{}", "é".repeat(600)), "plugin": {"name": "p"}}).to_string();
    let event = Event { data: Some(data), ..Event::new(1, EventKind::PluginFault) };
    let details = event.details(&source);
    let line: Value =
        serde_json::from_str(&Fact::of(&source, &Who::default(), &event, &details, &Config::default()).line().unwrap())
            .unwrap();
    assert_eq!(line["message"].as_str().map(str::len), Some(1023));
}

#[test]
fn two_runs_never_share_a_file() {
    let problems = |config: &str| -> Vec<String> {
        let (config, problems) = config::check_text::<Config>(config);
        let more = config.map(|config| config.problems()).unwrap_or_default();
        problems.into_iter().chain(more).map(|problem| problem.pointer).collect()
    };
    assert_eq!(problems(r#"{"folder": "audit"}"#), [""; 0]);
    assert_eq!(problems(r#"{"folder": "audit", "file": "audit.jsonl"}"#), ["/file"]);
    assert_eq!(problems(r#"{"folder": "../audit", "file": "a/{run}"}"#), ["/folder", "/file"]);
    // Which folder is granted, the check does not see.
    assert_eq!(problems(r#"{"durable": true}"#), [""; 0]);
    let config = Config { file: "{job}-{run}.jsonl".to_owned(), ..Config::default() };
    let source = Source { run: "7d2".to_owned(), job: "deploy[2]".to_owned() };
    assert_eq!(config.file(&source), "deploy[2]-7d2.jsonl");
}
