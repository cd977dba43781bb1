//! A plugin's folder: written from a template, and read again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::language::Language;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A name and what is in it.
type File = (&'static str, &'static [u8]);

/// What makes a folder a project.
const FILE_NAME: &str = "plugin.toml";

/// Where the contract is in a project, but in one in Rust.
const CONTRACT_FOLDER: &str = "wit/deps/playwarden-plugin";

/// A folder with a `plugin.toml`.
#[derive(Clone, Debug)]
pub struct Project {
    /// Absolute.
    pub folder: PathBuf,
    /// The plugin's name: the component's file has it.
    pub name: String,
    /// Its version, which the component states.
    pub version: String,
    /// What it is written in.
    pub language: Language,
    /// The world of `wit/` that it offers.
    pub world: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    name: String,
    version: String,
    language: Language,
    #[serde(default = "usual_world")]
    world: String,
}

fn usual_world() -> String {
    "plugin".to_owned()
}

/// Why a folder is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no `plugin.toml`.
    #[error("there is no `{FILE_NAME}` in `{}`", .0.display())]
    None(PathBuf),
    /// The file cannot be read.
    #[error("`{}` cannot be read: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    /// It says something else than it should.
    #[error("`{}` is wrong: {}", .0.display(), .1)]
    Wrong(PathBuf, String),
}

/// Why a project could not be written.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// It would not be a name everywhere.
    #[error("`{0}` cannot be a plugin's name")]
    Name(String),
    /// Something is there.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("`{}` cannot be written: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
}

impl Project {
    /// Reads a project.
    ///
    /// # Errors
    /// When the folder is none.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(FILE_NAME);
        let text = match fs::read_to_string(&path) {
            Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(ProjectError::None(folder.to_owned()));
            }
            read => read.map_err(|err| ProjectError::Io(path.clone(), err))?,
        };
        let wrong = |why: String| ProjectError::Wrong(path.clone(), why);
        let written: Written = toml::from_str(&text).map_err(|err| wrong(err.to_string().trim_end().to_owned()))?;
        let Written { name, version, language, world } = written;
        if !is_name(&name) {
            return Err(wrong(format!("`{name}` cannot be a plugin's name: {NAME_RULE}")));
        }
        let folder = folder.canonicalize().map_err(|err| ProjectError::Io(folder.to_owned(), err))?;
        Ok(Self { folder, name, version, language, world })
    }

    /// Returns where its component is, once it was built.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        self.folder.join("build").join(format!("{}.wasm", self.name))
    }

    /// Returns where its cases are.
    #[must_use]
    pub fn cases(&self) -> PathBuf {
        self.folder.join("cases")
    }
}

/// What a name must be, to be one in every language, as a file and in runner.toml.
pub const NAME_RULE: &str = "small letters, digits and single `-` between them, a letter first, at most 40";

fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 40 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(is_part)
}

/// Writes a new project into a folder, which must not be there or be empty; returns its files.
///
/// # Errors
/// When something is in the way; what was written stays.
pub fn create(folder: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>, NewError> {
    if !is_name(name) {
        return Err(NewError::Name(name.to_owned()));
    }
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if fs::symlink_metadata(folder).is_ok() && !is_empty {
        return Err(NewError::Exists(folder.to_owned()));
    }
    let (template, cases) = (files_of(language.word()), files_of("common"));
    let contract = if language == Language::Rust { "wit" } else { CONTRACT_FOLDER };
    let rust: &[File] = if language == Language::Rust { RUST_SDK } else { &[] };
    // What is the same in two languages stands in one of their templates.
    let (other, which) = match language {
        Language::Cpp => ("c", "sdk/"),
        Language::JavaScript => ("typescript", "wit/plugin.d.ts"),
        _ => ("", ""),
    };
    let borrowed = files_of(other).iter().filter(|(name, _)| name.starts_with(which));
    let borrowed = borrowed.map(|(name, bytes)| (PathBuf::from(name), *bytes));
    let placed = |place: &str, files: &[File]| -> Vec<(PathBuf, &'static [u8])> {
        files.iter().map(|(name, bytes)| (Path::new(place).join(name), *bytes)).collect()
    };
    let filled = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("{{name}}", name).replace("{{name_snake}}", &name.replace('-', "_")).into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    let own = placed("", template).into_iter().chain(placed("", cases)).map(|(path, bytes)| (path, filled(bytes)));
    let shared = placed(contract, CONTRACT).into_iter().chain(placed("sdk/playwarden-sdk", rust)).chain(borrowed);
    let mut written = Vec::new();
    for (path, bytes) in own.chain(shared.map(|(path, bytes)| (path, bytes.to_vec()))) {
        write(&folder.join(&path), &bytes)?;
        written.push(path);
    }
    Ok(written)
}

/// A template's files.
fn files_of(word: &str) -> &'static [File] {
    TEMPLATES.iter().find(|(name, _)| *name == word).map_or(&[], |(_, files)| files)
}

/// The contract's names of what a plugin may offer.
pub(crate) fn hooks() -> Vec<&'static str> {
    let text = CONTRACT.iter().find(|file| file.0 == "hooks.wit").map_or(&[][..], |file| file.1);
    let text = std::str::from_utf8(text).unwrap_or_default();
    let name = |line: &'static str| line.strip_prefix("interface ")?.split([' ', '{']).next();
    text.lines().filter_map(name).collect()
}

/// Writes the contract into a folder; returns the files.
///
/// # Errors
/// When one cannot be written, or another file of its name is there.
pub fn write_contract(folder: &Path) -> Result<Vec<PathBuf>, NewError> {
    for (name, bytes) in CONTRACT {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|there| there != *bytes) {
            return Err(NewError::Exists(path));
        }
    }
    let write = |(name, bytes): &File| write(&folder.join(name), bytes).map(|()| PathBuf::from(name));
    CONTRACT.iter().map(write).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), NewError> {
    let parent = path.parent().unwrap_or(path);
    let made = fs::create_dir_all(parent).and_then(|()| fs::write(path, bytes));
    made.map_err(|err| NewError::Io(path.to_owned(), err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_everywhere() {
        for (name, is) in [
            ("a", true),
            ("fail-budget2", true),
            ("", false),
            ("A", false),
            ("2a", false),
            ("a--b", false),
            ("a-", false),
            ("a_b", false),
            ("é", false),
            ("../a", false),
            (&"a".repeat(41), false),
        ] {
            assert_eq!(is_name(name), is, "{name}");
        }
    }

    #[test]
    fn each_language_has_a_template_that_is_a_project() {
        for language in Language::ALL {
            let folder = tempfile::tempdir().unwrap();
            let written = create(folder.path(), "my-policy", language).unwrap();
            let project = Project::read(folder.path()).unwrap();
            assert_eq!((project.name.as_str(), project.language), ("my-policy", language));
            assert!(written.iter().any(|path| path.starts_with("cases")), "{written:?}");
            for path in written {
                let bytes = fs::read(folder.path().join(&path)).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                assert!(!text.contains("{{name"), "{}", path.display());
            }
            let again = create(folder.path(), "my-policy", language).unwrap_err();
            assert!(matches!(again, NewError::Exists(_)), "{again}");
        }
    }

    #[test]
    fn a_project_that_is_wrong_says_where() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Project::read(folder.path()), Err(ProjectError::None(_))));
        let wrong = |text: &str| {
            fs::write(folder.path().join(FILE_NAME), text).unwrap();
            Project::read(folder.path()).unwrap_err().to_string()
        };
        assert!(wrong("name = 1").contains("line 1"));
        assert!(wrong("name = \"p\"\nversion = \"1\"\nlanguage = \"cobol\"").contains("unknown variant `cobol`"));
        assert!(wrong("name = \"P\"\nversion = \"1\"\nlanguage = \"c\"").contains("`P` cannot be a plugin's name"));
        assert!(wrong("nme = \"p\"").contains("unknown field `nme`"));
    }
}
