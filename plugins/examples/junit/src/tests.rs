//! Reports of recorded runs, made natively, read back by another reader and held against the common schema.

use playwarden_sdk::recorded::Recording;
use roxmltree::{Document, Node};

use super::*;
use EventKind::{PlaybookOnPlayStart, RunnerItemOnFailed, RunnerOnFailed, RunnerOnOk, RunnerOnStart};

const DEPLOY: &str = include_str!("../../testdata/deploy.jsonl");
const CANARY: &str = include_str!("../../testdata/canary.jsonl");
const BROKEN: &str = include_str!("../../testdata/broken.jsonl");

/// What JUnit's common schemas have in common.
struct Element {
    name: &'static str,
    needed: &'static [&'static str],
    optional: &'static [&'static str],
    /// Those marked `*` may stand there more than once.
    children: &'static [&'static str],
}

const fn element(
    name: &'static str,
    needed: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
) -> Element {
    Element { name, needed, optional, children }
}

const SCHEMA: &[Element] = &[
    element("testsuites", &[], &["name", "tests", "failures", "errors", "time"], &["testsuite*"]),
    element(
        "testsuite",
        &["name", "tests"],
        &["failures", "errors", "skipped", "time", "timestamp"],
        &["properties", "testcase*"],
    ),
    element("properties", &[], &[], &["property*"]),
    element("property", &["name", "value"], &[], &[]),
    element("testcase", &["classname", "name"], &["time"], &["skipped", "failure", "error", "system-out"]),
    element("skipped", &[], &["message"], &[]),
    element("failure", &["type", "message"], &[], &[]),
    element("error", &["type", "message"], &[], &[]),
    element("system-out", &[], &[], &[]),
];

fn check(node: Node<'_, '_>) {
    let name = node.tag_name().name();
    let Element { needed, optional, children, .. } = SCHEMA.iter().find(|known| known.name == name).expect(name);
    assert!(needed.iter().all(|attribute| node.has_attribute(*attribute)), "{node:?}");
    let known = |found: &str| needed.contains(&found) || optional.contains(&found);
    assert!(node.attributes().all(|attribute| known(attribute.name())), "{node:?}");
    for attribute in node.attributes().filter(|attribute| matches!(attribute.name(), "tests" | "time" | "errors")) {
        assert!(attribute.value().parse::<f64>().is_ok(), "{attribute:?}");
    }
    for child in node.children().filter(Node::is_element) {
        let word = child.tag_name().name();
        let others = node.children().filter(|other| other.has_tag_name(word)).count();
        assert!(children.contains(&format!("{word}*").as_str()) || (children.contains(&word) && others == 1), "{word}");
        check(child);
    }
    if matches!(name, "testsuites" | "testsuite") {
        let count = |word: &str| node.descendants().filter(|node| node.has_tag_name(word)).count().to_string();
        assert_eq!(node.attribute("tests"), Some(&*count("testcase")));
        assert_eq!(node.attribute("failures"), Some(&*count("failure")));
        assert_eq!(node.attribute("errors"), Some(&*count("error")));
    }
}

/// Reports events, and checks that the report is what CI systems read.
fn report(source: &Source, events: &[Event], finish: &Finish, config: &Config) -> String {
    let mut suites = Suites::default();
    for _ in 0..2 {
        // What comes twice counts once.
        events.iter().for_each(|event| suites.take(source, event));
    }
    suites.finish(finish);
    let xml = xml::report(&suites.list, finish, config).unwrap();
    let document = Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "testsuites");
    check(document.root_element());
    xml
}

fn recorded(journal: &str) -> String {
    let run = Recording::read(journal).unwrap();
    report(&run.source, &run.events, &run.finish.unwrap(), &Config::default())
}

/// Returns the case of a host with this name, as its children: `(element, message or text)`.
fn case(document: &Document<'_>, host: &str, name: &str) -> Vec<(String, String)> {
    let mut found = document.descendants().filter(|node| {
        node.has_tag_name("testcase")
            && node.attribute("classname") == Some(host)
            && node.attribute("name") == Some(name)
    });
    let case = found.next().unwrap_or_else(|| panic!("no case {host} {name}"));
    assert!(found.next().is_none(), "{host} {name} is there twice");
    let said = |node: Node<'_, '_>| node.attribute("message").or(node.text()).unwrap_or_default().to_owned();
    case.children().filter(Node::is_element).map(|node| (node.tag_name().name().to_owned(), said(node))).collect()
}

fn one(element: &str, text: &str) -> Vec<(String, String)> {
    vec![(element.to_owned(), text.to_owned())]
}

#[test]
fn every_end_of_a_task_has_its_element() {
    let xml = recorded(DEPLOY);
    let report = Document::parse(&xml).unwrap();
    assert_eq!(case(&report, "web01", "Say hello"), []);
    assert_eq!(case(&report, "web02", "Verify"), one("failure", "release 2.0.0 does not start"));
    let unreachable = case(&report, "db02", "Say hello");
    assert!(unreachable[0].0 == "error" && unreachable[0].1.contains("Failed to connect"), "{unreachable:?}");
    let reason = "Conditional result was False: inventory_hostname == 'web01'";
    assert_eq!(case(&report, "web02", "Only on the first"), one("skipped", reason));
    assert_eq!(case(&report, "web01", "Migrate"), one("system-out", "failed, rescued: non-zero return code"));
    assert_eq!(case(&report, "web01", "nginx : Reload nginx"), []);
    let tried = "failed, ignored: non-zero return code\ntried again 2 times";
    assert_eq!(case(&report, "web01", "nginx : Ask the service until it is up"), one("system-out", tried));
}

#[test]
fn a_loop_has_a_case_for_each_item() {
    let xml = recorded(DEPLOY);
    let report = Document::parse(&xml).unwrap();
    assert_eq!(case(&report, "web01", "Check each part [disk]"), []);
    let reason = "Conditional result was False: item.name != 'tape'";
    assert_eq!(case(&report, "web01", "Check each part [tape]"), one("skipped", reason));
    let ignored = "failed, ignored: the part disk is <broken> & \"gone\"";
    assert_eq!(case(&report, "web02", "Check each part [disk]"), one("system-out", ignored));
    assert!(!xml.contains("name=\"Check each part\""), "{xml}");
}

#[test]
fn each_play_is_a_suite_and_counts_its_retries() {
    let xml = recorded(DEPLOY);
    let report = Document::parse(&xml).unwrap();
    let suites: Vec<_> = report.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    let retries = |suite: &Node<'_, '_>| {
        let found = suite.descendants().find(|node| node.attribute("name") == Some("retries"));
        found.and_then(|node| node.attribute("value")).unwrap().to_owned()
    };
    let found: Vec<_> = suites.iter().map(|suite| (suite.attribute("name").unwrap(), retries(suite))).collect();
    assert_eq!(found, [("Prepare", "0".to_owned()), ("Roll out", "4".to_owned())]);
}

#[test]
fn what_was_interrupted_is_an_error() {
    let xml = recorded(CANARY);
    let report = Document::parse(&xml).unwrap();
    let text = "canceled: 1 of 3 hosts failed, more than the 0 allowed; last: web01";
    assert_eq!(case(&report, "web02", "Migrate the data"), one("error", text));
    assert_eq!(case(&report, "db01", "Migrate the data"), one("error", text));
    assert_eq!(case(&report, "web01", "Migrate the data"), one("failure", "non-zero return code"));
}

#[test]
fn a_run_that_failed_in_no_task_is_red_too() {
    let xml = recorded(BROKEN);
    let report = Document::parse(&xml).unwrap();
    let said = case(&report, "playwarden", "run");
    assert!(said[0].0 == "error" && said[0].1.contains("nonsense_module_name"), "{said:?}");
}

#[test]
fn skipped_cases_can_be_left_out() {
    let run = Recording::read(DEPLOY).unwrap();
    let config = Config { include_skipped: false, ..Config::default() };
    let xml = report(&run.source, &run.events, &run.finish.unwrap(), &config);
    assert!(!xml.contains("<skipped"), "{xml}");
}

// ---- by hand ----------------------------------------------------------------------------------------------------------

fn by_hand(counter: u64, kind: EventKind, message: &str) -> Event {
    let some = |text: &str| Some(text.to_owned());
    let is_failure = matches!(kind, RunnerOnFailed | RunnerItemOnFailed);
    Event {
        play: some("Play"),
        play_uuid: some("play"),
        task: some("Task"),
        task_uuid: some("task"),
        host: some("web01"),
        message: some(message),
        marks: if is_failure { Marks::FAILED } else { Marks::OK },
        ..Event::new(counter, kind)
    }
}

fn by_hand_report(events: &[Event], status: Status) -> String {
    let run = Recording::read(BROKEN).unwrap();
    let finish = Finish { status, cause: None, reason: None, ..run.finish.unwrap() };
    report(&run.source, events, &finish, &Config::default())
}

#[test]
fn nothing_that_a_module_says_breaks_the_report() {
    let text = "\u{1b}[31m]]> <&\"'\r\n\t\0 \u{ffff} é \u{1f4a5}";
    let xml = by_hand_report(&[by_hand(1, RunnerOnFailed, text)], Status::Failed);
    let report = Document::parse(&xml).unwrap();
    let readable = text.replace(['\u{1b}', '\0', '\u{ffff}'], "\u{fffd}");
    assert_eq!(case(&report, "web01", "Task"), one("failure", &readable));
    let body = report.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert_eq!(body.text(), Some(&*readable));
}

#[test]
fn a_loop_that_was_interrupted_keeps_the_items_it_had() {
    let item = Event { item: Some("one".to_owned()), ..by_hand(2, EventKind::RunnerItemOnOk, "") };
    let xml = by_hand_report(&[by_hand(1, RunnerOnStart, ""), item], Status::Timeout);
    let report = Document::parse(&xml).unwrap();
    assert_eq!(case(&report, "web01", "Task [one]"), []);
    assert_eq!(case(&report, "web01", "Task"), one("error", "timeout: timeout"));
}

#[test]
fn a_loop_that_fails_outside_of_its_items_is_a_failure() {
    let item = Event { item: Some("one".to_owned()), ..by_hand(2, EventKind::RunnerItemOnOk, "") };
    let events = [by_hand(1, RunnerOnStart, ""), item, by_hand(3, RunnerOnFailed, "no such variable")];
    let xml = by_hand_report(&events, Status::Failed);
    let report = Document::parse(&xml).unwrap();
    assert_eq!(case(&report, "web01", "Task [one]"), []);
    assert_eq!(case(&report, "web01", "Task"), one("failure", "no such variable"));
}

#[test]
fn serial_batches_of_a_play_are_one_suite_and_a_successful_run_is_green() {
    let events = [
        by_hand(1, PlaybookOnPlayStart, ""),
        by_hand(2, RunnerOnOk, ""),
        by_hand(3, PlaybookOnPlayStart, ""),
        Event { host: Some("web02".to_owned()), ..by_hand(4, RunnerOnOk, "") },
    ];
    let xml = by_hand_report(&events, Status::Successful);
    assert_eq!(xml.matches("<testsuite ").count(), 1);
    assert!(xml.contains("tests=\"2\" failures=\"0\" errors=\"0\""), "{xml}");
}
