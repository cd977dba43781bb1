//! Windows judged natively: `cargo test -p change-window --target HOST`.

use super::*;

const BERLIN: &str = r#""timezone": "Europe/Berlin""#;

fn window(keys: &str) -> ChangeWindow {
    let (config, problems) = config::check_text::<Config>(&format!("{{{BERLIN}, {keys}}}"));
    assert_eq!(problems, []);
    ChangeWindow::with(config.unwrap()).unwrap()
}

fn ns(text: &str) -> u64 {
    playwarden_sdk::time::parse_rfc3339(text).unwrap()
}

/// Whether it is open at moments in UTC.
fn opens(keys: &str, moments: &[(&str, bool)]) {
    let window = window(keys);
    for (moment, expected) in moments {
        assert_eq!(window.calendar.is_open(timestamp(ns(moment))), *expected, "{moment} {keys}");
    }
}

#[test]
fn a_window_of_a_day_is_from_a_local_time_up_to_another() {
    opens(
        r#""windows": [{"days": ["mon"], "from": "08:00", "to": "10:00"}]"#,
        &[
            ("2026-11-23T06:59:59Z", false),
            ("2026-11-23T07:00:00Z", true),
            ("2026-11-23T08:59:59Z", true),
            ("2026-11-23T09:00:00Z", false),
            ("2026-11-24T07:30:00Z", false),
        ],
    );
}

#[test]
fn a_window_over_midnight_belongs_to_its_first_day() {
    opens(
        r#""windows": [{"days": ["fri"], "from": "22:00", "to": "04:00"}]"#,
        &[
            ("2026-11-27T02:00:00Z", false),
            ("2026-11-27T21:00:00Z", true),
            ("2026-11-28T02:59:59Z", true),
            ("2026-11-28T03:00:00Z", false),
            ("2026-11-28T21:30:00Z", false),
        ],
    );
    opens(
        r#""windows": [{"from": "00:00", "to": "24:00"}]"#,
        &[("2026-11-27T22:59:59Z", true), ("2026-11-27T23:00:00Z", true)],
    );
}

#[test]
fn when_the_clocks_change_a_window_is_one_piece() {
    // On 2026-03-29 there is no 02:30: from the change at 01:00Z on, which is 03:00.
    opens(
        r#""windows": [{"from": "02:30", "to": "04:00"}]"#,
        &[("2026-03-29T00:59:59Z", false), ("2026-03-29T01:00:00Z", true), ("2026-03-29T02:00:00Z", false)],
    );
    opens(
        r#""windows": [{"from": "01:00", "to": "02:30"}]"#,
        &[("2026-03-29T00:59:59Z", true), ("2026-03-29T01:00:00Z", false)],
    );
    // On 2026-10-25 02:30 comes twice, at 00:30Z and at 01:30Z: the first is meant, at both ends.
    opens(
        r#""windows": [{"from": "02:30", "to": "04:00"}]"#,
        &[("2026-10-25T00:29:59Z", false), ("2026-10-25T00:30:00Z", true), ("2026-10-25T01:10:00Z", true)],
    );
    opens(
        r#""windows": [{"from": "01:00", "to": "02:30"}]"#,
        &[("2026-10-25T00:29:59Z", true), ("2026-10-25T00:30:00Z", false), ("2026-10-25T01:10:00Z", false)],
    );
}

#[test]
fn a_freeze_wins_over_windows_and_what_is_allowed_once_over_freezes() {
    let all = r#""windows": [{"from": "00:00", "to": "24:00"}],
        "except": [{"from": "2026-12-20", "to": "2027-01-02", "name": "year end"}],
        "also": [{"from": "2026-12-24T08:00", "to": "2026-12-24T09:00"}]"#;
    opens(
        all,
        &[
            ("2026-12-19T22:59:59Z", true),
            ("2026-12-19T23:00:00Z", false),
            ("2026-12-24T07:00:00Z", true),
            ("2026-12-24T08:00:00Z", false),
            ("2027-01-02T22:59:59Z", false),
            ("2027-01-02T23:00:00Z", true),
        ],
    );
    let window = window(all);
    let at = timestamp(ns("2026-12-24T12:00:00Z"));
    assert_eq!(window.calendar.freeze(at).unwrap().name.as_deref(), Some("year end"));
    assert_eq!(window.calendar.opens(at), Some(timestamp(ns("2027-01-02T23:00:00Z"))));
}

#[test]
fn windows_that_touch_are_one() {
    let window = window(
        r#""windows": [{"from": "22:00", "to": "24:00"}, {"from": "00:00", "to": "02:00"}, {"from": "01:00", "to": "03:00"}]"#,
    );
    let at = timestamp(ns("2026-11-23T21:30:00Z"));
    assert_eq!(window.calendar.closes(at), Some(timestamp(ns("2026-11-24T02:00:00Z"))));
    assert_eq!(self::window(r#""windows": [{"from": "00:00", "to": "24:00"}]"#).calendar.closes(at), None);
}

#[test]
fn the_end_is_said_once_and_before_it_a_warning() {
    let mut window =
        window(r#""windows": [{"from": "22:00", "to": "23:00"}], "warn-before": "10m", "at-end": "finish-task""#);
    let began = Some(ns("2026-11-23T21:00:00Z"));
    let mut judge = |moment: &str, what: Option<&str>| window.judge("run", ns(moment), began, what);
    assert_eq!(judge("2026-11-23T21:49:59Z", None), Verdict::Proceed);
    let soon = "the change window ends in 9m30s, at Mon 2026-11-23 23:00 Europe/Berlin";
    assert_eq!(judge("2026-11-23T21:50:30Z", None), Verdict::warn(soon).code("window-ends-soon"));
    assert_eq!(judge("2026-11-23T21:55:00Z", None), Verdict::Proceed);
    let ended = "the change window has ended, it is Mon 2026-11-23 23:00 Europe/Berlin; `t` on web01 may not start any more; \
                 the next one begins Tue 2026-11-24 22:00 Europe/Berlin";
    let expected = Verdict::cancel(ended).code("window-ended").after_running_tasks();
    assert_eq!(judge("2026-11-23T22:00:00Z", Some("`t` on web01")), expected);
    assert_eq!(judge("2026-11-23T22:00:10Z", None), Verdict::Proceed);
}

#[test]
fn a_run_that_began_outside_has_never_been_inside() {
    let mut window = window(r#""also": [{"from": "2026-01-01T10:00", "to": "2026-01-01T11:00"}]"#);
    let began = ns("2026-11-23T12:00:00Z");
    let text = "`t` on web01 may not start: it is Mon 2026-11-23 13:00 Europe/Berlin, outside of every change window; \
                there is none within a year";
    let found = window.judge("run", began, Some(began), Some("`t` on web01"));
    assert_eq!(found, Verdict::cancel(text).code("outside-window"));
}

#[test]
fn texts_that_are_wrong_are_told_each_with_its_place() {
    let problems = |text: &str| {
        let (config, problems) = config::check_text::<Config>(text);
        assert_eq!(problems, []);
        let problems = config.unwrap().calendar().unwrap_err();
        problems.into_iter().map(|problem| format!("{}: {}", problem.pointer, problem.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        problems(r#"{"timezone": "Europe/Bern"}"#),
        [
            "/timezone: there is no time zone `Europe/Bern`: write one such as `Europe/Berlin`, or `UTC`",
            ": one of `windows` and `also` is needed: without any, nothing would ever be allowed",
        ]
    );
    assert_eq!(
        problems(
            r#"{"timezone": "UTC", "windows": [{"days": [], "from": "24:00", "to": "8:00"}, {"from": "24:00", "to": "25:00"},
                {"from": "08:00", "to": "08:00"}, {"from": "24:00", "to": "01:00"}],
                "except": [{"from": "2026-02-30", "to": "tomorrow"}], "also": [{"from": "2026-02-03", "to": "2026-02-02"}]}"#
        ),
        [
            "/windows/0/days: names no day; leave it out for every day",
            "/windows/0/to: `8:00` is no time of day: write it as `22:30`, up to `24:00`",
            "/windows/1/to: `25:00` is no time of day: write it as `22:30`, up to `24:00`",
            "/windows/2/to: is `from`; the whole day is from 00:00 to 24:00",
            "/windows/3/from: no day begins at 24:00; write 00:00",
            "/except/0/from: `2026-02-30` is no day and no moment: write `2026-12-20`, or `2026-12-20T18:00`",
            "/except/0/to: `tomorrow` is no day and no moment: write `2026-12-20`, or `2026-12-20T18:00`",
            "/also/0/to: is not after `from`",
        ]
    );
}
