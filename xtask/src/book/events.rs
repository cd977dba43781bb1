//! The reference of events, from the types that write them.

use std::collections::BTreeMap;

use super::types::{self, Member, Type};

/// Where the types are.
pub(crate) const SOURCES: [&str; 7] = ["kind", "event", "context", "outcome", "result", "verdict", "tally"];

const HEAD: &str = "\
# Events

Every run has a journal, `events.jsonl`: one event a line, numbered from 1, nothing missing. Each line is a JSON object.
Plugins get the same events, and so do `playwarden events --json` and `run --json`. The names and the keys are
ansible-runner's; what is not says \"Ours\". Readers ignore keys and events that they do not know.

## The line
";

const SEALS: &str = "\
| `schema` | number | The version of the line's form. |
| `event` | text | The event's name. |
| `event_data` | object | What belongs to this event. |
| `prev` | text | `hash` of the line before; 64 zeros on the first. |
| `hash` | text | SHA-256, in hex, of the line's exact bytes without this key. |";

/// Renders the page.
pub(crate) fn page(sources: &[String]) -> Result<String, String> {
    let mut known = BTreeMap::new();
    for source in sources {
        known.extend(types::types(source)?.into_iter().map(|found| (found.name.clone(), found)));
    }
    let events = types::events(sources.first().ok_or("no sources")?)?;
    let mut page = Page { known: &known, lines: vec![HEAD.to_owned()], used: Vec::new() };
    page.table(&page.get("Head")?.members);
    page.lines.push(SEALS.to_owned());
    let context = page.get("Context")?;
    page.lines.push(format!("\n## Keys of every event of Ansible's\n\n{}\n", context.doc));
    page.table(&context.members);
    let mut group = "";
    for event in &events {
        if group != event.group {
            group = &event.group;
            page.lines.push(format!("\n## {group}"));
        }
        page.lines.push(format!("\n### `{}`\n\n{}\n", event.name, event.doc));
        match event.data.as_deref() {
            None => page.lines.push("No data of its own.".to_owned()),
            // Shared by several events, and written once.
            Some(name) if events.iter().filter(|other| other.data == event.data).count() > 1 => {
                let link = page.link(name);
                page.lines.push(format!("Data: {link}."));
            }
            Some(name) => page.table(&page.get(name)?.members),
        }
    }
    page.lines.push("\n## Shapes".to_owned());
    let mut at = 0;
    while let Some(name) = page.used.get(at).cloned() {
        at += 1;
        let shape = page.get(&name)?;
        page.lines.push(format!("\n### {name}\n\n{}\n", shape.doc));
        if shape.is_enum { page.cases(&shape.members) } else { page.table(&shape.members) }
    }
    Ok(page.lines.join("\n") + "\n")
}

struct Page<'a> {
    known: &'a BTreeMap<String, Type>,
    lines: Vec<String>,
    /// Types that are named, in the order of their first time.
    used: Vec<String>,
}

impl<'a> Page<'a> {
    fn get(&self, name: &str) -> Result<&'a Type, String> {
        self.known.get(name).ok_or_else(|| format!("there is no type `{name}`"))
    }

    fn table(&mut self, members: &[Member]) {
        self.lines.push("| key | type | meaning |\n|---|---|---|".to_owned());
        for member in members {
            let ty = self.shown(&member.ty);
            let optional = if member.optional { ", optional" } else { "" };
            self.lines.push(format!("| `{}` | {ty}{optional} | {} |", member.name, cell(&member.doc)));
        }
    }

    fn cases(&mut self, members: &[Member]) {
        if members.iter().any(|member| !member.fields.is_empty()) {
            self.lines.push("An object whose `kind` is one of these words.\n".to_owned());
        }
        self.lines.push("| word | meaning |\n|---|---|".to_owned());
        for member in members {
            let mut doc = vec![cell(&member.doc)];
            for field in &member.fields {
                let ty = self.shown(&field.ty);
                doc.push(format!("`{}` ({ty}): {}", field.name, cell(&field.doc)));
            }
            self.lines.push(format!("| `{}` | {} |", member.name, doc.join(" ")));
        }
    }

    /// A Rust type as JSON has it.
    fn shown(&mut self, ty: &str) -> String {
        let inside = |of: &str| ty.strip_prefix(of).and_then(|rest| rest.strip_suffix('>'));
        if let Some(of) = inside("Vec<") {
            return format!("list of {}", self.shown(of));
        }
        if let Some(of) = inside("BTreeMap<String, ") {
            return format!("{} by host", self.shown(of));
        }
        match ty {
            "String" => "text".to_owned(),
            "bool" => "true or false".to_owned(),
            "u64" | "u32" | "i64" | "i32" | "f64" => "number".to_owned(),
            "Timestamp" => "time".to_owned(),
            "Json" => "any JSON".to_owned(),
            name => self.link(name),
        }
    }

    fn link(&mut self, name: &str) -> String {
        if !self.known.contains_key(name) {
            return name.to_owned();
        }
        if !self.used.iter().any(|used| used == name) {
            self.used.push(name.to_owned());
        }
        format!("[{name}](#{})", name.to_lowercase())
    }
}

/// A text in a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
