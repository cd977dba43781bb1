//! The report as text: the elements and attributes that CI systems agree on.

use std::fmt::Write as _;

use playwarden_sdk::prelude::*;
use playwarden_sdk::time;

use crate::cases::{Case, End, Suite};
use crate::settings::Config;

/// Writes the report.
///
/// # Errors
///
/// None: it is written to a text.
pub(crate) fn report(suites: &[Suite], finish: &Finish, config: &Config) -> Result<String, std::fmt::Error> {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let is_shown = |case: &&Case| config.include_skipped || !matches!(case.end, End::Skipped { .. });
    let all: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).filter(is_shown).collect();
    let (job, took) = (escaped(&finish.source.job), seconds(finish.started_ns, finish.finished_ns));
    let Counts { tests, failures, errors, .. } = Counts::of(&all);
    writeln!(
        xml,
        "<testsuites name=\"{job}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{took}\">"
    )?;
    for suite in suites {
        let cases: Vec<&Case> = suite.cases.iter().filter(is_shown).collect();
        let Counts { tests, failures, errors, skipped } = Counts::of(&cases);
        let (name, took) = (escaped(&suite.name), seconds(suite.started_ns, suite.ended_ns));
        let began: String = time::rfc3339(suite.started_ns).chars().take(19).collect();
        write!(xml, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")?;
        writeln!(xml, " skipped=\"{skipped}\" time=\"{took}\" timestamp=\"{began}\">")?;
        writeln!(xml, "    <properties>")?;
        for (name, value) in [
            ("run", finish.source.run.clone()),
            ("status", finish.status.name().to_owned()),
            ("retries", suite.retries.to_string()),
        ] {
            writeln!(xml, "      <property name=\"{name}\" value=\"{}\"/>", escaped(&value))?;
        }
        writeln!(xml, "    </properties>")?;
        for case in cases {
            write_case(&mut xml, case)?;
        }
        writeln!(xml, "  </testsuite>")?;
    }
    writeln!(xml, "</testsuites>")?;
    Ok(xml)
}

fn write_case(xml: &mut String, case: &Case) -> std::fmt::Result {
    let (host, name, took) = (escaped(&case.host), escaped(&case.name), seconds(0, case.ms * 1_000_000));
    write!(xml, "    <testcase classname=\"{host}\" name=\"{name}\" time=\"{took}\"")?;
    if case.end == End::Passed && case.note.is_none() {
        return writeln!(xml, "/>");
    }
    writeln!(xml, ">")?;
    match &case.end {
        End::Passed => {}
        End::Skipped { message } => writeln!(xml, "      <skipped message=\"{}\"/>", escaped(message))?,
        End::Failure { message, text } => {
            let (message, text) = (escaped(message), escaped_text(text));
            writeln!(xml, "      <failure type=\"failed\" message=\"{message}\">{text}</failure>")?;
        }
        End::Error { kind, message } => {
            let (kind, text, message) = (escaped(kind), escaped_text(message), escaped(message));
            writeln!(xml, "      <error type=\"{kind}\" message=\"{message}\">{text}</error>")?;
        }
    }
    if let Some(note) = &case.note {
        writeln!(xml, "      <system-out>{}</system-out>", escaped_text(note))?;
    }
    writeln!(xml, "    </testcase>")
}

struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of(cases: &[&Case]) -> Self {
        let count = |is: fn(&End) -> bool| cases.iter().filter(|case| is(&case.end)).count();
        Self {
            tests: cases.len(),
            failures: count(|end| matches!(end, End::Failure { .. })),
            errors: count(|end| matches!(end, End::Error { .. })),
            skipped: count(|end| matches!(end, End::Skipped { .. })),
        }
    }
}

fn seconds(from_ns: u64, to_ns: u64) -> String {
    let ms = to_ns.saturating_sub(from_ns) / 1_000_000;
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// For attributes, where a line end would else become a blank.
fn escaped(text: &str) -> String {
    escaped_text(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// For the text of an element. What XML cannot say at all, such as the escape character, becomes U+FFFD.
fn escaped_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\r' => escaped += "&#13;",
            '\t' | '\n' => escaped.push(letter),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}
