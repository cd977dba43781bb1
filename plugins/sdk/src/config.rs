//! The plugin's `config` in runner.toml, as a type of the author's.
//!
//! Derive `serde::Deserialize`, with `#[serde(rename_all = "kebab-case", deny_unknown_fields)]`: keys of runner.toml
//! are kebab-case, and a key that is not known is a mistake. [`config()`] reads it when the plugin is made; [`check`]
//! finds all that is wrong with it before any run.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::{Map, Value};

use crate::bindings::playwarden::plugin::config as host;
use crate::{Failure, Problem, Severity};

/// Reads the whole configuration.
///
/// # Errors
///
/// It is no `T`. The message names the key.
pub fn config<T: DeserializeOwned>() -> Result<T, Failure> {
    let (config, problems) = check();
    match (config, problems.into_iter().find(|problem| problem.severity == Severity::Error)) {
        (Some(config), None) => Ok(config),
        (_, Some(problem)) => Err(vec![problem].into()),
        (None, None) => Err(Failure::new("config: cannot be read")),
    }
}

/// Reads the whole configuration, and holds it against rules between its keys, which are the author's.
///
/// # Errors
///
/// It is no `T`, or the rules find errors in it. The message names the keys.
pub fn config_with<T: DeserializeOwned>(rules: impl FnOnce(&T) -> Vec<Problem>) -> Result<T, Failure> {
    let config = config()?;
    let mut errors = rules(&config);
    errors.retain(|problem| problem.severity == Severity::Error);
    if errors.is_empty() { Ok(config) } else { Err(errors.into()) }
}

/// Reads the value at a pointer such as `/sinks/0`; none when it is absent.
///
/// # Errors
///
/// There is a value, but it is no `T`. The message names the key.
pub fn value<T: DeserializeOwned>(pointer: &str) -> Result<Option<T>, Failure> {
    let Some(json) = host::get(pointer) else {
        return Ok(None);
    };
    let mut reader = serde_json::Deserializer::from_str(&json);
    serde_path_to_error::deserialize(&mut reader).map(Some).map_err(|error| {
        let message = plain(&error.inner().to_string());
        Failure::new(format!("config{pointer}{}: {message}", pointer_of(error.path())))
    })
}

/// Returns a secret granted by name. It is never printed or recorded by the host; do not log it either. None when
/// there is no such grant.
#[must_use]
pub fn secret(name: &str) -> Option<String> {
    host::secret(name)
}

/// Finds all that is wrong with the configuration, and reads what is left without the keys that are wrong.
///
/// This is most of [`ConfigCheck::validate`](crate::ConfigCheck::validate); rules between keys are the author's.
#[must_use]
pub fn check<T: DeserializeOwned>() -> (Option<T>, Vec<Problem>) {
    check_text(&host::get("").unwrap_or_else(|| "{}".to_owned()))
}

/// Finds all that is wrong with the configuration: keys, and what the author's rules between keys find where each key
/// is good. What was read without keys that are wrong would only seem to lack them.
#[must_use]
pub fn check_with<T: DeserializeOwned>(rules: impl FnOnce(&T) -> Vec<Problem>) -> Vec<Problem> {
    let (config, problems) = check();
    config.filter(|_| problems.is_empty()).map_or(problems, |config| rules(&config))
}

/// As [`check`], for a configuration given as JSON: for unit tests.
#[must_use]
pub fn check_text<T: DeserializeOwned>(json: &str) -> (Option<T>, Vec<Problem>) {
    let mut config: Map<String, Value> = match serde_json::from_str(json) {
        Ok(config) => config,
        Err(error) => {
            return (None, vec![Problem::error("", format!("must be a table: {error}"))]);
        }
    };
    let mut problems = Vec::new();

    if let Some(known) = known_keys::<T>() {
        config.retain(|key, _| {
            let is_known = known.contains(&key.as_str());
            if !is_known {
                problems.push(Problem::error(pointer_to(key), unknown_key(key, known)));
            }
            is_known
        });
    }

    // One reading finds one mistake. So a key that is wrong is taken out and the rest is read again; what is then said
    // to be missing has been reported already.
    let mut taken_out: Vec<String> = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(Value::Object(config.clone())) {
            Ok(read) => return (Some(read), problems),
            Err(error) => error,
        };
        let pointer = pointer_of(error.path());
        let message = plain(&error.inner().to_string());
        let key = error.path().iter().next().map(ToString::to_string);
        match key.filter(|key| config.remove(key).is_some()) {
            Some(key) => taken_out.push(key),
            None => {
                if !taken_out.iter().any(|key| message.contains(&format!("`{key}`"))) {
                    problems.push(Problem::error(pointer, message));
                }
                return (None, problems);
            }
        }
        problems.push(Problem::error(pointer, message));
    }
}

impl Problem {
    /// Returns a problem that keeps the plugin from being used.
    #[must_use]
    pub fn error(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, pointer: pointer.into(), message: message.into() }
    }

    /// Returns a problem that is shown while the plugin is used all the same.
    #[must_use]
    pub fn warning(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, pointer: pointer.into(), message: message.into() }
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        let told = problems.iter().map(|problem| format!("config{}: {}", problem.pointer, problem.message));
        Self::new(told.collect::<Vec<_>>().join("; "))
    }
}

/// Returns the JSON pointer to a key of the whole.
fn pointer_to(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter(|segment| !matches!(segment, Segment::Unknown | Segment::Enum { .. }))
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            other => pointer_to(&other.to_string()),
        })
        .collect()
}

/// Says of a word that none of an enum's is what the host says of such words; other messages stay as they are.
fn plain(message: &str) -> String {
    let said = message.strip_prefix("unknown variant ").and_then(|rest| rest.split_once("`, expected "));
    said.map_or_else(
        || message.to_owned(),
        |(word, words)| {
            let words = words.strip_prefix("one of ").unwrap_or(words).replace("` or `", "`, `");
            format!("{word}` is not one of {words}")
        },
    )
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|word| (distance(key, word), word)).min();
    match nearest {
        // A third of the letters wrong is no slip of the pen any more.
        Some((wrong, word)) if wrong * 3 <= key.len().max(3) => {
            format!("unknown key; did you mean `{word}`?")
        }
        _ => format!("unknown key; there are {}", known.join(", ")),
    }
}

/// Returns how many letters must be changed, put in or left out to make one word of the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[row.len() - 1]
}

/// Returns the keys that a struct reads; none for what is no struct or takes any key.
fn known_keys<'de, T: Deserialize<'de>>() -> Option<&'static [&'static str]> {
    /// Takes note of the fields that a type asks for, and has no data to give.
    struct Ask<'a>(&'a mut Option<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = Some(fields);
            Err(Self::Error::custom("only asked"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("only asked"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields = None;
    // Always an error: `Ask` has nothing to give.
    drop(T::deserialize(Ask(&mut fields)));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct Config {
        max_failed: u32,
        #[serde(default)]
        groups: Vec<String>,
        #[serde(default)]
        stop: Option<When>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum When {
        Now,
        AfterRunningTasks,
    }

    fn problems(json: &str) -> Vec<(String, String)> {
        let (_, problems) = check_text::<Config>(json);
        problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
    }

    #[test]
    fn a_good_configuration_is_read() {
        let (config, problems) = check_text::<Config>(r#"{"max-failed": 3}"#);
        assert_eq!(config, Some(Config { max_failed: 3, groups: Vec::new(), stop: None }));
        assert_eq!(problems, []);
    }

    #[test]
    fn every_wrong_key_is_named_once() {
        let found = problems(r#"{"max-faild": 3, "max-failed": "many", "groups": ["web", 7]}"#);
        let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/max-faild", "/groups/1", "/max-failed"]);
        assert_eq!(found[0].1, "unknown key; did you mean `max-failed`?");
    }

    #[test]
    fn a_word_far_from_any_key_is_answered_with_all_keys() {
        let found = problems(r#"{"max-failed": 3, "x": 1}"#);
        assert_eq!(found, [("/x".to_owned(), "unknown key; there are max-failed, groups, stop".to_owned())]);
    }

    #[test]
    fn a_wrong_word_is_answered_with_those_there_are() {
        let found = problems(r#"{"max-failed": 3, "stop": "later"}"#);
        assert_eq!(found, [("/stop".to_owned(), "`later` is not one of `now`, `after-running-tasks`".to_owned())]);
        assert_eq!(plain("unknown variant `a`, expected one of `b`, `c`, `d`"), "`a` is not one of `b`, `c`, `d`");
    }

    #[test]
    fn a_missing_key_is_a_problem_of_the_whole() {
        assert_eq!(problems("{}"), [(String::new(), "missing field `max-failed`".to_owned())]);
    }
}
