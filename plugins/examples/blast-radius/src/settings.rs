//! The configuration, key by key as in README.md.

use std::collections::{BTreeMap, BTreeSet};

use playwarden_sdk::prelude::*;
use wildmatch::WildMatch;

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) max_changed_hosts: Option<u32>,
    pub(crate) max_changed_percent: Option<f64>,
    pub(crate) warn_changed_hosts: Option<u32>,
    /// How many hosts of an inventory group may change.
    pub(crate) groups: BTreeMap<String, u32>,
    pub(crate) strict: bool,
    /// Sets of hosts of which a run may change one.
    pub(crate) apart: Vec<Vec<String>>,
    /// The hosts of an inventory group that come first.
    pub(crate) canaries: BTreeMap<String, Vec<String>>,
    /// More modules that change nothing.
    pub(crate) harmless: Vec<String>,
    pub(crate) stop: When,
}

#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    #[default]
    Now,
    AfterRunningTasks,
}

/// Modules of Ansible's own that change nothing on a host.
const HARMLESS: [&str; 26] = [
    "add_host",
    "assert",
    "async_status",
    "debug",
    "fail",
    "gather_facts",
    "getent",
    "group_by",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    "package_facts",
    "pause",
    "ping",
    "service_facts",
    "set_fact",
    "set_stats",
    "setup",
    "slurp",
    "stat",
    // Ansible puts it in front of a role by itself.
    "validate_argument_spec",
    "wait_for",
    "wait_for_connection",
];

impl Config {
    /// Returns whether a module is known to change nothing. One that is a template may be any.
    pub(crate) fn is_harmless(&self, action: &str) -> bool {
        let short = ["ansible.builtin.", "ansible.legacy."].iter().find_map(|prefix| action.strip_prefix(prefix));
        HARMLESS.contains(&short.unwrap_or(action))
            || self.harmless.iter().any(|pattern| WildMatch::new(pattern).matches(action))
    }

    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let has_limit =
            self.max_changed_hosts.is_some() || self.max_changed_percent.is_some() || !self.groups.is_empty();
        let has_rule =
            has_limit || self.warn_changed_hosts.is_some() || !self.apart.is_empty() || !self.canaries.is_empty();
        if !has_rule {
            let needed = "one of `max-changed-hosts`, `max-changed-percent`, `warn-changed-hosts`, `groups`, `apart` and \
                          `canaries` is needed";
            problems.push(Problem::error("", needed));
        }
        if let Some(percent) = self.max_changed_percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
            problems.push(Problem::error("/max-changed-percent", format!("{percent} is not within 0 to 100")));
        }
        if self.strict && !has_limit {
            let message = "keeps a limit: add `max-changed-hosts`, `max-changed-percent` or `groups`, or leave it out";
            problems.push(Problem::error("/strict", message));
        }
        if self.warn_changed_hosts.zip(self.max_changed_hosts).is_some_and(|(warn, max)| warn >= max) {
            let message = "never warns: `max-changed-hosts` is not larger, and cancels first";
            problems.push(Problem::warning("/warn-changed-hosts", message));
        }
        for (index, set) in self.apart.iter().enumerate() {
            if set.iter().collect::<BTreeSet<_>>().len() < 2 {
                let message = "names fewer than two hosts; write each set as `[\"db01\", \"db02\"]`";
                problems.push(Problem::error(format!("/apart/{index}"), message));
            }
        }
        for (group, _) in self.canaries.iter().filter(|(_, hosts)| hosts.is_empty()) {
            let pointer = format!("/canaries/{}", group.replace('~', "~0").replace('/', "~1"));
            problems.push(Problem::error(pointer, "names no host; leave the group out if none comes first"));
        }
        problems
    }
}
