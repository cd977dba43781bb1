//! Says in a page how a run ended: hosts, failures, changes, slowest tasks. plugins/README.md explains every key.
//!
//! [`Collected`] is what is kept of a run while it goes on, and summary.json at its end; `page` makes the text.
//!
//! **Invariant:** the summary follows from the journal. A plugin that was restarted reads again what it lost, and one that is
//! no event handler reads everything at the end.

mod collected;
mod page;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use collected::Collected;
use playwarden_sdk::folder::Folder;
use playwarden_sdk::prelude::*;
use playwarden_sdk::time;
use serde_json::{Value, json};
use settings::Config;

struct Summary {
    config: Config,
    /// One for each run: a plugin of a workflow sees several.
    runs: BTreeMap<String, Collected>,
}

impl Plugin for Summary {
    fn new() -> Result<Self, Failure> {
        Ok(Self { config: config()?, runs: BTreeMap::new() })
    }
}

impl EventHandler for Summary {
    fn on_events(&mut self, source: &Source, events: &[Event]) -> Result<u64, Failure> {
        let first = events.first().map_or(0, |event| event.counter);
        let collected = self.runs.entry(source.run.clone()).or_insert_with(|| {
            // Nothing on the first call of a run. After a restart of the instance it is what the lost one had collected.
            let mut collected = Collected::default();
            journal::before(source, first).for_each(|event| collected.take(source, &event));
            collected
        });
        events.iter().for_each(|event| collected.take(source, event));
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

impl FinishedCallback for Summary {
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure> {
        let source = &finish.source;
        let collected = self.runs.entry(source.run.clone()).or_default();
        journal::after(source, collected.last).for_each(|event| collected.take(source, &event));

        let text = page::page(collected, finish, &self.config)?;
        let json = format!("{:#}\n", as_json(collected, finish)?);
        if let Some(folder) = &self.config.folder {
            let folder = Folder::open(folder)?;
            let stem = self.config.file.replace("{run}", &source.run).replace("{job}", &source.job.replace('/', "_"));
            folder.replace(&format!("{stem}.txt"), &text)?;
            folder.replace(&format!("{stem}.json"), &json)?;
        }
        output::write_once("summary.txt", &text)?;
        output::write_once("summary.json", &json)
    }
}

/// Everything that the page has and what it leaves out.
fn as_json(collected: &Collected, finish: &Finish) -> Result<Value, Failure> {
    let run = finish.totals.run;
    let mut summary = json!({
        "schema": 1,
        "run": finish.source.run,
        "job": finish.source.job,
        "status": finish.status.name(),
        "rc": finish.rc,
        "cause": finish.cause,
        "reason": finish.reason.as_ref().map(|reason| &reason.text),
        "by": finish.by,
        "started": time::rfc3339(finish.started_ns),
        "finished": time::rfc3339(finish.finished_ns),
        "totals": {
            "hosts": run.hosts, "hosts_failed": run.hosts_failed, "hosts_unreachable": run.hosts_unreachable,
            "hosts_changed": run.hosts_changed, "ok": run.ok, "changed": run.changed, "failed": run.failed,
            "unreachable": run.unreachable, "skipped": run.skipped, "rescued": run.rescued, "ignored": run.ignored,
            "retries": collected.retries(),
        },
    });
    let interrupted: Vec<Value> =
        collected.busy.iter().map(|((host, _), task)| json!({"host": host, "task": task})).collect();
    summary["interrupted"] = interrupted.into();
    if let (Value::Object(summary), Value::Object(collected)) = (&mut summary, serde_json::to_value(collected)?) {
        summary.extend(collected);
    }
    Ok(summary)
}

impl ConfigCheck for Summary {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        let (config, mut problems) = config::check::<Config>();
        problems.extend(config.into_iter().flat_map(|config| config.problems()));
        problems
    }
}

playwarden_sdk::export!(Summary: ConfigCheck + EventHandler + FinishedCallback);
