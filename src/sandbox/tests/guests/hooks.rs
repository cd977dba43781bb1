use std::collections::BTreeMap;
use std::time::Duration;

use playwarden_event::{Cause, EventPattern, Json, Outcome, Status, Tally, Timestamp, Totals, Verdict};
use playwarden_sandbox::{Code, FaultKind, Finish, Grants, Limits, Payload, StatusChange, Subscription};
use serde_json::{Value, json};

use crate::support::{LAST, Project, block_on, events, guest, sandbox};

fn table(rows: &Value) -> Project {
    Project::new(json!({ "do": rows }))
}

pub(crate) fn finish() -> Finish {
    let outcome = Outcome {
        status: Status::Failed,
        rc: Some(2),
        cause: Some(Cause::HostsFailed),
        started: Timestamp::from_ns(1),
        finished: Timestamp::from_ns(2),
        totals: Totals::default(),
        stats: None,
        in_flight: Vec::new(),
        left_alive: Vec::new(),
        faulty_plugins: Vec::new(),
        redacted: BTreeMap::new(),
    };
    Finish { outcome, last_event: LAST }
}

fn change() -> StatusChange {
    StatusChange {
        from: Status::Running,
        to: Status::Canceling,
        time: Timestamp::from_ns(1),
        detail: Some("a person asked for it".to_owned()),
        totals: Totals { run: Tally { ok: 7, ..Tally::default() }, play: Tally::default() },
        data: Json::default(),
    }
}

#[test]
fn each_hook_is_told_what_it_is_for() {
    block_on(async {
        let project = table(&json!([]));
        let mut instance = project.start("handler_table").await;
        assert!(instance.hears("runner_on_ok"));
        // Who only handles events is not asked to judge them.
        let handler = project.start("slow_handler").await;
        assert!(handler.hears("runner_on_ok") && !handler.wants("runner_on_ok"));
        assert_eq!(instance.on_events(&events(1..=4)).await, Ok(4));
        instance.on_status(&change()).await.unwrap();
        assert_eq!(instance.on_events(&events([6])).await, Ok(6));
        // What is pending: nothing. It answers zero, which takes nothing back.
        assert_eq!(instance.on_events(&[]).await, Ok(0));
        instance.on_finished(&finish()).await.unwrap();
        instance.stop().await.unwrap();

        let told: Vec<Value> = project.lines("seen.jsonl").into_iter().map(|mut line| line["told"].take()).collect();
        let expected = [
            json!({ "counters": [1, 2, 3, 4], "sees": 4, "with-data": 4 }),
            json!({ "from": "running", "to": "canceling", "detail": "a person asked for it", "ok": 7, "data": "{}" }),
            // Not further than the handler was handed, though the status handler could see all.
            json!({ "counters": [6], "sees": 6, "with-data": 1 }),
            json!({ "counters": [], "sees": 6, "with-data": 0 }),
            json!({
                "status": "failed", "rc": 2, "cause": "hosts-failed", "by": null, "reason": "hosts failed",
                "last-event": LAST, "read": LAST,
            }),
        ];
        assert_eq!(told, expected);
        assert_eq!(project.log(), ["stopped"]);
    });
}

#[test]
fn a_handler_has_its_own_filter_and_payload() {
    block_on(async {
        let mut project = table(&json!([]));
        let events_named = vec![EventPattern::parse("runner_on_ok").unwrap()];
        project.handler = Subscription { events: events_named, payload: Payload::None };
        let mut instance = project.start("handler_table").await;
        assert!(instance.hears("runner_on_ok") && !instance.hears("runner_on_failed"));
        assert_eq!(instance.on_events(&events(1..=2)).await, Ok(2));
        assert_eq!(project.lines("seen.jsonl")[0]["told"]["with-data"], 0);
    });
}

#[test]
fn a_plugin_that_is_both_sees_as_much_as_each_of_them_was_handed() {
    block_on(async {
        let project = Project::new(json!({ "all": false }));
        let mut instance = project.start("counts_everything").await;
        assert_eq!(instance.on_events(&events(1..=9)).await, Ok(9));
        let totals = Totals::default();
        // It compares the journal with what it got, and says so when there is more.
        assert_eq!(instance.evaluate(&events(1..=3), totals).await, Ok(Verdict::Proceed));
        let later: Vec<String> = project.log().into_iter().filter(|line| line.contains("the journal gave")).collect();
        assert!(later.is_empty(), "{later:?}");
        assert_eq!(project.lines("outputs.jsonl"), [json!({ "seen": 3 })]);
    });
}

#[test]
fn more_than_it_got_cannot_be_acknowledged() {
    block_on(async {
        let project = table(&json!([{ "hook": "on-events", "call": 1, "act": "too-much" },
                                    { "hook": "on-events", "call": 2, "act": "too-much" }]));
        let mut instance = project.start("handler_table").await;
        let fault = instance.on_events(&[]).await.unwrap_err();
        assert_eq!(fault.text, "acknowledged event 1000000, but had got none");
        let fault = instance.on_events(&events(1..=4)).await.unwrap_err();
        assert_eq!((fault.kind, fault.call, fault.retry_after), (FaultKind::Failure, "event-handler.on-events", None));
        assert_eq!(fault.text, "acknowledged event 1000004, but had got none after 4");
        assert_eq!(instance.on_events(&events(5..=6)).await, Ok(6), "the instance lives on");
    });
}

#[test]
fn failures_say_whether_to_ask_again() {
    block_on(async {
        let project = table(&json!([{ "hook": "on-events", "call": 1, "act": "retry" },
                                    { "hook": "on-events", "call": 2, "act": "late" },
                                    { "hook": "on-status", "call": 1, "act": "fail" },
                                    { "hook": "on-finished", "call": 1, "act": "fail" }]));
        let mut instance = project.start("handler_table").await;
        let fault = instance.on_events(&events(1..=4)).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry_after), (FaultKind::Failure, Some(Duration::from_millis(10))));
        assert_eq!(fault.text, "answered with a failure: this guest was told to ask again");
        assert_eq!(instance.on_events(&events(1..=4)).await, Ok(0), "acknowledged late");
        for (fault, call) in [
            (instance.on_status(&change()).await.unwrap_err(), "status-handler.on-status"),
            (instance.on_finished(&finish()).await.unwrap_err(), "finished-callback.on-finished"),
        ] {
            assert_eq!((fault.kind, fault.call, fault.retry_after), (FaultKind::Failure, call, None));
        }
        instance.stop().await.unwrap();
    });
}

#[test]
fn a_slow_handler_sees_the_run_go_on() {
    block_on(async {
        let project = Project::new(json!({ "ok": 5 }));
        let mut instance = project.start("slow_handler").await;
        assert_eq!(instance.on_events(&events(1..=3)).await, Ok(3));
        assert_eq!(project.lines("seen.jsonl"), [json!(1), json!(2), json!(3)]);
    });
}

#[test]
fn a_callback_that_never_finishes_costs_its_own_deadline() {
    block_on(async {
        let mut project = Project::new(json!({}));
        project.limits = Limits { finish: Duration::from_millis(300), ..project.limits };
        let mut instance = project.start("never_finishes").await;
        let fault = instance.on_finished(&finish()).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Timeout, "took longer than 300ms"));
    });
}

#[test]
fn hooks_that_are_not_offered_answer_by_themselves() {
    block_on(async {
        let project = Project::new(json!({}));
        let mut instance = project.start("never_finishes").await;
        assert!(!instance.hears("runner_on_ok"));
        assert_eq!(instance.on_events(&events(1..=3)).await, Ok(3));
        instance.on_status(&change()).await.unwrap();
        instance.stop().await.unwrap();
        let mut instance = project.start("warns_always").await;
        instance.on_finished(&finish()).await.unwrap();
    });
}

#[test]
fn a_built_in_is_loaded_from_memory_and_named_without_a_path() {
    block_on(async {
        let sandbox = sandbox();
        let bytes = std::fs::read(guest("handler_table")).unwrap();
        let grants = Grants::default();
        let plugin = sandbox.load("audit", Code::Bytes { bytes: &bytes }, None, &grants).await.unwrap();
        assert!(plugin.hooks().event_handler && plugin.hooks().status_handler && plugin.hooks().finished_callback);

        let err = sandbox.load("audit", Code::Bytes { bytes: b"\0asm" }, None, &grants).await.unwrap_err();
        assert_eq!(err.to_string(), "the built-in plugin `audit` cannot be loaded");
        assert_eq!(err.hint(), "the program is damaged: build or install it again");
        let err = sandbox.load("audit", Code::Bytes { bytes: &bytes }, Some("00"), &grants).await.unwrap_err();
        assert!(err.hint().ends_with("correct or remove `sha256`"), "{}", err.hint());
        let project = Project::new(json!({}));
        let mut setup = project.setup(1, BTreeMap::new());
        setup.config = Json::of(&json!({ "do": [{ "hook": "nonsense" }] }));
        let mut instance = plugin.start(setup).await.unwrap_err();
        assert_eq!(instance.call, "lifecycle.start");
        assert!(std::mem::take(&mut instance.text).contains("config/do/0: missing field `act`"), "{instance:?}");
    });
}
