//! What a run learned about an inventory host.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Event, EventKind, Json};

/// The facts of one host, each value exactly as it was reported. They follow from the journal alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Facts(BTreeMap<String, Json>);

impl Facts {
    /// Returns the facts that an event brings; none for most.
    #[must_use]
    pub fn brought(event: &Event) -> Option<&Json> {
        match event.kind() {
            EventKind::RunnerOnOk(result) => result.res.ansible_facts.as_ref(),
            _ => None,
        }
    }

    /// Takes in what an event of this host brings: the last value of a name wins, as in Ansible. Events must come in the
    /// order of their counters.
    pub fn apply(&mut self, event: &Event) {
        let brought = Self::brought(event).and_then(|facts| facts.read::<BTreeMap<String, Json>>().ok());
        self.0.extend(brought.unwrap_or_default());
    }

    /// Returns the names of the facts, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// Returns all of them as one object.
    #[must_use]
    pub fn json(&self) -> Json {
        Json::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Head;

    #[test]
    fn the_last_value_of_a_name_wins_and_nothing_is_rounded() {
        let mut facts = Facts::default();
        for (name, data) in [
            ("runner_on_ok", r#"{"host":"a","res":{"ansible_facts":{"a":1180591620717411303424,"b":1}}}"#),
            ("runner_on_failed", r#"{"host":"a","res":{"ansible_facts":{"a":0}}}"#),
            ("runner_on_ok", r#"{"host":"a","res":{"ansible_facts":"none"}}"#),
            ("runner_on_ok", r#"{"host":"a","res":{"ansible_facts":{"b":2}}}"#),
        ] {
            facts.apply(&Event::decode(Head::numbered(1), name, Json::parse(data.to_owned()).unwrap()));
        }
        assert_eq!(facts.json().text(), r#"{"a":1180591620717411303424,"b":2}"#);
        assert_eq!(facts.names().collect::<Vec<_>>(), ["a", "b"]);
    }
}
