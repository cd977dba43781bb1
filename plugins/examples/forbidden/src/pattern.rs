//! Patterns with `*` and `?`, held against texts of which a part may be unknown.
//!
//! Before a task runs, `rm -rf {{ folder }}` is known in part. So there are three answers, where a crate for wildcards
//! has two: `*rm -rf*` fits whatever the folder is, `*mkfs*` may fit, and `ls *` does not.
//!
//! **Invariant:** `Yes` and `No` hold for every text that the template may become. What is not understood is `Maybe`.

/// Whether something holds, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    No,
    Maybe,
    Yes,
}

impl Fit {
    /// Returns whether the opposite holds.
    pub(crate) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

/// A text as it is written, and what is known of what it will be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    /// As it is shown to the operator.
    pub(crate) shown: String,
    before: String,
    /// What follows the part that nobody knows; none when all is known and stands in `before`.
    after: Option<String>,
}

/// What begins and ends a part that Ansible fills in.
const OPEN: [&str; 3] = ["{{", "{%", "{#"];
const CLOSE: [&str; 3] = ["}}", "%}", "#}"];

/// What stands in the place of a secret: the first wherever one was found, the second where a module says that one is.
pub(crate) const MASKS: [&str; 2] = ["********", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"];

impl Text {
    /// Returns a text of a play. All from the first template or secret to the end of the last one is unknown.
    pub(crate) fn new(text: &str) -> Self {
        // Ansible reads other marks for templates out of such a first line, so that any letter may be a part of one.
        if text.trim_start().starts_with("#jinja2:") {
            return Self::unknown(text);
        }
        let opens = || OPEN.iter().filter_map(|mark| Some((text.find(mark)?, text.rfind(mark)?)));
        let masks = || MASKS.iter().filter_map(|mark| Some((text.find(mark)?, text.rfind(mark)? + mark.len())));
        let Some(start) = opens().chain(masks()).map(|(first, _)| first).min() else {
            return Self { shown: text.to_owned(), before: text.to_owned(), after: None };
        };
        // `{{-` takes the blanks before it away.
        let trims = text.get(start + 2..).is_some_and(|rest| rest.starts_with('-'));
        let before = if trims { text[..start].trim_end() } else { &text[..start] };
        if before.trim_start().starts_with(['[', '{']) {
            // It becomes a list or a table.
            return Self::unknown(text);
        }
        let closed = CLOSE.iter().filter_map(|mark| Some(text.rfind(mark)? + mark.len()));
        let end = closed.chain(masks().map(|(_, end)| end)).max().unwrap_or(0);
        let last_open = opens().map(|(_, last)| last).max().unwrap_or(start);
        let after = if end > last_open { &text[end..] } else { "" };
        // `-}}` does that after it, and the end of a statement to a line's end.
        let trims = ["-}}", "%}", "#}"].iter().any(|mark| text[..end].ends_with(mark));
        let after = if trims { after.trim_start() } else { after };
        Self { shown: text.to_owned(), before: before.to_owned(), after: Some(after.to_owned()) }
    }

    /// Returns a text of which nothing is known, with what is to be shown instead.
    pub(crate) fn unknown(shown: impl Into<String>) -> Self {
        Self { shown: shown.into(), before: String::new(), after: Some(String::new()) }
    }
}

/// A pattern: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern(Vec<char>);

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.chars().collect())
    }

    /// Returns whether the whole text is one of those that the pattern stands for.
    pub(crate) fn fit(&self, text: &Text) -> Fit {
        let Some(after) = &text.after else {
            return if self.places().over(&text.before).is_at_end() { Fit::Yes } else { Fit::No };
        };
        let at_hole = self.places().over(&text.before);
        if at_hole.clone().over_everything().over(after).is_at_end() {
            Fit::Yes
        } else if at_hole.over_anything().over(after).is_at_end() {
            Fit::Maybe
        } else {
            Fit::No
        }
    }

    fn places(&self) -> Places<'_> {
        let mut places = Places { pattern: &self.0, at: vec![false; self.0.len() + 1] };
        places.at[0] = true;
        places.pass_stars();
        places
    }
}

/// How far a pattern may have been read: each place in it where a reader could be.
#[derive(Clone)]
struct Places<'p> {
    pattern: &'p [char],
    at: Vec<bool>,
}

impl Places<'_> {
    /// Goes on over a text.
    fn over(mut self, text: &str) -> Self {
        let mut next = self.at.clone();
        for letter in text.chars() {
            next.fill(false);
            for (place, part) in self.pattern.iter().enumerate().filter(|(place, _)| self.at[*place]) {
                match part {
                    '*' => next[place] = true,
                    '?' => next[place + 1] = true,
                    part => next[place + 1] |= *part == letter,
                }
            }
            std::mem::swap(&mut self.at, &mut next);
            self.pass_stars();
            if !self.at.contains(&true) {
                break;
            }
        }
        self
    }

    /// Goes on over some text: what is left are the places that could be reached.
    fn over_anything(mut self) -> Self {
        if let Some(first) = self.at.iter().position(|is_at| *is_at) {
            self.at[first..].fill(true);
        }
        self
    }

    /// Goes on over every text at once: what is left are the places that are reached by each.
    fn over_everything(mut self) -> Self {
        for (place, is_at) in self.at.iter_mut().enumerate() {
            *is_at &= self.pattern.get(place) == Some(&'*');
        }
        self.pass_stars();
        self
    }

    fn pass_stars(&mut self) {
        for (place, part) in self.pattern.iter().enumerate() {
            self.at[place + 1] |= *part == '*' && self.at[place];
        }
    }

    fn is_at_end(&self) -> bool {
        self.at.last() == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(pattern: &str, text: &str) -> Fit {
        Pattern::new(pattern).fit(&Text::new(text))
    }

    #[test]
    fn what_is_known_fits_as_wildcards_do_elsewhere() {
        let words = ["", "a", "ab", "abc", "a.b", "shell", "ansible.builtin.shell", "ä", "a*b", "aab"];
        let patterns =
            ["", "*", "?", "a*", "*b", "a?b", "*.shell", "a*b*", "??", "**", "*a*a*", "ansible.*.s?ell", "ab"];
        for (pattern, word) in patterns.iter().flat_map(|pattern| words.map(|word| (*pattern, word))) {
            let expected = if wildmatch::WildMatch::new(pattern).matches(word) { Fit::Yes } else { Fit::No };
            assert_eq!(fit(pattern, word), expected, "{pattern} {word}");
        }
    }

    #[test]
    fn a_template_may_be_anything_between_what_is_known() {
        for (pattern, text, expected) in [
            ("*rm -rf*", "rm -rf {{ folder }}", Fit::Yes),
            ("*mkfs*", "rm -rf {{ folder }}", Fit::Maybe),
            ("ls *", "rm -rf {{ folder }}", Fit::No),
            ("/etc/*", "/tmp/{{ name }}", Fit::No),
            ("/etc/*", "/etc/{{ name }}", Fit::Yes),
            ("/etc/*.conf", "/etc/{{ name }}", Fit::Maybe),
            ("/etc/*.conf", "/etc/{{ name }}.conf", Fit::Yes),
            ("/etc/?.conf", "/etc/{{ name }}.conf", Fit::Maybe),
            ("*.conf", "{{ a }}/{{ b }}.key", Fit::No),
            ("root", "{{ user }}", Fit::Maybe),
            ("*", "{{ user }}", Fit::Yes),
            ("ansible.builtin.shell", "ansible.builtin.{{ x }}", Fit::Maybe),
            ("community.*", "ansible.builtin.{{ x }}", Fit::No),
            ("ab", "a{{ x }}b", Fit::Maybe),
            ("a", "a{{ x }}b", Fit::No),
            // A block may leave out what stands between its marks, and `-` takes blanks away.
            ("/etc/*", "{% if x %}/tmp/{% endif %}/etc/passwd", Fit::Maybe),
            ("rm", "rm {{- x }}", Fit::Maybe),
            ("rm *", "rm {{- x }}", Fit::Maybe),
            ("rm *", "rm {{ x }}", Fit::Yes),
            ("rm", "rm {{ x }}", Fit::No),
            ("* b", "{{ x }} b", Fit::Yes),
            ("* b", "{{ x -}} b", Fit::Maybe),
            ("*\nb", "{% if x %}\nb", Fit::Maybe),
            ("a *", "a ********", Fit::Yes),
            ("* b", "******** b", Fit::Yes),
            ("rm {{ x", "rm {{ x", Fit::Maybe),
            ("*a", "{{ x }} b {{ y", Fit::Maybe),
            ("echo", "[{{ x }}, 'echo']", Fit::Maybe),
            ("echo", "#jinja2: variable_start_string:'[['\n[[ x ]]", Fit::Maybe),
            ("*pass*", "curl https://me:********@host", Fit::Maybe),
            ("curl*", "curl https://me:********@host", Fit::Yes),
            ("wget*", "curl https://me:********@host", Fit::No),
            ("x", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", Fit::Maybe),
        ] {
            assert_eq!(fit(pattern, text), expected, "{pattern} {text}");
        }
    }
}
