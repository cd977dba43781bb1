//! The shape of `[redact]`.

use toml::Spanned;
use toml::de::DeValue;

use super::names::check_name;
use super::table::{Notes, Table, Value, string};
use crate::redact::{RuleError, Rules, Wanted, check_key, check_pattern};

/// Reads what is masked; rules that cannot be used are noted and left out.
pub(super) fn read_redact(notes: &mut Notes<'_>, mut table: Table<'_>) -> Rules {
    let mut wanted = Wanted::default();
    for key in table.strings(notes, "keys", false).unwrap_or_default() {
        wanted.keys.extend(checked(notes, key));
    }
    for (name, value) in table.named(notes, "patterns") {
        check_name(notes, "pattern", &name);
        let Some(pattern) = string(notes, name.get_ref(), value) else { continue };
        match check_pattern(pattern.get_ref()) {
            Ok(()) => drop(wanted.patterns.insert(name.into_inner(), pattern.into_inner())),
            Err(err) => {
                let help = match err {
                    RuleError::Everywhere(_) => "write one that needs at least one character, such as `a+` for `a*`",
                    _ => {
                        "write a regular expression in single quotes, such as '\\b\\d{16}\\b'; there is no look-around \
                         and no backreference"
                    }
                };
                notes.error_with_help("bad-pattern", pattern.span(), err.to_string(), help.to_owned());
            }
        }
    }
    for (module, value) in table.named(notes, "modules") {
        let Some(arguments) = arguments(notes, &module, value) else { continue };
        let arguments = arguments.into_iter().filter_map(|argument| checked(notes, argument)).collect();
        wanted.modules.insert(module.into_inner(), arguments);
    }
    table.finish(notes);
    Rules::new(wanted).expect("each rule should have been checked")
}

fn checked(notes: &mut Notes<'_>, key: Spanned<String>) -> Option<String> {
    match check_key(key.get_ref()) {
        Ok(()) => Some(key.into_inner()),
        Err(err) => {
            let help = "write one key, such as \"pin\", \"*_pin\" or \"X-Auth-*\"; what is found by more than its key is \
                        a pattern";
            notes.error_with_help("bad-value", key.span(), err.to_string(), help.to_owned());
            None
        }
    }
}

fn arguments(notes: &mut Notes<'_>, module: &Spanned<String>, value: &Value<'_>) -> Option<Vec<Spanned<String>>> {
    let name = module.get_ref();
    match value.get_ref() {
        DeValue::Array(list) => {
            let items = list.iter().enumerate();
            Some(items.filter_map(|(index, item)| string(notes, &format!("{name}[{index}]"), item)).collect())
        }
        // `ansible.builtin.uri` without quotes is a table in a table.
        DeValue::Table(_) => {
            let message = format!("`{name}` has no list of arguments");
            let help = format!("write the module's name in quotes: \"{name}.COLLECTION.MODULE\" = [\"ARGUMENT\"]");
            notes.error_with_help("wrong-type", value.span(), message, help);
            None
        }
        _ => {
            notes.wrong_type(name, "a list of strings", value);
            None
        }
    }
}
