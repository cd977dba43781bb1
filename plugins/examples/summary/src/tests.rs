//! Summaries of recorded runs, made natively.

use playwarden_sdk::recorded::Recording;

use super::*;

const DEPLOY: &str = include_str!("../../testdata/deploy.jsonl");
const CANARY: &str = include_str!("../../testdata/canary.jsonl");
const BROKEN: &str = include_str!("../../testdata/broken.jsonl");

fn collected(journal: &str) -> (Collected, Finish) {
    let run = Recording::read(journal).unwrap();
    let mut collected = Collected::default();
    run.events.iter().for_each(|event| collected.take(&run.source, event));
    (collected, run.finish.unwrap())
}

fn page_of(journal: &str, config: &Config) -> String {
    let (collected, finish) = collected(journal);
    let page = page::page(&collected, &finish, config).unwrap();
    assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
    page
}

/// Returns the lines below a title, up to the next empty one.
fn section<'a>(page: &'a str, title: &str) -> Vec<&'a str> {
    page.lines().skip_while(|line| *line != title).skip(1).take_while(|line| !line.is_empty()).collect()
}

#[test]
fn the_counts_are_ansibles_own() {
    let (collected, finish) = collected(DEPLOY);
    let outcome: Value = serde_json::from_str(&finish.data).unwrap();
    for (name, host) in &collected.hosts {
        let theirs = |figure: &str| outcome["stats"][figure][name].as_u64().unwrap_or(0);
        let ours = [host.ok, host.changed, host.unreachable, host.failed, host.skipped, host.rescued, host.ignored];
        let theirs = ["ok", "changed", "dark", "failures", "skipped", "rescued", "ignored"].map(theirs);
        assert_eq!(ours.map(u64::from), theirs, "{name}");
    }
    assert_eq!(collected.hosts.len(), 4);
    assert_eq!((collected.retries(), collected.text.warnings), (4, 1));
}

#[test]
fn the_page_says_how_it_ended_and_what_failed_where() {
    let page = page_of(DEPLOY, &Config::default());
    assert!(page.starts_with("failed: hosts failed\njob deploy, run "), "{page}");
    assert!(page.contains("4 hosts: 1 failed, 1 unreachable, 3 changed\n"), "{page}");
    let failed = section(&page, "Failed");
    assert!(failed[0].starts_with("  db02  Prepare / Say hello  (unreachable, "), "{failed:?}");
    assert!(failed.iter().any(|line| line.starts_with("  web02  Roll out / Verify  (failed, ")), "{failed:?}");
    assert!(failed.contains(&"      release 2.0.0 does not start"), "{failed:?}");
    let borne = section(&page, "Failed, but ignored or rescued").join("\n");
    for expected in [
        "web02  Prepare / Check each part [disk]  (ignored, ",
        "the part disk is <broken> & \"gone\"",
        "web01  Roll out / nginx : Ask the service until it is up  (ignored, rc 1, ",
        "web01  Roll out / Migrate  (rescued, rc 1, ",
    ] {
        assert!(borne.contains(expected), "{expected}\n{borne}");
    }
    let changed = section(&page, "Changed");
    assert_eq!(changed[0], "  db01  Say hello");
    assert!(changed[1].starts_with("  web01  Say hello, Make the folders, nginx : Write the configuration"));
    assert!(page.ends_with("\nretries 4, warnings 1, deprecations 0, errors 0\n"), "{page}");
}

#[test]
fn a_canceled_run_says_who_canceled_and_what_was_interrupted() {
    let page = page_of(CANARY, &Config::default());
    let text = "1 of 3 hosts failed, more than the 0 allowed; last: web01";
    assert!(page.starts_with(&format!("canceled: {text}, by plugin `fail-budget`\n")), "{page}");
    assert_eq!(section(&page, "Interrupted"), ["  db01  Migrate the data", "  web02  Migrate the data"]);
    assert_eq!(section(&page, "Verdicts"), [format!("  cancel  fail-budget: {text}")]);
}

#[test]
fn a_run_that_did_not_start_says_why() {
    let page = page_of(BROKEN, &Config::default());
    assert!(page.starts_with("failed: Ansible ended with 4: [ERROR]: couldn't resolve module/action"), "{page}");
    assert_eq!(section(&page, "Failed"), [""; 0]);
}

#[test]
fn lists_of_the_page_have_an_end_and_the_json_has_all() {
    let page = page_of(DEPLOY, &Config { lines: 1, slowest: 2, ..Config::default() });
    assert!(section(&page, "Failed").contains(&"  and 1 more, in summary.json"));
    assert_eq!(section(&page, "Slowest tasks").len(), 2);
    let (collected, finish) = collected(DEPLOY);
    let json = as_json(&collected, &finish).unwrap();
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(7));
    assert_eq!(json["hosts"]["web02"]["retries"], 2);
    assert_eq!(json["totals"]["retries"], 4);
    assert_eq!((&json["status"], &json["cause"]), (&json!("failed"), &json!("hosts-failed")));
}

#[test]
fn the_slowest_tasks_come_first() {
    let (collected, _) = collected(DEPLOY);
    let slowest = collected.slowest(100);
    assert!(slowest.is_sorted_by(|one, next| one.longest_ms >= next.longest_ms));
    assert_eq!(slowest.len(), collected.tasks.len());
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let run = Recording::read(DEPLOY).unwrap();
    let mut twice = Collected::default();
    for _ in 0..2 {
        run.events.iter().for_each(|event| twice.take(&run.source, event));
    }
    let (once, finish) = collected(DEPLOY);
    assert_eq!(as_json(&twice, &finish).unwrap(), as_json(&once, &finish).unwrap());
}

#[test]
fn words_without_end_and_control_characters_do_not_break_the_page() {
    let mut finish = Recording::read(CANARY).unwrap().finish.unwrap();
    let text = format!("\u{1b}[31mred\u{7}\n{}", "x".repeat(500));
    finish.reason = Some(Reason { text, code: None, event: None });
    let page = page::page(&Collected::default(), &finish, &Config::default()).unwrap();
    assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
    assert!(page.starts_with("canceled: [31mred\n"), "{page}");
}
