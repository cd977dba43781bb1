//! `rego` and `cel`: a team's own rules.

use super::{Row, hold, play};
use crate::support::Project;

const TASKS: &str = r#"
    - name: migrate the data
      ansible.builtin.fail: { msg: no such table }
      when: inventory_hostname == 'h2'
      ignore_errors: "{{ ignore | default(false) }}"
    - name: any
      action: { module: "{{ 'file' }}", path: "{{ playbook_dir }}/started/any_{{ inventory_hostname }}", state: touch }
    - name: as root
      ansible.builtin.raw: touch {{ playbook_dir }}/started/root_{{ inventory_hostname }}
      tags: [root]
"#;

const REGO: &str = r#"
package playwarden
deny contains {"msg": msg, "code": "migration-failed"} if {
    input.event.event == "runner_on_failed"
    startswith(input.event.task, "migrate")
    not input.event.ignored
    msg := sprintf("%s: %s", [input.event.host, input.event.res.msg])
}
warn contains msg if {
    input.start.action_is_unknown
    msg := "a template may be any module"
}
deny contains "nobody is root on a database" if {
    "root" in input.start.tags
    "db" in input.start.groups
}
"#;

const CEL: &str = r#"
[[plugins.policy.config.rules]]
name = "migration-failed"
on = "runner_on_failed"
when = "input.event.task.startsWith('migrate') && !input.event.ignored"
message-expression = "input.event.host + ': ' + input.event.res.msg"
[[plugins.policy.config.rules]]
name = "warned"
on = "start"
verdict = "warn"
when = "input.start.action_is_unknown"
message = "a template may be any module"
[[plugins.policy.config.rules]]
name = "denied"
on = "start"
when = "'root' in input.start.tags && 'db' in input.start.groups"
message = "nobody is root on a database"
"#;

#[test]
fn a_team_s_own_rules_judge_events_and_starts() {
    let playbook = play(&TASKS[1..]);
    let ignoring = playbook.replace("{{ ignore | default(false) }}", "true");
    let warned = |host: &str| ["warn".to_owned(), "warned".to_owned(), format!("start any {host}")];
    for (policy, settings) in [("rego", format!("config.rules = '''{REGO}'''")), ("cel", CEL.to_owned())] {
        let failed = [["cancel", "migration-failed", "runner_on_failed migrate the data h2"]];
        let _held = hold(&Row {
            policy,
            settings: &settings,
            inventory: "[db]\nh3\n",
            hosts: 3,
            playbook: &playbook,
            exit: 21,
            says: &failed,
        });
        let hosts = ["h1", "h2", "h3"].map(warned);
        let mut says: Vec<[&str; 3]> = hosts.iter().map(|says| [&*says[0], &*says[1], &*says[2]]).collect();
        says.push(["cancel", "denied", "start as root h3"]);
        let (project, _run) = hold(&Row {
            policy,
            settings: &settings,
            inventory: "[db]\nh3\n",
            hosts: 3,
            playbook: &ignoring,
            exit: 21,
            says: &says,
        });
        let started = project.names("started");
        assert!(started.contains(&"root_h1".to_owned()) && !started.contains(&"root_h3".to_owned()), "{started:?}");
    }
}

#[test]
fn a_rule_about_the_launch_ends_the_run_before_anything_runs() {
    let rules = "package aap_policy_examples\nimport rego.v1\ndefault maintenance := {\"allowed\": true, \"violations\": []}\n\
                 maintenance := {\"allowed\": false, \"violations\": [msg]} if {\n    input.extra_vars.force == true\n    \
                 msg := sprintf(\"%s: nobody forces %s on %s\", [input.job_template.name, input.playbook, input.inventory.name])\n}\n";
    let rest = "[plugins.policy]\nbuiltin = \"rego\"\ngrants.read = [\"rules\"]\n\
                config = { files = [\"rules/launch.rego\"], launch = \"aap_policy_examples/maintenance\" }\n\
                [jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"policy\"]\n";
    let project = Project::new(1, rest)
        .file("rules/launch.rego", rules)
        .file("play.yml", &play("    - name: one\n      raw: touch {{ playbook_dir }}/started\n"));
    let _shown = project.playwarden(&["check"]).expect(0);
    let shown = project.playwarden(&["run", "-e", "{\"force\": true}", "--run-id", "forced"]).expect(21);
    assert!(shown.stderr.contains("play: nobody forces play.yml on hosts"), "{}", shown.stderr);
    assert!(!project.path("started").exists());
    let said = project.playwarden(&["show", "forced", "--json"]).expect(0).stdout;
    assert!(said.contains("launch-denied"), "{said}");
    let _shown = project.playwarden(&["run", "--run-id", "free"]).expect(0);
    assert!(project.path("started").exists());

    // The recorded plans decide the same again.
    let shown = project.playwarden(&["replay", "--last", "2", "--plugin", "policy", "--json"]).expect(0).stdout;
    let runs: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&shown).into_iter().map(Result::unwrap).collect();
    let canceled: Vec<_> =
        runs.iter().map(|run| (run["run"].as_str().unwrap(), run["canceled"].as_bool().unwrap())).collect();
    assert_eq!(canceled, [("free", false), ("forced", true)]);
}

#[test]
fn a_mistake_in_the_rules_is_found_before_a_run_and_has_its_place() {
    let none = "config.files = [\"rules/none.rego\"]\ngrants.read = [\"rules\"]";
    for (policy, keys, file, said) in [
        ("rego", "config.rules = '''\npackage playwarden\ndeny contains msg {\n'''", "", "rules:2:19"),
        (
            "rego",
            "config.files = [\"rules/a.rego\"]\ngrants.read = [\"rules\"]",
            "package playwarden\n\ndeny if )\n",
            "rules/a.rego:3:9",
        ),
        ("rego", none, "", "`rules/none.rego` cannot be read"),
        (
            "rego",
            "config.files = [\"rules/a.rego\"]",
            "package playwarden\ndeny contains \"a\" if false\n",
            "grants.read",
        ),
        (
            "cel",
            "config.rules = [{ name = \"a\", on = \"start\", when = \"1 +\", message = \"a\" }]",
            "",
            "line 1, column 4",
        ),
        (
            "cel",
            "config.files = [\"rules/a.rego\"]\ngrants.read = [\"rules\"]",
            "[[rules]\nname = 1\n",
            "rules/a.rego:1:",
        ),
    ] {
        let rest = format!(
            "[plugins.policy]\nbuiltin = {policy:?}\n{keys}\n[jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"policy\"]\n"
        );
        let project = Project::new(1, &rest).file("rules/a.rego", file).file("play.yml", &play("    - debug: {}\n"));
        let shown = project.playwarden(&["check"]).expect(30).stdout;
        assert!(shown.contains("error[plugin-config]") && shown.contains(said), "{policy} {keys}\n{shown}");
    }
}
