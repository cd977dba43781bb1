//! Which prompt is answered with what. Pure: what was printed in, what is typed out.
//!
//! A pattern is looked for in the last 100 characters that were printed since the last answer, as in ansible-runner, in what
//! came by the terminal and in each output on its own. The first pattern that fits counts, and counts once.

use std::collections::BTreeMap;

use fancy_regex::Regex;

use crate::config::compile_prompt;
use crate::plan::{Answer, Secret};

/// So many characters are looked at.
const WINDOW: usize = 100;

/// No character is longer.
const BYTES: usize = 4 * (WINDOW + 1);

/// So often the same prompt is answered, as long as nothing else happens: an answer that was wrong twice is wrong.
const TRIES: u32 = 3;

/// Where something was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Terminal,
    Stdout,
    Stderr,
}

/// The end of what was printed in one place.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    /// No pattern was looked for since it grew.
    fresh: bool,
}

impl Tail {
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let from = text.char_indices().rev().nth(WINDOW - 1).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    }
}

/// The answers, and what may ask for one.
#[derive(Debug)]
pub(super) struct Prompts {
    answers: Vec<(Regex, Secret)>,
    /// In the order of [`Source`].
    tails: [Tail; 3],
    latest: Source,
    /// How often each prompt was answered since something else happened.
    given: BTreeMap<String, u32>,
}

impl Prompts {
    /// Reads the patterns.
    ///
    /// # Errors
    /// Returns which one is none, and why.
    pub(super) fn new(answers: &[Answer]) -> Result<Self, String> {
        let compiled = answers.iter().map(|Answer { pattern, answer }| match compile_prompt(pattern) {
            Ok(regex) => Ok((regex, answer.clone())),
            Err(why) => Err(format!("the pattern `{pattern}` of a password cannot be used: {why}")),
        });
        Ok(Self {
            answers: compiled.collect::<Result<_, _>>()?,
            tails: Default::default(),
            latest: Source::Stdout,
            given: BTreeMap::new(),
        })
    }

    /// Takes in what was printed.
    pub(super) fn push(&mut self, source: Source, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let tail = &mut self.tails[source as usize];
        tail.bytes.extend_from_slice(bytes);
        let cut = tail.bytes.len().saturating_sub(BYTES);
        tail.bytes.drain(..cut);
        tail.fresh = true;
        self.latest = source;
    }

    /// Ansible goes on: what is asked from now on is asked for the first time.
    pub(super) fn progress(&mut self) {
        self.given.clear();
    }

    /// Returns what is to be typed, and where the prompt stands.
    pub(super) fn answer(&mut self) -> Option<(Secret, Source)> {
        let texts = [Source::Terminal, Source::Stdout, Source::Stderr].map(|source| {
            let tail = &mut self.tails[source as usize];
            std::mem::take(&mut tail.fresh).then(|| (source, tail.text()))
        });
        for (pattern, secret) in &self.answers {
            for (source, text) in texts.iter().flatten() {
                // The last one: before it may stand one that is not answered any more. One that takes too many steps fits
                // nothing.
                let Some(found) = pattern.find_iter(text).map_while(Result::ok).last() else { continue };
                let prompt = text[..found.end()].trim_end().rsplit('\n').next().unwrap_or_default();
                let given = self.given.entry(prompt.to_owned()).or_default();
                if *given >= TRIES {
                    return None;
                }
                *given += 1;
                self.tails = Default::default();
                return Some((secret.clone(), *source));
            }
        }
        None
    }

    /// Returns the line that waits for an answer, if one does. `raw`: keys are read, not lines; `awaited`: somebody waits for a
    /// line, as far as that can be known otherwise. A line at the terminal itself needs no such sign: nobody prints there
    /// who does not ask.
    pub(super) fn standing(&self, raw: bool, awaited: bool) -> Option<String> {
        let open = |source: Source| {
            let text = self.tails[source as usize].text();
            let line = text.rsplit('\n').next().unwrap_or_default().trim().to_owned();
            (!line.is_empty()).then_some(line)
        };
        if raw {
            let text = self.tails[Source::Stdout as usize].text();
            let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
            return Some(line.unwrap_or("(a key)").to_owned());
        }
        if self.latest == Source::Terminal {
            return open(Source::Terminal);
        }
        if awaited { open(self.latest) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(answers: &[(&str, &str)]) -> Prompts {
        let answer =
            |(pattern, answer): &(&str, &str)| Answer { pattern: (*pattern).to_owned(), answer: Secret::new(*answer) };
        Prompts::new(&answers.iter().map(answer).collect::<Vec<_>>()).unwrap()
    }

    fn typed(prompts: &mut Prompts) -> Option<String> {
        prompts.answer().map(|(secret, _)| secret.reveal().to_owned())
    }

    #[test]
    fn the_first_pattern_that_fits_is_answered_once() {
        let mut prompts = prompts(&[("^A: $", "one"), ("[AB]: $", "two")]);
        prompts.push(Source::Stdout, b"x\nA:");
        assert_eq!(typed(&mut prompts), None);
        prompts.push(Source::Stdout, b" ");
        assert_eq!(typed(&mut prompts).as_deref(), Some("one"));
        assert_eq!(typed(&mut prompts), None);
        prompts.push(Source::Terminal, b"not A: ");
        assert_eq!(typed(&mut prompts).as_deref(), Some("two"));
        // What stood before the answer is not asked again.
        prompts.push(Source::Terminal, b"\nok");
        assert_eq!(typed(&mut prompts), None);
    }

    #[test]
    fn a_prompt_is_found_in_the_last_hundred_characters_of_each_place() {
        let mut prompts = prompts(&[(r"Password:\s*?$", "x")]);
        prompts.push(Source::Stdout, b"dots....");
        prompts.push(Source::Terminal, "Password: \u{fc}\n".as_bytes());
        assert_eq!(typed(&mut prompts), None);
        prompts.push(Source::Terminal, b"Password: \n");
        assert_eq!(typed(&mut prompts).as_deref(), Some("x"));
        prompts.push(Source::Stdout, format!("Password:\n{}", "\u{fc}".repeat(99)).as_bytes());
        assert_eq!(typed(&mut prompts), None);
        prompts.push(Source::Stderr, format!("Password:\n{}", "\u{fc}".repeat(90)).as_bytes());
        assert_eq!(typed(&mut prompts).as_deref(), Some("x"));
    }

    #[test]
    fn what_is_asked_again_is_answered_three_times_unless_something_happens_between() {
        let mut prompts = prompts(&[("word: $", "wrong")]);
        for round in 0..6 {
            prompts.push(Source::Terminal, b"\nPassword: ");
            assert_eq!(typed(&mut prompts).is_some(), round < 3, "{round}");
        }
        assert_eq!(prompts.standing(false, false).as_deref(), Some("Password:"));
        prompts.push(Source::Terminal, b"\nOther word: ");
        assert!(typed(&mut prompts).is_some());
        prompts.progress();
        prompts.push(Source::Terminal, b"\nPassword: ");
        assert!(typed(&mut prompts).is_some());
    }

    #[test]
    fn only_what_waits_is_standing() {
        let mut prompts = prompts(&[]);
        assert_eq!(prompts.standing(false, true), None);
        prompts.push(Source::Stdout, b"PLAY\n....");
        assert_eq!(prompts.standing(false, false), None, "dots of tasks that run");
        assert_eq!(prompts.standing(false, true).as_deref(), Some("...."));
        prompts.push(Source::Stdout, b"\n[pause]\nGo on?:\n");
        assert_eq!(prompts.standing(false, true), None);
        assert_eq!(prompts.standing(true, false).as_deref(), Some("Go on?:"));
        prompts.push(Source::Terminal, b"Token: ");
        assert_eq!(prompts.standing(false, false).as_deref(), Some("Token:"));
        prompts.push(Source::Stdout, b"ok: [h1]\n");
        assert_eq!(prompts.standing(false, false), None);
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let wrong = Answer { pattern: "(Password".to_owned(), answer: Secret::new("canary") };
        let text = Prompts::new(&[wrong]).unwrap_err();
        assert!(text.contains("`(Password`") && !text.contains("canary"), "{text}");
    }
}
