//! Messages and answers, judged natively. That requests go out is the host's to test.

use playwarden_sdk::recorded::Recording;
use serde_json::{Value, json};

use super::*;

const CANARY: &str = include_str!("../../testdata/canary.jsonl");
const URL: &str = r#"{"url": "https://chat.example.com:8443/hook?room=7"}"#;

fn config_of(text: &str) -> Config {
    let (config, problems) = config::check_text::<Config>(text);
    assert_eq!(problems, []);
    config.unwrap()
}

fn body(message: &Message) -> Value {
    serde_json::from_str(&message.body).unwrap()
}

#[test]
fn the_outcome_is_told_with_its_cause() {
    let finish = Recording::read(CANARY).unwrap().finish.unwrap();
    let message = Message::of_finish(&finish);
    let run = &finish.source.run;
    assert_eq!(message.id, format!("{run}/finished/22"));
    let mut body = body(&message);
    for time in ["time", "started", "finished"] {
        let time = body.as_object_mut().unwrap().remove(time).unwrap();
        assert!(time.as_str().is_some_and(|time| time.starts_with("2026-") && time.ends_with('Z')), "{time}");
    }
    let text = "1 of 3 hosts failed, more than the 0 allowed; last: web01";
    let expected = json!({
        "schema": 1, "id": message.id, "event": "finished", "run": run, "job": "canary", "status": "canceled",
        "cause": "plugin", "reason": {"text": text, "code": "too-many-failed", "event": 17}, "by": "fail-budget",
        "rc": 254, "last_event": 22,
        "totals": {
            "hosts": 3, "hosts_failed": 1, "hosts_unreachable": 0, "hosts_changed": 0, "ok": 3, "changed": 0,
            "failed": 1, "unreachable": 0, "skipped": 0, "rescued": 0, "ignored": 0,
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn a_change_is_told_from_where_to_where() {
    let change = Change {
        source: Source { run: "7d2".to_owned(), job: "deploy".to_owned() },
        from: Status::Starting,
        to: Status::Running,
        time_ns: 1_795_324_534_031_376_000,
        detail: None,
        totals: Totals::default(),
        data: "{}".to_owned(),
    };
    let message = Message::of_change(&change);
    let body = body(&message);
    assert_eq!(message.id, "7d2/status/running");
    assert_eq!((&body["from"], &body["status"]), (&json!("starting"), &json!("running")));
    assert_eq!(body["time"], "2026-11-22T05:15:34.031376Z");
}

#[test]
fn a_message_is_signed_with_its_time() {
    let message = Message { id: "id".to_owned(), body: "{}".to_owned() };
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
    let signature = "sha256=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
    let headers = message.headers(Some("secret"), 1_700_000_000).unwrap();
    let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    assert_eq!(find("x-playwarden-signature"), Some(signature));
    assert_eq!(find("x-playwarden-timestamp"), Some("1700000000"));
    assert_eq!(find("idempotency-key"), Some("id"));
    assert!(message.headers(None, 0).unwrap().iter().all(|(name, _)| *name != "x-playwarden-signature"));
}

#[test]
fn what_may_help_is_tried_again_with_longer_waits() {
    let wait = |answer, attempt| judge(answer, attempt, 5, "https://a").map_err(|failure| failure.retry_after_ms);
    assert_eq!(wait(Answer::Status(204, None), 1), Ok(()));
    let waits = [1, 2, 3, 4, 5].map(|attempt| wait(Answer::Status(503, None), attempt));
    assert_eq!(waits, [Err(Some(1000)), Err(Some(2000)), Err(Some(4000)), Err(Some(8000)), Err(None)]);
    assert_eq!(wait(Answer::None("connection refused".to_owned()), 1), Err(Some(1000)));
    assert_eq!(wait(Answer::Status(429, Some(30)), 1), Err(Some(30_000)));
    assert_eq!(wait(Answer::Status(429, Some(1 << 40)), 1), Err(Some(300_000)));
    for final_code in [301, 400, 401, 404, 410] {
        assert_eq!(wait(Answer::Status(final_code, Some(1)), 1), Err(None), "{final_code}");
    }
}

#[test]
fn a_refused_origin_is_told_with_the_line_that_grants_it() {
    let origin = config_of(URL);
    let failure = judge(Answer::Denied, 1, 5, origin.origin()).unwrap_err();
    assert!(failure.message.contains("`http = [\"https://chat.example.com:8443\"]`"), "{failure:?}");
    assert_eq!(failure.retry_after_ms, None);
}

#[test]
fn a_secret_that_is_named_must_be_granted() {
    let granted = |name: &str| (name == "token").then(|| "s3cret".to_owned());
    assert_eq!(config_of(URL).key(granted), Ok(Some("s3cret".to_owned())));
    assert_eq!(config_of(URL).key(|_| None), Ok(None));
    let named = config_of(r#"{"url": "https://a", "secret": "chat"}"#);
    let problem = named.key(granted).unwrap_err();
    assert!(problem.message.contains("`secrets.chat = { env = \"VARIABLE\" }`"), "{problem:?}");
}

#[test]
fn a_configuration_is_told_all_that_is_wrong_with_it() {
    let found = |config: &str| -> Vec<String> {
        let (config, problems) = config::check_text::<Config>(config);
        let more = config.map(|config| config.problems()).unwrap_or_default();
        problems.into_iter().chain(more).map(|problem| problem.pointer).collect()
    };
    assert_eq!(found(URL), [""; 0]);
    assert_eq!(found("{}"), [""]);
    for url in ["chat.example.com", "ftp://a/", "https://", "https://me@a/", "/hook"] {
        assert_eq!(found(&json!({ "url": url }).to_string()), ["/url"], "{url}");
    }
    let wrong = r#"{"url": "https://a", "on": ["failed", "fialed"], "attempts": 0, "timeout-ms": 0,
        "headers": {"Host": "b", "x y": "1", "X-Team": "ops"}}"#;
    assert_eq!(found(wrong), ["/on/1", "/headers/Host", "/headers/x y", "/attempts", "/timeout-ms"]);
}
