//! Budgets judged natively: `cargo test -p fail-budget --target HOST`.

use super::*;
use EventKind::{RunnerItemOnFailed, RunnerOnAsyncFailed, RunnerOnFailed, RunnerOnOk, RunnerOnUnreachable};

/// One run under test; each call hands over one event, as the host does after a failure.
struct Scene {
    budget: Budget,
    counter: u64,
    hosts: u32,
    play: &'static str,
    /// Number of the play's start, and how many hosts that has.
    number: u32,
    batch: u32,
    groups: Option<Groups>,
}

impl Scene {
    fn new(config: &str) -> Self {
        let (config, problems) = config::check_text::<Config>(config);
        assert_eq!(problems, []);
        let budget = Budget::new(config.unwrap());
        Self { budget, counter: 0, hosts: 4, play: "one", number: 1, batch: 2, groups: None }
    }

    fn event(&mut self, kind: EventKind, host: &str, marks: Marks) -> Event {
        self.counter += 1;
        let (host, play_uuid) = (Some(host.to_owned()), Some(self.play.to_owned()));
        Event { host, play_uuid, play_number: Some(self.number), marks, ..Event::new(self.counter, kind) }
    }

    fn judge(&mut self, events: &[Event]) -> Verdict {
        let tally = Tally { hosts: self.hosts, ..Tally::default() };
        let totals = Totals { run: tally, play: tally };
        let groups = |_: &Event| Ok(self.groups.clone());
        self.budget.judge(events, &Asked { totals: &totals, batch: self.batch, groups: &groups }).unwrap()
    }

    /// The play begins, in which these are the hosts of the groups.
    fn begins(&mut self, groups: &[(&str, &[&str])]) {
        let names = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        self.groups = Some(groups.iter().map(|(group, hosts)| ((*group).to_owned(), names(hosts))).collect());
        let start = self.event(EventKind::PlaybookOnPlayStart, "", Marks::empty());
        assert_eq!(self.judge(&[Event { host: None, ..start }]), Verdict::Proceed);
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
fn a_batch_does_not_pay_for_the_one_before_it() {
    let mut scene = Scene::new(r#"{"max-failed-percent": 50, "window": "batch"}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    scene.number = 2;
    scene.batch = 3;
    assert_eq!(scene.sees(RunnerOnFailed, "web03"), Verdict::Proceed);
    let text = "2 of 3 hosts of the batch failed (66.67 %), more than the 50 % allowed; last: web04";
    assert_eq!(scene.sees(RunnerOnFailed, "web04"), too_many_failed(text, 3));
}

#[test]
fn each_group_is_a_window() {
    let groups: &[(&str, &[&str])] = &[("eu", &["web01", "web02"]), ("us", &["web03"]), ("web", &["web01", "web03"])];
    let mut scene = Scene::new(r#"{"max-failed-hosts": 1, "window": "group"}"#);
    scene.begins(groups);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    // Of no group.
    assert_eq!(scene.sees(RunnerOnFailed, "localhost"), Verdict::Proceed);
    let text = "2 of 2 hosts of the group web failed, more than the 1 allowed; last: web03";
    assert_eq!(scene.sees(RunnerOnFailed, "web03"), too_many_failed(text, 4));
    let text = "2 of 2 hosts of the group eu failed, more than the 1 allowed; last: web02";
    assert_eq!(scene.sees(RunnerOnFailed, "web02"), too_many_failed(text, 5));

    let mut scene = Scene::new(r#"{"max-failed-hosts": 0, "window": "group", "groups": ["us"]}"#);
    scene.begins(groups);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    let text = "1 of 1 hosts of the group us failed, more than the 0 allowed; last: web03";
    assert_eq!(scene.sees(RunnerOnFailed, "web03"), too_many_failed(text, 3));
}

#[test]
fn groups_that_break_together_are_told_together() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0, "window": "group"}"#);
    scene.begins(&[("eu", &["web01", "web02"]), ("web", &["web01"])]);
    let text = "1 of 2 hosts of the group eu failed, more than the 0 allowed; last: web01; 1 of 1 hosts of the group web \
                failed, more than the 0 allowed; last: web01";
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), too_many_failed(text, 2));
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
}

#[test]
fn groups_that_nobody_told_are_a_failure_and_not_a_pass() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 0, "window": "group"}"#);
    let event = scene.event(RunnerOnOk, "web01", Marks::empty());
    let asked =
        Asked { totals: &Totals { run: Tally::default(), play: Tally::default() }, batch: 0, groups: &|_| Ok(None) };
    let failure = scene.budget.judge(&[event], &asked).unwrap_err();
    assert!(failure.message.contains("playbook_on_play_start"), "{}", failure.message);
}

#[test]
fn of_the_last_hosts_the_oldest_leave() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 1, "window": "last-hosts", "last-hosts": 3}"#);
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnOk, "web02"), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnOk, "web03"), Verdict::Proceed);
    // web01 has left.
    assert_eq!(scene.sees(RunnerOnFailed, "web04"), Verdict::Proceed);
    // A further result makes a host the newest.
    assert_eq!(scene.sees(RunnerOnOk, "web02"), Verdict::Proceed);
    let text = "2 of the last 3 hosts failed, more than the 1 allowed; last: web05";
    assert_eq!(scene.sees(RunnerOnFailed, "web05"), too_many_failed(text, 6));
}

#[test]
fn a_warning_comes_before_the_cancel_and_once() {
    let mut scene = Scene::new(r#"{"max-failed-hosts": 1, "warn-failed-hosts": 0}"#);
    let warning = Verdict::warn("1 of 4 hosts failed, more than the 0 allowed; last: web01").code("many-failed");
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), warning.at_counter(1));
    assert_eq!(scene.sees(RunnerOnFailed, "web01"), Verdict::Proceed);
    let text = "2 of 4 hosts failed, more than the 1 allowed; last: web02";
    assert_eq!(scene.sees(RunnerOnFailed, "web02"), too_many_failed(text, 3));

    let mut scene = Scene::new(r#"{"warn-unreachable-hosts": 0}"#);
    let text = "1 of 4 hosts could not be reached, more than the 0 allowed; last: db01";
    assert_eq!(scene.sees(RunnerOnUnreachable, "db01"), Verdict::warn(text).code("many-unreachable").at_counter(1));
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
    assert_eq!(found(r#"{"max-failed-hosts": 2, "warn-failed-hosts": 2}"#)[0].0, "/warn-failed-hosts");
    assert_eq!(found(r#"{"warn-failed-percent": -1}"#)[0].0, "/warn-failed-percent");
    assert_eq!(found(r#"{"max-failed-hosts": 1, "last-hosts": 3}"#)[0].0, "/last-hosts");
    for (window, pointer) in [
        (r#""window": "last-hosts""#, ""),
        (r#""window": "last-hosts", "last-hosts": 0"#, "/last-hosts"),
        (r#""window": "last-hosts", "last-hosts": 3, "minimum-hosts": 4"#, "/minimum-hosts"),
        (r#""window": "group", "groups": []"#, "/groups"),
        (r#""groups": ["web"]"#, "/groups"),
    ] {
        assert_eq!(found(&format!(r#"{{"max-failed-percent": 1, {window}}}"#))[0].0, pointer, "{window}");
    }
    let wrong = found(r#"{"max-faild-hosts": 1, "max-failed-percent": "5", "window": "plays"}"#);
    let pointers: Vec<&str> = wrong.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/max-faild-hosts", "/max-failed-percent", "/window"]);
    assert_eq!(wrong[0].1, "unknown key; did you mean `max-failed-hosts`?");
}
