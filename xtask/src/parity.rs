//! Playwarden and what it replaces, side by side: every private data dir of `tests/parity` is run under ansible-runner and
//! under Playwarden, and everything that the two leave is compared.
//!
//! **Invariant:** what is not compared has a name in `normal.rs`, what may differ has one in `closed.rs` or, for one case,
//! in its `case.toml`. Everything else is a defect and fails the command.

mod case;
mod closed;
mod compare;
mod evidence;
mod found;
mod lines;
mod normal;
mod reader;
mod side;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use self::case::Case;
use self::found::{Column, Found};
use self::side::{IDENT, Place, Side};
use crate::failure::Failure;
use crate::matrix;
use crate::project::Project;
use crate::setup;
use crate::setup::ansible::{self, RUNNER, Series, Wanted};
use crate::steps::{Done, Steps, seconds};
use crate::table;

/// What the two sides of a case are called below its folder.
const NAMES: [&str; 2] = ["theirs", "ours"];

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A series of ansible-core, such as `2.16`; may be repeated [default: the one that the project is pinned to]
    #[arg(long = "core", value_name = "SERIES", value_parser = matrix::parse_series)]
    cores: Vec<&'static Series>,
    /// Compare ansible-runner with itself: what differs then differs from run to run, and has to be normalized
    #[arg(long)]
    itself: bool,
    /// Use this program of Playwarden's instead of building it
    #[arg(long, value_name = "PATH", conflicts_with = "itself")]
    program: Option<PathBuf>,
    /// Only the cases that show most in little time
    #[arg(long, conflicts_with = "cases")]
    short: bool,
    /// Only these cases, by the names of their folders
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
}

/// How many steps [`run`] takes: what both need, two environments and the cases of each core.
pub(crate) fn steps(arguments: &Arguments) -> usize {
    let setup = if arguments.itself || arguments.program.is_some() { 0 } else { setup::STEPS };
    setup + 3 * arguments.cores.len().max(1)
}

/// What came of a case.
#[derive(Debug)]
struct Row<'c> {
    case: &'c Case,
    found: Found,
}

/// Sets up what is missing, runs the cases on each core, and prints what differs.
pub(crate) fn run(project: &Project, arguments: &Arguments, steps: &mut Steps) -> Result<(), Failure> {
    let mut cases = case::read(project, &arguments.cases)?;
    cases.retain(|case| case.asked.short || !arguments.short);
    let other = match &arguments.program {
        Some(program) => Side::Playwarden(program.clone()),
        None if arguments.itself => Side::Runner,
        None => Side::Playwarden(setup::run(project, steps, setup::Built::Tests)?),
    };
    let mut versions: Vec<_> = arguments.cores.iter().map(|series| series.version.to_owned()).collect();
    if versions.is_empty() {
        let pinned = || Failure::new("the project's environment does not say its version of ansible-core");
        versions.push(ansible::version(&project.venv()).ok_or_else(pinned)?);
    }
    for version in &versions {
        let venv = ansible::environment(project, version);
        let wanted = Wanted::Version { version: version.clone(), python: None };
        let place = project.shown(&venv);
        steps.take(&format!("ansible-core {version} in {place}"), || ansible::install(project, &wanted, &venv))?;
        steps.take(&format!("ansible-runner {RUNNER} beside it"), || ansible::install_runner(project, &venv))?;
    }
    let mut bad = Vec::new();
    for version in &versions {
        let mut rows = Vec::new();
        let start = Instant::now();
        steps.take(&format!("Cases on ansible-core {version}"), || {
            rows = of_core(project, &cases, version, &other)?;
            Ok(Done::Now)
        })?;
        println!("\n{}", report(version, &rows, start.elapsed()));
        let differences: usize = rows.iter().map(|row| row.found.differences.len()).sum();
        if differences > 0 {
            bad.push(format!("{differences} on ansible-core {version}"));
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::new("Playwarden differs from ansible-runner").because(bad.join(", ")).hint(format!(
        "`target/parity/VERSION/CASE` has what the two left as `{}` and `{}`, and what they printed",
        NAMES[0], NAMES[1]
    )))
}

/// Runs and compares the cases of a core, as many at once as the machine has cores.
fn of_core<'c>(project: &Project, cases: &'c [Case], version: &str, other: &Side) -> Result<Vec<Row<'c>>, Failure> {
    let root = project.path("target/parity").join(version);
    let venv = ansible::environment(project, version);
    let cannot =
        |err: io::Error| Failure::new(format!("cannot run the cases in `{}`", project.shown(&root))).because(err);
    let cases: Vec<_> = cases.iter().filter(|case| case.runs_on(version)).collect();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || -> io::Result<()> {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let place = Place { folder: root.join(&case.name), home: root.join("home"), venv: venv.clone() };
            fs::create_dir_all(&place.folder)?;
            fs::create_dir_all(&place.home)?;
            let theirs = side::run(case, &Side::Runner, &place, NAMES[0])?;
            let ours = side::run(case, other, &place, NAMES[1])?;
            let mut found = compare::compare(case, &theirs, &ours);
            if matches!(other, Side::Playwarden(_)) {
                compare::promises(&ours, &mut found);
            }
            let row = Row { case, found };
            rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(row);
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended early"))))
    })
    .map_err(cannot)?;
    let mut rows = rows.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.sort_by(|a, b| a.case.name.cmp(&b.case.name));
    outside(&root, &venv, &mut rows)?;
    for row in &mut rows {
        row.found.settle(row.case, version);
    }
    Ok(rows)
}

/// Has the outside reader read what the two left.
fn outside(root: &Path, venv: &Path, rows: &mut [Row<'_>]) -> Result<(), Failure> {
    let folder = |row: &Row<'_>, name: &str| root.join(&row.case.name).join(name).join("artifacts").join(IDENT);
    let folders: Vec<PathBuf> = NAMES.iter().flat_map(|name| rows.iter().map(move |row| folder(row, name))).collect();
    let read = reader::read(venv, &folders)?;
    let (theirs, ours) = read.split_at(rows.len());
    let both = rows.iter_mut().zip(theirs).zip(ours);
    for ((row, theirs), ours) in both.filter(|((row, _), _)| row.case.asked.refused_here.is_none()) {
        reader::compare(row.case, theirs, ours, &mut row.found);
    }
    Ok(())
}

/// The table, the differences, and what explained others.
fn report(version: &str, rows: &[Row<'_>], time: Duration) -> String {
    let head = ["case"].into_iter().chain(Column::ALL.map(Column::name)).map(str::to_owned).collect();
    let cell = |count: usize| if count == 0 { "=".to_owned() } else { count.to_string() };
    let body = rows.iter().map(|row| {
        let cells = Column::ALL.map(|column| cell(row.found.count(column)));
        [vec![row.case.name.clone()], cells.to_vec()].concat()
    });
    let mut lines = vec![table::text(&std::iter::once(head).chain(body).collect::<Vec<_>>())];
    for row in rows {
        lines.extend(row.found.differences.iter().map(|(column, difference)| {
            format!("{}, {}: {}", row.case.name, column.name(), difference.replace('\n', "\n    "))
        }));
    }
    let mut explained = BTreeMap::new();
    for (rule, count) in rows.iter().flat_map(|row| &row.found.explained) {
        *explained.entry(*rule).or_insert(0) += count;
    }
    lines.push("\nexplained:".to_owned());
    lines.extend(explained.iter().map(|(rule, count)| format!("{count:7}  {}", rule.says())));
    let of_cases: usize = rows.iter().map(|row| row.found.of_case).sum();
    lines.push(format!("{of_cases:7}  named in a `case.toml`, with the reason\n"));
    let bad = rows.iter().filter(|row| !row.found.differences.is_empty()).count();
    let differences: usize = rows.iter().map(|row| row.found.differences.len()).sum();
    lines.push(format!(
        "ansible-core {version}, ansible-runner {RUNNER}: {} cases, {bad} of them with {differences} unexplained \
         differences, in {}",
        rows.len(),
        seconds(time)
    ));
    lines.join("\n")
}
