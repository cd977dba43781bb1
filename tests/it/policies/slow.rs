//! `slow-host`, and the file that `playwarden export` makes for it.

use serde_json::{Value, json};

use super::{Row, hold, play};
use crate::support::Project;

/// `one` never ends on h2, and not at all where the file says so.
const HANGS: &str = "    - name: one\n      raw: \"{{ 'cat /dev/zero >/dev/null' if inventory_hostname == 'h2' else 'true' }}\"\n    \
                     - name: two\n      raw: \"true\"\n";

#[test]
fn a_task_that_does_not_end_on_a_host_ends_the_run() {
    let (_project, run) = hold(&Row {
        policy: "slow-host",
        settings: "tick = \"100ms\"\nconfig = { max-duration = \"2s\", max-slow-hosts = 0 }",
        inventory: "",
        hosts: 3,
        playbook: &play(HANGS),
        exit: 21,
        says: &[["cancel", "too-many-slow", "runner_on_start one h2"]],
    });
    assert!(run.hosts("runner_on_start", "two").is_empty(), "{}", run.list());
}

#[test]
fn a_task_is_compared_with_what_it_took_in_recorded_runs() {
    let rest = "[plugins.policy]\nbuiltin = \"slow-host\"\ntick = \"100ms\"\ngrants.read = [\"durations\"]\n\
                config = { max-times-median = 2, durations = \"durations/play.json\", minimum-duration = \"2s\", max-slow-hosts = 0 }\n\
                [jobs.before]\nplaybook = \"play.yml\"\n\
                [jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"policy\"]\n";
    let quick = "    - name: one\n      raw: \"true\"\n    - name: two\n      raw: \"false\"\n      ignore_errors: true\n    \
                 - name: three\n      raw: \"true\"\n      when: false\n    - name: four\n      raw: \"true\"\n      loop: [1, 2]\n";
    let project = Project::new(3, rest).file("play.yml", &play(quick)).folder("durations");
    for run in ["first", "second"] {
        let _shown = project.playwarden(&["run", "before", "--run-id", run]).expect(0);
    }
    let none = project.playwarden(&["check", "play"]).expect(30).stdout;
    assert!(none.contains("`durations/play.json` cannot be read") && none.contains("grants.read"), "{none}");

    let text = project.playwarden(&["export", "--last", "9", "--job", "before", "--to", "durations"]).expect(0).stdout;
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&file["schema"], &file["runs"]), (&json!(1), &json!(["second", "first"])));
    // What failed or was skipped tells nothing of how long it takes; a loop is one task.
    let tasks: Vec<_> =
        file["tasks"].as_array().unwrap().iter().map(|task| (&task["task"], &task["samples"])).collect();
    assert_eq!(tasks, [(&json!("four"), &json!(6)), (&json!("one"), &json!(6))]);
    for task in file["tasks"].as_array().unwrap() {
        assert_eq!(task["action"], "ansible.builtin.raw");
        let [median, p95, max] = ["median_ms", "p95_ms", "max_ms"].map(|key| task[key].as_u64().unwrap());
        assert!(median <= p95 && p95 <= max, "{task}");
    }
    let same = project.playwarden(&["export", "second", "first", "--to", "durations"]).expect(0).stdout;
    assert_eq!(same, text);

    let project = project.file("durations/play.json", &text).file("play.yml", &play(HANGS));
    let _shown = project.playwarden(&["check", "play"]).expect(0);
    let shown = project.playwarden(&["run", "play", "--run-id", "third"]).expect(21);
    assert!(
        shown.stderr.contains("last: h2 with `one`, ") && shown.stderr.contains("`minimum-duration`"),
        "{}",
        shown.stderr
    );
}

#[test]
fn runs_that_are_not_there_and_forms_that_are_none_are_told() {
    let project = Project::new(1, "");
    let shown = project.playwarden(&["export", "--last", "3", "--to", "durations"]).expect(2);
    assert!(shown.stderr.contains("there is no run that is over"), "{}", shown.stderr);
    let shown = project.playwarden(&["export", "@", "--to", "durations"]).expect(2);
    assert!(shown.stderr.contains("there is no run in"), "{}", shown.stderr);
    let shown = project.playwarden(&["export", "@", "--to", "otlp"]).expect(2);
    assert!(shown.stderr.contains("possible values: durations"), "{}", shown.stderr);
}
