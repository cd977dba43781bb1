//! `fail-budget`.

use super::{Row, hold};

/// On which hosts `one` fails, as a condition.
fn fails_on(hosts: &str, serial: u32) -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n  serial: {serial}\n  tasks:\n    - name: one\n      raw: \"{{{{ 'false' \
         if inventory_hostname in {hosts} else 'true' }}}}\"\n    - name: two\n      raw: \"true\"\n"
    )
}

#[test]
fn each_window_counts_what_is_in_it() {
    let groups = "[web]\nh1\nh2\nh3\n[db]\nh4\nh5\nh6\n";
    for (settings, failing, serial, exit, says) in [
        (
            "max-failed-hosts = 1",
            "['h1', 'h4']",
            2,
            21,
            &[["cancel", "too-many-failed", "runner_on_failed one h4"]][..],
        ),
        // In no batch are two of them.
        ("max-failed-hosts = 1, window = 'batch'", "['h1', 'h4']", 2, 10, &[]),
        (
            "max-failed-percent = 40, window = 'batch'",
            "['h1', 'h4']",
            2,
            21,
            &[["cancel", "too-many-failed", "runner_on_failed one h1"]],
        ),
        ("max-failed-hosts = 1, window = 'group', groups = ['web', 'db']", "['h3', 'h4']", 6, 10, &[]),
        (
            "max-failed-hosts = 1, window = 'group', groups = ['web', 'db']",
            "['h3', 'h4', 'h6']",
            6,
            21,
            &[["cancel", "too-many-failed", "runner_on_failed one h6"]],
        ),
        ("max-failed-hosts = 1, window = 'last-hosts', last-hosts = 2", "['h1', 'h4', 'h6']", 6, 10, &[]),
        (
            "max-failed-hosts = 1, window = 'last-hosts', last-hosts = 2",
            "['h1', 'h4', 'h5']",
            6,
            21,
            &[["cancel", "too-many-failed", "runner_on_failed one h5"]],
        ),
        (
            "max-failed-hosts = 1, warn-failed-hosts = 0",
            "['h2', 'h3']",
            6,
            21,
            &[
                ["warn", "many-failed", "runner_on_failed one h2"],
                ["cancel", "too-many-failed", "runner_on_failed one h3"],
            ],
        ),
    ] {
        let _held = hold(&Row {
            policy: "fail-budget",
            settings: &format!("config = {{ {} }}", settings.replace('\'', "\"")),
            inventory: groups,
            hosts: 6,
            playbook: &fails_on(failing, serial),
            exit,
            says,
        });
    }
}
