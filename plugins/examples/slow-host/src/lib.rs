//! Cancels a run, or warns, when tasks take longer on a host than they may. README.md explains every key.
//!
//! [`Watch`] follows one run; everything around it reads the configuration and hands events and moments on.
//!
//! **Invariant:** a host is slow for good, once one of its tasks was: found at its end, or by a tick while it still runs.

mod medians;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use medians::{Key, Medians};
use playwarden_sdk::prelude::*;
use playwarden_sdk::time::Span;
use settings::{Config, When};

const NS_IN_MS: u64 = 1_000_000;

/// A task that runs on a host.
#[derive(Debug, Clone)]
struct Running {
    since_ns: u64,
    key: Key,
    /// The event of its start.
    counter: u64,
}

/// A task that took too long.
#[derive(Debug)]
struct Slow {
    /// Host, task, and how long it took.
    text: String,
    counter: u64,
}

/// What is slow in one run.
#[derive(Debug)]
struct Watch {
    config: Config,
    medians: Rc<Medians>,
    /// By host and uuid of the task.
    running: BTreeMap<(String, String), Running>,
    slow: BTreeSet<String>,
    /// What made the last of them slow.
    last: Option<Slow>,
    /// The counter of the last event that was taken.
    seen: u64,
    /// One cancel and one warning are enough, also where `mode = "monitor"` lets the run go on.
    spent: bool,
    warned: bool,
}

impl Watch {
    fn new(config: Config, medians: Rc<Medians>) -> Self {
        let (running, slow) = (BTreeMap::new(), BTreeSet::new());
        Self { config, medians, running, slow, last: None, seen: 0, spent: false, warned: false }
    }

    fn take(&mut self, event: &Event) {
        // A tick may have read it from the journal already.
        if event.counter <= self.seen {
            return;
        }
        self.seen = event.counter;
        let (Some(host), Some(task)) = (&event.host, &event.task_uuid) else { return };
        let place = (host.clone(), task.clone());
        match event.kind {
            EventKind::RunnerOnStart => {
                let name = |text: &Option<String>| text.clone().unwrap_or_default();
                let key = [name(&event.play), name(&event.task), name(&event.action)];
                if self.config.is_watched(&key[1]) {
                    self.running.insert(place, Running { since_ns: event.time_ns, key, counter: event.counter });
                }
            }
            EventKind::RunnerOnOk | EventKind::RunnerOnFailed | EventKind::RunnerOnUnreachable => {
                if let Some(running) = self.running.remove(&place) {
                    let elapsed = event.time_ns.saturating_sub(running.since_ns) / NS_IN_MS;
                    let took = event.duration_ms.unwrap_or(elapsed);
                    self.judge(host, &running, took, "", event.counter);
                }
            }
            EventKind::RunnerOnSkipped => drop(self.running.remove(&place)),
            _ => {}
        }
    }

    /// Looks at what runs at this moment.
    fn look(&mut self, now_ns: u64) {
        // In the order of their starts, so that the same moment always gives the same.
        let mut running: Vec<(String, Running)> =
            self.running.iter().map(|((host, _), running)| (host.clone(), running.clone())).collect();
        running.sort_by_key(|(_, running)| running.counter);
        for (host, running) in running {
            let elapsed = now_ns.saturating_sub(running.since_ns) / NS_IN_MS;
            self.judge(&host, &running, elapsed, " so far", running.counter);
        }
    }

    fn judge(&mut self, host: &str, running: &Running, took_ms: u64, so_far: &str, counter: u64) {
        let Some((limit_ms, limit)) = self.limit(&running.key) else { return };
        if took_ms > limit_ms && self.slow.insert(host.to_owned()) {
            let took = Span::from_ms(took_ms);
            let text = format!("{host} with `{}`, {took}{so_far} (limit: {limit})", running.key[1]);
            self.last = Some(Slow { text, counter });
        }
    }

    /// Returns how long a task may take, in milliseconds and in words; none when nothing is known of it.
    fn limit(&self, key: &Key) -> Option<(u64, String)> {
        let fixed = self.config.max_duration.map(|max| (max.ms(), max.to_string()));
        let median = self.config.max_times_median.zip(self.medians.of(key)).map(|(times, median)| {
            #[expect(clippy::cast_precision_loss, reason = "no task takes 285,000 years")]
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it saturates, and is not negative"
            )]
            let limit = (median as f64 * times) as u64;
            let least = self.config.minimum_duration;
            if limit < least.ms() {
                (least.ms(), format!("{least}, `minimum-duration`"))
            } else {
                (limit, format!("{}, {times} times its median of {}", Span::from_ms(limit), Span::from_ms(median)))
            }
        });
        match (fixed, median) {
            (Some(fixed), Some(median)) => Some(if median.0 < fixed.0 { median } else { fixed }),
            (fixed, median) => fixed.or(median),
        }
    }

    /// Returns what there is to say that was not said.
    fn say(&mut self) -> Verdict {
        let Some(Slow { text: last, counter }) = &self.last else { return Verdict::Proceed };
        let count = u32::try_from(self.slow.len()).unwrap_or(u32::MAX);
        let text = |max: u32| {
            let hosts = if count == 1 { "1 host was slow".to_owned() } else { format!("{count} hosts were slow") };
            format!("{hosts}, more than the {max} allowed; last: {last}")
        };
        let (max, warn) = (self.config.max_slow_hosts, self.config.warn_slow_hosts);
        if let Some(max) = max.filter(|max| count > *max && !self.spent) {
            (self.spent, self.warned) = (true, true);
            let verdict = Verdict::cancel(text(max)).code("too-many-slow").at_counter(*counter);
            return match self.config.stop {
                When::Now => verdict,
                When::AfterRunningTasks => verdict.after_running_tasks(),
            };
        }
        if let Some(warn) = warn.filter(|warn| count > *warn && !self.warned) {
            self.warned = true;
            return Verdict::warn(text(warn)).code("many-slow").at_counter(*counter);
        }
        Verdict::Proceed
    }
}

/// A watch over each run: one in a job, those of all its jobs in a workflow.
struct SlowHost {
    config: Config,
    medians: Rc<Medians>,
    watches: BTreeMap<String, Watch>,
}

impl SlowHost {
    /// Returns the watch over a run. After a restart of the instance it has seen what the lost one had, up to a counter.
    fn watch(&mut self, source: &Source, end: u64) -> &mut Watch {
        let Self { config, medians, watches } = self;
        watches.entry(format!("{} {}", source.run, source.job)).or_insert_with(|| {
            let mut watch = Watch::new(config.clone(), Rc::clone(medians));
            for event in journal::before(source, end) {
                watch.take(&event);
            }
            watch
        })
    }
}

impl Plugin for SlowHost {
    fn new() -> Result<Self, Failure> {
        let config = config::config_with(Config::problems)?;
        let medians = match &config.durations {
            Some(path) => Medians::read(path, config.minimum_samples).map_err(Failure::new)?,
            None => Medians::default(),
        };
        Ok(Self { config, medians: Rc::new(medians), watches: BTreeMap::new() })
    }
}

impl CancelPolicy for SlowHost {
    fn evaluate(&mut self, source: &Source, events: &[Event], _totals: &Totals) -> Result<Verdict, Failure> {
        let watch = self.watch(source, events.first().map_or(0, |event| event.counter));
        let mut verdict = Verdict::Proceed;
        for event in events {
            watch.take(event);
            verdict = verdict.and(watch.say());
        }
        Ok(verdict)
    }
}

impl TickPolicy for SlowHost {
    fn tick(&mut self, source: &Source, now_ns: u64, _totals: &Totals) -> Result<Verdict, Failure> {
        let watch = self.watch(source, 0);
        // Results that did not end a list yet are still to be handed over: their tasks are over nevertheless.
        for event in journal::after(source, watch.seen) {
            watch.take(&event);
        }
        watch.look(now_ns);
        Ok(watch.say())
    }
}

impl ConfigCheck for SlowHost {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(|config: &Config| {
            let mut problems = config.problems();
            if let Some(path) = config.durations.as_ref().filter(|_| problems.is_empty())
                && let Err(why) = Medians::read(path, config.minimum_samples)
            {
                problems.push(Problem::error("/durations", why));
            }
            problems
        })
    }
}

playwarden_sdk::export!(SlowHost: ConfigCheck + CancelPolicy + TickPolicy);
