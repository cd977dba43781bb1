//! Choosing events by name.

use serde::Serialize;

use crate::EventKind;

/// An event name in which `*` stands for any number of characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventPattern(String);

impl EventPattern {
    /// Returns the pattern that matches every event.
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// Takes a pattern as written; `None` if it matches no known event.
    pub fn parse(text: &str) -> Option<Self> {
        let pattern = Self(text.to_owned());
        EventKind::NAMES.iter().any(|name| pattern.matches(name)).then_some(pattern)
    }

    /// Returns whether the pattern covers an event of this name.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, covered) in [
            ("*", "runner_on_ok", true),
            ("runner_on_ok", "runner_on_ok", true),
            ("runner_on_o", "runner_on_ok", false),
            ("runner_*_ok", "runner_item_on_ok", true),
            ("*_ok*", "runner_on_failed", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(EventPattern(pattern.to_owned()).matches(name), covered, "{pattern} {name}");
        }
    }
}
