//! Bad input, and what is said about it: `tests/golden/refusals/NAME.txt` has the commands of a case with exit code and
//! both streams, as a person would see them.
//!
//! Each message has to name the place and the remedy. Read the difference when one changes.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::golden::Golden;
use crate::support::{Project, Ran, core_since, guest, ran, venv};

const SITE: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=one\n";

const JOB: &str = "\n[jobs.site]\nplaybook = \"site.yml\"\n";

/// The transcript of a case.
struct Case {
    name: &'static str,
    project: Project,
    transcript: String,
}

impl Case {
    fn new(name: &'static str, project: Project) -> Self {
        Self { name, project, transcript: String::new() }
    }

    /// A project with one host and the playbook `site.yml`; `rest` follows below `[defaults]`.
    fn of(name: &'static str, rest: &str) -> Self {
        Self::new(name, Project::new(1, rest).file("site.yml", SITE))
    }

    /// A job with a policy `p` from a file, with `more` lines in its table.
    fn policy(name: &'static str, component: &Path, more: &str) -> Self {
        let path = component.display().to_string();
        let rest = format!("cancel-policies = [\"p\"]\n{JOB}\n[plugins.p]\npath = {path:?}\n{more}");
        Self::of(name, &rest)
    }

    /// Runs a command and writes down what it came to.
    fn command(mut self, arguments: &[&str]) -> Self {
        let ran = self.project.playwarden(arguments);
        self.write(arguments, &ran);
        self
    }

    /// Runs a command with another PATH.
    fn command_on_path(mut self, path: &str, arguments: &[&str]) -> Self {
        let output = self.project.command(arguments).env("PATH", path).output().unwrap();
        self.write(arguments, &ran(output));
        self
    }

    /// Changes something in the project.
    fn after(self, change: impl FnOnce(&Project)) -> Self {
        change(&self.project);
        self
    }

    fn write(&mut self, arguments: &[&str], ran: &Ran) {
        let code = ran.code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        if !self.transcript.is_empty() {
            self.transcript.push('\n');
        }
        writeln!(self.transcript, "$ playwarden {}\nexit code: {code}", arguments.join(" ")).unwrap();
        for (name, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            if !text.is_empty() {
                write!(self.transcript, "--- {name}\n{}", self.normal(text)).unwrap();
            }
        }
    }

    /// Takes out what differs from one run to the next.
    fn normal(&self, text: &str) -> String {
        let root = self.project.path("").canonicalize().unwrap();
        let guests = guest("no_hooks").parent().unwrap().display().to_string();
        let text = text
            .replace(root.to_str().unwrap(), "$PROJECT")
            .replace(&guests, "$GUESTS")
            .replace(venv().to_str().unwrap(), "$VENV");
        words(&text)
    }

    fn finish(self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/refusals");
        let file = Path::new(self.name).with_extension("txt");
        // Where Ansible itself is quoted: its words were others before 2.19.
        let older = folder.join("before-2.19").join(&file);
        let is_older = !core_since((2, 19)) && older.exists();
        let mut golden = Golden::default();
        golden.compare(&if is_older { older } else { folder.join(file) }, Some(&self.transcript));
        golden.finish();
    }
}

/// Replaces digests and new run ids; a pointer under a long path is as long as the path, so it is cut.
fn words(text: &str) -> String {
    let mut normal = String::new();
    for line in text.lines() {
        let (before, pointer) = line.split_at(line.trim_end_matches('^').len());
        let line = if pointer.len() > 40 { format!("{before}^^^") } else { line.to_owned() };
        let is_hex = |word: &str| word.chars().all(|c| c.is_ascii_hexdigit());
        let mut rest = line.as_str();
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            normal += match word {
                word if word.len() == 64 && is_hex(word) => "$SHA256",
                word if word.len() == 36 && word.split('-').count() == 5 && is_hex(&word.replace('-', "")) => "$RUN",
                word => word,
            };
            let next = after.chars().next().map_or(0, char::len_utf8);
            normal += &after[..next];
            rest = &after[next..];
        }
        normal.push('\n');
    }
    normal
}

fn runner_toml(project: &Project, change: impl FnOnce(&str) -> String) {
    let path = project.path("runner.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, change(&text)).unwrap();
}

// ---- runner.toml ------------------------------------------------------------------------------------------------------

#[test]
fn no_runner_toml() {
    let case = Case::new("no-runner-toml", Project::empty());
    case.command(&["run"]).command(&["check"]).command(&["list"]).command(&["--file", "other.toml", "run"]).finish();
}

#[test]
fn broken_runner_toml() {
    let case = Case::of("broken-runner-toml", "forks = 5\n\n[jobs.site\nplaybook = \"site.yml\"\n");
    case.command(&["run"]).command(&["check"]).finish();
}

#[test]
fn unknown_key() {
    Case::of("unknown-key", "\n[jobs.site]\nplaybok = \"site.yml\"\nforks = \"many\"\n").command(&["run"]).finish();
}

#[test]
fn no_such_job() {
    let case = Case::of("no-such-job", &format!("{JOB}\n[jobs.deploy]\nplaybook = \"site.yml\"\n"));
    case.command(&["run", "deplyo"]).command(&["check", "other"]).command(&["run"]).finish();
}

// ---- plugins ----------------------------------------------------------------------------------------------------------

#[test]
fn not_a_component() {
    let rest = format!("cancel-policies = [\"p\"]\n{JOB}\n[plugins.p]\npath = \"p.wasm\"\n");
    let put = |bytes: Vec<u8>| move |project: &Project| fs::write(project.path("p.wasm"), bytes).unwrap();
    Case::of("not-a-component", &rest)
        .command(&["run"])
        .after(put(b"This is the wrong file.\n".to_vec()))
        .command(&["run"])
        .after(put(b"\0asm\x01\0\0\0".to_vec()))
        .command(&["run"])
        .after(put(b"\0asm\x0d\0\x01\0\x07\x64 cut off".to_vec()))
        .command(&["run"])
        .after(|project| fs::set_permissions(project.path("p.wasm"), fs::Permissions::from_mode(0o644)).unwrap())
        .finish();
}

#[test]
fn no_hook() {
    Case::policy("no-hook", &guest("no_hooks"), "").command(&["run"]).finish();
}

#[test]
fn import_not_granted() {
    Case::policy("import-unknown", &guest("imports_unknown"), "").command(&["run"]).finish();
    Case::policy("import-http", &guest("imports_http"), "").command(&["run"]).finish();
}

#[test]
fn wrong_sha256() {
    let sha256 = format!("sha256 = \"{}\"\n", "0".repeat(64));
    Case::policy("wrong-sha256", &guest("warns_always"), &sha256).command(&["run"]).finish();
}

#[test]
fn config_refused() {
    let config = "config = { name = \"x\", threshold = 5 }\n";
    Case::policy("config-refused", &guest("refuses_config"), config).command(&["run"]).command(&["check"]).finish();
    let config = "config = { max-faild-hosts = 1, window = \"day\" }\n";
    Case::policy("config-misspelt", &guest("fail_budget"), config).command(&["run"]).finish();
}

#[test]
fn config_overridden_by_the_job() {
    let config = "config = { max-failed-hosts = 1 }\n";
    Case::policy("config-of-job", &guest("fail_budget"), config)
        .after(|project| {
            let over = "[jobs.site]\nplugins.p.config = { max-failed-percent = 101 }";
            runner_toml(project, |text| text.replace("[jobs.site]", over));
        })
        .command(&["run"])
        .finish();
}

// ---- Ansible ----------------------------------------------------------------------------------------------------------

#[test]
fn no_ansible() {
    let venv = format!("{:?}", venv().display().to_string());
    Case::of("no-ansible", JOB)
        .after(|project| runner_toml(project, |text| text.replace(&venv, "\"no-venv\"")))
        .command(&["run"])
        .after(|project| runner_toml(project, |text| text.replace("use = { venv = \"no-venv\" }\n", "")))
        .command_on_path("/nowhere", &["run"])
        .finish();
}

#[test]
fn no_playbook() {
    Case::of("no-playbook", "\n[jobs.site]\nplaybook = \"sit.yml\"\n").command(&["run"]).command(&["check"]).finish();
}

#[test]
fn playbook_with_a_syntax_error() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug:\n        msg: one\n      nosuch: two\n";
    Case::of("syntax-error", JOB)
        .after(|project| fs::write(project.path("site.yml"), playbook).unwrap())
        .command(&["check"])
        .command(&["run", "--run-id", "r1"])
        .command(&["run", "--run-id", "r2", "--quiet"])
        .finish();
}

#[test]
fn no_host_matched() {
    Case::of("no-host-matched", JOB)
        .command(&["run", "--run-id", "r1", "--limit", "web"])
        .after(|project| fs::write(project.path("site.yml"), SITE.replace("all", "web")).unwrap())
        .command(&["run", "--run-id", "r2", "--quiet"])
        .command(&["run", "--inventory", "nowhere"])
        .finish();
}

// ---- runs -------------------------------------------------------------------------------------------------------------

#[test]
fn run_id_refused() {
    let playbook = SITE.replace("    - debug: msg=one\n", "    []\n");
    Case::of("run-id-refused", JOB)
        .after(|project| fs::write(project.path("site.yml"), playbook).unwrap())
        .after(|project| fs::create_dir_all(project.path("artifacts/release-1")).unwrap())
        .after(|project| fs::write(project.path("artifacts/release-1/run.json"), "{}").unwrap())
        .command(&["run", "--run-id", "release-1"])
        .command(&["run", "--run-id", "../up"])
        .finish();
}

#[test]
fn artifacts_not_writable() {
    Case::of("artifacts-in-the-way", JOB)
        .after(|project| fs::write(project.path("artifacts"), "").unwrap())
        .command(&["run"])
        .command(&["list"])
        .command(&["show"])
        .finish();
}

#[test]
fn no_such_run() {
    let copy = |id: &str| {
        let to = format!("artifacts/{id}");
        move |project: &Project| crate::reports::copy("20261122-a", &project.path(&to))
    };
    Case::of("no-such-run", JOB)
        .command(&["list"])
        .command(&["show"])
        .command(&["events", "abc"])
        .after(copy("release-1"))
        .after(copy("release-2"))
        .command(&["show", "abc"])
        .command(&["show", "release"])
        .finish();
}

#[test]
fn damaged_run() {
    let change = |file: &'static str, change: fn(&str) -> String| {
        move |project: &Project| {
            let path = project.path("artifacts/20261122-a").join(file);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, change(&text)).unwrap();
        }
    };
    Case::of("damaged-run", JOB)
        .after(|project| crate::reports::copy("20261122-a", &project.path("artifacts/20261122-a")))
        .after(change("events.jsonl", |text| text.replace(r#""counter":4"#, r#""counter""#)))
        .command(&["events"])
        .after(change("events.jsonl", |text| text[..text.find(r#""counter":3"#).unwrap()].to_owned()))
        .command(&["events"])
        .after(|project| fs::remove_file(project.path("artifacts/20261122-a/stdout")).unwrap())
        .command(&["stdout"])
        .after(change("run.json", |text| text[..text.len() / 2].to_owned()))
        .command(&["list"])
        .command(&["show", "20261122-a"])
        .finish();
}

// ---- all at once ------------------------------------------------------------------------------------------------------

#[test]
fn check_finds_everything_at_once() {
    let rest = format!(
        "cancel-policies = [\"none\"]\nextra-vars = {{ db_password = \"hunter2-long\" }}\n\n\
         [jobs.first]\nplaybook = \"broken.yml\"\n\n[jobs.second]\nplaybook = \"missing.yml\"\n\n\
         [jobs.third]\nplaybook = \"site.yml\"\ncancel-policies = [\"picky\", \"budget\"]\n\n\
         [plugins.none]\npath = {:?}\n\n[plugins.picky]\npath = {:?}\nconfig = {{ threshold = 5 }}\n\n\
         [plugins.budget]\npath = {:?}\nconfig = {{ max-failed-hosts = 1 }}\ntick = \"1s\"\n\n\
         [plugins.unused]\npath = \"unused.wasm\"\n",
        guest("no_hooks").display().to_string(),
        guest("refuses_config").display().to_string(),
        guest("fail_budget").display().to_string(),
    );
    Case::of("everything-at-once", &rest)
        .after(|project| fs::write(project.path("broken.yml"), "- hosts: [\n").unwrap())
        .command(&["check"])
        .command(&["check", "second", "--json"])
        .finish();
}
