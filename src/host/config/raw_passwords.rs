//! The shape of `passwords`.

use toml::Spanned;
use toml::de::DeTable;

use super::near::near;
use super::plugin::SecretSource;
use super::prompt::{NAMES, Prompt, compile, is_vault_id};
use super::raw_grants::read_secret;
use super::table::{Notes, Table, Value};

/// Reads what is typed at which prompt, in the order of the file.
pub(super) fn read_passwords(notes: &mut Notes<'_>, table: &mut Table<'_>) -> Vec<(String, SecretSource)> {
    let mut list: Vec<(String, SecretSource)> = Vec::new();
    for (key, value) in table.named(notes, "passwords") {
        // `vault.prod` without quotes is a table in a table.
        let ids = value.get_ref().as_table().filter(|_| key.get_ref() == "vault").map(|table| ids(table));
        for (id, value) in ids.iter().flatten() {
            let name = Spanned::new(id.span(), format!("vault.{}", id.get_ref()));
            if is_vault_id(id.get_ref()) {
                let source = read_secret(notes, &name, value);
                list.extend(source.map(|source| (name.into_inner(), source)));
            } else {
                let message = format!("`{}` cannot be a vault id here", id.get_ref());
                notes.error_with_help(
                    "bad-name",
                    id.span(),
                    message,
                    "a vault id has letters, digits, `-` and `_`".to_owned(),
                );
            }
        }
        if ids.is_some_and(|ids| !ids.is_empty()) {
            let others = value.get_ref().as_table().into_iter().flat_map(DeTable::iter);
            for (other, _) in others.filter(|(_, value)| !value.get_ref().is_table()) {
                let help = "write `\"vault.ID\"` for each vault id, and `vault` for `--ask-vault-pass`".to_owned();
                let message = format!("`{}` stands among vault ids", other.get_ref());
                notes.error_with_help("conflict", other.span(), message, help);
            }
            continue;
        }
        check(notes, &key);
        let source = read_secret(notes, &key, value);
        let name = key.into_inner();
        list.extend(source.map(|source| (name, source)));
    }
    list
}

/// Returns the entries of `vault` that are ids: tables themselves.
fn ids<'t>(table: &'t DeTable<'t>) -> Vec<(Spanned<String>, &'t Value<'t>)> {
    let named = table.iter().filter(|(_, value)| value.get_ref().is_table());
    let mut ids: Vec<_> =
        named.map(|(id, value)| (Spanned::new(id.span(), id.get_ref().clone().into_owned()), value)).collect();
    ids.sort_by_key(|(id, _)| id.span().start);
    ids
}

fn check(notes: &mut Notes<'_>, key: &Spanned<String>) {
    let Prompt::Pattern(pattern) = Prompt::of(key.get_ref()) else { return };
    // A name with a slip would be a pattern that nothing ever fits.
    let word = pattern.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if let Some(meant) = near(&pattern, NAMES).filter(|_| word) {
        let message = format!("`{pattern}` is no name of a prompt");
        let help = format!("did you mean `{meant}`? As a pattern, write `(?:{pattern})`");
        notes.error_with_help("bad-pattern", key.span(), message, help);
    } else if let Err(why) = compile(&pattern) {
        let message = format!("`{pattern}` is not a pattern: {why}");
        let help = "write a regular expression as Python has them, in single quotes; `.`, `*`, `?`, `(` and `[` of the \
                    prompt itself need a `\\` before them";
        notes.error_with_help("bad-pattern", key.span(), message, help.to_owned());
    } else if pattern.is_empty() {
        let help = "write what the prompt ends with, such as 'Password: $'".to_owned();
        notes.error_with_help("bad-pattern", key.span(), "an empty pattern fits everything", help);
    }
}
