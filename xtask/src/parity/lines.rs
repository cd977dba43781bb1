//! Printed text of two runs, line by line.

use std::collections::BTreeMap;

/// How many lines of a difference are shown.
const SHOWN: usize = 6;

/// Whether `whole` is what one sees when two texts are printed on the same terminal: all lines of both, each in its order.
pub(super) fn is_merged<L: PartialEq>(whole: &[L], first: &[L], second: &[L]) -> bool {
    if whole.len() != first.len() + second.len() {
        return false;
    }
    // For each number of lines taken of the second, whether the rest so far can be the first's.
    let mut reached = vec![false; second.len() + 1];
    reached[0] = true;
    for (index, line) in whole.iter().enumerate() {
        let mut next = vec![false; second.len() + 1];
        for (of_second, _) in reached.iter().enumerate().filter(|(_, reached)| **reached) {
            let of_first = index - of_second;
            next[of_second] |= first.get(of_first) == Some(line);
            if second.get(of_second) == Some(line) {
                next[of_second + 1] = true;
            }
        }
        reached = next;
    }
    reached[second.len()]
}

/// Lines that one has more often than the other: of theirs with `-`, of ours with `+`. Nothing when only the order differs.
pub(super) fn difference<'t>(theirs: &[&'t str], ours: &[&'t str]) -> Vec<String> {
    let mut counts: BTreeMap<&str, isize> = BTreeMap::new();
    for line in theirs {
        *counts.entry(line).or_default() += 1;
    }
    for line in ours {
        *counts.entry(line).or_default() -= 1;
    }
    let mut shown = Vec::new();
    for (sign, lines) in [('-', theirs), ('+', ours)] {
        for line in lines {
            let Some(count) = counts.get_mut(line) else { continue };
            if (sign == '-' && *count > 0) || (sign == '+' && *count < 0) {
                *count -= count.signum();
                shown.push(format!("{sign}{line}"));
            }
        }
    }
    if shown.len() > SHOWN {
        let more = shown.len() - SHOWN;
        shown.truncate(SHOWN);
        shown.push(format!("and {more} lines more"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_both_texts_in_any_way_but_each_in_its_order() {
        assert!(is_merged(&["a", "w", "b", "a"], &["a", "b", "a"], &["w"]));
        assert!(is_merged(&["a", "a", "b"], &["a", "b"], &["a"]));
        assert!(!is_merged(&["b", "a", "w"], &["a", "b"], &["w"]));
        assert!(!is_merged(&["a"], &["a"], &["w"]));
    }

    #[test]
    fn lines_that_only_one_has_are_shown() {
        assert_eq!(difference(&["a", "b", "b"], &["b", "c", "a"]), ["-b", "+c"]);
        assert!(difference(&["a", "b"], &["b", "a"]).is_empty());
        assert_eq!(difference(&["1", "2", "3", "4", "5", "6", "7", "8"], &[]).len(), SHOWN + 1);
    }
}
