//! `blast-radius`.

use super::{Row, hold};

/// Groups besides `fleet`, which all are in.
const GROUPS: &str = "[web]\nh1\nh2\nh3\n[db]\nh4\nh5\n";

/// A play with `serial`, whose task `change` changes these hosts.
fn changes(serial: &str, hosts: &str, more: &str) -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n  serial: {serial}\n  tasks:\n    - name: look\n      stat: {{ path: / }}\n    \
         - name: change\n      raw: touch {{{{ playbook_dir }}}}/started/change_{{{{ inventory_hostname }}}}\n      \
         changed_when: inventory_hostname in {hosts}\n{more}"
    )
}

#[test]
fn so_much_is_changed_and_no_more() {
    let all = "['h1', 'h2', 'h3', 'h4', 'h5']";
    let fails = "      failed_when: inventory_hostname == 'h1'\n";
    let away = "    - name: away\n      raw: \"true\"\n      delegate_to: \"{{ 'h' ~ 5 }}\"\n";
    for (keys, playbook, exit, says) in [
        ("max-changed-hosts = 2", changes("5", "['h1', 'h5']", ""), 0, &[][..]),
        (
            "max-changed-hosts = 2, warn-changed-hosts = 0",
            changes("5", "['h1', 'h3', 'h5']", ""),
            21,
            &[
                ["warn", "many-changed", "runner_on_ok change h1"],
                ["cancel", "too-many-changed", "runner_on_ok change h5"],
            ],
        ),
        (
            "max-changed-percent = 50",
            changes("1", all, ""),
            21,
            &[["cancel", "too-many-changed", "runner_on_ok change h3"]],
        ),
        (
            "groups = { web = 2, db = 1 }",
            changes("5", "['h1', 'h2', 'h4', 'h5']", ""),
            21,
            &[["cancel", "too-many-changed-in-group", "runner_on_ok change h5"]],
        ),
        (
            "max-changed-hosts = 2, strict = true",
            changes("5", all, ""),
            21,
            &[["cancel", "too-many-changed", "start change h3"]],
        ),
        (
            "apart = [['h1', 'h5']]",
            changes("5", "['h1', 'h2']", ""),
            21,
            &[["cancel", "both-of-a-pair", "start change h5"]],
        ),
        ("apart = [['h1', 'h5']]", changes("5", "['h2', 'h3']", ""), 0, &[]),
        ("apart = [['db1', 'db2']]", changes("5", "[]", away), 21, &[["cancel", "both-of-a-pair", "start away h1"]]),
        ("canaries = { web = ['h1'] }", changes("[1, '100%']", all, ""), 0, &[]),
        ("canaries = { web = ['h1'] }", changes("5", all, ""), 21, &[["cancel", "canary-first", "start change h2"]]),
        (
            "canaries = { web = ['h1'] }",
            changes("[1, '100%']", all, fails),
            21,
            &[["cancel", "canary-failed", "runner_on_failed change h1"]],
        ),
    ] {
        let (project, run) = hold(&Row {
            policy: "blast-radius",
            settings: &format!("config = {{ {keys} }}").replace('\'', "\""),
            inventory: GROUPS,
            hosts: 5,
            playbook: &playbook,
            exit,
            says,
        });
        // What did not start did not touch its host.
        for [_, _, decided] in says.iter().filter(|[_, _, decided]| decided.starts_with("start change")) {
            let host = decided.rsplit(' ').next().unwrap();
            assert!(!project.names("started").contains(&format!("change_{host}")), "{keys}\n{}", run.list());
        }
    }
}
