//! Two rollouts of the repository's own runner.toml: one that succeeds, one that a policy cancels.
//!
//! What is said afterwards is read from the pretend hosts' files, not taken from what Playwarden claims.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::setup;
use crate::steps::{Done, Steps, seconds};

/// Success, and canceled by a policy's verdict: from the README's table of exit codes.
const SUCCESS: i32 = 0;
const CANCELED_BY_POLICY: i32 = 21;

/// Where demo/rollout.yml keeps the pretend hosts.
const HOSTS: &str = "target/demo";

/// Sets up what is missing and shows both rollouts.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let start = Instant::now();
    let mut steps = Steps::new(setup::STEPS + 2);
    let program = setup::run(project, &mut steps, setup::Built::Program)?;
    let hosts = project.path(HOSTS);
    match fs::remove_dir_all(&hosts) {
        Err(err) if err.kind() != ErrorKind::NotFound => {
            return Err(Failure::new(format!("cannot remove `{HOSTS}` of an earlier demo")).because(err));
        }
        _ => {}
    }

    eprintln!(
        "
Twelve pretend hosts, web01 to web08 and db01 to db04, are about to get release 1.0.0, four at a time. All of them
are this machine; each has a file under {HOSTS}. The policy fail-budget, a WebAssembly component, is asked before
Ansible may start a task on any host. runner.toml says what is run, and that one host may fail, but not two.
"
    );
    steps.take("playwarden run demo", || job(project, &program, "demo", SUCCESS))?;
    let after = Fleet::read(&hosts)?;
    after.expect(|release, in_pool| release == "1.0.0" && in_pool, 12)?;
    eprintln!("\nExit code {SUCCESS}. The policy had nothing to object to. The hosts' own files say:\n{after}");

    eprintln!(
        "
Now the same rollout of release 2.0.0. It needs more memory than web05, web06 and web07 have, so they fail in the
second batch of four. Bare Ansible would go on with web08 and then take it to the databases.
"
    );
    steps.take("playwarden run canceled", || job(project, &program, "canceled", CANCELED_BY_POLICY))?;
    let after = Fleet::read(&hosts)?;
    after.expect(|release, in_pool| release == "1.0.0" && in_pool, 4)?;
    eprintln!(
        "\nExit code {CANCELED_BY_POLICY}, canceled by a policy: with the second failed host it was over, and no task was \
         started after that,
not on the hosts that were well either. The databases were never touched. The hosts' own files say:\n{after}"
    );
    closing(project, &program);
    eprintln!("\nThe demo took {}.", seconds(start.elapsed()));
    Ok(())
}

fn closing(project: &Project, program: &Path) {
    let program = project.shown(program);
    eprintln!(
        "
Where things are
  runner.toml            what is run, and under whose eyes; a good first example
  demo/                  the playbook and the inventory
  plugins/examples/      the policy's source
  artifacts/RUN/         what is kept of each run: events.jsonl with everything that happened, stdout, rc, status
  artifacts/RUN/plugins/ what plugins wrote: summary/summary.txt says how it went
  audit/RUN.jsonl        who did what, where and when, a line for each fact
  {HOSTS}/           the pretend hosts

What to try next, in this folder
  {program} list
  {program} show @             how the newest run ended, and why
  {program} events @           everything that happened in it; --host web05 for one host
  {program} stdout @           what Ansible printed
  {program} check              what can be known without running anything
  {program} run whoami         one module, without a playbook
  Set max-failed-hosts to 3 in runner.toml and run `canceled` again: the rollout then goes on to the databases."
    );
}

/// Runs a job as a person would, and insists on the exit code.
fn job(project: &Project, program: &Path, name: &str, expected: i32) -> Result<Done, Failure> {
    let mut run = Command::new(program);
    run.args(["run", name]).current_dir(project.root());
    let status = command::status(&mut run, &format!("run the job `{name}`"))?;
    if status.code() == Some(expected) {
        return Ok(Done::Now);
    }
    Err(Failure::new(format!("the job `{name}` should have ended with exit code {expected}, not {}", ending(status)))
        .command(command::shown(&run)))
}

fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| code.to_string())
}

/// What the pretend hosts have, as their files say.
#[derive(Debug)]
struct Fleet {
    /// Names of hosts by their release and whether they are in the pool.
    groups: BTreeMap<(String, bool), Vec<String>>,
}

impl Fleet {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let cannot =
            |err| Failure::new(format!("cannot read the pretend hosts in `{}`", folder.display())).because(err);
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for entry in fs::read_dir(folder.join("releases")).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let host = entry.file_name();
            let release = fs::read_to_string(entry.path()).map_err(cannot)?.trim().to_owned();
            let in_pool = folder.join("pool").join(&host).exists();
            groups.entry((release, in_pool)).or_default().push(host.to_string_lossy().into_owned());
        }
        groups.values_mut().for_each(|hosts| hosts.sort());
        Ok(Self { groups })
    }

    /// Insists on how many hosts are in a state.
    fn expect(&self, is_meant: impl Fn(&str, bool) -> bool, expected: usize) -> Result<(), Failure> {
        let meant = self.groups.iter().filter(|((release, in_pool), _)| is_meant(release, *in_pool));
        let found: usize = meant.map(|(_, hosts)| hosts.len()).sum();
        if found == expected {
            return Ok(());
        }
        Err(Failure::new(format!("{found} pretend hosts have release 1.0.0 and are in use, not {expected}"))
            .because(format!("the hosts' files say\n{self}")))
    }
}

impl std::fmt::Display for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, ((release, in_pool), hosts)) in self.groups.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let place = if *in_pool { "in the pool" } else { "taken out of the pool" };
            write!(f, "  release {release}, {place}: {}", hosts.join(" "))?;
        }
        Ok(())
    }
}
