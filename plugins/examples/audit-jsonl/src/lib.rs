//! Writes who did what where to which end, a JSON object a line. plugins/README.md explains every key.
//!
//! [`Fact`] is a line, [`Trail`] where the lines of a run go; everything around them hands events on.
//!
//! **Invariant:** what is acknowledged is written, and what is written is not written again.

mod fact;
mod settings;
#[cfg(test)]
mod tests;
mod trail;

use std::collections::BTreeMap;

use fact::{Fact, Who};
use playwarden_sdk::prelude::*;
use settings::Config;
use trail::Trail;

/// Where the lines go when the configuration names no folder and this one is granted.
const USUAL_FOLDER: &str = "audit";

struct AuditJsonl {
    config: Config,
    who: Who,
    /// One for each run: a plugin of a workflow sees several.
    trails: BTreeMap<String, Trail>,
}

impl Plugin for AuditJsonl {
    fn new() -> Result<Self, Failure> {
        Ok(Self { config: config()?, who: Who::default(), trails: BTreeMap::new() })
    }
}

impl AuditJsonl {
    /// Writes those of the events that are facts and not there yet.
    fn write(&mut self, source: &Source, events: &[Event]) -> Result<(), Failure> {
        let last = self.trail(source)?.last;
        let mut lines = String::new();
        let mut written = last;
        for event in events.iter().filter(|event| event.counter > last && fact::is_wanted(event, &self.config)) {
            let details = event.details(source);
            lines += &Fact::of(source, &self.who, event, &details, &self.config).line()?;
            lines.push('\n');
            written = event.counter;
        }
        self.append(source, &lines, written)
    }

    fn append(&mut self, source: &Source, lines: &str, last: u64) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        let appended = self.trail(source)?.append(lines, last);
        if appended.is_err() {
            // Opened again, it finds out how much of it arrived.
            self.trails.remove(&source.run);
        }
        appended
    }

    fn trail(&mut self, source: &Source) -> Result<&mut Trail, Failure> {
        if !self.trails.contains_key(&source.run) {
            let Config { folder, durable, .. } = &self.config;
            let usual = std::path::Path::new(USUAL_FOLDER).is_dir().then_some(USUAL_FOLDER);
            let trail = match folder.as_deref().or(usual) {
                Some(folder) => Trail::in_folder(folder, &self.config.file(source), *durable)?,
                None => Trail::in_output(),
            };
            self.trails.insert(source.run.clone(), trail);
        }
        self.trails.get_mut(&source.run).ok_or_else(|| "the trail was just opened".into())
    }
}

impl Lifecycle for AuditJsonl {
    fn start(&mut self, run: &Run) -> Result<(), Failure> {
        self.who = serde_json::from_str(&run.data).unwrap_or_default();
        Ok(())
    }
}

impl EventHandler for AuditJsonl {
    fn on_events(&mut self, source: &Source, events: &[Event]) -> Result<u64, Failure> {
        self.write(source, events)?;
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

impl FinishedCallback for AuditJsonl {
    /// Writes what no event handler has written, so that the trail is whole wherever the plugin is named.
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure> {
        let source = &finish.source;
        let last = self.trail(source)?.last;
        for event in journal::after(source, last) {
            self.write(source, &[event])?;
        }
        if self.trail(source)?.last < finish.last_event {
            let line = Fact::of_finish(source, &self.who, finish).line()? + "\n";
            self.append(source, &line, finish.last_event)?;
        }
        Ok(())
    }
}

impl ConfigCheck for AuditJsonl {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        let (config, mut problems) = config::check::<Config>();
        problems.extend(config.into_iter().flat_map(|config| config.problems()));
        problems
    }
}

playwarden_sdk::export!(AuditJsonl: ConfigCheck + Lifecycle + EventHandler + FinishedCallback);
