//! Reads documented Rust types: structs with public fields, enums, and the list of events.
//!
//! The sources are formatted by rustfmt, so a line is enough to know what stands on it. What the reader does not
//! understand is an error, never left out in silence.

/// A struct or an enum.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) is_enum: bool,
    pub(crate) members: Vec<Member>,
}

/// A field, or a case of an enum.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// As it stands in JSON.
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The Rust type; nothing for a case that is one word.
    pub(crate) ty: String,
    /// Fields of a case.
    pub(crate) fields: Vec<Self>,
    /// It may be absent.
    pub(crate) optional: bool,
}

/// An event of the journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EventLine {
    /// The comment above its group.
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The type of its data.
    pub(crate) data: Option<String>,
}

/// Reads all public structs and enums of a file.
pub(crate) fn types(source: &str) -> Result<Vec<Type>, String> {
    let mut found = Vec::new();
    let mut doc = Doc::default();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let head = ["pub struct ", "pub enum "].into_iter().find_map(|word| Some((word, line.strip_prefix(word)?)));
        if let Some((word, rest)) = head
            && let Some(name) = rest.strip_suffix(" {")
        {
            let is_enum = word == "pub enum ";
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            let members = if is_enum { cases(&body, &doc) } else { fields(&body) };
            let members = members.map_err(|line| format!("`{name}` has a line that is not understood: `{line}`"))?;
            found.push(Type { name: name.to_owned(), doc: std::mem::take(&mut doc).text(), is_enum, members });
        } else if !doc.take(line) {
            doc = Doc::default();
        }
    }
    Ok(found)
}

/// Reads the list of `event_kinds!`.
pub(crate) fn events(source: &str) -> Result<Vec<EventLine>, String> {
    let (_, list) = source.split_once("\nevent_kinds! {\n").ok_or("there is no `event_kinds!`")?;
    let (list, _) = list.split_once("\n}\n").ok_or("`event_kinds!` has no end")?;
    let mut group = String::new();
    let mut doc = Doc::default();
    let mut found = Vec::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if doc.take(line) {
            continue;
        }
        if let Some(comment) = line.strip_prefix("// ") {
            comment.trim_end_matches('.').clone_into(&mut group);
            continue;
        }
        let parts = line.strip_suffix("\",").and_then(|line| line.split_once(" = \""));
        let (variant, name) =
            parts.ok_or_else(|| format!("`event_kinds!` has a line that is not understood: `{line}`"))?;
        let data = variant.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
        let doc = std::mem::take(&mut doc).text();
        found.push(EventLine { group: group.clone(), name: name.to_owned(), doc, data });
    }
    Ok(found)
}

/// What stands above an item.
#[derive(Debug, Default)]
struct Doc {
    lines: Vec<String>,
    attributes: String,
}

impl Doc {
    /// Takes a line of documentation or an attribute, and nothing else.
    fn take(&mut self, line: &str) -> bool {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            self.lines.push(text.strip_prefix(' ').unwrap_or(text).to_owned());
        } else if line.starts_with("#[") {
            self.attributes.push_str(line);
        } else {
            return false;
        }
        true
    }

    /// Links of rustdoc lead nowhere in a book.
    fn text(self) -> String {
        self.lines.join("\n").replace("[`", "`").replace("`]", "`")
    }

    fn optional(&self, ty: &str) -> bool {
        ty.starts_with("Option<") || self.attributes.contains("skip_serializing_if")
    }

    fn cased(&self, name: &str) -> String {
        let glue = if self.attributes.contains("rename_all = \"kebab-case\"") { "-" } else { "" };
        let mut cased = String::new();
        for (at, letter) in name.char_indices() {
            if letter.is_uppercase() && at > 0 {
                cased.push_str(glue);
            }
            cased.extend(letter.to_lowercase());
        }
        cased
    }
}

fn fields(body: &[&str]) -> Result<Vec<Member>, String> {
    let mut doc = Doc::default();
    let mut members = Vec::new();
    for line in body.iter().map(|line| line.trim()) {
        if doc.take(line) {
            continue;
        }
        let field = line.strip_prefix("pub ").unwrap_or(line).strip_suffix(',').and_then(|line| line.split_once(": "));
        // Fields that are not public are seen by nobody.
        if let Some((name, ty)) = field {
            let doc = std::mem::take(&mut doc);
            let optional = doc.optional(ty);
            let ty = ty.strip_prefix("Option<").and_then(|ty| ty.strip_suffix('>')).unwrap_or(ty);
            members.push(Member {
                name: name.to_owned(),
                ty: ty.to_owned(),
                optional,
                doc: doc.text(),
                fields: vec![],
            });
        } else {
            return Err(line.to_owned());
        }
    }
    Ok(members)
}

fn cases(body: &[&str], of: &Doc) -> Result<Vec<Member>, String> {
    let mut doc = Doc::default();
    let mut members = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next().map(|line| line.trim()) {
        if doc.take(line) {
            continue;
        }
        let (name, inside) = match line.strip_suffix(" {") {
            Some(name) => {
                (name, fields(&lines.by_ref().copied().take_while(|line| line.trim() != "},").collect::<Vec<_>>())?)
            }
            None => (line.strip_suffix(',').ok_or(line)?, Vec::new()),
        };
        let (name, ty) = name.split_once('(').map_or((name, ""), |(name, ty)| (name, ty.trim_end_matches(')')));
        if !name.chars().all(char::is_alphanumeric) {
            return Err(line.to_owned());
        }
        let (name, ty, doc) = (of.cased(name), ty.to_owned(), std::mem::take(&mut doc).text());
        members.push(Member { name, ty, doc, fields: inside, optional: false });
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_and_enums_are_read_with_their_words() {
        let source = r#"
/// Ends.
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// All [`Now`].
    AfterAll,
    /// With a name.
    By {
        /// Who.
        name: String,
    },
}

/// A line.
pub struct Line {
    /// One.
    /// Two.
    #[serde(default)]
    pub text: Option<Vec<String>>,
}
"#;
        let types = types(source).unwrap();
        let names = |of: &[Member]| of.iter().map(|member| member.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&types[0].members), ["after-all", "by"]);
        assert_eq!(types[0].members[0].doc, "All `Now`.");
        assert_eq!(types[0].members[1].fields[0].ty, "String");
        let text = &types[1].members[0];
        assert_eq!((text.doc.as_str(), text.ty.as_str(), text.optional), ("One.\nTwo.", "Vec<String>", true));
    }

    #[test]
    fn a_line_that_is_not_understood_is_no_silence() {
        assert!(types("pub struct A {\n    pub odd;\n}\n").is_err());
        assert!(events("\nevent_kinds! {\n    Odd,\n}\n").is_err());
    }

    #[test]
    fn events_are_read_with_their_group_and_data() {
        let source = "\nevent_kinds! {\n    // Text.\n    /// A warning.\n    Warning(Message) = \"warning\",\n}\n";
        let [event] = &events(source).unwrap()[..] else { panic!("one event") };
        assert_eq!((event.group.as_str(), event.name.as_str(), event.doc.as_str()), ("Text", "warning", "A warning."));
        assert_eq!(event.data.as_deref(), Some("Message"));
    }
}
