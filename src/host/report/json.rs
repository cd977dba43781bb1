//! JSON for people.

use playwarden_event::Json;

/// Returns a JSON text with a line for each member and element. Every value stays as it was written, numbers of any size
/// among them.
#[must_use]
pub fn pretty(json: &Json) -> String {
    let mut text = String::new();
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut characters = json.text().chars().filter_map(|c| {
        // Blanks between the values are set anew.
        let inside = quoted;
        if quoted && !escaped && c == '\\' {
            escaped = true;
        } else {
            quoted ^= c == '"' && !escaped;
            escaped = false;
        }
        (inside || !c.is_ascii_whitespace()).then_some((c, inside))
    });
    let mut next = characters.next();
    while let Some((c, inside)) = next {
        next = characters.next();
        match c {
            _ if inside => text.push(c),
            '{' | '[' if next.is_some_and(|(next, _)| matches!(next, '}' | ']')) => text.push(c),
            '{' | '[' => {
                depth += 1;
                text.push(c);
                new_line(&mut text, depth);
            }
            '}' | ']' if text.ends_with(['{', '[']) => text.push(c),
            '}' | ']' => {
                depth -= 1;
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text += ": ",
            _ => text.push(c),
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_laid_out_as_serde_does_it() {
        let text = r#"{"a": [1, {"b,:": "{\"[\\"}], "c": {},"d":[ ] , "e":"\\","f":[[],"x"],"g":""}"#;
        let expected = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap();
        assert_eq!(pretty(&Json::parse(text.to_owned()).unwrap()), expected);
    }

    #[test]
    fn values_stay_as_they_were_written() {
        let json = Json::parse(r#"{"z":1180591620717411303424,"a":1.50}"#.to_owned()).unwrap();
        assert_eq!(pretty(&json), "{\n  \"z\": 1180591620717411303424,\n  \"a\": 1.50\n}");
        assert_eq!(pretty(&Json::parse(" 7 ".to_owned()).unwrap()), "7");
    }
}
