//! What Playwarden costs: the same playbook under it and under bare ansible-playbook, in pairs, in one run.
//!
//! A pair is two runs right after each other, and the one that goes first changes from pair to pair: what else the
//! machine does hits both. All pairs are printed, none is dropped.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::setup;
use crate::steps::Steps;

const HOSTS: usize = 50;
const TASKS: usize = 8;
const FORKS: usize = 5;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How many pairs to measure
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
}

/// A folder with everything that is measured.
#[derive(Debug)]
struct Bench {
    folder: PathBuf,
    ansible: PathBuf,
    playwarden: PathBuf,
}

/// One after the other, so short a time apart that they compare.
#[derive(Clone, Copy, Debug)]
struct Pair {
    bare: Duration,
    guarded: Duration,
}

impl Pair {
    fn ratio(self) -> f64 {
        self.guarded.as_secs_f64() / self.bare.as_secs_f64()
    }
}

/// Sets up what is missing, measures and prints.
pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result<(), Failure> {
    let playwarden = setup::run(project, &mut Steps::new(setup::STEPS), setup::Built::Tests)?;
    let folder = project.path("target/bench");
    let bench = Bench { folder, ansible: project.venv().join("bin/ansible-playbook"), playwarden };
    bench.prepare(project)?;

    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("\n{HOSTS} local hosts x {TASKS} debug tasks, {FORKS} forks, {cores} cores{}", load());
    println!("{} | {} with fail-budget", bench.version(&bench.ansible)?, bench.version(&bench.playwarden)?);
    println!("\n pair   bare s   playwarden s   ratio   first");
    bench.pair(true)?;
    let mut pairs = Vec::new();
    for number in 1..=arguments.pairs {
        let bare_first = number % 2 == 1;
        let pair = bench.pair(bare_first)?;
        let (bare, guarded) = (pair.bare.as_secs_f64(), pair.guarded.as_secs_f64());
        let first = if bare_first { "bare" } else { "playwarden" };
        println!("{number:5} {bare:8.3} {guarded:14.3} {:7.3}   {first}", pair.ratio());
        pairs.push(pair);
    }

    let bare = median(pairs.iter().map(|pair| pair.bare.as_secs_f64()));
    let guarded = median(pairs.iter().map(|pair| pair.guarded.as_secs_f64()));
    let of_pairs = median(pairs.iter().map(|pair| pair.ratio()));
    println!("\nmedian of bare ansible-playbook   {bare:.3} s");
    println!("median of playwarden run          {guarded:.3} s");
    println!("ratio of the medians              {:.3}", guarded / bare);
    println!("median of the pairs' ratios       {of_pairs:.3}{}", load());
    Ok(())
}

impl Bench {
    /// Writes inventory, playbook and runner.toml into a new folder.
    fn prepare(&self, project: &Project) -> Result<(), Failure> {
        match fs::remove_dir_all(&self.folder) {
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(self.cannot_write(&err)),
            _ => fs::create_dir_all(&self.folder).map_err(|err| self.cannot_write(&err))?,
        }
        let inventory = format!(
            "host[01:{HOSTS:02}]\n\n[all:vars]\nansible_connection=local\n\
             ansible_python_interpreter={{{{ ansible_playbook_python }}}}\n"
        );
        let task =
            |number| format!("    - name: Task {number}\n      ansible.builtin.debug:\n        msg: task {number}\n");
        let tasks: String = (1..=TASKS).map(task).collect();
        let playbook = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}");
        // A string of JSON is one of TOML too.
        let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
        let runner = format!(
            r#"schema-version = 1

[ansible]
use = {{ venv = {venv} }}

[plugins.fail-budget]
path = {policy}
config = {{ max-failed-hosts = 1 }}

[jobs.bench]
playbook = "playbook.yml"
inventory = "hosts.ini"
forks = {FORKS}
cancel-policies = ["fail-budget"]
"#,
            venv = quoted(&project.venv()),
            policy = quoted(&project.guests().join("fail_budget.wasm")),
        );
        for (name, text) in [("hosts.ini", inventory), ("playbook.yml", playbook), ("runner.toml", runner)] {
            fs::write(self.folder.join(name), text).map_err(|err| self.cannot_write(&err))?;
        }
        Ok(())
    }

    fn cannot_write(&self, err: &std::io::Error) -> Failure {
        Failure::new(format!("cannot write `{}`", self.folder.display())).because(err)
    }

    fn pair(&self, bare_first: bool) -> Result<Pair, Failure> {
        if bare_first {
            let bare = self.bare()?;
            Ok(Pair { bare, guarded: self.guarded()? })
        } else {
            let guarded = self.guarded()?;
            Ok(Pair { bare: self.bare()?, guarded })
        }
    }

    fn bare(&self) -> Result<Duration, Failure> {
        let mut run = Command::new(&self.ansible);
        run.args(["-i", "hosts.ini", "-f", &FORKS.to_string(), "playbook.yml"]);
        self.time(&mut run, "run the playbook under bare ansible-playbook")
    }

    fn guarded(&self) -> Result<Duration, Failure> {
        let mut run = Command::new(&self.playwarden);
        self.time(run.args(["run", "bench"]), "run the playbook under Playwarden")
    }

    /// Both write what they say to a file, as in a pipeline.
    fn time(&self, run: &mut Command, aim: &str) -> Result<Duration, Failure> {
        let said = File::create(self.folder.join("output")).map_err(|err| self.cannot_write(&err))?;
        let errors = said.try_clone().map_err(|err| self.cannot_write(&err))?;
        run.current_dir(&self.folder).stdout(said).stderr(Stdio::from(errors));
        let start = Instant::now();
        let result = command::run(run, aim);
        let time = start.elapsed();
        result.map_err(|failure| failure.hint("target/bench/output has what it said"))?;
        Ok(time)
    }

    fn version(&self, program: &Path) -> Result<String, Failure> {
        let mut ask = Command::new(program);
        let said = command::output(ask.arg("--version").current_dir(&self.folder), "ask for a version")?;
        Ok(said.lines().next().unwrap_or_default().to_owned())
    }
}

/// The machine's load, where it can be read: a ratio measured on a busy machine says less.
fn load() -> String {
    let Ok(text) = fs::read_to_string("/proc/loadavg") else { return String::new() };
    text.split(' ').next().map(|load| format!(", load {load}")).unwrap_or_default()
}

/// The middle value, or the mean of the two in the middle; 0 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(high), 0) => f64::midpoint(values[middle - 1], *high),
        (Some(value), _) => *value,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let median_of = |values: &[f64]| median(values.iter().copied());
        assert!((median_of(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median_of(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median_of(&[]).abs() < f64::EPSILON);
    }
}
