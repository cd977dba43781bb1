//! `signature`.

use super::{Row, hold, play};

/// What fails on h2 and h3 says so in each of the ways that modules have; `good` says the same and is none.
const TASKS: &str = r#"
    - name: good
      ansible.builtin.command: echo "No space left on device"
    - name: message
      ansible.builtin.fail: { msg: "cannot write: No space left on device" }
      when: inventory_hostname == 'h2'
      ignore_errors: true
    - name: stderr
      ansible.builtin.shell: "echo begins >&2; echo 'tar: No space left on device' >&2; false"
      when: inventory_hostname == 'h3'
      ignore_errors: true
    - name: items
      ansible.builtin.fail: { msg: "item {{ item }}: checksum mismatch" }
      loop: [1, 2]
      when: item == 2
      ignore_errors: true
    - name: hidden
      ansible.builtin.fail: { msg: secret words }
      ignore_errors: true
      no_log: true
"#;

#[test]
fn what_a_task_says_ends_the_run_or_is_told() {
    let space = "name = 'disk-full', pattern = 'No space left on device'";
    for (signatures, exit, says) in [
        (format!("{{ {space} }}"), 21, &[["cancel", "disk-full", "runner_on_failed message h2"]][..]),
        (format!("{{ {space}, in = ['stderr'] }}"), 21, &[["cancel", "disk-full", "runner_on_failed stderr h3"]]),
        (format!("{{ {space}, hosts = 2 }}"), 21, &[["cancel", "disk-full", "runner_on_failed stderr h3"]]),
        (format!("{{ {space}, hosts = 3 }}"), 0, &[]),
        (
            format!("{{ {space}, on = ['runner_on_ok'], in = ['/res/stdout_lines'] }}"),
            21,
            &[["cancel", "disk-full", "runner_on_ok good h1"]],
        ),
        (
            format!(
                "{{ {space}, verdict = 'warn' }}, {{ name = 'checksum', pattern = 'CHECKSUM', ignore-case = true }}"
            ),
            21,
            &[
                ["warn", "disk-full", "runner_on_failed message h2"],
                ["cancel", "checksum", "runner_item_on_failed items h1"],
            ],
        ),
        ("{ name = 'secret', pattern = 'secret words' }".to_owned(), 0, &[]),
    ] {
        let _held = hold(&Row {
            policy: "signature",
            settings: &format!("config.signatures = [{signatures}]").replace('\'', "\""),
            inventory: "",
            hosts: 3,
            playbook: &play(&TASKS[1..]),
            exit,
            says,
        });
    }
}
