//! Jobs that run elsewhere: `transmit | worker | process`, each half also with a real ansible-runner as the other.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::alive::{eventually, mark, marked, nothing_with, send};
use crate::chance::Chance;
use crate::figures;
use crate::support::{Project, Ran, ran, venv};

mod hostile;

const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n";

/// A private data dir `d` with two local hosts and a playbook `test.yml` of these tasks; `temp` is where workers make theirs.
fn data_dir(tasks: &str) -> Project {
    let project = Project::empty();
    let home = project.path("home").display().to_string();
    let hosts = format!(
        "[all:vars]\nansible_connection=local\nansible_remote_tmp={home}/remote\nansible_async_dir={home}/async\n\
         ansible_python_interpreter={python}\n[fleet]\nh1\nh2\n",
        python = venv().join("bin/python").display()
    );
    project.folder("temp").file("d/inventory/hosts", &hosts).file("d/project/test.yml", &format!("{PLAY}{tasks}"))
}

/// Any program in the project, with the test's Ansible on the PATH and pipes on all sides.
fn piped(project: &Project, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    project.adopt(&mut command);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", venv().join("bin").display()));
    command.env("TMPDIR", project.path("temp")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ours() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_playwarden"))
}

/// The real ansible-runner; without one the test says that it was not run.
fn runner(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("PLAYWARDEN_TEST_RUNNER").filter(|path| !path.is_empty()).map(PathBuf::from);
    let installed = || {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ansible");
        let versions = fs::read_dir(folder).into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin/ansible-runner")).find(|path| path.exists())
    };
    let found = named.or_else(installed);
    if found.is_none() {
        figures::note("not_run", 1);
        let text = format!("NOT RUN: {test}: there is no ansible-runner; `cargo xtask test` installs it\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    found
}

/// Runs a program to its end with this input.
fn with_input(mut command: Command, input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not read on is no reason to wait.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// The same for text.
fn text(command: Command, input: &[u8]) -> Ran {
    let (code, stdout, stderr) = with_input(command, input);
    Ran { code, stdout: String::from_utf8(stdout).unwrap(), stderr }
}

fn transmitted(project: &Project, program: &Path, arguments: &[&str]) -> Vec<u8> {
    let place: &[&str] = if program == ours() { &["transmit", "--private-data-dir", "d"] } else { &["transmit", "d"] };
    let (code, stream, stderr) = with_input(piped(project, program, &[place, arguments].concat()), b"");
    assert_eq!(code, Some(0), "{stderr}");
    stream
}

fn worked(project: &Project, program: &Path, arguments: &[&str], job: &[u8], code: i32) -> Vec<u8> {
    let (came, stream, stderr) = with_input(piped(project, program, &[&["worker"], arguments].concat()), job);
    assert_eq!(came, Some(code), "{stderr}\n{}", String::from_utf8_lossy(&stream));
    stream
}

fn processed(project: &Project, program: &Path, arguments: &[&str], stream: &[u8]) -> Ran {
    let place: &[&str] = if program == ours() { &["process", "--private-data-dir", "r"] } else { &["process", "r"] };
    text(piped(project, program, &[place, arguments].concat()), stream)
}

/// What a stream says, without the archives.
fn lines(stream: &[u8]) -> Vec<Value> {
    let mut rest = stream;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("every line has an end");
        let line: Value = serde_json::from_slice(&rest[..end]).unwrap_or_else(|err| {
            panic!("{err}: {}", String::from_utf8_lossy(&rest[..end]).chars().take(300).collect::<String>())
        });
        rest = &rest[end + 1..];
        if let Some(length) = line["zipfile"].as_u64() {
            rest = &rest[usize::try_from(length.div_ceil(3) * 4).unwrap()..];
        }
        lines.push(line);
    }
    lines
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["event"].as_str()).collect()
}

fn statuses(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["status"].as_str()).collect()
}

fn read(project: &Project, path: &str) -> String {
    fs::read_to_string(project.path(path)).unwrap()
}

/// Says what processing has to come to, whoever worked.
fn is_there(project: &Project, shown: &Ran, folder: &str) {
    assert!(shown.stdout.contains("\"msg\": \"hello elsewhere\""), "{}", shown.stdout);
    assert_eq!(
        (read(project, &format!("{folder}/rc")).trim(), read(project, &format!("{folder}/status")).trim()),
        ("0", "successful")
    );
    assert!(read(project, &format!("{folder}/stdout")).contains("PLAY RECAP"));
    let files = project.names(&format!("{folder}/job_events"));
    assert!(files.iter().all(|name| name.ends_with(".json")), "{files:?}");
    let events: Vec<Value> = files
        .iter()
        .map(|name| serde_json::from_str(&read(project, &format!("{folder}/job_events/{name}"))).unwrap())
        .collect();
    assert_eq!(events.iter().filter(|event| event["event"] == "runner_on_ok").count(), 2);
    assert_eq!(project.names("temp"), [""; 0], "the worker left something behind");
}

const HELLO: &str = "    - debug: msg='hello {{ where }}'\n";

#[test]
fn a_job_goes_out_and_its_run_comes_back_as_if_it_had_been_here() {
    let project = data_dir(HELLO).file("d/env/extravars", "where: elsewhere\n");
    let job = transmitted(&project, ours(), &["-p", "test.yml", "--ident", "x", "--check", "--forks", "3"]);
    let said = lines(&job);
    assert_eq!(said[0], json!({"kwargs": {"ident": "x", "playbook": "test.yml", "forks": 3, "cmdline": "--check"}}));
    assert_eq!((said.len(), &said[2]), (3, &json!({"eof": true})));
    let stream = worked(&project, ours(), &[], &job, 0);
    let said = lines(&stream);
    assert_eq!(statuses(&said), ["starting", "running", "successful"]);
    assert!(names(&said).contains(&"playbook_on_stats"));
    let starting = said.iter().find(|line| line["status"] == "starting").unwrap();
    assert!(starting["command"][0].as_str().unwrap().ends_with("/ansible-playbook"), "{starting}");
    assert!(starting["cwd"].as_str().unwrap().ends_with("/project") && starting["env"]["HOME"].is_null(), "{starting}");
    assert_eq!(said.last(), Some(&json!({"eof": true})));

    let shown = processed(&project, ours(), &["--ident", "x"], &stream).expect(0);
    // A folder that has a run gets no other one.
    let again = processed(&project, ours(), &["--ident", "x"], &stream).expect(2);
    assert!(again.stderr.contains("there is a run `x`") && again.stderr.contains("`--ident`"), "{}", again.stderr);
    is_there(&project, &shown, "r/artifacts/x");
    let ours =
        |arguments: &[&str]| project.playwarden(&[arguments, &["--private-data-dir", "r"]].concat()).expect(0).stdout;
    assert!(ours(&["list"]).contains("test.yml"));
    assert!(ours(&["show", "x"]).contains("successful"));
    assert!(ours(&["events", "x"]).contains("runner_on_ok"));
    assert!(ours(&["stdout", "x"]).contains("hello elsewhere"));
    let mode = fs::metadata(project.path("r/artifacts/x")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(!project.path("d/artifacts").exists());
}

#[test]
fn a_real_worker_runs_what_we_transmit_and_we_take_what_it_says() {
    let Some(runner) = runner("a_real_worker_runs_what_we_transmit") else { return };
    let project = data_dir(HELLO).file("d/env/extravars", "where: elsewhere\n");
    let job = transmitted(&project, ours(), &["-p", "test.yml", "--ident", "x", "--diff", "-i", "d/inventory/hosts"]);
    let stream = worked(&project, &runner, &[], &job, 0);
    let shown = processed(&project, ours(), &["--ident", "x"], &stream).expect(0);
    is_there(&project, &shown, "r/artifacts/x");
    let command = read(&project, "r/artifacts/x/command");
    assert!(command.contains("--diff"), "{command}");
}

#[test]
fn we_run_what_a_real_one_transmits_and_it_takes_what_we_say() {
    let Some(runner) = runner("we_run_what_a_real_one_transmits") else { return };
    let project = data_dir(HELLO).file("d/env/extravars", "where: elsewhere\n").folder("r");
    let job = transmitted(&project, &runner, &["-p", "test.yml", "--ident", "x", "--inventory", "hosts"]);
    let stream = worked(&project, ours(), &[], &job, 0);
    let shown = processed(&project, &runner, &["--ident", "x"], &stream).expect(0);
    is_there(&project, &shown, "r/artifacts/x");
}

#[test]
fn modules_roles_inventories_and_links_arrive_at_either_worker() {
    let runner = runner("modules_roles_inventories_and_links_arrive, at a real worker");
    let project = data_dir("    - debug: msg={{ lookup('file', 'link.txt') }}\n")
        .file("d/project/note.txt", "through a link")
        .file("d/project/run.sh", "#!/bin/sh\n")
        .file("d/roles/greet/tasks/main.yml", "- debug: msg='role {{ whom }}'\n");
    symlink("note.txt", project.path("d/project/link.txt")).unwrap();
    fs::set_permissions(project.path("d/project/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let pipe = project.path("d/project/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let said = [
        (&["-p", "test.yml", "-l", "h1"][..], "through a link"),
        (&["-m", "command", "-a", "test -x ../project/run.sh -o -x project/run.sh", "--hosts", "h1"], "rc=0"),
        (&["-r", "greet", "--role-vars", "whom=you", "--hosts", "h2", "--role-skip-facts"], "role you"),
        (&["-p", "test.yml", "-i", "n1,n2", "-e", "ansible_connection=local", "-l", "n2"], "ok: [n2]"),
    ];
    for (arguments, expected) in said {
        let job = transmitted(&project, ours(), arguments);
        for program in [Some(ours()), runner.as_deref()].into_iter().flatten() {
            let stream = worked(&project, program, &[], &job, 0);
            let shown = processed(&project, ours(), &[], &stream).expect(0);
            assert!(shown.stdout.contains(expected), "{}, {arguments:?}: {}", program.display(), shown.stdout);
        }
    }
    assert_eq!(project.names("temp"), [""; 0]);
}

#[test]
fn nothing_is_transmitted_when_the_inputs_are_wrong_and_no_ansible_is_needed() {
    let project = data_dir(HELLO);
    for (arguments, code, why) in [
        (&["-p", "tset.yml"][..], 2, "tset.yml"),
        (&["-m", "ping"], 2, "on which hosts"),
        (&["-p", "test.yml", "-i", "d/inventory", "-i", "d/inventory/hosts"], 2, "several inventories"),
        (&["-p", "test.yml", "--forks", "0"], 2, "forks"),
    ] {
        let command = piped(&project, ours(), &[&["transmit", "--private-data-dir", "d"], arguments].concat());
        let shown = text(command, b"").expect(code);
        assert!(shown.stdout.is_empty() && shown.stderr.contains(why), "{arguments:?}: {}", shown.stderr);
    }
    let mut command = piped(&project, ours(), &["transmit", "--private-data-dir", "d", "-p", "test.yml"]);
    command.env("PATH", "/nowhere");
    assert_eq!(with_input(command, b"").0, Some(0));
}

#[test]
fn a_worker_says_why_there_is_no_run_and_ends_with_1() {
    let project = data_dir(HELLO);
    for (job, why) in [
        ("", "before its end"),
        ("nonsense\n", "no JSON object"),
        ("{\"eof\": true}\n", "has no job"),
        ("{\"kwargs\": {\"playbok\": \"x\"}}\n{\"eof\": true}\n", "playbok"),
        ("{\"kwargs\": {\"playbook\": \"none.yml\"}}\n{\"eof\": true}\n", "none.yml"),
        ("{\"kwargs\": {}}\n{\"zipfile\": 99}\nAAAA", "before its end"),
        ("{\"kwargs\": {}}\n{\"zipfile\": 3}\nAAAA{\"eof\": true}\n", "no zip archive"),
    ] {
        let said = lines(&worked(&project, ours(), &[], job.as_bytes(), 1));
        assert_eq!(statuses(&said), ["error"], "{job}");
        let explanation = said[0]["job_explanation"].as_str().unwrap();
        assert!(explanation.contains(why), "{job}: {explanation}");
        assert_eq!(said[1..], [json!({"eof": true})]);
        let shown = processed(&project, ours(), &[], &[said[0].to_string().as_bytes(), b"\n"].concat()).expect(1);
        assert!(shown.stderr.contains("status `error`") && shown.stderr.contains(why), "{}", shown.stderr);
    }
    assert_eq!(project.names("temp"), [""; 0]);
}

#[test]
fn the_exit_code_is_the_jobs() {
    let project = data_dir("    - fail: msg=no\n");
    let job = transmitted(&project, ours(), &["-p", "test.yml"]);
    let stream = worked(&project, ours(), &[], &job, 2);
    assert_eq!(statuses(&lines(&stream)), ["starting", "running", "failed"]);
    drop(processed(&project, ours(), &["-q"], &stream).expect(2));
}

/// Starts a worker on a job, and reads its lines one by one.
fn live(project: &Project, arguments: &[&str], job: &[u8]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = piped(project, ours(), &[&["worker"], arguments].concat()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(job).unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// Reads lines until one has this text.
fn until(stdout: &mut impl std::io::BufRead, text: &str) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut line = Vec::new();
        assert!(stdout.read_until(b'\n', &mut line).unwrap() > 0, "no {text}: {}", String::from_utf8_lossy(&all));
        all.extend(&line);
        if String::from_utf8_lossy(&line).contains(text) {
            return all;
        }
    }
}

#[test]
fn what_happens_is_told_while_it_happens_and_silence_is_told_too() {
    let project = data_dir("    - wait_for: path={{ lookup('env', 'HOME') }}/go timeout=60\n      run_once: true\n");
    let job = transmitted(&project, ours(), &["-p", "test.yml"]);
    let (mut child, mut stdout) = live(&project, &["--keepalive-seconds", "0.05"], &job);
    let mut stream = until(&mut stdout, "\"runner_on_start\"");
    stream.extend(until(&mut stdout, "\"keepalive\""));
    assert_eq!(lines(&stream).last(), Some(&json!({"event": "keepalive", "counter": 0, "uuid": 0})));
    fs::write(project.path("home/go"), "").unwrap();
    stdout.read_to_end(&mut stream).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(processed(&project, ours(), &[], &stream).expect(0));
}

#[test]
fn lines_stay_whole_between_many_events_and_many_keepalives() {
    let project = data_dir("    - debug: msg='{{ item }} {{ \"x\" * 3000 }}'\n      loop: '{{ range(150) | list }}'\n");
    let job = transmitted(&project, ours(), &["-p", "test.yml"]);
    let stream = worked(&project, ours(), &["--keepalive-seconds", "0.01"], &job, 0);
    // Each line is JSON, or this panics.
    let said = lines(&stream);
    assert_eq!(names(&said).iter().filter(|name| **name == "runner_item_on_ok").count(), 300);
    assert!(names(&said).contains(&"keepalive"));
    let counters: Vec<u64> =
        said.iter().filter_map(|line| line["counter"].as_u64().filter(|counter| *counter > 0)).collect();
    assert_eq!(counters, (1..=counters.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_signal_or_a_reader_that_goes_away_ends_the_run_in_order() {
    for by_signal in [true, false] {
        let mark = mark();
        let project = data_dir(&format!("    - command: sleep {mark}\n    - debug: msg=never\n"));
        let job = transmitted(&project, ours(), &["-p", "test.yml"]);
        let (mut child, mut stdout) = live(&project, &[], &job);
        until(&mut stdout, "\"runner_on_start\"");
        eventually("the task runs", || marked(&mark).iter().any(|(_, command)| command.starts_with("sleep")));
        if by_signal {
            send(&child, Signal::TERM);
            let mut stream = Vec::new();
            stdout.read_to_end(&mut stream).unwrap();
            let said = lines(&stream);
            assert_eq!(statuses(&said).last(), Some(&"canceled"));
            assert_eq!(said.last(), Some(&json!({"eof": true})));
        } else {
            drop(stdout);
        }
        assert_eq!(child.wait().unwrap().code(), Some(254));
        nothing_with(&mark);
        assert_eq!(project.names("temp"), [""; 0], "by signal: {by_signal}");
    }
}

#[test]
fn a_worker_that_waits_for_its_job_leaves_nothing_either() {
    let project = data_dir(HELLO);
    let mut child = piped(&project, ours(), &["worker"]).spawn().unwrap();
    eventually("its folder", || !project.names("temp").is_empty());
    send(&child, Signal::TERM);
    let mut stream = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stream).unwrap();
    assert_eq!(statuses(&lines(&stream)), ["canceled"]);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(project.names("temp"), [""; 0]);
}

#[test]
fn a_named_folder_stays_unless_it_is_to_be_deleted() {
    let project = data_dir(HELLO).file("d/env/extravars", "where: elsewhere\n").file("w/old", "x");
    let job = transmitted(&project, ours(), &["-p", "test.yml", "--ident", "x"]);
    worked(&project, ours(), &["--private-data-dir", "w"], &job, 0);
    assert!(project.path("w/old").exists() && project.path("w/artifacts/x/events.jsonl").exists());
    // Nothing of it is there the second time, or the id would be taken.
    worked(&project, ours(), &["--private-data-dir", "w", "--delete"], &job, 0);
    assert!(!project.path("w").exists());
    let mut command = piped(&project, ours(), &["worker", "--private-data-dir", "/usr", "--delete"]);
    command.stdin(Stdio::null());
    let refused = ran(command.output().unwrap()).expect(1);
    assert!(refused.stderr.contains("is not removed"), "{}", refused.stderr);
}

#[test]
fn a_stream_that_is_cut_anywhere_is_an_error_and_nobody_waits() {
    let project = data_dir(HELLO).file("d/env/extravars", "where: elsewhere\n");
    let job = transmitted(&project, ours(), &["-p", "test.yml", "--ident", "x"]);
    let stream = worked(&project, ours(), &[], &job, 0);
    let mut chance = Chance(0x2026_1122_0815_4711);
    for _ in figures::rounds(12) {
        let cut = chance.below(stream.len() - 1);
        let shown = processed(&project, ours(), &["-q"], &stream[..cut]).expect(1);
        assert!(shown.stderr.contains("status `error`"), "{cut}: {}", shown.stderr);
        let cut = chance.below(job.len() - 1);
        assert_eq!(statuses(&lines(&worked(&project, ours(), &[], &job[..cut], 1))), ["error"], "{cut}");
    }
    assert_eq!(project.names("temp"), [""; 0]);
}

#[test]
fn a_worker_that_is_killed_is_an_error_for_who_processes() {
    let mark = mark();
    let project = data_dir(&format!("    - command: sleep {mark}\n"));
    let job = transmitted(&project, ours(), &["-p", "test.yml"]);
    let (mut child, mut stdout) = live(&project, &[], &job);
    let mut stream = until(&mut stdout, "\"runner_on_start\"");
    send(&child, Signal::KILL);
    stdout.read_to_end(&mut stream).unwrap();
    child.wait().unwrap();
    let shown = processed(&project, ours(), &["-q"], &stream).expect(1);
    assert!(shown.stderr.contains("before its end was said"), "{}", shown.stderr);
    eventually("the guard ends the run", || marked(&mark).is_empty());
}

#[test]
fn a_machine_says_what_it_has_and_what_killed_workers_left_is_cleaned_up() {
    let project = data_dir(HELLO).file("temp/playwarden-worker-a/env/x", "").file("temp/playwarden-worker-b/x", "");
    let info = project.playwarden(&["worker", "--worker-info"]).expect(0).stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    assert!(info["cpu_count"].as_u64() > Some(0) && info["mem_in_bytes"].as_u64() > Some(1 << 20), "{info}");
    assert_eq!(info["uuid"].as_str().unwrap(), read(&project, "home/.ansible_runner_uuid"));
    assert_eq!(info["errors"], json!([]));

    let cleanup = |more: &[&str]| {
        let pattern = project.path("temp/playwarden-worker-*").display().to_string();
        project.playwarden(&[&["worker", "cleanup", "--file-pattern", &pattern], more].concat()).expect(0).stdout
    };
    assert_eq!(cleanup(&[]), "(changed: False)\n");
    assert_eq!(project.names("temp").len(), 2, "they are not old");
    let removed = cleanup(&["--grace-period", "0", "--exclude-strings", "worker-b"]);
    assert!(removed.contains("Removed 1 private data dir(s)") && removed.ends_with("(changed: True)\n"), "{removed}");
    assert_eq!(project.names("temp"), ["playwarden-worker-b"]);
    let refused = project.playwarden(&["worker", "cleanup", "--file-pattern", "/*", "--grace-period", "0"]).expect(2);
    assert!(refused.stderr.contains("nothing was removed"), "{}", refused.stderr);
}
