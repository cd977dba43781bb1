//! Which keys look as if their value were a secret.
//!
//! Used to warn about a literal in runner.toml, and to know which values of a plan and of a task's arguments must be masked. All
//! must agree, or a value that nobody warned about would be printed.

use serde_json::Value;

use super::{MASK, Rules};

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
pub(super) fn is_secret_itself(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key.ends_with(word))
}

/// Returns whether a text is a value, not a template that finds it elsewhere.
fn is_literal(text: &str) -> bool {
    !text.is_empty() && !text.contains("{{")
}

impl Rules {
    /// Collects the literals below keys that hide them, with the path to each.
    pub(crate) fn literals(&self, key: &str, value: &Value, within: bool, found: &mut Vec<(Vec<String>, String)>) {
        let secret = within || self.hides(key);
        let start = found.len();
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.literals(key, value, secret, found)),
            Value::Array(list) => {
                let items = list.iter().enumerate();
                items.for_each(|(index, value)| self.literals(&index.to_string(), value, secret, found));
            }
            Value::String(text) if secret && is_literal(text) => found.push((Vec::new(), text.clone())),
            Value::Number(number) if within || is_secret_itself(key) || self.names(key) => {
                found.push((Vec::new(), number.to_string()));
            }
            _ => {}
        }
        for (path, _) in &mut found[start..] {
            path.insert(0, key.to_owned());
        }
    }

    /// Masks the literals below keys that hide them.
    pub(crate) fn hide(&self, key: &str, value: &mut Value, within: bool) {
        let secret = within || self.hides(key);
        match value {
            Value::Object(map) => map.iter_mut().for_each(|(key, value)| self.hide(key, value, secret)),
            Value::Array(list) => list.iter_mut().for_each(|value| self.hide("", value, secret)),
            Value::String(text) if secret && is_literal(text) => MASK.clone_into(text),
            Value::Number(_) if within || is_secret_itself(key) || self.names(key) => *value = MASK.into(),
            _ => {}
        }
    }

    /// Returns the literals below keys that hide them.
    pub(crate) fn secret_values(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.literals("", value, false, &mut found);
        found.into_iter().map(|(_, value)| value).collect()
    }
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
    fn literals_are_found_and_hidden_at_any_depth() {
        let mut found = Vec::new();
        let mut vars =
            serde_json::json!({"db": {"password": "hunter2", "user": "app"}, "secrets": ["a", "{{ b }}", 7]});
        Rules::default().literals("vars", &vars, false, &mut found);
        let paths: Vec<_> = found.iter().map(|(path, value)| (path.join("/"), value.as_str())).collect();
        let expected = [("vars/db/password", "hunter2"), ("vars/secrets/0", "a"), ("vars/secrets/2", "7")];
        assert_eq!(paths, expected.map(|(path, value)| (path.to_owned(), value)));

        Rules::default().hide("vars", &mut vars, false);
        let hidden = serde_json::json!({"db": {"password": MASK, "user": "app"}, "secrets": [MASK, "{{ b }}", MASK]});
        assert_eq!(vars, hidden);
    }
}
