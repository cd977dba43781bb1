//! From the text of runner.toml to plans and findings.
//!
//! `tests/golden/config/NAME.toml` gives `NAME.plan` (the plan and arguments of
//! each job), `NAME.err` (the findings as printed), or both where there are only
//! warnings. Files called `invalid-…` must have errors, all others none.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use playwarden::config::{Config, Findings};
use playwarden::plan::{Environment, JobPlan, Overrides};
use playwarden::report::diagnostic::render_findings;
use serde_json::{Value, json};

use crate::golden::{Golden, inputs};

/// A folder with everything that the plans of the golden files may look for.
struct Folder {
    _temporary: tempfile::TempDir,
    root: PathBuf,
    environment: Environment,
}

impl Folder {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        for file in ["site.yml", "café.yml", "hosts", "policies/budget.wasm", "policies/window.wasm"] {
            write(&root.join(file));
        }
        for bin in ["bin", "venv/bin", "half/bin"] {
            for program in ["ansible", "ansible-playbook", "ansible-config"] {
                if bin != "half/bin" || program == "ansible" {
                    write(&root.join(bin).join(program));
                }
            }
        }
        let mut environment = Environment { cwd: root.clone(), ..Environment::default() };
        environment.vars.insert("PATH".to_owned(), root.join("bin").into());
        Self { _temporary: temporary, root, environment }
    }

    /// Returns what is said about a file, and its plans if nothing stands
    /// against them.
    fn judge(&self, text: &str) -> (Findings, Option<Value>) {
        let path = self.root.join("runner.toml");
        let (config, mut findings) = match Config::parse(&path, text) {
            Ok(parsed) => parsed,
            Err(findings) => return (findings, None),
        };
        let mut plans = Vec::new();
        for job in &config.jobs {
            match JobPlan::resolve(&config, &job.name, &Overrides::default(), &self.environment) {
                Ok(plan) => {
                    let arguments: Vec<_> = plan.arguments().iter().map(|arg| arg.to_str().unwrap().into()).collect();
                    plans.push(json!({"arguments": Value::Array(arguments), "plan": plan}));
                }
                Err(list) => findings.extend(config.findings(list)),
            }
        }
        findings.settle();
        let plans = (!findings.has_errors()).then_some(Value::Array(plans));
        (findings, plans)
    }

    fn normal(&self, text: &str) -> String {
        text.replace(self.root.to_str().unwrap(), "<root>")
    }
}

fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_file_gives_its_plan_or_its_findings() {
    let folder = Folder::new();
    let mut golden = Golden::default();
    for input in inputs("config", "toml") {
        let (findings, plans) = folder.judge(&fs::read_to_string(&input).unwrap());
        let invalid = input.file_name().unwrap().to_str().unwrap().starts_with("invalid-");
        if invalid != findings.has_errors() {
            golden.refuse(&input, "only a file called `invalid-…` has errors");
        }
        let shown = folder.normal(&render_findings(&findings, &folder.root, false));
        let plans = plans.map(|plans| folder.normal(&serde_json::to_string_pretty(&plans).unwrap()) + "\n");
        golden.compare(&input.with_extension("err"), Some(&*shown).filter(|shown| !shown.is_empty()));
        golden.compare(&input.with_extension("plan"), plans.as_deref());
    }
    golden.finish();
}

#[test]
fn every_code_of_a_finding_is_shown_by_a_file() {
    let folder = Folder::new();
    let shown: BTreeSet<_> = inputs("config", "toml")
        .iter()
        .flat_map(|input| folder.judge(&fs::read_to_string(input).unwrap()).0.list)
        .map(|finding| finding.code)
        .collect();
    // What a text cannot cause is tested beside the code.
    let elsewhere = ["bad-argument", "not-utf-8", "too-large", "unknown-job", "unreadable-file"];
    let mut missing = BTreeSet::new();
    for source in sources(&["config", "plan"]) {
        for call in ["Finding::error(", "Finding::warning(", "error_with_help(", "notes.error(", ".finding("] {
            for (at, _) in source.match_indices(call) {
                let code =
                    source[at + call.len()..].trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                missing
                    .extend(code.filter(|code| !shown.contains(code) && !elsewhere.contains(code)).map(str::to_owned));
            }
        }
    }
    assert!(missing.is_empty(), "no file in tests/golden/config shows {missing:?}");
}

/// Returns the texts of rooms of the host.
fn sources(rooms: &[&str]) -> Vec<String> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host");
    let mut texts = Vec::new();
    for room in rooms {
        texts.push(fs::read_to_string(host.join(room).with_extension("rs")).unwrap());
        for entry in fs::read_dir(host.join(room)).unwrap() {
            texts.push(fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    texts
}
