//! The languages that there are templates for.

use std::fmt;

use serde::Deserialize;

/// A language that a plugin may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// Python 3, made a component by componentize-py.
    Python,
    /// JavaScript, made a component by componentize-qjs.
    JavaScript,
    /// TypeScript, compiled to JavaScript first.
    TypeScript,
    /// Go's own compiler.
    Go,
    /// C, compiled by Zig.
    C,
    /// C++ over the header for C.
    Cpp,
    /// Zig over the header for C.
    Zig,
}

impl Language {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] =
        [Self::Rust, Self::Python, Self::JavaScript, Self::TypeScript, Self::Go, Self::C, Self::Cpp, Self::Zig];

    /// Returns its name on the command line and in `plugin.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Go => "go",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::Zig => "zig",
        }
    }

    /// Returns the language of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
