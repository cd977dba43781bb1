//! What is masked without `no_log`: known values wherever they appear, and what a team's own rules name.

use std::collections::BTreeMap;
use std::fs;

use playwarden_event::Status;

use super::{leaks, project};
use crate::evidence::{Evidence, at};
use crate::support::Project;

/// Each task says its secret in a way of its own: printed, as an argument, in an item, a failure, a fact, a URL.
const PLAY: &str = r#"
- hosts: h1
  gather_facts: false
  vars_prompt: [{name: asked, prompt: What, private: true}]
  tasks:
    - {name: extra, raw: 'echo {{ api_token }}; echo {{ api_token }} >&2', register: said}
    - {name: environment, command: sh -c "echo $DB_PASSWORD; false", ignore_errors: true}
    - {name: prompt, set_fact: {f: 'a {{ asked }} b'}}
    - {name: granted, debug: {msg: ['{{ lookup("file", "granted") | trim }}']}}
    - {name: line of a key, debug: {msg: '{{ item }}'}, loop: '{{ lookup("file", "key").splitlines() }}'}
    - {name: config, fail: {msg: 'canary-config-x1 {"password": "canary-config-x1"}'}, ignore_errors: true}
    - {name: url, raw: 'echo fetched https://me:canary-url-x1@example.org/x'}
    - {name: url argument, set_stats: {data: {origin: 'https://me:canary-url-x2@example.org/x'}}}
    - {name: literal, pinned: {pin: pinned, echo: x}, vars: {v: '{{ said.stdout }}'}, when: v is defined}
    - {name: key, set_fact: {door_pin: canary-key-x1, lift_code: [canary-key-x2, 4711]}}
    - {name: key printed, raw: 'printf "door_pin=canary-key-x3 x=y\n{\"Door-PIN\": \"canary-key-x4\"}\n"'}
    - {name: key elsewhere, raw: 'echo canary-key-x5 said', args: {executable: /bin/sh}, vars: {door_pin: canary-key-x6}}
    - {name: module, command: {argv: [echo, canary-module-x1]}}
    - {name: module echoes, file: {path: '{{ playbook_dir }}/canary-module-x2', state: touch}}
    - {name: module templated, file: {path: '{{ playbook_dir }}/{{ v }}', state: touch}, vars: {v: canary-module-x3}}
    - {name: pattern, debug: {msg: 'card canary-card-4111 and canary-card-4112'}}
    - {name: number, set_fact: {number: 41114111, floor: 4}}
    - {name: hidden, debug: {msg: canary-nolog-x1}, no_log: true}
    - {name: role, include_role: {name: secretive}, vars: {door_pin: canary-key-x7}}
"#;

const RULES: &str = r#"
[redact]
keys = ["door_pin", "*_code"]
modules = { "ansible.builtin.command" = ["argv", "cmd"], "file" = ["path"] }
patterns = { card = '[c]anary-card-\d{4}|^4111\d{4}$', said = '[c]anary-key-x5' }
"#;

fn redacting() -> Project {
    let project = project().file("play.yml", PLAY).file("answer", "canary-answer-x1\n");
    let project = project.file("granted", "canary-granted-x1\n");
    let project = project.file("key", "canary-keyline-x1\ncanary-keyline-x2\n");
    let role = "- {name: in a role, debug: {msg: 'door_pin: {{ door_pin }}'}}\n";
    let project = project.file("roles/secretive/tasks/main.yml", role);
    let config = fs::read_to_string(project.path("runner.toml")).unwrap();
    let config = config.replacen("[defaults]", &format!("{RULES}\n[defaults]"), 1);
    let grants = "[plugins.counts.grants]\nsecrets = { one = { file = \"granted\" }, two = { file = \"key\" } }\n[plugins.audit]";
    let config = config.replacen("[plugins.audit]", grants, 1);
    project.file("runner.toml", &format!("{config}passwords = {{ '^What: $' = {{ file = \"answer\" }} }}\n"))
}

#[test]
fn a_secret_is_masked_wherever_it_appears_and_each_masking_is_counted() {
    for arguments in [&["--json"][..], &["-v"], &["-vvv"]] {
        let project = redacting();
        let leaks = leaks(&project, arguments);
        assert!(leaks.is_empty(), "{arguments:?}:\n{}", leaks.join("\n"));
        let run = Evidence::of(&project);
        assert_eq!(run.outcome.status, Status::Successful, "{}", run.list());

        // Each rule has masked, and nothing else than it was to mask.
        let mut counted = BTreeMap::new();
        for event in &run.events[..run.events.len() - 1] {
            for (rule, count) in &event.head().redacted {
                *counted.entry(rule.clone()).or_insert(0) += count;
            }
        }
        let rules: Vec<_> = counted.keys().map(String::as_str).collect();
        assert_eq!(rules, ["keys", "modules", "patterns.card", "patterns.said", "secrets", "urls"]);
        let hidden = run.events.iter().filter(|event| event.marks().no_log).count() as u64;
        counted.insert("no_log".to_owned(), hidden);
        assert!(hidden > 0);
        assert_eq!(run.outcome.redacted, counted);
        assert_eq!(at(run.result("runner_on_ok", "pattern", "h1").0, "/res/msg"), "card ******** and ********");
        let facts = at(run.result("runner_on_ok", "number", "h1").0, "/res/ansible_facts");
        assert_eq!(facts, serde_json::json!({"number": "********", "floor": 4}));
        let key = run.result("runner_on_ok", "key", "h1").0;
        assert_eq!(at(key, "/res/ansible_facts/lift_code/1"), "********");
        assert_eq!(key.head().redacted["keys"], if arguments == ["--json"] { 3 } else { 6 });
        assert_eq!(at(run.result("runner_on_ok", "prompt", "h1").0, "/res/ansible_facts/f"), "a ******** b");
        assert_eq!(at(run.about("runner_on_start", "module")[0], "/start/args/argv/0"), "********");
    }
}
