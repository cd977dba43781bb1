//! What may be a name.

use toml::Spanned;

use super::table::Notes;

/// Names become folders of a run.
pub(super) fn check_name(notes: &mut Notes<'_>, kind: &str, name: &Spanned<String>) {
    let text = name.get_ref();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        let message = format!("`{text}` cannot be the name of a {kind}");
        let help = "1 to 64 letters, digits, `-` and `_`".to_owned();
        notes.error_with_help("bad-name", name.span(), message, help);
    }
}

/// What the name of an environment variable is made of.
pub(super) const VARIABLE: &str = "letters, digits and `_`, with no digit first";

pub(super) fn check_variable(notes: &mut Notes<'_>, name: &Spanned<String>) {
    if !is_variable(name.get_ref()) {
        let message = format!("`{}` is not the name of an environment variable", name.get_ref());
        notes.error_with_help("bad-name", name.span(), message, VARIABLE.to_owned());
    }
}

pub(super) fn is_variable(text: &str) -> bool {
    let fits = |(index, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || index > 0 && c.is_ascii_digit();
    !text.is_empty() && text.chars().enumerate().all(fits)
}
