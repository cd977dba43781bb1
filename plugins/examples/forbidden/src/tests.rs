//! Starts judged natively: `cargo test -p forbidden --target HOST`.

use serde_json::json;

use super::*;

/// A start of `ansible.builtin.command` on web01 that runs `id`: change what the test is about.
fn start() -> Start {
    Start {
        time_ns: 0,
        uuid: "start".to_owned(),
        play: "deploy".to_owned(),
        play_uuid: "play".to_owned(),
        task: "do".to_owned(),
        task_uuid: "task".to_owned(),
        action: "ansible.builtin.command".to_owned(),
        role: None,
        host: "web01".to_owned(),
        become_user: None,
        connection: Some("ssh".to_owned()),
        delegate_to: None,
        tags: Vec::new(),
        check_mode: false,
        no_log: false,
        handler: false,
        args: Some(json!({ "_raw_params": "id" }).to_string()),
        path: None,
        data: json!({ "groups": ["web"] }).to_string(),
    }
}

fn forbidden(config: &str) -> Forbidden {
    let (config, problems) = config::check_text::<Config>(config);
    assert_eq!(problems, []);
    Forbidden::with(config.unwrap())
}

/// Returns the code of what is said about a start; none when it may begin.
fn code(config: &str, start: &Start) -> Option<String> {
    match forbidden(config).judge("run", start) {
        Verdict::Cancel((reason, _)) => reason.code,
        _ => None,
    }
}

#[test]
fn each_list_has_its_code() {
    let start = Start {
        role: Some("nginx".to_owned()),
        become_user: Some("root".to_owned()),
        delegate_to: Some("db01".to_owned()),
        ..start()
    };
    for (key, pattern, expected) in [
        ("modules", "command", "forbidden-module"),
        ("allowed-modules", "copy", "module-not-allowed"),
        ("commands", "i?", "forbidden-command"),
        ("become-users", "r*", "forbidden-become-user"),
        ("connections", "ssh", "forbidden-connection"),
        ("delegate-to", "db*", "forbidden-delegate-to"),
        ("hosts", "web0?", "forbidden-host"),
        ("groups", "web", "forbidden-group"),
        ("roles", "*x", "forbidden-role"),
    ] {
        assert_eq!(code(&format!(r#"{{"{key}": "{pattern}"}}"#), &start).as_deref(), Some(expected), "{key}");
        let other = if key == "allowed-modules" { "command" } else { "other" };
        assert_eq!(code(&format!(r#"{{"{key}": ["{other}"]}}"#), &start), None, "{key}");
    }
}

#[test]
fn what_a_task_has_not_is_not_forbidden() {
    let start = Start { args: Some("{}".to_owned()), data: r#"{"groups": []}"#.to_owned(), ..start() };
    for key in ["commands", "become-users", "delegate-to", "groups", "roles"] {
        assert_eq!(code(&format!(r#"{{"{key}": "*"}}"#), &start), None, "{key}");
    }
}

#[test]
fn what_is_not_told_is_unknown_and_not_absent() {
    let start = Start { args: None, connection: None, data: String::new(), ..start() };
    for key in ["commands", "connections", "groups"] {
        assert!(code(&format!(r#"{{"{key}": "x"}}"#), &start).is_some(), "{key}");
        assert_eq!(code(&format!(r#"{{"{key}": "x", "unknown": "allow"}}"#), &start), None, "{key}");
    }
}

#[test]
fn a_named_argument_wins_over_a_variable_with_all_of_them() {
    let args = json!({ "_variable_params": "{{ more }}", "cmd": "rm -rf /" }).to_string();
    let start = Start { args: Some(args), ..start() };
    assert!(code(r#"{"commands": "rm *", "unknown": "allow"}"#, &start).is_some());
    let rule = |name: &str| format!(r#"{{"rules": [{{"name": "r", "arguments": {{"{name}": "/srv"}}}}]}}"#);
    assert_eq!(code(&rule("chdir"), &start).as_deref(), Some("r"));
    assert_eq!(code(&rule("cmd"), &start), None);
}

#[test]
fn a_module_that_others_are_handed_on_to_is_judged_too() {
    for (used, is_refused) in [("shell", true), ("{{ x }}", true), ("auto", false), ("systemd", false)] {
        let args = Some(json!({ "name": "nginx", "use": used }).to_string());
        let start = Start { action: "ansible.builtin.service".to_owned(), args, ..start() };
        assert_eq!(code(r#"{"modules": "ansible.builtin.shell"}"#, &start).is_some(), is_refused, "{used}");
    }
}

#[test]
fn a_template_for_a_module_is_nothing_in_part() {
    for action in ["sh{{ x }}", "{% if x %}ping{% endif %}", "ansible.builtin.{{ x }}", ""] {
        let start = Start { action: action.to_owned(), ..start() };
        assert!(code(r#"{"modules": "ansible.builtin.shell"}"#, &start).is_some(), "{action}");
        assert!(code(r#"{"allowed-modules": "ansible.builtin.ping"}"#, &start).is_some(), "{action}");
        // Every module is allowed, whatever it will be.
        assert_eq!(code(r#"{"allowed-modules": "*"}"#, &start), None, "{action}");
    }
}

#[test]
fn the_same_is_told_once_for_a_task() {
    let mut forbidden = forbidden(r#"{"modules": "command"}"#);
    assert_ne!(forbidden.judge("run", &start()), Verdict::Proceed);
    let next_host = Start { host: "web02".to_owned(), ..start() };
    assert_eq!(forbidden.judge("run", &next_host), Verdict::Proceed);
    assert_ne!(forbidden.judge("other run", &next_host), Verdict::Proceed);
    let next_task = Start { task_uuid: "next".to_owned(), ..start() };
    assert_ne!(forbidden.judge("run", &next_task), Verdict::Proceed);
}

#[test]
fn stop_may_let_running_tasks_end() {
    let verdict = forbidden(r#"{"modules": "command", "stop": "after-running-tasks"}"#).judge("run", &start());
    assert!(matches!(verdict, Verdict::Cancel((_, Stop::AfterRunningTasks))), "{verdict:?}");
}

#[test]
fn a_long_command_is_shown_in_part() {
    let args = Some(json!({ "cmd": format!("echo {}", "ä".repeat(1000)) }).to_string());
    let Verdict::Cancel((reason, _)) = forbidden(r#"{"commands": "echo *"}"#).judge("run", &Start { args, ..start() })
    else {
        panic!("must be refused");
    };
    assert!(reason.text.chars().count() < 200, "{}", reason.text);
    assert!(reason.text.contains("ää… is forbidden by \"echo *\""), "{}", reason.text);
}
