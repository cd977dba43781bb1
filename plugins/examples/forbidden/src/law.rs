//! What is forbidden: lists and rules, made ready to be held against tasks.

use crate::pattern::{Fit, Pattern, Text};
use crate::settings::{Config, Patterns, one_blank};
use crate::task::{Aspect, Task};

/// Something about a task that is forbidden, or may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) code: String,
    /// What was found and the pattern, for the operator.
    pub(crate) text: String,
    /// Never `No`.
    pub(crate) fit: Fit,
}

/// All that a configuration forbids.
#[derive(Debug)]
pub(crate) struct Law {
    lists: Vec<Condition>,
    allowed_modules: Option<Condition>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    name: String,
    message: Option<String>,
    conditions: Vec<Condition>,
}

/// Patterns for one aspect of a task, any of which is enough.
#[derive(Debug)]
struct Condition {
    aspect: Aspect,
    /// Each as it is written, and all that it stands for.
    patterns: Vec<(String, Vec<Pattern>)>,
}

impl Law {
    pub(crate) fn new(config: &Config) -> Self {
        let rule = |rule: &crate::settings::Rule| Rule {
            name: rule.name.clone(),
            message: rule.message.clone(),
            conditions: rule.conditions().map(|(_, aspect, patterns)| Condition::new(aspect, patterns)).collect(),
        };
        Self {
            lists: config.lists().map(|(_, aspect, patterns)| Condition::new(aspect, patterns)).collect(),
            allowed_modules: config.allowed_modules.as_ref().map(|patterns| Condition::new(Aspect::Module, patterns)),
            rules: config.rules.iter().map(rule).collect(),
        }
    }

    /// Returns all that is forbidden about a task, or may be.
    pub(crate) fn findings(&self, task: &Task) -> Vec<Finding> {
        let lists = self.lists.iter().filter_map(|list| list.finding(task));
        let others = self.allowed_modules.iter().filter_map(|allowed| allowed.finding_of_others(task));
        lists.chain(others).chain(self.rules.iter().filter_map(|rule| rule.finding(task))).collect()
    }
}

impl Rule {
    fn finding(&self, task: &Task) -> Option<Finding> {
        let mut fit = Fit::Yes;
        let mut found = Vec::new();
        for condition in &self.conditions {
            let best = condition.best(task)?;
            fit = fit.min(best.fit);
            let open = if best.fit == Fit::Maybe { "maybe " } else { "" };
            found.push(format!("{} {} ({open}\"{}\")", condition.aspect.word(), shown(&best.text), best.pattern));
        }
        let what = self.message.clone().unwrap_or_else(|| format!("the rule {} forbids it", self.name));
        let open = if fit == Fit::Maybe { "not known yet, but maybe: " } else { "" };
        Some(Finding { code: self.name.clone(), text: format!("{open}{what} [{}]", found.join(", ")), fit })
    }
}

/// What comes nearest to a condition.
struct Best {
    fit: Fit,
    text: Text,
    pattern: String,
}

impl Condition {
    fn new(aspect: Aspect, patterns: &Patterns) -> Self {
        let ready = |pattern: &String| (pattern.clone(), all_names(&aspect, pattern));
        Self { patterns: patterns.0.iter().map(ready).collect(), aspect }
    }

    /// Returns what fits best of a task; none when nothing can.
    fn best(&self, task: &Task) -> Option<Best> {
        let mut best: Option<Best> = None;
        for text in task.values(&self.aspect) {
            let (fit, pattern) = self.fit(&text);
            if fit != Fit::No && best.as_ref().is_none_or(|best| fit > best.fit) {
                best = Some(Best { fit, text, pattern: pattern.to_owned() });
            }
        }
        best
    }

    /// Returns how well a text fits, and the pattern that it fits best.
    fn fit(&self, text: &Text) -> (Fit, &str) {
        let mut best = (Fit::No, "");
        for (written, names) in &self.patterns {
            let fit = names.iter().map(|name| name.fit(text)).max().unwrap_or(Fit::No);
            if fit > best.0 {
                best = (fit, written);
            }
            if fit == Fit::Yes {
                break;
            }
        }
        best
    }

    fn finding(&self, task: &Task) -> Option<Finding> {
        let Best { fit, text, pattern } = self.best(task)?;
        let (word, shown) = (self.aspect.word(), shown(&text));
        let text = match fit {
            Fit::Yes => format!("{word} {shown} is forbidden by \"{pattern}\""),
            _ => format!("{word} {shown} is not known yet, and \"{pattern}\" may forbid it"),
        };
        Some(Finding { code: format!("forbidden-{word}"), text, fit })
    }

    /// The same for what is none of these.
    fn finding_of_others(&self, task: &Task) -> Option<Finding> {
        let modules = task.values(&self.aspect).into_iter();
        let (fit, module) = modules.map(|text| (self.fit(&text).0.not(), text)).max_by_key(|(fit, _)| *fit)?;
        let (shown, listed) = (shown(&module), self.listed());
        let text = match fit {
            Fit::No => return None,
            Fit::Yes => format!("module {shown} is not among the allowed {listed}"),
            Fit::Maybe => format!("module {shown} is not known yet, and may not be among the allowed {listed}"),
        };
        Some(Finding { code: "module-not-allowed".to_owned(), text, fit })
    }

    /// Returns the patterns for a sentence, the first ones of a long list.
    fn listed(&self) -> String {
        const MOST: usize = 5;
        let first: Vec<String> = self.patterns.iter().take(MOST).map(|(written, _)| format!("\"{written}\"")).collect();
        match self.patterns.len().saturating_sub(MOST) {
            0 => first.join(", "),
            more => format!("{} and {more} more", first.join(", ")),
        }
    }
}

/// Returns all that a pattern stands for: a short name of a module is that of one of Ansible's own, too.
fn all_names(aspect: &Aspect, pattern: &str) -> Vec<Pattern> {
    let mut names = vec![Pattern::new(pattern)];
    if *aspect == Aspect::Module && !pattern.contains('.') {
        names.extend(["ansible.builtin.", "ansible.legacy."].map(|prefix| Pattern::new(&format!("{prefix}{pattern}"))));
    }
    names
}

/// Returns a text as the operator reads it: in one line, and the beginning of a long one.
fn shown(text: &Text) -> String {
    const MOST: usize = 100;
    let line = one_blank(&text.shown);
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).chain(['…']).collect() }
}
