//! The step before the journal: what must not be written down is taken out.
//!
//! It knows few rules yet: values that are known to be secret, and passwords in URLs. `no_log` is honored earlier, before
//! anything leaves Ansible.

use std::borrow::Cow;

use playwarden_event::Json;

/// What stands in the place of a secret.
const MASK: &str = "********";

/// Takes secrets out of texts and JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    /// As they stand in text: plain, or in the JSON that Ansible prints results in.
    plain: Vec<String>,
    /// The same inside a JSON string, in both ways of writing what is not ASCII.
    quoted: Vec<String>,
}

impl Redactor {
    /// Knows these values. Longer ones come first, so that none leaves a part of itself behind.
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
        Self { plain, quoted }
    }

    /// Redacts a plain text.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        redact(text, &self.plain)
    }

    /// Redacts inside the strings of a JSON text. Its form stays whole: a mask needs no escaping.
    pub(crate) fn json(&self, json: Json) -> Json {
        match redact(json.text(), &self.quoted) {
            Cow::Borrowed(_) => json,
            // Only a secret that looks like JSON's own punctuation could break the form; then nothing may stay.
            Cow::Owned(text) => Json::parse(text).unwrap_or_default(),
        }
    }
}

fn redact<'t>(text: &'t str, secrets: &[String]) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), MASK));
        }
    }
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
    quoted.text().trim_matches('"').to_owned()
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

    #[test]
    fn known_secrets_go_from_text_and_json_in_every_spelling() {
        let redactor = Redactor::new(vec!["pa\"ss".into(), "pa\"ssword".into(), "schlüssel".into()]);
        assert_eq!(redactor.text("x pa\"ssword y pa\"ss"), "x ******** y ********");
        assert_eq!(
            redactor.text(r#"{"a": "pa\"ssword", "b": "schl\u00fcssel"}"#),
            r#"{"a": "********", "b": "********"}"#
        );
        let json = Json::parse(r#"{"a":"pa\"ssword","b":"schl\u00fcssel","c":"schlüssel"}"#.to_owned()).unwrap();
        assert_eq!(redactor.json(json).text(), r#"{"a":"********","b":"********","c":"********"}"#);
    }

    #[test]
    fn passwords_in_urls_are_masked_and_the_rest_stays() {
        let redactor = Redactor::default();
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
