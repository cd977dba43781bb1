//! The policies that come with the program, over real Ansible: what each says in a run, and of its record the same again.
//!
//! Their own suites, over journals written by hand, are in `plugins/examples/*/cases`; `kit` runs them.

mod budget;
mod radius;
mod rules;
mod signature;
mod slow;
mod starts;
mod store;
mod window;

use playwarden_event::EventKind;
use serde_json::{Value, json};

use crate::evidence::Evidence;
use crate::support::Project;

/// A run under one policy, and what it is expected to say.
struct Row<'r> {
    policy: &'r str,
    /// Lines of its table in runner.toml.
    settings: &'r str,
    /// The hosts h1, h2, … are all of the group `fleet`; this is what the inventory has besides.
    inventory: &'r str,
    hosts: usize,
    playbook: &'r str,
    exit: i32,
    /// Of each verdict its word, its code, and what decided: `EVENT TASK HOST`, `start TASK HOST`, or nothing.
    says: &'r [[&'r str; 3]],
}

/// Runs it, and the recorded run past the policy again. Returns the project and the run.
#[track_caller]
fn hold(row: &Row<'_>) -> (Project, Evidence) {
    let Row { policy, settings, hosts, playbook, .. } = row;
    let rest = format!(
        "forks = 1\n[plugins.policy]\nbuiltin = {policy:?}\n{settings}\n\
         [jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"policy\"]\n"
    );
    let project = Project::new(*hosts, &rest).file("play.yml", playbook).folder("started");
    let inventory = std::fs::read_to_string(project.path("hosts")).unwrap();
    let project = project.file("hosts", &format!("{inventory}{}", row.inventory));
    let _shown = project.playwarden(&["run"]).expect(row.exit);
    holds(row, &project);
    let run = Evidence::of(&project);
    (project, run)
}

/// Compares what was said in the only run of a project, and what a replay says.
#[track_caller]
fn holds(row: &Row<'_>, project: &Project) {
    let run = Evidence::of(project);
    let said: Vec<Value> = run
        .named("policy_verdict")
        .into_iter()
        .map(|event| match event.kind() {
            EventKind::PolicyVerdict(verdict) => serde_json::to_value(verdict).unwrap(),
            _ => unreachable!(),
        })
        .collect();
    let expected: Vec<[String; 3]> = row.says.iter().map(|says| says.map(str::to_owned)).collect();
    let told = |said: &[Value]| said.iter().map(|verdict| told(&run, verdict)).collect::<Vec<_>>();
    assert_eq!(told(&said), expected, "{}\n{said:#?}\n{}", row.settings, run.list());
    if let Some(cancel) = run.named("policy_verdict").last().filter(|_| row.exit == 21) {
        let late = run.named("runner_on_start").into_iter().any(|start| start.counter() > cancel.counter());
        assert!(!late, "a task started after the verdict\n{}", run.list());
    }

    let shown = project.playwarden(&["replay", "@", "--plugin", "policy", "--json"]).expect(0).stdout;
    let replayed: Value = serde_json::from_str(&shown).unwrap();
    let replayed: Vec<Value> = replayed["verdicts"].as_array().unwrap().clone();
    assert_eq!(told(&replayed), expected, "replayed: {}\n{replayed:#?}", row.settings);
}

fn told(run: &Evidence, verdict: &Value) -> [String; 3] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let decided = match (&verdict["reason"]["event"], &verdict["start"]) {
        (Value::Number(counter), _) => {
            let event = run.events.iter().find(|event| json!(event.counter()) == json!(counter)).unwrap();
            let task = event.context().task.as_deref().unwrap_or_default();
            format!("{} {task} {}", event.name(), event.host().unwrap_or_default())
        }
        (_, Value::Object(start)) => format!("start {} {}", text(&start["task"]), text(&start["host"])),
        _ => String::new(),
    };
    [text(&verdict["verdict"]), text(&verdict["reason"]["code"]), decided]
}

/// A play on all hosts with these tasks.
fn play(tasks: &str) -> String {
    format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
}
