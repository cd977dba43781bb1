//! Findings and errors as text.
//!
//! Findings look as in rustc: the words that are meant stand there, underlined.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Snippet};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::counted;
use crate::config::{Finding, Findings, Severity};

/// Renders findings, then a line that counts them; empty if there are none.
///
/// Paths are shown relative to `base` where they lie below it. Every line ends
/// with a newline.
pub fn render_findings(findings: &Findings, base: &Path, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in &findings.list {
        text += &renderer.render(&[group(findings, finding, base)]);
        text += "\n\n";
    }
    if !findings.list.is_empty() {
        text += &count(findings, base);
        text.push('\n');
    }
    text
}

/// A finding for `check --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonFinding<'f> {
    /// Whether it stops a run.
    pub severity: Severity,
    /// The stable word for its kind.
    pub code: &'f str,
    /// The file; none for what stood on the command line.
    pub file: Option<String>,
    /// The first line, from 1; none if the whole file is meant.
    pub line: Option<usize>,
    /// The first character in that line, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: &'f str,
    /// What to do about it.
    pub help: Option<&'f str>,
}

/// Returns the findings as `check --json` writes them, in the same order.
pub fn json_findings<'f>(findings: &'f Findings, base: &Path) -> Vec<JsonFinding<'f>> {
    let one = |finding: &'f Finding| {
        let place = place(findings, finding).map(|(source, span)| position(source, span.start));
        JsonFinding {
            severity: finding.severity,
            code: finding.code,
            file: shown(&finding.path, base),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            message: &finding.message,
            help: finding.help.as_deref(),
        }
    };
    findings.list.iter().map(one).collect()
}

/// Renders an error with all its causes and what may help.
///
/// Each error of the chain must say its own level only, or a cause stands twice.
pub fn render_error(error: &(dyn Error + 'static), hint: Option<&str>, color: bool) -> String {
    let mut text = line("error", AnsiColor::BrightRed, &error.to_string(), color);
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &line("caused by", AnsiColor::BrightRed, &error.to_string(), color);
        cause = error.source();
    }
    if let Some(hint) = hint {
        text += &line("hint", AnsiColor::BrightCyan, hint, color);
    }
    text
}

fn line(heading: &str, color: AnsiColor, text: &str, colored: bool) -> String {
    let style = if colored { Style::new().bold().fg_color(Some(color.into())) } else { Style::new() };
    // Further lines of a message stand under its first.
    let indent = format!("\n{}", " ".repeat(heading.len() + 2));
    format!("{style}{heading}{style:#}: {}\n", text.trim_end().replace('\n', &indent))
}

fn group<'f>(findings: &'f Findings, finding: &'f Finding, base: &Path) -> Group<'f> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&finding.message)).id(finding.code);
    let mut group = Group::with_title(title);
    if let Some(path) = shown(&finding.path, base) {
        group = match place(findings, finding) {
            Some((source, span)) => {
                let pointer = AnnotationKind::Primary.span(first_line(source, span));
                let pointer = pointer.label(finding.label.as_deref().map(visible));
                group.element(Snippet::source(source).path(path).annotation(pointer))
            }
            None => group.element(Origin::path(path)),
        };
    }
    match &finding.help {
        Some(help) => group.element(Level::HELP.message(visible(help))),
        None => group,
    }
}

/// Returns the text and the place that a finding points at, if it has both.
fn place<'f>(findings: &'f Findings, finding: &Finding) -> Option<(&'f str, Range<usize>)> {
    let (source, span) = (findings.source(&finding.path)?, finding.span.clone()?);
    // A span of another text must not make the message itself fail.
    source.get(span.clone()).map(|_| (source, span))
}

/// Cuts a span at the end of its first line.
fn first_line(source: &str, span: Range<usize>) -> Range<usize> {
    let line = source[span.clone()].lines().next().unwrap_or_default();
    span.start..span.start + line.len()
}

/// Returns line and column of a byte, both from 1, the column in characters.
fn position(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

fn shown(path: &Path, base: &Path) -> Option<String> {
    let path = path.strip_prefix(base).unwrap_or(path);
    (!path.as_os_str().is_empty()).then(|| path.display().to_string())
}

/// Makes control characters visible: names of files and keys come from outside.
fn visible(text: &str) -> Cow<'_, str> {
    // A message may have several lines.
    let hidden = |c: char| c.is_control() && c != '\n';
    if text.contains(hidden) {
        let escaped = text.chars().map(|c| if hidden(c) { c.escape_default().to_string() } else { c.into() });
        Cow::Owned(escaped.collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn count(findings: &Findings, base: &Path) -> String {
    let number = |severity, word: &str| {
        let number = findings.list.iter().filter(|finding| finding.severity == severity).count();
        (number > 0).then(|| counted(number, word))
    };
    let numbers = [number(Severity::Error, "error"), number(Severity::Warning, "warning")];
    let numbers: Vec<_> = numbers.into_iter().flatten().collect();
    let files: BTreeSet<_> = findings.list.iter().filter_map(|finding| shown(&finding.path, base)).collect();
    let files: Vec<_> = files.into_iter().collect();
    let place = if files.is_empty() { String::new() } else { format!(" in {}", files.join(", ")) };
    numbers.join(", ") + &place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str, finding: Finding) -> Findings {
        let mut findings = Findings::new(vec![finding]);
        findings.add_source(Path::new("/w/runner.toml"), text.into());
        findings
    }

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\nname = \"é\" # ü\nb = 2";
        let finding = Finding::warning("x", Path::new("/w/runner.toml"), "m").at(text.find('#').map(|at| at..at + 1));
        let findings = findings(text, finding);
        let json = &json_findings(&findings, Path::new("/w"))[0];
        assert_eq!((json.line, json.column, json.file.as_deref()), (Some(2), Some(12), Some("runner.toml")));
    }

    #[test]
    fn a_value_of_many_lines_is_pointed_at_once() {
        let text = "a = [\n  1,\n]\n";
        let finding = Finding::error("x", Path::new("/w/runner.toml"), "m").at(4..12).label("here");
        let shown = render_findings(&findings(text, finding), Path::new("/w"), false);
        assert_eq!(
            shown,
            "error[x]: m\n --> runner.toml:1:5\n  |\n1 | a = [\n  |     ^ here\n\n1 error in runner.toml\n"
        );
    }

    #[test]
    fn a_span_outside_the_text_points_at_the_file() {
        let finding = Finding::error("x", Path::new("/w/runner.toml"), "m\u{1b}[0m").at(4..12);
        let shown = render_findings(&findings("", finding), Path::new("/"), false);
        assert_eq!(shown, "error[x]: m\\u{1b}[0m\n--> w/runner.toml\n\n1 error in w/runner.toml\n");
    }

    #[test]
    fn an_error_is_followed_by_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot start\nansible")]
        struct Outer(#[source] std::fmt::Error);
        let text = render_error(&Outer(std::fmt::Error), Some("install it"), false);
        let cause = std::fmt::Error.to_string();
        assert_eq!(text, format!("error: cannot start\n       ansible\ncaused by: {cause}\nhint: install it\n"));
        assert!(render_error(&std::fmt::Error, None, true).starts_with("\u{1b}["));
    }
}
