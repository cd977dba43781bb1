use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const JOBS: &str = r#"schema-version = 1

[jobs.deploy]
playbook = "site.yml"
inventory = "hosts"
limit = "web"
tags = ["app"]
forks = 5
check = true
timeout = "1h"
extra-vars = { version = 1, db_password = "hunter2-long", pin_token = "abc" }
env = { API_TOKEN = "s3cret", EMPTY_PASSWORD = "" }

[jobs.ping]
module = "ping"
hosts = "all"
"#;

struct Folder {
    temporary: tempfile::TempDir,
    environment: Environment,
}

impl Folder {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().to_owned();
        let mut environment = Environment { cwd: root.join("cwd"), ..Environment::default() };
        environment.vars.insert("PATH".to_owned(), root.join("bin").into());
        for program in ["ansible", "ansible-playbook", "ansible-config"] {
            write(&root.join("bin").join(program));
        }
        for file in ["site.yml", "hosts", "cwd/vars.yml", "cwd/other"] {
            write(&root.join(file));
        }
        Self { temporary, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().canonicalize().unwrap().join(name)
    }

    fn resolve(&self, text: &str, job: &str, overrides: &Overrides) -> Result<JobPlan, Vec<Finding>> {
        let (config, _) = Config::parse(&self.temporary.path().join("runner.toml"), text).unwrap();
        JobPlan::resolve(&config, job, overrides, &self.environment)
    }

    fn refused(&self, text: &str, job: &str, overrides: &Overrides) -> Vec<String> {
        let findings = self.resolve(text, job, overrides).unwrap_err();
        findings.into_iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect()
    }
}

fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn arguments(plan: &JobPlan) -> Vec<String> {
    plan.arguments(Path::new("/handed")).into_iter().map(|argument| argument.into_string().unwrap()).collect()
}

#[test]
fn the_command_line_wins_over_the_file() {
    let folder = Folder::new();
    let overrides = Overrides {
        inventory: vec!["other".to_owned(), "a,b".to_owned()],
        limit: Some("db".to_owned()),
        tags: vec!["x".to_owned(), "y".to_owned()],
        extra_vars: vec!["version=2".to_owned(), "@vars.yml".to_owned()],
        check: Some(false),
        forks: Some(7),
        verbosity: Some(2),
        timeout: Some(Duration::from_secs(90)),
        run_id: Some("r-1".to_owned()),
        ..Overrides::default()
    };
    let plan = folder.resolve(JOBS, "deploy", &overrides).unwrap();
    assert_eq!((plan.timeout, plan.run_id.as_deref()), (overrides.timeout, Some("r-1")));
    let text = arguments(&plan).join("\n");
    let expected = format!(
        "--inventory\n{cwd}/other\n--inventory\na,b\n--limit\ndb\n--extra-vars\n{file}\n--extra-vars\nversion=2\n\
         --extra-vars\n@{cwd}/vars.yml\n-vv\n--tags\nx,y\n--forks\n7\n{playbook}",
        cwd = folder.environment.cwd.display(),
        file = r#"{"db_password":"hunter2-long","pin_token":"abc","version":1}"#,
        playbook = folder.path("site.yml").display(),
    );
    assert_eq!(text, expected);
}

#[test]
fn no_value_is_read_as_an_option() {
    let folder = Folder::new();
    let text = "schema-version = 1\n[jobs.a]\nmodule = \"-m\"\nargs = \"-la\"\nhosts = \"--version\"\nlimit = \"-x\"\n";
    let plan = folder.resolve(text, "a", &Overrides::default()).unwrap();
    assert_eq!(arguments(&plan), ["--limit=-x", "--module-name=-m", "--args=-la", "--", "--version"]);
}

#[test]
fn what_the_command_line_gets_wrong_is_said_at_once() {
    let folder = Folder::new();
    let overrides = Overrides {
        inventory: vec!["othr".to_owned()],
        tags: vec!["app".to_owned()],
        extra_vars: vec!["@nothing.yml".to_owned()],
        forks: Some(0),
        verbosity: Some(7),
        timeout: Some(Duration::ZERO),
        run_id: Some("../up".to_owned()),
        ..Overrides::default()
    };
    let findings = folder.resolve(JOBS, "ping", &overrides).unwrap_err();
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [["bad-argument"; 5].as_slice(), &["missing-file"; 2]].concat());
    assert!(findings.iter().all(|finding| finding.path.as_os_str().is_empty() && finding.span.is_none()));
    assert_eq!(findings[5].help.as_deref(), Some("did you mean `other`?"));
}

#[test]
fn an_unknown_job_is_met_with_the_near_one() {
    let folder = Folder::new();
    let findings = folder.resolve(JOBS, "deplyo", &Overrides::default()).unwrap_err();
    assert_eq!(findings[0].code, "unknown-job");
    assert_eq!(findings[0].help.as_deref(), Some("did you mean `deploy`?"));
}

#[test]
fn ansible_is_looked_for_on_the_path_of_the_snapshot() {
    let mut folder = Folder::new();
    let found = |folder: &Folder| folder.resolve(JOBS, "ping", &Overrides::default()).map(|plan| plan.ansible);
    assert_eq!(found(&folder).unwrap().executable, folder.temporary.path().join("bin/ansible"));

    // An empty entry would be the current folder.
    for program in ["ansible", "ansible-config"] {
        write(&folder.environment.cwd.join(program));
    }
    folder.environment.vars.insert("PATH".to_owned(), ":/nowhere:".into());
    let refused = folder.refused(JOBS, "ping", &Overrides::default());
    assert_eq!(refused, ["no-ansible: there is no `ansible` on the PATH"]);
    folder.environment.vars.clear();
    assert_eq!(folder.refused(JOBS, "ping", &Overrides::default()), refused);
}

#[test]
fn a_lone_link_leads_to_the_whole_installation() {
    let mut folder = Folder::new();
    let links = folder.path("links");
    fs::create_dir(&links).unwrap();
    symlink(folder.path("bin/ansible"), links.join("ansible")).unwrap();
    folder.environment.vars.insert("PATH".to_owned(), links.clone().into());
    let ansible = folder.resolve(JOBS, "ping", &Overrides::default()).unwrap().ansible;
    assert_eq!((ansible.executable, ansible.config), (links.join("ansible"), folder.path("bin/ansible-config")));
}

#[test]
fn a_file_that_may_not_be_run_is_no_ansible() {
    let folder = Folder::new();
    fs::set_permissions(folder.path("bin/ansible"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(folder.refused(JOBS, "ping", &Overrides::default()).len(), 1);
}

#[test]
fn a_tilde_is_the_home_folder() {
    let mut folder = Folder::new();
    folder.environment.home = Some(folder.path("cwd"));
    let text = "schema-version = 1\n[jobs.a]\nplaybook = \"~/other\"\ninventory = \"./cwd/../hosts\"\n";
    let plan = folder.resolve(text, "a", &Overrides::default()).unwrap();
    assert_eq!(plan.work, Work::Playbook { path: folder.path("cwd/other") });
    assert_eq!(plan.inventory, [OsString::from(folder.path("cwd/../hosts"))]);
}

#[test]
fn what_a_command_line_cannot_hold_is_refused() {
    let folder = Folder::new();
    let text = |length| {
        format!(
            "schema-version = 1\n[jobs.ping]\nmodule = \"x\"\nhosts = \"all\"\nextra-vars.blob = \"{}\"\n",
            "x".repeat(length)
        )
    };
    assert!(folder.resolve(&text(131_000), "ping", &Overrides::default()).is_ok());
    let refused = folder.refused(&text(131_072), "ping", &Overrides::default());
    assert_eq!(refused, ["too-large: the extra vars are too large for a command line"]);
}

#[test]
fn secrets_are_the_literals_under_keys_that_look_secret() {
    let folder = Folder::new();
    let overrides = Overrides {
        extra_vars: vec!["become_password='open sesame' x=1".to_owned(), "{\"token\": \"json-token\"}".to_owned()],
        ..Overrides::default()
    };
    let plan = folder.resolve(JOBS, "deploy", &overrides).unwrap();
    assert_eq!(plan.secrets(), ["hunter2-long", "open sesame", "json-token", "s3cret"]);
}

#[test]
fn granted_secrets_are_masked_and_never_written_down() {
    let mut folder = Folder::new();
    let pem = "-----BEGIN KEY-----\r\nMIIEvQIBADANBg\nshort\n-----END KEY-----";
    fs::write(folder.path("key.pem"), format!("{pem}\r\n")).unwrap();
    folder.environment.vars.insert("TOKEN".to_owned(), "granted\n".into());
    folder.environment.vars.insert("API_TOKEN".to_owned(), "seen-by-the-plugin".into());
    let text = "schema-version = 1\n[jobs.a]\nplaybook = \"site.yml\"\nevent-handlers = [\"p\"]\n\
                [plugins.p]\nbuiltin = \"webhook\"\ngrants.env = [\"API_TOKEN\", \"UNSET\"]\n\
                [plugins.p.grants.secrets]\nkey.file = \"key.pem\"\ntoken.env = \"TOKEN\"\n";
    let plan = folder.resolve(text, "a", &Overrides::default()).unwrap();
    let grants = &plan.plugins[0].grants;
    // Only a file ends in a line end that is not meant.
    assert_eq!((grants.secrets["key"].as_str(), grants.secrets["token"].as_str()), (pem, "granted\n"));
    assert_eq!(grants.env.keys().collect::<Vec<_>>(), ["API_TOKEN"]);
    let masked = [pem, "-----BEGIN KEY-----", "seen-by-the-plugin", "-----END KEY-----", "MIIEvQIBADANBg", "granted\n"];
    assert_eq!(plan.secrets().iter().collect::<BTreeSet<_>>(), masked.map(str::to_owned).iter().collect());
    for written in [serde_json::to_string(&plan).unwrap(), format!("{plan:?}")] {
        assert!(written.contains("token") && !written.contains("MIIE") && !written.contains("granted"), "{written}");
    }
}

#[test]
fn links_do_not_hide_which_folder_is_meant() {
    let folder = Folder::new();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(folder.path(""), elsewhere.path().join("way")).unwrap();
    let text = |write: &str| {
        format!(
            "schema-version = 1\n[jobs.a]\nplaybook = \"site.yml\"\nevent-handlers = [\"p\", \"q\"]\n\
             [plugins.p]\nbuiltin = \"summary\"\ngrants.write = [\"{}/{write}\"]\n\
             [plugins.q]\nbuiltin = \"junit\"\ngrants.write = [\"out/../logs\"]\n",
            elsewhere.path().display()
        )
    };
    let plan = folder.resolve(&text("way/out"), "a", &Overrides::default()).unwrap();
    assert_eq!(plan.plugins[0].grants.write[0].path, folder.path("out"));
    fs::create_dir(folder.path("links")).unwrap();
    symlink(folder.path("hosts"), folder.path("links/q.wasm")).unwrap();
    let linked = text("way/links").replace("builtin = \"junit\"", "path = \"links/q.wasm\"");
    let findings = folder.resolve(&linked, "a", &Overrides::default()).unwrap_err();
    assert_eq!(findings[0].message.split_once("which ").unwrap().1, "holds the component of plugin `q`");
    for (write, code) in
        [("way/logs/deep", "shared-folder"), ("way/artifacts", "forbidden-folder"), ("way/x/..", "forbidden-folder")]
    {
        let findings = folder.resolve(&text(write), "a", &Overrides::default()).unwrap_err();
        assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [code], "{write}");
    }
}

#[test]
fn a_path_that_is_not_utf_8_can_still_be_written_down() {
    use std::os::unix::ffi::OsStringExt as _;
    let folder = Folder::new();
    let mut plan = folder.resolve(JOBS, "deploy", &Overrides::default()).unwrap();
    plan.root = PathBuf::from(OsString::from_vec(b"/a\xff".to_vec()));
    assert_eq!(serde_json::to_value(&plan).unwrap()["root"], "/a\u{fffd}");
}
