//! The cancel policies of a run, and what each is to be asked next.
//!
//! A policy's list of events ends after each event marked failed or unreachable, before each start of a task, and at 64
//! events. What plugins said themselves opens the next list and never ends one: a policy that warns of everything would
//! else be asked about its own warnings for ever. All of that follows from the journal alone, so a replay asks the same
//! questions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use playwarden_event::kind::{PluginFault, PolicyVerdict, Question, VerdictWord};
use playwarden_event::{Cause, Event, EventKind, PluginIdentity, StartRequest, Stop, Timestamp, Totals, Verdict};
use playwarden_sandbox::{Fault, FaultKind, RunView as _};
use tokio::time::Instant;

use super::closures::{Judge, caught};
use super::plugin::{Broken, Hook, LivePlugin};
use super::view::View;
use crate::config::{CancelWhen, Mode};

/// A list of events is never longer.
const LIST: usize = 64;

/// All policies, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Policies {
    list: Vec<Policy>,
    view: Arc<View>,
    consent: Consent,
}

/// What of the policies' cancels ends the run.
#[derive(Debug)]
struct Consent {
    when: CancelWhen,
    /// All that are plugins.
    policies: Vec<String>,
    /// Those that wanted the run canceled: once is enough, since a policy need not say the same again.
    said: BTreeSet<String>,
}

#[derive(Debug)]
struct Policy {
    asked: Asked,
    /// It broke for good, and is not asked again.
    out: bool,
    pending: Vec<Arc<Event>>,
    /// Whether a list among the pending events has ended.
    ripe: bool,
    tick: Option<(Duration, Instant)>,
}

/// Who is asked.
#[derive(Debug)]
enum Asked {
    Plugin(Arc<LivePlugin>),
    /// Code of the program that runs us.
    Closure(PluginIdentity, Judge),
}

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Said {
    /// To be written down as `policy_verdict`.
    Verdict(Box<PolicyVerdict>),
    /// To be written down as `plugin_fault`.
    Fault(PluginFault),
}

/// What the run is to do about it.
#[derive(Debug, PartialEq)]
pub(crate) enum Consequence {
    Nothing,
    /// The plugin was started again: ask it the same again.
    Again,
    /// End, for this reason.
    End(Cause, Stop),
    /// Go on and end failed.
    Fail(Cause),
}

impl Policies {
    /// Makes an instance of each plugin. A plugin that breaks at its start has a fault like any other.
    pub(crate) async fn start(
        plugins: Vec<(Arc<LivePlugin>, Option<Duration>)>,
        closures: Vec<(String, Judge)>,
        when: CancelWhen,
        view: &Arc<View>,
    ) -> (Self, Vec<(Said, Consequence)>) {
        let mut list = Vec::new();
        let mut said = Vec::new();
        let policies = plugins.iter().map(|(plugin, _)| plugin.identity.name.clone()).collect();
        let consent = Consent { when, policies, said: BTreeSet::new() };
        for (plugin, tick) in plugins {
            let tick = tick.filter(|_| plugin.plugin.has_tick()).map(|tick| (tick, Instant::now() + tick));
            let mut policy = Policy::new(Asked::Plugin(Arc::clone(&plugin)), tick);
            while let Err(broken) = plugin.start().await {
                policy.out = !broken.again;
                said.push(plugin.said(Hook::CancelPolicy, broken));
                if policy.out {
                    break;
                }
            }
            list.push(policy);
        }
        for (name, judge) in closures {
            list.push(Policy::new(
                Asked::Closure(PluginIdentity { name, version: None, sha256: String::new() }, judge),
                None,
            ));
        }
        (Self { list, view: Arc::clone(view), consent }, said)
    }

    /// Whether any policy has to be asked before a start.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the names of closures that panicked.
    pub(crate) fn faulty(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|policy| policy.out).filter_map(|policy| match &policy.asked {
            Asked::Closure(identity, _) => Some(identity.name.as_str()),
            Asked::Plugin(_) => None,
        })
    }

    /// Puts an event onto the lists of those that want it.
    pub(crate) fn push(&mut self, event: &Arc<Event>) {
        let ends = ends_list(event);
        for policy in self.list.iter_mut().filter(|policy| policy.wants(event)) {
            policy.pending.push(Arc::clone(event));
            policy.ripe |= ends || (policy.pending.len() >= LIST && !is_plugins_own(event));
        }
    }

    /// Asks the next policy whose list has ended; with `all`, also those whose list ends here. None when none is left.
    pub(crate) async fn evaluate_next(&mut self, all: bool) -> Option<Option<(Said, Consequence)>> {
        let totals = self.view.totals();
        let due = |policy: &mut Policy| (policy.ripe || all).then(|| list_end(&policy.pending, all)).flatten();
        let (policy, end) = self.list.iter_mut().find_map(|policy| due(policy).map(|end| (policy, end)))?;
        let answer = match &mut policy.asked {
            Asked::Plugin(plugin) => {
                let events = &policy.pending[..end];
                plugin.ask("cancel-policy.evaluate", async |instance| instance.evaluate(events, totals).await).await
            }
            Asked::Closure(_, judge) => judged(judge, &policy.pending[..end], totals),
        };
        if !matches!(&answer, Err(broken) if broken.again) {
            policy.pending.drain(..end);
            policy.ripe = list_end(&policy.pending, false).is_some();
        }
        Some(policy.heard(answer, Question::Evaluate, None, &mut self.consent))
    }

    /// Asks the policy at this place whether a task may start. None when there is none.
    pub(crate) async fn admit(
        &mut self,
        place: usize,
        time: Timestamp,
        start: &StartRequest,
    ) -> Option<Option<(Said, Consequence)>> {
        let totals = self.view.totals();
        let policy = self.list.get_mut(place)?;
        let Asked::Plugin(plugin) = &policy.asked else { return Some(None) };
        if policy.out {
            return Some(None);
        }
        let answer = plugin.ask("start-policy.admit", async |instance| instance.admit(time, start, totals).await).await;
        Some(policy.heard(answer, Question::Admit, Some(start), &mut self.consent))
    }

    /// Asks each policy as if its tick were due at this moment of a recorded run.
    pub(crate) async fn tick_at(&mut self, now: Timestamp) -> Vec<(Said, Consequence)> {
        let totals = self.view.totals();
        let mut said = Vec::new();
        for policy in self.list.iter_mut().filter(|policy| !policy.out) {
            let Asked::Plugin(plugin) = &policy.asked else { continue };
            let answer = plugin.ask("tick-policy.tick", async |instance| instance.tick(now, totals).await).await;
            said.extend(policy.heard(answer, Question::Tick, None, &mut self.consent));
        }
        said
    }

    /// Asks each policy whose tick is due, once.
    pub(crate) async fn tick(&mut self, now: Timestamp) -> Vec<(Said, Consequence)> {
        let totals = self.view.totals();
        let mut said = Vec::new();
        for policy in &mut self.list {
            let (Asked::Plugin(plugin), Some((every, next)), false) = (&policy.asked, policy.tick, policy.out) else {
                continue;
            };
            if next > Instant::now() {
                continue;
            }
            let answer = plugin.ask("tick-policy.tick", async |instance| instance.tick(now, totals).await).await;
            // From now, not from then: ticks that were missed are not made up for, and a slow one is not due at once.
            policy.tick = Some((every, Instant::now() + every));
            said.extend(policy.heard(answer, Question::Tick, None, &mut self.consent));
        }
        said
    }
}

impl Consent {
    /// Adds a policy that wants the run canceled; returns whether it is to be.
    fn adds(&mut self, policy: &str) -> bool {
        self.said.insert(policy.to_owned());
        self.when.holds(&self.said, &self.policies)
    }
}

/// Asks a closure about each event, until it has something to say.
fn judged(judge: &mut Judge, events: &[Arc<Event>], totals: Totals) -> Result<Verdict, Broken> {
    let ask = || events.iter().map(|event| judge.ask(event, totals)).find(|verdict| *verdict != Verdict::Proceed);
    caught(ask).map(|verdict| verdict.unwrap_or(Verdict::Proceed)).map_err(|text| {
        let fault =
            Fault { call: "cancel-policy", kind: FaultKind::Trap, text, stderr: String::new(), retry_after: None };
        Broken { fault, again: false }
    })
}

/// Returns where the first list of these events ends; with `all`, the last one ends here. None when none has ended.
fn list_end(pending: &[Arc<Event>], all: bool) -> Option<usize> {
    if let Some(last) = pending.iter().take(LIST).position(|event| ends_list(event)) {
        return Some(last + 1);
    }
    let whole = pending.iter().rposition(|event| !is_plugins_own(event))? + 1;
    (all || whole >= LIST).then_some(whole.min(LIST))
}

pub(super) fn ends_list(event: &Event) -> bool {
    let marks = event.marks();
    marks.failed || marks.unreachable
}

pub(super) fn is_plugins_own(event: &Event) -> bool {
    matches!(event.kind(), EventKind::PolicyVerdict(_) | EventKind::PluginFault(_))
}

impl Policy {
    fn new(asked: Asked, tick: Option<(Duration, Instant)>) -> Self {
        Self { asked, out: false, pending: Vec::new(), ripe: false, tick }
    }

    fn wants(&self, event: &Event) -> bool {
        !self.out
            && match &self.asked {
                Asked::Plugin(plugin) => plugin.plugin.judges_events() && plugin.judged.wants(event.name()),
                Asked::Closure(..) => true,
            }
    }

    fn heard(
        &mut self,
        answer: Result<Verdict, Broken>,
        question: Question,
        start: Option<&StartRequest>,
        consent: &mut Consent,
    ) -> Option<(Said, Consequence)> {
        let (verdict, reason, stop) = match answer {
            Ok(Verdict::Proceed) => return None,
            Ok(Verdict::Warn(reason)) => (VerdictWord::Warn, reason, None),
            Ok(Verdict::Cancel(reason, stop)) => (VerdictWord::Cancel, reason, Some(stop)),
            Err(broken) => return Some(self.fault(broken)),
        };
        let wants_cancel = stop.is_some();
        let (identity, ends) = match &self.asked {
            Asked::Plugin(plugin) => {
                let identity = &plugin.identity;
                (identity, wants_cancel && plugin.mode() == Mode::Enforce && consent.adds(&identity.name))
            }
            Asked::Closure(identity, _) => (identity, wants_cancel),
        };
        let consequence = match stop {
            Some(stop) if ends => {
                Consequence::End(Cause::Plugin { name: identity.name.clone(), reason: reason.clone() }, stop)
            }
            _ => Consequence::Nothing,
        };
        let verdict = PolicyVerdict {
            plugin: identity.clone(),
            question,
            verdict,
            reason,
            stop,
            acted_on: consequence != Consequence::Nothing,
            start: start.cloned(),
        };
        Some((Said::Verdict(Box::new(verdict)), consequence))
    }

    fn fault(&mut self, broken: Broken) -> (Said, Consequence) {
        if !broken.again {
            // Also after an answer that merely says "failure": a policy that cannot answer is not asked again.
            self.out = true;
            self.pending.clear();
            self.ripe = false;
        }
        match &self.asked {
            Asked::Plugin(plugin) => plugin.said(Hook::CancelPolicy, broken),
            Asked::Closure(identity, _) => {
                let Fault { call, kind, text, .. } = broken.fault;
                let cause = Cause::PluginFault { name: identity.name.clone(), text: text.clone() };
                let said = PluginFault {
                    plugin: identity.clone(),
                    call: call.to_owned(),
                    fault: kind.word().to_owned(),
                    text,
                    stderr: String::new(),
                    on_fault: "cancel".to_owned(),
                };
                (Said::Fault(said), Consequence::End(cause, Stop::Now))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use playwarden_event::{Head, Json};

    use super::*;

    fn events(names: &[&str]) -> Vec<Arc<Event>> {
        let plugin = r#""plugin":{"name":"p","sha256":""}"#;
        let event = |(index, name): (usize, &&str)| {
            let head = Head::numbered(index as u64 + 1);
            let data = match *name {
                "policy_verdict" => format!(
                    r#"{{{plugin},"question":"evaluate","verdict":"warn","reason":{{"text":"w"}},"acted_on":false}}"#
                ),
                _ => r#"{"host":"h"}"#.to_owned(),
            };
            Arc::new(Event::decode(head, name, Json::parse(data).unwrap()))
        };
        names.iter().enumerate().map(event).collect()
    }

    #[test]
    fn a_list_ends_after_a_failure_before_a_start_and_at_64() {
        let (ok, failed, verdict) = ("runner_on_ok", "runner_on_failed", "policy_verdict");
        for (names, ended, before_start) in [
            (vec![], None, None),
            (vec![ok, ok], None, Some(2)),
            (vec![ok, failed, ok, failed], Some(2), Some(2)),
            (vec![ok, "runner_on_unreachable", ok], Some(2), Some(2)),
            (vec![ok; 63], None, Some(63)),
            (vec![ok; 65], Some(64), Some(64)),
            // A verdict waits for the next list.
            (vec![verdict], None, None),
            (vec![verdict, ok, verdict], None, Some(2)),
            (vec![verdict, failed, verdict], Some(2), Some(2)),
            (vec![verdict; 80], None, None),
            ([vec![verdict; 80], vec![ok]].concat(), Some(64), Some(64)),
        ] {
            let events = events(&names);
            assert_eq!((list_end(&events, false), list_end(&events, true)), (ended, before_start), "{names:?}");
        }
    }
}
