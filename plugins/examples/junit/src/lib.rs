//! Writes the results of a run as JUnit XML, for CI systems. plugins/README.md explains every key.
//!
//! [`Suites`] makes test cases of events, `xml` a report of them.
//!
//! **Invariant:** a run that did not succeed has a failure or an error in its report, whatever ended it.

mod cases;
mod settings;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;

use cases::Suites;
use playwarden_sdk::folder::Folder;
use playwarden_sdk::prelude::*;
use settings::Config;

struct JUnit {
    config: Config,
    /// One for each run: a plugin of a workflow sees several.
    runs: BTreeMap<String, Suites>,
}

impl Plugin for JUnit {
    fn new() -> Result<Self, Failure> {
        Ok(Self { config: config()?, runs: BTreeMap::new() })
    }
}

impl EventHandler for JUnit {
    fn on_events(&mut self, source: &Source, events: &[Event]) -> Result<u64, Failure> {
        let first = events.first().map_or(0, |event| event.counter);
        let suites = self.runs.entry(source.run.clone()).or_insert_with(|| {
            // Nothing on the first call of a run. After a restart of the instance it is what the lost one had.
            let mut suites = Suites::default();
            journal::before(source, first).for_each(|event| suites.take(source, &event));
            suites
        });
        events.iter().for_each(|event| suites.take(source, event));
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

impl FinishedCallback for JUnit {
    fn on_finished(&mut self, finish: &Finish) -> Result<(), Failure> {
        let source = &finish.source;
        let suites = self.runs.entry(source.run.clone()).or_default();
        journal::after(source, suites.last).for_each(|event| suites.take(source, &event));
        suites.finish(finish);

        let report = xml::report(&suites.list, finish, &self.config)?;
        if let Some(folder) = &self.config.folder {
            let file = self.config.file.replace("{run}", &source.run).replace("{job}", &source.job.replace('/', "_"));
            Folder::open(folder)?.replace(&file, &report)?;
        }
        output::write_once("junit.xml", &report)
    }
}

impl ConfigCheck for JUnit {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        let (config, mut problems) = config::check::<Config>();
        problems.extend(config.into_iter().flat_map(|config| config.problems()));
        problems
    }
}

playwarden_sdk::export!(JUnit: ConfigCheck + EventHandler + FinishedCallback);
