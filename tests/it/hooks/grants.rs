//! What runner.toml grants a plugin, and nothing else, is within its reach; a secret is nowhere afterwards.

use std::fs;

use playwarden_event::Status;
use serde_json::Value;

use super::server::{Server, nobody};
use super::{PLAY, lines, plugin, project};
use crate::evidence::Evidence;
use crate::support::{Project, Ran, ran};

const FROM_ENV: &str = "env-s3cret-0f-the-test";
const FROM_FILE: &str = "file-s3cret-0f-the-test";

/// A project whose finished callback tries things.
fn reach(tries: &str, grants: &str, playbook: &str) -> Project {
    // Without a grant of HTTP this guest does not load.
    let http = if grants.contains("grants.http") { "" } else { "grants.http = [\"http://127.0.0.1:9\"]\n" };
    let keys = format!("config.tries = [{tries}]\n{http}{grants}");
    project(1, "finished-callbacks = [\"reach\"]", &plugin("reach", "reaches_out", &keys), playbook)
}

/// Runs the job with a secret in the environment.
fn run(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = project.command(arguments);
    command.env("TOKEN", FROM_ENV).env("ZONE", "Europe/Rome").env("OTHER", "not granted");
    ran(command.output().unwrap())
}

fn outcomes(run: &Evidence) -> Vec<String> {
    let outcome = |line: &Value| line["outcome"].as_str().unwrap().to_owned();
    lines(&run.folder.join("plugins/reach/reach.jsonl")).iter().map(outcome).collect()
}

#[test]
fn variables_are_seen_where_they_are_granted() {
    let tries = "{ what = \"env\", name = \"ZONE\" }, { what = \"env\", name = \"OTHER\" }, { what = \"env\", name = \"PATH\" }";
    let project = reach(tries, "grants.env = [\"ZONE\"]", PLAY);
    let _shown = run(&project, &["run"]).expect(0);
    let outcomes = outcomes(&Evidence::of(&project));
    assert_eq!(outcomes[0], "ok Europe/Rome");
    assert!(outcomes[1..].iter().all(|outcome| outcome.starts_with("refused ")), "{outcomes:?}");
}

#[test]
fn a_granted_folder_is_made_and_keeps_what_two_runs_wrote() {
    let tries = "{ what = \"write\", path = \"kept/deep/log\" }, { what = \"read\", path = \"kept/deep/log\" }, \
                 { what = \"write\", path = \"kept/deep/../../out\" }, { what = \"list\", path = \".\" }";
    let project = reach(tries, "grants.write = [\"kept/deep\"]", PLAY);
    assert!(!project.path("kept").exists());
    let _shown = run(&project, &["run", "--run-id", "first"]).expect(0);
    assert_eq!(fs::read_to_string(project.path("kept/deep/log")).unwrap(), "x");
    let outcomes = outcomes(&Evidence::of(&project));
    assert_eq!(outcomes[..2], ["ok written", "ok x"]);
    assert!(outcomes[2..].iter().all(|outcome| outcome.starts_with("refused ")), "{outcomes:?}");
    let _shown = run(&project, &["run", "--run-id", "second"]).expect(0);
    assert_eq!(fs::read_to_string(project.path("kept/deep/log")).unwrap(), "xx");
    assert!(!project.path("out").exists());
}

#[test]
fn a_folder_that_may_be_read_is_read_also_by_the_check_and_never_written() {
    let tries = "{ what = \"read\", path = \"rules/one.txt\" }, { what = \"list\", path = \"rules/deep\" }, \
                 { what = \"write\", path = \"rules/one.txt\" }, { what = \"write\", path = \"rules/two.txt\" }, \
                 { what = \"hard-link\", path = \"rules/one.txt\", to = \"rules/two.txt\" }, \
                 { what = \"read\", path = \"rules/../runner.toml\" }, { what = \"read\", path = \"rules/out\" }";
    let grants = "config.in-check = true\ngrants.read = [\"rules\"]";
    let project = reach(tries, grants, PLAY).file("rules/one.txt", "1").file("rules/deep/three.txt", "3");
    std::os::unix::fs::symlink("../runner.toml", project.path("rules/out")).unwrap();
    let checked = run(&project, &["check"]).expect(0).stdout;
    assert!(checked.contains("ok 1") && checked.contains("ok three.txt"), "{checked}");
    // The same is said once.
    assert!(checked.matches("says: ok ").count() == 2 && checked.contains("says: refused "), "{checked}");
    let _shown = run(&project, &["run"]).expect(0);
    let outcomes = outcomes(&Evidence::of(&project));
    assert_eq!(outcomes[..2], ["ok 1", "ok three.txt"]);
    assert!(outcomes[2..].iter().all(|outcome| outcome.starts_with("refused ")), "{outcomes:?}");
    assert_eq!(fs::read_to_string(project.path("rules/one.txt")).unwrap(), "1");
    assert!(!project.path("rules/two.txt").exists());
}

#[test]
fn a_folder_that_cannot_be_granted_for_reading_is_named() {
    for (grants, code, said) in [
        ("grants.read = [\"rule\"]", "bad-folder", "plugin `reach` may read `rule`, which does not exist"),
        ("grants.read = [\"rules/one.txt\"]", "bad-folder", "may read `rules/one.txt`, which is not a folder"),
        ("grants.read = [\"link\"]", "bad-folder", "may read `link`, which is a symbolic link"),
        ("grants.read = [\"rules\", \"./rules\"]", "repeated-grant", "may read `./rules`, and read `rules`"),
        ("grants.read = [\"rules\"]\ngrants.write = [\"rules/out\"]", "repeated-grant", "and write `rules/out`"),
    ] {
        let project = reach("", grants, PLAY).file("rules/one.txt", "1");
        std::os::unix::fs::symlink("rules", project.path("link")).unwrap();
        let shown = run(&project, &["check"]).expect(30).stdout;
        assert!(shown.contains(&format!("error[{code}]")) && shown.contains(said), "{shown}");
    }
}

#[test]
fn requests_go_where_they_are_granted() {
    let server = Server::saying(&["200 OK"]);
    let (origin, other) = (server.origin(), Server::saying(&["200 OK"]));
    let tries = format!(
        "{{ what = \"get\", url = \"{origin}/x\" }}, {{ what = \"get\", url = \"{}/x\" }}, \
         {{ what = \"connect\", address = \"{}\" }}",
        other.origin(),
        origin.trim_start_matches("http://"),
    );
    let project = reach(&tries, &format!("grants.http = [{origin:?}]"), PLAY);
    let _shown = run(&project, &["run"]).expect(0);
    let evidence = Evidence::of(&project);
    let outcomes = outcomes(&evidence);
    assert_eq!(outcomes[0], "ok 200 2 bytes: ok");
    assert!(outcomes[1].starts_with("refused ") && outcomes[2].starts_with("refused "), "{outcomes:?}");
    assert_eq!((server.requests().len(), other.requests().len()), (1, 0));
    let log = evidence.text("plugins/reach/log.jsonl");
    assert!(
        log.contains(&format!("refused an HTTP request: `{}` is not among the plugin's `http` grants", other.origin())),
        "{log}"
    );
}

// ---- secrets ----------------------------------------------------------------------------------------------------------

const SECRETS: &str = "grants.secrets.token = { env = \"TOKEN\" }\ngrants.secrets.key = { file = \"key.txt\" }";

/// Prints both secrets, in a message and in an argument.
fn loud() -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - {{name: one, debug: msg=\"{FROM_ENV} and {FROM_FILE}\"}}\n    \
         - {{name: two, command: echo {FROM_ENV}}}\n    - {{name: 'about {FROM_FILE}', raw: echo {FROM_FILE} >&2}}\n"
    )
}

fn with_secrets(tries: &str, keys: &str, playbook: &str) -> Project {
    reach(tries, &format!("{SECRETS}\n{keys}"), playbook).file("key.txt", &format!("{FROM_FILE}\n"))
}

#[track_caller]
fn hides(shown: &Ran, run: &Evidence) {
    for secret in [FROM_ENV, FROM_FILE] {
        run.hides(secret);
        assert!(!shown.stdout.contains(secret) && !shown.stderr.contains(secret), "{}{}", shown.stdout, shown.stderr);
    }
}

#[test]
fn what_a_play_prints_of_a_granted_secret_is_masked() {
    let server = Server::saying(&["200 OK"]);
    let origin = server.origin();
    // The guest has it, and sends it; a server is where secrets are for.
    let tries = format!("{{ what = \"get\", url = \"{origin}/\", headers = {{ x-zone = \"none\" }} }}");
    let project = with_secrets(&tries, &format!("grants.http = [{origin:?}]"), &loud());
    for arguments in [&["run", "--json"][..], &["run", "-vvv"], &["run", "--quiet"]] {
        let shown = run(&project, arguments).expect(0);
        let evidence = Evidence::of(&project);
        hides(&shown, &evidence);
        for read in [&["events"][..], &["events", "--json"], &["show"], &["show", "--json"], &["stdout"], &["list"]] {
            hides(&run(&project, read).expect(0), &evidence);
        }
        fs::remove_dir_all(project.path("artifacts")).unwrap();
    }
}

#[test]
fn what_a_guest_writes_of_its_secret_is_masked() {
    let tries = "{ what = \"secret\", name = \"token\" }, { what = \"secret\", name = \"key\" }, { what = \"secret\", name = \"other\" }";
    let project = with_secrets(tries, "", PLAY);
    let shown = run(&project, &["run"]).expect(0);
    let evidence = Evidence::of(&project);
    assert_eq!(outcomes(&evidence), ["ok ********", "ok ********", "refused none"]);
    hides(&shown, &evidence);
}

#[test]
fn what_a_guest_says_of_its_secret_before_a_run_is_masked() {
    let tries = "{ what = \"secret\", name = \"token\" }, { what = \"secret\", name = \"key\" }";
    let project = with_secrets(tries, "config.in-check = true", PLAY);
    for arguments in [&["check"][..], &["run"]] {
        let shown = run(&project, arguments).expect(0);
        let said = shown.stdout + &shown.stderr;
        // The same words at the same place are said once.
        assert_eq!(said.matches("says: ok ********\n").count(), 1, "{said}");
        assert!(!said.contains(FROM_ENV) && !said.contains(FROM_FILE), "{said}");
    }
}

#[test]
fn without_its_secret_a_run_does_not_begin() {
    let project = with_secrets("", "", PLAY);
    let shown = project.playwarden(&["run"]).expect(30);
    assert!(shown.stderr.contains("secret `token` of plugin `reach`"), "{}", shown.stderr);
    assert!(!project.path("artifacts").exists());
}

#[test]
fn a_server_that_is_not_there_is_an_answer_like_any_other() {
    let origin = nobody();
    let project =
        reach(&format!("{{ what = \"get\", url = \"{origin}/\" }}"), &format!("grants.http = [{origin:?}]"), PLAY);
    let _shown = run(&project, &["run"]).expect(0);
    let evidence = Evidence::of(&project);
    assert_eq!(evidence.outcome.status, Status::Successful);
    assert!(outcomes(&evidence)[0].starts_with("refused "), "{:?}", outcomes(&evidence));
}
