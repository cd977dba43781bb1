//! What an author has: a plugin looked at, tried on events and cases, measured, approved.

use std::fs;
use std::time::{Duration, SystemTime};

use playwarden_event::Status;
use serde_json::{Value, json};

use crate::evidence::Evidence;
use crate::support::{Project, guest};

/// Two hosts, of which one fails.
const EVENTS: &str = r#"
// what matters
{"event": "playbook_on_play_start", "play": "deploy", "hosts": ["h1", "h2"]}
{"event": "playbook_on_task_start", "task": "restart"}
{"event": "runner_on_start", "host": "h1"}
{"event": "runner_on_failed", "host": "h1", "res": {"msg": "no"}}
{"event": "runner_on_start", "host": "h2", "task": "after"}
"#;

const SUITES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/languages/cases");

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|err| panic!("{err}: {text}"))
}

#[test]
fn a_component_says_what_it_is_and_needs() {
    let project = Project::empty();
    let shown = json(&project.playwarden(&["plugin", "inspect", "fail-budget", "--json"]).expect(0).stdout);
    assert_eq!(shown["hooks"], json!(["cancel-policy"]));
    assert_eq!(shown["exports"], json!(["cancel-policy", "config-check"]));
    assert_eq!((&shown["contract"], &shown["version"]), (&json!(["0.1.0"]), &json!("0.1.0")));
    assert_eq!(shown["grants"], json!([]));
    assert!(shown["schema"]["properties"]["max-failed-hosts"].is_object(), "{shown}");
    assert!(shown["memory"].as_u64().unwrap() > 0 && shown["size"].as_u64().unwrap() > 0);
    assert!(shown["producers"].to_string().contains("rustc"), "{shown}");
    let text = project.playwarden(&["plugin", "inspect", "webhook"]).expect(0).stdout;
    assert!(text.contains("[plugins.webhook.grants]\n          http = [\"https://HOST\"]"), "{text}");
    let schema = project.playwarden(&["plugin", "inspect", "fail-budget", "--schema"]).expect(0).stdout;
    assert_eq!(json(&schema)["type"], "object");

    let project = project.file("broken.wasm", "\0asm\x0d\0\x01\0nonsense").file("text.wasm", "no");
    for (file, why) in [("./broken.wasm", "not valid"), ("./text.wasm", "not a WebAssembly component")] {
        let shown = project.playwarden(&["plugin", "inspect", file]).expect(31);
        assert!(shown.stderr.contains(why), "{}", shown.stderr);
    }
    let shown = project.playwarden(&["plugin", "inspect", "fail-bugdet"]).expect(2);
    assert!(shown.stderr.contains("did you mean `fail-budget`?"), "{}", shown.stderr);
}

#[test]
fn a_config_is_checked_as_before_a_run() {
    let project = Project::empty();
    let fine = project.playwarden(&["plugin", "check", "fail-budget", "-c", "max-failed-hosts=1"]).expect(0);
    assert_eq!(fine.stdout, "plugin `fail-budget` is fine\n");
    let shown = project.playwarden(&["plugin", "check", "fail-budget", "-c", "max-failed-host=1"]).expect(30);
    assert!(shown.stderr.contains("max-failed-host"), "{}", shown.stderr);
    let warned = ["plugin", "check", "fail-budget", "-c", "{\"max-failed-hosts\": 1, \"minimum-hosts\": 3}"];
    assert!(project.playwarden(&warned).expect(0).stderr.contains("warning: plugin `fail-budget` says: has no effect"));
    let shown = project.playwarden(&["plugin", "compile", "fail-budget", "./none.wasm"]).expect(31);
    assert!(shown.stdout.starts_with("fail-budget  ") && shown.stderr.contains("none.wasm"), "{shown:?}");
}

#[test]
fn events_written_by_hand_are_shown_to_a_plugin() {
    let project = Project::empty().file("events.jsonl", EVENTS);
    let run = |more: &[&str]| {
        let base = ["plugin", "run", "fail-budget", "events.jsonl", "-c", "max-failed-hosts=0"];
        project.playwarden(&[&base[..], more].concat()).expect(0).stdout
    };
    let shown = json(&run(&["--json"]));
    assert_eq!((&shown["events"], &shown["canceled"], &shown["spared"]), (&json!(5), &json!(true), &json!(1)));
    assert_eq!(shown["verdicts"][0]["reason"]["event"], 4);
    let text = run(&[]);
    assert!(text.contains("event      4  would have been canceled: 1 of 2 hosts failed"), "{text}");

    let output = project.path("out").display().to_string();
    let text = project.playwarden(&["plugin", "run", "audit-jsonl", "events.jsonl", "-o", &output]).expect(0).stdout;
    assert!(text.contains("5 of 5 events acknowledged\n  wrote audit.jsonl"), "{text}");
    let line = json(fs::read_to_string(project.path("out/audit.jsonl")).unwrap().lines().next().unwrap());
    assert_eq!((&line["host"], &line["result"], &line["task"]), (&json!("h1"), &json!("failed"), &json!("restart")));

    let project = project.file("wrong.jsonl", "{\"event\": \"runner_on_fail\"}\n");
    let shown =
        project.playwarden(&["plugin", "run", "fail-budget", "wrong.jsonl", "-c", "max-failed-hosts=0"]).expect(2);
    assert!(shown.stderr.contains("line 1: there is no event `runner_on_fail`"), "{}", shown.stderr);
    assert!(shown.stderr.contains("did you mean `runner_on_failed`?"), "{}", shown.stderr);
    let _shown = project.playwarden(&["plugin", "run", "fail-budget", "none.jsonl"]).expect(2);
}

#[test]
fn the_built_in_plugins_pass_the_suites_that_every_language_has_to_pass() {
    let project = Project::empty();
    for plugin in ["fail-budget", "audit-jsonl"] {
        let cases = format!("{SUITES}/{plugin}");
        let shown = project.playwarden(&["plugin", "test", plugin, "--cases", &cases]).expect(0).stdout;
        let count = fs::read_dir(&cases).unwrap().count();
        assert!(shown.ends_with(&format!("{count} cases, 0 bad\n")) && count >= 5, "{shown}");
    }
}

#[test]
fn the_built_in_plugins_pass_their_own_suites() {
    let project = Project::empty();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/examples");
    let mut suites = Vec::new();
    for example in fs::read_dir(examples).unwrap() {
        let example = example.unwrap();
        let cases = example.path().join("cases");
        if !cases.is_dir() {
            continue;
        }
        let (plugin, cases) = (example.file_name().into_string().unwrap(), cases.to_str().unwrap());
        let shown = project.playwarden(&["plugin", "test", &plugin, "--cases", cases]).expect(0).stdout;
        let count = fs::read_dir(cases).unwrap().count();
        assert!(shown.ends_with(&format!("{count} cases, 0 bad\n")) && count >= 8, "{shown}");
        suites.push(plugin);
    }
    suites.sort();
    assert_eq!(
        suites,
        ["blast-radius", "cel", "change-window", "fail-budget", "forbidden", "rego", "signature", "slow-host"]
    );
}

#[test]
fn a_case_that_differs_shows_what_was_expected_and_what_came() {
    let project = Project::empty()
        .file("cases/one/case.toml", "config = { max-failed-hosts = 0 }\n")
        .file("cases/one/events.jsonl", EVENTS)
        .file("cases/one/expected.json", "{\"verdicts\": [{\"event\": 7, \"verdict\": \"cancel\"}]}")
        .file("cases/two/case.toml", "confg = { max-failed-hosts = 0 }\nrestart-after = [3, 0]\n")
        .file("cases/three/events.jsonl", EVENTS);
    let test = |more: &[&str]| {
        project.playwarden(
            &[&["plugin", "test", "fail-budget", "--cases", "cases", "--junit", "junit.xml"], more].concat(),
        )
    };
    let shown = test(&[]).expect(1).stdout;
    assert!(shown.contains("`restart-after[1]` must be at least 1"), "{shown}");
    assert!(shown.contains("differs  one\n") && shown.contains("-       \"event\": 7,\n"), "{shown}");
    assert!(shown.contains("+       \"event\": 4,\n"), "{shown}");
    assert!(shown.contains("bad      two\n") && shown.contains("did you mean `config`?"), "{shown}");
    assert!(shown.contains("bad      three\n") && shown.ends_with("3 cases, 3 bad\n"), "{shown}");
    let junit = fs::read_to_string(project.path("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"3\" failures=\"1\" errors=\"2\""), "{junit}");

    let written = test(&["--only", "one", "--update"]).expect(0).stdout;
    assert!(written.starts_with("written  one\n"), "{written}");
    assert!(test(&["--only", "one"]).expect(0).stdout.starts_with("ok       one\n"));
    let expected = json(&fs::read_to_string(project.path("cases/one/expected.json")).unwrap());
    assert_eq!((&expected["verdicts"][0]["event"], &expected["faults"]), (&json!(4), &json!([])));
    let _shown = test(&["--only", "four"]).expect(2);
    fs::write(project.path("cases/one/case.toml"), "config = { max-failed-hosts = 0 }\nrestart-after = [99]\n")
        .unwrap();
    let late = test(&["--only", "one"]).expect(1).stdout;
    assert!(late.contains("`restart-after` names event 99, and the case has 5"), "{late}");
}

#[test]
fn outputs_are_compared_and_what_was_not_expected_is_told() {
    let project = Project::empty().file("cases/one/events.jsonl", EVENTS);
    let test =
        |more: &[&str]| project.playwarden(&[&["plugin", "test", "audit-jsonl", "--cases", "cases"], more].concat());
    let _written = test(&["--update"]).expect(0);
    let path = project.path("cases/one/expected/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    assert!(test(&[]).expect(0).stdout.contains("ok       one"));
    fs::write(&path, text.replace("\"failed\"", "\"ok\"")).unwrap();
    let shown = test(&[]).expect(1).stdout;
    assert!(
        shown.contains("the output `audit.jsonl` is another") && shown.contains("\"result\":\"failed\""),
        "{shown}"
    );
    fs::rename(&path, project.path("cases/one/expected/other.jsonl")).unwrap();
    let shown = test(&[]).expect(1).stdout;
    assert!(
        shown.contains("`other.jsonl` was not written") && shown.contains("`audit.jsonl` was not expected"),
        "{shown}"
    );
}

#[test]
fn time_is_that_of_the_events_and_chance_is_none() {
    let path = guest("tells_time").display().to_string();
    let events = "{\"event\": \"verbose\", \"created\": \"2026-03-01T10:00:00Z\"}\n\
                  {\"event\": \"verbose\", \"created\": \"2026-03-01T10:00:03Z\"}\n";
    let project =
        Project::empty().file("cases/one/case.toml", "tick = \"1s\"\n").file("cases/one/events.jsonl", events);
    let arguments = ["plugin", "test", &path, "--cases", "cases", "--update"];
    let expected = || {
        let _written = project.playwarden(&arguments).expect(0);
        json(&fs::read_to_string(project.path("cases/one/expected.json")).unwrap())
    };
    let first = expected();
    let ticks: Vec<_> =
        first["verdicts"].as_array().unwrap().iter().map(|said| said["text"].as_str().unwrap()).collect();
    assert_eq!(ticks, ["tick at 1772359201000000000", "tick at 1772359202000000000", "tick at 1772359203000000000"]);
    let logged = first["log"].to_string();
    assert!(logged.contains("1772359203000000000 "), "{logged}");
    assert_eq!(expected(), first);
}

#[test]
fn recorded_runs_tell_what_a_policy_would_have_stopped() {
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: one, command: \"test {{ inventory_hostname }} != h1\"}\n    \
                - {name: two, debug: msg=two}\n";
    let good = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=fine\n";
    let project = Project::new(2, "[jobs.bad]\nplaybook = \"bad.yml\"\n[jobs.good]\nplaybook = \"good.yml\"\n")
        .file("bad.yml", play)
        .file("good.yml", good);
    let _shown = project.playwarden(&["run", "bad", "--run-id", "first"]).expect(10);
    let _shown = project.playwarden(&["run", "good", "--run-id", "second"]).expect(0);
    let replay = |more: &[&str]| {
        let base = ["replay", "--plugin", "fail-budget", "--config", "max-failed-hosts=0"];
        project.playwarden(&[&base[..], more].concat())
    };
    let shown = replay(&["--last", "50"]).expect(0).stdout;
    assert!(shown.starts_with("second  good  successful  nothing to object to\n"), "{shown}");
    assert!(shown.contains("first  bad  failed  would have been canceled at event "), "{shown}");
    assert!(shown.contains("would not have happened: 1 start on h2\n"), "{shown}");
    assert!(
        shown.ends_with(
            "1 of 2 runs would have been canceled, 0 warned of; 1 start on 1 host would not have happened\n"
        )
    );
    assert_eq!(replay(&["--last", "50"]).expect(0).stdout, shown);
    let one = replay(&["--last", "1"]).expect(0).stdout;
    assert!(one.contains("0 of 1 runs") && !one.contains("first"), "{one}");
    let told = json(&replay(&["--last", "9", "--job", "bad", "--json"]).expect(0).stdout);
    assert_eq!(
        (&told["run"], &told["spared_hosts"], &told["status"]),
        (&json!("first"), &json!(["h2"]), &json!("failed"))
    );
    let shown = replay(&["--last", "9", "--job", "other"]).expect(2);
    assert!(shown.stderr.contains("there is no run of job `other` that is over"), "{}", shown.stderr);
}

#[test]
fn a_plugin_that_is_another_one_does_not_load_until_it_is_locked_again() {
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=x\n";
    let job = "[plugins.p]\npath = \"p.wasm\"\nconfig = { max-failed-hosts = 9 }\n[jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"p\"]\n";
    let project = Project::new(1, job).file("play.yml", play);
    let component = project.path("p.wasm");
    fs::copy(guest("fail_budget"), &component).unwrap();
    let lock = |more: &[&str]| project.playwarden(&[&["plugin", "lock"], more].concat());
    assert!(lock(&["--check"]).expect(1).stderr.contains("`runner.lock` is not what the plugins are"));
    assert!(!project.path("runner.lock").exists());
    let shown = lock(&[]).expect(0).stdout;
    assert!(shown.contains("new, exports cancel-policy, config-check"), "{shown}");
    let written = fs::read_to_string(project.path("runner.lock")).unwrap();
    assert!(written.contains("[plugins.p]\nsha256 = \"") && written.contains("source = \"p.wasm\""), "{written}");
    assert!(lock(&["--check"]).expect(0).stdout.contains("as before"));
    let _shown = project.playwarden(&["run"]).expect(0);

    // Another component in its place: it exports more, and reaches out.
    fs::copy(guest("reaches_out"), &component).unwrap();
    let shown = project.playwarden(&["run", "--run-id", "never"]).expect(31);
    assert!(shown.stderr.contains("is another one than `runner.lock` has, and newly imports"), "{}", shown.stderr);
    assert!(
        shown.stderr.contains("wasi:http/outgoing-handler") && shown.stderr.contains("plugin lock p"),
        "{}",
        shown.stderr
    );
    assert!(!project.path("artifacts/never").exists());
    let checked = project.playwarden(&["check", "--json"]).expect(31).stdout;
    assert!(checked.contains("\"plugin-changed\""), "{checked}");
    assert!(lock(&["--check"]).expect(1).stdout.contains("newly imports"));

    fs::copy(guest("fail_budget"), &component).unwrap();
    let _shown = project.playwarden(&["check"]).expect(0);
    // A plugin that nobody approved, and a file that nobody can read.
    fs::write(project.path("runner.lock"), "schema-version = 1\n").unwrap();
    let shown = project.playwarden(&["run"]).expect(31);
    assert!(shown.stderr.contains("plugin `p` is not in `runner.lock`"), "{}", shown.stderr);
    fs::write(project.path("runner.lock"), "<<<<<<<").unwrap();
    let shown = project.playwarden(&["run"]).expect(30);
    assert!(shown.stderr.contains("`runner.lock` cannot be read"), "{}", shown.stderr);
    assert_eq!(Evidence::of(&project).outcome.status, Status::Successful);
}

#[test]
fn a_plugin_is_measured_beside_the_built_in_ones() {
    let project = Project::empty();
    let shown =
        project.playwarden(&["plugin", "bench", &guest("counts_everything").display().to_string()]).expect(0).stdout;
    for word in [
        "counts_everything",
        "fail-budget",
        "audit-jsonl",
        "cancel-policy.evaluate",
        "start-policy.admit",
        "event-handler.on-events",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let shown = project.playwarden(&["plugin", "bench", "fail-budget"]).expect(30);
    assert!(shown.stderr.contains("is needed"), "{}", shown.stderr);
}

#[test]
fn a_project_is_written_and_what_is_none_is_told() {
    let project = Project::empty();
    let shown = project.playwarden(&["plugin", "new", "my-policy", "--lang", "rust"]).expect(0).stdout;
    assert!(shown.contains("playwarden plugin build my-policy"), "{shown}");
    for file in
        ["plugin.toml", "src/lib.rs", "wit/types.wit", "sdk/playwarden-sdk/src/lib.rs", "cases/stops/expected.json"]
    {
        assert!(project.path("my-policy").join(file).is_file(), "{file}");
    }
    let again = project.playwarden(&["plugin", "new", "my-policy", "--lang", "c"]).expect(2);
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);
    let wrong = project.playwarden(&["plugin", "new", "My_Policy", "--lang", "c"]).expect(2);
    assert!(wrong.stderr.contains("small letters"), "{}", wrong.stderr);
    let wrong = project.playwarden(&["plugin", "new", "p", "--lang", "cobol"]).expect(2);
    assert!(wrong.stderr.contains("typescript"), "{}", wrong.stderr);
    let none = project.playwarden(&["plugin", "build", "home"]).expect(30);
    assert!(none.stderr.contains("there is no `plugin.toml`"), "{}", none.stderr);
    let unbuilt = project.playwarden(&["plugin", "test", "my-policy"]).expect(31);
    assert!(unbuilt.stderr.contains("`playwarden plugin build my-policy` builds it"), "{}", unbuilt.stderr);
    // What was built before its sources were changed is not what the author means to try.
    let component = project.path("my-policy/build/my-policy.wasm");
    fs::create_dir_all(component.parent().unwrap()).unwrap();
    fs::copy(guest("fail_budget"), &component).unwrap();
    let _shown = project.playwarden(&["plugin", "test", "my-policy", "--only", "goes-on"]).expect(0);
    let looked_at = project.playwarden(&["plugin", "inspect", "my-policy"]).expect(0).stdout;
    assert!(looked_at.starts_with("plugin    my-policy "), "{looked_at}");
    let source =
        fs::File::options().append(true).open(project.path("my-policy/sdk/playwarden-sdk/src/lib.rs")).unwrap();
    source.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
    let stale = project.playwarden(&["plugin", "test", "my-policy"]).expect(31);
    let text = "plugin `my-policy` was built before `sdk/playwarden-sdk/src/lib.rs` was changed";
    assert!(stale.stderr.contains(text), "{}", stale.stderr);
    // A machine without the language.
    let mut build = project.command(&["plugin", "build", "my-policy"]);
    let build = crate::support::ran(build.env("PATH", "/nonexistent").output().unwrap()).expect(12);
    assert!(
        build.stderr.contains("`cargo` is needed") && build.stderr.contains("rustup target add"),
        "{}",
        build.stderr
    );

    // A slip of the pen, and a question that would never be asked, are told before any tool is there.
    let _shown = project.playwarden(&["plugin", "new", "deaf", "--lang", "python"]).expect(0);
    let code = fs::read_to_string(project.path("deaf/src/plugin.py")).unwrap();
    let more = "\n\nclass StartPolicy(exports.StartPolicy):\n    pass\n";
    fs::write(project.path("deaf/src/plugin.py"), code + more).unwrap();
    let mut deaf = project.command(&["plugin", "build", "deaf"]);
    let deaf = crate::support::ran(deaf.env("PATH", "/nonexistent").output().unwrap()).expect(12).stderr;
    let remedy = "add `export playwarden:plugin/start-policy@0.1.0;` to `wit/plugin.wit`";
    assert!(
        deaf.contains("warning: `src/plugin.py` seems to have `StartPolicy`, which nobody would ask")
            && deaf.contains(remedy),
        "{deaf}"
    );
    let _shown = project.playwarden(&["plugin", "new", "guard", "--lang", "c"]).expect(0);
    let world = fs::read_to_string(project.path("guard/wit/plugin.wit")).unwrap();
    fs::write(project.path("guard/wit/plugin.wit"), world.replace("cancel-policy", "cancel-polcy")).unwrap();
    let slip = project.playwarden(&["plugin", "build", "guard"]).expect(12).stderr;
    let hooks = "hooks of the contract are config-check, lifecycle, event-handler, status-handler, cancel-policy,";
    assert!(slip.contains("'cancel-polcy' not found") && slip.contains(hooks), "{slip}");

    let written = project.playwarden(&["plugin", "wit"]).expect(0).stdout;
    assert_eq!(written, "wit/hooks.wit\nwit/host.wit\nwit/types.wit\nwit/worlds.wit\n");
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/wit/hooks.wit");
    assert_eq!(fs::read(project.path("wit/hooks.wit")).unwrap(), fs::read(here).unwrap());
    let project = project.file("other/types.wit", "mine");
    let _shown = project.playwarden(&["plugin", "wit", "other"]).expect(2);
    assert_eq!(fs::read_to_string(project.path("other/types.wit")).unwrap(), "mine");
}

/// One component of each language, made for each contract that was released, and never made again.
#[test]
fn components_of_every_language_made_for_every_released_contract_load_and_answer() {
    let project = Project::empty();
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/languages/common/template/cases");
    let mut answered = Vec::new();
    for release in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compat")).unwrap() {
        let release = release.unwrap().path();
        for packed in fs::read_dir(&release).unwrap() {
            let packed = packed.unwrap().path();
            let name = packed.file_name().unwrap().to_str().unwrap().replace(".wasm.gz", ".wasm");
            let mut component = fs::File::create(project.path(&name)).unwrap();
            let mut unpacked = flate2::read::GzDecoder::new(fs::File::open(&packed).unwrap());
            std::io::copy(&mut unpacked, &mut component).unwrap();
            let shown =
                project.playwarden(&["plugin", "test", &format!("./{name}"), "--cases", cases]).expect(0).stdout;
            assert!(shown.ends_with("3 cases, 0 bad\n"), "{}: {shown}", packed.display());
            answered.push(name);
        }
    }
    answered.sort();
    let all = ["c", "cpp", "go", "javascript", "python", "rust", "typescript", "zig"];
    assert_eq!(answered, all.map(|language| format!("{language}.wasm")));
}
