//! The page for people: summary.txt, for a width of 100 columns.

use std::fmt::Write as _;

use playwarden_sdk::prelude::*;
use playwarden_sdk::time;

use crate::collected::{Collected, Host, Said};
use crate::settings::Config;

const WIDTH: usize = 100;

/// Writes the page.
///
/// # Errors
///
/// None: it is written to a text.
pub(crate) fn page(collected: &Collected, finish: &Finish, config: &Config) -> Result<String, std::fmt::Error> {
    let mut page = Page { text: String::new(), lines: config.lines };
    page.head(finish)?;
    page.hosts(collected)?;
    for (title, results) in
        [("Failed", &["failed", "unreachable"][..]), ("Failed, but ignored or rescued", &["ignored", "rescued"])]
    {
        page.failures(collected, title, results)?;
    }
    let interrupted: Vec<String> = collected.busy.iter().map(|((host, _), task)| format!("{host}  {task}")).collect();
    page.list("Interrupted", &interrupted)?;
    page.list("Verdicts", &said(&collected.verdicts, "not acted on"))?;
    page.list("Faults of plugins", &said(&collected.faults, "ignored"))?;
    page.changes(collected)?;
    page.slowest(collected, config.slowest)?;
    let text = &collected.text;
    let counts = [
        (collected.retries(), "retries"),
        (text.warnings, "warnings"),
        (text.deprecations, "deprecations"),
        (text.errors, "errors"),
    ];
    let counts: Vec<String> = counts.iter().map(|(count, what)| format!("{what} {count}")).collect();
    writeln!(page.text, "\n{}", counts.join(", "))?;
    Ok(page.text)
}

struct Page {
    text: String,
    lines: usize,
}

impl Page {
    /// What it was, how it ended and why.
    fn head(&mut self, finish: &Finish) -> std::fmt::Result {
        let Finish { source, started_ns, finished_ns, totals, .. } = finish;
        let run = totals.run;
        let reason = finish.reason.as_ref().map(|reason| format!(": {}", one_line(&reason.text)));
        let by = finish.by.as_ref().map(|by| format!(", by plugin `{by}`")).unwrap_or_default();
        for line in wrapped(&format!("{}{}{by}", finish.status.name(), reason.unwrap_or_default()), WIDTH) {
            writeln!(self.text, "{line}")?;
        }
        let second = |ns| time::rfc3339(ns).replace('T', " ").chars().take(19).collect::<String>();
        let took = seconds(finished_ns.saturating_sub(*started_ns) / 1_000_000);
        let rc = finish.rc.map_or_else(|| "Ansible did not start".to_owned(), |rc| format!("exit code {rc}"));
        writeln!(self.text, "job {}, run {}", source.job, source.run)?;
        writeln!(self.text, "{} to {} UTC, {took}, {rc}", second(*started_ns), second(*finished_ns))?;
        writeln!(
            self.text,
            "{} hosts: {} failed, {} unreachable, {} changed",
            run.hosts, run.hosts_failed, run.hosts_unreachable, run.hosts_changed
        )
    }

    fn hosts(&mut self, collected: &Collected) -> std::fmt::Result {
        if collected.hosts.is_empty() {
            return Ok(());
        }
        let width = collected.hosts.keys().map(|host| host.chars().count()).max().unwrap_or(0).clamp(4, 32);
        let titles = ["ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored"];
        write!(self.text, "\n{:width$}", "Host")?;
        for title in titles {
            write!(self.text, "  {title:>5}")?;
        }
        self.text.push('\n');
        for (name, host) in &collected.hosts {
            let Host { ok, changed, unreachable, failed, skipped, rescued, ignored, .. } = host;
            write!(self.text, "{:width$}", cut(name, width))?;
            for (title, count) in titles.iter().zip([ok, changed, unreachable, failed, skipped, rescued, ignored]) {
                write!(self.text, "  {count:>width$}", width = title.len().max(5))?;
            }
            self.text.push('\n');
        }
        Ok(())
    }

    fn failures(&mut self, collected: &Collected, title: &str, results: &[&str]) -> std::fmt::Result {
        let found: Vec<_> = collected.failures.iter().filter(|failed| results.contains(&failed.result)).collect();
        self.title(title, found.len())?;
        for failed in found.iter().take(self.lines) {
            let took = failed.duration_ms.map(|took| format!(", {}", seconds(took))).unwrap_or_default();
            let rc = failed.rc.map(|rc| format!(", rc {rc}")).unwrap_or_default();
            let items = match &failed.items[..] {
                [] => String::new(),
                items => format!(" [{}]", items.join(", ")),
            };
            let line =
                format!("{}  {} / {}{items}  ({}{rc}{took})", failed.host, failed.play, failed.task, failed.result);
            self.entry(&line, 2)?;
            if let Some(message) = &failed.message {
                self.entry(&one_line(message), 6)?;
            }
        }
        self.more(found.len())
    }

    fn changes(&mut self, collected: &Collected) -> std::fmt::Result {
        let changes: Vec<String> = collected
            .hosts
            .iter()
            .filter(|(_, host)| !host.changed_by.is_empty())
            .map(|(name, host)| format!("{name}  {}", host.changed_by.join(", ")))
            .collect();
        self.list("Changed", &changes)
    }

    fn slowest(&mut self, collected: &Collected, count: usize) -> std::fmt::Result {
        let slowest = collected.slowest(count);
        self.title("Slowest tasks", slowest.len())?;
        for task in slowest {
            let others = task.hosts - 1;
            let others = if others == 0 { String::new() } else { format!(" ({others} more)") };
            let line = format!(
                "{:>9}  {} / {}  on {}{others}",
                seconds(task.longest_ms),
                task.play,
                task.task,
                task.slowest_host
            );
            writeln!(self.text, "{}", cut(&line, WIDTH))?;
        }
        Ok(())
    }

    fn list(&mut self, title: &str, entries: &[String]) -> std::fmt::Result {
        self.title(title, entries.len())?;
        for entry in entries.iter().take(self.lines) {
            self.entry(entry, 2)?;
        }
        self.more(entries.len())
    }

    /// A list without entries has no title either.
    fn title(&mut self, title: &str, entries: usize) -> std::fmt::Result {
        if entries == 0 { Ok(()) } else { writeln!(self.text, "\n{title}") }
    }

    fn entry(&mut self, entry: &str, indent: usize) -> std::fmt::Result {
        let mut indented = indent;
        for line in wrapped(entry, WIDTH - indent - 4) {
            writeln!(self.text, "{:indented$}{line}", "")?;
            indented = indent + 4;
        }
        Ok(())
    }

    fn more(&mut self, entries: usize) -> std::fmt::Result {
        match entries.saturating_sub(self.lines) {
            0 => Ok(()),
            left => writeln!(self.text, "  and {left} more, in summary.json"),
        }
    }
}

fn said(list: &[Said], otherwise: &str) -> Vec<String> {
    let one = |said: &Said| {
        let consequence = if said.acted_on || said.what == "warn" { String::new() } else { format!(" ({otherwise})") };
        format!("{}  {}: {}{consequence}", said.what, said.plugin, one_line(&said.text))
    };
    list.iter().map(one).collect()
}

/// A time for people: `0.04 s`, `12.3 s`, `9 min 40 s`.
fn seconds(ms: u64) -> String {
    match ms / 1000 {
        0..10 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        10..100 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// Lines joined, and without what a terminal would obey.
fn one_line(text: &str) -> String {
    let words: Vec<String> =
        text.split_whitespace().map(|word| word.chars().filter(|c| !c.is_control()).collect()).collect();
    words.join(" ")
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width - 1).chain(['…']).collect(),
    }
}

/// Breaks a text at blanks; a word that is longer than a line is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut blanks = "";
    for word in text.split(' ') {
        let word = cut(word, width);
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width {
            line.push_str(blanks);
            line.push_str(&word);
        } else {
            lines.push(word);
        }
        blanks = " ";
    }
    lines
}
