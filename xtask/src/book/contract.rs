//! The reference of the plugin contract, from `wit/`.
//!
//! The files are tidy (an item of an interface begins at two blanks and ends at `;` or at `  }`), so lines are enough, and
//! what the authors wrote stays as they wrote it.

/// The files, in reading order, with what each is about.
pub(crate) const SOURCES: [(&str, &str); 4] = [
    ("hooks", "What a plugin may offer"),
    ("host", "What the host offers"),
    ("types", "Shapes that all share"),
    ("worlds", "Worlds"),
];

const HEAD: &str = "\
# The plugin contract

The package `playwarden:plugin`, as it stands in the folder `wit/`, in the language
[WIT](https://component-model.bytecodealliance.org/design/wit.html). It is the only definition, from which the host and all plugins generate their side. A component exports any of the interfaces under
*What a plugin may offer*; the host finds out by looking. It imports what it needs of *What the host offers*.
";

/// Renders the page. The sources are in the order of [`SOURCES`].
pub(crate) fn page(sources: &[String]) -> Result<String, String> {
    let mut lines = vec![HEAD.to_owned()];
    for ((name, title), source) in SOURCES.iter().zip(sources) {
        lines.push(format!("## {title}\n\n`wit/{name}.wit`\n"));
        if *name == "worlds" {
            let worlds = source.split_once("\nworld ").ok_or("worlds.wit has no world")?;
            lines.push(format!("```wit\nworld {}\n```\n", worlds.1.trim_end()));
            continue;
        }
        file(source, &mut lines).map_err(|line| format!("{name}.wit has a line that is not understood: `{line}`"))?;
    }
    Ok(lines.join("\n"))
}

fn file(source: &str, to: &mut Vec<String>) -> Result<(), String> {
    let mut rest = source.lines();
    let mut above = Vec::new();
    let mut is_inside = false;
    while let Some(line) = rest.next() {
        let text = line.trim();
        if let Some(doc) = text.strip_prefix("///") {
            above.push(doc.trim().to_owned());
        } else if let Some(name) = line.strip_prefix("interface ") {
            let name = name.strip_suffix(" {").ok_or(line)?;
            to.push(format!("### Interface `{name}`\n\n{}\n", above.join("\n")));
            above.clear();
            is_inside = true;
        } else if text.is_empty() || text == "}" || !is_inside || text.starts_with("use ") {
            // What stands above the first interface is the rules for those who change the contract.
            above.clear();
        } else if let Some(comment) = text.strip_prefix("// ") {
            to.push(format!("{comment}\n"));
        } else {
            let mut item = vec![line];
            if text.ends_with('{') {
                item.extend(rest.by_ref().take_while(|line| *line != "  }"));
                item.push("  }");
            }
            to.push(format!("#### {}\n", title(text).ok_or(line)?));
            if !above.is_empty() {
                to.push(format!("{}\n", above.join("\n")));
            }
            let code: Vec<&str> = item.iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
            to.push(format!("```wit\n{}\n```\n", code.join("\n")));
            above.clear();
        }
    }
    Ok(())
}

/// The heading of an item: a shape and its name, or a function's name.
fn title(line: &str) -> Option<String> {
    let word = |text: &str| text.split([' ', '{', ':']).next().map(|name| format!("`{name}`"));
    for shape in ["record", "variant", "enum", "flags"] {
        if let Some(rest) = line.strip_prefix(shape).and_then(|rest| rest.strip_prefix(' ')) {
            return Some(format!("{shape} {}", word(rest)?));
        }
    }
    line.contains(": func(").then(|| word(line))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_functions_keep_their_words() {
        let source = "// Rules.\n\n/// Hook.\ninterface a {\n  use types.{x};\n  /// Shape.\n  record r {\n    /// Field.\n    \
                      f: u32,\n  }\n  /// Asks.\n  ask: func() -> u32;\n}\n";
        let mut lines = Vec::new();
        file(source, &mut lines).unwrap();
        assert_eq!(
            lines.concat(),
            "### Interface `a`\n\nHook.\n#### record `r`\nShape.\n```wit\nrecord r {\n  /// Field.\n  f: u32,\n}\n```\n\
             #### `ask`\nAsks.\n```wit\nask: func() -> u32;\n```\n"
        );
        assert!(file("interface a {\n  odd\n}\n", &mut lines).is_err());
    }
}
