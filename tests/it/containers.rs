//! Ansible in a container: by an engine that the tests make of the kernel's namespaces, and by podman where there is one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use playwarden_event::{Cause, EventKind, Status};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::alive::{appears, eventually, kill, mark, marked, send};
use crate::evidence::{Evidence, at};
use crate::figures;
use crate::support::{Project, Ran, core, guest, ran, venv};

const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n";

mod attacks;

/// What runs containers in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    /// Called `docker`: a container is nobody's descendant.
    Made,
    /// The machine's own.
    Podman,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Made => "docker",
            Self::Podman => "podman",
        }
    }

    fn image(self) -> String {
        match self {
            Self::Made => "image".to_owned(),
            // An image has one virtual environment, at its own place.
            Self::Podman => {
                let place = venv().display().to_string().replace('/', "_");
                format!("localhost/playwarden-test:{}", place.trim_start_matches('_'))
            }
        }
    }
}

/// The engines of this machine. Podman is left out, and that is counted, where it cannot run an image of our own.
fn engines() -> &'static [Engine] {
    static ENGINES: OnceLock<&[Engine]> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let podman = |arguments: &[&str]| {
            let command = Command::new("podman").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            command.is_ok_and(|status| status.success())
        };
        let image = Engine::Podman.image();
        if podman(&["version"]) {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/containers/image.sh");
            if !podman(&["image", "exists", &image]) {
                let mut make = Command::new("sh");
                make.arg(script).arg("podman").arg(venv()).arg(&image).stderr(Stdio::null()).status().unwrap();
            }
            if podman(&["run", "--rm", &image, "ansible", "--version"]) {
                return &[Engine::Made, Engine::Podman];
            }
        }
        figures::note("not_run", 1);
        let text =
            "NOT RUN: containers by podman: there is none, or it cannot run an image made of this machine's files\n";
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        &[Engine::Made]
    })
}

/// A project whose jobs run in containers.
struct Contained {
    project: Project,
    engine: Engine,
    daemon: Option<Child>,
}

impl Drop for Contained {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            // With all that it has started.
            kill_process_group(Pid::from_child(daemon), Signal::KILL).unwrap();
            daemon.wait().unwrap();
        }
    }
}

impl Contained {
    /// One with a private data dir `d`, whose playbook `test.yml` has these tasks, and a job `play` for it.
    fn new(engine: Engine, tasks: &str, job: &str) -> Self {
        let project = Project::empty();
        let python = venv().join("bin/python").display().to_string();
        // Containers of this engine have one home, and processes of one number: none may take another's folders for its own.
        let remote = project.path("home/remote").display().to_string();
        let hosts = format!(
            "[all:vars]\nansible_connection=local\nansible_python_interpreter={python}\nansible_remote_tmp={remote}\n\
             [fleet]\nh1\nh2\n"
        );
        let text = format!(
            "schema-version = 1\n[ansible]\nuse = {{ container = {:?}, engine = {:?}, mounts = [\"seen:/seen\"] }}\n\
             [plugins.p]\npath = {:?}\nconfig = {{ max-failed-hosts = 0 }}\n\
             [jobs.play]\nprivate-data-dir = \"d\"\nplaybook = \"test.yml\"\nforks = 1\n{job}\n",
            engine.image(),
            engine.name(),
            guest("fail_budget").display().to_string(),
        );
        let project = project.file("d/inventory/hosts", &hosts).file("runner.toml", &text);
        let project = project.file("d/project/test.yml", &format!("{PLAY}{tasks}")).folder("seen");
        let script = format!("#!/bin/sh\n{}", include_str!("containers/engine.sh"));
        let project = project.file("bin/docker", &script);
        fs::set_permissions(project.path("bin/docker"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut contained = Self { project, engine, daemon: None };
        if engine == Engine::Made {
            let mut daemon = Command::new(contained.project.path("bin/docker"));
            contained.adopt(daemon.arg("daemon"));
            let mut daemon = daemon.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            contained.daemon = Some(daemon);
        }
        contained
    }

    fn adopt(&self, command: &mut Command) {
        self.project.adopt(command);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.project.path("bin").display()));
        let there = format!("{}:/usr/local/bin:/usr/bin:/bin", venv().join("bin").display());
        command.env("PLAYWARDEN_TEST_IMAGE_PATH", there);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        self.adopt(&mut command);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(&[&["run", "--run-id", "x"], arguments].concat()).output().unwrap())
    }

    fn start(&self) -> Child {
        let mut command = self.command(&["run", "--run-id", "x"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.project.path(path)).unwrap()
    }

    /// Whether the engine knows of a container that is still there.
    fn is_there(&self) -> bool {
        match self.engine {
            Engine::Made => self.project.names("bin/state").iter().any(|name| name.len() == 32),
            Engine::Podman => {
                let filter = format!("volume={}", self.project.path("d").display());
                let listed = Command::new("podman").args(["ps", "--all", "--quiet", "--filter", &filter]).output();
                !listed.unwrap().stdout.is_empty()
            }
        }
    }
}

/// Each test with each engine.
fn each(job: &str, tasks: &str, test: impl Fn(&Contained)) {
    for engine in engines() {
        test(&Contained::new(*engine, tasks, job));
    }
}

#[test]
fn ansible_runs_in_the_container_and_is_told_and_heard_as_ever() {
    let tasks = "    - command: ls -A /runner\n      register: hidden\n\
                 \x20   - command: sh -c 'pwd; echo $MARK; ls /runner/project; cat /seen/file; ls /runner/journal'\n      ignore_errors: true\n\
                 \x20   - debug: msg='{{ hidden.stdout_lines | sort | join(\"+\") }} {{ color }} {{ shade }} {{ lookup(\"env\", \"HIDDEN\") | length }}'\n\
                 \x20   - set_fact: {kept: yes-it-is, cacheable: true}\n\
                 \x20   - copy: {content: made, dest: /seen/made}\n      run_once: true\n";
    each("env = { MARK = 'm4rk' }\njob-events = true", tasks, |contained| {
        fs::write(contained.project.path("seen/file"), "s33n\n").unwrap();
        fs::create_dir(contained.project.path("d/env")).unwrap();
        fs::write(contained.project.path("d/env/extravars"), "color: red\n").unwrap();
        fs::write(contained.project.path("vars.json"), "{\"shade\": \"dark\"}").unwrap();
        let mut command = contained.command(&["run", "--run-id", "x", "-e", "shade=dark"]);
        let shown = ran(command.env("HIDDEN", "secret-of-the-host").output().unwrap()).expect(0);
        assert!(shown.stdout.contains("\"msg\": \"env+inventory+project red dark 0\""), "{}", shown.stdout);
        let run = Evidence::of(&contained.project);
        assert_eq!(run.outcome.status, Status::Successful);
        run.counts_as_ansible_does();
        let failed = run.about("runner_on_failed", "command")[0];
        assert_eq!(at(failed, "/res/stdout"), "/runner/project\nm4rk\ntest.yml\ns33n");
        assert_eq!(contained.text("seen/made"), "made");
        // The text of every event is what was printed for it, though Ansible printed in there.
        let stdout = run.text("stdout");
        let texts: String = run.events.iter().map(|event| event.head().stdout.clone()).collect::<Vec<_>>().join("\r\n");
        assert!(stdout.contains("PLAY RECAP") && texts.contains("PLAY RECAP"), "{stdout}");
        assert!(run.text("stdout").lines().any(|line| line.contains("changed: [h1]")), "{stdout}");
        let facts = contained.project.names("artifacts/x/fact_cache");
        assert!(facts.iter().any(|name| name.ends_with("h1")), "{facts:?}");
        assert!(!contained.project.names("artifacts/x/job_events").is_empty());
        let record: Value = serde_json::from_str(&run.text("run.json")).unwrap();
        assert_eq!(record["ansible"]["core"], core());
        assert!(!contained.is_there() && !contained.project.path("artifacts/x/.private").exists());
        // Nothing was written into the data dir.
        assert_eq!(contained.project.names("d"), ["env", "inventory", "project"]);
    });
}

#[test]
fn a_folder_with_runner_toml_is_the_project_and_its_runs_are_not_there() {
    let tasks = "    - command: sh -c 'pwd; ls -A artifacts; ls roles'\n      register: seen\n\
                 \x20   - debug: msg='{{ seen.stdout_lines | join(\",\") }}'\n    - include_role: {name: greet}\n";
    each("", "    - debug: msg=x\n", |contained| {
        let text = contained.text("runner.toml");
        let job = "[jobs.play]\nplaybook = \"play.yml\"\ninventory = \"d/inventory\"\nlimit = \"h1\"\n";
        let (head, _) = text.split_once("[jobs.play]").unwrap();
        fs::write(contained.project.path("runner.toml"), format!("{head}{job}")).unwrap();
        fs::write(contained.project.path("play.yml"), format!("{PLAY}{tasks}")).unwrap();
        fs::create_dir_all(contained.project.path("roles/greet/tasks")).unwrap();
        fs::write(contained.project.path("roles/greet/tasks/main.yml"), "- debug: msg=h3llo\n").unwrap();
        let shown = contained.run(&[]).expect(0);
        assert!(shown.stdout.contains("\"msg\": \"/runner/project,greet\""), "{}", shown.stdout);
        assert!(shown.stdout.contains("h3llo"), "{}", shown.stdout);
        // `check` asks nothing of a container.
        let checked = ran(contained.command(&["check"]).output().unwrap()).expect(0);
        assert!(checked.stdout.contains("is fine") || checked.stdout.contains("unused-plugin"), "{checked:?}");
    });
}

#[test]
fn the_command_line_is_that_of_ansible_runner() {
    let contained = Contained::new(Engine::Made, "    - debug: msg=x\n", "");
    let _shown = contained.run(&[]).expect(0);
    let command: Value = serde_json::from_str(&contained.text("artifacts/x/command")).unwrap();
    let words: Vec<&str> = command["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let d = contained.project.path("d").canonicalize().unwrap();
    let first = format!("{}/:/runner/:Z", d.display());
    assert!(words[0].ends_with("bin/docker"), "{words:?}");
    assert_eq!(words[1..7], ["run", "--rm", "--interactive", "--workdir", "/runner/project", "-v"]);
    assert_eq!(words[7], first);
    let place = |word: &str| words.iter().position(|known| *known == word).unwrap();
    let user = format!("--user={}", rustix::process::getuid().as_raw());
    assert!(place("--env-file") < place(&user) && place(&user) < place("--name"), "{words:?}");
    assert!(words[place("--name") + 1].starts_with("ansible_runner_x_"), "{words:?}");
    assert_eq!(words[place("--name") + 2], "image");
    let inner = &words[place("image") + 1..];
    assert_eq!(inner[..3], ["sh", "/playwarden/start", "ansible-playbook"]);
    assert_eq!(inner[3..], ["--inventory", "/runner/inventory", "--forks", "1", "test.yml"]);
}

#[test]
fn a_policy_decides_before_each_start_in_there() {
    let tasks = "    - command: touch /seen/{{ inventory_hostname }}\n    - fail: msg=no\n      when: inventory_hostname == 'h1'\n\
                 \x20   - command: touch /seen/late-{{ inventory_hostname }}\n";
    each("cancel-policies = [\"p\"]", tasks, |contained| {
        let shown = contained.run(&[]).expect(21);
        assert!(shown.stderr.contains("canceled: policy `p`"), "{}", shown.stderr);
        assert_eq!(contained.project.names("seen"), ["h1", "h2"], "{:?}: {shown:?}", contained.engine);
        let run = Evidence::of(&contained.project);
        assert_eq!(run.outcome.status, Status::Canceled);
        assert!(!contained.is_there());
    });
}

#[test]
fn a_person_interrupts_what_runs_in_there() {
    let mark = mark();
    each("", &format!("    - command: sh -c 'touch /seen/up; sleep {mark}'\n"), |contained| {
        let mut child = contained.start();
        appears(&contained.project.path("seen/up"));
        send(&child, Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(20));
        let run = Evidence::of(&contained.project);
        assert_eq!(run.outcome.status, Status::Canceled);
        // Ansible itself ended it, and had time to say so.
        assert_eq!(run.outcome.in_flight.len(), 1, "{:?}", run.outcome);
        assert!(run.text("stdout").contains("TASK [command]"));
        assert!(!contained.is_there() && marked(&mark).is_empty());
        if contained.engine == Engine::Made {
            let asked = fs::read_to_string(contained.project.path("bin/state/asked")).unwrap_or_default();
            assert!(!asked.contains("TERM"), "{asked}");
        }
    });
}

#[test]
fn what_heeds_no_interrupt_is_killed_with_its_container() {
    let stop = "stop = { interrupt = '300ms', terminate = '300ms' }";
    each(stop, "    - debug: msg=x\n", |contained| {
        let mark = mark();
        let script = format!("sh -c \"trap '' TERM USR2; touch /seen/up; sleep {mark} & sleep {mark}; sleep {mark}\"");
        fs::write(contained.project.path("d/args"), script).unwrap();
        // As the file `args` has it, and not a playbook.
        let text = contained.text("runner.toml").replace("playbook = \"test.yml\"\n", "");
        fs::write(contained.project.path("runner.toml"), text).unwrap();
        let mut child = contained.start();
        appears(&contained.project.path("seen/up"));
        send(&child, Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(20));
        assert!(!contained.is_there() && marked(&mark).is_empty(), "{:?}", marked(&mark));
        if contained.engine == Engine::Made {
            let asked = contained.text("bin/state/asked");
            assert!(asked.starts_with("kill TERM\nkill KILL\n"), "{asked}");
        }
    });
}

#[test]
fn nothing_runs_on_when_host_or_guard_is_killed() {
    for who in ["host", "guard"] {
        let mark = mark();
        each("", &format!("    - command: sh -c 'touch /seen/up; sleep {mark}'\n"), |contained| {
            let mut child = contained.start();
            appears(&contained.project.path("seen/up"));
            if who == "host" {
                child.kill().unwrap();
                child.wait().unwrap();
            } else {
                let guards = marked(&contained.project.path("").display().to_string());
                let guard = guards.iter().find(|(_, command)| command.contains("__guard"));
                let guard = guard.map_or_else(|| guard_of(&child), |(pid, _)| *pid);
                kill(guard, Signal::KILL);
                assert_eq!(child.wait().unwrap().code(), Some(74));
            }
            eventually("the container is gone", || !contained.is_there() && marked(&mark).is_empty());
            if who == "host" {
                eventually("the run is closed", || {
                    let rows = ran(contained.command(&["list", "--json"]).output().unwrap()).expect(0).stdout;
                    let rows: Value = serde_json::from_str(&rows).unwrap();
                    rows[0]["status"] == "lost"
                });
                let run = Evidence::of(&contained.project);
                assert!(run.events.iter().any(|event| matches!(event.kind(), EventKind::RunnerOnStart(_))));
            }
        });
    }
}

/// The guard, by its parent.
fn guard_of(child: &Child) -> i32 {
    let path = format!("/proc/{0}/task/{0}/children", child.id());
    let children = fs::read_to_string(path).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_time_limit_holds_while_the_image_is_on_its_way() {
    // An engine that never makes anything, and one that does not answer at all.
    for when in ["[ \"$1\" = run ] || exit 1", "true"] {
        let contained = Contained::new(Engine::Made, "    - debug: msg=x\n", "timeout = '200ms'");
        let mark = mark();
        let script = format!("#!/bin/sh\n{when}\nsleep {mark}\n");
        fs::write(contained.project.path("bin/docker"), script).unwrap();
        let _shown = contained.run(&[]).expect(22);
        assert!(marked(&mark).is_empty(), "{:?}", marked(&mark));
        assert_eq!(contained.text("artifacts/x/status").trim(), "timeout");
    }
}

#[test]
fn an_engine_that_fails_says_why() {
    let contained = Contained::new(Engine::Made, "    - debug: msg=x\n", "");
    let text = contained.text("runner.toml").replace("container = \"image\"", "container = \"missing\"");
    fs::write(contained.project.path("runner.toml"), text).unwrap();
    let shown = contained.run(&[]).expect(12);
    assert!(shown.stderr.contains("Error: no such image: missing"), "{}", shown.stderr);
    let run = Evidence::of(&contained.project);
    assert!(
        matches!(&run.outcome.cause, Some(Cause::CouldNotStart { text }) if text.contains("125")),
        "{:?}",
        run.outcome
    );
}

#[test]
fn callbacks_that_the_project_configures_run_in_there_as_well() {
    let callback = "from ansible.plugins.callback import CallbackBase\n\
                    class CallbackModule(CallbackBase):\n    CALLBACK_VERSION = 2.0\n    CALLBACK_TYPE = 'notification'\n    \
                    CALLBACK_NAME = 'mine'\n    def v2_playbook_on_stats(self, stats):\n        \
                    open('/seen/mine', 'w').close()\n";
    each("", "    - debug: msg=x\n", |contained| {
        let project = contained.project.path("d/project");
        fs::create_dir(project.join("my callbacks")).unwrap();
        fs::write(project.join("my callbacks/mine.py"), callback).unwrap();
        fs::write(project.join("ansible.cfg"), "[defaults]\ncallback_plugins = ./my callbacks:/no/such\n").unwrap();
        let _shown = contained.run(&[]).expect(0);
        assert!(contained.project.path("seen/mine").exists());
    });
}

#[test]
fn a_key_is_in_an_agent_out_here_that_connections_in_there_may_use() {
    const KEY: &str = include_str!("prompts/plain.key");
    each("ssh-key = { file = 'key' }", "    - command: ssh-add -l\n", |contained| {
        fs::write(contained.project.path("key"), KEY).unwrap();
        let shown = contained.run(&["-v"]).expect(0);
        assert!(shown.stdout.contains("SHA256:"), "{}", shown.stdout);
        let mut files = Vec::new();
        crate::evidence::files_below(&contained.project.path("artifacts"), &mut files);
        let line = KEY.lines().nth(2).unwrap();
        assert!(files.iter().all(|file| !String::from_utf8_lossy(&fs::read(file).unwrap()).contains(line)));
    });
}

#[test]
fn answers_are_typed_at_a_terminal_in_there() {
    let job = "passwords = { vault = { file = 'pass' } }";
    for engine in engines().iter().filter(|engine| **engine == Engine::Podman) {
        let contained = Contained::new(*engine, "    - debug: msg={{ hidden }}\n", job);
        let vars = contained.project.path("d/inventory/group_vars");
        fs::create_dir(&vars).unwrap();
        fs::write(contained.project.path("pass"), "t0p-s3cret").unwrap();
        let made = Command::new(venv().join("bin/ansible-vault"))
            .args(["encrypt_string", "--name", "hidden", "found-it", "--vault-password-file"])
            .arg(contained.project.path("pass"))
            .output()
            .unwrap();
        fs::write(vars.join("all.yml"), made.stdout).unwrap();
        let shown = contained.run(&[]).expect(0);
        assert!(shown.stdout.contains("found-it"), "{}", shown.stdout);
        let run = Evidence::of(&contained.project);
        run.hides("t0p-s3cret");
    }
}

#[test]
fn what_cannot_be_in_the_container_is_refused() {
    let contained = Contained::new(Engine::Made, "    - debug: msg=x\n", "");
    let outside = contained.project.path("elsewhere");
    fs::write(&outside, "h1\n").unwrap();
    let shown = contained.run(&["-i", "elsewhere"]).expect(2);
    assert!(
        shown.stderr.contains("the container does not have") && shown.stderr.contains("`mounts`"),
        "{}",
        shown.stderr
    );
    let text = contained.text("runner.toml");
    fs::create_dir(contained.project.path("artifacts")).unwrap();
    for (mounts, why) in [
        ("/:/all", "a container cannot have `/` whole"),
        ("/usr/../home:/h", "cannot have"),
        ("nowhere:/x", "does not exist"),
        ("seen:relative", "does not say what is mounted where"),
        ("seen", "does not say what is mounted where"),
        ("artifacts:/x", "runs are kept there"),
    ] {
        fs::write(contained.project.path("runner.toml"), text.replace("seen:/seen", mounts)).unwrap();
        let shown = contained.run(&[]);
        assert!(matches!(shown.code, Some(2 | 30)) && shown.stderr.contains(why), "{mounts}: {shown:?}");
    }
    fs::write(contained.project.path("runner.toml"), &text).unwrap();
    for options in [json!(["-d"]), json!(["--cidfile=x"]), json!(["--rm=false"])] {
        let keywords = json!({"process_isolation": true, "process_isolation_executable": "docker", "container_image": "x",
                              "container_options": options, "playbook": "test.yml"});
        fs::write(contained.project.path("k.json"), keywords.to_string()).unwrap();
        let shown = contained.run(&["--private-data-dir", "d", "--kwargs", "k.json"]).expect(2);
        assert!(shown.stderr.contains("cannot be set: the run needs its own"), "{}", shown.stderr);
    }
    let role = json!({"process_isolation": true, "process_isolation_executable": "docker", "container_image": "x",
                      "role": "x", "hosts": ["h1"], "roles_path": ["bin"]});
    fs::write(contained.project.path("k.json"), role.to_string()).unwrap();
    let shown = contained.run(&["--private-data-dir", "d", "--kwargs", "k.json"]).expect(2);
    assert!(shown.stderr.contains("the container does not have") && shown.stderr.contains("/bin`"), "{}", shown.stderr);
    let shown = ran(contained.project.command(&["run"]).env("PATH", "/nowhere").output().unwrap());
    assert!(shown.stderr.contains("there is no `docker` on the PATH"), "{}", shown.stderr);
    // No engine takes a line break in a variable.
    fs::create_dir(contained.project.path("d/env")).unwrap();
    fs::write(contained.project.path("d/env/envvars"), "TWO: \"a\\nb\"\n").unwrap();
    let shown = contained.run(&[]);
    assert!(shown.code != Some(0) && shown.stderr.contains("`TWO` has a line break"), "{shown:?}");
}

#[test]
fn a_login_is_in_a_private_file_and_gone_afterwards() {
    // An engine that shows what it was told.
    let contained = Contained::new(Engine::Made, "    - debug: msg=x\n", "");
    let script =
        "#!/bin/sh\necho \"$@\" >&2\ncat \"${1#--config=}/config.json\" >&2\nls -l ${1#--config=} >&2\nexit 125\n";
    fs::write(contained.project.path("bin/docker"), script).unwrap();
    let keywords = json!({
        "private_data_dir": null, "playbook": "test.yml", "process_isolation": true, "process_isolation_executable": "docker",
        "container_image": "quay.io/x/y", "container_options": ["--network=host"], "container_workdir": "/work",
        "container_auth_data": {"host": "quay.io", "username": "me", "password": "t0p-s3cret"},
    });
    let mut keywords = keywords;
    keywords.as_object_mut().unwrap().remove("private_data_dir");
    fs::write(contained.project.path("k.json"), keywords.to_string()).unwrap();
    fs::remove_file(contained.project.path("runner.toml")).unwrap();
    let arguments = ["run", "--private-data-dir", "d", "--run-id", "x", "--kwargs", "k.json"];
    let shown = ran(contained.command(&arguments).output().unwrap());
    assert!(shown.stderr.contains("-rw-------") && shown.stderr.contains("\"auth\""), "{}", shown.stderr);
    assert!(
        shown.stderr.contains("--workdir /work") && shown.stderr.contains("--network=host quay.io/x/y"),
        "{}",
        shown.stderr
    );
    assert!(!contained.project.path("d/artifacts/x/.private").exists());
    let record = contained.text("d/artifacts/x/run.json");
    assert!(!record.contains("t0p-s3cret") && record.contains("quay.io"), "{record}");
}

#[test]
fn many_starts_and_ends_leave_no_container() {
    let mark = mark();
    let tasks = format!("    - command: sh -c 'touch /seen/{{{{ inventory_hostname }}}}; sleep {mark}'\n");
    for engine in engines() {
        for round in figures::rounds(3) {
            let contained = Contained::new(*engine, &tasks, "stop = { interrupt = '20s' }");
            let mut child = contained.start();
            // At any moment: also before there is a container, or anybody in it.
            std::thread::sleep(Duration::from_millis(u64::from(round) * 137 % 1500));
            send(&child, Signal::INT);
            // Without a code: it had not begun to listen.
            assert!(matches!(child.wait().unwrap().code(), Some(20) | None), "round {round}");
            figures::note("cancels", 1);
            let (engine, left) = (contained.engine, marked(&mark));
            assert!(left.is_empty(), "{engine:?}, round {round}: {left:?}");
            assert!(!contained.is_there(), "{engine:?}, round {round}: the container is there");
        }
    }
}
