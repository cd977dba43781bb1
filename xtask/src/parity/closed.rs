//! The differences that must be, wherever they are met. Whatever is not here is a defect.

/// Why two things differ that may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    HostsOwnEvents,
    MoreInEnvelope,
    MoreInEventData,
    StderrApart,
    MoreArtifacts,
    StaleTask,
    RepeatedParent,
    WholeResult,
    StricterMode,
    EmptyLines,
    NothingWritten,
    StrictJson,
    AdHoc,
    Resolved,
}

impl Rule {
    /// What it allows, in words for the report.
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::HostsOwnEvents => "the host's own events stand in the same numbering",
            Self::MoreInEnvelope => "`schema`, `hash` and `prev` on each line",
            Self::MoreInEventData => "keys that ansible-runner lacks, each with its reason in `closed.rs`",
            Self::StderrApart => "standard error is kept apart from standard output",
            Self::MoreArtifacts => "journal, `run.json` and what plugins write stand beside ansible-runner's artifacts",
            Self::StaleTask => "an event that belongs to no task names none; ansible-runner names whichever began last",
            Self::RepeatedParent => "a task that is started again has a uuid of its own and the play as its parent",
            Self::WholeResult => "a result that ansible-runner replaces by `{}`, being too large, is there",
            Self::StricterMode => "files that more than their owner may read are the owner's alone",
            Self::EmptyLines => "empty lines at the end of an event's text stand in `stdout`, as Ansible prints them",
            Self::NothingWritten => "what is given on the command line is not written into `env`",
            Self::Resolved => {
                "`resolved_action` also of what Ansible runs itself, such as an include, which older cores do not look up"
            }
            Self::AdHoc => {
                "an ad hoc command has a play and a task, which are announced and named; it has no constant id"
            }
            Self::StrictJson => "events that strict parsers of JSON refuse are readable",
        }
    }
}

/// The host's own events.
pub(super) const OWN_EVENTS: [&str; 7] = [
    "run_started",
    "status_changed",
    "policy_verdict",
    "plugin_fault",
    "callback_failed",
    "start_failed",
    "run_finished",
];

/// Keys of the envelope that are ours.
pub(super) const ENVELOPE: [&str; 3] = ["schema", "hash", "prev"];

/// Artifacts that are ours.
pub(super) const ARTIFACTS: [&str; 3] = ["events.jsonl", "run.json", "plugins"];

/// Keys of `event_data` that are ours: the event they stand in (`*` at its end: any that begins so), and why.
pub(super) const EVENT_DATA: [(&str, &str, &str); 19] = [
    ("runner_on_skipped", "res", "res on skipped"),
    ("runner_on_unreachable", "ignore_unreachable", "ignore_unreachable"),
    ("runner_on_failed", "rescued", "rescued failures marked"),
    ("*", "truncated", "a cut marked, with the full size"),
    ("runner_item_on_*", "item_number", "loop items numbered"),
    ("runner_item_on_*", "item_label", "loop items numbered"),
    ("*", "play_number", "number of the play's start"),
    ("playbook_on_play_start", "hosts", "a percentage needs the hosts that a play matches"),
    ("playbook_on_play_start", "batch", "a percentage needs the hosts that a play matches"),
    ("playbook_on_play_start", "groups", "a budget of a group needs the hosts that are in it"),
    ("playbook_on_play_start", "strategy", "what policies branch on"),
    ("playbook_on_play_start", "check_mode", "what policies branch on"),
    ("*", "handler", "what policies branch on"),
    ("*", "check_mode", "what policies branch on"),
    ("*", "no_log", "what policies branch on"),
    ("runner_on_start", "start", "what a start is judged by"),
    ("playbook_on_include", "hosts", "for which hosts a file is included"),
    ("playbook_on_include", "is_role", "whether a role is included"),
    ("*", "message", "what a warning says, without its frame"),
];

/// What the events of an ad hoc command tell that ansible-runner does not.
pub(super) const AD_HOC_EVENTS: [&str; 2] = ["playbook_on_play_start", "playbook_on_task_start"];
pub(super) const AD_HOC_DATA: [&str; 3] = ["play", "play_uuid", "play_pattern"];

/// The mark of an event of an ad hoc command: always "1".
pub(super) const AD_HOC_ID: &str = "ad_hoc_command_id";

/// Events of no task.
const WITHOUT_TASK: [&str; 3] =
    ["playbook_on_notify", "playbook_on_no_hosts_matched", "playbook_on_no_hosts_remaining"];

/// What says to which task an event belongs.
const OF_TASK: [&str; 8] =
    ["task", "task_uuid", "task_action", "task_args", "task_path", "resolved_action", "role", "resolved_role"];

/// Whether ansible-runner tells a task of an event that has none.
pub(super) fn is_stale(event: &str, key: &str) -> bool {
    WITHOUT_TASK.contains(&event) && OF_TASK.contains(&key)
}

/// Whether a key of an event's data is ours.
pub(super) fn is_ours(event: &str, key: &str) -> bool {
    let fits = |pattern: &str| pattern.strip_suffix('*').map_or(pattern == event, |start| event.starts_with(start));
    EVENT_DATA.iter().any(|(pattern, name, _)| *name == key && fits(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_ours_only_where_it_belongs() {
        assert!(is_ours("runner_on_skipped", "res") && !is_ours("runner_on_ok", "res"));
        assert!(is_ours("runner_item_on_failed", "item_number") && !is_ours("runner_on_ok", "item_number"));
        assert!(is_ours("playbook_on_stats", "truncated"));
    }
}
