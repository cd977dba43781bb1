//! The journal of a signed run says who asked for it, why, and what it was made of.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::runs;
use crate::support::{Project, core, guest, ran, venv};

const PLAY: &str = "- hosts: h1,web\n  gather_facts: false\n  remote_user: deploy\n  tasks:\n    - debug: msg=hello\n    - debug: \
                    msg=hello\n      become: true\n      become_user: app\n    - debug: msg=hello\n      delegate_to: h1\n";

const MORE_HOSTS: &str = "[web]\nw1 ansible_host=192.0.2.7 ansible_user=ops\nw2 ansible_connection=ssh ansible_become_user=db \
                          ansible_ssh_host=\"{{ seven }}\"\n[db]\n[site:children]\nweb\ndb\n";

const MANIFEST: &str = r#"{"collection_info": {"namespace": "acme", "name": "tools", "version": "2.3.4"}}"#;

/// What an auditor types to have the digest of the project.
const SUM: &str = "find . \\( -name .git -o -name __pycache__ -o -path ./artifacts -o -path ./audit.pem -o -path \
                   ./password \\) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum";

fn project(audit: &str) -> Project {
    let rest = format!(
        "{audit}[jobs.play]\nplaybook = \"play.yml\"\nevent-handlers = \
         [\"watch\"]\nextra-vars = {{ seven = 7 }}\npasswords = {{ \"^Never\" = {{ file = \"password\" }} \
         }}\n[plugins.watch]\npath = {:?}\ngrants.read = [\"rules\"]\n",
        guest("counts_everything").display(),
    );
    Project::new(1, &rest)
        .file("play.yml", PLAY)
        .file("more", MORE_HOSTS)
        .file("rules/limits.json", "{}")
        .file("password", "not to be had")
        .file(".gitignore", "home/\nartifacts/\naudit.pem\npassword\n")
        .file("collections/ansible_collections/acme/tools/MANIFEST.json", MANIFEST)
        .file("collections/ansible_collections/acme/own/galaxy.yml", "namespace: acme\nname: own\nversion: 0.1.0\n")
        .file("collections/ansible_collections/acme/torn/MANIFEST.json", "{")
}

const SIGNED: &str = "[audit]\nkey = \"audit.pem\"\norigin = \"example.org/deploys\"\n";

/// Runs it and returns the events of that run, and its id.
fn journal(project: &Project, more: &[&str]) -> (Vec<Value>, String) {
    let before = runs(project);
    drop(project.playwarden(&[&["run", "-i", "hosts", "-i", "more"], more].concat()).expect(0));
    let run = runs(project).into_iter().find(|run| !before.contains(run)).unwrap();
    let text = fs::read_to_string(project.path("artifacts").join(&run).join("events.jsonl")).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), run)
}

fn only<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let mut found = events.iter().filter(|event| event["event"] == name);
    let event = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(found.next().is_none(), "two of {name}");
    &event["event_data"]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn git(project: &Project, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]).args(arguments);
    ran(command.current_dir(project.path(".")).output().unwrap()).expect(0).stdout.trim().to_owned()
}

fn input<'a>(started: &'a Value, kind: &str) -> &'a Value {
    started["inputs"].as_array().unwrap().iter().find(|input| input["kind"] == kind).unwrap()
}

fn of_file(project: &Project, path: &str) -> Value {
    let sha256 = hex(&Sha256::digest(fs::read(project.path(path)).unwrap()));
    json!({ "path": project.path(path).display().to_string(), "sha256": sha256, "files": 1 })
}

#[test]
fn who_and_why_and_what_stand_at_the_beginning() {
    let project = project(SIGNED);
    drop(project.playwarden(&["audit", "key", "audit.pem"]).expect(0));
    drop(git(&project, &["init", "-q"]));
    drop(git(&project, &["add", "."]));
    drop(git(&project, &["commit", "-q", "-m", "first"]));
    // What it compiles lies in the home, which is in the project here.
    drop(journal(&project, &[]));
    let sum = Command::new("sh").args(["-c", SUM]).current_dir(project.path(".")).output().unwrap();
    let sum = ran(sum).expect(0).stdout;

    let (events, run) = journal(&project, &["--reason", "a new release", "--ticket", "CHG-7"]);
    assert_eq!(events[0]["event"], "run_started");
    let started = &events[0]["event_data"];
    assert_eq!((&started["reason"], &started["ticket"]), (&json!("a new release"), &json!("CHG-7")));
    let by = &started["by"];
    assert_eq!(by["uid"], rustix::process::getuid().as_raw());
    assert_eq!(by["host"], fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    assert_eq!(by["cwd"], project.path("").display().to_string().trim_end_matches('/'));
    assert_eq!(by["parent"], fs::read_to_string("/proc/self/comm").unwrap().trim());
    let whole = fs::read_to_string(project.path("artifacts").join(&run).join("run.json")).unwrap();
    assert_eq!(by["user"], serde_json::from_str::<Value>(&whole).unwrap()["plan"]["user"]);
    let python = "import hashlib,json,sys;print(hashlib.sha256(json.dumps(json.loads(sys.argv[1])['plan'],separators=(',',':'),\
                  ensure_ascii=False).encode()).hexdigest())";
    let theirs = Command::new(venv().join("bin/python")).args(["-c", python, &whole]).output().unwrap();
    assert_eq!(started["plan"], ran(theirs).expect(0).stdout.trim());

    let found = input(started, "project");
    assert_eq!(found["sha256"], sum.split(' ').next().unwrap());
    assert_eq!(found["commit"], git(&project, &["rev-parse", "HEAD"]));
    assert_eq!(found["dirty"], false);
    let mut config = of_file(&project, "runner.toml");
    config["kind"] = json!("config");
    assert_eq!(*input(started, "config"), config);
    let mut grant = input(started, "grant").clone();
    assert_eq!(grant["files"], 1);
    grant.as_object_mut().unwrap().remove("sha256").unwrap();
    let rules = project.path("rules").display().to_string();
    assert_eq!(grant, json!({ "kind": "grant", "plugin": "watch", "path": rules, "files": 1 }));
    let inventories: Vec<&Value> =
        started["inputs"].as_array().unwrap().iter().filter(|input| input["kind"] == "inventory").collect();
    assert_eq!(inventories.len(), 2);
    assert_eq!(inventories[1]["sha256"], of_file(&project, "more")["sha256"]);

    // One byte that is not committed.
    let project = project.file("play.yml", &format!("{PLAY}\n"));
    let (events, run) = journal(&project, &[]);
    let changed = input(&events[0]["event_data"], "project");
    assert_eq!(changed["dirty"], true);
    assert_ne!(changed["sha256"], found["sha256"]);
    let shown = project.playwarden(&["show", &run]).expect(0).stdout;
    assert!(!shown.contains("ticket"), "{shown}");
}

#[test]
fn what_ansible_has_loaded_stands_before_its_first_play() {
    let project = project(SIGNED).file("ansible.cfg", "[defaults]\n");
    drop(project.playwarden(&["audit", "key", "audit.pem"]).expect(0));
    let (events, run) = journal(&project, &["--ticket", "CHG-8"]);
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let place = |name: &str| names.iter().position(|it| *it == name).unwrap();
    assert!(place("ansible_loaded") < place("playbook_on_play_start"), "{names:?}");
    let loaded = only(&events, "ansible_loaded");
    assert_eq!(loaded["core"], core());
    let program = loaded["interpreter"].as_str().unwrap();
    let version =
        Command::new(program).args(["-c", "import platform;print(platform.python_version())"]).output().unwrap();
    assert_eq!(loaded["python"], ran(version).expect(0).stdout.trim());
    assert!(loaded["location"].as_str().unwrap().starts_with(&venv().canonicalize().unwrap().display().to_string()));
    let mut config = of_file(&project, "ansible.cfg");
    config.as_object_mut().unwrap().remove("files").unwrap();
    assert_eq!(loaded["config"], config);

    let ours: Vec<&Value> = loaded["collections"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|collection| collection["name"].as_str().unwrap().starts_with("acme."))
        .collect();
    let path = |name: &str| project.path("collections/ansible_collections/acme").join(name).display().to_string();
    let sum = |text: &str| hex(&Sha256::digest(text));
    let expected = [
        json!({ "name": "acme.own", "version": "0.1.0", "path": path("own"), "manifest": null }),
        json!({ "name": "acme.tools", "version": "2.3.4", "path": path("tools"), "manifest": sum(MANIFEST) }),
        json!({ "name": "acme.torn", "version": null, "path": path("torn"), "manifest": sum("{") }),
    ];
    assert_eq!(ours, expected.iter().collect::<Vec<_>>());

    let inventory = &loaded["inventory"];
    assert_eq!(inventory["hosts"], json!(["h1", "w1", "w2"]));
    assert_eq!(inventory["groups"]["web"], json!({ "hosts": ["w1", "w2"], "children": [] }));
    assert_eq!(inventory["groups"]["site"], json!({ "hosts": [], "children": ["web", "db"] }));
    let shown = project.playwarden(&["show", &run]).expect(0).stdout;
    assert!(shown.contains("\nticket    CHG-8\n"), "{shown}");
}

#[test]
fn each_start_says_how_and_as_whom_the_host_is_reached() {
    let project = project("");
    let (events, _) = journal(&project, &[]);
    let reached: Vec<Value> = events
        .iter()
        .filter(|event| event["event"] == "runner_on_start")
        .map(|event| {
            let start = &event["event_data"]["start"];
            json!(["host", "address", "connection", "remote_user", "become_user"].map(|key| start[key].clone()))
        })
        .collect();
    assert_eq!(
        reached,
        [
            json!(["h1", null, "local", "deploy", null]),
            json!(["w1", "192.0.2.7", "local", "ops", null]),
            json!(["w2", "{{ seven }}", "ssh", "deploy", null]),
            json!(["h1", null, "local", "deploy", "app"]),
            json!(["w1", "192.0.2.7", "local", "ops", "app"]),
            json!(["w2", "{{ seven }}", "ssh", "deploy", "db"]),
            // Whose variables count only core's worker knows.
            json!(["h1", null, "ssh", "deploy", null]),
            json!(["w1", null, "ssh", "deploy", null]),
            json!(["w2", null, "ssh", "deploy", null]),
        ]
    );
    // Digests take time and an inventory room: only for who wants to prove something.
    let started = &events[0]["event_data"];
    assert!(started.get("inputs").is_none() && started.get("by").is_some(), "{started}");
    assert!(events.iter().all(|event| event["event"] != "ansible_loaded"));
}
