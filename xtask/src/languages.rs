//! Every language that plugins are written in: its template made, built and tried as an author would, and the two examples,
//! which have to pass the same cases in every language.
//!
//! An example is a template with some of its files replaced (`plugins/languages/LANGUAGE/EXAMPLE`), so what is shown works
//! for whoever begins with `plugin new`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::PossibleValuesParser;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::Value;

use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::setup;
use crate::steps::{Done, Steps, seconds};
use crate::table;

const LANGUAGES: [&str; 8] = ["rust", "python", "javascript", "typescript", "go", "c", "cpp", "zig"];

/// The examples, each with a config to be measured with.
const EXAMPLES: [(&str, &str); 2] = [("fail-budget", "max-failed-hosts=0"), ("audit-jsonl", "{}")];

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only these languages
    #[arg(value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(LANGUAGES))]
    languages: Vec<String>,
    /// Measure nothing
    #[arg(long)]
    no_bench: bool,
    /// Keep the component of each language's template for the test that holds the contract: only before a release, what was
    /// released stays as it is
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    fn languages(&self) -> Vec<&str> {
        if self.languages.is_empty() { LANGUAGES.to_vec() } else { self.languages.iter().map(String::as_str).collect() }
    }
}

/// How many steps [`run`] takes after setting up.
pub(crate) fn steps(arguments: &Arguments) -> usize {
    arguments.languages().len()
}

/// One plugin in one language.
struct Row {
    language: String,
    plugin: &'static str,
    build: Duration,
    cases: usize,
    cost: Option<Cost>,
}

/// As `plugin bench --json` has it.
#[derive(Deserialize)]
struct Cost {
    size: u64,
    cold_ns: u64,
    cached_ns: u64,
    start_ns: u64,
    memory: u64,
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    median_ns: u64,
    event_ns: Option<u64>,
}

/// Sets up what is missing, takes each language, and prints a table.
pub(crate) fn run(project: &Project, arguments: &Arguments, steps: &mut Steps) -> Result<(), Failure> {
    let program = setup::run(project, steps, setup::Built::Tests)?;
    let place = project.path("target/languages");
    let mut rows = Vec::new();
    let mut bad = Vec::new();
    for language in arguments.languages() {
        let of = Language { project, program: &program, place: &place, language };
        steps.take(&format!("Plugins in {language}"), || {
            match of.take(arguments) {
                Ok(more) => rows.extend(more),
                // The others are worth knowing as well.
                Err(failure) => {
                    eprintln!("\n{failure}\n");
                    bad.push(language);
                }
            }
            Ok(Done::Now)
        })?;
    }
    println!("\n{}", shown(&rows));
    let (ran, of) = (arguments.languages().len() - bad.len(), arguments.languages().len());
    println!("{ran} of {of} languages built, and passed their cases; {} are known", LANGUAGES.len());
    if bad.is_empty() { Ok(()) } else { Err(Failure::new(format!("{} failed", bad.join(", ")))) }
}

struct Language<'l> {
    project: &'l Project,
    program: &'l Path,
    place: &'l Path,
    language: &'l str,
}

impl Language<'_> {
    fn take(&self, arguments: &Arguments) -> Result<Vec<Row>, Failure> {
        let mut rows = vec![self.made("my-policy", None, &["-c", "max-failed-hosts=0"], arguments)?];
        if arguments.keep {
            self.keep()?;
        }
        rows.push(self.hooked(arguments)?);
        for (example, config) in EXAMPLES {
            let overlay = self.project.path("plugins/languages").join(self.language).join(example);
            // In Rust the built-in ones are the examples.
            let cases = self.project.path("plugins/languages/cases").join(example);
            let measured = if example == "audit-jsonl" { vec![] } else { vec!["-c", config] };
            rows.push(if overlay.is_dir() {
                self.made(example, Some((&overlay, &cases)), &measured, arguments)?
            } else if self.language == "rust" {
                let component = format!("plugins/target/wasm32-wasip2/release/{}.wasm", example.replace('-', "_"));
                self.tried(example, &self.project.path(&component), Some(&cases), &measured, Duration::ZERO, arguments)?
            } else {
                return Err(Failure::new(format!("there is no `{example}` in {}", self.language)));
            });
        }
        Ok(rows)
    }

    /// Gives the template's project another hook, as its README.md says, and tries that.
    fn hooked(&self, arguments: &Arguments) -> Result<Row, Failure> {
        let folder = self.place.join(self.language).join("my-policy");
        let source = folder.join(match self.language {
            "rust" => "src/lib.rs",
            "python" => "src/plugin.py",
            "javascript" => "src/plugin.js",
            "typescript" => "src/plugin.ts",
            "go" => "main.go",
            "c" => "src/plugin.c",
            "cpp" => "src/plugin.cpp",
            _ => "src/plugin.zig",
        });
        let edit = || {
            let readme = fs::read_to_string(folder.join("README.md"))?;
            let mut code = fs::read_to_string(&source)?;
            let said = |from: &str, to: &str| {
                let begin = readme.split_once(from).map(|(_, rest)| rest);
                let found = begin.and_then(|rest| rest.split_once(to)).map(|(text, _)| text);
                found.ok_or_else(|| std::io::Error::other(format!("README.md has no `{from}` … `{to}`")))
            };
            let block = said("<!-- ANCHOR: hook -->\n", "\n```\n<!-- ANCHOR_END: hook -->")?;
            let (_, hook) = block.split_once('\n').unwrap_or_default();
            if self.language == "rust" {
                let last = format!("playwarden_sdk::export!({});\n", said("`playwarden_sdk::export!(", ");`")?);
                let kept = code.lines().filter(|line| !line.starts_with("playwarden_sdk::export!"));
                code = kept.map(|line| format!("{line}\n")).collect::<String>() + hook + "\n\n" + &last;
            } else {
                code = format!("{code}\n{hook}\n");
                let world = folder.join("wit/plugin.wit");
                let line = said("such as `", "`")?;
                let text = fs::read_to_string(&world)?.replace("\n}", &format!("\n  {line}\n}}"));
                fs::write(world, text)?;
            }
            fs::write(&source, code)
        };
        edit().map_err(|err| {
            Failure::new(format!("cannot give `{}` another hook", self.project.shown(&folder))).because(err)
        })?;
        let build = self.build("my-policy", &folder)?;
        let cases = self.project.path("plugins/languages/cases/no-reboot");
        let component = folder.join("build/my-policy.wasm");
        self.tried("another hook", &component, Some(&cases), &["-c", "max-failed-hosts=0"], build, arguments)
    }

    /// Packs the template's component away.
    fn keep(&self) -> Result<(), Failure> {
        let component = self.place.join(self.language).join("my-policy/build/my-policy.wasm");
        let kept = self.project.path("tests/compat/0.1.0").join(format!("{}.wasm.gz", self.language));
        let keep = || {
            fs::create_dir_all(kept.parent().unwrap_or(&kept))?;
            let mut packed = GzEncoder::new(fs::File::create(&kept)?, Compression::best());
            std::io::copy(&mut fs::File::open(&component)?, &mut packed)?;
            packed.finish().map(drop)
        };
        keep().map_err(|err: std::io::Error| {
            Failure::new(format!("cannot keep `{}`", self.project.shown(&kept))).because(err)
        })
    }

    /// Makes, builds and tries a project.
    fn made(
        &self,
        name: &'static str,
        overlay: Option<(&Path, &Path)>,
        measured: &[&str],
        arguments: &Arguments,
    ) -> Result<Row, Failure> {
        let folder = self.place.join(self.language).join(name);
        let old = fs::remove_dir_all(&folder);
        old.or_else(|err| if err.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(err) })
            .map_err(|err| Failure::new(format!("cannot remove `{}`", self.project.shown(&folder))).because(err))?;
        self.playwarden(&["plugin", "new", &folder.display().to_string(), "--lang", self.language])?;
        if let Some((overlay, _)) = overlay {
            copy(overlay, &folder)
                .map_err(|err| Failure::new(format!("cannot copy `{}`", self.project.shown(overlay))).because(err))?;
        }
        let build = self.build(name, &folder)?;
        let component = folder.join("build").join(format!("{name}.wasm"));
        self.tried(
            name,
            &component,
            overlay.map(|(_, cases)| cases).or(Some(&folder.join("cases"))),
            measured,
            build,
            arguments,
        )
    }

    /// Builds a project; returns how long it took.
    fn build(&self, name: &str, folder: &Path) -> Result<Duration, Failure> {
        let tools = self.place.join("tools").join(self.language);
        let begin = Instant::now();
        let shown = folder.display().to_string();
        let mut build = Command::new(self.program);
        build.args(["plugin", "build", &shown, "--tools", &tools.display().to_string()]);
        if self.language == "rust" {
            // One folder for all projects: what they share is compiled once.
            build.env("CARGO_BUILD_BUILD_DIR", self.place.join("rust-target"));
        }
        command::run(&mut build, &format!("build {name} in {}", self.language))?;
        Ok(begin.elapsed())
    }

    /// Holds the schema of the config, where there is one, against what a schema is: a key says what it may be.
    fn check_schema(&self, component: &str) -> Result<(), Failure> {
        let text = self.playwarden(&["plugin", "inspect", component, "--schema"])?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let wrong = |why: &str| Failure::new(format!("the schema of `{component}` {why}: {text}"));
        let schema: Value = serde_json::from_str(&text).map_err(|err| wrong("is no JSON").because(err))?;
        let keys = schema["properties"].as_object().ok_or_else(|| wrong("names no keys"))?;
        let says = |key: &Value| key.is_object() && (key["type"].is_string() || key["enum"].is_array());
        let mute = keys.iter().find(|(_, key)| !says(key));
        mute.map_or(Ok(()), |(name, _)| Err(wrong(&format!("does not say what `{name}` may be"))))
    }

    fn tried(
        &self,
        plugin: &'static str,
        component: &Path,
        cases: Option<&Path>,
        measured: &[&str],
        build: Duration,
        arguments: &Arguments,
    ) -> Result<Row, Failure> {
        let component = component.display().to_string();
        let mut count = 0;
        if let Some(cases) = cases {
            self.playwarden(&["plugin", "test", &component, "--cases", &cases.display().to_string()])?;
            count = fs::read_dir(cases).map_or(0, Iterator::count);
        }
        self.check_schema(&component)?;
        let cost = if arguments.no_bench {
            None
        } else {
            let base = ["plugin", "bench", &component, "--json"];
            let text = self.playwarden(&[&base[..], measured].concat())?;
            let costs: Vec<Cost> = serde_json::from_str(&text)
                .map_err(|err| Failure::new("`plugin bench --json` is not understood").because(err))?;
            costs.into_iter().next()
        };
        Ok(Row { language: self.language.to_owned(), plugin, build, cases: count, cost })
    }

    /// Runs the program, and returns what it printed; all of it is shown where it failed.
    fn playwarden(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut command = Command::new(self.program);
        command.args(arguments);
        let output = command
            .output()
            .map_err(|err| Failure::new("cannot start the program").because(err).command(command::shown(&command)))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        let said = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
        Err(Failure::new(said).because(output.status).command(command::shown(&command)))
    }
}

/// Copies a folder's files over another's.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn shown(rows: &[Row]) -> String {
    let head =
        ["language", "plugin", "cases", "build", "size", "compile", "load", "start", "memory", "call", "event of 64"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let build = if row.build.is_zero() { "-".to_owned() } else { seconds(row.build) };
        let mut line = vec![row.language.clone(), row.plugin.to_owned(), row.cases.to_string(), build];
        if let Some(cost) = &row.cost {
            let call = cost.calls.first();
            let mib = |bytes: u64| format!("{:.2} MiB", Duration::from_secs(bytes >> 10).as_secs_f64() / 1024.0);
            line.extend([
                mib(cost.size),
                time(cost.cold_ns),
                time(cost.cached_ns),
                time(cost.start_ns),
                mib(cost.memory),
                call.map_or_else(String::new, |call| time(call.median_ns)),
                call.map_or_else(String::new, |call| call.event_ns.map_or_else(String::new, time)),
            ]);
        }
        lines.push(line);
    }
    table::text(&lines)
}

fn time(ns: u64) -> String {
    let time = Duration::from_nanos(ns);
    match ns {
        0..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}
