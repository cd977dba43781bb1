//! What a run came to. Pure: everything that was seen in, status and cause out.

use playwarden_event::{Cause, Status, Tally};

use super::state::Ending;
use crate::process::Exit;

/// Ansible's exit code when a policy, a person or a time limit ended the run, as in ansible-runner.
pub(crate) const RC_ENDED: i32 = 254;

/// Everything that decides about the end of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How Ansible ended; none when it never started.
    pub(crate) exit: Option<Exit>,
    /// The callback said hello.
    pub(crate) greeted: bool,
    /// It was not expected to: what was started is not Ansible, or runs no task.
    pub(crate) mute: bool,
    /// The playbook began.
    pub(crate) began: bool,
    /// A play matched no host.
    pub(crate) unmatched: bool,
    /// At least one task ran on a host.
    pub(crate) worked: bool,
    /// Totals of the run.
    pub(crate) totals: Tally,
    /// Ansible's own last words on standard error.
    pub(crate) words: String,
    /// The host could not do its part.
    pub(crate) trouble: Option<String>,
}

/// Decides.
pub(crate) fn conclude(
    seen: &Seen,
    ending: Option<&Ending>,
    failing: Option<&Cause>,
) -> (Status, Option<i32>, Option<Cause>) {
    let rc = seen.exit.and_then(|exit| exit.code.or(exit.signal.map(|signal| 128 + signal)));
    if let Some(ending) = ending {
        let status = match ending.cause {
            Cause::JobTimeout | Cause::IdleTimeout | Cause::UnansweredPrompt { .. } => Status::Timeout,
            Cause::HostTrouble { .. } | Cause::CouldNotStart { .. } => Status::Failed,
            _ => Status::Canceled,
        };
        let rc = if status == Status::Failed { rc } else { Some(RC_ENDED) };
        return (status, rc, Some(ending.cause.clone()));
    }
    if let Some(text) = &seen.trouble {
        return (Status::Failed, rc, Some(Cause::HostTrouble { text: text.clone() }));
    }
    let failed = |cause| (Status::Failed, rc, Some(cause));
    let Some(exit) = seen.exit else {
        return failed(Cause::CouldNotStart { text: seen.words.clone() });
    };
    if no_host_matched(seen, exit) {
        return failed(Cause::NoHostsMatched);
    }
    if !seen.greeted && seen.mute {
        return match exit.code {
            Some(0) => failing.map_or((Status::Successful, rc, None), |cause| failed(cause.clone())),
            _ => failed(Cause::AnsibleEnded { text: words(seen, exit) }),
        };
    }
    if !seen.greeted && exit.code == Some(0) {
        // Ansible ran to its end, and nobody was asked about anything.
        return failed(Cause::HostTrouble {
            text: "Ansible did not load Playwarden's callback, so nothing of this run was guarded or recorded"
                .to_owned(),
        });
    }
    if !seen.began {
        return failed(Cause::CouldNotStart { text: words(seen, exit) });
    }
    match exit.code {
        Some(0) => match failing {
            Some(cause) => failed(cause.clone()),
            None => (Status::Successful, rc, None),
        },
        _ if seen.totals.hosts_failed > 0 => failed(Cause::HostsFailed),
        _ if seen.totals.hosts_unreachable > 0 => failed(Cause::HostsUnreachable),
        _ => failed(Cause::AnsibleEnded { text: words(seen, exit) }),
    }
}

/// Ansible counts this as success, or as one of many errors with exit code 1; it is neither.
fn no_host_matched(seen: &Seen, exit: Exit) -> bool {
    if seen.worked {
        return false;
    }
    match exit.code {
        Some(0) => seen.unmatched || (!seen.began && seen.words.contains("No hosts matched")),
        Some(1) => !seen.began && seen.words.contains("--limit leaves us with no hosts to target"),
        _ => false,
    }
}

fn words(seen: &Seen, exit: Exit) -> String {
    let how = match (exit.code, exit.signal) {
        (Some(code), _) => format!("Ansible ended with {code}"),
        (None, Some(signal)) => format!("Ansible was ended by signal {signal}"),
        (None, None) => "Ansible ended".to_owned(),
    };
    // What `getpass` and Ansible say when there is nobody to ask.
    let asked = ["EOFError", "No secret was available", "vault secrets found", "Can not control echo"];
    let remedy = if asked.iter().any(|words| seen.words.contains(words)) {
        " (what Ansible asks for is typed where the job's `passwords` have it)"
    } else {
        ""
    };
    if seen.words.is_empty() { how } else { format!("{how}{remedy}: {}", seen.words) }
}

#[cfg(test)]
mod tests {
    use playwarden_event::Stop;

    use super::*;

    fn exit(code: i32) -> Option<Exit> {
        Some(Exit { code: Some(code), signal: None })
    }

    fn whole(code: i32) -> Seen {
        Seen { exit: exit(code), greeted: true, began: true, worked: true, ..Seen::default() }
    }

    fn cause(seen: &Seen) -> (Status, Option<Cause>) {
        let (status, _, cause) = conclude(seen, None, None);
        (status, cause)
    }

    #[test]
    fn hosts_decide_about_a_run_that_came_to_its_end() {
        assert_eq!(cause(&whole(0)), (Status::Successful, None));
        let failed = Tally { hosts_failed: 1, hosts_unreachable: 1, ..Tally::default() };
        let unreachable = Tally { hosts_unreachable: 1, ..Tally::default() };
        // Ansible says 4 for both: unreachable wins in its exit code.
        for (code, totals, expected) in [
            (2, failed, Cause::HostsFailed),
            (4, failed, Cause::HostsFailed),
            (4, unreachable, Cause::HostsUnreachable),
        ] {
            let seen = Seen { totals, ..whole(code) };
            assert_eq!(cause(&seen), (Status::Failed, Some(expected)));
        }
        let (status, cause) = cause(&whole(250));
        assert_eq!(status, Status::Failed);
        assert!(matches!(cause, Some(Cause::AnsibleEnded { text }) if text == "Ansible ended with 250"));
    }

    #[test]
    fn a_run_told_to_end_ends_so_whatever_ansible_returned() {
        for (why, status) in [(Cause::Person, Status::Canceled), (Cause::JobTimeout, Status::Timeout)] {
            let ending = Ending { cause: why.clone(), stop: Stop::Now };
            assert_eq!(conclude(&whole(0), Some(&ending), None), (status, Some(254), Some(why)));
        }
    }

    #[test]
    fn a_fault_that_fails_does_not_hide_failed_hosts() {
        let fault = Cause::PluginFault { name: "p".into(), text: "trap".into() };
        assert_eq!(conclude(&whole(0), None, Some(&fault)), (Status::Failed, Some(0), Some(fault.clone())));
        let seen = Seen { totals: Tally { hosts_failed: 1, ..Tally::default() }, ..whole(2) };
        assert_eq!(conclude(&seen, None, Some(&fault)).2, Some(Cause::HostsFailed));
    }

    #[test]
    fn what_never_began_says_why() {
        let parse = Seen { exit: exit(4), words: "[ERROR]: no such module".into(), ..Seen::default() };
        let expected = Cause::CouldNotStart { text: "Ansible ended with 4: [ERROR]: no such module".into() };
        assert_eq!(cause(&parse), (Status::Failed, Some(expected)));
        let unguarded = Seen { exit: exit(0), ..Seen::default() };
        assert!(matches!(cause(&unguarded).1, Some(Cause::HostTrouble { .. })));
        let limit = "ERROR! Specified inventory, host pattern and/or --limit leaves us with no hosts to target.";
        let limited = Seen { exit: exit(1), words: limit.into(), ..Seen::default() };
        assert_eq!(cause(&limited), (Status::Failed, Some(Cause::NoHostsMatched)));
        let unmatched = Seen { unmatched: true, worked: false, ..whole(0) };
        assert_eq!(cause(&unmatched), (Status::Failed, Some(Cause::NoHostsMatched)));
        assert_eq!(cause(&Seen { unmatched: true, ..whole(0) }), (Status::Successful, None));
    }
}
