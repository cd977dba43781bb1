//! Plays of every shape, each with one task that breaks on one host while as many others as there can be are held in it.
//!
//! Every task but an include leaves a file `started/TASK_HOST`, and `done/TASK_HOST` once it has ended well; items of a
//! loop leave `items/TASK_HOST.ITEM`. The host that breaks waits until the others are held; those are held for ever
//! where running tasks are interrupted, else until the run is canceling. Whoever takes its place runs through: Ansible
//! reports no result while it waits for a worker to start the next task.

use std::fmt::Write as _;

use crate::support::Project;

/// The shapes, by name.
pub(super) const SHAPES: [&str; 7] = ["plain", "loop", "block", "handlers", "async", "includes", "once"];

/// One combination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    pub(super) strategy: &'static str,
    pub(super) shape: &'static str,
    /// `now` or `after-running-tasks`.
    pub(super) stop: &'static str,
    pub(super) forks: usize,
}

impl Scene {
    /// Hosts of a serial batch.
    fn batch(self) -> Option<usize> {
        (self.strategy == "serial").then_some(if self.shape == "async" { 2 } else { 3 })
    }

    pub(super) fn hosts(self) -> usize {
        match (self.batch(), self.shape) {
            (Some(batch), _) => 2 * batch + 1,
            // Modules take Python, and their time.
            (None, "async") => 4,
            (None, "plain") => self.forks + 2,
            (None, _) => (self.forks + 2).min(12),
        }
    }

    /// The host that breaks: the first one, in batches the first of the second batch.
    pub(super) fn breaking(self) -> String {
        format!("h{}", self.batch().unwrap_or(0) + 1)
    }

    /// The others that are in the breaking task with it.
    pub(super) fn others(self) -> Vec<String> {
        let at_once = if self.shape == "once" { 2 } else { usize::MAX };
        let batch = self.batch().unwrap_or(self.hosts());
        let first = self.batch().unwrap_or(0) + 1;
        (first + 1..first + self.forks.min(batch).min(at_once)).map(|number| format!("h{number}")).collect()
    }

    /// The name of the event that breaks the rule.
    pub(super) fn kind(self) -> &'static str {
        if self.shape == "loop" { "runner_item_on_failed" } else { "runner_on_failed" }
    }

    /// Adds the playbook and what it includes.
    pub(super) fn write(self, project: Project) -> Project {
        let strategy = if self.strategy == "serial" { "linear" } else { self.strategy };
        let serial = self.batch().map(|batch| format!("  serial: {batch}\n")).unwrap_or_default();
        let (tasks, handlers) = self.tasks();
        let mut play =
            format!("- hosts: all\n  gather_facts: false\n  strategy: {strategy}\n{serial}  tasks:\n{tasks}");
        if !handlers.is_empty() {
            write!(play, "  handlers:\n{handlers}").unwrap();
        }
        project
            .file("play.yml", &play)
            .file("imported.yml", &plain("imported", ""))
            .file("included.yml", &plain("included", ""))
            .file("roles/r/tasks/main.yml", &format!("{}{}", self.breaks("raw", ""), plain("rest", "")))
            .folder("started")
            .folder("done")
            .folder("items")
            .folder("held")
    }

    fn tasks(self) -> (String, String) {
        let (first, after) = (plain("first", ""), plain("after", ""));
        let breaks = |more: &str| self.breaks("raw", more);
        let tasks = match self.shape {
            "plain" => format!("{first}{}{after}", breaks("")),
            "loop" => format!("{first}{}{after}", self.breaks_in_a_loop()),
            "block" => format!(
                "- block:\n{}  rescue:\n{}  always:\n{}{after}",
                indented(&format!("{first}{}", breaks(""))),
                indented(&plain("rescue", "")),
                indented(&plain("always", "")),
            ),
            "handlers" => format!("{}- meta: flush_handlers\n{after}", plain("first", ", notify: [breaks, second]")),
            "async" => format!(
                "{}{}{after}",
                line("first", "shell", &effect("first", "sleep 600"), ", async: 900, poll: 0"),
                self.breaks("shell", ", async: 900, poll: 1"),
            ),
            "includes" => format!(
                "- import_tasks: imported.yml\n- {{name: include_tasks, include_tasks: included.yml}}\n\
                 - {{name: include_role, include_role: {{name: r}}}}\n{after}"
            ),
            "once" => format!(
                "{}{}{}{}",
                plain("first", ", run_once: true"),
                plain("second", ", delegate_to: h2"),
                breaks(", throttle: 2"),
                plain("after", ", delegate_to: h2"),
            ),
            other => panic!("no shape `{other}`"),
        };
        let handlers = format!("{}{}", breaks(""), plain("second", ""));
        (indented(&tasks), if self.shape == "handlers" { indented(&handlers) } else { String::new() })
    }

    /// The task that breaks.
    fn breaks(self, module: &str, more: &str) -> String {
        let work = format!(
            "{{% if inventory_hostname == '{}' %}}\n{}\nexit 1\n{{% elif inventory_hostname in {} %}}\n{}\n{{% endif %}}",
            self.breaking(),
            self.until_others_are_held(),
            list(&self.others()),
            self.held(),
        );
        line("breaks", module, &effect("breaks", &work), more)
    }

    /// The same in the first of three items. The second one of the host that breaks is held too.
    fn breaks_in_a_loop(self) -> String {
        let work = format!(
            "touch {{{{ playbook_dir }}}}/items/breaks_{{{{ inventory_hostname }}}}.{{{{ item }}}}\n\
             {{% if inventory_hostname == '{0}' and item == 1 %}}\n{1}\nexit 1\n\
             {{% elif inventory_hostname in {2} + ['{0}'] %}}\n{3}\n{{% endif %}}",
            self.breaking(),
            self.until_others_are_held(),
            list(&self.others()),
            self.held(),
        );
        line("breaks", "raw", &effect("breaks", &work), ", loop: [1, 2, 3]")
    }

    fn until_others_are_held(self) -> String {
        format!("until [ $(ls {{{{ playbook_dir }}}}/held | wc -l) -ge {} ]; do sleep 0.02; done", self.others().len())
    }

    fn held(self) -> String {
        let wait = match self.stop {
            "now" => "sleep 600",
            _ => "until grep -q canceling {{ playbook_dir }}/artifacts/*/status; do sleep 0.02; done",
        };
        format!("touch {{{{ playbook_dir }}}}/held/{{{{ inventory_hostname }}}}\n{wait}")
    }
}

/// Hosts as a list of Jinja.
fn list(hosts: &[String]) -> String {
    format!("{hosts:?}").replace('"', "'")
}

/// The effect of a task before and after its work.
fn effect(name: &str, work: &str) -> String {
    let file = |folder| format!("touch {{{{ playbook_dir }}}}/{folder}/{name}_{{{{ inventory_hostname }}}}");
    format!("{}\n{work}\n{}", file("started"), file("done"))
}

fn plain(name: &str, more: &str) -> String {
    line(name, "raw", &effect(name, "true"), more)
}

/// A task in one line of YAML, whose double quotes read escapes as Rust writes them.
fn line(name: &str, module: &str, command: &str, more: &str) -> String {
    format!("- {{name: {name}, {module}: {command:?}{more}}}\n")
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("    {line}\n")).collect()
}
