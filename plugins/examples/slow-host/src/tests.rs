//! Watches over tasks natively: `cargo test -p slow-host --target HOST`.

use super::*;
use EventKind::{RunnerOnFailed, RunnerOnOk, RunnerOnSkipped, RunnerOnStart};

const SECOND: u64 = 1_000_000_000;

/// Of the task `t` in the play `p`: a median of 20 s; `u` has too few samples.
const DURATIONS: &str = r#"{"schema": 1, "runs": ["a"], "tasks": [
    {"play": "p", "task": "t", "action": "a", "samples": 8, "median_ms": 20000, "p95_ms": 30000, "max_ms": 31000},
    {"play": "p", "task": "short", "action": "a", "samples": 8, "median_ms": 100, "p95_ms": 300, "max_ms": 301},
    {"play": "p", "task": "u", "action": "a", "samples": 4, "median_ms": 1, "p95_ms": 1, "max_ms": 1}
]}"#;

struct Scene {
    watch: Watch,
    counter: u64,
}

impl Scene {
    fn new(config: &str) -> Self {
        let (config, problems) = config::check_text::<Config>(config);
        let config = config.unwrap();
        assert_eq!((problems, config.problems()), (vec![], vec![]));
        let medians = Medians::parse(DURATIONS, config.minimum_samples).unwrap();
        Self { watch: Watch::new(config, Rc::new(medians)), counter: 0 }
    }

    fn sees(&mut self, kind: EventKind, host: &str, task: &str, second: u64) -> Verdict {
        self.counter += 1;
        let text = |text: &str| Some(text.to_owned());
        let event = Event::new(self.counter, kind);
        self.watch.take(&Event {
            host: text(host),
            play: text("p"),
            task: text(task),
            task_uuid: text(task),
            action: text("a"),
            time_ns: second * SECOND,
            ..event
        });
        self.watch.say()
    }

    fn ticks(&mut self, second: u64) -> Verdict {
        self.watch.look(second * SECOND);
        self.watch.say()
    }
}

fn too_many(text: &str, counter: u64) -> Verdict {
    Verdict::cancel(text).code("too-many-slow").at_counter(counter)
}

#[test]
fn a_task_may_take_as_long_as_it_may_and_no_longer() {
    let mut scene = Scene::new(r#"{"max-duration": "1m", "max-slow-hosts": 0}"#);
    assert_eq!(scene.sees(RunnerOnStart, "web01", "t", 0), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnStart, "web02", "t", 0), Verdict::Proceed);
    assert_eq!(scene.sees(RunnerOnOk, "web01", "t", 60), Verdict::Proceed);
    let text = "1 host was slow, more than the 0 allowed; last: web02 with `t`, 1m1s (limit: 1m)";
    assert_eq!(scene.sees(RunnerOnOk, "web02", "t", 61), too_many(text, 4));
}

#[test]
fn a_task_that_does_not_end_is_slow_while_it_runs() {
    let mut scene = Scene::new(r#"{"max-duration": "1m", "max-slow-hosts": 1, "warn-slow-hosts": 0}"#);
    for (host, second) in [("web03", 0), ("web01", 5), ("web02", 30)] {
        assert_eq!(scene.sees(RunnerOnStart, host, "t", second), Verdict::Proceed);
    }
    assert_eq!(scene.ticks(60), Verdict::Proceed);
    let text = "1 host was slow, more than the 0 allowed; last: web03 with `t`, 1m4s so far (limit: 1m)";
    assert_eq!(scene.ticks(64), Verdict::warn(text).code("many-slow").at_counter(1));
    // It is slow already, and its end makes it no slower.
    assert_eq!(scene.sees(RunnerOnFailed, "web03", "t", 65), Verdict::Proceed);
    let text = "3 hosts were slow, more than the 1 allowed; last: web02 with `t`, 1m10s so far (limit: 1m)";
    assert_eq!(scene.ticks(100), too_many(text, 3));
    assert_eq!(scene.ticks(101), Verdict::Proceed);
}

#[test]
fn a_task_is_compared_with_its_median() {
    let keys = r#""max-times-median": 2.5, "durations": "d.json", "max-slow-hosts": 0"#;
    let mut scene = Scene::new(&format!("{{{keys}}}"));
    for task in ["t", "short", "u", "unknown"] {
        scene.sees(RunnerOnStart, "web01", task, 0);
    }
    // Of the last two nothing is known; the second is below `minimum-duration`.
    for task in ["short", "u", "unknown"] {
        assert_eq!(scene.sees(RunnerOnOk, "web01", task, 10), Verdict::Proceed, "{task}");
    }
    let text =
        "1 host was slow, more than the 0 allowed; last: web01 with `t`, 51s (limit: 50s, 2.5 times its median of 20s)";
    assert_eq!(scene.sees(RunnerOnOk, "web01", "t", 51), too_many(text, 8));

    let mut scene = Scene::new(&format!("{{{keys}, \"minimum-samples\": 4, \"minimum-duration\": \"3s\"}}"));
    scene.sees(RunnerOnStart, "web01", "u", 0);
    let text = "1 host was slow, more than the 0 allowed; last: web01 with `u`, 4s (limit: 3s, `minimum-duration`)";
    assert_eq!(scene.sees(RunnerOnOk, "web01", "u", 4), too_many(text, 2));
}

#[test]
fn of_two_limits_the_lower_one_counts() {
    let keys = r#""max-times-median": 2, "durations": "d.json", "max-slow-hosts": 0"#;
    for (max, limit) in [("30s", "30s"), ("10m", "40s, 2 times its median of 20s")] {
        let mut scene = Scene::new(&format!("{{{keys}, \"max-duration\": \"{max}\"}}"));
        scene.sees(RunnerOnStart, "web01", "t", 0);
        let text =
            format!("1 host was slow, more than the 0 allowed; last: web01 with `t`, 45s so far (limit: {limit})");
        assert_eq!(scene.ticks(45), too_many(&text, 1));
    }
}

#[test]
fn only_the_tasks_that_are_meant_are_watched() {
    let mut scene = Scene::new(
        r#"{"max-duration": "1s", "max-slow-hosts": 0, "tasks": ["Install *", "Reboot"], "except-tasks": ["Install d?cs"]}"#,
    );
    for task in ["Installs", "Install docs", "reboot"] {
        scene.sees(RunnerOnStart, "web01", task, 0);
        assert_eq!(scene.sees(RunnerOnOk, "web01", task, 9), Verdict::Proceed, "{task}");
    }
    scene.sees(RunnerOnStart, "web01", "Install packages", 0);
    assert_ne!(scene.ticks(9), Verdict::Proceed);
}

#[test]
fn what_ended_or_was_skipped_is_not_slow_later() {
    let mut scene = Scene::new(r#"{"max-duration": "1s", "max-slow-hosts": 0}"#);
    for (kind, host) in [(RunnerOnOk, "web01"), (RunnerOnSkipped, "web02"), (RunnerOnFailed, "web03")] {
        scene.sees(RunnerOnStart, host, "t", 0);
        assert_eq!(scene.sees(kind, host, "t", 1), Verdict::Proceed);
    }
    // A result without a start: the plugin does not get the event.
    assert_eq!(scene.sees(RunnerOnOk, "web04", "t", 99), Verdict::Proceed);
    assert_eq!(scene.ticks(99), Verdict::Proceed);
}

#[test]
fn what_a_tick_read_from_the_journal_is_said_once() {
    let mut scene = Scene::new(r#"{"max-duration": "1s", "max-slow-hosts": 0}"#);
    scene.sees(RunnerOnStart, "web01", "t", 0);
    // Read from the journal by a tick, and only then handed over.
    let late = Event {
        host: Some("web01".into()),
        task_uuid: Some("t".into()),
        time_ns: 9 * SECOND,
        ..Event::new(2, RunnerOnOk)
    };
    scene.watch.take(&late);
    scene.watch.take(&late);
    assert_ne!(scene.watch.say(), Verdict::Proceed);
    assert_eq!(scene.watch.say(), Verdict::Proceed);
}

#[test]
fn a_file_of_durations_that_is_none_is_refused() {
    for (text, why) in [
        ("", "is no file of durations: EOF while parsing a value at line 1 column 0"),
        ("{\"schema\": 2, \"tasks\": []}", "is of the form 2, and 1 is what this plugin reads"),
        ("{\"schema\": 1}", "is no file of durations: missing field `tasks` at line 1 column 13"),
    ] {
        assert_eq!(Medians::parse(text, 1).unwrap_err(), why);
    }
}

#[test]
fn what_a_configuration_lacks_is_said() {
    let problems = |text: &str| {
        let (config, problems) = config::check_text::<Config>(text);
        assert_eq!(problems, []);
        config.unwrap().problems().into_iter().map(|problem| problem.pointer).collect::<Vec<_>>()
    };
    assert_eq!(problems("{}"), ["", ""]);
    assert_eq!(problems(r#"{"max-times-median": 1, "max-slow-hosts": 0}"#), ["/max-times-median", ""]);
    assert_eq!(problems(r#"{"max-duration": "1s", "durations": "x", "max-slow-hosts": 0}"#), ["/durations"]);
    let rest = r#""max-duration": "1s", "max-slow-hosts": 1, "warn-slow-hosts": 1, "minimum-samples": 0, "tasks": []"#;
    assert_eq!(problems(&format!("{{{rest}}}")), ["/warn-slow-hosts", "/minimum-samples", "/tasks"]);
    let (_, wrong) = config::check_text::<Config>(r#"{"max-duration": "soon"}"#);
    assert_eq!(wrong[0].message, "`soon` is not a duration: write a number and a unit, such as `90s` or `1h30m`");
}
