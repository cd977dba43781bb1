//! The exit codes: a promise to scripts. The README has the same table, and a test compares the two.

use playwarden_event::{Cause, Outcome, Status};

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Success = 0,
    /// `stop` and `is-alive` found nothing that runs.
    Nothing = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Hosts failed, or Ansible ended in a way that says nothing about hosts.
    HostsFailed = 10,
    /// Hosts were unreachable, and none failed.
    Unreachable = 11,
    /// Ansible could not start: a parse error, a vault, a missing file.
    CouldNotStart = 12,
    /// No host matched.
    NoHostsMatched = 13,
    /// A person canceled.
    CanceledByPerson = 20,
    /// A policy's verdict canceled.
    CanceledByPolicy = 21,
    /// The job's time limit.
    JobTimeout = 22,
    /// The idle time limit, or a prompt that nobody answered.
    IdleTimeout = 23,
    /// The configuration is wrong.
    Configuration = 30,
    /// A plugin does not load.
    PluginLoad = 31,
    /// A plugin's fault, with `on-fault` = `cancel` or `fail`.
    PluginFault = 32,
    /// The evidence is not as it was written.
    Tampered = 40,
    /// The evidence could not be written.
    Evidence = 74,
}

impl Exit {
    /// Returns the code of a run's end.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match (&outcome.cause, outcome.status) {
            (_, Status::Successful) => Self::Success,
            (Some(Cause::HostsUnreachable), _) => Self::Unreachable,
            (Some(Cause::NoHostsMatched), _) => Self::NoHostsMatched,
            (Some(Cause::CouldNotStart { .. }), _) => Self::CouldNotStart,
            (Some(Cause::Plugin { .. }), _) => Self::CanceledByPolicy,
            (Some(Cause::PluginFault { .. }), _) => Self::PluginFault,
            (Some(Cause::Person), _) => Self::CanceledByPerson,
            (Some(Cause::JobTimeout), _) => Self::JobTimeout,
            (Some(Cause::IdleTimeout | Cause::UnansweredPrompt { .. }), _) => Self::IdleTimeout,
            (Some(Cause::HostTrouble { .. }), _) => Self::Evidence,
            (Some(Cause::HostsFailed | Cause::AnsibleEnded { .. }) | None, _) => Self::HostsFailed,
        }
    }

    /// All of them, by number.
    pub(crate) const ALL: [Self; 16] = [
        Self::Success,
        Self::Nothing,
        Self::Usage,
        Self::HostsFailed,
        Self::Unreachable,
        Self::CouldNotStart,
        Self::NoHostsMatched,
        Self::CanceledByPerson,
        Self::CanceledByPolicy,
        Self::JobTimeout,
        Self::IdleTimeout,
        Self::Configuration,
        Self::PluginLoad,
        Self::PluginFault,
        Self::Tampered,
        Self::Evidence,
    ];

    /// Returns the code of this number.
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code)
    }

    /// Returns what it means in a few words: the README's table.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Nothing => "nothing is running (`stop`, `is-alive`)",
            Self::Usage => "wrong usage",
            Self::HostsFailed => "hosts failed, or Ansible ended abnormally",
            Self::Unreachable => "hosts were unreachable, none failed",
            Self::CouldNotStart => "Ansible could not start: parse error, vault, missing file",
            Self::NoHostsMatched => "no host matched",
            Self::CanceledByPerson => "canceled by a person",
            Self::CanceledByPolicy => "canceled by a policy's verdict",
            Self::JobTimeout => "`timeout` passed",
            Self::IdleTimeout => "idle timeout, or a prompt that nobody answered",
            Self::Configuration => "the configuration is wrong",
            Self::PluginLoad => "a plugin does not load",
            Self::PluginFault => "ended by a plugin's fault (`on-fault` is `cancel` or `fail`)",
            Self::Tampered => "the evidence is not as it was written",
            Self::Evidence => "the evidence could not be written, such as on a full disk",
        }
    }

    /// Returns what it means, and where to look next.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Success => {
                "The command did what it was asked. A run with this code ended `successful`: Ansible returned 0, at least \
                 one host matched, and no policy or plugin stood against it. Hosts whose failures were ignored or rescued \
                 are in it; `playwarden stats` counts them."
            }
            Self::Nothing => {
                "`stop` had nothing to end, or `is-alive` found no run that is not over. As in ansible-runner, a script can \
                 branch on it. A run whose host was killed is closed on the way and does not count as alive."
            }
            Self::Usage => {
                "The command line cannot be carried out as it stands: an unknown option, job, run or host, a run id that \
                 is taken, or more than one thing that could be meant. Nothing was started. The message names the word; \
                 `playwarden help COMMAND` has the options."
            }
            Self::HostsFailed => {
                "At least one host failed and was neither rescued nor ignored, or Ansible ended in a way that says nothing \
                 about hosts: killed from outside, a dead worker, an error of its own. `playwarden events --failed` shows \
                 the failed results with their messages, `playwarden stats` the hosts, `playwarden show` the cause."
            }
            Self::Unreachable => {
                "Hosts could not be reached, and none of the others failed. `playwarden events --failed` names them with \
                 what the connection said. Look at the network, the user and the keys that Ansible uses for these hosts; \
                 `-v` up to `-vvvv` makes Ansible say more."
            }
            Self::CouldNotStart => {
                "Ansible ended before the playbook began, or could not be started at all: a playbook that it cannot parse, \
                 a vault without its password, a file that is missing. No task ran. `playwarden show` has Ansible's own \
                 words, `playwarden check` finds most of these before a run. `playwarden ansible install` ends with this \
                 code too, when there is no Python that fits or the packages cannot be had; `playwarden plugin build` \
                 does when a tool of the language is missing or refuses the sources: its words stand above."
            }
            Self::NoHostsMatched => {
                "Ansible returned 0, but no host of the inventory matches the play's `hosts` together with `limit`: nothing \
                 was done, which is rarely what was wanted. Compare the two with `ansible-inventory --graph`; a relative \
                 inventory is looked for beside runner.toml."
            }
            Self::CanceledByPerson => {
                "Somebody asked for the end: Ctrl-C, `playwarden cancel`, or a SIGTERM or SIGHUP. No further task was started, what \
                 was running was interrupted, and nothing of the run is alive any more. `playwarden show` names the tasks \
                 that were interrupted."
            }
            Self::CanceledByPolicy => {
                "A cancel policy said no, and from that moment on no further task was started on any host. `playwarden show` \
                 has its name and its reason; `playwarden events --event policy_verdict` has every verdict of the run, \
                 with the event it was about."
            }
            Self::JobTimeout => {
                "The run took longer than its `timeout` and was ended. `playwarden show` names the tasks that were still \
                 running; `playwarden events` has the time of every event. Give the job a longer `timeout`, or find the task \
                 that hangs."
            }
            Self::IdleTimeout => {
                "For as long as `idle-timeout` says, Ansible printed nothing and reported no event, and the run was ended: \
                 something hangs. `playwarden show` names the tasks that were still running. A task that is silent for good \
                 reasons wants a longer `idle-timeout`, or `async` with `poll`. Or something asked, such as for a password, and \
                 `passwords` of the job has no answer to it: the cause has the prompt."
            }
            Self::Configuration => {
                "runner.toml, or something that it names, is wrong: a key, a word, a file that is missing, a playbook that \
                 Ansible does not take, a plugin that does not accept its config. Nothing was started. `playwarden check` \
                 lists all findings at once, each with its place and a remedy."
            }
            Self::PluginLoad => {
                "A plugin's component does not load: it is no component, its sha256 is another one, it lacks the hook that \
                 the job wants, or it imports what nobody granted it. Nothing was started. `playwarden check` names the \
                 plugin and what it asks for."
            }
            Self::PluginFault => {
                "A plugin trapped, took too long or hit one of its limits, and its `on-fault` says that this ends the run \
                 (`cancel`) or makes it fail (`fail`). `playwarden events --json --event plugin_fault` has what happened, and \
                 in `stderr` the plugin's own last words; `limits` of the plugin sets what it may take."
            }
            Self::Tampered => {
                "`audit verify` found that a run or its log is not as it was written: lines were changed, removed, added or \
                 moved, a signature does not fit, or a run is missing. Each finding names the file, and for a journal the first \
                 line and its offset. What comes before it is as it was written."
            }
            Self::Evidence => {
                "The journal or another file of the run could not be written, or a run cannot be read back: a full disk, \
                 missing rights, a damaged file. A run that cannot be recorded is ended, since nobody could say afterwards \
                 what it did. The message names the file; make room or fix its rights, and look at what the run came to \
                 with `playwarden show`."
            }
        }
    }

    /// Returns the number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}
