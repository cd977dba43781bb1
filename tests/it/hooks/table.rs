//! Every fault in every hook: restarts while there are any, then `on-fault`, named in the journal, in the outcome and in the
//! exit code, with the guest's own last words.

use playwarden_event::{Cause, Status};

use super::{brief, faults, plugin, project};
use crate::evidence::Evidence;
use crate::support::Project;

/// What a guest can do wrong: act, word of the fault, the guest's last words.
const ACTS: [(&str, &str, &str); 7] = [
    ("trap", "trap", "this guest was told to panic"),
    ("spin", "timeout", ""),
    ("hang", "timeout", ""),
    ("memory", "memory", "memory allocation of 1048576 bytes failed"),
    ("flood-log", "log", ""),
    ("flood-output", "timeout", ""),
    ("fail", "failure", ""),
];

/// Where it does: the guest's word for it, the list of the job, the call in the contract.
#[derive(Clone, Copy)]
struct Place {
    hook: &'static str,
    list: &'static str,
    call: &'static str,
}

impl Place {
    /// Whether it is after the last event, where nothing can be canceled any more.
    fn is_late(self) -> bool {
        ["on-finished", "stop"].contains(&self.hook)
    }

    /// How often a guest with this fault is heard of, with one restart.
    fn times(self, act: &str, fault: &str) -> usize {
        match (self.hook, act, fault) {
            // The last call. `stop` cannot fail.
            ("stop", "fail", _) => 0,
            ("stop", ..) => 1,
            // Not even begun, in each incarnation.
            ("start", ..) => 2,
            // An answer: the instance lives on, but is not asked again.
            (_, "fail", _) => 1,
            // It took all the time that there is for the end.
            ("on-finished", _, "timeout") => 1,
            _ => 2,
        }
    }

    fn plugin(self, name: &str, act: &str, fault: &str, on_fault: &str) -> String {
        let limit = if fault == "timeout" { "300ms" } else { "1m" };
        let tick = if self.hook == "tick" { "tick = \"50ms\"\n" } else { "" };
        let keys = format!(
            "config = {{ do = [{{ hook = {:?}, act = {act:?} }}] }}\non-fault = {on_fault:?}\n{tick}\
             restart = {{ max = 1, backoff = \"10ms\" }}\n\
             limits = {{ memory = \"32MiB\", call = {limit:?}, finish = {limit:?}, log = \"64KiB\", output = \"64KiB\" }}",
            self.hook
        );
        plugin(name, "handler_table", &keys)
    }

    /// A run whose first task lasts until so many faults are in the journal.
    fn project(self, names: &[&str], plugins: &str, faults: usize) -> Project {
        let faults = if self.is_late() { 0 } else { faults };
        let job = format!("{} = {names:?}", self.list);
        let playbook = format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: waits\n      raw: >-\n        until [ $(cat {{{{ \
             playbook_dir }}}}/artifacts/*/events.jsonl | grep -c plugin_[f]ault) -ge {faults} ]; do sleep 0.02; done\n    \
             - {{name: after, debug: msg=after}}\n"
        );
        project(1, &job, plugins, &playbook)
    }

    /// All of them at once, each in a plugin of its own that may break.
    fn is_ignored(self) {
        let names: Vec<_> = ACTS.iter().map(|(act, ..)| *act).collect();
        let plugins: String = ACTS.iter().map(|(act, fault, _)| self.plugin(act, act, fault, "ignore")).collect();
        let expected: usize = ACTS.iter().map(|(act, fault, _)| self.times(act, fault)).sum();
        let project = self.project(&names, &plugins, expected);
        let shown = project.playwarden(&["run"]).expect(0);
        let events = project.events();
        for (act, fault, words) in ACTS {
            let found: Vec<_> = faults(&events).into_iter().filter(|fault| fault.plugin.name == act).collect();
            let mut rows = vec![[self.call, fault, "restart"]; self.times(act, fault).saturating_sub(1)];
            rows.extend([[self.call, fault, "ignore"]].repeat(self.times(act, fault).min(1)));
            let rows: Vec<_> = rows.into_iter().map(|row| row.map(str::to_owned)).collect();
            assert_eq!(brief(&found), rows, "`{act}` in `{}`: {found:?}", self.hook);
            assert!(found.iter().all(|fault| fault.stderr.contains(words)), "`{act}` in `{}`: {found:?}", self.hook);
            for fault in found {
                let said = format!("playwarden: plugin `{act}` broke in `{}`: {}; ", self.call, fault.text);
                assert!(shown.stderr.contains(&said), "{said}\n{}", shown.stderr);
            }
        }
        let outcome = project.outcome();
        let broken: Vec<_> = ACTS.iter().filter(|(act, fault, _)| self.times(act, fault) > 0).collect();
        assert_eq!(outcome.faulty_plugins, broken.iter().map(|(act, ..)| *act).collect::<Vec<_>>());
        assert_eq!((outcome.status, outcome.cause), (Status::Successful, None));
    }

    /// The one fault that is left when there are no restarts any more decides about the run.
    fn is_the_cause(self) {
        for on_fault in ["fail", "cancel"] {
            let project =
                self.project(&["bad"], &self.plugin("bad", "trap", "trap", on_fault), self.times("trap", "trap"));
            let _shown = project.playwarden(&["run"]).expect(32);
            let (events, outcome) = (project.events(), project.outcome());
            let found = faults(&events);
            assert_eq!(found.len(), self.times("trap", "trap"), "{found:?}");
            let last = brief(&found).pop().unwrap();
            assert_eq!(last, [self.call, "trap", on_fault].map(str::to_owned));
            let canceled = on_fault == "cancel" && !self.is_late();
            let status = if canceled { (Status::Canceled, Some(254)) } else { (Status::Failed, Some(0)) };
            assert_eq!((outcome.status, outcome.rc), status, "{} {on_fault}", self.hook);
            let said = |text: &str| text.contains(self.call);
            let cause = &outcome.cause;
            assert!(
                matches!(cause, Some(Cause::PluginFault { name, text }) if name == "bad" && said(text)),
                "{} {on_fault}: {cause:?}",
                self.hook
            );
            assert_eq!(outcome.faulty_plugins, ["bad"]);
            let after = events.iter().filter(|event| event.context().task.as_deref() == Some("after")).count();
            assert_eq!(after == 0, canceled, "{} {on_fault}", self.hook);
        }
    }
}

#[test]
fn a_policy_that_breaks_over_events_is_named_and_does_what_on_fault_says() {
    let place = Place { hook: "evaluate", list: "cancel-policies", call: "cancel-policy.evaluate" };
    place.is_ignored();
    place.is_the_cause();
}

#[test]
fn a_policy_that_breaks_at_the_gate_is_named_and_does_what_on_fault_says() {
    let place = Place { hook: "admit", list: "cancel-policies", call: "start-policy.admit" };
    place.is_ignored();
    place.is_the_cause();
}

#[test]
fn a_policy_that_breaks_by_the_clock_is_named_and_does_what_on_fault_says() {
    let place = Place { hook: "tick", list: "cancel-policies", call: "tick-policy.tick" };
    place.is_ignored();
    place.is_the_cause();
}

#[test]
fn an_event_handler_that_breaks_is_named_and_does_what_on_fault_says() {
    let place = Place { hook: "on-events", list: "event-handlers", call: "event-handler.on-events" };
    place.is_ignored();
    place.is_the_cause();
}

#[test]
fn a_status_handler_that_breaks_is_named_and_does_what_on_fault_says() {
    let place = Place { hook: "on-status", list: "status-handlers", call: "status-handler.on-status" };
    place.is_ignored();
    place.is_the_cause();
}

#[test]
fn a_finished_callback_that_breaks_is_named_and_does_what_on_fault_says() {
    let place = Place { hook: "on-finished", list: "finished-callbacks", call: "finished-callback.on-finished" };
    place.is_ignored();
    place.is_the_cause();
}

#[test]
fn who_breaks_at_its_start_is_named_and_does_what_on_fault_says() {
    for list in ["cancel-policies", "event-handlers"] {
        let place = Place { hook: "start", list, call: "lifecycle.start" };
        place.is_ignored();
        place.is_the_cause();
    }
}

#[test]
fn who_breaks_at_its_stop_is_named_and_does_what_on_fault_says() {
    for list in ["cancel-policies", "finished-callbacks"] {
        let place = Place { hook: "stop", list, call: "lifecycle.stop" };
        place.is_ignored();
        place.is_the_cause();
    }
}

#[test]
fn each_restart_waits_twice_as_long_as_the_one_before() {
    let keys = "config = { do = [{ hook = \"admit\", act = \"trap\" }] }\nrestart = { max = 3, backoff = \"100ms\" }";
    let project = project(1, "cancel-policies = [\"bad\"]", &plugin("bad", "handler_table", keys), super::PLAY);
    let _shown = project.playwarden(&["run"]).expect(32);
    let run = Evidence::of(&project);
    let times: Vec<_> = run.named("plugin_fault").into_iter().map(|event| event.head().created).collect();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect();
    assert_eq!(waits.len(), 3, "{}", run.list());
    assert!(waits.iter().zip([100, 200, 400]).all(|(waited, least)| *waited >= least), "{waits:?}");
    assert!(run.named("runner_on_start").is_empty(), "{}", run.list());
}
