//! Budgets judged natively: `cargo test -p fail-budget --target HOST`.

use super::*;
use EventKind::{RunnerItemOnFailed, RunnerOnAsyncFailed, RunnerOnFailed, RunnerOnOk, RunnerOnUnreachable};

/// One run under test; each call hands over one event, as the host does after a failure.
struct Scene {
    budget: Budget,
    counter: u64,
    hosts: u32,
    play: &'static str,
}

impl Scene {
    fn new(config: &str) -> Self {
        let (config, problems) = config::check_text::<Config>(config);
        assert_eq!(problems, []);
        Self { budget: Budget::new(config.unwrap()), counter: 0, hosts: 4, play: "one" }
    }

    fn event(&mut self, kind: EventKind, host: &str, marks: Marks) -> Event {
        self.counter += 1;
        let (host, play_uuid) = (Some(host.to_owned()), Some(self.play.to_owned()));
        Event { host, play_uuid, marks, ..Event::new(self.counter, kind) }
    }

    fn judge(&mut self, events: &[Event]) -> Verdict {
        let tally = Tally { hosts: self.hosts, ..Tally::default() };
        self.budget.judge(events, &Totals { run: tally, play: tally })
    }

    fn sees(&mut self, kind: EventKind, host: &str) -> Verdict {
        self.sees_marked(kind, host, Marks::empty())
    }

    fn sees_marked(&mut self, kind: EventKind, host: &str, marks: Marks) -> Verdict {
        let event = self.event(kind, host, marks);
        self.judge(&[event])
    }
}

fn too_many_failed(text: &str, counter: u64) -> Verdict {
    Verdict::cancel(text).code("too-many-failed").at_counter(counter)
}

#[test]
fn zero_cancels_at_the_first_failed_host() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0}"#);
    assert_eq!(scene.sees(RunnerOnOk, "web01"), Verdict::Proceed);
    let expected = too_many_failed("1 of 4 hosts failed, more than the 0 allowed; last: web02", 2);
    assert_eq!(scene.sees(RunnerOnFailed, "web02"), expected);
}

#[test]
fn a_limit_is_exceeded_not_reached() {
    let mut scene = Scene::new(r#"{"max-failed-percent": 20}"#);
    scene.hosts = 12;
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnFailed, "web02"), Verdict::Proceed);
    let expected = too_many_failed("3 of 12 hosts failed (25 %), more than the 20 % allowed; last: web03", 3);
    assert_eq!(scene.sees(RunnerOnFailed, "web03"), expected);

    let mut scene = Scene::new(r#"{"max-failed-percent": 25}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
}

#[test]
fn a_host_that_fails_twice_counts_once() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 1}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    assert_ne!(scene.sees(RunnerOnFailed, "web02"), Verdict::Proceed);
}

#[test]
fn items_and_polls_do_not_count() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0}"#);
    assert_eq!(scene.sees_marked(RunnerItemOnFailed, "web01", Marks::FAILED), Verdict::Proceed);
    assert_eq!(scene.sees_marked(RunnerOnAsyncFailed, "web01", Marks::FAILED), Verdict::Proceed);
    assert_ne!(scene.sees_marked(RunnerOnFailed, "web01", Marks::FAILED), Verdict::Proceed);
}

#[test]
fn what_is_ignored_or_rescued_counts_only_if_asked() {
    for (marks, key) in [(Marks::IGNORED, "ignored-counts"), (Marks::RESCUED, "rescued-counts")] {
        let mut scene = Scene::new(r#"{"max-failed-hosts": 0}"#);
        assert_eq!(scene.sees_marked(RunnerOnFailed, "web01", marks), Verdict::Proceed);
        let mut scene = Scene::new(&format!(r#"{{"max-failed-hosts": 0, "{key}": true}}"#));
        assert_ne!(scene.sees_marked(RunnerOnFailed, "web01", marks), Verdict::Proceed);
    }
}

#[test]
fn unreachable_hosts_count_among_the_failed_unless_told_otherwise() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0}"#);
    let text = "1 of 4 hosts failed or could not be reached, more than the 0 allowed; last: db01";
    assert_eq!(scene.sees(RunnerOnUnreachable, "db01"), too_many_failed(text, 1));
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0, "unreachable-counts": false}"#);
    assert_eq!(scene.sees(RunnerOnUnreachable, "db01"), Verdict::Proceed);
}

#[test]
fn unreachable_hosts_have_a_limit_of_their_own() {
    let mut scene = Scene::new(r#"{"max-unreachable-hosts": 1, "unreachable-counts": false}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "db01"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnUnreachable, "db02"), Verdict::Proceed);
    let text = "2 of 4 hosts could not be reached, more than the 1 allowed; last: db03";
    let expected = Verdict::cancel(text).code("too-many-unreachable").at_counter(3);
    assert_eq!(scene.sees(RunnerOnUnreachable, "db03"), expected);
}

#[test]
fn a_percentage_waits_for_the_sample() {
    let mut scene = Scene::new(r#"{"max-failed-percent": 20, "minimum-hosts": 3}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnOk, "web02"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnOk, "web02"), Verdict::Proceed);
    let expected = too_many_failed("1 of 4 hosts failed (25 %), more than the 20 % allowed; last: web01", 4);
    assert_eq!(scene.sees(RunnerOnOk, "web03"), expected);
}

#[test]
fn a_play_does_not_pay_for_the_one_before_it() {
    for (window, is_canceled) in [("play", false), ("run", true)] {
        let mut scene = Scene::new(&format!(r#"{{"max-failed-hosts": 1, "window": "{window}"}}"#));
        assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
        scene.play = "two";
        assert_eq!(scene.sees(RunnerOnFailed, "web02") != Verdict::Proceed, is_canceled);
    }
}

#[test]
fn a_list_that_ends_in_the_next_play_is_judged_by_the_totals_of_its_own() {
    let mut scene = Scene::new(r#"{"max-failed-percent": 20, "minimum-hosts": 2, "window": "play"}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    let last_result = scene.event(RunnerOnOk, "web02", Marks::empty());
    scene.play = "two";
    scene.hosts = 100;
    let next_play = scene.event(EventKind::PlaybookOnPlayStart, "", Marks::empty());
    let expected = too_many_failed("1 of 4 hosts failed (25 %), more than the 20 % allowed; last: web01", 2);
    assert_eq!(scene.judge(&[last_result, next_play]), expected);
}

#[test]
fn a_window_is_judged_once() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0}"#);
    assert_ne!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnFailed, "web02"), Verdict::Proceed);
}

#[test]
fn stop_may_let_running_tasks_end() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0, "stop": "after-running-tasks"}"#);
    let verdict = scene.sees(RunnerOnFailed, "web01");
    assert!(matches!(verdict, Verdict::Cancel((_, Stop::AfterRunningTasks))), "{verdict:?}");
}

#[test]
fn a_configuration_is_told_all_that_is_wrong_with_it() {
    let found = |config: &str| -> Vec<(String, String)> {
        let (config, mut problems) = config::check_text::<Config>(config);
        problems.extend(config.filter(|_| problems.is_empty()).into_iter().flat_map(|config| config.problems()));
        problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
    };
    assert_eq!(found("{}").len(), 1);
    assert_eq!(found(r#"{"max-failed-percent": 100.5}"#)[0].0, "/max-failed-percent");
    assert_eq!(found(r#"{"max-failed-hosts": 1, "minimum-hosts": 5}"#)[0].0, "/minimum-hosts");
    let wrong = found(r#"{"max-faild-hosts": 1, "max-failed-percent": "5", "window": "plays"}"#);
    let pointers: Vec<&str> = wrong.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/max-faild-hosts", "/max-failed-percent", "/window"]);
    assert_eq!(wrong[0].1, "unknown key; did you mean `max-failed-hosts`?");
}
