//! What no finding may show.

use std::ops::Range;

/// Returns the text with these places overwritten, so that no finding prints a
/// secret; all positions stay.
pub(super) fn mask(text: &str, hidden: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let hide = letter != '\n' && letter != '"' && hidden.iter().any(|span| span.contains(&at));
        if hide { (0..letter.len_utf8()).for_each(|_| masked.push('*')) } else { masked.push(letter) }
    }
    masked
}
