//! The shape of `grants`.

use std::collections::BTreeMap;

use playwarden_event::Origin;
use toml::Spanned;
use toml::de::DeTable;

use super::names::{VARIABLE, check_name, check_variable, is_variable};
use super::plugin::{Grants, SecretSource};
use super::table::{Notes, Table, Value};

/// Only what is named.
#[derive(Clone, Debug, Default)]
pub(super) struct RawGrants {
    read: Option<Vec<String>>,
    write: Option<Vec<String>>,
    http: Option<Vec<Origin>>,
    env: Option<Vec<String>>,
    secrets: BTreeMap<String, SecretSource>,
}

impl RawGrants {
    /// Puts others over these: a list replaces a list, a secret the one of its name.
    pub(super) fn with(mut self, over: &Self) -> Self {
        self.secrets.extend(over.secrets.clone());
        Self {
            read: over.read.clone().or(self.read),
            write: over.write.clone().or(self.write),
            http: over.http.clone().or(self.http),
            env: over.env.clone().or(self.env),
            secrets: self.secrets,
        }
    }

    pub(super) fn finish(self) -> Grants {
        Grants {
            read: self.read.unwrap_or_default(),
            write: self.write.unwrap_or_default(),
            http: self.http.unwrap_or_default(),
            env: self.env.unwrap_or_default(),
            secrets: self.secrets,
        }
    }
}

pub(super) fn read_grants(notes: &mut Notes<'_>, mut table: Table<'_>) -> RawGrants {
    // Which folders these are, and so which of them are the same, is for the plan to find out.
    let mut folders =
        |key| Some(table.strings(notes, key, false)?.into_iter().map(Spanned::into_inner).collect::<Vec<String>>());
    let (read, write) = (folders("read"), folders("write"));
    let http = table.strings(notes, "http", false).map(|list| read_origins(notes, &list));
    let env = table.strings(notes, "env", false).map(|list| read_variables(notes, &list));
    let mut secrets = BTreeMap::new();
    for (name, value) in table.named(notes, "secrets") {
        check_name(notes, "secret", &name);
        let source = read_secret(notes, &name, value);
        secrets.extend(source.map(|source| (name.into_inner(), source)));
    }
    table.finish(notes);
    RawGrants { read, write, http, env, secrets }
}

fn read_origins(notes: &mut Notes<'_>, list: &[Spanned<String>]) -> Vec<Origin> {
    let mut origins = Vec::new();
    for written in list {
        match Origin::parse(written.get_ref()) {
            Ok(origin) if origins.contains(&origin) => {
                repeated(notes, written, &format!("`{origin}` is granted twice"));
            }
            Ok(origin) => origins.push(origin),
            Err(why) => {
                // Before an `@` there may be a password.
                let message = if written.get_ref().contains('@') {
                    notes.hidden.push(written.span());
                    format!("this origin {why}")
                } else {
                    format!("`{}` {why}", written.get_ref())
                };
                let help = "write scheme, host and port, such as \"https://siem.example.com:8088\"".to_owned();
                notes.error_with_help("bad-origin", written.span(), message, help);
            }
        }
    }
    origins
}

fn read_variables(notes: &mut Notes<'_>, list: &[Spanned<String>]) -> Vec<String> {
    let mut variables = Vec::new();
    for name in list {
        check_variable(notes, name);
        if variables.contains(name.get_ref()) {
            repeated(notes, name, &format!("`{}` is granted twice", name.get_ref()));
        }
        variables.push(name.get_ref().clone());
    }
    variables
}

fn repeated(notes: &mut Notes<'_>, word: &Spanned<String>, message: &str) {
    notes.error_with_help("repeated-grant", word.span(), message, "remove one of them".to_owned());
}

/// How a secret is granted.
const SOURCES: &str = "write `{ env = \"VARIABLE\" }` or `{ file = \"PATH\" }`, never the secret itself";

/// Reads where a secret is. What is written instead may be the secret, so no message repeats it.
pub(super) fn read_secret(notes: &mut Notes<'_>, name: &Spanned<String>, value: &Value<'_>) -> Option<SecretSource> {
    let Some(table) = value.get_ref().as_table() else {
        notes.hidden.push(value.span());
        let message = format!("secret `{}` must be a table that says where it is", name.get_ref());
        notes.error_with_help("literal-secret", value.span(), message, SOURCES.to_owned());
        return None;
    };
    hide_strays(notes, table);
    let mut table = Table::new(format!("secret `{}`", name.get_ref()), name.span(), table);
    let (env, file) = (table.string(notes, "env"), table.string(notes, "file"));
    let [has_env, has_file] = ["env", "file"].map(|key| table.keys().get(key).is_some());
    table.finish(notes);
    if has_env == has_file {
        let (code, fault) = if has_env {
            ("conflict", "has both `env` and `file`")
        } else {
            ("missing-key", "has no `env` and no `file`")
        };
        let message = format!("secret `{}` {fault}", name.get_ref());
        notes.error_with_help(code, name.span(), message, SOURCES.to_owned());
        return None;
    }
    if let Some(variable) = &env
        && !is_variable(variable.get_ref())
    {
        notes.hidden.push(variable.span());
        let message = format!("`env` of secret `{}` is not the name of an environment variable", name.get_ref());
        let help = format!("{VARIABLE}; the secret itself must not stand here");
        notes.error_with_help("bad-name", variable.span(), message, help);
    }
    let env = env.map(|variable| SecretSource::Env(variable.into_inner()));
    env.or_else(|| file.map(|path| SecretSource::File(path.into_inner())))
}

/// Hides whatever is not where a source belongs.
fn hide_strays(notes: &mut Notes<'_>, table: &DeTable<'_>) {
    let strays =
        table.iter().filter(|(key, value)| !["env", "file"].contains(&&**key.get_ref()) || !value.get_ref().is_str());
    notes.hidden.extend(strays.map(|(_, value)| value.span()));
}
