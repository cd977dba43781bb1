//! The shape of a plugin, and of what a job may set again.

use std::ops::Range;
use std::time::Duration;

use playwarden_event::{EventKind, EventPattern};
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::DeValue;

use super::locate::pointer_names;
use super::near::did_you_mean;
use super::plugin::{FaultAction, Limits, Mode, OnFault, Payload};
use super::table::{Keys, Notes, Table, Value, set, string, word};

/// A plugin as written.
#[derive(Debug)]
pub(super) struct RawPlugin {
    pub(super) name: Spanned<String>,
    pub(super) keys: Keys,
    pub(super) path: Option<Spanned<String>>,
    pub(super) sha256: Option<String>,
    pub(super) events: Vec<EventPattern>,
    pub(super) tick: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) settings: Settings,
}

/// What a plugin sets and a job may set again.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) config: Map<String, Json>,
    pub(super) payload: Option<Payload>,
    pub(super) mode: Option<Mode>,
    pub(super) on_fault: RawOnFault,
}

/// Only the hooks that are named, in the order of [`OnFault`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawOnFault([Option<FaultAction>; 4]);

impl RawOnFault {
    /// Puts what is named over what was there.
    pub(super) fn apply(self, under: OnFault) -> OnFault {
        let [policy, events, status, finished] = self.0;
        OnFault {
            cancel_policy: policy.unwrap_or(under.cancel_policy),
            event_handler: events.unwrap_or(under.event_handler),
            status_handler: status.unwrap_or(under.status_handler),
            finished_callback: finished.unwrap_or(under.finished_callback),
        }
    }
}

pub(super) fn read_plugin(notes: &mut Notes<'_>, name: Spanned<String>, mut table: Table<'_>) -> RawPlugin {
    let path = table.string(notes, "path");
    let help = "build or fetch the component and name its file with `path`";
    table.not_offered(notes, &["builtin", "oci"], help);
    let sha256 = table.string(notes, "sha256").and_then(|hash| check_sha256(notes, hash));
    let events = table
        .strings(notes, "events", false)
        .map(|list| list.into_iter().filter_map(|pattern| check_event(notes, &pattern)).collect());
    let tick = table.duration(notes, "tick");
    let mut limits = Limits::default();
    if let Some(mut table) = table.table(notes, "limits") {
        set(&mut limits.memory, table.size(notes, "memory"));
        set(&mut limits.call, table.duration(notes, "call"));
        set(&mut limits.finish, table.duration(notes, "finish"));
        set(&mut limits.log, table.size(notes, "log"));
        set(&mut limits.output, table.size(notes, "output"));
        table.finish(notes);
    }
    let settings = read_settings(notes, &mut table);
    table.not_offered(notes, &["restart"], "a plugin that breaks stays away; see `on-fault`");
    table.not_offered(notes, &["grants"], "a plugin gets its config and the events, nothing else");
    let keys = table.keys();
    table.finish(notes);
    let events = events.unwrap_or_else(|| vec![EventPattern::all()]);
    RawPlugin { name, keys, path, sha256, events, tick, limits, settings }
}

fn check_sha256(notes: &mut Notes<'_>, hash: Spanned<String>) -> Option<String> {
    let text = hash.get_ref();
    if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    let help = "as `sha256sum FILE` prints it".to_owned();
    notes.error_with_help("bad-value", hash.span(), "`sha256` must be 64 hexadecimal digits", help);
    None
}

fn check_event(notes: &mut Notes<'_>, pattern: &Spanned<String>) -> Option<EventPattern> {
    let found = EventPattern::parse(pattern.get_ref());
    if found.is_none() {
        let message = format!("`{}` matches no event", pattern.get_ref());
        notes.error_with_help(
            "unknown-event",
            pattern.span(),
            message,
            did_you_mean(pattern.get_ref(), EventKind::NAMES.iter().copied()),
        );
    }
    found
}

pub(super) fn read_settings(notes: &mut Notes<'_>, table: &mut Table<'_>) -> Settings {
    Settings {
        config: table.json(notes, "config").unwrap_or_default(),
        payload: table.take("payload").and_then(|(_, value)| read_payload(notes, value)),
        mode: table.word(notes, "mode", &Mode::WORDS, &[]),
        on_fault: table.take("on-fault").map(|(span, value)| read_on_fault(notes, span, value)).unwrap_or_default(),
    }
}

fn read_payload(notes: &mut Notes<'_>, value: &Value<'_>) -> Option<Payload> {
    match value.get_ref() {
        DeValue::Array(list) => {
            let mut pointers = Vec::new();
            for item in list {
                let Some(pointer) = string(notes, "payload", item) else { continue };
                if pointer_names(pointer.get_ref()).is_none() {
                    let message = format!("`{}` is not a JSON pointer", pointer.get_ref());
                    let help = "write it as in RFC 6901, such as \"/res/msg\"".to_owned();
                    notes.error_with_help("bad-value", pointer.span(), message, help);
                }
                pointers.push(pointer.into_inner());
            }
            Some(Payload::Pointers(pointers))
        }
        DeValue::String(_) => {
            let full = word(notes, "payload", value, &[("none", false), ("full", true)], &[])?;
            Some(if full { Payload::Full } else { Payload::None })
        }
        _ => {
            notes.wrong_type("payload", "\"none\", \"full\" or a list of JSON pointers", value);
            None
        }
    }
}

fn read_on_fault(notes: &mut Notes<'_>, span: Range<usize>, value: &Value<'_>) -> RawOnFault {
    match value.get_ref() {
        DeValue::Table(hooks) => {
            let mut hooks = Table::new("`on-fault`", span, hooks);
            let keys = ["cancel-policy", "event-handler", "status-handler", "finished-callback"];
            let found = keys.map(|key| hooks.word(notes, key, &FaultAction::WORDS, &[]));
            hooks.finish(notes);
            RawOnFault(found)
        }
        DeValue::String(_) => RawOnFault([word(notes, "on-fault", value, &FaultAction::WORDS, &[]); 4]),
        _ => {
            notes.wrong_type("on-fault", "a word or a table of words by hook", value);
            RawOnFault::default()
        }
    }
}
