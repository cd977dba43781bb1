//! The schema says what the reader says, where a schema can.

use std::collections::BTreeSet;
use std::path::Path;

use boon::{Compiler, Schemas};
use playwarden::config::{BUILTINS, Config, SCHEMA};
use serde_json::Value;

use crate::golden::inputs;

/// Refused for what no schema can see: what is there, where paths lead, which plugins are described.
const BEYOND_A_SCHEMA: &[&str] = &[
    "invalid-audit-key",
    "invalid-folders",
    "invalid-inherited-plugin",
    "invalid-missing-files",
    "invalid-passwords-missing",
    "invalid-private-missing",
    "invalid-secrets",
    "invalid-venv-incomplete",
    "invalid-venv-missing",
];

/// Returns the document as JSON; `None` if it is not TOML.
fn document(path: &Path) -> Option<Value> {
    toml::from_str(&std::fs::read_to_string(path).unwrap()).ok()
}

#[test]
fn the_schema_takes_what_gives_a_plan_and_refuses_what_it_can_see() {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("runner.json", serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let schema = compiler.compile("runner.json", &mut schemas).unwrap();
    let mut wrong = Vec::new();
    for input in inputs("config", "toml") {
        let name = input.file_stem().unwrap().to_str().unwrap();
        let Some(document) = document(&input) else { continue };
        let verdict = schemas.validate(&document, schema);
        match (verdict, name.starts_with("invalid-") && !BEYOND_A_SCHEMA.contains(&name)) {
            (Err(why), false) => wrong.push(format!("{name} is refused: {why:#}")),
            (Ok(()), true) => wrong.push(format!("{name} is taken")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A table of the file: its path, and the keys that the schema knows there.
type Tables = Vec<(Vec<String>, BTreeSet<String>)>;

/// Collects the tables with fixed keys below a schema.
fn tables(root: &Value, schema: &Value, path: &[String], to: &mut Tables) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        tables(root, root.pointer(name).unwrap(), path, to);
    }
    schema["oneOf"].as_array().into_iter().flatten().for_each(|one| tables(root, one, path, to));
    let below = |name: &str| [path, &[name.to_owned()]].concat();
    if let Some(keys) = schema["properties"].as_object() {
        assert_eq!(schema["additionalProperties"], false, "{path:?} is open");
        keys.iter().for_each(|(key, value)| tables(root, value, &below(key), to));
        to.push((path.to_vec(), keys.keys().cloned().collect()));
    } else if schema["additionalProperties"].is_object() {
        tables(root, &schema["additionalProperties"], &below("any"), to);
    }
}

/// Returns whether the reader asks for a key in a table.
fn is_read(table: &[String], key: &str) -> bool {
    let place = [table, &[key.to_owned()]].concat().join(".");
    // Any value: whether it fits is another finding.
    let first = if place == "schema-version" { "" } else { "schema-version = 1\n" };
    let Err(findings) = Config::parse(Path::new("runner.toml"), &format!("{first}{place} = 0\n")) else { return true };
    let codes = ["unknown-key", "not-offered", "not-a-default"];
    !findings.list.iter().any(|finding| codes.contains(&finding.code))
}

#[test]
fn the_schema_has_exactly_the_keys_that_are_read() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut found = Tables::new();
    tables(&schema, &schema, &[], &mut found);
    // Whatever the reader asks for stands somewhere in its text.
    let texts = super::sources(&["config"]).join("\n");
    let mut words: BTreeSet<&str> = texts.split('"').filter(|word| is_key(word)).collect();
    words.extend(found.iter().flat_map(|(_, keys)| keys).map(String::as_str));
    let mut wrong = Vec::new();
    for (table, keys) in &found {
        for word in &words {
            match (keys.contains(*word), is_read(table, word)) {
                (true, false) => wrong.push(format!("`{word}` in {table:?} is not read")),
                (false, true) => wrong.push(format!("`{word}` in {table:?} is not in the schema")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The files, lists and tables of runner.toml: fewer would mean that the walk lost its way.
    assert!(found.len() >= 15, "{found:?}");
    assert_eq!(schema["$defs"]["plugin"]["properties"]["builtin"]["enum"], serde_json::json!(BUILTINS));
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c == '-' || c.is_ascii_alphanumeric())
}
