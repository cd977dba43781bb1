//! The built-in webhook against a real server: what is sent, and what becomes of a server that does not do its part.

use std::io::{Read as _, Write as _};

use playwarden_event::Status;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::server::{Request, Server, nobody, respond};
use super::{PLAY, faults, project};
use crate::evidence::Evidence;
use crate::support::{Project, Ran, ran};

const KEY: &str = "the-k3y-of-the-test";

/// A project that posts to a URL. One attempt waits half a minute for an answer, unless `config` says otherwise.
fn posts(origin: &str, hooks: &str, config: &str) -> Project {
    let timeout = if config.contains("timeout-ms") { "" } else { ", timeout-ms = 30000" };
    let webhook = format!(
        "[plugins.hook]\nbuiltin = \"webhook\"\nconfig = {{ url = \"{origin}/in?room=7\"{timeout}{config} }}\n\
         grants.http = [{origin:?}]\ngrants.secrets.token = {{ env = \"TOKEN\" }}\nlimits = {{ call = \"1m\", finish = \"1m\" }}\n"
    );
    project(1, hooks, &webhook, PLAY)
}

const FINISHED: &str = "finished-callbacks = [\"hook\"]";

fn run(project: &Project) -> Ran {
    ran(project.command(&["run"]).env("TOKEN", KEY).output().unwrap())
}

/// HMAC with SHA-256, as in RFC 2104, for a key that fits into a block.
fn hmac(key: &str, text: &str) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let digest = |pad: u8, text: &[u8]| {
        let padded = block.map(|byte| byte ^ pad);
        Sha256::new().chain_update(padded).chain_update(text).finalize()
    };
    digest(0x5c, &digest(0x36, text.as_bytes())).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the body of a message whose signature is right.
#[track_caller]
fn verified(request: &Request) -> Value {
    let time = request.header("x-playwarden-timestamp").unwrap();
    let expected = format!("sha256={}", hmac(KEY, &format!("{time}.{}", request.body)));
    assert_eq!(request.header("x-playwarden-signature"), Some(expected.as_str()));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(request.header("idempotency-key"), body["id"].as_str());
    body
}

#[test]
fn changes_and_the_outcome_are_posted_and_signed() {
    let server = Server::saying(&["204 No Content"]);
    let project = posts(&server.origin(), &format!("status-handlers = [\"hook\"]\n{FINISHED}"), "");
    let shown = run(&project).expect(0);
    let evidence = Evidence::of(&project);
    let bodies: Vec<_> = server.requests().iter().map(verified).collect();
    let brief: Vec<_> =
        bodies.iter().map(|body| (body["event"].as_str().unwrap(), body["status"].as_str().unwrap())).collect();
    assert_eq!(brief, [("status", "running"), ("status", "successful"), ("finished", "successful")]);
    let last = &bodies[2];
    assert_eq!((&last["rc"], &last["job"], &last["totals"]["ok"]), (&0.into(), &"play".into(), &2.into()));
    assert_eq!(last["last_event"], evidence.events.len());
    evidence.hides(KEY);
    assert!(!shown.stderr.contains(KEY) && !shown.stdout.contains(KEY));
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let server = Server::start(|number, stream| match number {
        1 => respond(stream, "503 Service Unavailable", "retry-after: 0\r\n"),
        _ => respond(stream, "200 OK", ""),
    });
    let project = posts(&server.origin(), FINISHED, "");
    let _shown = run(&project).expect(0);
    let evidence = Evidence::of(&project);
    assert!(evidence.outcome.faulty_plugins.is_empty());
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(verified(&requests[0]), verified(&requests[1]), "the same message");
    let log = evidence.text("plugins/hook/log.jsonl");
    assert!(log.contains("answered 503 at attempt 1 of 5; try 2 follows in "), "{log}");
}

/// Posts to a server that does not do its part: the run ends well, and the plugin is named.
#[track_caller]
fn gives_up(origin: &str, config: &str, text: &str) {
    let project = posts(origin, FINISHED, config);
    let shown = run(&project).expect(0);
    let (events, outcome) = (project.events(), project.outcome());
    assert_eq!((outcome.status, &outcome.faulty_plugins[..]), (Status::Successful, &["hook".to_owned()][..]));
    let [fault] = faults(&events)[..] else { panic!("one fault is expected\n{}", shown.stderr) };
    assert_eq!((fault.call.as_str(), fault.on_fault.as_str()), ("finished-callback.on-finished", "ignore"));
    assert!(fault.text.contains(text), "{fault:?}");
    assert!(shown.stderr.contains("plugin `hook` broke in `finished-callback.on-finished`"), "{}", shown.stderr);
}

#[test]
fn a_server_that_refuses_is_not_asked_again() {
    let server = Server::saying(&["403 Forbidden"]);
    gives_up(&server.origin(), "", "answered 403; it is not tried again");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_never_answers_costs_what_the_plugin_waits() {
    // It holds the connection until the other side gives up, and so proves that it was waited for.
    let server = Server::start(|_, stream| {
        stream.read(&mut [0]).ok();
    });
    gives_up(&server.origin(), ", timeout-ms = 200, attempts = 1", "given up after 1 attempts");
    assert_eq!(verified(&server.request())["event"], "finished");
}

#[test]
fn a_server_that_hangs_longer_than_a_call_may_take_costs_one_deadline() {
    let server = Server::start(|_, stream| {
        stream.read(&mut [0]).ok();
    });
    let origin = server.origin();
    let webhook = format!(
        "[plugins.hook]\nbuiltin = \"webhook\"\nconfig = {{ url = \"{origin}/\", timeout-ms = 3600000 }}\n\
         grants.http = [{origin:?}]\nrestart = {{ max = 0 }}\nlimits = {{ call = \"1m\", finish = \"500ms\" }}\n"
    );
    let project = project(1, FINISHED, &webhook, PLAY);
    let _shown = project.playwarden(&["run"]).expect(0);
    let outcome = project.outcome();
    assert_eq!((outcome.status, &outcome.faulty_plugins[..]), (Status::Successful, &["hook".to_owned()][..]));
    assert_eq!(server.request().header("x-playwarden-signature"), None, "there is no secret to sign with");
}

#[test]
fn a_server_that_is_not_there_and_one_that_talks_nonsense_end_nothing() {
    gives_up(&nobody(), ", attempts = 1", "given up after 1 attempts");
    let garbage = Server::start(|_, stream| {
        stream.write_all(b"\0\x01not HTTP at all\r\n\r\n").ok();
    });
    gives_up(&garbage.origin(), ", attempts = 1", "given up after 1 attempts");
    let short = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf").ok();
    });
    gives_up(&short.origin(), ", attempts = 1", "given up after 1 attempts");
}
