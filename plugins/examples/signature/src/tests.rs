//! Signatures judged natively: `cargo test -p signature --target HOST`.

use serde_json::json;

use super::*;

fn signatures(config: &str) -> (Config, Signatures) {
    let (config, problems) = config::check_text::<Config>(config);
    let config = config.unwrap();
    assert_eq!((problems, config.problems()), (vec![], vec![]));
    let ready = |signature: Signature| (signature.clone(), signature.regex().unwrap());
    let signatures = config.signatures.iter().cloned().map(ready).collect();
    (config, Rc::new(signatures))
}

fn failed(counter: u64, host: &str) -> Event {
    Event {
        host: Some(host.to_owned()),
        task: Some("Install".to_owned()),
        ..Event::new(counter, EventKind::RunnerOnFailed)
    }
}

#[test]
fn a_text_is_looked_for_in_every_place_and_told_with_its_line() {
    let (config, ready) = signatures(r#"{"signatures": [{"name": "disk-full", "pattern": "No space left"}]}"#);
    for (pointer, value, place, line) in [
        (
            "/res/msg",
            json!("cannot write: No space left on device"),
            "message",
            "cannot write: No space left on device",
        ),
        ("/res/stderr", json!("a\nb: No space left\nc"), "stderr", "b: No space left"),
        ("/res/module_stdout", json!("No space left\r\n"), "stdout", "No space left"),
        ("/res/exception", json!(["Traceback", "  No space left"]), "stderr", "No space left"),
        ("/res/msg", json!({ "why": "No space left" }), "message", r#"{"why":"No space left"}"#),
    ] {
        let read = |_: &Event, at: &str| (at == pointer).then(|| value.clone());
        let mut watch = Watch::new(&ready, config.stop);
        let text = format!("web01, task \"Install\": disk-full in {place}: {line}");
        assert_eq!(watch.take(&failed(7, "web01"), &read), Verdict::cancel(text).code("disk-full").at_counter(7));
        assert_eq!(watch.take(&failed(8, "web02"), &read), Verdict::Proceed);
    }
}

#[test]
fn of_a_long_line_the_place_is_shown() {
    let text = format!("{}here{}", "ä".repeat(500), "ö".repeat(500));
    let shown = line(&text, 1000);
    assert_eq!(shown, format!("…{}here{}…", "ä".repeat(50), "ö".repeat(146)));
    assert_eq!(line("x\n short \ny", 3), "short");
}

#[test]
fn a_pattern_that_is_none_says_where() {
    for (pattern, message) in [
        ("a(b", "is no regular expression: unclosed group, at character 2"),
        (
            "[z-a]",
            "is no regular expression: invalid character class range, the start must be <= the end, at character 2",
        ),
        ("a\n(b", "is no regular expression: unclosed group"),
        ("(?:a{1000}){1000}", "is too large: it needs more than 10485760 bytes"),
        ("a*", "fits where there is nothing, and so everywhere"),
    ] {
        let text = json!({ "signatures": [{ "name": "n", "pattern": pattern }] }).to_string();
        let (config, problems) = config::check_text::<Config>(&text);
        assert_eq!(problems, []);
        assert_eq!(config.unwrap().problems(), [Problem::error("/signatures/0/pattern", message)]);
    }
}
