//! The container that Ansible runs in: what is mounted where, and the command that makes it.
//!
//! The command is that of ansible-runner, so that images made for it work: a private data dir is `/runner`, the project
//! `/runner/project`, and Ansible is started there. What the run needs itself is at [`SHARED`].

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::process::getuid;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::resolve::Resolver;
use super::{AnsiblePlan, JobPlan, Secret, Work, ansible, files};
use crate::config::{AnsibleUse, Engine, Finding};

/// Where a private data dir is.
const RUNNER: &str = "/runner";

/// Where the project is, and Ansible is started.
const PROJECT: &str = "/runner/project";

/// Where the run's own folder for the container is.
pub(crate) const SHARED: &str = "/playwarden";

/// What is written there: what Ansible prints, and what no host takes.
pub(crate) const WRITTEN: [&str; 3] = ["stdout", "stderr", "spill"];

/// Options of engines that would take the container out of our hands.
const NOT_TAKEN: [&str; 5] = ["--detach", "--cidfile", "--name", "--rm", "--env-file"];

/// Where the socket of the run's ssh agent is.
pub(crate) const AGENT: &str = "/playwarden-agent";

/// Folders of a machine that no container gets whole, as in ansible-runner.
const TOO_MUCH: [&str; 3] = ["/", "/home", "/usr"];

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerPlan {
    /// What makes it.
    pub engine: Engine,
    /// Where that is.
    #[serde(serialize_with = "super::text")]
    pub program: PathBuf,
    /// The image, as the engine takes its name.
    pub image: String,
    /// Where Ansible is started in it.
    #[serde(serialize_with = "super::text")]
    pub folder: PathBuf,
    /// What it sees of this machine; the first one is the job's own folder.
    pub mounts: Vec<Mount>,
    /// Further arguments of the engine.
    pub options: Vec<String>,
    /// Where the image is fetched from, when that wants a login.
    pub registry: Option<Registry>,
}

/// A folder or file of this machine in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// Where it is here, absolute.
    #[serde(serialize_with = "super::text")]
    pub source: PathBuf,
    /// Where it is there.
    #[serde(serialize_with = "super::text")]
    pub target: PathBuf,
    /// As the engine takes them.
    pub options: Option<String>,
}

/// How a registry of images is logged in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registry {
    /// Its name.
    pub host: String,
    /// The user.
    pub username: String,
    /// The user's password or token.
    pub password: Secret,
    /// Whether its certificate is looked at.
    pub verify_ssl: bool,
}

/// What ansible-runner's keywords and settings say of a container.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) engine: Option<String>,
    pub(super) image: Option<String>,
    pub(super) mounts: Vec<String>,
    pub(super) options: Vec<String>,
    pub(super) folder: Option<String>,
    pub(super) auth: Option<Map<String, Value>>,
}

/// What the command of a container has besides the plan.
#[derive(Debug)]
pub(crate) struct Making<'a> {
    /// The run's folder for the container, which is [`SHARED`] there, and cannot be changed from there.
    pub(crate) shared: &'a Path,
    /// The run's private folder, which has the files [`WRITTEN`].
    pub(crate) private: &'a Path,
    /// An empty folder, in whose place it would see other runs.
    pub(crate) nothing: &'a Path,
    /// Where runs are kept.
    pub(crate) artifacts: &'a Path,
    /// A file of `NAME=VALUE` lines.
    pub(crate) env_file: &'a Path,
    /// The file into which the engine writes the container's id.
    pub(crate) id_file: &'a Path,
    /// How the engine is told of a login.
    pub(crate) login: Option<OsString>,
    /// The folder of a fact cache.
    pub(crate) facts: Option<PathBuf>,
    /// The container's name: see [`container_name`].
    pub(crate) name: &'a str,
    pub(crate) has_terminal: bool,
}

impl ContainerPlan {
    /// Returns where a path of this machine is in the container; none when it is not there. Links are followed here, since they
    /// lead elsewhere there. What only exists there is where it is.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        let real = files::settled(path);
        let mounts = self.mounts.iter().filter_map(|mount| Some((mount, mount.below(&real)?)));
        // The nearest; of two that are as near the first.
        let nearest = mounts.min_by_key(|(_, below)| below.components().count());
        let there = || self.mounts.iter().any(|mount| path.starts_with(&mount.target)) && !path.exists();
        nearest.map(|(mount, below)| mount.at(&below)).or_else(|| there().then(|| path.to_owned()))
    }

    /// Returns every place at which the container would see the runs that are kept in a folder.
    fn views_of(&self, artifacts: &Path) -> Vec<PathBuf> {
        let real = files::settled(artifacts);
        self.mounts.iter().filter_map(|mount| Some(mount.at(&mount.below(&real)?))).collect()
    }

    /// Returns the engine's arguments up to the command in the container, and the index at which more mounts may be added.
    pub(crate) fn arguments(&self, making: &Making<'_>) -> (Vec<OsString>, usize) {
        let mut to: Vec<OsString> = Vec::new();
        let mut words = |words: &[&str]| to.extend(words.iter().map(OsString::from));
        if let (Engine::Docker, Some(login)) = (self.engine, &making.login) {
            words(&[&login.to_string_lossy()]);
        }
        words(&["run", "--rm"]);
        if making.has_terminal {
            words(&["--tty"]);
        }
        words(&["--interactive", "--workdir", &self.folder.to_string_lossy()]);
        for mount in &self.mounts {
            mount.push_to(&mut to);
        }
        if let (Engine::Podman, Some(login)) = (self.engine, &making.login) {
            to.push(login.clone());
        }
        for hidden in self.views_of(making.artifacts) {
            Mount::private(making.nothing, &hidden).push_to(&mut to);
        }
        let there = Path::new(SHARED);
        Mount { options: Some("ro,Z".to_owned()), ..Mount::private(making.shared, there) }.push_to(&mut to);
        for name in WRITTEN {
            Mount::private(&making.private.join(name), &there.join(name)).push_to(&mut to);
        }
        if let Some(facts) = &making.facts {
            Mount::private(facts, &there.join("fact_cache")).push_to(&mut to);
        }
        let more = to.len();
        to.extend(["--env-file".into(), making.env_file.into(), "--cidfile".into(), making.id_file.into()]);
        let own_user = self
            .options
            .iter()
            .any(|option| option == "-u" || ["--user", "--userns"].iter().any(|name| option.starts_with(name)));
        match self.engine {
            Engine::Podman => {
                to.push("--quiet".into());
                // Who is root there is who started it, as far as files are concerned; any other user could not reach them.
                if !own_user {
                    to.push("--user=root".into());
                }
            }
            Engine::Docker if !own_user => to.push(format!("--user={}", getuid().as_raw()).into()),
            Engine::Docker => {}
        }
        to.extend(["--name".into(), making.name.into()]);
        to.extend(self.options.iter().map(OsString::from));
        to.push((&self.image).into());
        (to, more)
    }
}

impl Mount {
    /// One that is this container's alone, also where SELinux labels decide about that.
    fn private(source: &Path, target: &Path) -> Self {
        Self { source: source.to_owned(), target: target.to_owned(), options: Some("Z".to_owned()) }
    }

    /// What of a path without links is below it.
    fn below(&self, real: &Path) -> Option<PathBuf> {
        Some(real.strip_prefix(files::settled(&self.source)).ok()?.to_owned())
    }

    /// Where that is in the container.
    fn at(&self, below: &Path) -> PathBuf {
        // `join("")` would end in a slash.
        if below.as_os_str().is_empty() { self.target.clone() } else { self.target.join(below) }
    }

    fn push_to(&self, to: &mut Vec<OsString>) {
        // Folders end in a slash, as in ansible-runner.
        let end = if self.source.is_dir() { "/" } else { "" };
        let mut word = OsString::new();
        for part in
            [self.source.as_os_str(), OsStr::new(end), OsStr::new(":"), self.target.as_os_str(), OsStr::new(end)]
        {
            word.push(part);
        }
        if let Some(options) = &self.options {
            word.push(":");
            word.push(options);
        }
        to.extend(["-v".into(), word]);
    }
}

/// What ansible-runner calls the container of a run, and of which folder's run it is: a name may exist once on a machine, and
/// an id once in a folder.
pub(crate) fn container_name(run_id: &str, artifacts: &Path) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "_-".contains(letter) { letter } else { '_' };
    let digest = crate::hex(&Sha256::digest(artifacts.join(run_id).as_os_str().as_encoded_bytes()));
    format!("ansible_runner_{}_{}", run_id.chars().map(plain).collect::<String>(), &digest[..8])
}

impl Resolver<'_> {
    /// Finds out how Ansible runs in a container: by what ansible-runner's settings want, else by runner.toml. None where
    /// it is to run on this machine as it is.
    pub(super) fn container(
        &mut self,
        wanted: Option<Wanted>,
        data_dir: Option<&Path>,
        project: &Path,
        artifacts: &Path,
        work: &Work,
    ) -> Option<Result<AnsiblePlan, Box<Finding>>> {
        let of_file = match &self.config.ansible.used {
            AnsibleUse::Container(container) => Some(Wanted {
                engine: Some(container.engine.program().to_owned()),
                image: Some(container.image.clone()),
                mounts: container.mounts.clone(),
                ..Wanted::default()
            }),
            _ => None,
        };
        let is_of_file = wanted.is_none();
        // Who runs the job elsewhere is told of it there.
        let wanted = wanted.or(of_file).filter(|_| !self.elsewhere)?;
        Some(self.make(wanted, is_of_file, data_dir, project, artifacts).map(|container| AnsiblePlan {
            executable: work.program().into(),
            config: "ansible-config".into(),
            on_host_loss: self.config.ansible.on_host_loss,
            container: Some(container),
        }))
    }

    /// Whether a path is meant as the container has it.
    pub(super) fn is_inside(&self, path: &Path) -> bool {
        self.contained && path.starts_with(RUNNER)
    }

    fn make(
        &mut self,
        wanted: Wanted,
        is_of_file: bool,
        data_dir: Option<&Path>,
        project: &Path,
        artifacts: &Path,
    ) -> Result<ContainerPlan, Box<Finding>> {
        let (span, path) = match is_of_file {
            true => (self.config.span_of_ansible_use(), self.config.path().to_owned()),
            false => (None, PathBuf::new()),
        };
        let refuse = |code, message: String, help: &str| {
            Box::new(Finding::error(code, &path, message).at(span.clone()).help(help.to_owned()))
        };
        let program = wanted.engine.as_deref().unwrap_or("podman");
        let engine = match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some("podman") => Engine::Podman,
            Some("docker") => Engine::Docker,
            _ => {
                let message = format!("isolation by `{program}` is not offered: only a container isolates");
                let help = "set `process_isolation_executable` to `podman` or `docker`, and name a `container_image`";
                return Err(refuse("not-offered", message, help));
            }
        };
        let Some(image) = wanted.image.filter(|image| !image.is_empty() && !image.starts_with('-')) else {
            let message = "a run is to be isolated, and no image is named".to_owned();
            return Err(refuse("bad-argument", message, "name a `container_image`, or leave out `process_isolation`"));
        };
        let registry = wanted.auth.as_ref().map(registry).transpose().map_err(|key| {
            let message = format!("`container_auth_data` has no usable `{key}`");
            refuse("bad-value", message, "it has `host`, `username`, `password` and perhaps `verify_ssl`")
        })?;
        let program = match program.contains('/') {
            true => {
                Some(files::absolute(program, &self.root, self.environment)).filter(|path| ansible::is_executable(path))
            }
            false => ansible::on_path(program, self.environment),
        };
        let Some(program) = program else {
            let name = engine.program();
            let message = format!("there is no `{name}` on the PATH, which is to run the container");
            return Err(refuse("no-engine", message, "install it, or choose the other one of podman and docker"));
        };

        let mut mounts = vec![match data_dir {
            Some(folder) => Mount::private(folder, Path::new(RUNNER)),
            None => Mount::private(&self.root, Path::new(PROJECT)),
        }];
        if let Some(folder) = data_dir
            .filter(|folder| mounts[0].below(&files::settled(project)).is_none() || !project.starts_with(folder))
        {
            if project.starts_with(folder) {
                let shown = project.display();
                let message =
                    format!("`{shown}` leads out of the data dir, and the container does not have that place");
                return Err(refuse(
                    "not-mounted",
                    message,
                    "move the folder itself there, or name it with `--project-dir`",
                ));
            }
            mounts.push(Mount::private(project, Path::new(PROJECT)));
        }
        for written in &wanted.mounts {
            let (source, rest) = written.split_once(':').unwrap_or((written, written));
            let (target, options) = match rest.split_once(':') {
                Some((target, options)) => (target, Some(options.to_owned())),
                None => (rest, None),
            };
            let source = files::absolute(source, &self.root, self.environment);
            if !Path::new(target).is_absolute() {
                let message = format!("`{written}` does not say what is mounted where");
                return Err(refuse("bad-value", message, "write `SOURCE:/TARGET` or `SOURCE:/TARGET:OPTIONS`"));
            }
            if !source.exists() {
                let message = format!("`{}`, which the container is to have, does not exist", source.display());
                return Err(refuse("missing-file", message, "make it, or correct the mount"));
            }
            mounts.push(Mount { source, target: target.into(), options });
        }
        for mount in &mounts {
            let shown = mount.source.display();
            let settled = files::settled(&mount.source);
            if TOO_MUCH.iter().any(|folder| settled == Path::new(folder)) {
                let message = format!("a container cannot have `{shown}` whole");
                return Err(refuse("bad-value", message, "mount a folder below it"));
            }
            if has_separator(&mount.source) || has_separator(&mount.target) {
                let message = format!("`{shown}` has a colon or a comma, which no engine can mount");
                return Err(refuse("bad-value", message, "give the folder another name"));
            }
            if mount.below(&files::settled(artifacts)).is_some_and(|below| below.as_os_str().is_empty())
                || files::settled(&mount.source).starts_with(files::settled(artifacts))
            {
                let message = format!("the container is to have `{shown}`, and runs are kept there");
                return Err(refuse("bad-value", message, "keep runs in a folder of their own"));
            }
        }
        if has_separator(artifacts) {
            let message = format!("`{}` has a colon or a comma, which no engine can mount", artifacts.display());
            return Err(refuse("bad-value", message, "keep runs in a folder of another name"));
        }
        let is_taken = |option: &&String| {
            let name = option.split('=').next().unwrap_or_default();
            NOT_TAKEN.contains(&name) || (option.starts_with("-d") && !option.starts_with("--"))
        };
        if let Some(option) = wanted.options.iter().find(is_taken) {
            let message = format!("the container's option `{option}` cannot be set: the run needs its own");
            return Err(refuse("bad-value", message, "leave it out"));
        }
        let plan =
            ContainerPlan { engine, program, image, folder: PathBuf::new(), mounts, options: wanted.options, registry };
        let folder = wanted.folder.map(PathBuf::from).or_else(|| plan.inside(project));
        Ok(ContainerPlan { folder: folder.unwrap_or_else(|| PROJECT.into()), ..plan })
    }
}

/// Whether a path has what separates the parts of a mount.
fn has_separator(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b":,".contains(byte))
}

fn registry(auth: &Map<String, Value>) -> Result<Registry, &'static str> {
    let text = |key: &'static str| auth.get(key).and_then(Value::as_str).ok_or(key);
    Ok(Registry {
        host: text("host")?.to_owned(),
        username: text("username")?.to_owned(),
        password: Secret::new(text("password")?),
        verify_ssl: auth.get("verify_ssl").is_none_or(|value| value.as_bool().unwrap_or(true)),
    })
}

impl JobPlan {
    /// Names everything as the container sees it. Returns what it does not see, also of what is `needed` besides.
    pub(super) fn move_inside(&mut self, needed: &[PathBuf]) -> Vec<PathBuf> {
        let Some(container) = &self.ansible.container else { return Vec::new() };
        let mut unseen: Vec<_> = needed.iter().filter(|path| container.inside(path).is_none()).cloned().collect();
        let mut moved = |path: &Path| {
            container.inside(path).unwrap_or_else(|| {
                unseen.push(path.to_owned());
                path.to_owned()
            })
        };
        for source in &mut self.inventory {
            let path = Path::new(&*source);
            // What has a comma is a list of hosts.
            if path.is_absolute() && !source.as_encoded_bytes().contains(&b',') {
                *source = moved(path).into();
            }
        }
        for file in &mut self.handed.extra_vars_files {
            *file = moved(Path::new(&*file)).into();
        }
        for vars in &mut self.more_extra_vars {
            if let Some(file) = vars.to_str().and_then(|vars| vars.strip_prefix('@')) {
                let mut word = OsString::from("@");
                word.push(moved(Path::new(file)));
                *vars = word;
            }
        }
        for id in &mut self.vault_ids {
            let (label, file) = id.split_once('@').map_or(("", id.as_str()), |(label, file)| (label, file));
            if Path::new(file).is_absolute() {
                let at = if id.contains('@') { "@" } else { "" };
                *id = format!("{label}{at}{}", moved(Path::new(file)).display());
            }
        }
        if let Work::Playbook { path } = &mut self.work
            && path.is_absolute()
        {
            *path = moved(path);
        }
        // Others of them are the image's own.
        if let Some(paths) = self.env.get_mut("ANSIBLE_ROLES_PATH") {
            let inside = |part: &str| container.inside(Path::new(part)).map(|path| path.display().to_string());
            let parts = paths.split(':').map(|part| inside(part).unwrap_or_else(|| part.to_owned()));
            *paths = parts.collect::<Vec<_>>().join(":");
        }
        unseen
    }
}
