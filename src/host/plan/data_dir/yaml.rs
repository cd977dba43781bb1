//! JSON and YAML, as Python's readers take them.

use serde_json::Value;

/// Reads JSON, else YAML.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(json);
    }
    // As YAML 1.1 has it, which Python's reader speaks.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    // Its own rendering shows the lines around the mistake, and they may hold a password.
    serde_saphyr::from_str_with_options(text, options).map_err(|err| {
        let place = err.location().map(|place| format!(" in line {}", place.line())).unwrap_or_default();
        format!("it is neither JSON nor YAML; the mistake is{place}")
    })
}

/// Returns a value as the text that Python's `str` makes of it.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_are_read_as_python_reads_them() {
        assert_eq!(parse("{\"a\": true}"), Ok(json!({"a": true})));
        assert_eq!(
            parse("---\na: yes\nb: 0644\nc: 'yes'\nd: ~\n"),
            Ok(json!({"a": true, "b": 420, "c": "yes", "d": null}))
        );
        assert_eq!(parse(""), Ok(Value::Null));
        assert_eq!(parse("\"^SSH [pP]assword:\\\\s*?$\": \"x\"\n"), Ok(json!({"^SSH [pP]assword:\\s*?$": "x"})));
        assert_eq!(as_text(&json!(true)), "True");
        assert_eq!(as_text(&json!(1.5)), "1.5");
    }

    #[test]
    fn a_mistake_is_placed_and_shows_no_text() {
        let err = parse("a: 1\nsecret: [hunter2\n").unwrap_err();
        assert!(err.contains("line") && !err.contains("hunter2"), "{err}");
    }
}
