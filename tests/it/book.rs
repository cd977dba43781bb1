//! The README and the book are tried out: their commands are run, in a project made of their own files.
//!
//! Of each page, from its top:
//!
//! - `<!-- file: NAME -->` above a block: the block is that file of the page's project,
//! - `<!-- guest: NAME -->`: the compiled plugin `NAME.wasm` is put into the project,
//! - `<!-- built: LANGUAGE FOLDER -->`: the folder, a project by `plugin new`, has the component of that language's template, as
//!   if it was built: `tests/compat` keeps them,
//! - a block of `console`: its commands are run in order, and the first line that is shown below a command must be in what
//!   it printed (`…` stands for anything in that line),
//! - `<!-- exit: CODE -->` above such a block: its commands end with that code instead of 0,
//! - `<!-- not run: REASON -->` above such a block: it is not run.
//!
//! Every page's runner.toml uses the tests' Ansible, as in [`Project::new`].

#[expect(dead_code, clippy::print_stdout, reason = "a program that the book shows: here it only has to compile")]
mod library;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};
use std::{fs, iter};

use crate::support::{Project, guest, ran, venv};

/// What a page asks for, in its order.
#[derive(Debug, PartialEq, Eq)]
enum Part<'p> {
    File(&'p str, String),
    Guest(&'p str),
    Built { language: &'p str, folder: &'p str },
    Command { line: &'p str, exit: i32, shown: Option<&'p str> },
    NotRun(&'p str),
}

/// Reads a page. A block of `console` whose commands are not ours has to say why they are not run.
fn parts(page: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut note = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        if let Some((kind, value)) = comment.and_then(|comment| comment.split_once(": ")) {
            match kind {
                "guest" => parts.push(Part::Guest(value)),
                "built" => {
                    let (language, folder) =
                        value.split_once(' ').ok_or_else(|| format!("`built: {value}` names no folder"))?;
                    parts.push(Part::Built { language, folder });
                }
                "file" | "exit" | "not run" => note = Some((kind, value)),
                _ => {}
            }
            continue;
        }
        let Some(language) = line.strip_prefix("```") else {
            if !line.is_empty()
                && let Some((kind, value)) = note
            {
                return Err(format!("`{kind}: {value}` stands above no block"));
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (note.take(), language) {
            (Some(("file", name)), _) => parts.push(Part::File(name, block.join("\n") + "\n")),
            (Some(("not run", why)), "console") => parts.push(Part::NotRun(why)),
            (Some(("exit", code)), "console") => {
                let code = code.parse().map_err(|_| format!("`{code}` is no exit code"))?;
                commands(&block, code, &mut parts)?;
            }
            (None, "console") => commands(&block, 0, &mut parts)?,
            (None, _) => {}
            (Some((kind, value)), _) => return Err(format!("`{kind}: {value}` does not suit a block of `{language}`")),
        }
    }
    Ok(parts)
}

fn commands<'p>(block: &[&'p str], exit: i32, to: &mut Vec<Part<'p>>) -> Result<(), String> {
    for (number, line) in block.iter().enumerate() {
        let Some(line) = line.strip_prefix("$ ") else { continue };
        if !["playwarden ", "cat ", "ls "].iter().any(|program| line.starts_with(program)) {
            return Err(format!("`{line}` cannot be run: say `<!-- not run: REASON -->` above the block"));
        }
        let shown = block.get(number + 1).filter(|next| !next.starts_with("$ ") && !next.is_empty());
        to.push(Part::Command { line, exit, shown: shown.copied() });
    }
    Ok(())
}

/// Whether a line was printed, where `…` stands for anything.
fn is_printed(shown: &str, printed: &str) -> bool {
    printed.lines().any(|line| {
        let mut rest = Some(line);
        for part in shown.split('…') {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
        }
        rest.is_some()
    })
}

/// Carries a page out, and returns how many commands were run and why others were not.
fn carry_out(page: &str) -> Result<(usize, Vec<&str>), String> {
    let mut project = Project::empty();
    let (mut count, mut left_out) = (0, Vec::new());
    for part in parts(page)? {
        match part {
            Part::NotRun(why) => left_out.push(why),
            Part::Guest(name) => {
                fs::copy(guest(name), project.path(&format!("{name}.wasm"))).unwrap();
            }
            Part::Built { language, folder } => {
                let root = Path::new(env!("CARGO_MANIFEST_DIR"));
                let packed = fs::File::open(root.join(format!("tests/compat/0.1.0/{language}.wasm.gz"))).unwrap();
                fs::create_dir_all(project.path(&format!("{folder}/build"))).unwrap();
                let mut component = fs::File::create(project.path(&format!("{folder}/build/{folder}.wasm"))).unwrap();
                std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut component).unwrap();
            }
            Part::File(name, text) => {
                let ansible = format!("[ansible]\nuse = {{ venv = {:?} }}\n", venv().display().to_string());
                let text = match text.split_once("schema-version = 1\n") {
                    Some((head, rest)) if name == "runner.toml" => format!("{head}schema-version = 1\n{ansible}{rest}"),
                    _ => text,
                };
                project = project.file(name, &text);
            }
            Part::Command { line, exit, shown } => {
                let mut shell = Command::new("sh");
                shell.args(["-c", line]);
                project.adopt(&mut shell);
                let program = Path::new(env!("CARGO_BIN_EXE_playwarden"));
                let path = [program.parent().unwrap().to_owned(), venv().join("bin")];
                let usual = std::env::var_os("PATH").unwrap();
                let path = path.into_iter().chain(std::env::split_paths(&usual));
                shell.env("PATH", std::env::join_paths(path).unwrap());
                // Ansible takes the home folder of the user instead of `HOME`.
                shell.env("ANSIBLE_REMOTE_TEMP", project.path("home/remote"));
                let ran = ran(shell.output().unwrap());
                let printed = format!("{}{}", ran.stdout, ran.stderr);
                if ran.code != Some(exit) {
                    return Err(format!("`{line}` ended with {:?} instead of {exit}:\n{printed}", ran.code));
                }
                if let Some(shown) = shown.filter(|shown| !is_printed(shown, &printed)) {
                    return Err(format!("`{line}` did not print `{shown}`:\n{printed}"));
                }
                count += 1;
            }
        }
    }
    Ok((count, left_out))
}

/// The README and the pages of the book.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("book/src")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == "md")).collect();
    pages.sort();
    pages.push(root.join("README.md"));
    pages
}

#[test]
fn the_commands_of_the_readme_and_the_book_do_what_is_said() {
    let pages: Vec<(PathBuf, String)> =
        pages().into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    // No more at once than there are processors: a page's commands are tried at the pace at which they are used.
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = iter::from_fn(|| pages.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|(path, text)| (path, carry_out(text))).collect::<Vec<_>>()
    };
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..available_parallelism().unwrap().get()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.len(), pages.len());
    let mut wrong = Vec::new();
    let mut total = 0;
    for (path, result) in results {
        let name = path.file_name().unwrap().display();
        match result {
            Err(why) => wrong.push(format!("{name}: {why}")),
            Ok((count, left_out)) => {
                total += count;
                println!("{name}: {count} commands run, {} blocks not: {}", left_out.len(), left_out.join("; "));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(total > 20, "only {total} commands were found");
}

#[test]
fn every_page_is_in_the_summary_and_every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let summary = fs::read_to_string(root.join("book/src/SUMMARY.md")).unwrap();
    let mut wrong = Vec::new();
    for path in pages() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !["README.md", "SUMMARY.md"].contains(&name) && !summary.contains(&format!("({name})")) {
            wrong.push(format!("{name} is not in SUMMARY.md"));
        }
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") && !path.parent().unwrap().join(file).exists() {
                wrong.push(format!("{name} links to {link}"));
            }
        }
        for include in text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()) {
            let (file, anchor) = include.split_once(':').unwrap_or((include, ""));
            let included = fs::read_to_string(path.parent().unwrap().join(file)).unwrap_or_default();
            if included.is_empty() || !anchor.is_empty() && !included.contains(&format!("ANCHOR: {anchor}")) {
                wrong.push(format!("{name} includes {include}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "<!-- built: c mine -->\n\
                <!-- file: a -->\n```toml\nx = 1\n```\n<!-- exit: 21 -->\n\n```console\n$ playwarden run\nout …\n$ cat a\n```\n\
                <!-- not run: slow -->\n```console\n$ cargo build\n```\n";
    let expected = [
        Part::Built { language: "c", folder: "mine" },
        Part::File("a", "x = 1\n".to_owned()),
        Part::Command { line: "playwarden run", exit: 21, shown: Some("out …") },
        Part::Command { line: "cat a", exit: 21, shown: None },
        Part::NotRun("slow"),
    ];
    assert_eq!(parts(page).unwrap(), expected);
    for wrong in ["```console\n$ rm -r x\n```\n", "<!-- exit: 21 -->\ntext\n", "<!-- exit: 21 -->\n```toml\n```\n"] {
        assert!(parts(wrong).is_err(), "{wrong}");
    }
    assert!(is_printed("a … c", "x\nzz a b c\n") && !is_printed("a … c", "a\nc\n"));
}
