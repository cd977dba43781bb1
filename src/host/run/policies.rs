//! The cancel policies of a run, and what each is to be asked next.
//!
//! A policy's list of events ends after each event marked failed or unreachable, before each start of a task, and at 64
//! events. What plugins said themselves opens the next list and never ends one: a policy that warns of everything would
//! else be asked about its own warnings for ever. All of that follows from the journal alone, so a replay asks the same
//! questions.

use std::sync::Arc;
use std::time::Duration;

use playwarden_event::kind::{PluginFault, PolicyVerdict, Question, VerdictWord};
use playwarden_event::{Cause, Event, EventKind, Json, PluginIdentity, StartRequest, Stop, Timestamp, Verdict};
use playwarden_sandbox::{Fault, Grants, Instance, Payload, Plugin, RunInfo, RunView, Setup, Subscription};
use tokio::time::Instant;

use super::prepare::limits;
use super::view::View;
use crate::config::{self, FaultAction, Mode};
use crate::plan::{JobPlan, PluginPlan};
use crate::store::{RunFolder, StoreError};

/// A list of events is never longer.
const LIST: usize = 64;

/// All policies, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Policies {
    list: Vec<Policy>,
    view: Arc<View>,
}

#[derive(Debug)]
struct Policy {
    identity: PluginIdentity,
    mode: Mode,
    on_fault: FaultAction,
    /// None after a fault and after the end.
    instance: Option<Instance>,
    faulty: bool,
    pending: Vec<Arc<Event>>,
    /// Whether a list among the pending events has ended.
    ripe: bool,
    tick: Option<(Duration, Instant)>,
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
    /// End, for this reason.
    End(Cause, Stop),
    /// Go on and end failed.
    Fail(Cause),
}

impl Policies {
    /// Makes an instance of each plugin. A plugin that breaks at its start has a fault like any other.
    pub(crate) async fn start(
        plan: &JobPlan,
        plugins: Vec<Plugin>,
        id: &str,
        folder: &RunFolder,
        view: &Arc<View>,
        data: &Json,
    ) -> Result<(Self, Vec<(Said, Consequence)>), StoreError> {
        let mut list = Vec::new();
        let mut said = Vec::new();
        for plugin in plugins {
            let Some(wanted) = plan.plugins.iter().find(|wanted| wanted.name == plugin.identity().name) else {
                continue;
            };
            let setup = Setup {
                config: Json::of(&wanted.config),
                limits: limits(wanted),
                grants: Grants::default(),
                subscription: subscription(wanted),
                handler: subscription(wanted),
                outputs: folder.plugin(&wanted.name)?,
                run: RunInfo {
                    id: id.to_owned(),
                    job: plan.job.clone(),
                    incarnation: 1,
                    check_mode: plan.check,
                    diff_mode: plan.diff,
                    data: data.clone(),
                },
                view: Arc::clone(view) as Arc<dyn RunView>,
                state: std::collections::BTreeMap::new(),
            };
            let mut policy = Policy {
                identity: plugin.identity().clone(),
                mode: wanted.mode,
                on_fault: wanted.on_fault.cancel_policy,
                instance: None,
                faulty: false,
                pending: Vec::new(),
                ripe: false,
                tick: wanted.tick.filter(|_| plugin.has_tick()).map(|tick| (tick, Instant::now() + tick)),
            };
            match plugin.start(setup).await {
                Ok(instance) => policy.instance = Some(instance),
                Err(fault) => said.push(policy.fault(fault)),
            }
            list.push(policy);
        }
        Ok((Self { list, view: Arc::clone(view) }, said))
    }

    /// Whether any policy has to be asked before a start.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the names of the policies that had a fault.
    pub(crate) fn faulty(&self) -> Vec<String> {
        self.list.iter().filter(|policy| policy.faulty).map(|policy| policy.identity.name.clone()).collect()
    }

    /// Puts an event onto the lists of those that want it.
    pub(crate) fn push(&mut self, event: &Arc<Event>) {
        let ends = ends_list(event);
        for policy in &mut self.list {
            if policy.instance.as_ref().is_some_and(|instance| instance.wants(event.name())) {
                policy.pending.push(Arc::clone(event));
                policy.ripe |= ends || (policy.pending.len() >= LIST && !is_plugins_own(event));
            }
        }
    }

    /// Asks the next policy whose list has ended; with `all`, also those whose list ends here. None when none is left.
    pub(crate) async fn evaluate_next(&mut self, all: bool) -> Option<Option<(Said, Consequence)>> {
        let totals = self.view.totals();
        let due = |policy: &mut Policy| (policy.ripe || all).then(|| list_end(&policy.pending, all)).flatten();
        let (policy, end) = self.list.iter_mut().find_map(|policy| due(policy).map(|end| (policy, end)))?;
        let rest = policy.pending.split_off(end);
        let events = std::mem::replace(&mut policy.pending, rest);
        policy.ripe = list_end(&policy.pending, false).is_some();
        let Some(instance) = &mut policy.instance else { return Some(None) };
        let answer = instance.evaluate(&events, totals).await;
        Some(policy.heard(answer, Question::Evaluate, None))
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
        let Some(instance) = &mut policy.instance else { return Some(None) };
        let answer = instance.admit(time, start, totals).await;
        Some(policy.heard(answer, Question::Admit, Some(start)))
    }

    /// Asks each policy whose tick is due, once.
    pub(crate) async fn tick(&mut self) -> Vec<(Said, Consequence)> {
        let totals = self.view.totals();
        let mut said = Vec::new();
        for policy in &mut self.list {
            let (Some(instance), Some((every, next))) = (&mut policy.instance, policy.tick) else { continue };
            if next > Instant::now() {
                continue;
            }
            let answer = instance.tick(Timestamp::now(), totals).await;
            // From now, not from then: ticks that were missed are not made up for, and a slow one is not due at once.
            policy.tick = Some((every, Instant::now() + every));
            said.extend(policy.heard(answer, Question::Tick, None));
        }
        said
    }

    /// Makes the last call of each plugin.
    pub(crate) async fn stop(&mut self) -> Vec<(Said, Consequence)> {
        let mut said = Vec::new();
        for policy in &mut self.list {
            let Some(mut instance) = policy.instance.take() else { continue };
            if let Err(fault) = instance.stop().await {
                said.push(policy.fault(fault));
            }
        }
        said
    }
}

/// Returns where the first list of these events ends; with `all`, the last one ends here. None when none has ended.
fn list_end(pending: &[Arc<Event>], all: bool) -> Option<usize> {
    if let Some(last) = pending.iter().take(LIST).position(|event| ends_list(event)) {
        return Some(last + 1);
    }
    let whole = pending.iter().rposition(|event| !is_plugins_own(event))? + 1;
    (all || whole >= LIST).then_some(whole.min(LIST))
}

fn ends_list(event: &Event) -> bool {
    let marks = event.marks();
    marks.failed || marks.unreachable
}

fn is_plugins_own(event: &Event) -> bool {
    matches!(event.kind(), EventKind::PolicyVerdict(_) | EventKind::PluginFault(_))
}

impl Policy {
    fn heard(
        &mut self,
        answer: Result<Verdict, Fault>,
        question: Question,
        start: Option<&StartRequest>,
    ) -> Option<(Said, Consequence)> {
        let (verdict, reason, stop) = match answer {
            Ok(Verdict::Proceed) => return None,
            Ok(Verdict::Warn(reason)) => (VerdictWord::Warn, reason, None),
            Ok(Verdict::Cancel(reason, stop)) => (VerdictWord::Cancel, reason, Some(stop)),
            Err(fault) => return Some(self.fault(fault)),
        };
        let consequence = match stop {
            Some(stop) if self.mode == Mode::Enforce => {
                Consequence::End(Cause::Plugin { name: self.identity.name.clone(), reason: reason.clone() }, stop)
            }
            _ => Consequence::Nothing,
        };
        let verdict = PolicyVerdict {
            plugin: self.identity.clone(),
            question,
            verdict,
            reason,
            stop,
            acted_on: consequence != Consequence::Nothing,
            start: start.cloned(),
        };
        Some((Said::Verdict(Box::new(verdict)), consequence))
    }

    fn fault(&mut self, fault: Fault) -> (Said, Consequence) {
        // Also after an answer that merely says "failure": a policy that cannot answer is not asked again.
        self.instance = None;
        self.faulty = true;
        self.pending.clear();
        self.ripe = false;
        let name = self.identity.name.clone();
        let cause = Cause::PluginFault { name, text: fault.to_string() };
        // A policy that only watches ends nothing, not by breaking either.
        let on_fault = if self.mode == Mode::Monitor { FaultAction::Ignore } else { self.on_fault };
        let (word, consequence) = match on_fault {
            FaultAction::Ignore => ("ignore", Consequence::Nothing),
            FaultAction::Fail => ("fail", Consequence::Fail(cause)),
            FaultAction::Cancel => ("cancel", Consequence::End(cause, Stop::Now)),
        };
        let said = PluginFault {
            plugin: self.identity.clone(),
            call: fault.call.to_owned(),
            fault: fault.kind.word().to_owned(),
            text: fault.text,
            stderr: fault.stderr,
            on_fault: word.to_owned(),
        };
        (Said::Fault(said), consequence)
    }
}

fn subscription(plan: &PluginPlan) -> Subscription {
    let payload = match &plan.payload {
        None | Some(config::Payload::None) => Payload::None,
        Some(config::Payload::Full) => Payload::Full,
        Some(config::Payload::Pointers(pointers)) => Payload::Pointers(pointers.clone()),
    };
    Subscription { events: plan.events.clone(), payload }
}

#[cfg(test)]
mod tests {
    use playwarden_event::Head;

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
