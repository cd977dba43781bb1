//! The reference of runner.toml, from its JSON Schema.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::events::cell;
use super::ordered::Ordered;

const HEAD: &str = "\
# runner.toml

Every key that `playwarden` reads, made from the schema that checks it: `playwarden schema` prints that, and editors that
know TOML use it when the first line of the file is `#:schema ./runner.schema.json`, as `playwarden init` writes it. A key that
is not here is an error.

Relative paths are relative to the file. The command line wins over a job, a job over `[defaults]`. A *duration* is written like
`\"2h\"`, `\"1h30m\"`, `\"90s\"` or `\"500ms\"`, a *size* like `\"64MiB\"` or `\"1GiB\"`.
";

/// The tables of the file: how each is written, and its name in the schema.
const TABLES: [(&str, &str); 6] = [
    ("[ansible]", "ansible"),
    ("[defaults]", "defaults"),
    ("[jobs.NAME]", "job"),
    ("[plugins.NAME]", "plugin"),
    ("[plugins.NAME.limits]", "limits"),
    ("[plugins.NAME.grants]", "grants"),
];

/// What of JSON Schema our schema uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Schema {
    description: Option<String>,
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "const")]
    constant: Option<Value>,
    #[serde(rename = "enum")]
    words: Vec<Value>,
    #[serde(rename = "default")]
    preset: Option<Value>,
    minimum: Option<u64>,
    maximum: Option<u64>,
    examples: Vec<Value>,
    properties: Ordered<Self>,
    #[serde(rename = "additionalProperties")]
    more: Option<More>,
    #[serde(rename = "oneOf")]
    one_of: Vec<Self>,
    items: Option<Box<Self>>,
    #[serde(rename = "$defs")]
    shapes: BTreeMap<String, Self>,
}

/// What other keys may be.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum More {
    Each(Box<Schema>),
    Allowed(#[expect(dead_code, reason = "read only so that it is not taken for a schema")] bool),
}

/// Shapes whose name says more than their form, and what they are called here.
const NAMED: [(&str, &str); 6] = [
    ("duration", "duration"),
    ("size", "size"),
    ("origin", "origin"),
    ("variable", "variable"),
    ("name", "name"),
    ("chosen", "list of plugins"),
];

/// Returns the last of [`NAMED`] that a chain leads to.
fn named(chain: &[&Schema]) -> Option<&'static str> {
    let names = chain.iter().filter_map(|schema| schema.reference.as_deref()?.strip_prefix("#/$defs/"));
    names.filter_map(|name| NAMED.iter().find(|(known, _)| *known == name)).next_back().map(|(_, shown)| *shown)
}

/// Renders the page.
pub(crate) fn page(source: &str) -> Result<String, String> {
    let schema: Schema = serde_json::from_str(source).map_err(|err| err.to_string())?;
    let page = Page { shapes: &schema.shapes };
    let mut lines = vec![HEAD.to_owned(), "## The top".to_owned()];
    page.table(&schema, &mut lines)?;
    for (title, name) in TABLES {
        let table = page.shape(name)?;
        lines.push(format!("\n## `{title}`\n\n{}", table.description.as_deref().unwrap_or_default()));
        page.table(table, &mut lines)?;
    }
    Ok(lines.join("\n") + "\n")
}

struct Page<'a> {
    shapes: &'a BTreeMap<String, Schema>,
}

impl<'a> Page<'a> {
    fn shape(&self, name: &str) -> Result<&'a Schema, String> {
        self.shapes.get(name).ok_or_else(|| format!("schema.json has no `{name}`"))
    }

    /// The schema and those that it refers to, nearest first.
    fn chain(&self, schema: &'a Schema) -> Result<Vec<&'a Schema>, String> {
        let mut chain = vec![schema];
        while let Some(reference) = chain.last().and_then(|last| last.reference.as_deref()) {
            let name = reference.strip_prefix("#/$defs/").ok_or_else(|| format!("`{reference}` leads elsewhere"))?;
            chain.push(self.shape(name)?);
        }
        Ok(chain)
    }

    fn table(&self, schema: &'a Schema, lines: &mut Vec<String>) -> Result<(), String> {
        lines.push("\n| key | type | default | meaning |\n|---|---|---|---|".to_owned());
        for (key, value) in &schema.properties.0 {
            self.row(key, value, lines)?;
        }
        Ok(())
    }

    fn row(&self, key: &str, schema: &'a Schema, lines: &mut Vec<String>) -> Result<(), String> {
        let chain = self.chain(schema)?;
        let preset = chain.iter().find_map(|schema| schema.preset.as_ref()).map(shown).unwrap_or_default();
        let meaning = chain.iter().find_map(|schema| schema.description.as_deref()).unwrap_or_default();
        let example = chain.iter().filter(|_| named(&chain).is_none()).find_map(|schema| schema.examples.first());
        let example = example.map(|example| format!(" Such as {}.", shown(example))).unwrap_or_default();
        lines.push(format!("| `{key}` | {} | {preset} | {}{example} |", self.kind(schema)?, cell(meaning)));
        let has_own = TABLES.iter().any(|(title, _)| title.trim_end_matches(']').ends_with(&[".", key].concat()))
            || TABLES.iter().any(|(title, _)| *title == format!("[{key}]"));
        if has_own {
            return Ok(());
        }
        let choices = chain.iter().flat_map(|schema| [*schema].into_iter().chain(&schema.one_of));
        for (inner, value) in choices.flat_map(|schema| &schema.properties.0) {
            self.row(&format!("{key}.{inner}"), value, lines)?;
        }
        // Tables of tables that have no page of their own.
        if let Some(More::Each(each)) = chain.iter().find_map(|schema| schema.more.as_ref()) {
            for (inner, value) in &each.properties.0 {
                self.row(&format!("{key}.NAME.{inner}"), value, lines)?;
            }
        }
        Ok(())
    }

    /// What a value may be, in a few words.
    fn kind(&self, schema: &'a Schema) -> Result<String, String> {
        let chain = self.chain(schema)?;
        if let Some(name) = named(&chain) {
            return Ok(name.to_owned());
        }
        let own = |schema: &&Schema| {
            schema.kind.is_some() || schema.constant.is_some() || !schema.words.is_empty() || !schema.one_of.is_empty()
        };
        let Some(schema) = chain.into_iter().find(own) else { return Ok("table".to_owned()) };
        if let Some(constant) = &schema.constant {
            return Ok(shown(constant));
        }
        if !schema.words.is_empty() {
            return Ok(schema.words.iter().map(shown).collect::<Vec<_>>().join(", "));
        }
        if schema.kind.is_none() {
            let kinds: Result<Vec<_>, _> = schema.one_of.iter().map(|schema| self.kind(schema)).collect();
            return Ok(kinds?.join(", or "));
        }
        Ok(match schema.kind.as_deref().unwrap_or_default() {
            "string" => "text".to_owned(),
            "boolean" => "`true`, `false`".to_owned(),
            "integer" => match (schema.minimum, schema.maximum) {
                (Some(low), Some(high)) if high < u64::from(u32::MAX) => format!("number, {low} to {high}"),
                (Some(low), _) => format!("number from {low}"),
                _ => "number".to_owned(),
            },
            "array" => match &schema.items {
                Some(items) => format!("list of {}s", self.kind(items)?),
                None => "list".to_owned(),
            },
            _ => "table".to_owned(),
        })
    }
}

/// A value as TOML has it.
fn shown(value: &Value) -> String {
    format!("`{}`", toml(value))
}

fn toml(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
