//! Hooks of the code against hooks of the world: an interpreter, and some compilers, leave out what only one of the two has.
//!
//! A policy whose question is never asked looks like one that never objects, so this is said when the plugin is built. The
//! code is only looked at line by line: what is found is a warning, and what a compiler tells anyhow is left to it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::language::Language;
use crate::project::{Project, hooks};
use crate::steps::BuildError;

/// Compares the author's code with what the world exports; in Rust, with what `export!` names. Returns what looks wrong.
pub(crate) fn check(project: &Project, exported: &[String]) -> Result<Vec<String>, BuildError> {
    let code = Code::read(project)?;
    let of_macro;
    let exported = if project.language == Language::Rust {
        of_macro = code.of_macro();
        &of_macro
    } else {
        exported
    };
    let mut found = Vec::new();
    for hook in hooks() {
        let is_exported = exported.iter().any(|name| name == hook);
        if let Some((file, name)) = code.declares(hook).filter(|_| !is_exported) {
            let remedy = match project.language {
                Language::Rust => format!("name it in `export!({} + {})`", "…", pascal(hook)),
                _ => format!("add `export playwarden:plugin/{hook}@0.1.0;` to `wit/plugin.wit`"),
            };
            found.push(format!("`{file}` seems to have `{name}`, which nobody would ask: {remedy}"));
        }
        if let Some(name) = code.lacks(hook).filter(|_| is_exported) {
            found.push(format!("`wit/plugin.wit` exports `{hook}`, and the code seems to have no `{name}`"));
        }
    }
    Ok(found)
}

/// The author's files: without the SDK and what was made.
struct Code {
    language: Language,
    files: Vec<(String, String)>,
}

impl Code {
    fn read(project: &Project) -> Result<Self, BuildError> {
        let extensions: &[&str] = match project.language {
            Language::Rust => &["rs"],
            Language::Python => &["py"],
            Language::JavaScript => &["js", "mjs"],
            Language::TypeScript => &["ts", "mts"],
            Language::Go => &["go"],
            Language::Zig => &["zig"],
            // Without its export a hook's macro does not compile, and without its macro the export is not linked.
            Language::C | Language::Cpp => &[],
        };
        let mut code = Self { language: project.language, files: Vec::new() };
        let from = if project.language == Language::Go { project.folder.clone() } else { project.folder.join("src") };
        code.add(&project.folder, &from, extensions).map_err(|err| BuildError::Io(from, err))?;
        Ok(code)
    }

    fn add(&mut self, project: &Path, folder: &Path, extensions: &[&str]) -> std::io::Result<()> {
        let entries: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if ["sdk", "build", "node_modules", "target"].contains(&&*name)
                || name.starts_with('.')
                || name.ends_with("_test.go")
            {
                continue;
            }
            if path.is_dir() {
                self.add(project, &path, extensions)?;
            } else if path.is_file() && path.extension().is_some_and(|of| extensions.iter().any(|word| of == *word)) {
                let shown = path.strip_prefix(project).unwrap_or(&path).display().to_string();
                let text = fs::read(&path)?;
                self.files.push((shown, String::from_utf8_lossy(&text).into_owned()));
            }
        }
        Ok(())
    }

    /// Returns the file that has a hook, and its name there.
    fn declares(&self, hook: &str) -> Option<(&str, String)> {
        let name = name(self.language, hook)?;
        let is_it = |line: &str| match self.language {
            Language::Rust => line.starts_with("impl") && line.contains(&format!(" {name} for ")),
            Language::Python => line.strip_prefix("class ").is_some_and(|rest| begins(rest, &name)),
            Language::JavaScript | Language::TypeScript => line.starts_with("export ") && has(line, &name),
            // Others may have methods of that name: the hook's takes something of the SDK's.
            Language::Go => {
                line.starts_with("func (") && line.contains(&format!(") {name}(")) && line.contains("playwarden.")
            }
            Language::Zig => line.strip_prefix("pub fn ").is_some_and(|rest| begins(rest, &name)),
            Language::C | Language::Cpp => false,
        };
        // Elsewhere the author may have things of the same name.
        let may = |(file, text): &&(String, String)| match self.language {
            Language::Rust => text.contains("playwarden_sdk"),
            Language::Go => true,
            _ => file.starts_with("src/plugin."),
        };
        let found = self.files.iter().filter(may).find(|(_, text)| text.lines().any(is_it))?;
        Some((&found.0, name))
    }

    /// Returns the name of a hook that is not once in the code, where nothing else would tell.
    fn lacks(&self, hook: &str) -> Option<String> {
        let tells = [Language::Rust, Language::Zig, Language::C, Language::Cpp].contains(&self.language);
        let name = name(self.language, hook).filter(|_| !tells)?;
        // `exports.StartPolicy` of Python is what it stands on, not it.
        let is_there = self.files.iter().any(|(_, text)| has(&text.replace(&format!(".{name}"), ""), &name));
        (!is_there).then_some(name)
    }

    /// Returns the hooks that Rust's `export!` names.
    fn of_macro(&self) -> Vec<String> {
        let inside = self.files.iter().flat_map(|(_, text)| text.split("export!(").skip(1));
        let named: Vec<&str> = inside.filter_map(|rest| rest.split(')').next()).collect();
        let is_named = |hook: &&str| named.iter().any(|list| has(list, &pascal(hook)));
        hooks().into_iter().filter(is_named).map(str::to_owned).collect()
    }
}

/// A hook's name in a language; none where it has none, or one that many things have.
fn name(language: Language, hook: &str) -> Option<String> {
    match language {
        Language::Rust | Language::Python => Some(pascal(hook)),
        Language::JavaScript | Language::TypeScript => Some(camel(&pascal(hook))),
        Language::Go => method(hook).map(str::to_owned),
        Language::Zig => method(hook).map(camel),
        Language::C | Language::Cpp => None,
    }
}

/// Its function.
fn method(hook: &str) -> Option<&'static str> {
    Some(match hook {
        "cancel-policy" => "Evaluate",
        "start-policy" => "Admit",
        "tick-policy" => "Tick",
        "event-handler" => "OnEvents",
        "status-handler" => "OnStatus",
        "finished-callback" => "OnFinished",
        _ => return None,
    })
}

fn pascal(hook: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    hook.split('-').filter(|word| !word.is_empty()).map(capital).collect()
}

fn camel(pascal: &str) -> String {
    pascal[..1].to_lowercase() + &pascal[1..]
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether a text begins with a whole name.
fn begins(text: &str, name: &str) -> bool {
    text.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_of_name))
}

/// Whether a whole name is in a text.
fn has(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| !text[..at].ends_with(is_of_name) && begins(&text[at..], name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::World;
    use crate::project::create;

    const ALL: [(Language, &str, &str, &str); 6] = [
        (Language::Rust, "src/lib.rs", "\nimpl StartPolicy for Policy {\n", ""),
        (Language::Python, "src/plugin.py", "\nclass StartPolicy(exports.StartPolicy):\n", "CancelPolicy"),
        (Language::JavaScript, "src/plugin.js", "\nexport const startPolicy = {};\n", "cancelPolicy"),
        (Language::TypeScript, "src/plugin.ts", "\nexport const startPolicy: StartPolicy = {};\n", "cancelPolicy"),
        (Language::Go, "main.go", "\nfunc (p *policy) Admit(s playwarden.Source) error {\n", "Evaluate"),
        (Language::Zig, "src/plugin.zig", "\npub fn admit(\n", ""),
    ];

    #[test]
    fn what_only_the_code_or_only_the_world_has_is_told() {
        for (language, file, more, name) in ALL {
            let folder = tempfile::tempdir().unwrap();
            create(folder.path(), "p", language).unwrap();
            let project = Project::read(folder.path()).unwrap();
            let exported =
                || if language == Language::Rust { Vec::new() } else { World::read(&project).unwrap().exports() };
            assert_eq!(check(&project, &exported()).unwrap(), [""; 0]);
            let path = folder.path().join(file);
            let text = fs::read_to_string(&path).unwrap();

            fs::write(&path, text.clone() + more).unwrap();
            let told = check(&project, &exported()).unwrap().join("; ");
            assert!(
                told.contains(&format!("`{file}` seems to have `")) && told.contains("which nobody would ask"),
                "{told}"
            );
            // The same name elsewhere is not it.
            if !matches!(language, Language::Rust | Language::Go) {
                let other = path.with_file_name("other").with_extension(path.extension().unwrap());
                fs::write(&path, &text).unwrap();
                fs::write(&other, more).unwrap();
                assert_eq!(check(&project, &exported()).unwrap(), [""; 0]);
            }
            if !name.is_empty() {
                fs::write(
                    &path,
                    text.replace(name, "Misspelt").replace("exports.Misspelt", &format!("exports.{name}")),
                )
                .unwrap();
                let told = check(&project, &exported()).unwrap().join("; ");
                assert!(told.contains(&format!("and the code seems to have no `{name}`")), "{told}");
            }
        }
    }

    #[test]
    fn names_are_found_whole() {
        assert!(has("x.startPolicy = 1", "startPolicy") && !has("mystartPolicy startPolicy2", "startPolicy"));
        assert_eq!((pascal("start-policy"), camel("OnEvents")), ("StartPolicy".to_owned(), "onEvents".to_owned()));
    }
}
