//! The text of a case's `case.toml`: how a plugin is set in a test of it, as a plugin's table in `runner.toml` has it.

use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::check::syntax;
use super::check_plugin::finish_plugin;
use super::finding::Findings;
use super::plugin::{Component, Plugin};
use super::raw_plugin::{RawPlugin, read_settings};
use super::table::{Keys, Notes, Table};
use super::{read_text, secret};

/// The name of that file.
pub const CASE_FILE: &str = "case.toml";

/// A checked `case.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The file of events, relative to the case's folder.
    pub events: String,
    /// Counters of events after which the plugin is restarted.
    pub restart_after: Vec<u32>,
    /// What the plugin is told of the run's plan.
    pub plan: serde_json::Map<String, serde_json::Value>,
    /// The plugin, as the case sets it.
    pub plugin: Plugin,
}

impl Case {
    /// Reads the file of a case for the plugin of this name; without a file everything is as usual.
    ///
    /// # Errors
    /// Returns all findings if one of them is an error.
    pub fn load(path: &Path, name: &str, component: Component) -> Result<Self, Findings> {
        let text: Arc<str> = if path.exists() { read_text(path)?.into() } else { "".into() };
        let mut notes = Notes { path, list: Vec::new(), hidden: Vec::new() };
        let case = Self::read(&mut notes, &text, name, component);
        let masked = secret::mask(&text, &notes.hidden);
        let mut findings = Findings::new(notes.list);
        findings.add_source(path, masked.into());
        findings.settle();
        match case {
            Some(case) if !findings.has_errors() => Ok(case),
            _ => Err(findings),
        }
    }

    fn read(notes: &mut Notes<'_>, text: &str, name: &str, component: Component) -> Option<Self> {
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            notes.list.extend(errors.iter().map(|err| syntax(notes.path, text, err)));
            return None;
        }
        let mut table = Table::new(format!("`{CASE_FILE}`"), 0..0, document.get_ref());
        table.not_offered(
            notes,
            &["grants", "restart", "on-fault"],
            "a plugin in a test reaches nothing but the case's folder `files`, and breaks once; `restart-after` names events after which it is restarted",
        );
        let events = table.string(notes, "journal").map(toml::Spanned::into_inner);
        let restart_after = table.integers(notes, "restart-after", (1, u32::MAX)).unwrap_or_default();
        let plan = table.json(notes, "plan").unwrap_or_default();
        let settings = read_settings(notes, &mut table);
        table.finish(notes);
        let (path, builtin) = match component {
            Component::Path(path) => (Some(path), None),
            Component::Builtin(name) => (None, Some(name)),
        };
        let here = |text: String| toml::Spanned::new(0..0, text);
        let raw = RawPlugin {
            name: here(name.to_owned()),
            keys: Keys::default(),
            path: path.map(here),
            builtin: builtin.map(here),
            sha256: None,
            settings: settings.clone(),
        };
        Some(Self {
            events: events.unwrap_or_else(|| "events.jsonl".to_owned()),
            restart_after,
            plan,
            plugin: finish_plugin(&raw, settings)?,
        })
    }
}
