//! "Did you mean": the known word next to an unknown one.

/// Returns the closest candidate, if one is close enough to be meant.
///
/// `_`, `-` and case do not count, so `Skip_Tags` finds `skip-tags`.
pub fn near<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = fold(word);
    // A third of the word may be wrong; more would suggest nonsense.
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the help text for an unknown word: the near one, else all of them
/// where they are few.
pub fn did_you_mean<'c>(word: &str, known: impl IntoIterator<Item = &'c str> + Clone) -> Option<String> {
    if let Some(meant) = near(word, known.clone()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let all: Vec<_> = known.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    (!all.is_empty() && all.len() <= 16).then(|| format!("known here: {}", all.join(", ")))
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_slips_are_understood() {
        let keys = ["timeout", "idle-timeout", "tags", "skip-tags"];
        assert_eq!(near("timout", keys), Some("timeout"));
        assert_eq!(near("Skip_Tags", keys), Some("skip-tags"));
        assert_eq!(near("tga", keys), None);
        assert_eq!(near("banana", keys), None);
        assert_eq!(near("", keys), None);
    }
}
