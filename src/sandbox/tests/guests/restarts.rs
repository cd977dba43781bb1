use std::collections::BTreeMap;
use std::time::Duration;

use playwarden_sandbox::{FaultKind, Limits};
use serde_json::json;

use crate::support::{Project, block_on, events};

#[test]
fn the_next_incarnation_goes_on_with_what_the_last_one_kept() {
    block_on(async {
        let project = Project::new(json!({ "do": [
            { "hook": "on-events", "call": 2, "incarnation": 1, "act": "trap" },
            { "hook": "on-events", "call": 2, "incarnation": 2, "act": "too-much" },
        ] }));
        let plugin = project.plugin("handler_table").await;
        let mut first = plugin.start(project.setup(1, BTreeMap::new())).await.unwrap();
        assert_eq!(first.on_events(&events(1..=2)).await, Ok(2));
        let fault = first.on_events(&events(3..=4)).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry_after), (FaultKind::Trap, None));
        assert!(fault.stderr.contains("this guest was told to panic"), "{fault:?}");
        for fault in [first.on_events(&events(3..=4)).await.unwrap_err(), first.stop().await.unwrap_err()] {
            assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Trap, "is dead after an earlier fault"));
        }
        first.note("warn", "the host starts it again");
        let state = first.state();
        assert_eq!(state, BTreeMap::from([("on-events".to_owned(), 2_u32.to_le_bytes().to_vec())]));
        assert!(first.state().is_empty(), "it is taken");
        drop(first);

        let mut second = plugin.start(project.setup(2, state)).await.unwrap();
        assert_eq!(second.on_events(&events(3..=4)).await, Ok(4));
        second.on_events(&events(5..=6)).await.unwrap_err();
        second.stop().await.unwrap();
        let calls: Vec<_> = project
            .lines("seen.jsonl")
            .iter()
            .map(|line| json!([line["incarnation"], line["call"], line["total"]]))
            .collect();
        assert_eq!(calls, [json!([1, 1, 1]), json!([1, 2, 2]), json!([2, 1, 3]), json!([2, 2, 4])]);
        assert_eq!(project.log(), ["the host starts it again", "stopped"]);
    });
}

#[test]
fn what_an_earlier_incarnation_got_may_be_acknowledged_with_nothing_new() {
    block_on(async {
        let project = Project::new(json!({ "do": [{ "hook": "on-events", "call": 1, "act": "too-much" }] }));
        let plugin = project.plugin("handler_table").await;
        let mut second = plugin.start(project.setup(2, BTreeMap::new())).await.unwrap();
        assert_eq!(second.on_events(&[]).await, Ok(0));
    });
}

#[test]
fn a_hanging_guest_keeps_its_state_too() {
    block_on(async {
        let mut project =
            Project::new(json!({ "do": [{ "hook": "on-events", "call": 1, "incarnation": 1, "act": "hang" }] }));
        let generous = project.limits;
        project.limits = Limits { call: Duration::from_secs(1), ..generous };
        let plugin = project.plugin("handler_table").await;
        let mut first = plugin.start(project.setup(1, BTreeMap::new())).await.unwrap();
        let fault = first.on_events(&events(1..=2)).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Timeout, "took longer than 1s"));
        let state = first.state();
        project.limits = generous;
        let mut second = plugin.start(project.setup(2, state)).await.unwrap();
        assert_eq!(second.on_events(&events(1..=2)).await, Ok(2));
        assert_eq!(project.lines("seen.jsonl")[1]["total"], 2);
    });
}

#[test]
fn a_new_incarnation_gets_no_new_log() {
    block_on(async {
        let mut project = Project::new(json!({ "all": false }));
        project.limits = Limits { log: 400, ..project.limits };
        let plugin = project.plugin("counts_everything").await;
        let mut faults = Vec::new();
        // Each call logs a line or two.
        for incarnation in 1..=8 {
            let mut instance = plugin.start(project.setup(incarnation, BTreeMap::new())).await.unwrap();
            let judged = instance.evaluate(&events([1]), playwarden_event::Totals::default()).await;
            faults.extend(judged.err().map(|fault| (incarnation, fault.kind)));
        }
        assert!(!faults.is_empty() && faults.iter().all(|(_, kind)| *kind == FaultKind::Log), "{faults:?}");
        assert_eq!(faults.last().map(|(incarnation, _)| *incarnation), Some(8), "once it is full it stays full");
        let log = std::fs::metadata(project.path("outputs/log.jsonl")).unwrap().len();
        assert!((1..=400).contains(&log), "{log}");
    });
}
