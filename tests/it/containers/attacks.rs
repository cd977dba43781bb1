//! What runs in a container against the run that it belongs to, and moments that nobody chooses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;

use super::{Contained, Engine, PLAY, each, engines};
use crate::alive::{appears, mark, marked, send};
use crate::evidence::{Evidence, at};
use crate::figures;
use crate::support::core;

#[test]
fn who_runs_in_there_before_ansible_is_heard_can_neither_speak_nor_listen_for_it() {
    // An inventory's script runs before any callback is loaded.
    let script = "#!/usr/bin/env python3\nimport json, os, socket, struct, sys\n\
                  said = {}\n\
                  def attempt(name, what):\n    try:\n        what()\n        said[name] = 'done'\n    except OSError as error:\n        said[name] = type(error).__name__\n\
                  def connect():\n    global s\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('/playwarden/events')\n    \
                  frame = json.dumps({'record': 'hello', 'number': 1, 'time_ns': 1, 'stdout': 0, 'stderr': 0, 'protocol': 1, 'pid': 1, 'core': 'forged', 'python': '3', 'temporary': []}).encode()\n    \
                  s.sendall(struct.pack('>I', len(frame)) + frame)\n\
                  attempt('connect', connect)\n\
                  attempt('unlink', lambda: os.unlink('/playwarden/events'))\n\
                  attempt('rename', lambda: os.rename('/playwarden/interrupts', '/playwarden/x'))\n\
                  attempt('callback', lambda: open('/playwarden/callback/playwarden_callback.py', 'a'))\n\
                  attempt('begun', lambda: open('/playwarden/begun', 'w').write('%d\\n' % os.getpid()))\n\
                  open('/seen/said', 'w').write(json.dumps(said))\n\
                  print(json.dumps({'all': {'hosts': ['h3'], 'vars': {'ansible_connection': 'local'}}}))\n";
    each("cancel-policies = [\"p\"]\nlimit = 'h3'", "    - debug: msg=x\n", |contained| {
        fs::write(contained.project.path("d/inventory/script"), script).unwrap();
        fs::set_permissions(contained.project.path("d/inventory/script"), fs::Permissions::from_mode(0o755)).unwrap();
        let _shown = contained.run(&[]).expect(0);
        let said: Value = serde_json::from_str(&contained.text("seen/said")).unwrap();
        assert_eq!(said["unlink"], "OSError", "{said}");
        assert_eq!(said["rename"], "OSError", "{said}");
        assert_eq!(said["callback"], "OSError", "{said}");
        let run = Evidence::of(&contained.project);
        let record: Value = serde_json::from_str(&run.text("run.json")).unwrap();
        assert_eq!(record["ansible"]["core"], core());
        run.counts_as_ansible_does();
    });
}

#[test]
fn the_runs_are_hidden_wherever_the_container_would_see_them() {
    let tasks = "    - command: sh -c 'ls -A /all/artifacts /runner/project/artifacts; cat /all/artifacts/x/events.jsonl'\n      ignore_errors: true\n";
    each("", "    - debug: msg=x\n", |contained| {
        let link = contained.project.path("by-another-name");
        std::os::unix::fs::symlink(contained.project.path(""), &link).unwrap();
        let text = contained.text("runner.toml").replace("seen:/seen", &format!("{}:/all", link.display()));
        let (head, _) = text.split_once("[jobs.play]").unwrap();
        let job = "[jobs.play]\nplaybook = \"play.yml\"\ninventory = \"d/inventory\"\nlimit = \"h1\"\n";
        fs::write(contained.project.path("runner.toml"), format!("{head}{job}")).unwrap();
        fs::write(contained.project.path("play.yml"), format!("{PLAY}{tasks}")).unwrap();
        let _shown = contained.run(&[]).expect(0);
        let run = Evidence::of(&contained.project);
        let failed = run.about("runner_on_failed", "command")[0];
        assert_eq!(at(failed, "/res/stdout"), "/all/artifacts:\n\n/runner/project/artifacts:");
        // It is the project, also where another mount has the same folder.
        let record: Value = serde_json::from_str(&run.text("run.json")).unwrap();
        assert_eq!(record["plan"]["ansible"]["container"]["folder"], "/runner/project");
    });
}

#[test]
fn what_a_play_writes_beside_the_journal_is_not_taken() {
    let forged = "import json, struct; f = json.dumps({'record': 'event'}).encode(); \
                  open('/playwarden/spill', 'ab').write(struct.pack('>I', len(f)) + f)";
    let tasks = format!("    - command: {{argv: [python, -c, {forged:?}]}}\n");
    each("limit = 'h1'", &tasks, |contained| {
        let _shown = contained.run(&[]).expect(0);
        let run = Evidence::of(&contained.project);
        let said = run
            .named("warning")
            .iter()
            .any(|event| at(event, "/message").as_str().is_some_and(|text| text.contains("beside the journal")));
        assert!(said, "{}", run.list());
    });
}

#[test]
fn nothing_starts_when_the_end_was_decided_before_ansible_was_there() {
    for engine in engines() {
        let contained = Contained::new(*engine, "    - command: touch /seen/late\n", "timeout = '1ms'");
        let shown = contained.run(&[]).expect(22);
        assert!(!contained.project.path("seen/late").exists(), "{shown:?}");
        let run = Evidence::of(&contained.project);
        assert!(run.named("runner_on_start").is_empty(), "{}", run.list());
        assert!(!contained.is_there());
    }
}

#[test]
fn nothing_is_taken_for_what_outlived_the_run() {
    for engine in engines() {
        for _ in figures::rounds(4) {
            let contained = Contained::new(*engine, "    - debug: msg=x\n", "");
            let shown = contained.run(&[]).expect(0);
            assert!(!shown.stderr.contains("still alive"), "{}", shown.stderr);
        }
    }
}

#[test]
fn another_ansible_that_a_play_starts_in_there_is_not_ours() {
    let tasks = "    - command: ansible all -i n1, -c local -m ping\n      run_once: true\n";
    each("", tasks, |contained| {
        let _shown = contained.run(&[]).expect(0);
    });
}

#[test]
fn what_another_container_made_in_a_shared_folder_stays() {
    let mark = mark();
    let job = "env = { ANSIBLE_REMOTE_TMP = '/seen/tmp' }";
    each(job, &format!("    - command: sh -c 'touch /seen/up; sleep {mark}'\n"), |contained| {
        // Containers by the other engine have the machine's files, and share nothing by a mount.
        if contained.engine != Engine::Podman {
            return;
        }
        let hosts = contained.text("d/inventory/hosts");
        let hosts: String =
            hosts.lines().filter(|line| !line.contains("remote_tmp")).map(|line| format!("{line}\n")).collect();
        fs::write(contained.project.path("d/inventory/hosts"), hosts).unwrap();
        // As processes of the same ids in another container would name theirs.
        let names: Vec<_> = (1..300).map(|pid| format!("ansible-tmp-9999999999.5-{pid}-1")).collect();
        for name in &names {
            fs::create_dir_all(contained.project.path("seen/tmp").join(name)).unwrap();
        }
        let mut child = contained.start();
        appears(&contained.project.path("seen/up"));
        send(&child, Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(20));
        let left = contained.project.names("seen/tmp");
        let lost: Vec<_> = names.iter().filter(|name| !left.contains(name)).collect();
        assert!(lost.is_empty(), "{lost:?}");
    });
}

#[test]
fn a_container_whose_id_was_never_written_is_removed_by_its_name() {
    // As when the engine is killed between the two.
    let mark = mark();
    let tasks = format!("    - command: sh -c 'touch /seen/up; sleep {mark}'\n");
    let contained = Contained::new(Engine::Made, &tasks, "");
    let engine = contained.text("bin/docker");
    let forgetful = engine.replace("printf %s \"$id\" >\"$cidfile\"", ":");
    assert_ne!(engine, forgetful);
    fs::write(contained.project.path("bin/docker"), forgetful).unwrap();
    let mut child = contained.start();
    appears(&contained.project.path("seen/up"));
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(20));
    assert!(!contained.is_there() && marked(&mark).is_empty(), "{:?}", marked(&mark));
}
