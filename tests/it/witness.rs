//! A callback of the user's own beside ours: what it was told by Ansible, the journal must have.

use std::collections::BTreeMap;
use std::fs;

use playwarden_event::Event;
use serde_json::Value;

use crate::evidence::{Evidence, at};
use crate::support::Project;

/// Writes a line for each call, at once and with nothing between it and the kernel.
const PLUGIN: &str = include_str!("witness.py");

/// Adds the witness to a project, whose environment must have [`variables`].
pub(crate) fn add(project: Project) -> Project {
    project.file("witness/witness.py", PLUGIN)
}

/// Returns what must stand in the table `env`. The witness is behind ours in the path, so that what it was told of we were
/// told of before: of a process that ends in between nobody could say more.
pub(crate) fn variables(project: &Project) -> String {
    let log = project.path("witness.jsonl").display().to_string();
    format!("ANSIBLE_CALLBACK_PLUGINS = \"witness\", WITNESS = {log:?}")
}

/// Returns what the witness wrote.
pub(crate) fn log(project: &Project) -> Vec<Value> {
    let log = fs::read_to_string(project.path("witness.jsonl")).unwrap_or_default();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is known of a call: the event's name, the inventory host, core's uuid of the task, and the result's message.
pub(crate) type Call = (String, Option<String>, Option<String>, Option<String>);

/// Returns what a line of the witness tells of.
pub(crate) fn called(line: &Value) -> Call {
    let text = |key: &str| line[key].as_str().map(str::to_owned);
    let method = line["method"].as_str().unwrap();
    let name = match method {
        "v2_playbook_on_handler_task_start" | "v2_playbook_on_cleanup_task_start" => "playbook_on_task_start",
        "v2_on_file_diff" => "runner_on_file_diff",
        other => &other[3..],
    };
    // An event about a difference has no result.
    let message = text("msg").filter(|_| method != "v2_on_file_diff");
    (name.to_owned(), text("host"), text("task"), message)
}

/// Returns the same of an event.
pub(crate) fn reported(event: &Event) -> Call {
    let text = |pointer: &str| at(event, pointer).as_str().map(str::to_owned);
    let host = if event.name().starts_with("runner_") { text("/host") } else { None };
    let task = if event.name() == "playbook_on_include" || event.name() == "playbook_on_notify" {
        None
    } else {
        text("/task_uuid")
    };
    (event.name().to_owned(), host, task, text("/res/msg"))
}

/// Whether the witness is told of what this event is about.
pub(crate) fn is_told_of(event: &Event) -> bool {
    event.name().starts_with("runner_") || event.name().starts_with("playbook_on_")
}

type Told = BTreeMap<Call, i64>;

fn count(calls: impl Iterator<Item = Call>) -> Told {
    let mut told = Told::new();
    calls.for_each(|call| *told.entry(call).or_default() += 1);
    told
}

/// Compares the journal of a run with what the witness was told: calls that the journal has no event of, and events that
/// nobody else was told of.
pub(crate) fn compare(project: &Project, run: &Evidence) -> (Vec<Call>, Vec<Call>) {
    let calls = count(log(project).iter().map(called));
    let events = count(run.events.iter().filter(|event| is_told_of(event)).map(reported));
    let missing = |of: &Told, there: &Told| {
        let is_missing =
            |(call, count): (&Call, &i64)| (*count > there.get(call).copied().unwrap_or(0)).then(|| call.clone());
        of.iter().filter_map(is_missing).collect()
    };
    (missing(&calls, &events), missing(&events, &calls))
}
