//! Reads a TOML table key by key and notes everything that does not fit.
//!
//! The code that asks for a key is the only description of that key: what
//! nobody asked for by [`Table::finish`] is unknown, and the keys asked for are
//! the words to suggest. serde would stop at the first mistake.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::Finding;
use super::near::did_you_mean;
use super::units;

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// The findings of one file while it is read.
pub(super) struct Notes<'p> {
    pub(super) path: &'p Path,
    pub(super) list: Vec<Finding>,
    /// Places of secrets, which no finding may show.
    pub(super) hidden: Vec<Range<usize>>,
}

impl Notes<'_> {
    pub(super) fn error(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>) {
        self.list.push(Finding::error(code, self.path, message).at(span));
    }

    pub(super) fn error_with_help(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.list.push(Finding::error(code, self.path, message).at(span).help_if(help.into()));
    }

    pub(super) fn wrong_type(&mut self, name: &str, wanted: &str, value: &Value<'_>) {
        let found = type_of(value.get_ref());
        self.list.push(
            Finding::error("wrong-type", self.path, format!("`{name}` must be {wanted}"))
                .at(value.span())
                .label(format!("this is {found}")),
        );
    }

    pub(super) fn not_offered(&mut self, span: Range<usize>, what: &str, help: &str) {
        self.list.push(
            Finding::error("not-offered", self.path, format!("`{what}` is not offered by this version"))
                .at(span)
                .help(help),
        );
    }
}

/// What the document itself is called.
pub(super) const TOP: &str = "`runner.toml`";

/// A table being read.
pub(super) struct Table<'t> {
    /// For messages: ``job `deploy` ``.
    what: String,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    entries: Vec<(&'t str, Range<usize>, &'t Value<'t>)>,
    asked: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub(super) fn new(what: impl Into<String>, span: Range<usize>, table: &'t DeTable<'t>) -> Self {
        let entries = table.iter().map(|(key, value)| (&**key.get_ref(), key.span(), value)).collect();
        Self { what: what.into(), span, entries, asked: Vec::new() }
    }

    /// Returns where each key stands, for rules about which keys go together.
    pub(super) fn keys(&self) -> Keys {
        Keys(self.entries.iter().map(|(key, span, _)| ((*key).to_owned(), span.clone())).collect())
    }

    /// Asks for a key of any type.
    pub(super) fn take(&mut self, key: &'static str) -> Option<(Range<usize>, &'t Value<'t>)> {
        self.asked.push(key);
        let (_, span, value) = self.entries.iter().find(|(name, ..)| *name == key)?;
        Some((span.clone(), *value))
    }

    /// Names keys that exist but that this version refuses.
    pub(super) fn not_offered(&mut self, notes: &mut Notes<'_>, keys: &[&'static str], help: &str) {
        for key in keys {
            if let Some((span, _)) = self.take(key) {
                notes.not_offered(span, key, help);
            }
        }
    }

    /// Reads a string that must not be empty.
    pub(super) fn string(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Option<Spanned<String>> {
        let (_, value) = self.take(key)?;
        filled(notes, key, value)
    }

    /// Reads a list of strings; with `one`, a lone string is a list of one.
    pub(super) fn strings(
        &mut self,
        notes: &mut Notes<'_>,
        key: &'static str,
        one: bool,
    ) -> Option<Vec<Spanned<String>>> {
        let (_, value) = self.take(key)?;
        match value.get_ref() {
            DeValue::String(_) if one => Some(vec![filled(notes, key, value)?]),
            DeValue::Array(list) => {
                let items = list.iter().enumerate();
                Some(items.filter_map(|(index, item)| filled(notes, &format!("{key}[{index}]"), item)).collect())
            }
            _ => {
                let wanted = if one { "a string or a list of strings" } else { "a list of strings" };
                notes.wrong_type(key, wanted, value);
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Option<bool> {
        let (_, value) = self.take(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            notes.wrong_type(key, "`true` or `false`", value);
        }
        found
    }

    /// Reads an integer between two bounds, both included.
    pub(super) fn integer(&mut self, notes: &mut Notes<'_>, key: &'static str, bounds: (u32, u32)) -> Option<u32> {
        let (_, value) = self.take(key)?;
        integer(notes, key, value, bounds)
    }

    /// Reads a list of such integers.
    pub(super) fn integers(
        &mut self,
        notes: &mut Notes<'_>,
        key: &'static str,
        bounds: (u32, u32),
    ) -> Option<Vec<u32>> {
        let (_, value) = self.take(key)?;
        let DeValue::Array(list) = value.get_ref() else {
            notes.wrong_type(key, "a list of integers", value);
            return None;
        };
        let items = list.iter().enumerate();
        Some(items.filter_map(|(index, item)| integer(notes, &format!("{key}[{index}]"), item, bounds)).collect())
    }

    /// Reads a duration above zero.
    pub(super) fn duration(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Option<Duration> {
        let help = "write a number with a unit, such as \"2h\", \"1h30m\", \"90s\" or \"500ms\"";
        let duration = self.unit(notes, key, units::parse_duration, "duration", help)?;
        self.above_zero(notes, key, duration, !duration.is_zero())
    }

    /// Reads a size in bytes, above zero.
    pub(super) fn size(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Option<u64> {
        let help = "write a number with a binary unit, such as \"64MiB\" or \"1GiB\"";
        let size = self.unit(notes, key, units::parse_size, "size", help)?;
        self.above_zero(notes, key, size, size != 0)
    }

    fn unit<T>(
        &mut self,
        notes: &mut Notes<'_>,
        key: &'static str,
        parse: fn(&str) -> Option<T>,
        kind: &str,
        help: &str,
    ) -> Option<T> {
        let (_, value) = self.take(key)?;
        let Some(text) = value.get_ref().as_str() else {
            notes.wrong_type(key, &format!("a {kind}"), value);
            return None;
        };
        let found = parse(text);
        if found.is_none() {
            let message = format!("`{text}` is not a {kind}");
            notes.error_with_help("bad-value", value.span(), message, help.to_owned());
        }
        found
    }

    fn above_zero<T>(&self, notes: &mut Notes<'_>, key: &str, found: T, above: bool) -> Option<T> {
        if above {
            return Some(found);
        }
        let (_, _, value) = self.entries.iter().find(|(name, ..)| *name == key)?;
        let help = "leave the key out to have no limit or the default".to_owned();
        notes.error_with_help("bad-value", value.span(), format!("`{key}` must be more than zero"), help);
        None
    }

    /// Reads one word of a closed list; `refused` are words of later versions.
    pub(super) fn word<T: Copy>(
        &mut self,
        notes: &mut Notes<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
        refused: &[&'static str],
    ) -> Option<T> {
        let (_, value) = self.take(key)?;
        word(notes, key, value, words, refused)
    }

    pub(super) fn table(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Option<Self> {
        let (span, value) = self.take(key)?;
        let what = if self.what == TOP { format!("`[{key}]`") } else { format!("`{key}` of {}", self.what) };
        table(notes, key, what, span, value)
    }

    /// Reads a table whose keys are names chosen by the user.
    pub(super) fn named(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Vec<(Spanned<String>, &'t Value<'t>)> {
        let Some((_, value)) = self.take(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            notes.wrong_type(key, "a table", value);
            return Vec::new();
        };
        let mut named: Vec<_> = table
            .iter()
            .map(|(name, value)| (Spanned::new(name.span(), name.get_ref().clone().into_owned()), value))
            .collect();
        named.sort_by_key(|(name, _)| name.span().start);
        named
    }

    /// Reads a table of anything as JSON.
    pub(super) fn json(&mut self, notes: &mut Notes<'_>, key: &'static str) -> Option<serde_json::Map<String, Json>> {
        let (_, value) = self.take(key)?;
        if !value.get_ref().is_table() {
            notes.wrong_type(key, "a table", value);
            return None;
        }
        match json(notes, value) {
            Json::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self, notes: &mut Notes<'_>) {
        for (key, span, _) in &self.entries {
            if !self.asked.contains(key) {
                let help = did_you_mean(key, self.asked.iter().copied());
                let message = format!("unknown key `{key}` in {}", self.what);
                notes.error_with_help("unknown-key", span.clone(), message, help);
            }
        }
    }
}

/// Which keys a table has, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<(String, Range<usize>)>);

impl Keys {
    pub(super) fn get(&self, key: &str) -> Option<Range<usize>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, span)| span.clone())
    }
}

/// Sets what was found, else keeps what was there.
pub(super) fn set<T>(slot: &mut T, found: Option<T>) {
    if let Some(found) = found {
        *slot = found;
    }
}

pub(super) fn table<'t>(
    notes: &mut Notes<'_>,
    name: &str,
    what: impl Into<String>,
    span: Range<usize>,
    value: &'t Value<'t>,
) -> Option<Table<'t>> {
    let found = value.get_ref().as_table().map(|table| Table::new(what, span, table));
    if found.is_none() {
        notes.wrong_type(name, "a table", value);
    }
    found
}

/// Reads a string that must not be empty.
fn filled(notes: &mut Notes<'_>, name: &str, value: &Value<'_>) -> Option<Spanned<String>> {
    let text = string(notes, name, value)?;
    if text.get_ref().is_empty() {
        notes.error("bad-value", value.span(), format!("`{name}` must not be empty"));
        return None;
    }
    Some(text)
}

fn integer(notes: &mut Notes<'_>, name: &str, value: &Value<'_>, (least, most): (u32, u32)) -> Option<u32> {
    let Some(number) = value.get_ref().as_integer() else {
        notes.wrong_type(name, "an integer", value);
        return None;
    };
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
    let number = number.and_then(|number| u32::try_from(number).ok());
    let found = number.filter(|number| (least..=most).contains(number));
    if found.is_none() {
        let range = if most == u32::MAX { format!("at least {least}") } else { format!("from {least} to {most}") };
        notes.error("bad-value", value.span(), format!("`{name}` must be {range}"));
    }
    found
}

pub(super) fn string(notes: &mut Notes<'_>, name: &str, value: &Value<'_>) -> Option<Spanned<String>> {
    let Some(text) = value.get_ref().as_str() else {
        let wanted = if value.get_ref().is_array() { "a string" } else { "text in quotes" };
        notes.wrong_type(name, wanted, value);
        return None;
    };
    // Most strings become arguments, paths or environment, where the kernel
    // ends them at the first NUL.
    if text.contains('\0') {
        notes.error("bad-value", value.span(), format!("`{name}` contains a NUL character"));
        return None;
    }
    Some(Spanned::new(value.span(), text.to_owned()))
}

pub(super) fn word<T: Copy>(
    notes: &mut Notes<'_>,
    name: &str,
    value: &Value<'_>,
    words: &[(&'static str, T)],
    refused: &[&'static str],
) -> Option<T> {
    let text = string(notes, name, value)?.into_inner();
    if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*found);
    }
    let known = words.iter().map(|(word, _)| *word);
    if refused.contains(&&*text) {
        let offered: Vec<_> = known.map(|word| format!("`{word}`")).collect();
        notes.not_offered(value.span(), &text, &format!("use {}", offered.join(" or ")));
    } else {
        let message = format!("`{text}` is not a value of `{name}`");
        notes.error_with_help("unknown-word", value.span(), message, did_you_mean(&text, known));
    }
    None
}

/// Turns a value into JSON. What JSON cannot say is noted and becomes null.
pub(super) fn json(notes: &mut Notes<'_>, value: &Value<'_>) -> Json {
    let found = match value.get_ref() {
        DeValue::String(text) => Some(Json::from(&**text)),
        DeValue::Boolean(truth) => Some(Json::from(*truth)),
        DeValue::Integer(number) => {
            let (digits, radix) = (number.as_str(), number.radix());
            let signed = i64::from_str_radix(digits, radix).map(Json::from);
            signed.or_else(|_| u64::from_str_radix(digits, radix).map(Json::from)).ok()
        }
        DeValue::Float(number) => {
            let number = number.as_str().parse().ok();
            number.and_then(serde_json::Number::from_f64).map(Json::Number)
        }
        DeValue::Datetime(moment) => Some(Json::from(moment.to_string())),
        DeValue::Array(list) => Some(list.iter().map(|item| json(notes, item)).collect()),
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(key, value)| (key.get_ref().to_string(), json(notes, value)));
            Some(Json::Object(pairs.collect()))
        }
    };
    found.unwrap_or_else(|| {
        notes.error("bad-value", value.span(), "this number cannot be passed on: JSON has none like it");
        Json::Null
    })
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
