//! JSON that is kept exactly as it arrived.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON text on one line, valid and otherwise unchanged.
///
/// What Ansible reports is kept as text and looked into on demand: integers of any size, the order of keys and every
/// digit stay as they were, and what nobody asks for is never parsed. Line breaks between values are blanks, since a line
/// of the journal is one event; inside of strings JSON has none.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Takes a JSON text.
    ///
    /// # Errors
    /// When `text` is not one JSON value.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|raw| Self(on_one_line(raw)))
    }

    /// Writes a value down.
    ///
    /// # Panics
    /// When `value` cannot be JSON, such as a map whose keys are no strings: a bug of the caller.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(serde_json::value::to_raw_value(value).expect("own types should be representable as JSON"))
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    pub(crate) fn raw(&self) -> &RawValue {
        &self.0
    }

    /// Reads the text as a `T`.
    ///
    /// # Errors
    /// When the value has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// Returns the value at an RFC 6901 pointer (`""` is the whole), exactly as it stands in the text.
    ///
    /// `None` when there is nothing, or when `pointer` is not a pointer.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<Self> {
        let mut here: &RawValue = &self.0;
        if !pointer.is_empty() {
            for token in pointer.strip_prefix('/')?.split('/') {
                let token = token.replace("~1", "/").replace("~0", "~");
                here = step(here, &token)?;
            }
        }
        Some(Self(here.to_owned()))
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(on_one_line(raw.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::deserialize(deserializer).map(|raw| Self(on_one_line(raw)))
    }
}

impl Default for Json {
    /// The empty object.
    fn default() -> Self {
        Self::of(&serde_json::Map::new())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json {}

/// Makes each line break a blank: outside of strings it means the same, and inside of them it cannot stand.
fn on_one_line(raw: Box<RawValue>) -> Box<RawValue> {
    if !raw.get().contains('\n') && !raw.get().contains('\r') {
        return raw;
    }
    let text = raw.get().replace(['\n', '\r'], " ");
    RawValue::from_string(text).expect("blanks should be allowed where line breaks are")
}

/// One token further down, without parsing what lies beside the way.
fn step<'a>(value: &'a RawValue, token: &str) -> Option<&'a RawValue> {
    serde_json::Deserializer::from_str(value.get()).deserialize_any(Child(token)).ok().flatten()
}

/// Finds one member of an object or element of an array; anything else has none.
struct Child<'t>(&'t str);

impl<'de> Visitor<'de> for Child<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        // "01" and "-" are no indices (RFC 6901 §4).
        let canonical = self.0 == "0" || !self.0.starts_with(['0', '+']);
        let Some(index) = self.0.parse::<usize>().ok().filter(|_| canonical) else {
            return Ok(None);
        };
        let mut found = None;
        let mut at = 0;
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            if at == index {
                found = Some(element);
            }
            at += 1;
        }
        Ok(found)
    }
}

/// For fields whose type a play decides: a value of another type is none, never an error that would lose the event.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// As [`lenient`], with the default for a value of another type.
pub(crate) fn lenient_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    lenient(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn a_line_break_between_values_begins_no_line() {
        let broken = "{\n\"a\":[1,\r\n2]\t}";
        let one = "{ \"a\":[1,  2]\t}";
        assert_eq!(json(broken).text(), one);
        assert_eq!(serde_json::from_str::<Json>(broken).unwrap().text(), one);
        assert_eq!(Json::from(&*RawValue::from_string(broken.to_owned()).unwrap()).text(), one);
    }

    #[test]
    fn pointers_find_what_stands_there_exactly() {
        let value = json(r#"{"a":{"b/c":[10, 1180591620717411303424 ,{"~":1.50}]},"":"empty"}"#);
        let at = |pointer: &str| value.pointer(pointer).map(|found| found.text().to_owned());
        assert_eq!(at("/a/b~1c/1").as_deref(), Some("1180591620717411303424"));
        assert_eq!(at("/a/b~1c/2/~0").as_deref(), Some("1.50"));
        assert_eq!(at("/").as_deref(), Some(r#""empty""#));
        assert_eq!(at("").as_deref(), Some(value.text()));
        for nothing in ["/a/b~1c/01", "/a/b~1c/3", "/a/x", "a", "//a", "/a/b~1c/0/x"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
    }
}
