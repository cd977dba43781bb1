//! The policy in Rego: what it is made of, and what its rules find.

use playwarden_sdk::prelude::*;
use regorus::{Engine, Value};
use rules_input::Severity;

use crate::settings::Text;

/// A policy that is ready to be asked.
pub(crate) struct Policy {
    engine: Engine,
    /// The rules `deny` and `warn` of the package, as far as there are such.
    rules: Vec<(Severity, String)>,
    /// The rule of the key `launch`, and how it is written there.
    launch: Option<(String, String)>,
}

/// What a rule says.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) severity: Severity,
    pub(crate) text: String,
    pub(crate) code: Option<String>,
}

impl Policy {
    /// Makes a policy of its texts, or returns all that is wrong with it.
    pub(crate) fn new(texts: &[Text], package: &str, launch: Option<&str>) -> Result<Self, Vec<Problem>> {
        let mut engine = Engine::new();
        // Lines of `print` go to the operator, not to nowhere.
        engine.set_gather_prints(true);
        let mut problems = Vec::new();
        for Text { pointer, name, text } in texts {
            let added = if has_data(name) {
                engine.add_data_json(text)
            } else {
                engine.add_policy(name.clone(), text.clone()).map(drop)
            };
            if let Err(error) = added {
                let text = plain(&error.to_string());
                let text = if text.contains(name.as_str()) { text } else { format!("{name}: {text}") };
                problems.push(Problem::error(pointer, text));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut policy = Self { engine, rules: Vec::new(), launch: None };
        policy.find_rules(texts, package, launch).map(|()| policy)
    }

    fn find_rules(&mut self, texts: &[Text], package: &str, launch: Option<&str>) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for (severity, name) in [(Severity::Cancel, "deny"), (Severity::Warn, "warn")] {
            let path = format!("data.{package}.{name}");
            match self.tried(&path, texts) {
                Ok(true) => self.rules.push((severity, path)),
                Ok(false) => {}
                Err(problem) => return Err(vec![problem]),
            }
        }
        if let Some(launch) = launch {
            let path = format!("data.{}", launch.replace('/', "."));
            match self.tried(&path, texts) {
                Ok(true) => self.launch = Some((path, launch.to_owned())),
                Ok(false) => {
                    let message = format!("there is no rule `{launch}`: write `package/rule`");
                    problems.push(Problem::error("/launch", message));
                }
                Err(problem) => return Err(vec![problem]),
            }
        }
        if self.rules.is_empty() && launch.is_none() {
            let mut packages = self.engine.get_packages().unwrap_or_default();
            packages.sort();
            packages.dedup();
            let packages = packages.join("`, `").replace("data.", "");
            let remedy = format!("name their package by `package`, or a rule by `launch`; there is `{packages}`");
            let message = format!("the package `{package}` has neither `deny` nor `warn`: {remedy}");
            problems.push(Problem::error("/package", message));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Evaluates a rule for what is wrong with the policy; returns whether there is such a rule.
    fn tried(&mut self, path: &str, texts: &[Text]) -> Result<bool, Problem> {
        // What a function says of a value that is missing here says nothing of the policy.
        self.engine.set_strict_builtin_errors(false);
        let tried = self.tried_on(Value::new_object(), path).and_then(|()| {
            // Variables that are never set are found on the way only. What else a sample leads to may be its own fault.
            let unsafe_in = |sample: serde_json::Value| self.tried_on(sample.into(), path).err();
            let mut errors = rules_input::samples().into_iter().filter_map(unsafe_in);
            errors.find(|error| error.contains(" is unsafe")).map_or(Ok(()), Err)
        });
        self.engine.set_strict_builtin_errors(true);
        drop(self.engine.take_prints());
        let Err(error) = tried else { return Ok(true) };
        if error.contains("not a valid rule path") {
            return Ok(false);
        }
        let is_at = |text: &&Text| error.starts_with(&format!("{}:", text.name));
        let pointer = texts.iter().find(is_at).map_or("", |text| text.pointer.as_str());
        Err(Problem::error(pointer, error))
    }

    fn tried_on(&mut self, input: Value, path: &str) -> Result<(), String> {
        self.engine.set_input(input);
        self.engine.eval_rule(path.to_owned()).map(drop).map_err(|error| plain(&error.to_string()))
    }

    /// Returns what the rules `deny` and `warn` say of an input.
    pub(crate) fn judge(&mut self, input: serde_json::Value) -> Result<Vec<Said>, Failure> {
        self.engine.set_input(input.into());
        let mut said = Vec::new();
        for (severity, path) in self.rules.clone() {
            let value = self.value(&path)?;
            let messages = messages(&value).map_err(|why| Failure::new(format!("{path}: {why}")))?;
            said.extend(messages.into_iter().map(|(text, code)| Said { severity, text, code }));
        }
        Ok(said)
    }

    /// Returns why the rule of the key `launch` refuses an input; none when it does not, or there is no such rule.
    pub(crate) fn judge_launch(&mut self, input: serde_json::Value) -> Result<Option<String>, Failure> {
        let Some((path, name)) = self.launch.clone() else { return Ok(None) };
        self.engine.set_input(input.into());
        let value = self.value(&path)?;
        refused(&value, &name).map_err(|why| Failure::new(format!("{path}: {why}")))
    }

    /// Whether there is a rule `deny` or `warn`; there need not be one beside that of the key `launch`.
    pub(crate) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether there is a rule of the key `launch`.
    pub(crate) fn has_launch(&self) -> bool {
        self.launch.is_some()
    }

    fn value(&mut self, path: &str) -> Result<Value, Failure> {
        let value = self.engine.eval_rule(path.to_owned());
        for line in self.engine.take_prints().unwrap_or_default() {
            info!("{line}");
        }
        value.map_err(|error| Failure::new(format!("{path}: {}", plain(&error.to_string()))))
    }
}

/// Whether a file is part of `data`, and no policy.
fn has_data(name: &str) -> bool {
    name.ends_with(".json")
}

/// Reads what `deny` or `warn` came to: texts, or objects with `msg` or `message`, and perhaps `code`.
fn messages(value: &Value) -> Result<Vec<(String, Option<String>)>, String> {
    let one_by_one: Vec<&Value> = match value {
        Value::Undefined => Vec::new(),
        Value::Set(set) => set.iter().collect(),
        Value::Array(array) => array.iter().collect(),
        other => return Err(format!("is {}, not a set: write `deny contains msg if …`", shown(other))),
    };
    one_by_one
        .into_iter()
        .map(|value| {
            let text = |key: &str| value[key].as_string().ok().map(ToString::to_string);
            match value {
                Value::String(text) => Ok((text.to_string(), None)),
                Value::Object(_) => match text("msg").or_else(|| text("message")) {
                    Some(message) => Ok((message, text("code"))),
                    None => Err(format!("has {} without the text `msg`", shown(value))),
                },
                other => Err(format!("has {}, which is neither a text nor an object with `msg`", shown(other))),
            }
        })
        .collect()
}

/// Reads what a rule came to that says whether a run may be launched.
fn refused(value: &Value, name: &str) -> Result<Option<String>, String> {
    if *value == Value::Undefined {
        return Ok(None);
    }
    let Ok(allowed) = value["allowed"].as_bool() else {
        return Err(format!("is {}, not an object with `allowed` and `violations`", shown(value)));
    };
    if *allowed {
        return Ok(None);
    }
    let violations: Vec<String> = match &value["violations"] {
        Value::Array(list) => list.iter().map(words).collect(),
        Value::Set(set) => set.iter().map(words).collect(),
        _ => Vec::new(),
    };
    Ok(Some(if violations.is_empty() { format!("`{name}` does not allow it") } else { violations.join("; ") }))
}

fn words(value: &Value) -> String {
    value.as_string().map_or_else(|_| shown(value), ToString::to_string)
}

fn shown(value: &Value) -> String {
    let mut text = value.to_json_str().unwrap_or_else(|_| "something".to_owned());
    if text.len() > 80 {
        text.truncate(text.floor_char_boundary(80));
        text.push('…');
    }
    text
}

/// Makes one line of an error that shows the source: `rules.rego:3:7: expecting …`.
fn plain(error: &str) -> String {
    let Some((_, rest)) = error.split_once("--> ") else { return error.trim().to_owned() };
    let mut lines = rest.lines();
    let place = lines.next().unwrap_or_default().trim();
    let what = lines.find_map(|line| line.trim().strip_prefix("error:")).unwrap_or_default().trim();
    // Behind it the library says how it came to that.
    let what = what
        .split_once(" is unsafe (")
        .map_or_else(|| what.to_owned(), |(what, _)| format!("{what} is unsafe: nothing sets it"));
    format!("{place}: {what}")
}
