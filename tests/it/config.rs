//! From the text of runner.toml to plans and findings.
//!
//! `tests/golden/config/NAME.toml` gives `NAME.plan` (the plan and arguments of
//! each job), `NAME.err` (the findings as printed), or both where there are only
//! warnings. Files called `invalid-…` must have errors, all others none.

mod schema;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use playwarden::config::{CODES, Config, Findings, explain};
use playwarden::plan::{Environment, JobPlan, Overrides};
use playwarden::report::diagnostic::render_findings;
use serde_json::{Value, json};

use crate::golden::{Golden, inputs};
use crate::rooms::files;

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
        for file in ["site.yml", "café.yml", "hosts", "policies/budget.wasm", "policies/window.wasm", "keys/audit.pem"]
        {
            write(&root.join(file));
        }
        for bin in ["bin", "venv/bin", "half/bin"] {
            for program in ["ansible", "ansible-playbook", "ansible-config"] {
                if bin != "half/bin" || program == "ansible" {
                    write(&root.join(bin).join(program));
                }
            }
        }
        for (file, text) in [
            ("secrets/key", b"first line\nsecond line\n".as_slice()),
            ("secrets/blank", b"\n"),
            ("secrets/binary", b"\xff\xfe"),
            ("secrets/large", &[b'x'; (64 << 10) + 1]),
        ] {
            write(&root.join(file));
            fs::write(root.join(file), text).unwrap();
        }
        symlink(root.join("secrets"), root.join("link")).unwrap();
        let mut environment =
            Environment { cwd: root.clone(), home: Some(root.join("home")), ..Environment::default() };
        environment.vars.insert("PATH".to_owned(), root.join("bin").into());
        for (name, value) in [("TZ", "UTC"), ("AUDIT_TOKEN", "token-of-the-siem"), ("EMPTY_TOKEN", "")] {
            environment.vars.insert(name.to_owned(), value.into());
        }
        environment.vars.insert("BROKEN_TOKEN".to_owned(), OsString::from_vec(vec![0xff]));
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
                    let arguments: Vec<_> =
                        plan.arguments(Path::new("")).iter().map(|arg| arg.to_str().unwrap().into()).collect();
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
fn every_code_of_a_finding_is_explained_and_shown_by_a_file() {
    let folder = Folder::new();
    let shown: BTreeSet<_> = inputs("config", "toml")
        .iter()
        .flat_map(|input| folder.judge(&fs::read_to_string(input).unwrap()).0.list)
        .map(|finding| finding.code)
        .collect();
    // What a text cannot cause is tested beside the code, what takes a component in `refusals`.
    let elsewhere = [
        "bad-argument",
        "bad-file",
        "bad-lock",
        "no-engine",
        "not-mounted",
        "not-utf-8",
        "too-large",
        "unknown-job",
        "unreadable-file",
    ];
    let of_components = [
        "missing-hook",
        "no-builtins",
        "no-tick",
        "playbook-syntax",
        "plugin-changed",
        "plugin-config",
        "plugin-fault",
        "plugin-load",
    ];
    let tested: BTreeSet<_> = shown.into_iter().chain(elsewhere).chain(of_components).collect();
    assert_eq!(tested, CODES.iter().map(|(code, _)| *code).collect());
}

#[test]
fn every_code_in_the_source_is_explained() {
    let calls = ["error(", "warning(", "error_with_help(", "finding(", "refuse(", "missing(", "bad("];
    let is_code = |text: &&str| text.chars().all(|c| c == '-' || c.is_ascii_lowercase());
    let mut found = BTreeSet::new();
    for source in sources(&["config", "plan", "ansible", "process", "store", "run", "report", "cli"]) {
        let source = source.split("#[cfg(test)]").next().unwrap();
        let words = calls.iter().flat_map(|call| source.match_indices(call).map(|(at, call)| at + call.len()));
        let words = words.filter_map(|at| source[at..].trim_start().strip_prefix('"')?.split('"').next());
        found.extend(words.filter(is_code).map(str::to_owned));
    }
    assert!(found.contains("unknown-key") && found.contains("plugin-load"), "{found:?}");
    let missing: Vec<_> = found.iter().filter(|code| explain(code).is_none()).collect();
    assert!(missing.is_empty(), "src/host/config/explain.rs does not explain {missing:?}");
}

/// Returns the texts of rooms of the host.
fn sources(rooms: &[&str]) -> Vec<String> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host");
    let mut texts = Vec::new();
    for room in rooms {
        let mut paths = vec![host.join(room).with_extension("rs")];
        files(&host.join(room), &mut paths);
        texts.extend(paths.iter().map(|path| fs::read_to_string(path).unwrap()));
    }
    texts
}
