//! Where every key of the file stands, so that later steps can point at it.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The place of every key and list item, by its path of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<Vec<String>, Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The value; the name of a table.
    value: Range<usize>,
    /// Where what names it begins.
    start: usize,
}

impl Places {
    pub(super) fn of(document: &DeTable<'_>) -> Self {
        let mut places = Self::default();
        places.walk(&mut Vec::new(), document);
        places
    }

    /// Returns the place of a path, or of the closest thing around it.
    pub(super) fn nearest(&self, path: &[&str]) -> Option<Range<usize>> {
        (1..=path.len()).rev().find_map(|length| self.exact(&path[..length]))
    }

    /// Returns the place of exactly this path.
    pub(super) fn exact(&self, path: &[&str]) -> Option<Range<usize>> {
        let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
        self.0.get(&path).map(|place| place.value.clone())
    }

    /// As [`nearest`](Self::nearest), the key included: for who does not know whether key or value is wrong.
    pub(super) fn nearest_pair(&self, path: &[&str]) -> Option<Range<usize>> {
        let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
        let place = (1..=path.len()).rev().find_map(|length| self.0.get(&path[..length]))?;
        Some(place.start..place.value.end)
    }

    fn walk(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().clone().into_owned());
            // A table has no good place of its own: it may be spread over
            // several headers. Its name has.
            let span = if value.get_ref().is_table() { key.span() } else { value.span() };
            // A dotted key is cut into its names, a header stands elsewhere.
            let start = key.span().start.min(span.start);
            self.0.insert(path.clone(), Place { value: span, start });
            self.descend(path, value.get_ref());
            path.pop();
        }
    }

    fn descend(&mut self, path: &mut Vec<String>, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.walk(path, table),
            DeValue::Array(list) => {
                for (index, item) in list.iter().enumerate() {
                    path.push(index.to_string());
                    self.0.insert(path.clone(), Place { value: item.span(), start: item.span().start });
                    self.descend(path, item.get_ref());
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// Splits an RFC 6901 pointer into its names; `None` if it is not one.
pub(super) fn pointer_names(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    pointer.strip_prefix('/')?.split('/').map(unescape).collect()
}

fn unescape(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '~' => match letters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_unescaped() {
        assert_eq!(pointer_names(""), Some(vec![]));
        assert_eq!(pointer_names("/a~1b/~0/0"), Some(vec!["a/b".into(), "~".into(), "0".into()]));
        assert_eq!(pointer_names("a"), None);
        assert_eq!(pointer_names("/~2"), None);
        assert_eq!(pointer_names("/~"), None);
    }
}
