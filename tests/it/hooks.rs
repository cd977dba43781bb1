//! Plugins that observe, and what they may reach, over real runs:
//!
//! - `handlers`: every event, in order, none lost
//! - `table`: every fault in every hook
//! - `faults`: restarts, and what follows when there are none left
//! - `told`: changes of the status, and the end
//! - `late`: what breaks after the last event
//! - `ends`: the end does not wait for ever, and nothing is forgotten there
//! - `grants`: what runner.toml lets a plugin reach
//! - `webhook`: the built-in one against a real server
//! - `reports`: what the other built-in ones write
//! - `cancel`: the end of a run, asked for from another terminal
//! - `replay`: recorded runs through a plugin again

mod cancel;
mod ends;
mod faults;
mod grants;
mod handlers;
mod late;
mod replay;
mod reports;
mod server;
mod table;
mod told;
mod webhook;

use std::fs;
use std::path::Path;

use playwarden_event::kind::{PluginFault, PolicyVerdict};
use playwarden_event::{Event, EventKind};
use serde_json::Value;

use crate::support::{Project, guest};

/// Two tasks on each host, all of them ok.
const PLAY: &str = "\
- hosts: all
  gather_facts: false
  tasks:
    - {name: one, debug: msg=one}
    - {name: two, debug: msg=two}
";

/// Its second task lasts until somebody ends it; a third would leave a file.
const LONG: &str = "\
- hosts: all
  gather_facts: false
  tasks:
    - {name: one, debug: msg=one}
    - {name: long, raw: 'touch {{ playbook_dir }}/reached; sleep 600'}
    - {name: after, raw: 'touch {{ playbook_dir }}/after'}
";

/// A table of runner.toml for a guest. The calls of most get all the time that a busy computer may need.
fn plugin(name: &str, of: &str, keys: &str) -> String {
    let limits = if keys.contains("limits") { "" } else { "limits = { call = \"1m\" }\n" };
    format!("[plugins.{name}]\npath = {:?}\n{limits}{keys}\n", guest(of).display().to_string())
}

/// A project with the job `play`, whose table has `job`, and the given plugins.
fn project(hosts: usize, job: &str, plugins: &str, playbook: &str) -> Project {
    let rest = format!("[jobs.play]\nplaybook = \"play.yml\"\n{job}\n{plugins}");
    Project::new(hosts, &rest).file("play.yml", playbook)
}

/// Reads a file of JSON lines.
#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the guest `handler-table`, under this name, wrote down of the only run.
#[track_caller]
fn seen(project: &Project, name: &str) -> Vec<Value> {
    lines(&project.run_folder().join("plugins").join(name).join("seen.jsonl"))
}

/// The lines of one hook.
fn of_hook<'l>(seen: &'l [Value], hook: &str) -> Vec<&'l Value> {
    seen.iter().filter(|line| line["hook"] == hook).collect()
}

/// The counters that one call was handed.
fn counters(line: &Value) -> Vec<u64> {
    line["told"]["counters"].as_array().unwrap().iter().map(|counter| counter.as_u64().unwrap()).collect()
}

fn faults(events: &[Event]) -> Vec<&PluginFault> {
    let fault = |event| match Event::kind(event) {
        EventKind::PluginFault(fault) => Some(&**fault),
        _ => None,
    };
    events.iter().filter_map(fault).collect()
}

fn verdicts(events: &[Event]) -> Vec<(u64, &PolicyVerdict)> {
    let verdict = |event| match Event::kind(event) {
        EventKind::PolicyVerdict(verdict) => Some((event.counter(), &**verdict)),
        _ => None,
    };
    events.iter().filter_map(verdict).collect()
}

/// The first column of each fault: where, what, and what followed.
fn brief(faults: &[&PluginFault]) -> Vec<[String; 3]> {
    faults.iter().map(|fault| [&fault.call, &fault.fault, &fault.on_fault].map(String::clone)).collect()
}
