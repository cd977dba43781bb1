//! Carries the templates, the contract and the SDK for Rust as files.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let mut code =
        String::from("/// Files by language, as templates have them.\nconst TEMPLATES: &[(&str, &[File])] = &[\n");
    let languages = root.join("plugins/languages");
    let mut names: Vec<_> = fs::read_dir(&languages)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("template").is_dir())
        .collect();
    names.sort();
    println!("cargo::rerun-if-changed={}", languages.display());
    for language in names {
        let name = language.file_name().and_then(|name| name.to_str()).ok_or("a language's folder has no name")?;
        writeln!(code, "    ({name:?}, &[{}]),", files(&language.join("template"))?)?;
    }
    writeln!(code, "];\n\n/// The contract.\nconst CONTRACT: &[File] = &[{}];\n", files(&root.join("wit"))?)?;
    writeln!(code, "/// The SDK for Rust.\nconst RUST_SDK: &[File] = &[{}];", files(&root.join("plugins/sdk"))?)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("files.rs"), code)?;
    Ok(())
}

/// The files of a folder, in order, as Rust has them.
fn files(folder: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    found.sort();
    let mut code = String::new();
    for path in found {
        let name = path.strip_prefix(folder)?.to_str().ok_or("a file's name is not text")?;
        let path = path.to_str().ok_or("a file's path is not text")?;
        write!(code, "({name:?}, include_bytes!({path:?})), ")?;
    }
    Ok(code)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, found)? } else { found.push(path) }
    }
    Ok(())
}
