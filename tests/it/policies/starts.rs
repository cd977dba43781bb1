//! Policies that refuse a start: `forbidden`.

use super::{Row, hold, play};

/// Each would leave a file, were it started.
const TASKS: &str = r#"
    - name: fine
      ansible.builtin.raw: "touch {{ playbook_dir }}/started/fine_{{ inventory_hostname }}"
    - name: hidden
      ansible.builtin.raw: "touch {{ playbook_dir }}/started/hidden_{{ inventory_hostname }}"
      no_log: true
    - name: any
      action: { module: "{{ 'file' }}", path: "{{ playbook_dir }}/started/any_{{ inventory_hostname }}", state: touch }
    - name: away
      ansible.builtin.raw: "touch {{ playbook_dir }}/started/away_{{ inventory_hostname }}"
      delegate_to: h2
    - name: become
      ansible.builtin.raw: "touch {{ playbook_dir }}/started/become_{{ inventory_hostname }}"
      become: false
      become_user: postgres
"#;

#[test]
fn what_a_run_may_not_use_does_not_start() {
    let none: &[[&str; 3]] = &[];
    for (config, says) in [
        ("modules = ['copy', 'shell'], unknown = 'allow'", none),
        ("modules = ['raw']", &[["cancel", "forbidden-module", "start fine h1"]][..]),
        ("modules = ['shell']", &[["cancel", "forbidden-module", "start any h1"]]),
        ("allowed-modules = ['ansible.builtin.raw']", &[["cancel", "module-not-allowed", "start any h1"]]),
        ("commands = ['touch *'], unknown = 'allow'", &[["cancel", "forbidden-command", "start fine h1"]]),
        ("commands = ['rm *']", &[["cancel", "forbidden-command", "start hidden h1"]]),
        ("delegate-to = ['h2']", &[["cancel", "forbidden-delegate-to", "start away h1"]]),
        ("hosts = ['h2']", &[["cancel", "forbidden-host", "start fine h2"]]),
        ("groups = ['db*']", &[["cancel", "forbidden-group", "start fine h3"]]),
        (
            "rules = [{ name = 'db-by-hand', module = 'raw', group = 'db', delegate-to = '*' }], unknown = 'allow'",
            &[["cancel", "db-by-hand", "start away h3"]],
        ),
    ] {
        let playbook = play(&TASKS[1..]);
        let row = Row {
            policy: "forbidden",
            settings: &format!("config = {{ {} }}", config.replace('\'', "\"")),
            inventory: "[db]\nh3\n",
            hosts: 3,
            playbook: &playbook,
            exit: if says.is_empty() { 0 } else { 21 },
            says,
        };
        let (project, run) = hold(&row);
        // What was refused is neither a start nor a file.
        for [_, _, decided] in says {
            let [_, task, host] = decided.split(' ').collect::<Vec<_>>()[..] else { unreachable!() };
            assert!(!run.hosts("runner_on_start", task).contains(&host), "{config}\n{}", run.list());
            assert!(!project.path(&format!("started/{task}_{host}")).exists(), "{config}");
            assert_eq!(run.hosts("runner_on_start", "fine").is_empty(), *decided == "start fine h1", "{config}");
        }
        if says.is_empty() {
            assert_eq!(project.names("started").len(), 15, "{config}");
        }
    }
}
