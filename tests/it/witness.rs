//! A callback of the project's own beside ours: what it was told by Ansible, the journal must have.

use std::collections::BTreeMap;
use std::fs;

use crate::evidence::Evidence;
use crate::support::Project;

/// Writes a line for each call into the file that `WITNESS` names, at once and with nothing between it and the kernel.
const PLUGIN: &str = r#"
import os
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "witness"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self):
        super().__init__()
        self.log = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(self, event, host="-", task="-"):
        os.write(self.log, ("%s %s %s\n" % (event, host, task.replace(" ", "_"))).encode())

    def v2_playbook_on_play_start(self, play):
        self.tell("playbook_on_play_start")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tell("playbook_on_task_start", "-", task.get_name())

    def v2_playbook_on_stats(self, stats):
        self.tell("playbook_on_stats")


def teller(event):
    def told(self, result, **_kwargs):
        part = lambda name: getattr(result, name, None) or getattr(result, "_" + name)
        self.tell(event, part("host").get_name(), part("task").get_name())
    return told


for method, event in (
    ("v2_runner_on_ok", "runner_on_ok"),
    ("v2_runner_on_failed", "runner_on_failed"),
    ("v2_runner_on_skipped", "runner_on_skipped"),
    ("v2_runner_on_unreachable", "runner_on_unreachable"),
    ("v2_runner_item_on_ok", "runner_item_on_ok"),
    ("v2_runner_item_on_failed", "runner_item_on_failed"),
    ("v2_runner_item_on_skipped", "runner_item_on_skipped"),
    ("v2_runner_retry", "runner_retry"),
):
    setattr(CallbackModule, method, teller(event))
"#;

/// What the witness tells of.
const TOLD: [&str; 11] = [
    "playbook_on_play_start",
    "playbook_on_task_start",
    "playbook_on_stats",
    "runner_on_ok",
    "runner_on_failed",
    "runner_on_skipped",
    "runner_on_unreachable",
    "runner_item_on_ok",
    "runner_item_on_failed",
    "runner_item_on_skipped",
    "runner_retry",
];

/// Adds the witness to a project. It stands behind ours in the path, so that what it was told of we were told of before:
/// of a process that ends in between nobody could say more. (A folder `callback_plugins` would come first.)
pub(crate) fn add(project: Project) -> Project {
    project
        .file("witness_plugins/witness.py", PLUGIN)
        .file("ansible.cfg", "[defaults]\ncallback_plugins = witness_plugins\n")
}

/// Returns what a project's environment must have for it, as a part of the table `env`.
pub(crate) fn variable(project: &Project) -> String {
    format!("WITNESS = {:?}", project.path("witness").display().to_string())
}

type Told = BTreeMap<String, i64>;

fn count(lines: impl Iterator<Item = String>) -> Told {
    let mut told = Told::new();
    lines.for_each(|line| *told.entry(line).or_default() += 1);
    told
}

/// Compares the journal of a run with what the witness was told: how many calls the journal has no event of, and how many
/// events nobody else was told of.
pub(crate) fn compare(project: &Project, run: &Evidence) -> (Vec<String>, Vec<String>) {
    let log = fs::read_to_string(project.path("witness")).unwrap_or_default();
    let calls = count(log.lines().map(str::to_owned));
    let told = run.events.iter().filter(|event| TOLD.contains(&event.name()));
    let events = count(told.map(|event| {
        let is_play = matches!(event.name(), "playbook_on_play_start" | "playbook_on_stats");
        let task = event.context().task.clone().filter(|_| !is_play).unwrap_or_else(|| "-".to_owned());
        format!("{} {} {}", event.name(), event.host().unwrap_or("-"), task.replace(' ', "_"))
    }));
    let missing = |of: &Told, there: &Told| {
        let more = |(line, count): (&String, &i64)| {
            let left = count - there.get(line).copied().unwrap_or(0);
            (left > 0).then(|| format!("{left} × {line}"))
        };
        of.iter().filter_map(more).collect()
    };
    (missing(&calls, &events), missing(&events, &calls))
}
