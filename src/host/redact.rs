//! The step before the journal: what must not be written down is taken out.
//!
//! It knows few rules yet: values that are known to be secret, and passwords in URLs. `no_log` is honored earlier, before
//! anything leaves Ansible.

mod sealed;
mod words;

use std::borrow::Cow;

use playwarden_event::Json;
use serde::{Deserialize, Serialize};

use self::sealed::Sealed;
pub(crate) use self::words::{literals, looks_secret, values as secret_values};

/// What stands in the place of a secret.
const MASK: &str = "********";

/// Takes secrets out of texts and JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    /// As they stand in text: plain, or in the JSON that Ansible prints results in.
    plain: Secrets,
    /// The same inside a JSON string, in both ways of writing what is not ASCII.
    quoted: Secrets,
}

/// What is looked for.
#[derive(Clone, Debug)]
enum Secrets {
    /// Longer ones come first, so that none leaves a part of itself behind.
    Known(Vec<String>),
    Sealed(Sealed),
}

impl Default for Secrets {
    fn default() -> Self {
        Self::Known(Vec::new())
    }
}

/// A redactor for who must not know the secrets, in a form that can be written down.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct SealedRedactor {
    plain: Sealed,
    quoted: Sealed,
}

impl Redactor {
    /// Knows these values.
    pub(crate) fn new(mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| !secret.is_empty());
        let quote_all =
            |texts: &[String]| -> Vec<_> { texts.iter().flat_map(|text| [quote(text), quote_ascii(text)]).collect() };
        let mut plain = [quote_all(&secrets), secrets].concat();
        let mut quoted = quote_all(&plain);
        for list in [&mut plain, &mut quoted] {
            list.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
            list.dedup();
        }
        Self { plain: Secrets::Known(plain), quoted: Secrets::Known(quoted) }
    }

    /// Returns what does the same without knowing the values.
    pub(crate) fn seal(&self) -> SealedRedactor {
        SealedRedactor { plain: self.plain.seal(), quoted: self.quoted.seal() }
    }

    /// Redacts a plain text.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        redact(text, &self.plain)
    }

    /// Redacts inside the strings of a JSON text. Keys, numbers and the form stay as they are.
    pub(crate) fn json(&self, json: Json) -> Json {
        let text = json.text();
        // Most texts hold nothing to hide, and one look tells.
        if matches!(redact(text, &self.quoted), Cow::Borrowed(_)) {
            return json;
        }
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('"') {
            let (before, string) = rest.split_at(start + 1);
            let (inside, after) = string.split_at(end_of_string(string));
            clean.push_str(before);
            let rest_behind = after.get(1..).unwrap_or_default();
            let is_key = rest_behind.trim_start().starts_with(':');
            clean.push_str(&if is_key { Cow::Borrowed(inside) } else { self.inside_of_string(inside) });
            clean.push('"');
            rest = rest_behind;
        }
        clean.push_str(rest);
        Json::parse(clean).expect("a mask inside a string should leave JSON what it is")
    }
}

impl Redactor {
    /// Redacts what stands between two quotes. Not in its escaped form: a part of an escape may look like a secret.
    fn inside_of_string<'s>(&self, inside: &'s str) -> Cow<'s, str> {
        let Ok(text) = serde_json::from_str::<String>(&format!("\"{inside}\"")) else {
            // Nothing that is known; better hidden than shown.
            return Cow::Borrowed(MASK);
        };
        match self.text(&text) {
            Cow::Borrowed(_) => Cow::Borrowed(inside),
            Cow::Owned(clean) => Cow::Owned(quote(&clean)),
        }
    }
}

/// Returns where the string ends that these characters are the inside of.
fn end_of_string(inside: &str) -> usize {
    let mut escaped = false;
    let end = inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(inside.len())
}

impl From<SealedRedactor> for Redactor {
    fn from(SealedRedactor { plain, quoted }: SealedRedactor) -> Self {
        Self { plain: Secrets::Sealed(plain), quoted: Secrets::Sealed(quoted) }
    }
}

impl Secrets {
    fn seal(&self) -> Sealed {
        match self {
            Self::Known(secrets) => Sealed::new(secrets),
            Self::Sealed(sealed) => sealed.clone(),
        }
    }

    fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let secrets = match self {
            Self::Known(secrets) => secrets,
            Self::Sealed(sealed) => return sealed.mask(text),
        };
        let mut text = Cow::Borrowed(text);
        for secret in secrets {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
            }
        }
        text
    }
}

fn redact<'t>(text: &'t str, secrets: &Secrets) -> Cow<'t, str> {
    let text = secrets.mask(text);
    match without_url_passwords(&text) {
        Some(clean) => Cow::Owned(clean),
        None => text,
    }
}

/// Masks `scheme://user:password@`.
fn without_url_passwords(text: &str) -> Option<String> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        rest = after;
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'\\<>".contains(c)).unwrap_or(after.len());
        let Some((userinfo, _)) = after[..end].rsplit_once('@') else { continue };
        let Some((user, password)) = userinfo.split_once(':') else { continue };
        if !password.is_empty() && password != MASK {
            clean.push_str(user);
            clean.push(':');
            clean.push_str(MASK);
            rest = &after[userinfo.len()..];
        }
    }
    clean.push_str(rest);
    (clean != text).then_some(clean)
}

fn quote(text: &str) -> String {
    let quoted = Json::of(text);
    // Not trimmed: the text itself may begin or end with a quote.
    let inside = quoted.text();
    inside[1..inside.len() - 1].to_owned()
}

/// As the callback writes: everything but ASCII escaped.
fn quote_ascii(text: &str) -> String {
    let mut units = [0; 2];
    let escape = |c: char| match c {
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    quote(text).chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A redactor that knows its secrets, and one that was sealed and written down: they must do the same.
    fn both(secrets: &[&str]) -> [Redactor; 2] {
        let known = Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()).collect());
        let written = serde_json::to_string(&known.seal()).unwrap();
        let sealed: SealedRedactor = serde_json::from_str(&written).unwrap();
        [known, sealed.into()]
    }

    #[test]
    fn known_secrets_go_from_text_and_json_in_every_spelling() {
        both(&["pa\"ss", "pa\"ssword", "schlüssel"]).iter().for_each(every_spelling_goes);
    }

    fn every_spelling_goes(redactor: &Redactor) {
        assert_eq!(redactor.text("x pa\"ssword y pa\"ss"), "x ******** y ********");
        assert_eq!(
            redactor.text(r#"{"a": "pa\"ssword", "b": "schl\u00fcssel"}"#),
            r#"{"a": "********", "b": "********"}"#
        );
        let json = Json::parse(r#"{"a":"pa\"ssword","b":"schl\u00fcssel","c":"schlüssel"}"#.to_owned()).unwrap();
        assert_eq!(redactor.json(json).text(), r#"{"a":"********","b":"********","c":"********"}"#);
    }

    #[test]
    fn only_values_of_strings_are_touched() {
        both(&["host", "12", "name"]).iter().for_each(only_values_are_touched);
    }

    fn only_values_are_touched(redactor: &Redactor) {
        let text = r#"{"host": "my host", "n":12.5, "a":["12",{"12":"x"}],"b":"q\"host","c":"line\name"}"#;
        let json = Json::parse(text.to_owned()).unwrap();
        let expected =
            r#"{"host": "my ********", "n":12.5, "a":["********",{"12":"x"}],"b":"q\"********","c":"line\name"}"#;
        assert_eq!(redactor.json(json).text(), expected);
    }

    #[test]
    fn passwords_in_urls_are_masked_and_the_rest_stays() {
        both(&[]).iter().for_each(url_passwords_are_masked);
    }

    fn url_passwords_are_masked(redactor: &Redactor) {
        for (text, expected) in [
            ("git clone https://me:s3cret@example.org/x.git ok", "git clone https://me:********@example.org/x.git ok"),
            ("https://a:p@h https://b:q@h", "https://a:********@h https://b:********@h"),
            ("https://user@host https://host:80/a@b", "https://user@host https://host:80/a@b"),
            ("https://me:********@host", "https://me:********@host"),
        ] {
            assert_eq!(redactor.text(text), expected);
        }
    }
}
