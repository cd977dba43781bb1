//! What the journal of a run says when it is asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use playwarden_event::reader::ReadError;
use playwarden_event::{Event, EventKind, Facts, Stats, Status, Tallies, Tally, Timestamp};
use serde::Serialize;

use super::StoredRun;
use super::follow::{Follower, Next};

/// What each inventory host came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recap {
    /// The run id.
    pub run: String,
    /// How the run is doing.
    pub status: Status,
    /// Who counted.
    pub from: RecapSource,
    /// Hosts on which something was started, by name.
    pub hosts: BTreeMap<String, HostRecap>,
}

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecapSource {
    /// Ansible, at the end of its playbook.
    Ansible,
    /// We, from the events so far: Ansible gives no counts before its end, nor when it is interrupted.
    Journal,
}

/// The counts of one inventory host, with the words of Ansible's recap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostRecap {
    /// Results that were ok, changed ones included.
    pub ok: u64,
    /// Results that changed something.
    pub changed: u64,
    /// Times the host was unreachable.
    pub unreachable: u64,
    /// Failures that were neither rescued nor ignored.
    pub failed: u64,
    /// Skipped tasks.
    pub skipped: u64,
    /// Failures that a `rescue` section took over.
    pub rescued: u64,
    /// Failures that were ignored.
    pub ignored: u64,
}

impl HostRecap {
    fn of(tally: Tally) -> Self {
        Self {
            ok: tally.ok.into(),
            changed: tally.changed.into(),
            unreachable: tally.unreachable.into(),
            failed: tally.failed.into(),
            skipped: tally.skipped.into(),
            rescued: tally.rescued.into(),
            ignored: tally.ignored.into(),
        }
    }
}

/// Turns Ansible's counts by kind into counts by host.
fn by_host(stats: &Stats) -> BTreeMap<String, HostRecap> {
    let count = |of: &BTreeMap<String, u64>, host: &str| of.get(host).copied().unwrap_or(0);
    let recap = |host: &String| HostRecap {
        ok: count(&stats.ok, host),
        changed: count(&stats.changed, host),
        unreachable: count(&stats.dark, host),
        failed: count(&stats.failures, host),
        skipped: count(&stats.skipped, host),
        rescued: count(&stats.rescued, host),
        ignored: count(&stats.ignored, host),
    };
    stats.processed.keys().map(|host| (host.clone(), recap(host))).collect()
}

impl StoredRun {
    /// Returns what each host came to: Ansible's own counts, or for a run that has none what its events say so far.
    ///
    /// # Errors
    /// When the journal has to be read and is damaged.
    pub fn recap(&self) -> Result<Recap, ReadError> {
        let mut stats = self.record.outcome.as_ref().and_then(|outcome| outcome.stats.clone());
        let mut tallies = Tallies::default();
        let mut status = self.status();
        if stats.is_none() {
            let run = self.each_event(|event| {
                tallies.apply(event);
                // The host may have been killed between this and the end.
                if let EventKind::PlaybookOnStats(said) = event.kind() {
                    stats = Some(Stats::clone(said));
                }
            })?;
            status = run.status();
        }
        let (from, hosts) = match &stats {
            Some(stats) => (RecapSource::Ansible, by_host(stats)),
            None => {
                let ours = tallies.hosts().map(|(host, tally)| (host.to_owned(), HostRecap::of(tally)));
                (RecapSource::Journal, ours.collect())
            }
        };
        Ok(Recap { run: self.record.id.clone(), status, from, hosts })
    }

    /// Returns what was learned so far about each inventory host; only those about which something was.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged.
    pub fn facts(&self) -> Result<BTreeMap<String, Facts>, ReadError> {
        let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
        self.each_event(|event| {
            if let (Some(_), Some(host)) = (Facts::brought(event), event.host()) {
                facts.entry(host.to_owned()).or_default().apply(event);
            }
        })?;
        Ok(facts)
    }

    /// Returns whether the run has heard of an inventory host: a play matched it, or a result came from it. A damaged
    /// journal is believed as far as it can be read.
    #[must_use]
    pub fn knows_host(&self, host: &str) -> bool {
        let stats = self.record.outcome.as_ref().and_then(|outcome| outcome.stats.as_ref());
        if stats.is_some_and(|stats| stats.processed.contains_key(host)) {
            return true;
        }
        let mut tallies = Tallies::default();
        self.each_event(|event| tallies.apply(event)).ok();
        tallies.host(host).is_some()
    }

    /// Returns the files that a plugin made in its folder, log included and empty ones not, with their sizes, sorted by path.
    #[must_use]
    pub fn outputs(&self, plugin: &str) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.join("plugins").join(plugin)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                    // A log in which nothing stands was never begun.
                    Ok(meta) if meta.len() == 0 => {}
                    Ok(meta) => files.push((entry.path(), meta.len())),
                    // It is gone again.
                    Err(_) => {}
                }
            }
        }
        files.sort();
        files
    }

    /// Hands over every event so far, and returns the run as it is then.
    pub(super) fn each_event(&self, mut take: impl FnMut(&Event)) -> Result<Self, ReadError> {
        let mut journal = Follower::new(self.clone());
        while let Next::Some((_, event)) = journal.next_line()? {
            take(&event);
        }
        Ok(journal.run().clone())
    }
}

/// Which runs are meant. The default means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that did not end well.
    pub failed: bool,
    /// Only those in one of these states; empty for any.
    pub status: Vec<Status>,
    /// Only those of this job.
    pub job: Option<String>,
    /// Only those that began at this moment or later.
    pub since: Option<Timestamp>,
    /// Only those that have heard of this inventory host.
    pub host: Option<String>,
}

impl Filter {
    /// Returns whether a run is meant.
    #[must_use]
    pub fn matches(&self, run: &StoredRun) -> bool {
        use Status::{Canceled, Denied, Failed, Lost, Timeout};
        let status = run.status();
        (!self.failed || matches!(status, Failed | Canceled | Timeout | Lost | Denied))
            && (self.status.is_empty() || self.status.contains(&status))
            && self.job.as_ref().is_none_or(|job| *job == run.record.job)
            && self.since.is_none_or(|since| run.record.started >= since)
            && self.host.as_ref().is_none_or(|host| run.knows_host(host))
    }
}
