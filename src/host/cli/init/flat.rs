//! The variables of a private data dir, as far as they are plain: JSON, or YAML of one level.

use serde_json::{Map, Value};

use crate::redact::looks_secret;

/// The variables of one file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Flat {
    /// Those that can be written down.
    pub(super) values: Map<String, Value>,
    /// The names of the others, and why each is left out.
    pub(super) left: Vec<(String, &'static str)>,
}

const SECRET: &str = "looks secret";
const NOT_PLAIN: &str = "is not plain";

impl Flat {
    /// Reads `env/extravars` or `env/envvars`.
    pub(super) fn read(text: &str) -> Self {
        let mut flat = Self::default();
        if let Ok(values) = serde_json::from_str::<Map<String, Value>>(text) {
            values.into_iter().for_each(|(name, value)| flat.take(name, Some(value)));
            return flat;
        }
        let mut open: Option<(String, Option<Value>)> = None;
        for line in text.lines() {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') || content == "---" {
                continue;
            }
            let key = content.split_once(':').filter(|(_, value)| value.is_empty() || value.starts_with(' '));
            match key {
                Some((name, value)) if !line.starts_with([' ', '-', '\t']) => {
                    if let Some((name, value)) = open.take() {
                        flat.take(name, value);
                    }
                    open = Some((name.trim().trim_matches(['"', '\'']).to_owned(), scalar(value.trim())));
                }
                // It goes on: no plain value.
                _ => match &mut open {
                    Some((_, value)) => *value = None,
                    None => flat.left.push((content.chars().take(20).collect(), NOT_PLAIN)),
                },
            }
        }
        if let Some((name, value)) = open {
            flat.take(name, value);
        }
        flat
    }

    fn take(&mut self, name: String, value: Option<Value>) {
        match value {
            _ if looks_secret(&name) => self.left.push((name, SECRET)),
            Some(value) if written(&value).is_some() => {
                self.values.insert(name, value);
            }
            _ => self.left.push((name, NOT_PLAIN)),
        }
    }
}

/// Reads a value as YAML 1.1 has it; none when it is not sure what is meant.
fn scalar(text: &str) -> Option<Value> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let inner = quoted.strip_suffix('\'')?;
        return (!inner.replace("''", "").contains('\'')).then(|| inner.replace("''", "'").into());
    }
    if text.starts_with(['"', '[', '{']) {
        return serde_json::from_str(text).ok();
    }
    let text = text.split_once(" #").map_or(text, |(text, _)| text.trim_end());
    let is_number = text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => None,
        "true" | "yes" | "on" => Some(true.into()),
        "false" | "no" | "off" => Some(false.into()),
        _ if text.starts_with(['|', '>', '&', '*', '!', '%', '@', '`', '-', '?']) && !is_number => None,
        _ if text.contains(": ") || text.ends_with(':') => None,
        // 010, 1_000, 1:30 and 2026-11-22 are not what they seem in YAML.
        _ if is_number => match serde_json::from_str(text) {
            Ok(number) => Some(number),
            Err(_) if text.split('.').count() > 2 && !text.contains(['_', ':']) => Some(text.into()),
            Err(_) => None,
        },
        _ => Some(text.into()),
    }
}

/// Writes a value down in TOML; none where TOML has no such value.
pub(super) fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) if number.is_i64() || number.is_f64() => Some(number.to_string()),
        Value::Number(_) => None,
        Value::String(text) => Some(quoted(text)),
        Value::Array(list) => {
            let items: Option<Vec<_>> = list.iter().map(written).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Object(map) => table(map),
    }
}

/// Writes an inline table down.
pub(super) fn table(map: &Map<String, Value>) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let key = |name: &String| {
        if !name.is_empty() && name.chars().all(plain) { name.clone() } else { quoted(name) }
    };
    let pairs: Option<Vec<_>> =
        map.iter().map(|(name, value)| Some(format!("{} = {}", key(name), written(value)?))).collect();
    let pairs = pairs?.join(", ");
    Some(if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {pairs} }}") })
}

/// Writes a text down: JSON's form, but for one character that TOML wants escaped.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_values_are_read_and_others_are_named() {
        let text = "---\n# why\nname: web one # two\nquoted: 'it''s'\nnumber: 7\nyes: on\nversion: 1.2.3\nday: 2026-11-22\n\
                    octal: 010\nlist: [1, \"a\"]\nnested:\n  a: 1\nitems:\n- a\ndb_password: x\nempty:\nlast: {\"a\": null}\n";
        let flat = Flat::read(text);
        let values = json!({"name": "web one", "quoted": "it's", "number": 7, "yes": true, "version": "1.2.3", "list": [1, "a"]});
        assert_eq!(Value::Object(flat.values), values);
        let left: Vec<_> = flat.left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["day", "octal", "nested", "items", "db_password", "empty", "last"]);
        assert_eq!(flat.left[4].1, SECRET);
        assert_eq!(Value::Object(Flat::read("{\"a\": {\"b\": [1]}}").values), json!({"a": {"b": [1]}}));
    }

    #[test]
    fn values_are_written_down() {
        let value = json!({"a": 1.5, "b c": ["\u{7f}\n\""], "d": {}});
        assert_eq!(written(&value).unwrap(), r#"{ a = 1.5, "b c" = ["\u007f\n\""], d = {} }"#);
        assert_eq!((written(&json!(u64::MAX)), written(&json!([null]))), (None, None));
    }
}
