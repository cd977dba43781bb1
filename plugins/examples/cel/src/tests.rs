//! Tests of the parts that ask nothing of the host.

use playwarden_sdk::prelude::*;
use serde_json::{Value, json};

use crate::rules::{Compiler, Rule};
use crate::settings::Config;

fn rules(when: &str, message: (&str, &str)) -> Result<Vec<Rule>, Vec<Problem>> {
    let (key, message) = message;
    let config = json!({ "rules": [{ "name": "r", "on": "start", "when": when, key: message }] });
    let config: Config = serde_json::from_value(config).unwrap();
    config.rules(&Compiler::new())
}

/// Judges an input by one rule, which says "said".
fn judged(when: &str, input: Value) -> Result<Option<String>, Failure> {
    let [rule] = rules(when, ("message", "said")).ok().unwrap().try_into().ok().unwrap();
    rule.judge(&Compiler::new().input(input))
}

#[test]
fn a_rule_says_where_it_holds() {
    let holds = |when: &str, input: Value| judged(when, input).unwrap().is_some();
    assert!(holds("input.start.host == 'web01'", json!({ "start": { "host": "web01" } })));
    assert!(!holds("has(input.start.role)", json!({ "start": { "host": "web01" } })));
    assert!(holds("input.start.tags.exists(tag, tag == 'x')", json!({ "start": { "tags": ["x"] } })));
    assert!(holds("'web' in input.start.groups", json!({ "start": { "groups": ["web"] } })));
    assert!(holds("input.event.message.matches('^[0-9]+ GB')", json!({ "event": { "message": "12 GB left" } })));
    assert!(holds(
        "timestamp(input.event.time).getHours() == 22",
        json!({ "event": { "time": "2026-01-02T22:00:05.000000Z" } })
    ));
}

#[test]
fn whole_numbers_are_of_one_type() {
    let input = json!({ "totals": { "run": { "hosts_failed": 2, "hosts": 7 } } });
    assert!(judged("input.totals.run.hosts_failed * 4 > input.totals.run.hosts", input.clone()).unwrap().is_some());
    assert!(judged("input.totals.run.hosts - 8 == -1", input).unwrap().is_some());
    assert!(judged("input.n == 1.5", json!({ "n": 1.5 })).unwrap().is_some());
}

#[test]
fn a_fault_names_the_rule() {
    let missing = judged("input.start.role == 'x'", json!({ "start": {} })).unwrap_err();
    assert_eq!(missing.message, "rule `r`: when: there is no `role`; ask `has(…)` first");
    let number = judged("1 + 1", json!({})).unwrap_err();
    assert_eq!(number.message, "rule `r`: when: is int, not true or false");
    let [rule] = rules("true", ("message-expression", "1")).ok().unwrap().try_into().ok().unwrap();
    let number = rule.judge(&Compiler::new().input(json!({}))).unwrap_err();
    assert_eq!(number.message, "rule `r`: message-expression: is int, not a text");
    assert!(judged("input.t.matches('(')", json!({ "t": "" })).unwrap_err().message.contains("matches"));
}

#[test]
fn a_message_may_be_computed() {
    let [rule] = rules("true", ("message-expression", "'on ' + input.h")).ok().unwrap().try_into().ok().unwrap();
    assert_eq!(rule.judge(&Compiler::new().input(json!({ "h": "web01" }))).unwrap().as_deref(), Some("on web01"));
}

#[test]
fn a_mistake_has_its_place() {
    for (when, said) in [
        ("true &&\n  == 1", "line 2, column 3: extraneous input '=='"),
        ("input.a ==", "line 1, column 11: mismatched input end of the text"),
        ("event.failed", "there is no `event`: rules have the variable `input` and CEL's functions"),
        (
            "lowercase(input.run.id) == ''",
            "there is no `lowercase`: rules have the variable `input` and CEL's functions",
        ),
    ] {
        let [problem] = rules(when, ("message", "x")).err().unwrap().try_into().unwrap();
        assert_eq!((problem.pointer.as_str(), problem.message.as_str()), ("/rules/0/when", said));
    }
}
