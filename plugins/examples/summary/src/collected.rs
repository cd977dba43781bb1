//! What is kept of the events of one run; its form as JSON is summary.json.

use std::collections::BTreeMap;

use playwarden_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Everything of a run that the summary needs. Follows from the events alone, so that a restarted plugin has it again.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Collected {
    /// Counter of the last event that was taken.
    #[serde(skip)]
    pub(crate) last: u64,
    pub(crate) hosts: BTreeMap<String, Host>,
    /// Tasks that failed on a host, or could not reach it.
    pub(crate) failures: Vec<Failed>,
    pub(crate) verdicts: Vec<Said>,
    pub(crate) faults: Vec<Said>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) text: Texts,
    /// Where a task stands in `tasks`, by its uuid.
    #[serde(skip)]
    numbers: BTreeMap<String, usize>,
    /// Tasks that started on a host and gave no result yet, by host and uuid of the task.
    #[serde(skip)]
    pub(crate) busy: BTreeMap<(String, String), String>,
    /// Items of loops that are not at their end yet.
    #[serde(skip)]
    failed_items: BTreeMap<(String, String), FailedItems>,
}

/// Results of one host, counted as Ansible does, and the tasks that changed it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Host {
    pub(crate) ok: u32,
    pub(crate) changed: u32,
    pub(crate) unreachable: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
    pub(crate) rescued: u32,
    pub(crate) ignored: u32,
    pub(crate) retries: u32,
    pub(crate) changed_by: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    /// `failed`, `unreachable`, `rescued` or `ignored`.
    pub(crate) result: &'static str,
    pub(crate) host: String,
    pub(crate) play: String,
    pub(crate) task: String,
    /// Labels of the loop items that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<String>,
    pub(crate) message: Option<String>,
    pub(crate) rc: Option<i64>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) counter: u64,
}

/// The failed items of one loop on one host.
#[derive(Debug, Default)]
struct FailedItems {
    labels: Vec<String>,
    /// What the first of them said: the loop itself only says that there are any.
    message: Option<String>,
}

/// What a plugin said, or how it broke.
#[derive(Debug, Serialize)]
pub(crate) struct Said {
    pub(crate) plugin: String,
    /// Of a verdict `warn` or `cancel`; of a fault what was called.
    pub(crate) what: String,
    pub(crate) text: String,
    /// Whether it had the consequence it asked for.
    pub(crate) acted_on: bool,
    pub(crate) counter: u64,
}

/// A task over all its hosts.
#[derive(Debug, Serialize)]
pub(crate) struct Task {
    pub(crate) play: String,
    pub(crate) task: String,
    pub(crate) hosts: u32,
    pub(crate) retries: u32,
    /// The longest that it took on a host, and which one that was.
    pub(crate) longest_ms: u64,
    pub(crate) slowest_host: String,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Texts {
    pub(crate) warnings: u32,
    pub(crate) deprecations: u32,
    pub(crate) errors: u32,
}

/// What is read of the data of verdicts and faults.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    plugin: Named,
    verdict: String,
    reason: Named,
    acted_on: bool,
    call: String,
    text: String,
    on_fault: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    text: String,
}

impl Collected {
    /// Takes an event, unless it was taken before.
    pub(crate) fn take(&mut self, source: &Source, event: &Event) {
        use EventKind as K;
        if event.counter <= self.last {
            return;
        }
        self.last = event.counter;
        match event.kind {
            K::Warning | K::SystemWarning => self.text.warnings += 1,
            K::Deprecated => self.text.deprecations += 1,
            K::Error => self.text.errors += 1,
            K::PolicyVerdict => {
                let Details { plugin, verdict, reason, acted_on, .. } = event.details(source);
                let said =
                    Said { plugin: plugin.name, what: verdict, text: reason.text, acted_on, counter: event.counter };
                self.verdicts.push(said);
            }
            K::PluginFault => {
                let Details { plugin, call, text, on_fault, .. } = event.details(source);
                let acted_on = on_fault != "ignore";
                self.faults.push(Said { plugin: plugin.name, what: call, text, acted_on, counter: event.counter });
            }
            K::RunnerOnStart | K::RunnerRetry | K::RunnerItemOnFailed => self.take_of_task(event, None),
            K::RunnerOnOk => self.take_of_task(event, Some("ok")),
            K::RunnerOnSkipped => self.take_of_task(event, Some("skipped")),
            K::RunnerOnFailed | K::RunnerOnUnreachable => {
                let result = if event.marked(Marks::IGNORED) {
                    "ignored"
                } else if event.marked(Marks::RESCUED) {
                    "rescued"
                } else if event.is(&K::RunnerOnFailed) {
                    "failed"
                } else {
                    "unreachable"
                };
                self.take_of_task(event, Some(result));
            }
            _ => {}
        }
    }

    fn take_of_task(&mut self, event: &Event, result: Option<&'static str>) {
        let name = event.host.clone().unwrap_or_default();
        let uuid = event.task_uuid.clone().unwrap_or_default();
        let title = title(event);
        let host = self.hosts.entry(name.clone()).or_default();
        let number = *self.numbers.entry(uuid.clone()).or_insert_with(|| {
            self.tasks.push(Task {
                play: event.play.clone().unwrap_or_default(),
                task: title.clone(),
                hosts: 0,
                retries: 0,
                longest_ms: 0,
                slowest_host: String::new(),
            });
            self.tasks.len() - 1
        });
        let task = &mut self.tasks[number];

        let Some(result) = result else {
            match event.kind {
                EventKind::RunnerRetry => {
                    host.retries += 1;
                    task.retries += 1;
                }
                EventKind::RunnerOnStart => {
                    self.busy.insert((name, uuid), title);
                }
                _ => {
                    let items = self.failed_items.entry((name, uuid)).or_default();
                    items.labels.push(event.item.clone().unwrap_or_default());
                    items.message = items.message.take().or_else(|| event.message.clone());
                }
            }
            return;
        };
        self.busy.remove(&(name.clone(), uuid.clone()));
        let items = self.failed_items.remove(&(name.clone(), uuid)).unwrap_or_default();
        task.hosts += 1;
        if let Some(took) = event.duration_ms.filter(|took| task.hosts == 1 || *took > task.longest_ms) {
            task.longest_ms = took;
            task.slowest_host.clone_from(&name);
        }
        if matches!(result, "ok" | "ignored") {
            host.ok += 1;
            if event.marked(Marks::CHANGED) {
                host.changed += 1;
                host.changed_by.push(title.clone());
            }
        }
        match result {
            "failed" => host.failed += 1,
            "unreachable" => host.unreachable += 1,
            "skipped" => host.skipped += 1,
            "rescued" => host.rescued += 1,
            "ignored" => host.ignored += 1,
            _ => {}
        }
        if !matches!(result, "ok" | "skipped") {
            self.failures.push(Failed {
                result,
                host: name,
                play: event.play.clone().unwrap_or_default(),
                task: title,
                items: items.labels,
                message: items.message.or_else(|| event.message.clone()),
                rc: event.rc,
                duration_ms: event.duration_ms,
                counter: event.counter,
            });
        }
    }

    /// Returns the tasks that took longest, the slowest first.
    pub(crate) fn slowest(&self, count: usize) -> Vec<&Task> {
        let mut tasks: Vec<&Task> = self.tasks.iter().filter(|task| task.hosts > 0).collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.longest_ms));
        tasks.truncate(count);
        tasks
    }

    /// Returns how often anything was tried again.
    pub(crate) fn retries(&self) -> u32 {
        self.tasks.iter().map(|task| task.retries).sum()
    }
}

/// The task's name as Ansible prints it, with its role.
fn title(event: &Event) -> String {
    let task = event.task.as_deref().unwrap_or("a task without a name");
    event.role.as_ref().map_or_else(|| task.to_owned(), |role| format!("{role} : {task}"))
}
