//! What a managed host wrote into its own logs leads to the run.

use std::fs;

use serde_json::Value;

use crate::support::{Project, core_since};

/// A module that tells what it would begin its log lines with.
const MODULE: &str = "from ansible.module_utils.basic import AnsibleModule\n\n\ndef main():\n    module = \
                      AnsibleModule({})\n    module.exit_json(info=getattr(module, '_target_log_info', None))\n\n\nmain()\n";

const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - tells:\n    - raw: echo \
                    [${ANSIBLE_TARGET_LOG_INFO-none}]\n";

const JOB: &str = "[jobs.deploy]\nplaybook = \"play.yml\"\n";

/// What the module told, and what a process of the play has in its environment.
fn told(project: &Project) -> (Value, String) {
    drop(project.playwarden(&["run", "deploy"]).expect(0));
    let journal = fs::read_to_string(project.run_folder().join("events.jsonl")).unwrap();
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ok: Vec<Value> = events.filter(|event| event["event"] == "runner_on_ok").collect();
    let res = |at: usize| &ok[at]["event_data"]["res"];
    (res(0)["info"].clone(), res(1)["stdout"].as_str().unwrap().trim().to_owned())
}

fn project(defaults: &str) -> Project {
    Project::new(1, &format!("{defaults}{JOB}")).file("play.yml", PLAY).file("library/tells.py", MODULE)
}

#[test]
fn the_logs_of_managed_hosts_name_run_and_job() {
    let project = project("");
    let (info, inherited) = told(&project);
    let run = project.run_folder();
    let id = run.file_name().unwrap().to_str().unwrap();
    let expected =
        if core_since((2, 17)) { Value::from(format!("playwarden run={id} job=deploy")) } else { Value::Null };
    assert_eq!(info, expected);
    // An Ansible that the play starts is not this run's.
    assert_eq!(inherited, "[none]");
}

#[test]
fn what_the_user_has_set_stays() {
    let mine = if core_since((2, 17)) { Value::from("mine") } else { Value::Null };
    for (file, text, defaults) in [
        ("ansible.cfg", "[defaults]\ntarget_log_info = mine\n", ""),
        ("group_vars/all.yml", "ansible_target_log_info: mine\n", ""),
        ("unused", "", "env = { ANSIBLE_TARGET_LOG_INFO = \"mine\" }\n"),
    ] {
        let project = project(defaults).file(file, text);
        assert_eq!(told(&project).0, mine, "{file}");
    }
}
