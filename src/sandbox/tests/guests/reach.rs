use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use playwarden_event::{Json, Origin};
use playwarden_sandbox::{Fault, FaultKind, Folder, Limits};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::hooks::finish;
use crate::support::{Project, block_on, events};

/// Lets a guest try things in `on-finished`, and returns what came of each.
pub(crate) async fn reach(project: &Project) -> Result<Vec<String>, Fault> {
    let mut instance = project.try_start("reaches_out").await?;
    instance.on_finished(&finish()).await?;
    let outcome = |line: &Value| line["outcome"].as_str().unwrap().to_owned();
    Ok(project.lines("reach.jsonl").iter().map(outcome).collect())
}

pub(crate) fn tries(tries: &Value) -> Project {
    let mut project = Project::new(json!({ "tries": tries }));
    // This guest imports HTTP; nothing listens there.
    project.grants.http.push(Origin::parse("http://127.0.0.1:9").unwrap());
    project
}

fn grant(project: &mut Project, name: &str) {
    let path = project.path(name);
    project.grants.write.push(Folder { name: name.to_owned(), path });
}

#[test]
fn nothing_can_be_reached_without_a_grant() {
    block_on(async {
        let project = tries(&json!([
            { "what": "read", "path": "/etc/passwd" },
            { "what": "read", "path": "audit/here" },
            { "what": "write", "path": "x" },
            { "what": "list", "path": "/" },
            { "what": "list", "path": "." },
            { "what": "connect", "address": "127.0.0.1:9" },
            { "what": "env", "name": "HOME" },
            { "what": "env", "name": "PATH" },
            { "what": "secret", "name": "token" },
        ]));
        for outcome in reach(&project).await.unwrap() {
            assert!(outcome.starts_with("refused "), "{outcome}");
        }
        let project = tries(&json!([{ "what": "clock" }]));
        assert!(reach(&project).await.unwrap()[0].starts_with("ok "));
    });
}

#[test]
fn variables_and_secrets_that_were_granted_are_there() {
    block_on(async {
        let mut project = tries(&json!([
            { "what": "env", "name": "TZ" },
            { "what": "env", "name": "HOME" },
            { "what": "secret", "name": "token" },
            { "what": "secret", "name": "other" },
        ]));
        project.grants.env.push(("TZ".to_owned(), "Europe/Rome".to_owned()));
        project.grants.secrets.insert("token".to_owned(), "hunter2".to_owned());
        let outcomes = reach(&project).await.unwrap();
        assert_eq!(outcomes[0], "ok Europe/Rome");
        assert!(outcomes[1].starts_with("refused "), "{outcomes:?}");
        // It has it, and what it writes of it is masked.
        assert_eq!(outcomes[2..], ["ok ********", "refused none"]);
        assert!(!format!("{:?}", project.setup(1, BTreeMap::new())).contains("hunter2"));
    });
}

#[test]
fn events_are_a_time_to_try_as_well() {
    block_on(async {
        let project = tries(&json!([{ "what": "read", "path": "/etc/passwd" }]));
        let mut instance = project.start("reaches_out").await;
        assert_eq!(instance.on_events(&events(1..=3)).await, Ok(3));
        let [line] = &project.lines("reach.jsonl")[..] else { panic!("one line is expected") };
        assert_eq!(line["tried"], json!({ "what": "read", "path": "/etc/passwd" }));
        assert!(line["outcome"].as_str().unwrap().starts_with("refused "), "{line}");
    });
}

#[test]
fn a_config_check_has_secrets_and_variables_and_nothing_of_the_outside() {
    block_on(async {
        let mut project = tries(&json!([
            { "what": "secret", "name": "token" },
            { "what": "env", "name": "TZ" },
            { "what": "list", "path": "audit" },
            { "what": "get", "url": "http://127.0.0.1:9/" },
        ]));
        project.config["in-check"] = json!(true);
        fs::create_dir(project.path("audit")).unwrap();
        grant(&mut project, "audit");
        project.grants.env.push(("TZ".to_owned(), "UTC".to_owned()));
        project.grants.secrets.insert("token".to_owned(), "hunter2".to_owned());
        let plugin = project.plugin("reaches_out").await;
        let said = plugin.check(&Json::of(&project.config), project.limits, &project.grants).await.unwrap();
        let said: Vec<&str> = said.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(said[..2], ["ok ********", "ok UTC"]);
        assert!(said[2].starts_with("refused "), "{said:?}");
        assert!(said[3].starts_with("refused the host refused the request"), "{said:?}");
    });
}

// ---- folders ----------------------------------------------------------------------------------------------------------

#[test]
fn a_granted_folder_can_be_used_and_not_left() {
    block_on(async {
        let mut project = tries(&json!([
            { "what": "read", "path": "audit/here" },
            { "what": "write", "path": "audit/new" },
            { "what": "write", "path": "audit/new" },
            { "what": "list", "path": "audit" },
            { "what": "read", "path": "audit/inside" },
            { "what": "read", "path": "outside" },
            { "what": "read", "path": "audit/../outside" },
            { "what": "read", "path": "audit/sub/../../outside" },
            { "what": "read", "path": "audit/out" },
            { "what": "read", "path": "audit/up/outside" },
            { "what": "read", "path": "audit/absolute" },
            { "what": "write", "path": "audit/dangling" },
            { "what": "write", "path": "audit/../new" },
            { "what": "hard-link", "path": "audit/here", "to": "audit/../linked" },
            { "what": "hard-link", "path": "audit/../outside", "to": "audit/linked" },
            { "what": "read", "path": "/etc/passwd" },
        ]));
        let absolute = project.path("outside");
        let audit = project.path("audit");
        fs::create_dir_all(audit.join("sub")).unwrap();
        fs::write(audit.join("here"), "inside").unwrap();
        fs::write(&absolute, "not to be seen").unwrap();
        symlink("here", audit.join("inside")).unwrap();
        symlink("../outside", audit.join("out")).unwrap();
        symlink("..", audit.join("up")).unwrap();
        symlink(&absolute, audit.join("absolute")).unwrap();
        symlink("../made", audit.join("dangling")).unwrap();
        grant(&mut project, "audit");

        let outcomes = reach(&project).await.unwrap();
        let names = "ok absolute dangling here inside new out sub up";
        assert_eq!(outcomes[..5], ["ok inside", "ok written", "ok written", names, "ok inside"]);
        for (outcome, tried) in outcomes[5..].iter().zip(&project.lines("reach.jsonl")[5..]) {
            assert!(outcome.starts_with("refused "), "{tried}");
        }
        assert_eq!(fs::read(audit.join("new")).unwrap(), b"xx");
        for made in ["made", "new", "linked", "audit/linked"] {
            assert!(!project.path(made).exists(), "{made}");
        }
    });
}

#[test]
fn a_folder_that_is_none_is_refused_before_anything_runs() {
    block_on(async {
        let fault = async |make: &dyn Fn(&Project)| {
            let mut project = tries(&json!([]));
            grant(&mut project, "audit");
            make(&project);
            let fault = reach(&project).await.unwrap_err();
            assert_eq!((fault.kind, fault.call), (FaultKind::Host, "instantiate"));
            fault.text
        };
        let link = fault(&|project| symlink("/etc", project.path("audit")).unwrap()).await;
        assert_eq!(link, "could not be served: `audit` is a link to `/etc`; grant the folder itself");
        let file = fault(&|project| fs::write(project.path("audit"), "x").unwrap()).await;
        assert_eq!(file, "could not be served: `audit` is not a folder");
        let missing = fault(&|_| {}).await;
        assert_eq!(
            missing,
            "could not be served: the folder `audit` cannot be opened: No such file or directory (os error 2)"
        );
    });
}

#[test]
fn a_pipe_that_nobody_writes_to_costs_one_deadline() {
    block_on(async {
        let mut project = tries(&json!([{ "what": "read", "path": "audit/pipe" }]));
        fs::create_dir(project.path("audit")).unwrap();
        let (kind, mode) = (FileType::Fifo, Mode::RUSR | Mode::WUSR);
        mknodat(CWD, project.path("audit/pipe"), kind, mode, 0).unwrap();
        grant(&mut project, "audit");
        project.limits = Limits { finish: Duration::from_secs(1), ..project.limits };
        let fault = reach(&project).await.unwrap_err();
        assert_eq!((fault.kind, fault.text.as_str()), (FaultKind::Timeout, "took longer than 1s"));
    });
}

#[test]
fn a_guest_cannot_take_all_file_descriptors() {
    block_on(async {
        let mut project = tries(&json!([{ "what": "open-many", "path": "audit/here", "count": 1000 }]));
        fs::create_dir(project.path("audit")).unwrap();
        fs::write(project.path("audit/here"), "x").unwrap();
        grant(&mut project, "audit");
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let mut instance = project.start("reaches_out").await;
        let fault = instance.on_finished(&finish()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Trap);
        assert_eq!(fault.text, "held more than 256 files, streams and requests open");
        // Other tests open a few at the same time; this guest's 200 are closed, though its instance is still there.
        assert!(open() < 200, "{}", open());
    });
}
