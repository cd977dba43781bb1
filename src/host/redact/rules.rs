//! What a team wants masked besides what is known to be secret: `[redact]` of runner.toml.

use std::collections::BTreeMap;

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use super::{HIDDEN_BY_ANSIBLE, MASK, looks_secret};

/// What to mask, checked.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Wanted", into = "Wanted")]
pub struct Rules {
    wanted: Wanted,
    keys: Option<Keys>,
    patterns: Vec<(String, Regex)>,
}

/// What to mask, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Wanted {
    /// Keys whose values are masked; `*` stands for any number of characters.
    pub(crate) keys: Vec<String>,
    /// By module, arguments whose values are masked.
    pub(crate) modules: BTreeMap<String, Vec<String>>,
    /// By name, regular expressions of what is masked in any text.
    pub(crate) patterns: BTreeMap<String, String>,
}

/// The keys in two forms: as a key itself, and as a text would have it before its value.
#[derive(Clone, Debug)]
struct Keys {
    whole: Regex,
    in_text: Regex,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    #[error("`{0}` is no key: it has a blank, a quote, a colon or an equals sign, or nothing but stars")]
    Key(String),
    #[error("`{0}` is no regular expression: {1}")]
    Pattern(String, String),
    #[error("`{0}` is found in a text of nothing, so that it would be everywhere")]
    Everywhere(String),
}

impl Rules {
    /// Checks what is wanted.
    ///
    /// # Errors
    /// The first rule that cannot be used.
    pub(crate) fn new(wanted: Wanted) -> Result<Self, RuleError> {
        wanted.keys.iter().try_for_each(|key| check_key(key))?;
        let arguments = wanted.modules.values().flatten();
        arguments.into_iter().try_for_each(|argument| check_key(argument))?;
        let keys = if wanted.keys.is_empty() { None } else { Some(Keys::new(&wanted.keys)?) };
        let patterns = wanted.patterns.iter();
        let patterns =
            patterns.map(|(name, pattern)| Ok((name.clone(), compile(pattern)?))).collect::<Result<_, _>>()?;
        Ok(Self { wanted, keys, patterns })
    }

    /// Returns whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted == Wanted::default()
    }

    /// Returns whether what stands under this key is secret, by its name or by the team's word.
    pub(crate) fn hides(&self, key: &str) -> bool {
        looks_secret(key) || self.names(key)
    }

    /// Returns whether the team has named this key.
    pub(super) fn names(&self, key: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.whole.is_match(key))
    }

    /// Returns the arguments that are masked of a module, by any of the names that a task has for it.
    pub(super) fn arguments<'r>(&'r self, modules: &[String]) -> Vec<&'r str> {
        let fits = |named: &str| modules.iter().any(|module| short(module) == short(named));
        let lists = self.wanted.modules.iter().filter(|(named, _)| fits(named));
        lists.flat_map(|(_, arguments)| arguments).map(String::as_str).collect()
    }

    /// Returns whether there are lists of arguments.
    pub(super) fn has_modules(&self) -> bool {
        !self.wanted.modules.is_empty()
    }

    /// Returns whether a pattern is found in a text, by its name.
    pub(super) fn pattern_in(&self, text: &str) -> Option<&str> {
        self.patterns.iter().find(|(_, pattern)| pattern.is_match(text)).map(|(name, _)| name.as_str())
    }

    /// Masks what patterns find, and the values of keys that stand in the text as `key: value`, `key=value` or in a form like
    /// that. `masked` is told each time by which rule.
    pub(super) fn mask(&self, text: &str, masked: &mut dyn FnMut(&str)) -> Option<String> {
        let mut clean: Option<String> = None;
        for (name, pattern) in &self.patterns {
            let now = pattern.replace_all(clean.as_deref().unwrap_or(text), |_: &Captures<'_>| {
                masked(&format!("patterns.{name}"));
                MASK
            });
            let now = matches!(now, std::borrow::Cow::Owned(_)).then(|| now.into_owned());
            clean = now.or(clean);
        }
        if let Some(keys) = &self.keys {
            let before = clean.as_deref().unwrap_or(text);
            let mut any = false;
            let now = keys.in_text.replace_all(before, |found: &Captures<'_>| {
                let value = &found[3];
                let inside = value.trim_matches(['"', '\'', '\\']);
                if !is_telling(inside) {
                    return found[0].to_owned();
                }
                any = true;
                masked("keys");
                // What belongs to the value and not to the text around it stays.
                let quotes = value.len() - value.trim_start_matches(['"', '\'', '\\']).len();
                let end = value.len() - (value.len() - value.trim_end_matches(['"', '\'', '\\']).len());
                format!("{}{}{}{MASK}{}", &found[1], &found[2], &value[..quotes], &value[end..])
            });
            clean = if any { Some(now.into_owned()) } else { clean };
        }
        clean
    }
}

/// Whether a value, without its quotes, says anything that a mask would hide.
pub(super) fn is_telling(value: &str) -> bool {
    let plain = ["", "true", "false", "null", "none", "yes", "no"].iter().any(|word| value.eq_ignore_ascii_case(word));
    !plain && value != MASK && value != HIDDEN_BY_ANSIBLE && !is_reference(value)
}

/// Whether a value is one expression that says where to find it, with no text of its own.
fn is_reference(value: &str) -> bool {
    let inside = value.strip_prefix("{{").and_then(|value| value.strip_suffix("}}"));
    inside.is_some_and(|inside| !inside.contains(['"', '\'', '{', '}']))
}

impl Keys {
    fn new(keys: &[String]) -> Result<Self, RuleError> {
        let any = |star: &str| keys.iter().map(|key| written(key, star)).collect::<Vec<_>>().join("|");
        let value = r#"\\?"(?:[^"\\]|\\[^"])*\\?"|'(?:[^'\\]|\\.)*'|[^\s,;"'{}\[\]()][^\s,;"'{}\[\]()]*"#;
        let text = format!(r#"(?i)(^|[^\w-])(\\?["']?(?:{})\\?["']?[ \t]*(?::|=>?)[ \t]*)({value})"#, any(r"[\w-]*"));
        Ok(Self { whole: compile(&format!("(?is)^(?:{})$", any(".*")))?, in_text: compile_raw(&text)? })
    }
}

/// A key as a regular expression; blanks between words are spelled as one likes.
fn written(key: &str, star: &str) -> String {
    let letter = |c: char| match c {
        '*' => star.to_owned(),
        '-' | '_' => "[-_]".to_owned(),
        c => regex::escape(c.encode_utf8(&mut [0; 4])),
    };
    key.chars().map(letter).collect()
}

/// # Errors
/// When it can be no key.
pub(crate) fn check_key(key: &str) -> Result<(), RuleError> {
    let is_key = key.chars().any(|c| c != '*') && !key.contains(|c: char| c.is_whitespace() || "\"':={}".contains(c));
    if is_key { Ok(()) } else { Err(RuleError::Key(key.to_owned())) }
}

/// # Errors
/// When it is no regular expression, or one that is found everywhere.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), RuleError> {
    compile(pattern).map(drop)
}

fn compile(pattern: &str) -> Result<Regex, RuleError> {
    let compiled = compile_raw(pattern)?;
    if compiled.is_match("") { Err(RuleError::Everywhere(pattern.to_owned())) } else { Ok(compiled) }
}

fn compile_raw(pattern: &str) -> Result<Regex, RuleError> {
    Regex::new(pattern).map_err(|err| {
        let text = err.to_string();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("cannot be read");
        RuleError::Pattern(pattern.to_owned(), last.trim().trim_start_matches("error: ").to_owned())
    })
}

/// A module's name without the collections that Ansible looks in by itself.
fn short(module: &str) -> &str {
    let builtin = module.strip_prefix("ansible.builtin.").or_else(|| module.strip_prefix("ansible.legacy."));
    builtin.unwrap_or(module)
}

impl TryFrom<Wanted> for Rules {
    type Error = RuleError;

    fn try_from(wanted: Wanted) -> Result<Self, RuleError> {
        Self::new(wanted)
    }
}

impl From<Rules> for Wanted {
    fn from(rules: Rules) -> Self {
        rules.wanted
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.wanted == other.wanted
    }
}

impl Eq for Rules {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(keys: &[&str], patterns: &[(&str, &str)]) -> Rules {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        let patterns = patterns.iter().map(|&(name, pattern)| (name.to_owned(), pattern.to_owned())).collect();
        Rules::new(Wanted { keys, patterns, ..Wanted::default() }).unwrap()
    }

    #[test]
    fn keys_are_found_in_the_forms_that_texts_have() {
        let rules = rules(&["pin", "*_code"], &[]);
        for (text, expected) in [
            ("pin=1234 name=x", "pin=******** name=x"),
            ("pin: 1234", "pin: ********"),
            ("    \"pin\": \"12 34\",\n", "    \"pin\": \"********\",\n"),
            ("{'pin': '1234', 'x': 1}", "{'pin': '********', 'x': 1}"),
            ("{\"PIN\":1234}", "{\"PIN\":********}"),
            ("door-code => 7", "door-code => ********"),
            ("x_pin=1 pins=2 spin: 3", "x_pin=1 pins=2 spin: 3"),
            ("pin: true, pin: null, pin: {{ a }}, pin: ********", "pin: true, pin: null, pin: {{ a }}, pin: ********"),
            ("pin:\nnext", "pin:\nnext"),
            ("\\\"pin\\\": \\\"1234\\\"", "\\\"pin\\\": \\\"********\\\""),
            ("pin: {", "pin: {"),
        ] {
            assert_eq!(rules.mask(text, &mut |_| {}).as_deref().unwrap_or(text), expected);
        }
        assert!(rules.names("PIN") && rules.names("door-code") && rules.names("a_code") && !rules.names("pins"));
    }

    #[test]
    fn each_masking_is_told_by_its_rule() {
        let rules = rules(&["pin"], &[("card", r"\b\d{16}\b"), ("iban", "DE[0-9]{20}")]);
        let mut told = Vec::new();
        let masked = rules.mask("4111111111111111 5500000000000004 pin=1", &mut |rule| told.push(rule.to_owned()));
        assert_eq!(masked.as_deref(), Some("******** ******** pin=********"));
        assert_eq!(told, ["patterns.card", "patterns.card", "keys"]);
        assert_eq!(rules.mask("nothing", &mut |_| {}), None);
    }

    #[test]
    fn rules_that_cannot_be_used_are_refused() {
        for key in ["", "*", "**", "a b", "a:b", "a=b", "'a'"] {
            assert!(matches!(check_key(key), Err(RuleError::Key(_))), "{key}");
        }
        assert!(matches!(check_pattern("("), Err(RuleError::Pattern(..))));
        assert!(matches!(check_pattern("a*"), Err(RuleError::Everywhere(_))));
        assert!(check_key("*-pin").is_ok() && check_pattern("a+").is_ok());
        let damaged = serde_json::from_str::<Rules>(r#"{"patterns": {"x": "("}}"#);
        assert!(damaged.is_err());
    }

    #[test]
    fn a_module_is_known_by_any_of_its_names() {
        let modules = BTreeMap::from([("ansible.builtin.uri".to_owned(), vec!["body".to_owned()])]);
        let rules = Rules::new(Wanted { modules, ..Wanted::default() }).unwrap();
        assert_eq!(rules.arguments(&["uri".to_owned()]), ["body"]);
        assert!(rules.arguments(&["community.general.uri".to_owned()]).is_empty());
    }
}
