//! Tests of the parts that ask nothing of the host.

use playwarden_sdk::prelude::*;
use rules_input::Severity as What;
use serde_json::json;

use crate::launch;
use crate::policy::{Policy, Said};
use crate::settings::Text;

fn text(name: &str, text: &str) -> Text {
    Text { pointer: "/rules".to_owned(), name: name.to_owned(), text: text.to_owned() }
}

fn problems(rules: &str) -> Vec<Problem> {
    Policy::new(&[text("rules", rules)], "playwarden", None).err().unwrap_or_default()
}

#[test]
fn texts_and_objects_are_said() {
    let rules = r#"
        package playwarden
        deny contains "a" if input.event.failed
        deny contains {"message": "b", "code": "c"} if input.event.failed
        warn := ["d"]
    "#;
    let mut policy = Policy::new(&[text("rules", rules)], "playwarden", None).ok().unwrap();
    let mut said = policy.judge(json!({ "event": { "failed": true } })).unwrap();
    said.sort_by(|a, b| a.text.cmp(&b.text));
    let expected = [(What::Cancel, "a", None), (What::Cancel, "b", Some("c")), (What::Warn, "d", None)];
    let expected =
        expected.map(|(severity, text, code)| Said { severity, text: text.to_owned(), code: code.map(str::to_owned) });
    assert_eq!(said, expected);
    assert_eq!(policy.judge(json!({ "start": {} })).unwrap().len(), 1);
}

#[test]
fn data_of_a_file_is_there() {
    let rules = "package team.a\ndeny contains msg if { some msg in data.teams[input.run.plan.user] }";
    let texts = [text("rules", rules), text("teams.json", r#"{"teams": {"ann": ["not ann"]}}"#)];
    let mut policy = Policy::new(&texts, "team.a", None).ok().unwrap();
    assert_eq!(policy.judge(json!({ "run": { "plan": { "user": "ann" } } })).unwrap()[0].text, "not ann");
    assert_eq!(policy.judge(json!({ "run": { "plan": { "user": "bob" } } })).unwrap(), []);
}

#[test]
fn a_mistake_has_its_place() {
    for (rules, place) in [
        ("package playwarden\ndeny contains \"x\" if {", "rules:2:"),
        ("deny contains \"x\"", "rules:1:1: "),
        ("package playwarden\ndeny contains msg if input.event.failed", "rules:2:15: var msg is unsafe"),
        ("package playwarden\nwarn contains \"x\" if nothing(1)", "rules:2:29: could not find function nothing"),
        ("package playwarden\ndeny contains \"x\" if not_there > 1", "rules:2:"),
    ] {
        let [problem] = problems(rules).try_into().unwrap();
        assert!(problem.message.starts_with(place), "{}", problem.message);
        assert_eq!(problem.pointer, "/rules", "{}", problem.message);
    }
}

#[test]
fn a_launch_is_judged_by_allowed() {
    let judged = |rule: &str| {
        let rules = format!("package p\n{rule}");
        let mut policy = Policy::new(&[text("rules", &rules)], "playwarden", Some("p/launch")).ok().unwrap();
        policy.judge_launch(json!({ "name": "deploy" }))
    };
    assert_eq!(judged(r#"launch := {"allowed": true, "violations": ["x"]}"#).unwrap(), None);
    assert_eq!(judged(r#"launch := {"allowed": false} if input.name == "other""#).unwrap(), None);
    let both = judged(r#"launch := {"allowed": false, "violations": ["x", "y"]}"#).unwrap();
    assert_eq!(both.as_deref(), Some("x; y"));
    let none = judged(r#"launch := {"allowed": false, "violations": []}"#).unwrap();
    assert_eq!(none.as_deref(), Some("`p/launch` does not allow it"));
    assert!(judged("launch := true").unwrap_err().message.contains("not an object with `allowed`"));
}

#[test]
fn a_plan_has_the_names_of_aap() {
    let plan = json!({
        "job": "deploy", "user": "ann", "root": "/srv/ansible", "check": true, "limit": null, "tags": ["a", "b"],
        "skip_tags": [], "forks": 20, "extra_vars": { "env": "prod" }, "diff": false, "verbosity": 1,
        "inventory": ["/srv/ansible/hosts", "/etc/ansible/hosts"],
        "work": { "playbook": { "path": "/srv/ansible/site.yml" } },
        "ansible": { "container": { "image": "ee:1" } },
    });
    let input = launch::input(json!({ "job": "deploy" }), &plan, 0);
    assert_eq!(input["name"], "deploy");
    assert_eq!(input["job_template"], json!({ "name": "deploy", "job_type": "check" }));
    assert_eq!(input["created_by"], json!({ "username": "ann" }));
    assert_eq!((&input["limit"], &input["job_tags"]), (&json!(""), &json!("a,b")));
    assert_eq!((&input["forks"], &input["extra_vars"]["env"]), (&json!(20), &json!("prod")));
    assert_eq!(
        (&input["playbook"], &input["inventory"]["name"]),
        (&json!("site.yml"), &json!("hosts,/etc/ansible/hosts"))
    );
    assert_eq!(input["execution_environment"]["image"], "ee:1");
    assert!(input.get("project").is_none() && input.get("organization").is_none());
    let unknown = launch::input(json!({ "job": "deploy" }), &json!({}), 0);
    assert!(unknown.get("created_by").is_none() && unknown.get("inventory").is_none());
}

#[test]
fn extra_variables_are_those_that_ansible_gets() {
    let plan = serde_json::json!({
        "handed": { "extra_vars": { "a": 1, "b": 1 }, "extra_vars_files": ["/env/extravars"] },
        "extra_vars": { "b": 2, "c": 2 },
        "more_extra_vars": ["c=3 d=x=y", "{\"e\": [4]}", "@file.yml", "f='5 6'", "{g: 7}", "h: 8"],
    });
    let input = launch::input(serde_json::json!({}), &plan, 0);
    assert_eq!(input["extra_vars"], serde_json::json!({ "a": 1, "b": 2, "c": "3", "d": "x=y", "e": [4] }));
    let unknown = serde_json::json!(["/env/extravars", "@file.yml", "f='5 6'", "{g: 7}", "h: 8"]);
    assert_eq!(input["extra_vars_unknown"], unknown);
}
