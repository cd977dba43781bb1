//! The results of cases as JUnit's XML, which every CI reads.

use std::fmt::Write as _;

use super::case::Verdict;

/// Returns the document.
#[must_use]
pub fn junit(plugin: &str, cases: &[(String, Verdict)]) -> String {
    let failures = cases.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Differs(_))).count();
    let errors = cases.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Unusable(_))).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" \
         failures=\"{failures}\" errors=\"{errors}\">\n",
        escaped(plugin),
        cases.len()
    );
    for (name, verdict) in cases {
        write!(text, "<testcase classname=\"{}\" name=\"{}\"", escaped(plugin), escaped(name)).ok();
        match verdict {
            Verdict::Holds | Verdict::Written => text.push_str("/>\n"),
            Verdict::Differs(why) => {
                writeln!(text, ">\n<failure message=\"differs\">{}</failure>\n</testcase>", escaped(why)).ok();
            }
            Verdict::Unusable(why) => {
                writeln!(text, ">\n<error message=\"unusable\">{}</error>\n</testcase>", escaped(why)).ok();
            }
        }
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}

/// XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&quot;"),
            '\n' | '\t' => made.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => made.push('\u{fffd}'),
            c => made.push(c),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_a_failure_and_what_cannot_be_tried_an_error() {
        let cases = [
            ("a".to_owned(), Verdict::Holds),
            ("b".to_owned(), Verdict::Differs("<x> & \u{1}\n".to_owned())),
            ("c".to_owned(), Verdict::Unusable("no".to_owned())),
        ];
        let text = junit("p\"q", &cases);
        assert!(text.contains("<testsuite name=\"p&quot;q\" tests=\"3\" failures=\"1\" errors=\"1\">"), "{text}");
        assert!(text.contains("<failure message=\"differs\">&lt;x&gt; &amp; \u{fffd}\n</failure>"), "{text}");
    }
}
