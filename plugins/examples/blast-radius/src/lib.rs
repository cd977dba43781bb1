//! Limits how many hosts a run may change, which never together, and which first. README.md explains every key.
//!
//! [`Watch`] follows one run; everything around it reads the configuration and hands events and starts on.
//!
//! **Invariant:** what may change something counts before it did: a start is judged with all tasks that run.

mod settings;
mod watch;

use std::collections::BTreeMap;
use std::rc::Rc;

use playwarden_sdk::prelude::*;
use settings::Config;
use watch::{Data, Groups, Task, Watch};

/// A watch over each run: one in a job, those of all its jobs in a workflow.
struct BlastRadius {
    config: Rc<Config>,
    watches: BTreeMap<String, Watch>,
}

/// The journal of a run.
struct Journal<'s>(&'s Source);

impl Data for Journal<'_> {
    fn groups(&self, event: &Event) -> Result<Option<Groups>, Failure> {
        event.read(self.0, "/groups")
    }

    fn hosts(&self, event: &Event) -> Result<Option<Vec<String>>, Failure> {
        event.read(self.0, "/hosts")
    }

    fn task(&self, event: &Event) -> Result<Option<Task>, Failure> {
        event.read(self.0, "/start")
    }
}

impl BlastRadius {
    /// Returns the watch over a run. After a restart of the instance it has seen what the lost one had, up to a counter.
    fn watch(&mut self, source: &Source, end: u64, totals: &Totals) -> Result<&mut Watch, Failure> {
        let key = format!("{} {}", source.run, source.job);
        if !self.watches.contains_key(&key) {
            let mut watch = Watch::new(Rc::clone(&self.config));
            for event in journal::before(source, end) {
                watch.take(&event, totals, &Journal(source))?;
            }
            // The lost one said it.
            watch.verdict = Verdict::Proceed;
            self.watches.insert(key.clone(), watch);
        }
        self.watches.get_mut(&key).ok_or_else(|| Failure::new("a watch was lost"))
    }
}

impl Plugin for BlastRadius {
    fn new() -> Result<Self, Failure> {
        let config = config::config_with(Config::problems)?;
        Ok(Self { config: Rc::new(config), watches: BTreeMap::new() })
    }
}

impl CancelPolicy for BlastRadius {
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        let watch = self.watch(source, events.first().map_or(0, |event| event.counter), totals)?;
        for event in events {
            watch.take(event, totals, &Journal(source))?;
        }
        Ok(std::mem::replace(&mut watch.verdict, Verdict::Proceed))
    }
}

impl StartPolicy for BlastRadius {
    fn admit(&mut self, source: &Source, start: &Start, totals: &Totals) -> Result<Verdict, Failure> {
        // All events before a start were judged.
        let watch = self.watch(source, u64::MAX, totals)?;
        watch.admit(&Task {
            host: start.host.clone(),
            task: start.task.clone(),
            action: start.action.clone(),
            check_mode: start.check_mode,
            delegate_to: start.delegate_to.clone(),
        })
    }
}

impl ConfigCheck for BlastRadius {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(Config::problems)
    }
}

playwarden_sdk::export!(BlastRadius: ConfigCheck + CancelPolicy + StartPolicy);
