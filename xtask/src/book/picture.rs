//! A picture of a terminal, from what was printed on one.
//!
//! `book/canceled.txt` is what the README's first example printed on a real terminal of 100 columns, recorded with
//! `script -c 'playwarden run deploy'`; the live line, which is drawn anew all the time, was taken out.

/// Columns of the terminal; longer lines go on in the next row.
const COLUMNS: usize = 100;

/// Width of a column in tenths, height of a row, and the room around, in the picture's own units.
const GLYPH: usize = 85;
const ROW: usize = 19;
const EDGE: usize = 18;

/// Text of one color.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    color: &'static str,
    is_bold: bool,
    text: String,
}

const PLAIN: &str = "#d6dae0";

/// Draws it.
pub(crate) fn svg(terminal: &str) -> Result<String, String> {
    let rows: Vec<Vec<Span>> =
        terminal.lines().map(spans).collect::<Result<Vec<_>, _>>()?.into_iter().flat_map(wrap).collect();
    let width = COLUMNS * GLYPH / 10 + 2 * EDGE;
    let height = rows.len() * ROW + 2 * EDGE;
    let mut lines = vec![
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
        ),
        format!("<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1b1f24\"/>"),
        "<g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">".to_owned(),
    ];
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let spans: Vec<String> = row
            .iter()
            .map(|span| {
                let weight = if span.is_bold { " font-weight=\"bold\"" } else { "" };
                format!("<tspan fill=\"{}\"{weight}>{}</tspan>", span.color, escaped(&span.text))
            })
            .collect();
        let y = EDGE + number * ROW + 14;
        lines.push(format!("<text x=\"{EDGE}\" y=\"{y}\" xml:space=\"preserve\">{}</text>", spans.concat()));
    }
    lines.push("</g>\n</svg>\n".to_owned());
    Ok(lines.join("\n"))
}

/// Takes a line apart at its changes of color.
fn spans(line: &str) -> Result<Vec<Span>, String> {
    let mut parts = line.split("\x1b[");
    let mut now =
        Span { color: PLAIN, is_bold: line.starts_with("$ "), text: parts.next().unwrap_or_default().to_owned() };
    let mut spans = Vec::new();
    for part in parts {
        let (codes, text) = part.split_once('m').ok_or_else(|| format!("`{part}` is no change of color"))?;
        spans.push(now.clone());
        for code in codes.split(';') {
            match code {
                "0" => (now.color, now.is_bold) = (PLAIN, false),
                "1" => now.is_bold = true,
                "31" => now.color = "#ff7b72",
                "32" => now.color = "#7ee787",
                "33" => now.color = "#e3b341",
                "35" => now.color = "#d2a8ff",
                "36" => now.color = "#76e3ea",
                other => return Err(format!("there is no color for `{other}`")),
            }
        }
        text.clone_into(&mut now.text);
    }
    spans.push(now);
    spans.retain(|span| !span.text.is_empty());
    Ok(spans)
}

/// Breaks a line where the terminal did.
fn wrap(spans: Vec<Span>) -> Vec<Vec<Span>> {
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    let mut left = COLUMNS;
    for mut span in spans {
        while let Some((at, _)) = span.text.char_indices().nth(left) {
            let rest = span.text.split_off(at);
            row.push(Span { text: std::mem::replace(&mut span.text, rest), ..span });
            rows.push(std::mem::take(&mut row));
            left = COLUMNS;
        }
        left -= span.text.chars().count();
        row.push(span);
    }
    rows.push(row);
    rows
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_and_long_lines_are_as_on_the_terminal() {
        let text = |row: &Vec<Span>| row.iter().map(|span| span.text.as_str()).collect::<String>();
        let found = spans("a\x1b[1;31mb\x1b[0m").unwrap();
        assert_eq!((found[0].color, found[1].is_bold, found.len()), (PLAIN, true, 2));
        let rows = wrap(spans(&format!("{}\x1b[31m{}", "x".repeat(60), "y".repeat(60))).unwrap());
        assert_eq!(rows.iter().map(|row| text(row).len()).collect::<Vec<_>>(), [100, 20]);
        assert!(spans("\x1b[2K").is_err());
    }
}
