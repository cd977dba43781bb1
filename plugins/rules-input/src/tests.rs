//! Tests of what asks nothing of the host.

use playwarden_sdk::prelude::*;
use serde_json::json;

use crate::document::event_with;
use crate::finding::verdict;
use crate::{Finding, Moments, Severity as What, Stop, samples};

fn finding(severity: What, text: &str, event: Option<u64>) -> Finding {
    Finding { severity, text: text.to_owned(), code: format!("code-{text}"), host: None, event, stop: Stop::Now }
}

#[test]
fn a_document_has_no_keys_for_what_is_not_known() {
    let mut event = Event::new(7, EventKind::RunnerOnFailed);
    event.host = Some("web01".to_owned());
    event.marks = Marks::FAILED | Marks::RESCUED;
    let document = event_with(&event, Some(r#"{"res": {"msg": "no"}, "play_pattern": "web"}"#));
    assert_eq!(document["event"], "runner_on_failed");
    assert_eq!(
        (&document["failed"], &document["rescued"], &document["ok"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!((&document["res"]["msg"], &document["data"]), (&json!("no"), &json!({ "play_pattern": "web" })));
    assert_eq!(document["time"], "1970-01-01T00:00:00.000000Z");
    assert!(document.get("task").is_none() && document.get("rc").is_none());
    assert!(event_with(&event, None).get("res").is_none());
}

#[test]
fn samples_are_of_an_event_and_of_a_start() {
    let [event, start] = samples().try_into().unwrap();
    assert!(event["event"]["failed"] == true && event.get("start").is_none());
    assert!(start["start"]["action_is_unknown"] == true && start["start"]["groups"] == json!(["sample"]));
    assert!(event["run"]["plan"].is_object() && start["totals"]["run"]["hosts"] == 0);
}

#[test]
fn moments_are_words_or_patterns() {
    let on = |json: &str| serde_json::from_str::<Moments>(json).unwrap();
    let (failed, ok) = (Event::new(1, EventKind::RunnerOnFailed), Event::new(2, EventKind::RunnerOnOk));
    let one = on(r#""runner_on_failed""#);
    assert!(one.has_event(&failed) && !one.has_event(&ok) && !one.has_start());
    let many = on(r#"["runner_on_*", "start"]"#);
    assert!(many.has_event(&ok) && many.has_start());
    assert!(Moments::default().has_event(&ok) && Moments::default().has_start());
    // An asterisk stands for events.
    assert!(!on(r#""*""#).has_start());
    assert_eq!(on(r#"["runner_on_fail", "start"]"#).problems("/on").len(), 1);
    assert_eq!(on("[]").problems("/on").len(), 1);
    assert!(serde_json::from_str::<Moments>("1").unwrap_err().to_string().contains("must be the name of an event"));
}

#[test]
fn a_call_has_one_verdict() {
    assert_eq!(verdict(Vec::new()), Verdict::Proceed);
    let warned = verdict(vec![finding(What::Warn, "a", Some(3)), finding(What::Warn, "b", Some(4))]);
    assert_eq!(warned, Verdict::warn("a; b").code("code-a").at_counter(3));
    let canceled = verdict(vec![finding(What::Warn, "a", Some(3)), finding(What::Cancel, "b", None)]);
    assert_eq!(canceled, Verdict::cancel("b").code("code-b"));
}

#[test]
fn tasks_may_end_only_where_every_rule_lets_them() {
    let patient = |text| Finding { stop: Stop::AfterRunningTasks, ..finding(What::Cancel, text, None) };
    let both = verdict(vec![patient("a"), patient("b")]);
    assert_eq!(both, Verdict::cancel("a; b").code("code-a").after_running_tasks());
    let one = verdict(vec![patient("a"), finding(What::Cancel, "b", None)]);
    assert_eq!(one, Verdict::cancel("a; b").code("code-a"));
}
