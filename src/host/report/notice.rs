//! What is said about plugins while a run lasts.

use playwarden_event::kind::VerdictWord;
use playwarden_event::{Event, EventKind};

use super::listing::one_line;

/// Lines of a plugin's own last words that are shown.
const LAST_WORDS: usize = 8;

/// Returns what a person should know at once about an event, if anything; a cancel is said at the end of the run.
#[must_use]
pub fn notice(event: &Event) -> Option<String> {
    match event.kind() {
        EventKind::PolicyVerdict(verdict) => {
            let (name, reason) = (&verdict.plugin.name, one_line(&verdict.reason.text, 400));
            match (verdict.verdict, verdict.acted_on) {
                (VerdictWord::Warn, _) => Some(format!("playwarden: policy `{name}` warns: {reason}\n")),
                (VerdictWord::Cancel, false) => Some(format!("playwarden: policy `{name}` would cancel: {reason}\n")),
                (VerdictWord::Cancel, true) => None,
            }
        }
        EventKind::PluginFault(fault) => {
            let follows = match fault.on_fault.as_str() {
                "restart" => "it is started again",
                "ignore" => "the run goes on without it",
                "fail" => "the run goes on without it and will end failed",
                _ => "the run is canceled",
            };
            let (name, call, text) = (&fault.plugin.name, &fault.call, one_line(&fault.text, 400));
            let words: Vec<&str> = fault.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
            let words = words[words.len().saturating_sub(LAST_WORDS)..].iter();
            let words: String = words.map(|line| format!("  | {}\n", one_line(line, 200))).collect();
            Some(format!("playwarden: plugin `{name}` broke in `{call}`: {text}; {follows}\n{words}"))
        }
        _ => None,
    }
}
