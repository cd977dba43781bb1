//! The shape of a plugin, and of what a job may set again.

use std::ops::Range;
use std::time::Duration;

use playwarden_event::{EventKind, EventPattern};
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::DeValue;

use super::job::HOOK_LISTS;
use super::locate::pointer_names;
use super::near::did_you_mean;
use super::plugin::{FaultAction, Limits, Mode, OnFault, Payload, Restart};
use super::raw_grants::{RawGrants, read_grants};
use super::table::{Keys, Notes, Table, Value, string, word};

/// A plugin as written.
#[derive(Debug)]
pub(super) struct RawPlugin {
    pub(super) name: Spanned<String>,
    pub(super) keys: Keys,
    pub(super) path: Option<Spanned<String>>,
    pub(super) builtin: Option<Spanned<String>>,
    pub(super) sha256: Option<String>,
    pub(super) settings: Settings,
}

/// What a plugin sets and a job may set again.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) config: Map<String, Json>,
    pub(super) payload: Option<Payload>,
    pub(super) mode: Option<Mode>,
    pub(super) events: Option<Vec<EventPattern>>,
    pub(super) tick: Option<Duration>,
    pub(super) on_fault: RawOnFault,
    pub(super) restart: RawRestart,
    pub(super) limits: RawLimits,
    pub(super) grants: RawGrants,
}

impl Settings {
    /// Puts a job's override over these; `config` key by key at the top level.
    pub(super) fn with(mut self, over: &Self) -> Self {
        self.config.extend(over.config.clone());
        Self {
            config: self.config,
            payload: over.payload.clone().or(self.payload),
            mode: over.mode.or(self.mode),
            events: over.events.clone().or(self.events),
            tick: over.tick.or(self.tick),
            on_fault: self.on_fault.with(over.on_fault),
            restart: self.restart.with(over.restart),
            limits: self.limits.with(over.limits),
            grants: self.grants.with(&over.grants),
        }
    }
}

/// Only the hooks that are named, in the order of [`HOOK_LISTS`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawOnFault([Option<FaultAction>; 4]);

impl RawOnFault {
    fn with(self, over: Self) -> Self {
        Self(std::array::from_fn(|hook| over.0[hook].or(self.0[hook])))
    }

    /// Puts what is named over the default.
    pub(super) fn finish(self) -> OnFault {
        let [policy, events, status, finished] = self.0;
        let usual = OnFault::default();
        OnFault {
            cancel_policy: policy.unwrap_or(usual.cancel_policy),
            event_handler: events.unwrap_or(usual.event_handler),
            status_handler: status.unwrap_or(usual.status_handler),
            finished_callback: finished.unwrap_or(usual.finished_callback),
        }
    }
}

/// Only what is named.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawRestart {
    max: Option<u32>,
    backoff: Option<Duration>,
}

impl RawRestart {
    fn with(self, over: Self) -> Self {
        Self { max: over.max.or(self.max), backoff: over.backoff.or(self.backoff) }
    }

    /// Puts what is named over the default; none if nothing is, since that
    /// default depends on the hook.
    pub(super) fn finish(self) -> Option<Restart> {
        let usual = Restart::default();
        let named = self.max.is_some() || self.backoff.is_some();
        let (max, backoff) = (self.max.unwrap_or(usual.max), self.backoff.unwrap_or(usual.backoff));
        named.then_some(Restart { max, backoff })
    }
}

/// Only what is named.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawLimits {
    memory: Option<u64>,
    call: Option<Duration>,
    finish: Option<Duration>,
    log: Option<u64>,
    output: Option<u64>,
}

impl RawLimits {
    fn with(self, over: Self) -> Self {
        Self {
            memory: over.memory.or(self.memory),
            call: over.call.or(self.call),
            finish: over.finish.or(self.finish),
            log: over.log.or(self.log),
            output: over.output.or(self.output),
        }
    }

    /// Puts what is named over the default.
    pub(super) fn finish(self) -> Limits {
        let usual = Limits::default();
        Limits {
            memory: self.memory.unwrap_or(usual.memory),
            call: self.call.unwrap_or(usual.call),
            finish: self.finish.unwrap_or(usual.finish),
            log: self.log.unwrap_or(usual.log),
            output: self.output.unwrap_or(usual.output),
        }
    }
}

pub(super) fn read_plugin(notes: &mut Notes<'_>, name: Spanned<String>, mut table: Table<'_>) -> RawPlugin {
    let path = table.string(notes, "path");
    let builtin = table.string(notes, "builtin");
    table.not_offered(notes, &["oci"], "fetch the component and name its file with `path`");
    let sha256 = table.string(notes, "sha256").and_then(|hash| check_sha256(notes, hash));
    let settings = read_settings(notes, &mut table);
    let keys = table.keys();
    table.finish(notes);
    RawPlugin { name, keys, path, builtin, sha256, settings }
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
    let events = table.strings(notes, "events", false);
    Settings {
        config: table.json(notes, "config").unwrap_or_default(),
        payload: table.take("payload").and_then(|(_, value)| read_payload(notes, value)),
        mode: table.word(notes, "mode", &Mode::WORDS, &[]),
        events: events.map(|list| list.iter().filter_map(|pattern| check_event(notes, pattern)).collect()),
        tick: table.duration(notes, "tick"),
        on_fault: table.take("on-fault").map(|(span, value)| read_on_fault(notes, span, value)).unwrap_or_default(),
        restart: table.table(notes, "restart").map(|table| read_restart(notes, table)).unwrap_or_default(),
        limits: table.table(notes, "limits").map(|table| read_limits(notes, table)).unwrap_or_default(),
        grants: table.table(notes, "grants").map(|table| read_grants(notes, table)).unwrap_or_default(),
    }
}

fn read_restart(notes: &mut Notes<'_>, mut table: Table<'_>) -> RawRestart {
    let restart = RawRestart { max: table.integer(notes, "max", (0, 100)), backoff: table.duration(notes, "backoff") };
    table.finish(notes);
    restart
}

fn read_limits(notes: &mut Notes<'_>, mut table: Table<'_>) -> RawLimits {
    let limits = RawLimits {
        memory: table.size(notes, "memory"),
        call: table.duration(notes, "call"),
        finish: table.duration(notes, "finish"),
        log: table.size(notes, "log"),
        output: table.size(notes, "output"),
    };
    table.finish(notes);
    limits
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
            let found = HOOK_LISTS.map(|(hook, _)| hooks.word(notes, hook, &FaultAction::WORDS, &[]));
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
