//! Recorded runs through a plugin again.

use std::fs;

use playwarden_event::kind::{Question, VerdictWord};
use serde_json::{Value, json};

use super::server::Server;
use super::{PLAY, counters, lines, plugin, project, verdicts};
use crate::evidence::Evidence;
use crate::support::{Project, guest};

/// On each of three hosts a task fails, one host after the other.
const BREAKS: &str = "\
- hosts: all
  gather_facts: false
  tasks:
    - {name: one, debug: msg=one}
    - {name: first, fail: msg=broken, when: inventory_hostname == 'h1'}
    - {name: two, debug: msg=two}
    - {name: second, fail: msg=broken, when: inventory_hostname == 'h2'}
    - {name: three, debug: msg=three}
";

fn replay(project: &Project, arguments: &[&str]) -> Value {
    let shown = project.playwarden(&[&["replay", "@", "--json"], arguments].concat()).expect(0);
    serde_json::from_str(&shown.stdout).unwrap()
}

#[test]
fn another_limit_shows_what_would_have_been_spared() {
    let budget = "[plugins.budget]\nbuiltin = \"fail-budget\"\nconfig = { max-failed-hosts = 2 }\n";
    let project = project(3, "cancel-policies = [\"budget\"]", budget, BREAKS);
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    let before = fs::read(run.folder.join("events.jsonl")).unwrap();
    assert!(verdicts(&run.events).is_empty());

    let same = replay(&project, &["-p", "budget"]);
    assert_eq!(
        (&same["canceled"], &same["spared"], &same["events"]),
        (&json!(false), &json!(0), &json!(run.events.len()))
    );
    let failed: Vec<u64> = run.named("runner_on_failed").iter().map(|event| event.counter()).collect();
    for (limit, at) in [("max-failed-hosts=0", failed[0]), ("{\"max-failed-hosts\": 1}", failed[1])] {
        let shown = replay(&project, &["-p", "budget", "-c", limit]);
        let [verdict] = &shown["verdicts"].as_array().unwrap()[..] else { panic!("{shown}") };
        assert_eq!((&verdict["after"], &verdict["reason"]["event"]), (&json!(at), &json!(at)), "{shown}");
        assert_eq!((&verdict["verdict"], &verdict["acted_on"]), (&json!("cancel"), &json!(true)));
        let spared = run.named("runner_on_start").iter().filter(|event| event.counter() > at).count();
        assert!(spared > 0);
        let starts = if spared == 1 { "start" } else { "starts" };
        assert_eq!((&shown["canceled"], &shown["spared"]), (&json!(true), &json!(spared)));
        let text = project.playwarden(&["replay", "@", "-p", "budget", "-c", limit]).expect(0);
        assert!(text.stdout.contains(&format!("  event {at:>6}  would have been canceled: ")), "{}", text.stdout);
        assert!(
            text.stdout.contains(&format!("  {spared} {starts} of a task on a host would not have happened\n")),
            "{}",
            text.stdout
        );
    }
    // A built-in one needs no entry in runner.toml, and a component no name.
    let shown = replay(&project, &["-p", "fail-budget", "-c", "max-failed-hosts=0"]);
    assert_eq!(shown["verdicts"][0]["after"], json!(failed[0]));
    let path = guest("fail_budget").display().to_string();
    assert_eq!(replay(&project, &["-p", &path, "-c", "max-failed-hosts=0"])["verdicts"][0]["after"], json!(failed[0]));
    assert_eq!(fs::read(run.folder.join("events.jsonl")).unwrap(), before, "nothing is written into the run");
    assert_eq!(project.names("artifacts").len(), 1);
}

/// Runs under a policy and replays it: the same questions bring the same verdicts at the same places.
#[track_caller]
fn same_again(of: &str, keys: &str, playbook: &str, code: i32) -> Evidence {
    let project = project(2, "cancel-policies = [\"policy\"]", &plugin("policy", of, keys), playbook);
    let _shown = project.playwarden(&["run"]).expect(code);
    let run = Evidence::of(&project);
    let recorded: Vec<_> = verdicts(&run.events)
        .into_iter()
        // What came after the first cancel was asked while the run ended.
        .scan(false, |over, said| {
            let before = std::mem::replace(over, *over || said.1.acted_on);
            (!before).then_some(said)
        })
        .map(|(at, verdict)| (at - 1, serde_json::to_value(verdict).unwrap()))
        .collect();
    assert!(!recorded.is_empty(), "{}", run.list());
    let shown = replay(&project, &["-p", "policy"]);
    let replayed: Vec<_> = shown["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| {
            let mut verdict = verdict.clone();
            let after = verdict.as_object_mut().unwrap().remove("after").unwrap();
            (after.as_u64().unwrap(), verdict)
        })
        .collect();
    assert_eq!(replayed, recorded, "{}", run.list());
    run
}

#[test]
fn a_verdict_about_a_failure_is_the_same_again() {
    let run = same_again("fail_budget", "config = { max-failed-hosts = 0 }", BREAKS, 21);
    assert_eq!(verdicts(&run.events)[0].1.question, Question::Evaluate);
}

#[test]
fn a_verdict_before_a_start_about_what_came_before_is_the_same_again() {
    let run = same_again("verdict_table", "config = { kind = \"runner_on_ok\", task = \"one\" }", PLAY, 21);
    assert!(run.about("runner_on_start", "two").is_empty());
}

#[test]
fn a_verdict_about_a_start_is_the_same_again() {
    let run = same_again("cancels_on_start", "config = { task = \"two\" }", PLAY, 21);
    assert_eq!(verdicts(&run.events)[0].1.question, Question::Admit);
}

#[test]
fn a_policy_that_speaks_each_time_is_asked_as_often_again() {
    let run = same_again("opens_a_file", "", BREAKS, 10);
    assert!(verdicts(&run.events).len() > 5);
    assert!(verdicts(&run.events).iter().all(|(_, verdict)| verdict.verdict == VerdictWord::Warn));
}

#[test]
fn a_handler_sees_every_event_and_what_it_writes_is_kept_where_one_says() {
    let handler = plugin("h", "handler_table", "");
    let project = project(1, "", &handler, PLAY);
    let _shown = project.playwarden(&["run", "--run-id", "the-run"]).expect(0);
    let run = Evidence::of(&project);
    let last = run.events.len() as u64;
    let shown = replay(&project, &["-p", "h", "--output", "kept"]);
    assert_eq!((&shown["events"], &shown["acknowledged"]), (&json!(last), &json!(last)));
    let seen = lines(&project.path("kept/the-run/seen.jsonl"));
    let handed: Vec<u64> = super::of_hook(&seen, "on-events").into_iter().flat_map(counters).collect();
    assert_eq!(handed, (1..=last).collect::<Vec<_>>());
    let to: Vec<_> = super::of_hook(&seen, "on-status").into_iter().map(|line| &line["told"]["to"]).collect();
    assert_eq!(to, ["starting", "running", "successful"]);
    assert_eq!(super::of_hook(&seen, "on-finished").len(), 1);
    // The job did not use it, and the run's folder has no trace of it.
    assert!(!run.folder.join("plugins/h").exists());
    let text = project.playwarden(&["replay", "@", "-p", "h"]).expect(0);
    assert!(text.stdout.contains(&format!("  {last} of {last} events acknowledged\n")), "{}", text.stdout);
}

#[test]
fn a_handler_that_breaks_is_said_and_is_the_exit_code() {
    let keys = "config = { do = [{ hook = \"on-events\", call = 1, act = \"trap\" }] }\nrestart = { max = 0 }";
    let project = project(1, "", &plugin("h", "handler_table", keys), PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let shown = project.playwarden(&["replay", "@", "-p", "h"]).expect(32);
    assert!(shown.stdout.contains("it broke in `event-handler.on-events`"), "{}", shown.stdout);
}

#[test]
fn nothing_is_written_or_sent_a_second_time_unless_one_wants_that() {
    let server = Server::saying(&["200 OK"]);
    let origin = server.origin();
    let keys = format!(
        "config.tries = [{{ what = \"get\", url = \"{origin}/\" }}, {{ what = \"write\", path = \"kept/log\" }}]\n\
         grants.http = [{origin:?}]\ngrants.write = [\"kept\"]"
    );
    let project = project(1, "finished-callbacks = [\"reach\"]", &plugin("reach", "reaches_out", &keys), PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let log = || fs::read_to_string(project.path("kept/log")).unwrap();
    assert_eq!((server.requests().len(), log().as_str()), (1, "x"));

    let shown = project.playwarden(&["replay", "@", "-p", "reach", "-c", "tries=[]"]).expect(0);
    assert!(!shown.stderr.contains("what it wrote"), "it wrote nothing: {}", shown.stderr);
    let shown = project.playwarden(&["replay", "@", "-p", "audit-jsonl"]).expect(0);
    assert!(shown.stderr.contains("what it wrote is not kept; `--output DIR` keeps it"), "{}", shown.stderr);
    replay(&project, &["-p", "reach"]);
    assert_eq!((server.requests().len(), log().as_str()), (0, "x"));

    // What was lost is written and sent. As an event handler and as a finished callback it tries everything.
    fs::remove_dir_all(project.path("kept")).unwrap();
    let faults = replay(&project, &["-p", "reach", "--grants"])["faults"].clone();
    assert_eq!(faults, json!([]));
    let sent = server.requests().len();
    assert_eq!((sent > 0, log()), (true, "x".repeat(sent)));
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let budget = "[plugins.budget]\nbuiltin = \"fail-budget\"\nconfig = { max-failed-hosts = 2 }\n";
    let project = project(1, "", budget, PLAY);
    let shown = project.playwarden(&["replay", "@", "-p", "budget"]).expect(2);
    assert!(shown.stderr.contains("there is no run in"), "{}", shown.stderr);
    let _shown = project.playwarden(&["run"]).expect(0);

    let shown = project.playwarden(&["replay", "@", "-p", "bugdet"]).expect(2);
    assert!(
        shown.stderr.contains("there is no plugin `bugdet`") && shown.stderr.contains("`budget`"),
        "{}",
        shown.stderr
    );
    let shown = project.playwarden(&["replay", "@", "-p", "./none.wasm"]).expect(31);
    assert!(shown.stderr.contains("none.wasm"), "{}", shown.stderr);
    let shown = project.playwarden(&["replay", "@", "-p", "budget", "-c", "max-failed=1"]).expect(30);
    assert!(shown.stderr.contains("max-failed"), "{}", shown.stderr);
    let _shown = project.playwarden(&["replay", "@", "-p", "budget", "-c", "max-failed-hosts"]).expect(2);

    let journal = project.run_folder().join("events.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let third = text.lines().nth(2).unwrap();
    fs::write(&journal, text.replace(third, "{broken")).unwrap();
    let shown = project.playwarden(&["replay", "@", "-p", "budget"]).expect(74);
    assert!(shown.stderr.contains("events.jsonl` is damaged"), "{}", shown.stderr);
    fs::remove_file(&journal).unwrap();
    let shown = project.playwarden(&["replay", "@", "-p", "budget"]).expect(74);
    assert!(shown.stderr.contains("events.jsonl` cannot be read"), "{}", shown.stderr);
}

#[test]
fn a_start_that_a_monitor_only_spoke_about_is_asked_about_once() {
    let keys = "mode = \"monitor\"\nconfig = { task = \"two\" }";
    let project = project(2, "cancel-policies = [\"looks\"]", &plugin("looks", "cancels_on_start", keys), PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let said = verdicts(&run.events);
    assert!(!said.is_empty());
    let shown = replay(&project, &["-p", "looks"]);
    let uuid = |verdict: &Value| verdict["start"]["uuid"].as_str().unwrap().to_owned();
    let again: Vec<String> = shown["verdicts"].as_array().unwrap().iter().map(uuid).collect();
    let once: Vec<String> = said.iter().map(|(_, verdict)| verdict.start.as_ref().unwrap().uuid.clone()).collect();
    assert_eq!(again, once);
    // What enforcing it would have come to: the starts of its task on two hosts.
    assert_eq!((&shown["canceled"], &shown["spared"]), (&json!(true), &json!(2)));
    let shown = project.playwarden(&["replay", "@", "-p", "looks"]).expect(0);
    assert!(shown.stdout.contains("would have been canceled, were it enforced, before `two`"), "{}", shown.stdout);
    assert!(!shown.stderr.contains("what it wrote"), "it wrote nothing: {}", shown.stderr);
}
