//! What one run changed, what it is about to change, and what there is to say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use playwarden_sdk::prelude::*;

use crate::settings::{Config, When};

/// The hosts of each inventory group.
pub(crate) type Groups = BTreeMap<String, BTreeSet<String>>;

/// What became of the hosts that are counted, and with what runs, may have.
const CHANGED: &str = "were changed";
const AT_MOST: &str = "are changed or about to be";

/// What the start of a task says of it: of `runner_on_start` under `/start`, or of a start that is asked for.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    pub(crate) host: String,
    pub(crate) task: String,
    pub(crate) action: String,
    pub(crate) check_mode: bool,
    pub(crate) delegate_to: Option<String>,
}

/// What an event says in its data.
pub(crate) trait Data {
    /// The groups that the start of a play names.
    fn groups(&self, event: &Event) -> Result<Option<Groups>, Failure>;
    /// The hosts of the play that starts.
    fn hosts(&self, event: &Event) -> Result<Option<Vec<String>>, Failure>;
    /// The task of a start.
    fn task(&self, event: &Event) -> Result<Option<Task>, Failure>;
}

#[derive(Debug)]
pub(crate) struct Watch {
    config: Rc<Config>,
    /// The counter of the last event that was taken.
    pub(crate) seen: u64,
    /// None before the first start of a play.
    groups: Option<Groups>,
    /// Hosts in the run, as the totals have it.
    hosts: u32,
    /// Which start of a play this is; a serial batch is one.
    batch: u32,
    changed: BTreeSet<String>,
    /// Those, and the hosts to which such tasks were delegated.
    touched: BTreeSet<String>,
    /// Tasks that may change something, by host and uuid of the task.
    running: BTreeMap<(String, String), Task>,
    /// A start was asked about, and its event did not come yet.
    asked: bool,
    /// In which batch a host had its first good result of such a task.
    good: BTreeMap<String, u32>,
    /// What was said already: each is said once, also where `mode = "monitor"` lets the run go on.
    said: BTreeSet<String>,
    /// What is still to be said.
    pub(crate) verdict: Verdict,
}

impl Watch {
    pub(crate) fn new(config: Rc<Config>) -> Self {
        Self {
            config,
            seen: 0,
            groups: None,
            hosts: 0,
            batch: 0,
            changed: BTreeSet::new(),
            touched: BTreeSet::new(),
            running: BTreeMap::new(),
            asked: false,
            good: BTreeMap::new(),
            said: BTreeSet::new(),
            verdict: Verdict::Proceed,
        }
    }

    /// Takes an event; what is to be said of it waits in `verdict`.
    pub(crate) fn take(&mut self, event: &Event, totals: &Totals, data: &dyn Data) -> Result<(), Failure> {
        if event.counter <= self.seen {
            return Ok(());
        }
        self.seen = event.counter;
        self.hosts = totals.run.hosts;
        if event.is(&EventKind::PlaybookOnPlayStart) {
            self.batch = event.play_number.unwrap_or(self.batch + 1);
            let known = self.groups.get_or_insert_default();
            // No event names the group of all.
            known.entry("all".to_owned()).or_default().extend(data.hosts(event)?.into_iter().flatten());
            for (group, hosts) in data.groups(event)?.into_iter().flatten() {
                known.entry(group).or_default().extend(hosts);
            }
        }
        let (Some(host), Some(task)) = (&event.host, &event.task_uuid) else { return Ok(()) };
        let place = (host.clone(), task.clone());
        match event.kind {
            EventKind::RunnerOnStart => {
                self.asked = false;
                let unseen = "the start of a task has no data";
                let task = data.task(event)?.ok_or(unseen)?;
                if !task.check_mode && !self.config.is_harmless(&task.action) {
                    self.running.insert(place, task);
                }
            }
            EventKind::RunnerOnOk | EventKind::RunnerOnFailed | EventKind::RunnerOnUnreachable => {
                let task = self.running.remove(&place);
                let is_bad =
                    !event.is(&EventKind::RunnerOnOk) && !event.marked(Marks::IGNORED) && !event.marked(Marks::RESCUED);
                if is_bad {
                    self.canary_failed(host, event);
                } else if task.is_some() {
                    self.good.entry(host.clone()).or_insert(self.batch);
                }
                let action = event.action.as_deref().unwrap_or_default();
                let is_harmless = event.marked(Marks::CHECK_MODE) || self.config.is_harmless(action);
                if event.marked(Marks::CHANGED) && !is_harmless {
                    self.touched.insert(host.clone());
                    self.touched.extend(task.and_then(|task| task.delegate_to));
                    if self.changed.insert(host.clone()) {
                        self.one_more(host, event)?;
                    }
                }
            }
            EventKind::RunnerOnSkipped => drop(self.running.remove(&place)),
            _ => {}
        }
        Ok(())
    }

    /// Judges a start that is asked for.
    pub(crate) fn admit(&mut self, task: &Task) -> Result<Verdict, Failure> {
        if std::mem::replace(&mut self.asked, true) {
            // A limit would only seem to be kept.
            return Err(Failure::new(
                "starts are not heard of: add the event `runner_on_start` to the plugin's `events`",
            ));
        }
        if task.check_mode || self.config.is_harmless(&task.action) {
            return Ok(Verdict::Proceed);
        }
        let config = Rc::clone(&self.config);
        let mut refused: Vec<(&str, String)> = Vec::new();
        for hosts in &config.apart {
            refused.extend(self.together(task, hosts).map(|text| ("both-of-a-pair", text)));
        }
        for (group, canaries) in &config.canaries {
            if self.group(group)?.contains(&task.host) && !canaries.contains(&task.host) {
                refused.extend(self.too_early(task, group, canaries).map(|text| ("canary-first", text)));
            }
        }
        if config.strict && !self.changed.contains(&task.host) {
            let running = self.running.values().map(|task| &task.host);
            let mut with: BTreeSet<String> = self.changed.iter().chain(running).cloned().collect();
            with.insert(task.host.clone());
            let text = |code, broken| (code, format!("{} would be one too many: {broken}", name(task)));
            refused.extend(self.broken(&with, AT_MOST).map(|broken| text("too-many-changed", broken)));
            for (group, max) in &config.groups {
                refused.extend(
                    self.broken_group(group, *max, &with, AT_MOST)?
                        .map(|broken| text("too-many-changed-in-group", broken)),
                );
            }
        }
        // Where `mode = "monitor"` lets the host go on, its next task has nothing new.
        refused.retain(|(code, _)| self.said.insert(format!("{code} {}", task.host)));
        let Some((code, _)) = refused.first() else { return Ok(Verdict::Proceed) };
        let texts: Vec<&str> = refused.iter().map(|(_, text)| text.as_str()).collect();
        Ok(self.cancel(texts.join("; "), code))
    }

    fn group(&self, group: &str) -> Result<&BTreeSet<String>, Failure> {
        const NONE: &BTreeSet<String> = &BTreeSet::new();
        let unseen = "groups are known from the event `playbook_on_play_start`: add it to the plugin's `events`";
        Ok(self.groups.as_ref().ok_or(unseen)?.get(group).unwrap_or(NONE))
    }

    /// Says what there is to say of a host that was not changed before.
    fn one_more(&mut self, host: &str, event: &Event) -> Result<(), Failure> {
        let config = Rc::clone(&self.config);
        let last = |text: String| format!("{text}; last: {host}");
        if let Some(text) = self.broken(&self.changed, CHANGED) {
            self.say("too-many-changed", "too-many-changed", last(text), event);
        }
        for (group, max) in &config.groups {
            if !self.group(group)?.contains(host) {
                continue;
            }
            if let Some(text) = self.broken_group(group, *max, &self.changed, CHANGED)? {
                self.say("too-many-changed-in-group", &format!("group {group}"), last(text), event);
            }
        }
        let count = count(&self.changed);
        if let Some(max) = config.warn_changed_hosts.filter(|max| count > *max)
            && self.said.insert("many-changed".to_owned())
        {
            let text = last(format!("{count} of {} hosts {CHANGED}, more than the {max} allowed", self.hosts));
            self.add(Verdict::warn(text).code("many-changed").at(event));
        }
        Ok(())
    }

    fn canary_failed(&mut self, host: &str, event: &Event) {
        let config = Rc::clone(&self.config);
        for (group, _) in config.canaries.iter().filter(|(_, canaries)| canaries.iter().any(|canary| canary == host)) {
            let how = if event.unreachable() { "could not be reached" } else { "failed" };
            let text = format!("{host}, a canary of the group {group}, {how}");
            self.say("canary-failed", &format!("canary {host}"), text, event);
        }
    }

    /// Has something said, once.
    fn say(&mut self, code: &str, what: &str, text: String, event: &Event) {
        if self.said.insert(what.to_owned()) {
            self.add(self.cancel(text, code).at(event));
        }
    }

    fn add(&mut self, verdict: Verdict) {
        self.verdict = std::mem::replace(&mut self.verdict, Verdict::Proceed).and(verdict);
    }

    fn cancel(&self, text: String, code: &str) -> Verdict {
        let verdict = Verdict::cancel(text).code(code);
        match self.config.stop {
            When::Now => verdict,
            When::AfterRunningTasks => verdict.after_running_tasks(),
        }
    }

    /// Returns the limit of the run that so many hosts break.
    fn broken(&self, changed: &BTreeSet<String>, verb: &str) -> Option<String> {
        let (count, hosts) = (count(changed), self.hosts);
        if let Some(max) = self.config.max_changed_hosts.filter(|max| count > *max) {
            return Some(format!("{count} of {hosts} hosts {verb}, more than the {max} allowed"));
        }
        let percent = f64::from(count) * 100.0 / f64::from(hosts.max(1));
        let max = self.config.max_changed_percent.filter(|max| percent > *max)?;
        let percent = (percent * 100.0).round() / 100.0;
        Some(format!("{count} of {hosts} hosts {verb} ({percent} %), more than the {max} % allowed"))
    }

    fn broken_group(
        &self,
        group: &str,
        max: u32,
        changed: &BTreeSet<String>,
        verb: &str,
    ) -> Result<Option<String>, Failure> {
        let hosts = self.group(group)?;
        let count = u32::try_from(hosts.intersection(changed).count()).unwrap_or(u32::MAX);
        let text =
            || format!("{count} of {} hosts of the group {group} {verb}, more than the {max} allowed", hosts.len());
        Ok((count > max).then(text))
    }

    /// Returns why a task would touch two of some hosts.
    fn together(&self, task: &Task, apart: &[String]) -> Option<String> {
        let set = apart.join(", ");
        let delegate = task.delegate_to.as_deref();
        if let Some(open) = delegate.filter(|host| ["{{", "{%", "{#"].iter().any(|mark| host.contains(mark))) {
            return Some(format!(
                "{} is delegated to {open}, which may be any of {set}: never two of these",
                name(task)
            ));
        }
        let own: Vec<&String> =
            apart.iter().filter(|host| **host == task.host || Some(host.as_str()) == delegate).collect();
        let first = own.first()?;
        let is_busy = |host: &String| {
            self.running.values().any(|task| task.host == *host || task.delegate_to.as_ref() == Some(host))
        };
        let why = |host: &&String| {
            let is_own = own.contains(host);
            match () {
                () if **host == **first => None,
                () if is_own => {
                    Some(format!("{} is delegated to {}, of {set}: never two of these", name(task), delegate?))
                }
                () if self.touched.contains(*host) => {
                    Some(format!("{} may not begin: {host} was changed, of {set}: never two of these", name(task)))
                }
                () if is_busy(host) => {
                    Some(format!("{} may not begin: a task runs on {host}, of {set}: never two of these", name(task)))
                }
                () => None,
            }
        };
        apart.iter().find_map(|host| why(&host))
    }

    /// Returns why a host that is no canary may not begin yet.
    fn too_early(&self, task: &Task, group: &str, canaries: &[String]) -> Option<String> {
        let is_proven = |canary: &&String| self.good.get(*canary).is_some_and(|batch| *batch < self.batch);
        let open: Vec<&str> = canaries.iter().filter(|canary| !is_proven(canary)).map(String::as_str).collect();
        let text = || {
            format!(
                "{} may not begin: canaries of the group {group} without a good result in an earlier batch: {}",
                name(task),
                open.join(", ")
            )
        };
        (!open.is_empty()).then(text)
    }
}

fn name(task: &Task) -> String {
    format!("`{}` on {}", task.task, task.host)
}

fn count(hosts: &BTreeSet<String>) -> u32 {
    u32::try_from(hosts.len()).unwrap_or(u32::MAX)
}
