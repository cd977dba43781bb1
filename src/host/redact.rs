//! What must not be written down is taken out: before the journal, the screen, plugins and whoever else is told.
//!
//! Four rules: values that are known to be secret, and passwords in URLs, wherever they stand; what stands under keys that a team
//! names, and those arguments of modules; what its patterns find. `no_log` is honored earlier, before anything leaves Ansible.

mod rules;
mod sealed;
mod walk;
mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;

use playwarden_event::Json;
use serde::{Deserialize, Serialize};

pub use self::rules::Rules;
pub(crate) use self::rules::{RuleError, Wanted, check_key, check_pattern};
use self::sealed::Sealed;
use self::walk::Walk;
pub(crate) use self::words::looks_secret;

/// What stands in the place of a secret.
const MASK: &str = "********";

/// What Ansible puts in the place of an argument that its module calls secret.
const HIDDEN_BY_ANSIBLE: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// A value that is shorter is masked where it stands and looked for nowhere else: it would be found in half of all words.
const SHORTEST: usize = 4;

/// How often each rule has masked something.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Takes secrets out of texts and JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    known: Values,
    rules: Rules,
}

/// Values that are looked for.
#[derive(Clone, Debug, Default)]
struct Values {
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
    #[serde(default)]
    rules: Rules,
}

/// Takes secrets out of one event: first of its data, which may tell by its keys what is secret, then of what was printed with it.
#[derive(Debug)]
pub(crate) struct EventRedactor<'r> {
    redactor: &'r Redactor,
    masked: Masked,
}

/// What was done with one event so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masked {
    /// By rule, what it hides in this event.
    learned: Vec<(&'static str, Values)>,
    /// How often each rule has masked something.
    pub(crate) counts: Counts,
}

impl Values {
    fn new(mut secrets: Vec<String>) -> Self {
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
}

impl Redactor {
    /// Knows these values, and masks by these rules.
    pub(crate) fn new(secrets: Vec<String>, rules: Rules) -> Self {
        Self { known: Values::new(secrets), rules }
    }

    /// Returns what does the same without knowing the values.
    pub(crate) fn seal(&self) -> SealedRedactor {
        let Values { plain, quoted } = &self.known;
        SealedRedactor { plain: plain.seal(), quoted: quoted.seal(), rules: self.rules.clone() }
    }

    /// Goes on with an event, or begins it.
    pub(crate) fn event(&self, masked: Masked) -> EventRedactor<'_> {
        EventRedactor { redactor: self, masked }
    }

    /// Redacts a plain text.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.event(Masked::default()).text(text)
    }

    /// Redacts inside the strings of a JSON text. Keys, numbers and the form stay as they are.
    pub(crate) fn json(&self, json: Json) -> Json {
        self.event(Masked::default()).strings(json)
    }
}

impl EventRedactor<'_> {
    /// Redacts what Ansible reported: what stands under keys and arguments that hide it, then every string.
    pub(crate) fn data(&mut self, data: Json) -> Json {
        let Walk { clean, learned, counts, .. } = Walk::through(&data, &self.redactor.rules);
        for (rule, count) in counts {
            *self.masked.counts.entry(rule).or_default() += count;
        }
        for (rule, mut values) in learned {
            values.retain(|value| value.chars().count() >= SHORTEST);
            if !values.is_empty() {
                self.masked.learned.push((rule, Values::new(values)));
            }
        }
        self.strings(clean.unwrap_or(data))
    }

    /// Redacts inside the strings of a JSON text. Keys, numbers and the form stay as they are.
    pub(crate) fn strings(&mut self, json: Json) -> Json {
        let text = json.text();
        if !self.may_hide(text) {
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

    /// Redacts a plain text.
    pub(crate) fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let mut counts = std::mem::take(&mut self.masked.counts);
        let mut count = |rule: &str| match counts.get_mut(rule) {
            Some(count) => *count += 1,
            None => drop(counts.insert(rule.to_owned(), 1)),
        };
        let mut clean = self.redactor.known.plain.mask(text, &mut || count("secrets"));
        for (rule, learned) in &self.masked.learned {
            if let Cow::Owned(now) = learned.plain.mask(&clean, &mut || count(rule)) {
                clean = Cow::Owned(now);
            }
        }
        if let Some(now) = self.redactor.rules.mask(&clean, &mut count) {
            clean = Cow::Owned(now);
        }
        if let Some(now) = without_url_passwords(&clean, &mut || count("urls")) {
            clean = Cow::Owned(now);
        }
        self.masked.counts = counts;
        clean
    }

    /// Redacts a plain text that is counted elsewhere.
    pub(crate) fn uncounted(&mut self, text: &str) -> String {
        let counts = self.masked.counts.clone();
        let clean = self.text(text).into_owned();
        self.masked.counts = counts;
        clean
    }

    /// Returns what was done so far.
    pub(crate) fn masked(&self) -> &Masked {
        &self.masked
    }

    /// Returns what was done.
    pub(crate) fn into_masked(self) -> Masked {
        self.masked
    }

    /// Most texts hold nothing to hide, and one look tells; what rules find, only a longer one.
    fn may_hide(&self, text: &str) -> bool {
        let found = |values: &Values| matches!(values.quoted.mask(text, &mut || {}), Cow::Owned(_));
        !self.redactor.rules.is_empty()
            || found(&self.redactor.known)
            || self.masked.learned.iter().any(|(_, learned)| found(learned))
            || without_url_passwords(text, &mut || {}).is_some()
    }

    /// Redacts what stands between two quotes. Not in its escaped form: a part of an escape may look like a secret.
    fn inside_of_string<'s>(&mut self, inside: &'s str) -> Cow<'s, str> {
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
    fn from(SealedRedactor { plain, quoted, rules }: SealedRedactor) -> Self {
        Self { known: Values { plain: Secrets::Sealed(plain), quoted: Secrets::Sealed(quoted) }, rules }
    }
}

impl Secrets {
    fn seal(&self) -> Sealed {
        match self {
            Self::Known(secrets) => Sealed::new(secrets),
            Self::Sealed(sealed) => sealed.clone(),
        }
    }

    fn mask<'t>(&self, text: &'t str, masked: &mut dyn FnMut()) -> Cow<'t, str> {
        let secrets = match self {
            Self::Known(secrets) => secrets,
            Self::Sealed(sealed) => return sealed.mask(text, masked),
        };
        let mut text = Cow::Borrowed(text);
        for secret in secrets {
            let count = text.matches(secret.as_str()).count();
            if count > 0 {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
                (0..count).for_each(|_| masked());
            }
        }
        text
    }
}

/// Masks `scheme://user:password@`.
fn without_url_passwords(text: &str, masked: &mut dyn FnMut()) -> Option<String> {
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
            masked();
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
        let known = Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()).collect(), Rules::default());
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

    /// Masks one event by these rules, and returns its data, the text printed with it, and the counts.
    fn event(wanted: Wanted, data: &str, text: &str) -> (String, String, Counts) {
        let redactor = Redactor::new(Vec::new(), Rules::new(wanted).unwrap());
        let mut event = redactor.event(Masked::default());
        let data = event.data(Json::parse(data.to_owned()).unwrap()).text().to_owned();
        let text = event.text(text).into_owned();
        (data, text, event.into_masked().counts)
    }

    #[test]
    fn what_arguments_of_a_module_hide_is_looked_for_in_its_event() {
        let modules = [("pinned".to_owned(), vec!["echo".to_owned()])].into();
        let data = r#"{"task_action":"pinned","res":{"other":"abcd-1","invocation":{"module_args":{"echo":"abcd-1"}},"warnings":["the pin is abcd-1"],"n":1.10,"echo":null}}"#;
        let (data, text, counts) = event(Wanted { modules, ..Wanted::default() }, data, "said abcd-1 twice abcd-1");
        let expected = r#"{"task_action":"pinned","res":{"other":"********","invocation":{"module_args":{"echo":"********"}},"warnings":["the pin is ********"],"n":1.10,"echo":null}}"#;
        assert_eq!(data, expected);
        assert_eq!(text, "said ******** twice ********");
        assert_eq!(counts, [("modules".to_owned(), 5)].into());
    }

    #[test]
    fn what_is_nested_without_end_is_masked_as_a_whole() {
        let deep = |within: &str| format!("{}{within}{}", r#"{"a":["#.repeat(50_000), "]}".repeat(50_000));
        let data = format!(r#"{{"res":{{"x":{},"pin":"1234","y":[[["]"]]]}}}}"#, deep(r#""]} \" pin 9""#));
        let wanted = || Wanted { keys: vec!["pin".to_owned()], ..Wanted::default() };
        let (data, _, counts) = event(wanted(), &data, "");
        assert!(data.ends_with(r#""pin":"********","y":[[["]"]]]}}"#), "{}", &data[data.len().saturating_sub(200)..]);
        assert!(data.len() < 1000 && data.contains(r#"["********"]"#), "{data}");
        assert_eq!(counts, [("keys".to_owned(), 2)].into());
    }
}
