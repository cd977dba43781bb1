//! Rules in CEL, compiled, and what they say of an input.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use cel_lang::extractors::This;
use cel_lang::objects::{Key, Map};
use cel_lang::{Context, Env, ExecutionError, Program, Value};
use playwarden_sdk::prelude::*;
use regex::Regex;
use rules_input::{Moments, Severity as What, Stop};

use crate::settings::RuleConfig;

/// The only variable of the rules.
const INPUT: &str = "input";

/// A rule that is ready to be asked.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) on: Moments,
    when: Program,
    message: Message,
    pub(crate) verdict: What,
    pub(crate) stop: Stop,
}

enum Message {
    Plain(String),
    Expression(Program),
}

/// Makes rules, and the inputs that they are asked about.
pub(crate) struct Compiler {
    env: Arc<Env>,
}

impl Compiler {
    pub(crate) fn new() -> Self {
        Self { env: Arc::new(Env::stdlib()) }
    }

    /// Makes a rule; `wrong` gets what is wrong with its expressions. A message is a text, or an expression as an error.
    pub(crate) fn rule(
        &self,
        rule: &RuleConfig,
        message: Result<&String, &String>,
        message_key: &'static str,
        wrong: &mut Vec<(&'static str, String)>,
    ) -> Option<Rule> {
        let when = self.program(&rule.when, "/when", wrong);
        let message = match message {
            Ok(text) => Some(Message::Plain(text.clone())),
            Err(expression) => self.program(expression, message_key, wrong).map(Message::Expression),
        };
        let (name, on, verdict, stop) = (rule.name.clone(), rule.on.clone(), rule.verdict, rule.stop);
        Some(Rule { name, on, when: when?, message: message?, verdict, stop })
    }

    fn program(&self, text: &str, key: &'static str, wrong: &mut Vec<(&'static str, String)>) -> Option<Program> {
        let program = match self.env.compile(text) {
            Ok(program) => program,
            Err(errors) => {
                // The first one is the mistake; what follows is how the parser found its way back.
                if let Some(error) = errors.errors.iter().min_by_key(|error| error.pos) {
                    let what = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
                    // Behind it are all tokens that there are.
                    let what = what.split(" expecting {").next().unwrap_or(what).replace("'<EOF>'", "end of the text");
                    let (line, column) = error.pos;
                    wrong.push((key, format!("line {line}, column {column}: {what}")));
                }
                return None;
            }
        };
        for sample in rules_input::samples() {
            // Much is missing in a sample; but there is no event in which a name begins to be one.
            if let Err(ExecutionError::UndeclaredReference(name)) = program.execute(&self.input(sample)) {
                wrong.push((key, format!("there is no `{name}`: rules have the variable `input` and CEL's functions")));
                return None;
            }
        }
        Some(program)
    }

    fn context(&self) -> Context<'static, 'static> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        if let Err(error) = context.add_function("matches", matches) {
            error!("`matches` is not there: {error}");
        }
        context
    }

    /// Returns an input as rules see it.
    pub(crate) fn input(&self, input: serde_json::Value) -> Context<'static, 'static> {
        let mut context = self.context();
        context.add_variable_from_value(INPUT, value(input));
        context
    }
}

impl Rule {
    /// Returns what the rule says of an input; none where it does not hold.
    pub(crate) fn judge(&self, input: &Context<'_, '_>) -> Result<Option<String>, Failure> {
        let failure = |key: &str, what: String| Failure::new(format!("rule `{}`: {key}: {what}", self.name));
        let is_so = match self.when.execute(input) {
            Ok(Value::Bool(is_so)) => is_so,
            Ok(other) => return Err(failure("when", format!("is {}, not true or false", other.type_of()))),
            Err(error) => return Err(failure("when", explained(&error))),
        };
        if !is_so {
            return Ok(None);
        }
        match &self.message {
            Message::Plain(text) => Ok(Some(text.clone())),
            Message::Expression(program) => match program.execute(input) {
                Ok(Value::String(text)) => Ok(Some(text.to_string())),
                Ok(other) => Err(failure("message-expression", format!("is {}, not a text", other.type_of()))),
                Err(error) => Err(failure("message-expression", explained(&error))),
            },
        }
    }
}

/// Says what is wrong, and what to do about the mistake that is made most.
fn explained(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`; ask `has(…)` first"),
        other => other.to_string(),
    }
}

/// Whole numbers are all `int`: what JSON calls positive would be `uint`, which no literal fits.
fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(is),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::UInt(uint),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(list) => Value::List(Arc::new(list.into_iter().map(value).collect())),
        Json::Object(object) => {
            let map: HashMap<Key, Value> =
                object.into_iter().map(|(key, part)| (Key::from(key), value(part))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// The function `matches` of CEL.
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<bool, ExecutionError> {
    thread_local! {
        /// Making one takes far longer than using it. There are as many as rules write, but for those who compute them.
        static MADE: RefCell<HashMap<Arc<String>, Regex>> = RefCell::default();
    }
    MADE.with_borrow_mut(|made| {
        if let Some(regex) = made.get(&pattern) {
            return Ok(regex.is_match(&text));
        }
        let error = |error: regex::Error| ExecutionError::function_error("matches", error);
        let regex = Regex::new(&pattern).map_err(error)?;
        let is_match = regex.is_match(&text);
        if made.len() < 100 {
            made.insert(pattern, regex);
        }
        Ok(is_match)
    })
}
