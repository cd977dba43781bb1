//! Lets a run change something only at allowed times. README.md explains every key.
//!
//! [`Calendar`](calendar::Calendar) knows when that is; everything around it reads the configuration and asks.
//!
//! **Invariant:** the moment judged is that of the question, never a clock of the plugin's own: so a replay judges the same.

mod calendar;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use calendar::Calendar;
use jiff::Timestamp;
use playwarden_sdk::prelude::*;
use playwarden_sdk::time::Span;
use settings::{AtEnd, Config};

/// What was said in one run: each is said once, also where `mode = "monitor"` lets the run go on.
#[derive(Debug, Default)]
struct Said {
    closed: bool,
    soon: bool,
}

#[derive(Debug)]
struct ChangeWindow {
    config: Config,
    calendar: Calendar,
    runs: BTreeMap<String, Said>,
}

impl ChangeWindow {
    fn with(config: Config) -> Result<Self, Vec<Problem>> {
        let calendar = config.calendar()?;
        Ok(Self { config, calendar, runs: BTreeMap::new() })
    }

    /// Judges a moment. `what` is about to happen; `began` is when the run did.
    fn judge(&mut self, run: &str, at_ns: u64, began_ns: Option<u64>, what: Option<&str>) -> Verdict {
        let at = timestamp(at_ns);
        let said = self.runs.entry(run.to_owned()).or_default();
        if self.calendar.is_open(at) {
            said.closed = false;
            let Some(before) = self.config.warn_before else { return Verdict::Proceed };
            let Some(end) = self.calendar.closes(at).filter(|_| !said.soon) else { return Verdict::Proceed };
            let left = u64::try_from(end.duration_since(at).as_millis()).unwrap_or_default();
            if left > before.ms() {
                return Verdict::Proceed;
            }
            said.soon = true;
            let text = format!("the change window ends in {}, at {}", Span::from_ms(left), shown(&self.calendar, end));
            return Verdict::warn(text).code("window-ends-soon");
        }
        if said.closed {
            return Verdict::Proceed;
        }
        said.closed = true;
        let now = shown(&self.calendar, at);
        let began_inside = began_ns.is_some_and(|began| self.calendar.is_open(timestamp(began)));
        let (code, mut text) = if began_inside {
            let what = what.map(|what| format!("; {what} may not start any more")).unwrap_or_default();
            ("window-ended", format!("the change window has ended, it is {now}{what}"))
        } else {
            let what = what.map(|what| format!("{what} may not start: ")).unwrap_or_default();
            ("outside-window", format!("{what}it is {now}, outside of every change window"))
        };
        if let Some(freeze) = self.calendar.freeze(at) {
            let name = freeze.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
            text = format!("{text} (there is a freeze{name})");
        }
        match self.calendar.opens(at) {
            Some(next) => text = format!("{text}; the next one begins {}", shown(&self.calendar, next)),
            None => text = format!("{text}; there is none within a year"),
        }
        let verdict = Verdict::cancel(text).code(code);
        match self.config.at_end {
            AtEnd::Cancel => verdict,
            AtEnd::FinishTask => verdict.after_running_tasks(),
        }
    }
}

fn timestamp(ns: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::MAX)
}

/// Writes a moment for people: day, local time and zone.
fn shown(calendar: &Calendar, at: Timestamp) -> String {
    let local = calendar.local(at);
    let zone = local.time_zone().iana_name().unwrap_or("UTC");
    format!("{} {zone}", local.strftime("%a %Y-%m-%d %H:%M"))
}

/// Returns the key under which stands that a task was let start that may change something: a restart keeps it.
fn changes(run: &str) -> String {
    format!("changes {run}")
}

/// Returns when a run began, and how it is told from others.
fn began(source: &Source) -> (String, Option<u64>) {
    let first = journal::read(source, 1, 1).first().map(|event| event.time_ns);
    (format!("{} {}", source.run, source.job), first)
}

impl Plugin for ChangeWindow {
    fn new() -> Result<Self, Failure> {
        Ok(Self::with(config()?)?)
    }
}

impl StartPolicy for ChangeWindow {
    fn admit(&mut self, source: &Source, start: &Start, _: &Totals) -> Result<Verdict, Failure> {
        if start.check_mode && !self.config.in_check_mode {
            return Ok(Verdict::Proceed);
        }
        let (run, began) = began(source);
        let what = format!("`{}` on {}", start.task, start.host);
        let verdict = self.judge(&run, start.time_ns, began, Some(&what));
        if !self.config.in_check_mode && !matches!(verdict, Verdict::Cancel(_)) {
            state::set(&changes(&run), b"")?;
        }
        Ok(verdict)
    }
}

impl TickPolicy for ChangeWindow {
    fn tick(&mut self, source: &Source, now_ns: u64, _: &Totals) -> Result<Verdict, Failure> {
        let (run, began) = began(source);
        // Of a run in check mode there is no task to end.
        if !self.config.in_check_mode && state::get(&changes(&run)).is_none() {
            return Ok(Verdict::Proceed);
        }
        Ok(self.judge(&run, now_ns, began, None))
    }
}

impl ConfigCheck for ChangeWindow {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(|config: &Config| config.calendar().err().unwrap_or_default())
    }
}

playwarden_sdk::export!(ChangeWindow: ConfigCheck + StartPolicy + TickPolicy);
