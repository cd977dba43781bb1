//! The prompts of passwords: names for the usual ones, and patterns for the others.

use fancy_regex::{Regex, RegexBuilder};

/// The names that need no pattern, besides `vault.ID`.
pub(crate) const NAMES: [&str; 4] = ["become", "ssh", "ssh-key", "vault"];

/// What a key of `passwords` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Of `--ask-become-pass`.
    Become,
    /// Of `--ask-pass`, and of ssh itself.
    Ssh,
    /// For the passphrase of a key, of ssh itself.
    SshKey,
    /// Of `--ask-vault-pass`.
    Vault,
    /// Of `--vault-id ID@prompt`.
    VaultId(String),
    /// What a pattern fits.
    Pattern(String),
}

impl Prompt {
    /// Reads a key as it is written.
    #[must_use]
    pub fn of(key: &str) -> Self {
        match key {
            "become" => Self::Become,
            "ssh" => Self::Ssh,
            "ssh-key" => Self::SshKey,
            "vault" => Self::Vault,
            _ => match key.strip_prefix("vault.") {
                Some(id) if is_vault_id(id) => Self::VaultId(id.to_owned()),
                _ => Self::Pattern(key.to_owned()),
            },
        }
    }

    /// Returns the pattern by which the prompt is known, on every core from 2.14 to 2.21.
    #[must_use]
    pub fn pattern(&self) -> String {
        match self {
            // `BECOME`, or the method's own name where `agnostic_become_prompt` is off.
            Self::Become => r"^(?!SSH )[A-Z0-9_.]+ password(?:\[defaults to SSH password\])?: *\Z".to_owned(),
            Self::Ssh => r"^(?:SSH password|[^\s@]+@\S+'s password|\(\S+@\S+\) [Pp]assword): *\Z".to_owned(),
            Self::SshKey => r"^Enter passphrase for .*: *\Z".to_owned(),
            Self::Vault => r"^Vault password: *\Z".to_owned(),
            Self::VaultId(id) => format!(r"^Vault password \({}\): *\Z", fancy_regex::escape(id)),
            Self::Pattern(pattern) => pattern.clone(),
        }
    }
}

/// Whether a text can be a vault id in a key without quotes: others are patterns.
pub(super) fn is_vault_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Compiles a pattern in the manner of Python's `re` with `MULTILINE`.
///
/// # Errors
/// Returns what is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let compiled = RegexBuilder::new(&translated(pattern)).multi_line(true).build();
    // Its message may be of several lines, with the pattern in them; the last one says what is wrong.
    compiled.map_err(|err| {
        let text = err.to_string();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("cannot be read");
        last.trim().trim_start_matches("error: ").to_owned()
    })
}

/// Writes a pattern of Python's as the engine understands it: what is spelled alike and means something else.
fn translated(pattern: &str) -> String {
    let mut to = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('Z') if !in_class => to.push_str(r"\z"),
                // Ends of words here, plain letters there.
                Some(next @ ('<' | '>')) => to.push(next),
                Some(next) => to.extend(['\\', next]),
                None => to.push('\\'),
            },
            '[' if in_class => to.push_str(r"\["),
            '[' => {
                in_class = true;
                to.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    to.push('^');
                }
                // The first one is a letter of the class.
                if letters.next_if_eq(&']').is_some() {
                    to.push_str(r"\]");
                }
            }
            ']' => {
                in_class = false;
                to.push(']');
            }
            // Set operations here, plain letters there.
            '&' | '~' if in_class => to.extend(['\\', letter]),
            '-' if in_class && letters.peek() == Some(&'-') => to.push_str(r"\-"),
            '{' if !in_class => {
                let ahead: String = letters.clone().take_while(|c| *c != '}').collect();
                let closed = letters.clone().any(|c| c == '}');
                let mut bounds = ahead.splitn(2, ',');
                let [least, most] = [bounds.next().unwrap_or_default(), bounds.next().unwrap_or("0")];
                let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
                let counts = closed && digits(least) && digits(most) && ahead.len() > usize::from(ahead == ",");
                match counts && !ahead.is_empty() {
                    true if least.is_empty() => to.push_str("{0"),
                    true => to.push('{'),
                    false => to.push_str(r"\{"),
                }
            }
            _ => to.push(letter),
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        compile(pattern).unwrap().is_match(text).unwrap()
    }

    #[test]
    fn patterns_mean_what_they_mean_in_python() {
        for (pattern, text) in [
            (r"Password:\s*?$", "Password: "),
            (r"Password:\s*?$", "Password:\n"),
            (r"^Deploy code: $", "PLAY\nDeploy code: "),
            (r"code:\s*\Z", "code: \n"),
            (r"(?i)PASSWORD", "password"),
            (r"(?P<q>['\x22])x(?P=q)", "'x'"),
            (r"(?<!SSH )password", "BECOME password"),
            (r"a{,2}b{1}{x}", "aab{x}"),
            (r"[[]y/n] [^]]+", "[y/n] x"),
            (r"[a&&b] [a--b]", "& -"),
            (r"\<host\>", "<host>"),
            (r"\ \#\-\~", " #-~"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text:?}");
        }
        assert!(!fits(r"code:\Z", "code:\n") && !fits(r"^b", "ab") && !fits("a{2}", "a"));
        for wrong in ["(", "[a", "*", r"(?P<a", r"(?<=a*"] {
            assert!(compile(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_know_their_prompts_and_no_others() {
        let prompts = [
            ("ssh", "SSH password: "),
            ("ssh", "root@web1.example.com's password: "),
            ("ssh", "(root@web1) Password: "),
            ("become", "BECOME password: "),
            ("become", "BECOME password[defaults to SSH password]: "),
            ("become", "SUDO password: "),
            ("become", "COMMUNITY.GENERAL.DZDO password: "),
            ("vault", "Vault password: "),
            ("vault.prod", "Vault password (prod): "),
            ("vault.dev", "Vault password (dev): "),
            ("ssh-key", "Enter passphrase for (stdin): "),
            ("ssh-key", "Enter passphrase for key '~/.ssh/id_ed25519': "),
        ];
        for name in ["ssh", "become", "vault", "vault.prod", "vault.dev", "ssh-key"] {
            for (of, prompt) in prompts {
                let before = format!("TASK [x]\n{prompt}");
                assert_eq!(fits(&Prompt::of(name).pattern(), &before), of == name, "{name} {prompt}");
                assert!(!fits(&Prompt::of(name).pattern(), &format!("{prompt}\nok")), "{name} {prompt}");
            }
        }
        assert_eq!(Prompt::of("vault.*"), Prompt::Pattern("vault.*".to_owned()));
    }
}
