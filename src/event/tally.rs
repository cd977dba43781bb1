//! The running counts of a run.
//!
//! They follow from the journal alone: whoever reads the same events in the same order has the same counts. Results are
//! counted as Ansible's own statistics count them, so that the two agree wherever Ansible sends its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::outcome::InFlight;
use crate::{Event, EventKind};

/// Totals of a scope (run, play, batch, group, host). Numbers of hosts count hosts, the others count results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Tally {
    /// Hosts in the scope after `--limit`, those added during the run included. Zero only before the first play.
    pub hosts: u32,
    /// Hosts that failed and were not rescued or ignored.
    pub hosts_failed: u32,
    /// Hosts that could not be reached, where that was not ignored.
    pub hosts_unreachable: u32,
    /// Hosts on which something was changed.
    pub hosts_changed: u32,
    /// Hosts with a task running now.
    pub hosts_busy: u32,
    /// Results that were ok; changed ones and ignored failures included, as Ansible counts.
    pub ok: u32,
    /// Results that changed something.
    pub changed: u32,
    /// Failures that were neither rescued nor ignored.
    pub failed: u32,
    /// Times a host was unreachable and that was not ignored.
    pub unreachable: u32,
    /// Skipped tasks.
    pub skipped: u32,
    /// Failures that a `rescue` section took over.
    pub rescued: u32,
    /// Failures, and unreachable hosts, that were ignored.
    pub ignored: u32,
}

/// The totals that go with every question to a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Totals {
    /// The whole run.
    pub run: Tally,
    /// The present play, all of its serial batches so far together.
    pub play: Tally,
}

/// Keeps the counts, one event after the other.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    run: Scope,
    play: Scope,
    batch: Scope,
    play_uuid: Option<String>,
    by_host: HashMap<String, Scope>,
    /// The hosts of each inventory group, but for `all`.
    groups: BTreeMap<String, BTreeSet<String>>,
    in_flight: BTreeMap<(String, String), String>,
}

impl Tallies {
    /// Counts one event. Events must come in the order of their counters.
    pub fn apply(&mut self, event: &Event) {
        match event.kind() {
            EventKind::PlaybookOnPlayStart(start) => {
                if self.play_uuid.is_none() || self.play_uuid != event.context().play_uuid {
                    self.play = Scope::default();
                    self.play_uuid.clone_from(&event.context().play_uuid);
                }
                self.batch = Scope::default();
                for host in &start.hosts {
                    self.run.host(host);
                    self.play.host(host);
                }
                for host in &start.batch {
                    self.batch.host(host);
                }
                for (group, hosts) in start.groups.iter().flatten() {
                    self.groups.entry(group.clone()).or_default().extend(hosts.iter().cloned());
                }
            }
            EventKind::RunnerOnStart(result) => {
                let task = event.context().task_uuid.clone().unwrap_or_default();
                let name = event.context().task.clone().unwrap_or_default();
                self.in_flight.insert((result.host.clone(), task), name);
                self.count(&result.host, Count::Started);
            }
            kind => {
                let Some(count) = Count::of(event) else { return };
                let host = kind.host_result().map_or("", |result| &result.host).to_owned();
                let task = event.context().task_uuid.clone().unwrap_or_default();
                self.in_flight.remove(&(host.clone(), task));
                self.count(&host, count);
            }
        }
    }

    /// Returns the totals of the run and of the present play.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals { run: self.run.tally, play: self.play.tally }
    }

    /// Returns the totals of the present serial batch.
    #[must_use]
    pub fn batch(&self) -> Tally {
        self.batch.tally
    }

    /// Returns the totals of one inventory host; none when the run has not heard of it.
    #[must_use]
    pub fn host(&self, host: &str) -> Option<Tally> {
        match self.by_host.get(host) {
            Some(scope) => Some(scope.tally),
            None => self.run.hosts.contains_key(host).then(|| Tally { hosts: 1, ..Tally::default() }),
        }
    }

    /// Returns the totals of an inventory group: the run's, of those of its hosts that the plays so far matched. None when
    /// no play matched any.
    #[must_use]
    pub fn group(&self, group: &str) -> Option<Tally> {
        if group == "all" {
            return Some(self.run.tally);
        }
        let hosts = self.groups.get(group)?;
        let mut whole = Tally::default();
        hosts.iter().filter_map(|host| self.host(host)).for_each(|tally| whole.add(tally));
        Some(whole)
    }

    /// Returns the inventory groups that a host is in as the plays so far said, sorted, without `all`.
    pub fn groups_of(&self, host: &str) -> impl Iterator<Item = &str> {
        self.groups.iter().filter(move |(_, hosts)| hosts.contains(host)).map(|(group, _)| group.as_str())
    }

    /// Returns the totals of each inventory host on which something was started, in no order.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.by_host.iter().map(|(host, scope)| (host.as_str(), scope.tally))
    }

    /// Returns what runs now, sorted by host.
    #[must_use]
    pub fn in_flight(&self) -> Vec<InFlight> {
        let pair =
            |((host, _), task): (&(String, String), &String)| InFlight { host: host.clone(), task: task.clone() };
        self.in_flight.iter().map(pair).collect()
    }

    fn count(&mut self, host: &str, count: Count) {
        self.run.count(host, count);
        self.play.count(host, count);
        self.batch.count(host, count);
        if !self.by_host.contains_key(host) {
            self.by_host.insert(host.to_owned(), Scope::default());
        }
        if let Some(scope) = self.by_host.get_mut(host) {
            scope.count(host, count);
        }
    }
}

impl Tally {
    /// Adds the totals of other hosts.
    fn add(&mut self, other: Self) {
        let Self {
            hosts,
            hosts_failed,
            hosts_unreachable,
            hosts_changed,
            hosts_busy,
            ok,
            changed,
            failed,
            unreachable,
            skipped,
            rescued,
            ignored,
        } = other;
        self.hosts += hosts;
        self.hosts_failed += hosts_failed;
        self.hosts_unreachable += hosts_unreachable;
        self.hosts_changed += hosts_changed;
        self.hosts_busy += hosts_busy;
        self.ok += ok;
        self.changed += changed;
        self.failed += failed;
        self.unreachable += unreachable;
        self.skipped += skipped;
        self.rescued += rescued;
        self.ignored += ignored;
    }
}

/// What one event adds.
#[derive(Clone, Copy)]
enum Count {
    Started,
    Ok { changed: bool },
    Failed,
    Rescued,
    IgnoredFailure { changed: bool },
    Unreachable,
    IgnoredUnreachable,
    Skipped,
}

impl Count {
    /// Only final results count: items, polls and retries are followed by one.
    fn of(event: &Event) -> Option<Self> {
        let marks = event.marks();
        Some(match event.kind() {
            EventKind::RunnerOnOk(_) => Self::Ok { changed: marks.changed },
            EventKind::RunnerOnFailed(_) if marks.ignored => Self::IgnoredFailure { changed: marks.changed },
            EventKind::RunnerOnFailed(_) if marks.rescued => Self::Rescued,
            EventKind::RunnerOnFailed(_) => Self::Failed,
            EventKind::RunnerOnUnreachable(_) if marks.ignored => Self::IgnoredUnreachable,
            EventKind::RunnerOnUnreachable(_) => Self::Unreachable,
            EventKind::RunnerOnSkipped(_) => Self::Skipped,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, Default)]
struct Scope {
    tally: Tally,
    hosts: HashMap<String, HostState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct HostState {
    failed: bool,
    unreachable: bool,
    changed: bool,
    running: u32,
}

impl Scope {
    /// Returns the state of a host, which is in the scope from now on.
    fn host(&mut self, host: &str) -> (&mut Tally, &mut HostState) {
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.to_owned(), HostState::default());
            self.tally.hosts += 1;
        }
        let state = self.hosts.get_mut(host).expect("the host was just put there");
        (&mut self.tally, state)
    }

    fn count(&mut self, host: &str, count: Count) {
        let (tally, state) = self.host(host);
        let mut mark_changed = false;
        match count {
            Count::Started => {
                tally.hosts_busy += u32::from(state.running == 0);
                state.running += 1;
                return;
            }
            Count::Ok { changed } => {
                tally.ok += 1;
                mark_changed = changed;
            }
            Count::Failed => {
                tally.failed += 1;
                tally.hosts_failed += u32::from(!state.failed);
                state.failed = true;
            }
            Count::Rescued => tally.rescued += 1,
            Count::IgnoredFailure { changed } => {
                tally.ok += 1;
                tally.ignored += 1;
                mark_changed = changed;
            }
            Count::Unreachable => {
                tally.unreachable += 1;
                tally.hosts_unreachable += u32::from(!state.unreachable);
                state.unreachable = true;
            }
            Count::IgnoredUnreachable => {
                tally.ok += 1;
                tally.ignored += 1;
            }
            Count::Skipped => tally.skipped += 1,
        }
        if mark_changed {
            tally.changed += 1;
            tally.hosts_changed += u32::from(!state.changed);
            state.changed = true;
        }
        // A result without a start is Ansible's way with meta tasks and missing includes.
        if state.running > 0 {
            state.running -= 1;
            tally.hosts_busy -= u32::from(state.running == 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Json};

    fn event(name: &str, data: &str) -> Event {
        let head = Head::numbered(1);
        Event::decode(head, name, Json::parse(data.to_owned()).unwrap())
    }

    fn tallies(events: &[(&str, &str)]) -> Tallies {
        let mut tallies = Tallies::default();
        for (name, data) in events {
            tallies.apply(&event(name, data));
        }
        tallies
    }

    #[test]
    fn hosts_are_counted_once_and_results_each_time() {
        let totals = tallies(&[
            ("playbook_on_play_start", r#"{"play_uuid":"p","hosts":["a","b","c"],"batch":["a","b"]}"#),
            ("runner_on_failed", r#"{"host":"a","res":{}}"#),
            ("runner_on_failed", r#"{"host":"a","res":{}}"#),
            ("runner_on_failed", r#"{"host":"b","res":{},"ignore_errors":true}"#),
            ("runner_on_failed", r#"{"host":"b","res":{},"rescued":true}"#),
            ("runner_item_on_failed", r#"{"host":"b","res":{}}"#),
            ("runner_on_unreachable", r#"{"host":"d","res":{}}"#),
            ("runner_on_ok", r#"{"host":"b","res":{"changed":true}}"#),
        ])
        .totals();
        let expected = Tally {
            hosts: 4,
            hosts_failed: 1,
            hosts_unreachable: 1,
            hosts_changed: 1,
            ok: 2,
            changed: 1,
            failed: 2,
            unreachable: 1,
            rescued: 1,
            ignored: 1,
            ..Tally::default()
        };
        assert_eq!(totals, Totals { run: expected, play: expected });
    }

    #[test]
    fn a_serial_batch_goes_on_with_its_play_and_a_new_play_starts_anew() {
        let mut tallies = tallies(&[
            ("playbook_on_play_start", r#"{"play_uuid":"p","hosts":["a","b"],"batch":["a"]}"#),
            ("runner_on_failed", r#"{"host":"a","res":{}}"#),
            ("playbook_on_play_start", r#"{"play_uuid":"p","hosts":["a","b"],"batch":["b"]}"#),
        ]);
        assert_eq!((tallies.totals().play.hosts_failed, tallies.batch().hosts, tallies.batch().failed), (1, 1, 0));
        tallies.apply(&event("playbook_on_play_start", r#"{"play_uuid":"q","hosts":["b"],"batch":["b"]}"#));
        assert_eq!((tallies.totals().play.hosts, tallies.totals().play.failed), (1, 0));
        assert_eq!((tallies.totals().run.hosts, tallies.totals().run.failed), (2, 1));
    }

    #[test]
    fn a_group_has_the_totals_of_its_hosts_in_all_plays() {
        let mut tallies = tallies(&[
            (
                "playbook_on_play_start",
                r#"{"play_uuid":"p","hosts":["a","b"],"batch":["a"],"groups":{"web":["a","b"],"eu":["a"]}}"#,
            ),
            ("runner_on_failed", r#"{"host":"a","res":{}}"#),
            ("runner_on_failed", r#"{"host":"a","res":{}}"#),
            ("playbook_on_play_start", r#"{"play_uuid":"p","hosts":["a","b"],"batch":["b"]}"#),
            ("runner_on_ok", r#"{"host":"b","res":{"changed":true}}"#),
        ]);
        let web =
            Tally { hosts: 2, hosts_failed: 1, hosts_changed: 1, ok: 1, changed: 1, failed: 2, ..Tally::default() };
        assert_eq!(tallies.group("web"), Some(web));
        assert_eq!(tallies.group("all"), Some(web));
        assert_eq!(tallies.group("eu").map(|tally| (tally.hosts, tally.hosts_failed)), Some((1, 1)));
        assert_eq!(tallies.group("db"), None);
        let (hosts, groups) = (r#""hosts":["b","c"],"batch":["b","c"]"#, r#"{"web":["c"],"db":["b","c"]}"#);
        tallies.apply(&event("playbook_on_play_start", &format!(r#"{{"play_uuid":"q",{hosts},"groups":{groups}}}"#)));
        assert_eq!(tallies.group("web").map(|tally| tally.hosts), Some(3));
        assert_eq!(tallies.groups_of("b").collect::<Vec<_>>(), ["db", "web"]);
        assert_eq!(tallies.groups_of("d").count(), 0);
    }

    #[test]
    fn what_started_and_has_no_result_is_in_flight() {
        let tallies = tallies(&[
            ("runner_on_start", r#"{"host":"a","task":"x","task_uuid":"1"}"#),
            ("runner_on_start", r#"{"host":"b","task":"x","task_uuid":"1"}"#),
            ("runner_on_skipped", r#"{"host":"a","task":"x","task_uuid":"1","res":{}}"#),
            ("runner_on_skipped", r#"{"host":"a","task":"meta","task_uuid":"2","res":{}}"#),
        ]);
        assert_eq!(tallies.in_flight(), [InFlight { host: "b".into(), task: "x".into() }]);
        assert_eq!((tallies.totals().run.hosts_busy, tallies.totals().run.skipped), (1, 2));
        assert_eq!(tallies.host("b").map(|tally| tally.hosts_busy), Some(1));
        assert_eq!(tallies.host("c"), None);
    }
}
