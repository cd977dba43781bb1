//! The book: what of it is made from the sources, and its HTML.
//!
//! The references follow from what the program itself is made of, so that they cannot say anything else. They are checked in,
//! because people read them on the web; `--check` fails where one is not what would be made now.

mod contract;
mod events;
mod keys;
mod ordered;
mod picture;
mod types;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::steps::note;

#[derive(Args, Debug, Default)]
pub(crate) struct Arguments {
    /// Write nothing, and fail where something is not what it should be
    #[arg(long)]
    check: bool,
    /// Make the HTML too, in target/book; mdbook is installed into target/tools where there is none
    #[arg(long, conflicts_with = "check")]
    html: bool,
}

/// A file of the book and its text.
type Page = (&'static str, String);

/// Makes the generated pages, and the HTML if that is wished.
pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.check {
        return check(project);
    }
    for (path, text) in pages(project)? {
        let place = project.path(path);
        if fs::read_to_string(&place).is_ok_and(|there| there == text) {
            continue;
        }
        fs::write(&place, text).map_err(|err| Failure::new(format!("cannot write `{path}`")).because(err))?;
        note(&format!("wrote {path}"));
    }
    if arguments.html { html(project) } else { Ok(()) }
}

/// Fails when a page is not what would be made now.
pub(crate) fn check(project: &Project) -> Result<(), Failure> {
    let is_stale = |(path, text): &Page| fs::read_to_string(project.path(path)).ok().as_ref() != Some(text);
    let stale: Vec<&str> = pages(project)?.iter().filter(|page| is_stale(page)).map(|(path, _)| *path).collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("not what the sources say any more: {}", stale.join(", "))).hint("run `cargo xtask book`"))
}

fn pages(project: &Project) -> Result<Vec<Page>, Failure> {
    let read = |path: String| {
        let cannot = |err| Failure::new(format!("cannot read `{path}`")).because(err);
        fs::read_to_string(project.path(&path)).map_err(cannot)
    };
    let events: Vec<_> =
        events::SOURCES.iter().map(|name| read(format!("src/event/{name}.rs"))).collect::<Result<_, _>>()?;
    let contract: Vec<_> =
        contract::SOURCES.iter().map(|(name, _)| read(format!("wit/{name}.wit"))).collect::<Result<_, _>>()?;
    let schema = read("src/host/config/schema.json".to_owned())?;
    let terminal = read("book/canceled.txt".to_owned())?;
    let made = [
        ("book/src/reference/events.md", events::page(&events)),
        ("book/src/reference/contract.md", contract::page(&contract)),
        ("book/src/reference/runner-toml.md", keys::page(&schema)),
        ("book/src/canceled.svg", picture::svg(&terminal)),
    ];
    made.into_iter()
        .map(|(path, made)| {
            let made = made.map_err(|why| Failure::new(format!("cannot make `{path}`")).because(why))?;
            Ok((path, if path.ends_with(".md") { format!("{MADE}{made}") } else { made }))
        })
        .collect()
}

/// The head of each generated page.
const MADE: &str = "<!-- Made by `cargo xtask book` from the sources. Change those. -->\n\n";

fn html(project: &Project) -> Result<(), Failure> {
    let mut build = Command::new(mdbook(project)?);
    build.arg("build").arg(project.path("book")).arg("--dest-dir").arg(project.path("target/book"));
    command::run(&mut build, "build the book")
}

/// Returns mdbook: the one on the PATH, else that of target/tools, which is installed where it is missing.
fn mdbook(project: &Project) -> Result<PathBuf, Failure> {
    let on_path = Command::new("mdbook").arg("--version").output().is_ok_and(|output| output.status.success());
    if on_path {
        return Ok("mdbook".into());
    }
    let tools = project.path("target/tools");
    let own = tools.join("bin/mdbook");
    if !own.exists() {
        note("There is no mdbook: it is compiled into target/tools, which takes some minutes.");
        let mut install = project.host_cargo();
        install.args(["install", "mdbook", "--locked", "--root"]).arg(&tools);
        command::run(&mut install, "install mdbook")?;
    }
    Ok(own)
}
