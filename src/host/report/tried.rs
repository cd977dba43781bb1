//! What a plugin said of recorded runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use playwarden_event::Status;
use playwarden_event::kind::{PluginFault, PolicyVerdict, VerdictWord};

use super::counted;
use crate::run::{At, CameTo};

/// So many hosts are named on a line.
const HOSTS: usize = 8;

/// Returns the lines about one run.
#[must_use]
pub fn run(id: &str, job: &str, came_to: &CameTo) -> String {
    format!("run {id} of job {job}\n{}", said(came_to))
}

/// Returns what was said, a line each, and what came of it.
#[must_use]
pub fn said(came_to: &CameTo) -> String {
    let mut lines: String = came_to.verdicts.iter().map(verdict).chain(came_to.faults.iter().map(fault)).collect();
    match (came_to.cancel().is_some(), came_to.acknowledged) {
        (true, _) => {
            writeln!(lines, "  {} of a task on a host would not have happened", counted(came_to.spared.len(), "start"))
                .ok();
        }
        (false, Some(acknowledged)) => {
            writeln!(lines, "  {acknowledged} of {} events acknowledged", came_to.events).ok();
        }
        (false, None) if lines.is_empty() => {
            writeln!(lines, "  nothing to object to in {} events", came_to.events).ok();
        }
        (false, None) => {}
    }
    lines
}

/// Returns the line about one verdict.
fn verdict(at: &At<Box<PolicyVerdict>>) -> String {
    let At { after, said } = at;
    let code = said.reason.code.as_deref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let word = match (said.verdict, said.acted_on) {
        (VerdictWord::Warn, _) => "warned",
        (VerdictWord::Cancel, true) => "would have been canceled",
        (VerdictWord::Cancel, false) => "would have been canceled, were it enforced",
    };
    let start = said.start.as_ref().map(|start| format!(", before `{}` on {}", start.task, start.host));
    let at = said.reason.event.unwrap_or(*after);
    format!("  event {at:>6}  {word}{}: {}{code}\n", start.unwrap_or_default(), said.reason.text)
}

fn fault(At { after, said }: &At<PluginFault>) -> String {
    // Its own last words: that is where languages put the message.
    let words: String = said.stderr.lines().map(|line| format!("                {line}\n")).collect();
    format!("  event {after:>6}  it broke in `{}`: {}\n{words}", said.call, said.text)
}

/// Returns a number of bytes for people.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = (bytes >> (shift - 10)).saturating_mul(10) >> 10;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// Returns lines about what a plugin wrote: its log, then its files.
#[must_use]
pub fn written(log: &str, files: &[(String, u64)]) -> String {
    let mut text = String::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        let word = |key: &str| line[key].as_str().unwrap_or_default();
        let fields = line.get("fields").map(|fields| format!(" {fields}")).unwrap_or_default();
        writeln!(text, "  {:5} {}{fields}", word("level"), word("message")).ok();
    }
    for (name, bytes) in files {
        writeln!(text, "  wrote {name}, {}", size(*bytes)).ok();
    }
    text
}

/// What many runs came to: which would have been canceled, and what would not have been touched.
#[derive(Debug, Default)]
pub struct Sum {
    runs: usize,
    canceled: usize,
    warned: usize,
    broken: usize,
    starts: usize,
    hosts: BTreeSet<String>,
    text: String,
}

impl Sum {
    /// Adds a run.
    pub fn add(&mut self, id: &str, job: &str, status: Status, came_to: &CameTo) {
        let Self { text, .. } = self;
        self.runs += 1;
        let word = match came_to.cancel() {
            Some(at) => {
                self.canceled += 1;
                let event = at.said.reason.event.unwrap_or(at.after);
                let total = came_to.events;
                let enforced = if at.said.acted_on { "" } else { ", were it enforced" };
                format!("would have been canceled at event {event} of {total}{enforced}: {}", at.said.reason.text)
            }
            None if !came_to.verdicts.is_empty() => {
                self.warned += 1;
                format!(
                    "{}, the first: {}",
                    counted(came_to.verdicts.len(), "warning"),
                    came_to.verdicts[0].said.reason.text
                )
            }
            None => "nothing to object to".to_owned(),
        };
        writeln!(text, "{}  {job}  {}  {word}", short(id), status.word()).ok();
        if !came_to.spared.is_empty() {
            let hosts: BTreeSet<&str> = came_to.spared.iter().map(|(host, _)| host.as_str()).collect();
            let count = came_to.spared.len();
            writeln!(text, "          would not have happened: {} on {}", counted(count, "start"), named(&hosts)).ok();
            self.starts += count;
            self.hosts.extend(hosts.into_iter().map(str::to_owned));
        }
        for at in came_to.faults.iter().filter(|at| at.said.on_fault != "restart") {
            self.broken += 1;
            text.push_str(&fault(at));
        }
    }

    /// Returns a line or two for each run, and one for all.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { runs, canceled, warned, broken, starts, hosts, text } = self;
        let broken = if *broken > 0 { format!(", it broke {}", counted(*broken, "time")) } else { String::new() };
        format!(
            "{text}{canceled} of {runs} runs would have been canceled, {warned} warned of{broken}; \
             {} on {} would not have happened\n",
            counted(*starts, "start"),
            counted(hosts.len(), "host")
        )
    }
}

/// As much of an id as people read.
fn short(id: &str) -> &str {
    id.get(..8).filter(|_| id.len() == 36).unwrap_or(id)
}

fn named(hosts: &BTreeSet<&str>) -> String {
    let first: Vec<&str> = hosts.iter().copied().take(HOSTS).collect();
    match hosts.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more hosts", first.join(", ")),
    }
}
