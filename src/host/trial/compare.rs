//! What was expected against what came.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// Whether everything that is expected came: each key of an object that is expected must be there and as expected, others
/// may be there as well; lists must be as long.
pub(super) fn holds(expected: &Value, came: &Value) -> bool {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            expected.iter().all(|(key, expected)| came.get(key).is_some_and(|came| holds(expected, came)))
        }
        (Value::Array(expected), Value::Array(came)) => {
            expected.len() == came.len() && expected.iter().zip(came).all(|(expected, came)| holds(expected, came))
        }
        (Value::Number(expected), Value::Number(came)) => expected == came || expected.as_f64() == came.as_f64(),
        _ => expected == came,
    }
}

/// Leaves of what came only the keys that are expected, so that a difference shows nothing else.
pub(super) fn narrowed(expected: &Value, came: &Value) -> Value {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            let keys = expected.iter().filter_map(|(key, value)| Some((key, value, came.get(key)?)));
            keys.map(|(key, expected, came)| (key.clone(), narrowed(expected, came))).collect()
        }
        (Value::Array(expected), Value::Array(came)) => {
            let pairs = came.iter().enumerate();
            pairs
                .map(|(at, came)| expected.get(at).map_or_else(|| came.clone(), |expected| narrowed(expected, came)))
                .collect()
        }
        _ => came.clone(),
    }
}

/// Returns the lines in which two texts differ, with those around them; `-` is what was expected, `+` what came.
pub(super) fn difference(expected: &str, came: &str) -> String {
    let diff = similar::TextDiff::from_lines(expected, came);
    let mut text = String::new();
    for group in diff.grouped_ops(2) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            writeln!(text, "    {} {}", change.tag(), change.value().trim_end_matches('\n')).ok();
        }
    }
    text
}

/// Compares files of outputs by name.
pub(super) fn files(expected: &BTreeMap<String, Vec<u8>>, came: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in expected {
        match came.get(name) {
            None => found.push(format!("the output `{name}` was not written\n")),
            Some(bytes) if bytes != wanted => {
                let [wanted, bytes] = [wanted, bytes].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                found.push(format!("the output `{name}` is another\n{}", difference(&wanted, &bytes)));
            }
            Some(_) => {}
        }
    }
    let more = came.keys().filter(|name| !expected.contains_key(*name));
    found.extend(more.map(|name| format!("the output `{name}` was not expected\n")));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_expected_counts() {
        let came = json!({"verdicts": [{"after": 3, "text": "t"}], "faults": [], "n": 1});
        for (expected, is) in [
            (json!({}), true),
            (json!({"verdicts": [{"after": 3}]}), true),
            (json!({"verdicts": [{"after": 3.0}]}), true),
            (json!({"verdicts": [{"after": 4}]}), false),
            (json!({"verdicts": []}), false),
            (json!({"faults": []}), true),
            (json!({"more": null}), false),
        ] {
            assert_eq!(holds(&expected, &came), is, "{expected}");
        }
        assert_eq!(narrowed(&json!({"verdicts": [{"after": 4}]}), &came), json!({"verdicts": [{"after": 3}]}));
    }

    #[test]
    fn a_difference_shows_both_sides() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "      a\n    - b\n    + x\n      c\n");
        let one = |text: &str| BTreeMap::from([("f".to_owned(), text.as_bytes().to_vec())]);
        assert_eq!(files(&one("a"), &one("a")), [""; 0]);
        assert_eq!(files(&one("a"), &BTreeMap::new()), ["the output `f` was not written\n"]);
        assert_eq!(files(&BTreeMap::new(), &one("a")), ["the output `f` was not expected\n"]);
        assert!(files(&one("a"), &one("b"))[0].contains("- a"));
    }
}
