//! Which keys look as if their value were a secret.
//!
//! Used to warn about a literal in runner.toml, and to know which values of a plan and of a task's arguments must be masked. All
//! must agree, or a value that nobody warned about would be printed.

use serde_json::Value;

const WORDS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "private_key"];

/// Such a key says where a secret is, not what it is.
const PLACES: [&str; 5] = ["_file", "_path", "_dir", "_url", "_name"];

/// Returns whether a key looks as if its value were a secret.
pub(crate) fn looks_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key.contains(word)) && !PLACES.iter().any(|place| key.ends_with(place))
}

/// Returns whether a number under this key is a secret: `password = 1234` is,
/// `max_tokens = 5` is not.
fn is_secret_itself(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key.ends_with(word))
}

/// Returns whether a text is a value, not a template that finds it elsewhere.
fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.contains("{{")
}

/// Collects the literals below keys that look secret, with the path to each.
pub(crate) fn literals(key: &str, value: &Value, within: bool, found: &mut Vec<(Vec<String>, String)>) {
    let secret = within || looks_secret(key);
    let start = found.len();
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| literals(key, value, secret, found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| literals(&index.to_string(), value, secret, found));
        }
        Value::String(text) if secret && is_literal(text) => found.push((Vec::new(), text.clone())),
        Value::Number(number) if within || is_secret_itself(key) => found.push((Vec::new(), number.to_string())),
        _ => {}
    }
    for (path, _) in &mut found[start..] {
        path.insert(0, key.to_owned());
    }
}

/// Returns the literals below keys that look secret.
pub(crate) fn values(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    literals("", value, false, &mut found);
    found.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_and_their_places_are_not() {
        for key in ["db_password", "DB_PASSWD", "api-key", "GITHUB_TOKEN", "ssh_private_key"] {
            assert!(looks_secret(key), "{key}");
        }
        for key in ["version", "ANSIBLE_VAULT_PASSWORD_FILE", "token_url", "key"] {
            assert!(!looks_secret(key), "{key}");
        }
    }

    #[test]
    fn literals_are_found_at_any_depth() {
        let mut found = Vec::new();
        let vars = serde_json::json!({"db": {"password": "hunter2", "user": "app"}, "secrets": ["a", "{{ b }}", 7]});
        literals("vars", &vars, false, &mut found);
        let paths: Vec<_> = found.iter().map(|(path, value)| (path.join("/"), value.as_str())).collect();
        let expected = [("vars/db/password", "hunter2"), ("vars/secrets/0", "a"), ("vars/secrets/2", "7")];
        assert_eq!(paths, expected.map(|(path, value)| (path.to_owned(), value)));
    }
}
