//! A case: a private data dir, and what is to be run of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;
use crate::project::Project;

/// Says what to run; it is not part of the private data dir.
pub(super) const FILE: &str = "case.toml";

/// A private data dir of `tests/parity`.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) asked: Asked,
}

/// What `case.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Asked {
    /// What the case is about, in a few words.
    #[expect(dead_code, reason = "for who reads the file")]
    about: String,
    /// The arguments of both programs.
    pub(super) arguments: Vec<String>,
    /// Arguments of an earlier run in the same folder.
    pub(super) before: Option<Vec<String>>,
    /// A line for `sh`, in the copy before the first run: for what cannot lie in a repository.
    pub(super) prepare: Option<String>,
    /// Variables of both programs.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// Interrupt both programs once this file is there.
    pub(super) interrupt_at: Option<PathBuf>,
    /// Whether ansible-runner refuses to run it at all.
    #[serde(default)]
    pub(super) refused: bool,
    /// Why Playwarden refuses what ansible-runner makes a failed run of.
    pub(super) refused_here: Option<String>,
    /// Whether it shows much in little time.
    #[serde(default)]
    pub(super) short: bool,
    /// Whether hosts, items or polls come in any order.
    #[serde(default)]
    pub(super) any_order: bool,
    /// The series of ansible-core that it runs on; all of them without it.
    pub(super) cores: Option<Vec<String>>,
    /// Differences that must be.
    #[serde(default)]
    pub(super) differs: Vec<Differs>,
}

/// A difference of this case alone that must be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Differs {
    /// Part of the difference as it is printed, with its column.
    pub(super) what: String,
    /// Why it must be.
    pub(super) why: String,
    /// Whether it is only there now and then.
    #[serde(default)]
    pub(super) sometimes: bool,
    /// The series of ansible-core that have it; all of them without it.
    cores: Option<Vec<String>>,
}

impl Differs {
    /// Whether it is for this version of ansible-core.
    pub(super) fn is_on(&self, version: &str) -> bool {
        is_one_of(version, self.cores.as_deref())
    }
}

impl Case {
    /// Whether it is for this version of ansible-core.
    pub(super) fn runs_on(&self, version: &str) -> bool {
        is_one_of(version, self.asked.cores.as_deref())
    }
}

/// Whether a version belongs to one of these series; to any when there are none.
fn is_one_of(version: &str, series: Option<&[String]>) -> bool {
    let is_of = |series: &String| version.strip_prefix(series.as_str()).is_some_and(|rest| rest.starts_with('.'));
    series.is_none_or(|all| all.iter().any(is_of))
}

/// Reads the cases of these names; all without a name.
pub(super) fn read(project: &Project, names: &[String]) -> Result<Vec<Case>, Failure> {
    let folder = project.path("tests/parity");
    let cannot = |err| Failure::new(format!("cannot read `{}`", project.shown(&folder))).because(err);
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).map_err(cannot)? {
        let folder = entry.map_err(cannot)?.path();
        if folder.join(FILE).is_file() {
            cases.push(one(project, &folder)?);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(name) = names.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        return Err(Failure::new(format!("there is no case `{name}`")).hint("`ls tests/parity` lists the cases"));
    }
    cases.retain(|case| names.is_empty() || names.contains(&case.name));
    Ok(cases)
}

fn one(project: &Project, folder: &Path) -> Result<Case, Failure> {
    let file = folder.join(FILE);
    let cannot = || Failure::new(format!("cannot read `{}`", project.shown(&file)));
    let text = fs::read_to_string(&file).map_err(|err| cannot().because(err))?;
    let asked = toml::from_str(&text).map_err(|err| cannot().because(err))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Case { name, folder: folder.to_owned(), asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_can_be_read() {
        let cases = read(&Project::find().unwrap(), &[]).unwrap();
        assert!(cases.len() >= 40, "{}", cases.len());
        assert!(cases.iter().any(|case| case.asked.short));
        for case in cases {
            let why = case.asked.differs.iter().find(|differs| differs.why.is_empty() || differs.what.is_empty());
            assert!(why.is_none(), "{}", case.name);
        }
    }

    #[test]
    fn a_case_is_for_the_series_that_it_names() {
        let text = "about = 'a'\narguments = []\ncores = ['2.1']\n";
        let asked: Asked = toml::from_str(text).unwrap();
        let case = Case { name: String::new(), folder: PathBuf::new(), asked };
        assert!(case.runs_on("2.1.6") && !case.runs_on("2.16.1"));
        assert!(toml::from_str::<Asked>("about = 'a'\narguments = []\nnosuch = 1\n").is_err());
    }
}
