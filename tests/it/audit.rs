//! What was run can be proved: whatever of a run was changed, removed or added, two verifiers find it.

mod complete;
mod join;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use playwarden::audit::{Trust, Wrong, verify};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::alive::{appears, eventually, mark, marked};
use crate::chance::Chance;
use crate::support::{Project, ran, venv};

const JOB: &str = "env = { CAN = \"1\" }\n[audit]\nkey = \"audit.pem\"\norigin = \"example.org/deploys\"\n[jobs.play]\n\
                   playbook = \"play.yml\"\n";

const PLAY: &str =
    "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=hello\n    - raw: echo {{ inventory_hostname }}\n";

/// A project that signs, and the public key.
fn project(hosts: usize, play: &str) -> (Project, String) {
    let project = Project::new(hosts, JOB).file("play.yml", play);
    let key = project.playwarden(&["audit", "key", "audit.pem"]).expect(0).stdout.trim().to_owned();
    assert!(key.starts_with("example.org/deploys+"), "{key}");
    (project, key)
}

fn run(project: &Project) -> String {
    let before = runs(project);
    drop(project.playwarden(&["run"]).expect(0));
    runs(project).into_iter().find(|run| !before.contains(run)).unwrap()
}

fn runs(project: &Project) -> Vec<String> {
    project.names("artifacts").into_iter().filter(|name| !name.starts_with('.')).collect()
}

fn audit(project: &Project, arguments: &[&str], code: i32) -> Value {
    let all = [&["audit", "verify", "--json"], arguments].concat();
    serde_json::from_str(&project.playwarden(&all).expect(code).stdout).unwrap()
}

/// What is wrong, as lines; the second verifier must agree on whether anything is.
#[track_caller]
fn wrong(project: &Project, keys: &[&str]) -> Vec<String> {
    let given: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).collect();
    let text = project.playwarden(&[&["audit", "verify", "--all"], &given[..]].concat());
    let lines: Vec<String> =
        text.stdout.lines().filter(|line| line.starts_with("wrong: ")).map(str::to_owned).collect();
    assert_eq!(text.code, Some(if lines.is_empty() { 0 } else { 40 }), "{text:?}");
    let theirs = python(&project.path("artifacts"), keys);
    assert_eq!(theirs.is_empty(), lines.is_empty(), "{lines:?}\n{theirs:?}");
    lines
}

fn verifier() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host/audit/verify.py")
}

fn python(folder: &Path, keys: &[&str]) -> Vec<String> {
    let mut command = Command::new(venv().join("bin/python"));
    let ran = ran(command.arg(verifier()).arg(folder).args(keys).output().unwrap());
    let lines: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
    match ran.code {
        Some(0) => Vec::new(),
        Some(1) if ran.stderr.is_empty() => lines,
        _ => panic!("{ran:?}"),
    }
}

fn log(project: &Project) -> Vec<Value> {
    let text = fs::read_to_string(project.path("artifacts/.audit/log.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(project: &Project) -> Vec<String> {
    log(project).iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_is_signed_when_it_begins_and_when_it_is_over() {
    let (project, key) = project(2, PLAY);
    let first = run(&project);
    let second = run(&project);
    assert_eq!(types(&project), ["log", "run-started", "run-ended", "run-started", "run-ended"]);
    let report = audit(&project, &["--all", "--key", &key], 0);
    assert_eq!(
        (&report["origin"], &report["entries"], &report["keys"]),
        (&json!("example.org/deploys"), &json!(5), &json!([key]))
    );
    assert_eq!((&report["wrong"], &report["notes"]), (&json!([]), &json!([])));
    for row in report["runs"].as_array().unwrap() {
        assert!([&first, &second].contains(&&row["run"].as_str().unwrap().to_owned()));
        assert_eq!((&row["status"], &row["sealed"]), (&json!("successful"), &json!("yes")));
    }
    assert!(wrong(&project, &[&key]).is_empty());
    // A key that nobody knows vouches for nothing.
    let other = project.playwarden(&["audit", "key", "other.pem"]).expect(0).stdout.trim().to_owned();
    let found = wrong(&project, &[&other]);
    assert!(found.len() == 1 && found[0].contains("none of the given keys"), "{found:?}");
    let text = project.playwarden(&["audit", "verify", &first]).expect(0).stdout;
    assert!(
        text.contains(&format!("ok   {first}  successful, ")) && text.contains("compare it with the one you know"),
        "{text}"
    );
}

#[test]
fn without_a_key_the_chain_is_checked_and_the_rest_said() {
    let project = Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", PLAY);
    let id = run(&project);
    let report = audit(&project, &["@"], 0);
    assert_eq!((&report["runs"][0]["sealed"], &report["wrong"]), (&json!("no"), &json!([])));
    assert!(report["notes"][0].as_str().unwrap().contains("there is no log"), "{report}");
    let path = project.path("artifacts").join(&id).join("events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("hello", "hullo", 1)).unwrap();
    let report = audit(&project, &["@"], 40);
    let line = text.lines().position(|line| line.contains("hello")).unwrap();
    let offset: usize = text.lines().take(line).map(|line| line.len() + 1).sum();
    let found = &report["wrong"][0];
    assert_eq!((&found["line"], &found["offset"]), (&json!(line + 1), &json!(offset)), "{report}");
    assert_eq!(found["file"], json!(format!("{id}/events.jsonl")));
    assert!(wrong(&project, &[]).len() == 1);
}

#[test]
fn a_run_that_is_missing_is_missed() {
    let (project, _) = project(1, PLAY);
    let first = run(&project);
    run(&project);
    fs::rename(project.path("artifacts").join(&first), project.path("away")).unwrap();
    let found = wrong(&project, &[]);
    assert!(found.len() == 1 && found[0].contains(&format!("{first} is missing")), "{found:?}");
    assert!(audit(&project, &[&first], 40)["wrong"][0]["text"].as_str().unwrap().contains("is missing"));
    fs::rename(project.path("away"), project.path("artifacts").join(&first)).unwrap();
    assert!(wrong(&project, &[]).is_empty());

    // An older state as a whole is only seen by who kept a checkpoint.
    let copied = Command::new("cp").arg("-r").arg(project.path("artifacts")).arg(project.path("old")).status().unwrap();
    assert!(copied.success());
    let third = run(&project);
    let kept = project.playwarden(&["audit", "checkpoint"]).expect(0).stdout;
    fs::write(project.path("kept"), &kept).unwrap();
    audit(&project, &["--all", "--checkpoint", "kept"], 0);
    fs::remove_dir_all(project.path("artifacts")).unwrap();
    fs::rename(project.path("old"), project.path("artifacts")).unwrap();
    assert!(wrong(&project, &[]).is_empty() && !runs(&project).contains(&third));
    let report = audit(&project, &["--all", "--checkpoint", "kept"], 40);
    assert!(report["wrong"][0]["text"].as_str().unwrap().contains("7 entries, and the log 5"), "{report}");
}

#[test]
fn a_run_that_retention_removed_is_told() {
    let (project, _) = project(1, PLAY);
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let text = text.replace("playbook = \"play.yml\"", "private-data-dir = \"data\"");
    let project =
        project.file("runner.toml", &text).file("data/project/play.yml", PLAY).file("data/env/cmdline", "-i hosts");
    for _ in 0..3 {
        drop(project.playwarden(&["run", "-p", "play.yml", "--rotate-artifacts", "1"]).expect(0));
    }
    assert_eq!(runs(&project).len(), 1);
    let removed = types(&project).iter().filter(|entry| *entry == "run-removed").count();
    assert!(removed == 2 && wrong(&project, &[]).is_empty());
    let notes = audit(&project, &["--all"], 0)["notes"].to_string();
    assert_eq!(notes.matches("was removed: older runs are not kept").count(), 2, "{notes}");
}

#[test]
fn a_log_that_was_changed_is_not_signed_anew() {
    let (project, _) = project(1, PLAY);
    run(&project);
    let path = project.path("artifacts/.audit/log.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    for changed in
        [text.replacen("successful", "failed", 1), text.lines().next().unwrap().to_owned() + "\n", String::new()]
    {
        fs::write(&path, changed).unwrap();
        let before = runs(&project);
        let ran = project.playwarden(&["run"]).expect(74);
        assert!(ran.stderr.contains("is not as it was signed") && ran.stderr.contains("as evidence"), "{ran:?}");
        // Nothing ran, and nothing is left of it.
        assert_eq!(runs(&project), before);
    }
    // What stands behind the signed entries is of a host that was killed, or of somebody else: it is not signed.
    fs::write(
        &path,
        format!("{text}{{\"type\":\"run-removed\",\"run\":\"x\",\"why\":\"me\",\"time\":\"2026-01-01T00:00:00Z\"}}\n"),
    )
    .unwrap();
    assert!(wrong(&project, &[])[0].contains("1 entries behind its 3 signed ones"));
    run(&project);
    assert!(!types(&project).contains(&"run-removed".to_owned()));
    assert!(wrong(&project, &[]).is_empty());
}

#[test]
fn keys_are_handed_over_and_a_lost_one_ends_its_chain() {
    let (project, first) = project(1, PLAY);
    run(&project);
    let second = project.playwarden(&["audit", "key", "second.pem"]).expect(0).stdout.trim().to_owned();
    let ran = project.playwarden(&["audit", "rotate", "second.pem"]).expect(0);
    assert!(ran.stdout.trim() == second && ran.stderr.contains("before the next run"), "{ran:?}");
    use_key(&project, "second.pem");
    run(&project);
    // Whichever of the two an auditor knows.
    for keys in [vec![], vec![first.as_str()], vec![second.as_str()], vec![&first, &second]] {
        assert!(wrong(&project, &keys).is_empty(), "{keys:?}");
    }
    // A hand-over that the first key did not sign.
    let rotation = project.path("artifacts/.audit/rotation-4");
    let note = fs::read_to_string(&rotation).unwrap();
    assert_eq!(note.matches('\u{2014}').count(), 2);
    let lines: Vec<&str> = note.lines().filter(|line| !line.contains(&BASE64.encode(id(&first))[..5])).collect();
    fs::write(&rotation, format!("{}\n", lines.join("\n"))).unwrap();
    assert!(!wrong(&project, &[&first]).is_empty());
    fs::write(&rotation, note).unwrap();
    assert!(wrong(&project, &[&first]).is_empty());

    let third = project.playwarden(&["audit", "key", "third.pem"]).expect(0).stdout.trim().to_owned();
    use_key(&project, "third.pem");
    run(&project);
    let found = wrong(&project, &[]);
    assert!(found.len() == 1 && found[0].contains(&format!("the chain of {second} ends at entry 6")), "{found:?}");
    assert!(!wrong(&project, &[&first]).is_empty() && !wrong(&project, &[&third]).is_empty());
    // Who knows both has accepted it.
    assert!(wrong(&project, &[&second, &third]).is_empty());
}

fn use_key(project: &Project, name: &str) {
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let start = text.find("key = \"").unwrap() + 7;
    let end = start + text[start..].find('"').unwrap();
    fs::write(project.path("runner.toml"), format!("{}{name}{}", &text[..start], &text[end..])).unwrap();
}

/// The four bytes that stand before a key's signatures.
fn id(key: &str) -> Vec<u8> {
    let hex = key.split('+').nth(1).unwrap();
    (0..8).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_key_that_cannot_be_used_stops_the_run_before_it_begins() {
    let project = Project::new(1, JOB).file("play.yml", PLAY);
    let missing = project.playwarden(&["run"]).expect(30).stderr;
    assert!(missing.contains("playwarden audit key audit.pem"), "{missing}");
    for (text, mode, said) in [
        ("no key", 0o600, "it is no ed25519 key in PKCS#8 PEM"),
        (
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
            0o600,
            "it is no ed25519 key",
        ),
        ("", 0o644, "it may be read by others (mode 644); `chmod 600` it"),
    ] {
        fs::write(project.path("audit.pem"), text).unwrap();
        fs::set_permissions(project.path("audit.pem"), fs::Permissions::from_mode(mode)).unwrap();
        let ran = project.playwarden(&["run"]).expect(74);
        assert!(ran.stderr.contains(said), "{ran:?}");
        assert!(runs(&project).is_empty());
        let ran = project.playwarden(&["audit", "key", "audit.pem"]).expect(30);
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    for arguments in
        [&["audit", "verify", "--all", "--key", "x"][..], &["audit", "verify"], &["audit", "verify", "@", "--all"]]
    {
        drop(project.playwarden(arguments).expect(2));
    }
    drop(project.playwarden(&["audit", "checkpoint"]).expect(2));
    drop(project.playwarden(&["audit", "verify", "play.yml"]).expect(40));
}

#[test]
fn keys_of_openssl_are_taken() {
    let (project, key) = project(1, PLAY);
    // Written by `openssl genpkey -algorithm ed25519`.
    let text = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHSDBrFMGxNmN/p3TOaYUdC27wuvZH2Zvj3PiPDz0Dta\n-----END PRIVATE KEY-----\n";
    fs::write(project.path("theirs.pem"), text).unwrap();
    fs::set_permissions(project.path("theirs.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    use_key(&project, "theirs.pem");
    let theirs = project.playwarden(&["audit", "key", "theirs.pem"]).expect(0).stdout.trim().to_owned();
    assert_ne!(theirs, key);
    run(&project);
    assert!(wrong(&project, &[&theirs]).is_empty());
}

#[test]
fn a_run_whose_host_was_killed_is_signed_by_the_next() {
    let mark = mark();
    let (project, _) = project(
        1,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - raw: touch {{ playbook_dir }}/reached; sleep 600\n",
    );
    let text = fs::read_to_string(project.path("runner.toml"))
        .unwrap()
        .replace("CAN = \"1\"", &format!("PW_MARK = \"{mark}\""));
    fs::write(project.path("runner.toml"), text).unwrap();
    let mut child = project.start(&["run"]);
    appears(&project.path("reached"));
    // Somebody else looks at it meanwhile.
    let report = audit(&project, &["--all"], 0);
    assert_eq!((&report["runs"][0]["sealed"], &report["runs"][0]["status"]), (&json!("open"), &Value::Null));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    assert!(wrong(&project, &[]).is_empty());
    // Closing it signs it, where the key is at hand.
    fs::rename(project.path("audit.pem"), project.path("hidden.pem")).unwrap();
    eventually("the run is closed", || project.playwarden(&["list"]).expect(0).stdout.contains("lost"));
    assert_eq!(types(&project), ["log", "run-started"]);
    let report = audit(&project, &["--all"], 0);
    assert!(
        report["notes"][0].to_string().contains("compare")
            && report["notes"][1].to_string().contains("its host was killed"),
        "{report}"
    );
    fs::rename(project.path("hidden.pem"), project.path("audit.pem")).unwrap();
    fs::write(project.path("play.yml"), PLAY).unwrap();
    run(&project);
    assert_eq!(types(&project), ["log", "run-started", "run-ended", "run-started", "run-ended"]);
    let report = audit(&project, &["--all"], 0);
    let sealed: BTreeMap<&str, &str> = report["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["status"].as_str().unwrap(), row["sealed"].as_str().unwrap()))
        .collect();
    assert_eq!(sealed, BTreeMap::from([("lost", "late"), ("successful", "yes")]));
}

#[test]
fn runs_side_by_side_share_one_log() {
    let (project, key) = project(1, PLAY);
    let children: Vec<_> = (0..6).map(|_| project.start(&["run"])).collect();
    for child in children {
        assert_eq!(ran(child.wait_with_output().unwrap()).code, Some(0));
    }
    assert!(wrong(&project, &[&key]).is_empty());
    let count = |name: &str| types(&project).iter().filter(|entry| *entry == name).count();
    assert_eq!((count("log"), count("run-started"), count("run-ended"), count("key")), (1, 6, 6, 0));
}

#[test]
fn a_bundle_is_verified_anywhere() {
    let (project, key) = project(1, PLAY);
    let first = run(&project);
    let second = run(&project);
    drop(project.playwarden(&["audit", "bundle", &first, "-o", "one.zip"]).expect(0));
    drop(project.playwarden(&["audit", "bundle", "--all"]).expect(0));
    let there = project.playwarden(&["audit", "bundle", "@"]).expect(74);
    assert!(there.stderr.contains("--output"), "{there:?}");
    drop(project.playwarden(&["audit", "bundle", "nope"]).expect(2));
    let elsewhere = Project::empty();
    for (name, runs) in [("one.zip", vec![&first]), ("audit.zip", vec![&first, &second])] {
        let file = elsewhere.path(name);
        fs::rename(project.path(name), &file).unwrap();
        let report = audit(&elsewhere, &[file.to_str().unwrap(), "--key", &key], 0);
        let mut known: Vec<&str> =
            report["runs"].as_array().unwrap().iter().map(|row| row["run"].as_str().unwrap()).collect();
        known.sort_unstable();
        let mut runs: Vec<&str> = runs.into_iter().map(String::as_str).collect();
        runs.sort_unstable();
        assert_eq!(known, runs);
        // With the verifier that lies in it, and nothing of Playwarden.
        let folder = elsewhere.path(&format!("{name}.d"));
        let mut unzip = Command::new(venv().join("bin/python"));
        assert!(unzip.args(["-m", "zipfile", "-e"]).args([&file, &folder]).status().unwrap().success());
        assert!(python(&folder, &[&key]).is_empty());
        assert_eq!(fs::read(folder.join("verify.py")).unwrap(), fs::read(verifier()).unwrap());
        fs::remove_file(folder.join(&first).join("events.jsonl")).unwrap();
        assert!(!python(&folder, &[&key]).is_empty());
    }
}

/// A change of one file: bytes from a place to another become others.
struct Splice {
    file: String,
    start: usize,
    end: usize,
    with: Vec<u8>,
}

#[test]
fn ten_thousand_changes_are_found_by_both_verifiers() {
    const CHANGES: usize = 10_000;
    let (project, key) = project(1, "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=hello\n");
    let id = run(&project);
    let folder = project.path("artifacts");
    let journal = format!("{id}/events.jsonl");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let mut chance = Chance(0x0041_5544_4954);
    let mut splices = Vec::new();
    while splices.len() < CHANGES {
        let others = [".audit/log.jsonl", ".audit/checkpoint", "run.json", "stdout", "command", "checkpoint"];
        let name = match chance.below(4) {
            0 => match others[chance.below(others.len())] {
                name if name.starts_with('.') => name.to_owned(),
                name => format!("{id}/{name}"),
            },
            _ => journal.clone(),
        };
        let bytes = read(&name);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let start = |line: usize| lines[..line].iter().map(|line| line.len()).sum::<usize>();
        let line = chance.below(lines.len());
        let (start, end, with) = match chance.below(7) {
            0 => {
                let place = chance.below(bytes.len());
                (place, place + 1, vec![bytes[place] ^ (1 << chance.below(8))])
            }
            1 => (start(line), start(line + 1), Vec::new()),
            2 => {
                // A line, a second time at another place.
                let place = start(chance.below(lines.len()));
                (place, place, lines[line].to_vec())
            }
            3 if line > 0 => {
                let other = chance.below(line);
                let between = &bytes[start(other + 1)..start(line)];
                (start(other), start(line + 1), [lines[line], between, lines[other]].concat())
            }
            4 => (chance.below(bytes.len()), bytes.len(), Vec::new()),
            5 => {
                let place = chance.below(bytes.len());
                (place, place, vec![bytes[chance.below(bytes.len())]])
            }
            6 if name == journal => rebuilt(&lines, line, &mut chance),
            _ => continue,
        };
        if bytes[start..end] != with[..] && !(with.is_empty() && start == end) {
            splices.push(Splice { file: name, start, end, with });
        }
    }

    let trust = Trust { keys: vec![key.parse().unwrap()], checkpoints: Vec::new() };
    assert!(verify(&folder, None, &trust).unwrap().wrong.is_empty());
    let mut patches = String::new();
    let mut missed = Vec::new();
    for (number, Splice { file, start, end, with }) in splices.iter().enumerate() {
        let bytes = read(file);
        fs::write(folder.join(file), [&bytes[..*start], &with[..], &bytes[*end..]].concat()).unwrap();
        let found: Vec<Wrong> = verify(&folder, None, &trust).unwrap().wrong;
        if found.is_empty() {
            missed.push(format!(
                "{number}: {file} {start}..{end} of {}, {:?}",
                bytes.len(),
                String::from_utf8_lossy(with)
            ));
        }
        // A journal's first bad line is the one that was changed, unless all was written anew from there on.
        if let (Some(Wrong { offset: Some(offset), .. }), true) = (found.first(), *file == journal) {
            let of_line = bytes[..*start].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            assert!(
                *offset >= of_line as u64 && *offset <= (*end).max(*start + with.len()) as u64,
                "{number}: {offset} {start} {end}"
            );
        }
        fs::write(folder.join(file), bytes).unwrap();
        writeln!(patches, "{}", json!([file, start, end, BASE64.encode(with)])).unwrap();
    }
    assert!(missed.is_empty(), "{missed:#?}");

    let program = r#"
import base64, functools, importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("verifier", sys.argv[1])
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)
# Most signatures are the same each time.
verifier.is_signature = functools.lru_cache(maxsize=None)(verifier.is_signature)
folder, key, missed, count = sys.argv[2], sys.argv[3], [], 0
assert verifier.verify(folder, [key]) == []
for number, line in enumerate(open(sys.argv[4])):
    name, start, end, data = json.loads(line)
    path = os.path.join(folder, name)
    before = open(path, "rb").read()
    open(path, "wb").write(before[:start] + base64.b64decode(data) + before[end:])
    if not verifier.verify(folder, [key]):
        missed.append(number)
    open(path, "wb").write(before)
    count += 1
print(count, missed)
"#;
    fs::write(project.path("patches"), patches).unwrap();
    let mut command = Command::new(venv().join("bin/python"));
    command.args(["-c", program]).arg(verifier()).arg(&folder).arg(&key).arg(project.path("patches"));
    let ran = ran(command.output().unwrap()).expect(0);
    assert_eq!(ran.stdout.trim(), format!("{CHANGES} []"), "{}", ran.stderr);
    assert!(verify(&folder, None, &trust).unwrap().wrong.is_empty());
}

/// A journal of which a line is changed and everything after it is written anew, so that its chain holds.
fn rebuilt(lines: &[&[u8]], line: usize, chance: &mut Chance) -> (usize, usize, Vec<u8>) {
    const TAIL: usize = r#","prev":"","hash":""}"#.len() + 128 + 1;
    let begin: usize = lines[..line].iter().map(|line| line.len()).sum();
    let end: usize = lines.iter().map(|line| line.len()).sum();
    let before =
        lines[..line].last().map(|line| String::from_utf8_lossy(&line[line.len() - 67..line.len() - 3]).into_owned());
    let mut prev = before.unwrap_or_else(|| "0".repeat(64));
    let mut made = String::new();
    for (index, text) in lines[line..].iter().enumerate() {
        let body = std::str::from_utf8(&text[..text.len() - TAIL]).unwrap();
        let mut body = body.to_owned();
        if index == 0 {
            let pid = chance.below(90_000);
            body = format!("{body},\"more\":{pid}");
        }
        let unsealed = format!("{body},\"prev\":\"{prev}\"}}");
        prev = Sha256::digest(unsealed.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        writeln!(made, "{body},\"prev\":\"{}\",\"hash\":\"{prev}\"}}", &unsealed[body.len() + 9..body.len() + 73])
            .unwrap();
    }
    (begin, end, made.into_bytes())
}
