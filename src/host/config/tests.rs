use std::time::Duration;

use super::*;

const TEXT: &str = r#"schema-version = 1

[defaults]
timeout = "2h"
inventory = ["hosts", "more"]
cancel-policies = ["budget"]

[plugins.budget]
path = "budget.wasm"
config = { limit = 5, nested = { list = [1, 2] } }

[jobs.deploy]
playbook = "site.yml"
plugins.budget.config = { nested = { list = [3] } }

[jobs.canary]
playbook = "canary.yml"
inventory = ["canary"]
cancel-policies = [ "budget" ]
"#;

fn config() -> Config {
    let (config, findings) = Config::parse(Path::new("runner.toml"), TEXT).unwrap();
    assert!(findings.list.is_empty(), "{findings:?}");
    config
}

fn word(span: Option<Range<usize>>) -> &'static str {
    span.map_or("nowhere", |span| &TEXT[span])
}

#[test]
fn jobs_and_plugins_have_places() {
    let config = config();
    assert_eq!(word(config.span_of_job("deploy")), "deploy");
    assert_eq!(word(config.span_of_job("none")), "jobs");
    assert_eq!(word(config.span_of_plugin("budget")), "budget");
    assert_eq!(word(config.span_of_plugin_key("budget", "path")), "\"budget.wasm\"");
    assert_eq!(word(config.span_of_plugin_key("budget", "tick")), "budget");
    assert_eq!(word(config.span_of_ansible_use()), "nowhere");
}

#[test]
fn a_key_is_found_in_the_job_then_in_the_defaults() {
    let config = config();
    assert_eq!(word(config.span_of_job_key("deploy", "playbook")), "\"site.yml\"");
    assert_eq!(word(config.span_of_job_key("deploy", "timeout")), "\"2h\"");
    assert_eq!(word(config.span_of_job_key("deploy", "forks")), "deploy");
    assert_eq!(word(config.span_of_job_item("deploy", "inventory", 1)), "\"more\"");
    assert_eq!(word(config.span_of_job_item("canary", "inventory", 0)), "\"canary\"");
    assert_eq!(word(config.span_of_job_item("canary", "inventory", 1)), "[\"canary\"]");
}

#[test]
fn the_word_that_chooses_a_plugin_may_be_inherited() {
    let config = config();
    let [own, inherited] =
        ["canary", "deploy"].map(|job| config.span_of_job_plugin(job, "cancel-policies", "budget").unwrap());
    assert_eq!(own.start, TEXT.rfind("\"budget\"").unwrap());
    assert_eq!(inherited.start, TEXT.find("\"budget\"").unwrap());
    assert_eq!(word(config.span_of_job_plugin("deploy", "cancel-policies", "other")), "deploy");
}

#[test]
fn a_pointer_into_a_configuration_finds_what_the_job_overrides() {
    let config = config();
    let of = |job, pointer| word(config.span_of_plugin_config(job, "budget", pointer));
    assert_eq!(of(None, "/limit"), "limit = 5");
    assert_eq!(of(None, "/nested/list/1"), "2");
    assert_eq!(of(None, "/nested/other"), "nested");
    assert_eq!(of(Some("deploy"), "/limit"), "limit = 5");
    assert_eq!(of(Some("deploy"), "/nested/list/0"), "3");
    // The override replaced the list, so there is no second item.
    assert_eq!(of(Some("deploy"), "/nested/list/1"), "list = [3]");
    let whole = config.span_of_plugin_config(Some("deploy"), "budget", "").unwrap();
    assert_eq!(whole.start, TEXT.rfind("config").unwrap());
    assert_eq!(of(Some("canary"), "/missing"), "config");
}

#[test]
fn overrides_are_merged_at_the_top_level() {
    let config = config();
    let merged = &config.job("deploy").unwrap().plugins[0];
    assert_eq!(serde_json::json!(merged.config), serde_json::json!({"limit": 5, "nested": {"list": [3]}}));
    assert_eq!(config.job("canary").unwrap().plugins[0], *config.plugin("budget").unwrap());
}

#[test]
fn each_list_has_its_own_words_and_each_grant_its_own_place() {
    let text = "schema-version = 1\n[defaults]\nstatus-handlers = ['audit']\n[plugins.audit]\nbuiltin = 'summary'\n\
                grants = { write = ['a', 'b'], secrets.key.env = 'KEY' }\n[jobs.a]\nplaybook = 'a'\n\
                event-handlers = ['audit']\nplugins.audit.grants.secrets.key.file = 'key'\n";
    let (config, _) = Config::parse(Path::new("runner.toml"), text).unwrap();
    let at = |span: Option<Range<usize>>| span.unwrap().start;
    assert_eq!(at(config.span_of_job_plugin("a", "status-handlers", "audit")), text.find("'audit'").unwrap());
    assert_eq!(at(config.span_of_job_plugin("a", "event-handlers", "audit")), text.rfind("'audit'").unwrap());
    assert_eq!(config.span_of_job_plugin("a", "cancel-policies", "audit"), config.span_of_job("a"));
    let grant = |path: &[&str]| &text[config.span_of_grant("a", "audit", path).unwrap()];
    assert_eq!(
        (grant(&["write", "1"]), grant(&["secrets", "key", "file"]), grant(&["http"])),
        ("'b'", "'key'", "grants")
    );
    assert_eq!(&text[config.span_of_component("audit").unwrap()], "'summary'");
}

#[test]
fn a_job_sets_again_only_what_it_names() {
    let text = "schema-version = 1\n[plugins.p]\nbuiltin = 'summary'\nlimits = { call = '2s', memory = '1MiB' }\n\
                grants = { http = ['https://a'], env = ['A'], secrets = { a.env = 'A', b.env = 'B' } }\n\
                restart.max = 2\n[jobs.a]\nplaybook = 'a'\nfinished-callbacks = ['p']\n[jobs.a.plugins.p]\n\
                limits.call = '3s'\ngrants = { env = [], secrets.b.file = 'b' }\nrestart.backoff = '1s'\n";
    let (config, _) = Config::parse(Path::new("runner.toml"), text).unwrap();
    let (own, used) = (config.plugin("p").unwrap(), &config.jobs[0].plugins[0]);
    assert_eq!(used.limits, Limits { call: Duration::from_secs(3), ..own.limits });
    assert_eq!(used.restart, Some(Restart { max: 2, backoff: Duration::from_secs(1) }));
    let secrets = [("a", SecretSource::Env("A".to_owned())), ("b", SecretSource::File("b".to_owned()))];
    let secrets = secrets.map(|(name, source)| (name.to_owned(), source)).into();
    assert_eq!(used.grants, Grants { env: Vec::new(), secrets, ..own.grants.clone() });
    assert_eq!(own.grants.http.len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let code = |path: &Path| Config::load(path).unwrap_err().list[0].code;
    assert_eq!(code(&folder.path().join(FILE_NAME)), "missing-file");
    assert_eq!(code(folder.path()), "unreadable-file");
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, b"schema-version = 1\n# \xff").unwrap();
    let finding = &Config::load(&path).unwrap_err().list[0];
    assert_eq!((finding.code, finding.help.as_deref()), ("not-utf-8", Some("the first bad byte is in line 2")));
}

#[test]
fn a_byte_order_mark_and_carriage_returns_move_no_place() {
    let text = "\u{feff}schema-version = 1\r\n[jobs.a]\r\nplaybook = \"a\"\r\nforks = 0\r\n";
    let findings = Config::parse(Path::new("runner.toml"), text).unwrap_err();
    assert_eq!(&text[findings.list[0].span.clone().unwrap()], "0");
}

#[test]
fn secrets_are_in_no_text_that_findings_show() {
    let text = "schema-version = 1\n[jobs.a]\nplaybook = \"a\"\nenv = { TOKEN = \"hunter2\" }\n";
    let (config, findings) = Config::parse(Path::new("runner.toml"), text).unwrap();
    assert_eq!(findings.list.len(), 1);
    for findings in [findings, config.findings(Vec::new())] {
        let shown = findings.source(config.path()).unwrap();
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"));
        assert_eq!(shown.len(), text.len());
    }
    assert_eq!(config.jobs[0].env["TOKEN"], "hunter2");
}

#[test]
fn what_is_written_instead_of_a_source_is_shown_nowhere() {
    let grants = "schema-version = 1\n[plugins.p]\nbuiltin = 'webhook'\n[plugins.p.grants]\n";
    for wrong in [
        "secrets.a = 'hunter2'",
        "secrets.a = ['hunter2']",
        "secrets.a = { env = 'hunter2 ' }",
        "secrets.a = { env = 'A', value = 'hunter2' }",
        "secrets.a = { env = ['hunter2'] }",
        "secrets.a = { file = ['hunter2'] }",
        "http = ['https://user:hunter2@host']",
    ] {
        let findings = Config::parse(Path::new("runner.toml"), &format!("{grants}{wrong}\n")).unwrap_err();
        assert!(findings.has_errors() && !format!("{findings:?}").contains("hunter2"), "{wrong}: {findings:?}");
    }
}

#[test]
fn the_file_is_looked_for_upward() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    fs::create_dir_all(deep.join(FILE_NAME)).unwrap();
    let path = folder.path().join("a").join(FILE_NAME);
    fs::write(&path, "").unwrap();
    // A folder of that name does not count.
    assert_eq!(find_upward(&deep), Some(path));
}
