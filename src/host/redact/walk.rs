//! What stands under keys that hide it, in the data of an event.
//!
//! The text is not made anew: the places of values are found in it, and a mask is put there. So every digit that stays is as
//! Ansible reported it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use playwarden_event::Json;
use regex::Regex;

use super::rules::is_telling;
use super::words::is_secret_itself;
use super::{Counts, MASK, Rules, looks_secret};

/// What one look at an event's data found.
pub(super) struct Walk<'r> {
    /// The data with masks; none where nothing was to be hidden.
    pub(super) clean: Option<Json>,
    /// By rule, values that it hides, which may stand elsewhere too.
    pub(super) learned: BTreeMap<&'static str, Vec<String>>,
    /// How often each rule masked a value.
    pub(super) counts: Counts,
    rules: &'r Rules,
    /// Arguments of this event's module that are hidden.
    arguments: Vec<&'r str>,
    text: String,
    at: usize,
    depth: usize,
    /// The event is a task's start.
    is_start: bool,
    masked: Vec<Range<usize>>,
}

/// What is nested deeper is masked as a whole: to look into it would take a stack as deep.
const DEEPEST: usize = 200;

/// Where in an event's data a value stands. The envelope around what a module was given and gave back is typed, and its keys are
/// Ansible's: nothing in it is hidden by its key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Top,
    Envelope,
    Start,
    /// What a module gave back, or a play has set.
    Result,
    /// What a module was given.
    Arguments,
}

/// Why a value is hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The key looks as if it held a secret; numbers only where it can be nothing else.
    Looks {
        numbers: bool,
    },
    Keys,
    Modules,
}

/// Words in any data that a key may have which looks as if it held a secret.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)passw|passphrase|secret|token|api[_-]?key|private[_-]key").expect("the words should be a pattern")
});

impl<'r> Walk<'r> {
    pub(super) fn through(data: &Json, rules: &'r Rules) -> Self {
        let arguments = if rules.has_modules() { rules.arguments(&modules(data)) } else { Vec::new() };
        let mut walk = Self {
            clean: None,
            learned: BTreeMap::new(),
            counts: BTreeMap::new(),
            rules,
            arguments,
            text: String::new(),
            at: 0,
            depth: 0,
            is_start: false,
            masked: Vec::new(),
        };
        // Without rules of a team only few texts can have anything to hide.
        if rules.is_empty() && !WORDS.is_match(data.text()) {
            return walk;
        }
        data.text().clone_into(&mut walk.text);
        walk.value(Scope::Top, None);
        walk.clean = walk.put_masks();
        walk
    }

    fn put_masks(&self) -> Option<Json> {
        if self.masked.is_empty() {
            return None;
        }
        let mut clean = String::with_capacity(self.text.len());
        let mut kept = 0;
        for place in &self.masked {
            clean.push_str(&self.text[kept..place.start]);
            clean.push('"');
            clean.push_str(MASK);
            clean.push('"');
            kept = place.end;
        }
        clean.push_str(&self.text[kept..]);
        Some(Json::parse(clean).expect("a string in the place of a value should leave JSON what it is"))
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(b'}')
    }

    fn skip(&mut self, more: impl Fn(u8) -> bool) {
        while self.text.as_bytes().get(self.at).is_some_and(|&byte| more(byte)) {
            self.at += 1;
        }
    }

    /// Goes behind a value.
    fn value(&mut self, scope: Scope, hidden: Option<Rule>) {
        self.skip(|byte| byte.is_ascii_whitespace());
        match self.byte() {
            b'{' | b'[' if self.depth == DEEPEST => self.too_deep(),
            b'{' => self.members(b'}', |walk| {
                let key = walk.string();
                walk.skip(|byte| byte.is_ascii_whitespace() || byte == b':');
                let hidden = hidden.map(always).or_else(|| walk.rule(scope, &key));
                let scope = scope.below(&key);
                walk.is_start |= scope == Scope::Start;
                walk.value(scope, hidden);
            }),
            b'[' => self.members(b']', |walk| walk.value(scope, hidden.map(always))),
            b'"' => {
                let start = self.at;
                let text = self.string();
                if hidden.is_some_and(|_| is_telling(&text)) {
                    self.mask(start, text, hidden);
                }
            }
            _ => {
                let start = self.at;
                self.skip(|byte| !byte.is_ascii_whitespace() && !b",}]".contains(&byte));
                let text = self.text[start..self.at].to_owned();
                let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                match hidden {
                    Some(Rule::Looks { numbers: false }) => {}
                    Some(_) if is_number => self.mask(start, text, hidden),
                    None if is_number && matches!(scope, Scope::Result | Scope::Arguments) => {
                        if let Some(pattern) = self.rules.pattern_in(&text) {
                            *self.counts.entry(format!("patterns.{pattern}")).or_default() += 1;
                            self.masked.push(start..self.at);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn members(&mut self, end: u8, mut member: impl FnMut(&mut Self)) {
        self.at += 1;
        self.depth += 1;
        loop {
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b',');
            if self.byte() == end || self.at >= self.text.len() {
                self.at += 1;
                self.depth -= 1;
                return;
            }
            member(self);
        }
    }

    /// Masks what nobody looks into.
    fn too_deep(&mut self) {
        let start = self.at;
        let mut open = 0_usize;
        loop {
            match self.byte() {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 || self.at >= self.text.len() {
                break;
            }
        }
        self.masked.push(start..self.at.min(self.text.len()));
        *self.counts.entry("keys".to_owned()).or_default() += 1;
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        self.skip(|byte| byte != b'"' && byte != b'\\');
        while self.at < self.text.len() && (self.byte() != b'"' || escaped) {
            escaped = self.byte() == b'\\' && !escaped;
            self.at += 1;
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
    }

    fn rule(&self, scope: Scope, key: &str) -> Option<Rule> {
        let (Scope::Result | Scope::Arguments) = scope else { return None };
        if self.rules.names(key) {
            return Some(Rule::Keys);
        }
        // Many modules give back what they were given, by the same name.
        if self.arguments.contains(&key) {
            return Some(Rule::Modules);
        }
        (scope != Scope::Result && looks_secret(key)).then(|| Rule::Looks { numbers: is_secret_itself(key) })
    }

    fn mask(&mut self, start: usize, text: String, hidden: Option<Rule>) {
        self.masked.push(start..self.at);
        let rule = match hidden {
            Some(Rule::Modules) => "modules",
            _ => "keys",
        };
        *self.counts.entry(rule.to_owned()).or_default() += 1;
        // What only looks like a secret is taken for one elsewhere where it may soon be shown in plain: before its task runs.
        if self.is_start || !matches!(hidden, Some(Rule::Looks { .. })) {
            self.learned.entry(rule).or_default().push(text);
        }
    }
}

/// Inside of what is hidden everything is.
fn always(rule: Rule) -> Rule {
    match rule {
        Rule::Looks { .. } => Rule::Looks { numbers: true },
        rule => rule,
    }
}

impl Scope {
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Top, "res" | "diff" | "artifact_data") => Self::Result,
            (Self::Top, "start") => Self::Start,
            (Self::Start, "args") | (Self::Result, "module_args") => Self::Arguments,
            (Self::Result, _) => Self::Result,
            (Self::Arguments, _) => Self::Arguments,
            _ => Self::Envelope,
        }
    }
}

/// The names that an event has for its module.
fn modules(data: &Json) -> Vec<String> {
    let places = ["/resolved_action", "/task_action", "/start/action"];
    places.iter().filter_map(|place| data.pointer(place)?.read().ok()).collect()
}
