//! Real Ansible: what becomes of each thing that a play can do.
//!
//! - `ends`: how runs end, and with which exit code
//! - `tasks`: results, loops, retries, background tasks
//! - `flow`: includes, handlers, strategies, batches
//! - `text`: what Ansible prints, and callbacks of the user's own
//! - `values`: secrets, differences, odd and large values

mod ends;
mod flow;
mod tasks;
mod text;
mod values;

use crate::evidence::Evidence;
use crate::support::Project;

/// Returns a project with so many local hosts and the job `play` of this playbook.
fn project(hosts: usize, playbook: &str) -> Project {
    Project::new(hosts, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", playbook)
}

/// Runs a playbook on so many local hosts, and checks its exit code and everything that holds for any run.
#[track_caller]
fn play(hosts: usize, playbook: &str, code: i32) -> Evidence {
    let project = project(hosts, playbook);
    let _shown = project.playwarden(&["run"]).expect(code);
    Evidence::keep(project)
}
