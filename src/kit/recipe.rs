//! How each language becomes a component.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::bindings::World;
use crate::component;
use crate::hooks;
use crate::language::Language;
use crate::project::Project;
use crate::steps::{BuildError, Step, Told};
use crate::tools;

/// How Rust gets onto a machine, and its target.
const RUST: &str = "install Rust with rustup, then `rustup target add wasm32-wasip2`";

/// The world of a template.
const WORLD: &str = "plugin";

/// What cargo says of a target that is not there.
const NO_TARGET: &str = "target may not be installed";

/// What a program has to be that was installed for the project.
const AGAIN: &str =
    "what was installed for the project is not whole: remove `.tools` and `node_modules`, and build again";

/// Where an interpreter loads a plugin's modules once, when the component is made. What asks the host there ends in a trap,
/// for which each tool has words of its own.
const WHILE_LOADING: &str = "the host was asked for something while a module was loaded: what stands outside of hooks runs when the plugin is \
                             built, so ask inside of a hook";

/// What a component of one build is.
#[derive(Clone, Debug)]
pub struct Built {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub component: Vec<u8>,
}

impl Project {
    /// Builds the component with the language's own tools. What a project may install for itself goes into the folder
    /// `tools`; none is a folder of the project's own. `told` hears of each step as it begins.
    ///
    /// # Errors
    /// When a program is missing that a project may not install, or a step ends badly.
    pub fn build(&self, tools: Option<&Path>, told: Told<'_>) -> Result<Built, BuildError> {
        let own = self.folder.join(".tools");
        let shared = tools;
        let tools = shared.unwrap_or(&own);
        let needs_name = matches!(self.language, Language::Go | Language::C | Language::Cpp | Language::Zig);
        if needs_name && self.world != WORLD {
            let text = format!("names in {} follow from it: `world` in `plugin.toml` must be `{WORLD}`", self.language);
            return Err(BuildError::Component { what: "choosing the world", text });
        }
        let path = self.component();
        let folder = self.folder.join("build");
        fs::create_dir_all(&folder).map_err(|err| BuildError::Io(folder.clone(), err))?;
        let mut exported = Vec::new();
        if self.language != Language::Rust {
            // Before any tool is installed, and in the same words for all of them.
            exported = World::read(self)?.exports();
        }
        for warning in hooks::check(self, &exported)? {
            told(&format!("warning: {warning}"));
        }
        let made = match self.language {
            Language::Rust => self.rust(told)?,
            Language::Python => self.python(tools, &path, told)?,
            Language::JavaScript => self.javascript(shared, "src/plugin.js", &path, told)?,
            Language::TypeScript => self.typescript(shared, &path, told)?,
            Language::Go => self.go(tools, &folder, told)?,
            Language::C => self.c(tools, &folder, told)?,
            Language::Cpp => self.cpp(tools, &folder, told)?,
            Language::Zig => self.zig(tools, &folder, told)?,
        };
        let component = match self.language {
            // The SDK states it.
            Language::Rust => read(&made)?,
            Language::Python | Language::JavaScript | Language::TypeScript => {
                component::versioned(read(&made)?, &self.version)
            }
            Language::Go | Language::C | Language::Cpp | Language::Zig => {
                told("making a component");
                let mut module = read(&made)?;
                if self.language == Language::Go {
                    component::embed(&World::read(self)?, &mut module)?;
                }
                component::versioned(component::of_module(&module)?, &self.version)
            }
        };
        fs::write(&path, &component).map_err(|err| BuildError::Io(path.clone(), err))?;
        Ok(Built { path, component })
    }

    fn rust(&self, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let build = Step::new("compiling", "cargo", &self.folder, RUST).hint_at(NO_TARGET, RUST);
        let args = ["build", "--release", "--target", "wasm32-wasip2", "--message-format=json-render-diagnostics"];
        let said = build.args(args).prints_data().run(told)?;
        // The SDK is no component: the last one is the plugin.
        let made = said.lines().filter_map(component_of).next_back();
        made.ok_or_else(|| BuildError::Component {
            what: "looking for what cargo made",
            text: "the package is no `cdylib`: `Cargo.toml` needs `crate-type = [\"cdylib\"]` below `[lib]`".to_owned(),
        })
    }

    fn python(&self, tools: &Path, path: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let programs = tools::python(tools, &self.folder, told)?;
        let tool = programs.join("componentize-py");
        // For the author's editor; the component is made without.
        let bindings = self.folder.join("build/gen");
        clear(&bindings)?;
        let generate = Step::new("generating bindings", &tool, &self.folder, AGAIN);
        generate.args(["-q", "-d", "wit", "-w", &self.world, "bindings"]).args([&bindings]).run(told)?;
        let make = Step::new("making a component", &tool, &self.folder, AGAIN)
            .hint_at("trapping stub: playwarden:plugin/", WHILE_LOADING);
        make.args(["-q", "-d", "wit", "-w", &self.world, "componentize", "-p", "src", "plugin", "-o"])
            .args([path])
            // Where its packages are.
            .env("VIRTUAL_ENV", programs.parent().unwrap_or(&programs))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .run(told)?;
        Ok(path.to_owned())
    }

    fn javascript(
        &self,
        tools: Option<&Path>,
        source: &str,
        path: &Path,
        told: Told<'_>,
    ) -> Result<PathBuf, BuildError> {
        let programs = tools::node(tools, &self.folder, told)?;
        let make = Step::new("making a component", programs.join("componentize-qjs"), &self.folder, AGAIN);
        make.args(["-w", "wit", "-n", &self.world, "-j", source, "--sync", "-o"])
            .args([path])
            .hint_at("` has not been defined", WHILE_LOADING)
            .run(told)?;
        Ok(path.to_owned())
    }

    fn typescript(&self, tools: Option<&Path>, path: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let programs = tools::node(tools, &self.folder, told)?;
        clear(&self.folder.join("build/js"))?;
        Step::new("compiling", programs.join("tsc"), &self.folder, AGAIN).args(["-p", "."]).run(told)?;
        self.javascript(tools, "build/js/plugin.js", path, told)
    }

    fn go(&self, tools: &Path, folder: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let programs = tools::python(tools, &self.folder, told)?;
        let bindings = folder.join("gen");
        clear(&bindings)?;
        World::read(self)?.for_go(&bindings)?;
        let core = folder.join("core.wasm");
        let build = Step::new("compiling", programs.join("go"), &self.folder, AGAIN)
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm")
            .env("GOCACHE", tools.join("go-cache"))
            // All that it needs is there.
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .env("GOFLAGS", "");
        build
            .args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-checklinkname=0 -s -w", "-o"])
            .args([core.as_path(), Path::new(".")])
            .run(told)?;
        Ok(core)
    }

    fn c(&self, tools: &Path, folder: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let programs = tools::python(tools, &self.folder, told)?;
        World::read(self)?.for_c(&folder.join("gen"))?;
        let core = folder.join("core.wasm");
        let mut sources = sources(&self.folder.join("src"), &["c"])?;
        sources.extend(self::sources(&self.folder.join("sdk"), &["c"])?);
        self.ziglang(tools, &programs, "compiling")
            .args([
                "cc",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-std=c17",
                "-Oz",
                "-UNDEBUG",
                "-Wall",
                "-Wextra",
            ])
            .args(["-Wno-missing-field-initializers", "-Wl,--strip-debug,-z,stack-size=1048576"])
            .args(["-Ibuild/gen", "-Isdk", "build/gen/plugin.c", "build/gen/plugin_component_type.o"])
            .args(&sources)
            .args([Path::new("-o"), &core])
            .run(told)?;
        Ok(core)
    }

    fn cpp(&self, tools: &Path, folder: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let programs = tools::python(tools, &self.folder, told)?;
        World::read(self)?.for_c(&folder.join("gen"))?;
        let objects = folder.join("obj");
        clear(&objects)?;
        fs::create_dir_all(&objects).map_err(|err| BuildError::Io(objects.clone(), err))?;
        let mut linked = vec![PathBuf::from("build/gen/plugin_component_type.o")];
        let sdk = sources(&self.folder.join("sdk"), &["c"])?;
        for source in sdk.into_iter().chain([folder.join("gen/plugin.c")]) {
            let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let object = objects.join(format!("{name}.o"));
            self.ziglang(tools, &programs, &format!("compiling {name}"))
                .args(["cc", "-target", "wasm32-wasi", "-std=c17", "-Oz", "-UNDEBUG", "-Wall", "-Wextra"])
                .args(["-Wno-missing-field-initializers", "-Ibuild/gen", "-Isdk", "-c"])
                .args([source.as_path(), Path::new("-o"), &object])
                .run(told)?;
            linked.push(object);
        }
        let core = folder.join("core.wasm");
        self.ziglang(tools, &programs, "compiling")
            .args([
                "c++",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-std=c++20",
                "-fno-exceptions",
                "-fno-rtti",
            ])
            .args(["-Oz", "-UNDEBUG", "-Wall", "-Wextra", "-Wno-missing-field-initializers"])
            .args(["-Wno-missing-designated-field-initializers", "-Wl,--strip-debug,-z,stack-size=1048576"])
            .args(["-Ibuild/gen", "-Isdk"])
            .args(sources(&self.folder.join("src"), &["cpp"])?)
            .args(&linked)
            .args([Path::new("-o"), &core])
            .run(told)?;
        Ok(core)
    }

    fn zig(&self, tools: &Path, folder: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
        let programs = tools::python(tools, &self.folder, told)?;
        let bindings = folder.join("gen");
        World::read(self)?.for_c(&bindings)?;
        let translated = self
            .ziglang(tools, &programs, "translating the header")
            .args(["translate-c", "-target", "wasm32-wasi", "-lc", "-Ibuild/gen", "sdk/c.h"])
            .run(told)?;
        write(&bindings.join("c.zig"), &translated)?;
        self.ziglang(tools, &programs, "compiling")
            .args([
                "build-exe",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-lc",
                "-O",
                "ReleaseSafe",
                "-fstrip",
            ])
            .args(["-rdynamic", "--stack", "1048576", "-Ibuild/gen", "build/gen/plugin.c"])
            .args(["build/gen/plugin_component_type.o", "--dep", "playwarden", "--dep", "c", "-Mroot=src/plugin.zig"])
            .args(["--dep", "c", "-Mplaywarden=sdk/playwarden.zig", "-lc", "-Mc=build/gen/c.zig"])
            .args(["-femit-bin=build/core.wasm"])
            .run(told)?;
        Ok(folder.join("core.wasm"))
    }

    fn ziglang(&self, tools: &Path, programs: &Path, what: &str) -> Step {
        let step = Step::new(what, programs.join("python"), &self.folder, AGAIN).args(["-m", "ziglang"]);
        step.env("ZIG_GLOBAL_CACHE_DIR", tools.join("zig-cache")).env("ZIG_LOCAL_CACHE_DIR", tools.join("zig-cache"))
    }
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|err| BuildError::Io(path.to_owned(), err))
}

/// The component of a line of cargo's, if it tells of one.
fn component_of(line: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    artifact.filenames.into_iter().find(|path| path.extension().is_some_and(|of| of == "wasm"))
}

/// The files of a folder with one of these extensions, in order.
fn sources(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, BuildError> {
    let entries = fs::read_dir(folder).map_err(|err| BuildError::Io(folder.to_owned(), err))?;
    let is_source = |path: &PathBuf| path.extension().is_some_and(|of| extensions.iter().any(|word| of == *word));
    let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_source).collect();
    found.sort();
    Ok(found)
}

fn clear(folder: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(BuildError::Io(folder.to_owned(), err)),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|err| BuildError::Io(path.to_owned(), err))
}
