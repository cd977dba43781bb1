//! The secrets among the values of a plan.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{JobPlan, Secret, Work};

/// Shorter values would be masked in the middle of innocent words.
const SHORTEST_SECRET: usize = 4;

/// Shorter lines of a secret, such as those of a key's end, say nothing alone.
const SHORTEST_LINE: usize = 8;

impl JobPlan {
    /// Returns the secrets that plugins are granted, the answers to prompts and the key, whole and line by line, and the
    /// literal values of environment, extra vars, a module's arguments, and plugins'
    /// configs and granted variables whose keys look secret; longest first, for
    /// whatever is printed or written.
    ///
    /// Values of fewer than 4 characters, and those in `@file`s, are not among them.
    pub fn secrets(&self) -> Vec<String> {
        let env: Map<_, _> = self.env.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        let given = self.more_extra_vars.iter().filter_map(|vars| vars.to_str()).map(parse);
        let args = match &self.work {
            Work::Module { args: Some(args), .. } => parse(args),
            Work::Play { plays, .. } => plays.clone(),
            Work::Command { words } => Value::Array(words.iter().map(|word| parse(word)).collect()),
            _ => Value::Null,
        };
        let configs = self.plugins.iter().map(|plugin| plugin.config.clone());
        let granted = self.plugins.iter().flat_map(|plugin| &plugin.grants.env);
        let granted: Map<_, _> = granted.map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        let own = [Value::Object(env), Value::Object(self.extra_vars.clone()), args, Value::Object(granted)];
        let all = own.into_iter().chain(given).chain(configs);
        let mut values: BTreeSet<_> = all.flat_map(|vars| self.redact.secret_values(&vars)).collect();
        let granted = self.plugins.iter().flat_map(|plugin| plugin.grants.secrets.values()).map(String::as_str);
        let typed = self.answers.iter().map(|answer| &answer.answer).chain(&self.ssh_key).chain(&self.hidden);
        let registry = self.ansible.container.as_ref().and_then(|container| container.registry.as_ref());
        let typed = typed.chain(registry.map(|registry| &registry.password));
        let typed = typed.map(Secret::reveal);
        for secret in granted.chain(typed) {
            let lines = secret.lines().filter(|line| line.chars().count() >= SHORTEST_LINE);
            values.extend(lines.chain([secret]).map(str::to_owned));
        }
        let mut values: Vec<_> = values.into_iter().filter(|value| value.chars().count() >= SHORTEST_SECRET).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
    }
}

/// Reads what one `-e` sets; what is not understood (YAML, `@file`) is null.
fn parse(vars: &str) -> Value {
    if vars.starts_with('@') {
        return Value::Null;
    }
    if vars.starts_with(['{', '[']) {
        return serde_json::from_str(vars).unwrap_or_default();
    }
    let pairs = words(vars);
    let pairs = pairs.iter().filter_map(|word| word.split_once('='));
    Value::Object(pairs.map(|(key, value)| (key.to_owned(), value.into())).collect())
}

/// Splits at spaces outside quotes, as a shell would; quotes are dropped.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, _) if letter.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().expect("there is always a word").push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_may_be_quoted() {
        let vars = parse("a=1 password='x y z' b=\"q=r\"");
        assert_eq!(vars, serde_json::json!({"a": "1", "password": "x y z", "b": "q=r"}));
        assert_eq!(parse("{\"a\": 1}"), serde_json::json!({"a": 1}));
        assert_eq!(parse("@file.yml"), Value::Null);
        assert_eq!(parse("{a: 1}"), Value::Null);
    }
}
