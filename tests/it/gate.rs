//! Nothing starts after the breaking event, and nothing survives the end.
//!
//! - `table`: every strategy, shape of a play, way to stop and number of forks (`shapes`)
//! - `starts`: what a verdict lets start, and what it interrupts, in cases of their own
//! - `rivals`: where Ansible's own limits go wrong
//! - `verdicts`: what is asked, and what becomes of the answers
//! - `combined`: what several policies have to say until a run is canceled
//! - `ends`: what is alive afterwards

mod combined;
mod ends;
mod rivals;
mod shapes;
mod starts;
mod table;
mod verdicts;

use playwarden_event::kind::PolicyVerdict;
use playwarden_event::{Event, EventKind};

use crate::evidence::Evidence;
use crate::support::{Project, guest};

/// Returns a project with the job `play` under a policy, whose table of runner.toml is `settings`.
fn under(policy: &str, settings: &str, hosts: usize, defaults: &str, playbook: &str) -> Project {
    let rest = format!(
        "{defaults}\n[plugins.policy]\npath = {:?}\n{settings}\n[jobs.play]\nplaybook = \"play.yml\"\n\
         cancel-policies = [\"policy\"]\n",
        guest(policy).display().to_string()
    );
    Project::new(hosts, &rest).file("play.yml", playbook)
}

/// Returns the only verdict of a run, and its event.
#[track_caller]
fn verdict(run: &Evidence) -> (&Event, &PolicyVerdict) {
    let event = run.only("policy_verdict");
    let EventKind::PolicyVerdict(verdict) = event.kind() else { unreachable!() };
    (event, verdict)
}

/// Asserts that the journal has no start after an event, and that the disk has nothing but what was started. Tasks write
/// down their start as `started/TASK_HOST`.
#[track_caller]
fn nothing_starts_after(counter: u64, run: &Evidence, project: &Project) {
    let starts = run.named("runner_on_start");
    let late: Vec<_> = starts.iter().filter(|event| event.counter() > counter).collect();
    assert!(late.is_empty(), "after event {counter}: {late:?}\n{}", run.list());
    let granted: Vec<String> = starts
        .iter()
        .map(|event| format!("{}_{}", event.context().task.as_deref().unwrap(), event.host().unwrap()))
        .collect();
    for started in project.names("started") {
        assert!(granted.contains(&started), "`{started}` was not granted\n{}", run.list());
    }
}
