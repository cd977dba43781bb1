//! When the cancels of several policies end a run: the key `cancel-when`.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

use super::near::did_you_mean;
use super::raw::RawJob;
use super::table::Notes;

/// Parentheses within parentheses; nobody needs more, and each takes some stack.
const DEEPEST: usize = 32;

/// Which policies have to want a run canceled until it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CancelWhen {
    /// One of them.
    #[default]
    Any,
    /// Each of them.
    All,
    /// Those for which an expression such as `budget and (window or slow)` holds.
    Expression {
        /// As written.
        text: String,
        /// What it means.
        whole: Node,
    },
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// The policy of this name wants the run canceled.
    Policy {
        /// Its name in `cancel-policies`.
        name: String,
        /// Where it stands in the text, in bytes.
        place: Range<usize>,
    },
    /// Each part holds.
    And(Vec<Self>),
    /// One part holds.
    Or(Vec<Self>),
}

/// What is wrong with an expression, and where, in bytes.
#[derive(Debug, PartialEq)]
struct Wrong(String, Range<usize>);

impl CancelWhen {
    /// Returns whether a run is to be canceled, once those that `said` so are these of all its policies.
    pub(crate) fn holds(&self, said: &BTreeSet<String>, policies: &[String]) -> bool {
        match self {
            Self::Any => !said.is_empty(),
            Self::All => policies.iter().all(|policy| said.contains(policy)),
            Self::Expression { whole, .. } => whole.holds(said),
        }
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.trim() {
            "any" => return Ok(Self::Any),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let mut parser = Parser { rest: words(text)?, end: text.len(), depth: 0 };
        let whole = parser.or()?;
        match parser.rest.first() {
            None => Ok(Self::Expression { text: text.to_owned(), whole }),
            Some(_) => Err(parser.wanted("`and`, `or` or the end")),
        }
    }
}

impl Node {
    fn holds(&self, said: &BTreeSet<String>) -> bool {
        match self {
            Self::Policy { name, .. } => said.contains(name),
            Self::And(parts) => parts.iter().all(|part| part.holds(said)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(said)),
        }
    }

    fn policies(&self) -> Vec<(&str, &Range<usize>)> {
        match self {
            Self::Policy { name, place } => vec![(name, place)],
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::policies).collect(),
        }
    }
}

impl fmt::Display for CancelWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::All => "all",
            Self::Expression { text, .. } => text,
        })
    }
}

impl Serialize for CancelWhen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Names and signs, each with its place.
fn words(text: &str) -> Result<Vec<(&str, Range<usize>)>, Wrong> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let length = match first {
            '(' | ')' => 1,
            _ if first.is_whitespace() => first.len_utf8(),
            _ if is_name(first) => text[at..].find(|c| !is_name(c)).unwrap_or(text.len() - at),
            _ => {
                let help = "there are names of plugins, `and`, `or` and parentheses";
                return Err(Wrong(format!("`{first}` means nothing here; {help}"), at..at + first.len_utf8()));
            }
        };
        if !first.is_whitespace() {
            words.push((&text[at..at + length], at..at + length));
        }
        at += length;
    }
    Ok(words)
}

struct Parser<'t> {
    rest: Vec<(&'t str, Range<usize>)>,
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Node, Wrong> {
        let mut parts = vec![self.and()?];
        while self.takes("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Or(parts) })
    }

    fn and(&mut self) -> Result<Node, Wrong> {
        let mut parts = vec![self.part()?];
        while self.takes("and") {
            parts.push(self.part()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::And(parts) })
    }

    fn part(&mut self) -> Result<Node, Wrong> {
        if self.takes("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(Wrong(format!("more than {DEEPEST} parentheses within each other"), 0..self.end));
            }
            let inner = self.or()?;
            self.depth -= 1;
            return if self.takes(")") { Ok(inner) } else { Err(self.wanted("`)`")) };
        }
        match self.rest.first() {
            Some((word, place)) if !["and", "or", ")"].contains(word) => {
                let node = Node::Policy { name: (*word).to_owned(), place: place.clone() };
                self.rest.remove(0);
                Ok(node)
            }
            _ => Err(self.wanted("the name of a plugin")),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.rest.first().is_some_and(|(next, _)| *next == word);
        if is_next {
            self.rest.remove(0);
        }
        is_next
    }

    fn wanted(&self, what: &str) -> Wrong {
        match self.rest.first() {
            Some((word, place)) => Wrong(format!("expected {what}, found `{word}`"), place.clone()),
            None => Wrong(format!("expected {what}, found the end"), self.end..self.end),
        }
    }
}

/// Reads a job's `cancel-when`, and says what is wrong with it: then it is the usual one.
pub(super) fn read_cancel_when(notes: &mut Notes<'_>, job: &RawJob) -> CancelWhen {
    let Some(written) = &job.cancel_when else { return CancelWhen::default() };
    let (text, span) = (written.get_ref().as_str(), written.span());
    // A text without escapes stands in the file as it is, between its quotes.
    let is_plain = span.len() == text.len() + 2;
    let at = |place: &Range<usize>| {
        if is_plain { span.start + 1 + place.start..span.start + 1 + place.end } else { span.clone() }
    };
    let read = match CancelWhen::parse(text) {
        Ok(read) => read,
        Err(Wrong(message, place)) => {
            let help = "such as `\"any\"`, `\"all\"` or `\"budget and (window or slow)\"`".to_owned();
            notes.error_with_help("bad-cancel-when", at(&place), format!("`cancel-when`: {message}"), help);
            return CancelWhen::default();
        }
    };
    let CancelWhen::Expression { whole, .. } = &read else { return read };
    let policies = || job.cancel_policies().iter().map(|policy| policy.get_ref().as_str());
    let named = whole.policies();
    let is_known = |name: &str| policies().any(|policy| policy == name);
    for (name, place) in &named {
        if !is_known(name) {
            let message = format!("`{name}` is none of the `cancel-policies` of job `{}`", job.name.get_ref());
            let help = did_you_mean(name, policies()).unwrap_or_else(|| format!("add `{name}` to them"));
            notes.error_with_help("bad-cancel-when", at(place), message, help);
        }
    }
    // A name that is written wrong would only be missing as well.
    let left_out = job.cancel_policies().iter().filter(|_| named.iter().all(|(name, _)| is_known(name)));
    for policy in left_out {
        if !named.iter().any(|(name, _)| name == policy.get_ref()) {
            let policy = policy.get_ref();
            let message =
                format!("`cancel-when` leaves `{policy}` out, so it could never cancel job `{}`", job.name.get_ref());
            let help = format!("add `or {policy}`; a policy that is only to look on has `mode = \"monitor\"`");
            notes.error_with_help("bad-cancel-when", span.clone(), message, help);
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, said: &[&str]) -> bool {
        let policies = ["a", "b", "c"].map(str::to_owned);
        let said = said.iter().map(|name| (*name).to_owned()).collect();
        CancelWhen::parse(text).unwrap().holds(&said, &policies)
    }

    #[test]
    fn expressions_hold_as_they_read() {
        for (text, holding, not_holding) in [
            ("any", vec![vec!["a"], vec!["c"], vec!["a", "b", "c"]], vec![vec![]]),
            (" all ", vec![vec!["a", "b", "c"]], vec![vec![], vec!["a", "b"]]),
            ("a", vec![vec!["a"], vec!["a", "b"]], vec![vec![], vec!["b", "c"]]),
            ("a and b", vec![vec!["a", "b"]], vec![vec!["a"], vec!["b", "c"]]),
            // `and` binds closer.
            ("a or b and c", vec![vec!["a"], vec!["b", "c"]], vec![vec!["b"], vec!["c"]]),
            ("(a or b)and c", vec![vec!["a", "c"], vec!["b", "c"]], vec![vec!["a", "b"], vec!["c"]]),
            ("((a) and (b or c))", vec![vec!["a", "c"]], vec![vec!["b", "c"]]),
        ] {
            holding.iter().for_each(|said| assert!(holds(text, said), "{text}: {said:?}"));
            not_holding.iter().for_each(|said| assert!(!holds(text, said), "{text}: {said:?}"));
        }
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, message, place) in [
            ("", "expected the name of a plugin, found the end", 0..0),
            ("a and", "expected the name of a plugin, found the end", 5..5),
            ("a b", "expected `and`, `or` or the end, found `b`", 2..3),
            ("(a or b", "expected `)`, found the end", 7..7),
            ("a)", "expected `and`, `or` or the end, found `)`", 1..2),
            ("or a", "expected the name of a plugin, found `or`", 0..2),
        ] {
            assert_eq!(CancelWhen::parse(text), Err(Wrong(message.to_owned(), place)), "{text}");
        }
        let Err(Wrong(message, place)) = CancelWhen::parse("a && ü") else { panic!("`&&` is nothing") };
        assert!(message.starts_with("`&` means nothing here") && place == (2..3), "{message}");
        assert!(CancelWhen::parse(&format!("{}a", "(".repeat(100))).is_err());
    }
}
