//! From what rules find to a verdict.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use playwarden_sdk::prelude::*;

/// What a finding makes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It is said, and the run goes on.
    Warn,
    /// The run is canceled.
    Cancel,
}

/// How a cancel stops: the key `stop`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Running tasks are interrupted.
    #[default]
    Now,
    /// Running tasks end by themselves.
    AfterRunningTasks,
}

/// One thing that a rule has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it makes of the run.
    pub severity: Severity,
    /// What is said to the operator.
    pub text: String,
    /// The word for tools.
    pub code: String,
    /// The host that it is about.
    pub host: Option<String>,
    /// The counter of the event that decided.
    pub event: Option<u64>,
    /// How a cancel stops.
    pub stop: Stop,
}

/// Returns the verdict of a call: on those of its findings that were not said of their hosts before. To be called last,
/// when no rule can fail any more: what is noted as said is not found again after a restart.
///
/// # Errors
///
/// The host keeps no more: rules have found too many different things.
pub fn say(source: &Source, mut found: Vec<Finding>) -> Result<Verdict, Failure> {
    let mut keys = BTreeSet::new();
    found.retain(|finding| {
        let key = key(source, finding);
        state::get(&key).is_none() && keys.insert(key)
    });
    for key in keys {
        state::set(&key, b"")?;
    }
    Ok(verdict(found))
}

/// Returns the one verdict that a call has for all its findings. Where one of them cancels, those that only warn go to
/// the log.
pub(crate) fn verdict(found: Vec<Finding>) -> Verdict {
    let Some(severity) = found.iter().map(|finding| finding.severity).max() else { return Verdict::Proceed };
    let (said, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|finding| finding.severity == severity);
    for Finding { text, code, .. } in rest {
        warn!("{text}"; code = code);
    }
    let Some(first) = said.first() else { return Verdict::Proceed };
    let mut texts: Vec<&str> = Vec::new();
    for finding in &said {
        if !texts.contains(&finding.text.as_str()) {
            texts.push(&finding.text);
        }
    }
    let text = texts.join("; ");
    let verdict = match severity {
        Severity::Warn => Verdict::warn(text),
        Severity::Cancel => Verdict::cancel(text),
    };
    let mut verdict = verdict.code(first.code.clone());
    if let Some(counter) = first.event {
        verdict = verdict.at_counter(counter);
    }
    // Who would let tasks end does not undo that another rule wants them interrupted.
    let may_end = said.iter().all(|finding| finding.stop == Stop::AfterRunningTasks);
    if may_end { verdict.after_running_tasks() } else { verdict }
}

/// Returns what tells a finding from others. It is a key of the plugin's store, so it survives a restart of the
/// instance; and short, since the store is small.
fn key(source: &Source, finding: &Finding) -> String {
    let Finding { severity, text, code, host, .. } = finding;
    let mut hasher = DefaultHasher::new();
    (&source.run, &source.job, severity, code, host, text).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
