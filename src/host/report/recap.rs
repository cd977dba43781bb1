//! What each host of a run came to, as Ansible's recap has it.

use playwarden_event::Status;

use super::listing::one_line;
use crate::store::{HostRecap, Recap, RecapSource};

/// Returns a table with a line for each host.
#[must_use]
pub fn table(recap: &Recap) -> String {
    let name = |host: &str| one_line(host, 60);
    let width = recap.hosts.keys().map(|host| name(host).chars().count()).max().unwrap_or(0).max("HOST".len());
    let heads = ["OK", "CHANGED", "UNREACHABLE", "FAILED", "SKIPPED", "RESCUED", "IGNORED"];
    let row = |host: &str, cells: [String; 7]| {
        let cells: String =
            heads.iter().zip(cells).map(|(head, cell)| format!("  {cell:>0$}", head.len().max(4))).collect();
        format!("{host:width$}{cells}\n")
    };
    let mut text = row("HOST", heads.map(str::to_owned));
    for (host, counts) in &recap.hosts {
        let HostRecap { ok, changed, unreachable, failed, skipped, rescued, ignored } = *counts;
        let counts = [ok, changed, unreachable, failed, skipped, rescued, ignored];
        text += &row(&name(host), counts.map(|count| count.to_string()));
    }
    text
}

/// Returns what has to be said beside the counts, if they are not Ansible's.
#[must_use]
pub fn remark(recap: &Recap) -> Option<String> {
    let why = match (recap.from, recap.status) {
        (RecapSource::Ansible, _) => return None,
        (_, status) if !status.is_terminal() => "the run goes on".to_owned(),
        (_, Status::Failed) => "Ansible ended without any".to_owned(),
        (_, status) => format!("Ansible gave none, the run is {status}"),
    };
    Some(format!("counted from the journal so far: {why}\n"))
}
