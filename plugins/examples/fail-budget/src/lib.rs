//! Cancels a run when too many hosts failed or could not be reached. README.md explains every key.
//!
//! [`Budget`] counts and judges one run; everything around it reads the configuration and hands events on.
//!
//! **Invariant:** hosts are counted, not results, and a verdict follows from the events of one window alone. So it does
//! not matter in how many calls the events arrive, and a window never pays for an earlier one.

mod scope;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use playwarden_sdk::prelude::*;
use scope::{Name, Scope, count, outcome};
use settings::{Config, When, Window};

/// The hosts of each inventory group.
type Groups = BTreeMap<String, BTreeSet<String>>;

/// What the host knows and events do not say.
struct Asked<'a> {
    totals: &'a Totals,
    /// How many hosts the present serial batch has.
    batch: u32,
    /// The groups that the start of a play names; none where it names none.
    groups: &'a dyn Fn(&Event) -> Result<Option<Groups>, Failure>,
}

/// How much failing one run may still do.
#[derive(Debug, Default)]
struct Budget {
    config: Config,
    /// The play or the batch that is the window; none when the run is, or no play has begun.
    place: Option<String>,
    /// The counts of each window at this time: of each group by its name, else of one without a name.
    scopes: BTreeMap<String, Scope>,
    /// None before the first start of a play.
    groups: Option<Groups>,
}

impl Budget {
    fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes the events of one call; returns what there is to say of them.
    fn judge(&mut self, events: &[Event], asked: &Asked<'_>) -> Result<Verdict, Failure> {
        let present = events.iter().rev().find_map(|event| place(event, self.config.window));
        let mut verdict = Verdict::Proceed;
        for event in events {
            let is_result = self.take(event, asked.groups)?;
            // Totals are those after the last event. A list may begin in one play and end in the next, whose totals say
            // nothing about the first. Whatever failed there ended an earlier call, and the totals of that call still
            // hold.
            let hosts = match self.config.window {
                Window::Run => Some(asked.totals.run.hosts),
                Window::Play => Some(asked.totals.play.hosts).filter(|_| self.place == present),
                Window::Batch => Some(asked.batch).filter(|_| self.place == present),
                Window::Group | Window::LastHosts => None,
            };
            if let Some(hosts) = hosts {
                self.scopes.entry(String::new()).or_default().hosts = hosts;
            }
            if is_result {
                verdict = verdict.and(self.say(event));
            }
        }
        Ok(verdict)
    }

    /// Counts an event; returns whether it was a result at all.
    fn take(
        &mut self,
        event: &Event,
        groups: &dyn Fn(&Event) -> Result<Option<Groups>, Failure>,
    ) -> Result<bool, Failure> {
        let place = place(event, self.config.window);
        if place.is_some() && place != self.place {
            // Groups are of the run, and so is how many hosts a play has until its totals are known.
            self.place = place;
            self.scopes.clear();
        }
        let by_group = self.config.window == Window::Group;
        if by_group && event.is(&EventKind::PlaybookOnPlayStart) {
            let known = self.groups.get_or_insert_default();
            for (group, hosts) in groups(event)?.into_iter().flatten() {
                known.entry(group).or_default().extend(hosts);
            }
        }
        let (Some(host), Some(outcome)) = (&event.host, outcome(event, &self.config)) else { return Ok(false) };
        if !by_group {
            self.scopes.entry(String::new()).or_default().take(host, outcome, self.config.last_hosts);
            return Ok(true);
        }
        let unseen = "`window = \"group\"` needs the event `playbook_on_play_start`: add it to the plugin's `events`";
        let groups = self.groups.as_ref().ok_or(unseen)?;
        let is_meant = |group: &String| self.config.groups.as_ref().is_none_or(|meant| meant.contains(group));
        for (group, hosts) in groups.iter().filter(|(group, hosts)| is_meant(group) && hosts.contains(host)) {
            let scope = self.scopes.entry(group.clone()).or_default();
            scope.hosts = count(hosts.len());
            scope.take(host, outcome, None);
        }
        Ok(true)
    }

    /// Returns what there is to say after a result: of all windows in which a rule is broken now and was not before.
    fn say(&mut self, event: &Event) -> Verdict {
        let Config { window, minimum_hosts, .. } = self.config;
        let (maximum, warning) = (self.config.maximum(), self.config.warning());
        let (mut cancels, mut warns) = (Vec::new(), Vec::new());
        for (group, scope) in &mut self.scopes {
            let name = Name { window, group };
            if let Some(broken) = scope.broken(maximum, minimum_hosts, &name).filter(|_| !scope.spent) {
                scope.spent = true;
                scope.warned = true;
                cancels.push(broken);
            } else if let Some(broken) = scope.broken(warning, minimum_hosts, &name).filter(|_| !scope.warned) {
                scope.warned = true;
                warns.push(broken);
            }
        }
        let (broken, is_cancel) = if cancels.is_empty() { (warns, false) } else { (cancels, true) };
        let Some((what, _)) = broken.first() else { return Verdict::Proceed };
        let code = format!("{}-{what}", if is_cancel { "too-many" } else { "many" });
        let texts: Vec<&str> = broken.iter().map(|(_, text)| text.as_str()).collect();
        let text = texts.join("; ");
        let verdict = if is_cancel { Verdict::cancel(text) } else { Verdict::warn(text) };
        match self.config.stop {
            When::Now => verdict.code(code).at(event),
            When::AfterRunningTasks => verdict.code(code).at(event).after_running_tasks(),
        }
    }
}

/// Returns what tells an event's window from the next one; none where there is only one, or the event is in none.
fn place(event: &Event, window: Window) -> Option<String> {
    match window {
        Window::Play => event.play_uuid.clone(),
        Window::Batch => event.play_number.map(|number| number.to_string()),
        Window::Run | Window::Group | Window::LastHosts => None,
    }
}

/// Reads which groups the start of a play names.
fn groups(source: &Source, start: &Event) -> Result<Option<Groups>, Failure> {
    start.read(source, "/groups")
}

/// A budget for each run: one in a job, those of all its jobs in a workflow.
struct FailBudget {
    config: Config,
    budgets: BTreeMap<String, Budget>,
}

impl Plugin for FailBudget {
    fn new() -> Result<Self, Failure> {
        let config = config::config_with(Config::problems)?;
        Ok(Self { config, budgets: BTreeMap::new() })
    }
}

impl CancelPolicy for FailBudget {
    fn evaluate(&mut self, source: &Source, events: &[Event], totals: &Totals) -> Result<Verdict, Failure> {
        let groups = |start: &Event| groups(source, start);
        let key = format!("{} {}", source.run, source.job);
        if !self.budgets.contains_key(&key) {
            // Nothing on the first call of a run. After a restart of the instance it is what the lost one had counted.
            let mut budget = Budget::new(self.config.clone());
            for event in journal::before(source, events.first().map_or(0, |event| event.counter)) {
                budget.take(&event, &groups)?;
            }
            self.budgets.insert(key.clone(), budget);
        }
        let Some(budget) = self.budgets.get_mut(&key) else { return Ok(Verdict::Proceed) };
        let batch = if self.config.window == Window::Batch { journal::tally_of_batch(source).hosts } else { 0 };
        budget.judge(events, &Asked { totals, batch, groups: &groups })
    }
}
impl ConfigCheck for FailBudget {
    fn schema() -> &'static str {
        include_str!("../config.schema.json")
    }

    fn validate() -> Vec<Problem> {
        config::check_with(Config::problems)
    }
}

playwarden_sdk::export!(FailBudget: ConfigCheck + CancelPolicy);
