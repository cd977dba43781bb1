//! `playwarden init`: a runner.toml for what is in a folder.

mod flat;
mod project;
mod text;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use self::project::Project;
use super::context::Context;
use super::exit::Exit;
use super::terminal;
use crate::config::{FILE_NAME, SCHEMA};

#[derive(Args, Debug)]
pub(super) struct InitArguments {
    /// The folder; made when it is not there
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// The schema lies beside the file, whose first line tells editors so.
const SCHEMA_NAME: &str = "runner.schema.json";
const SCHEMA_LINE: &str = "#:schema ./runner.schema.json\n";

/// Written where there is no playbook.
const HELLO: &str = "hello.yml";

const HELLO_TEXT: &str = "\
- name: Hello
  hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      ansible.builtin.debug:
        msg: hello from {{ inventory_hostname }}
";

/// A file that could not be written or looked at.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {problem}")]
struct Failed {
    path: String,
    problem: &'static str,
    source: io::Error,
}

pub(super) fn init(context: &Context, arguments: &InitArguments) -> Exit {
    match write(context, &arguments.dir) {
        Ok(()) => Exit::Success,
        Err(failed) if failed.source.kind() == io::ErrorKind::AlreadyExists => {
            let hint = "change it by hand, or move it away and try again";
            terminal::complain(&format!("there is a `{}` already", failed.path), Some(hint), context.color());
            Exit::Usage
        }
        Err(failed) => {
            terminal::error(&failed, Some("check who may read and write there"), context.color());
            Exit::Configuration
        }
    }
}

fn write(context: &Context, dir: &Path) -> Result<(), Failed> {
    let folder = context.cwd().join(dir);
    let shown = |path: &Path| {
        let path: PathBuf = path.components().collect();
        path.strip_prefix(context.cwd()).unwrap_or(&path).display().to_string()
    };
    let failed = |path: &Path, problem| {
        let path = shown(path);
        move |source| Failed { path, problem, source }
    };
    let path = folder.join(FILE_NAME);
    if path.exists() {
        return Err(failed(&path, "exists")(io::ErrorKind::AlreadyExists.into()));
    }
    fs::create_dir_all(&folder).map_err(failed(&folder, "cannot be made"))?;
    let mut project = Project::find(&folder).map_err(failed(&folder, "cannot be read"))?;
    let mut said = Vec::new();
    if project.playbooks.is_empty() {
        let below = if project.private { "project/" } else { "" };
        let hello = folder.join(below).join(HELLO);
        create(&hello, HELLO_TEXT).map_err(failed(&hello, "cannot be written"))?;
        project.playbooks.push((format!("{below}{HELLO}"), "hello".to_owned()));
        said.push(format!("wrote {}, since there is no playbook here\n", shown(&hello)));
    }
    let text = text::lay_out(&folder, &project, SCHEMA_LINE);
    create(&path, &text).map_err(failed(&path, "cannot be written"))?;
    let schema = folder.join(SCHEMA_NAME);
    match create(&schema, SCHEMA) {
        // It may be that of another runner.toml, or changed by hand.
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
            said.push(format!("left {} as it is\n", shown(&schema)));
        }
        written => written.map_err(failed(&schema, "cannot be written"))?,
    }
    let jobs: Vec<_> = project.playbooks.iter().map(|(_, name)| format!("`{name}`")).collect();
    let first = &project.playbooks[0].1;
    // From another folder the file has to be named.
    let file = match dir.components().any(|part| part != std::path::Component::CurDir) {
        true => format!(" --file {}", shown(&path)),
        false => String::new(),
    };
    let s = if jobs.len() == 1 { "" } else { "s" };
    said.push(format!("wrote {} with the job{s} {}\n", shown(&path), jobs.join(", ")));
    said.push(format!("next: playwarden{file} check, then playwarden{file} run {first}\n"));
    terminal::out(&said.concat());
    Ok(())
}

/// Writes a file that is not there yet.
fn create(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}
