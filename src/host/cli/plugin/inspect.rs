//! `plugin inspect`: what a component offers, needs and is made of.

use std::borrow::Cow;
use std::fmt::Write as _;

use clap::Args;
use playwarden_sandbox::{Code, Limits, Survey};
use serde::Serialize;

use super::chosen;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::run::{runtime, sandbox};
use crate::cli::runs::print_json;
use crate::cli::terminal;
use crate::plan::Component;
use crate::report::tried::size;

#[derive(Args, Debug)]
pub(in crate::cli) struct InspectArguments {
    /// A plugin of runner.toml, a built-in one, or the path of a component
    plugin: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema of its config, and nothing else
    #[arg(long, conflicts_with = "json")]
    schema: bool,
}

#[derive(Serialize)]
struct Shown<'s> {
    name: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'s str>,
    sha256: &'s str,
    size: u64,
    /// Versions of the contract that it names.
    contract: Vec<&'s str>,
    hooks: Vec<&'static str>,
    /// Interfaces of the contract that it exports.
    exports: Vec<&'s str>,
    imports: &'s [String],
    /// Lines of runner.toml without which it does not load or does nothing useful.
    grants: Vec<String>,
    /// Bytes of memory that it begins with.
    memory: u64,
    producers: &'s [(String, String, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<serde_json::Value>,
}

pub(super) fn inspect(context: &Context, arguments: &InspectArguments) -> Result<Exit, Exit> {
    let plan = chosen::plan(context, &arguments.plugin, None)?;
    let bytes = bytes(context, &plan.component)?;
    let survey = Survey::of(&bytes);
    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let code = match &plan.component {
        Component::Path(path) => Code::File(path),
        Component::Builtin(_) => Code::Bytes { bytes: &bytes },
    };
    let plugin = runtime.block_on(sandbox.inspect(&plan.name, code)).map_err(|err| {
        terminal::error(&err, Some(&err.hint()), context.color());
        Exit::PluginLoad
    })?;
    let schema = runtime.block_on(plugin.schema(Limits::default())).map_err(|fault| {
        let hint = (!fault.stderr.is_empty()).then(|| fault.stderr.clone());
        terminal::complain(&format!("plugin `{}` {fault}", plan.name), hint.as_deref(), context.color());
        Exit::PluginFault
    })?;
    if arguments.schema {
        terminal::out(&format!("{}\n", schema.trim_end()));
        return Ok(Exit::Success);
    }
    let shown = Shown {
        name: &plan.name,
        version: survey.version.as_deref(),
        sha256: &survey.sha256,
        size: survey.size,
        contract: survey.contract(),
        hooks: plugin.hooks().names(),
        exports: survey.offers().collect(),
        imports: &survey.imports,
        grants: grants(&survey),
        memory: survey.memory,
        producers: &survey.producers,
        schema: serde_json::from_str(&schema).ok(),
    };
    if arguments.json {
        print_json(&shown);
    } else {
        terminal::out(&text(&shown));
    }
    Ok(Exit::Success)
}

/// Reads a component.
pub(super) fn bytes(context: &Context, component: &Component) -> Result<Vec<u8>, Exit> {
    crate::run::component(component).map(Cow::into_owned).map_err(|text| {
        terminal::complain(&text, Some("build the component, or name another"), context.color());
        Exit::PluginLoad
    })
}

/// Lines of a plugin's table `grants` for what it imports.
pub(super) fn grants(survey: &Survey) -> Vec<String> {
    let imports = |interface: &str| survey.imports.iter().any(|name| name.starts_with(interface));
    let mut lines = Vec::new();
    if imports("wasi:http/") {
        lines.push("http = [\"https://HOST\"]".to_owned());
    }
    lines
}

fn text(shown: &Shown<'_>) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            let value = value.replace('\n', "\n          ");
            writeln!(text, "{name:9} {value}").ok();
        }
    };
    row("plugin", format!("{} {}", shown.name, shown.version.unwrap_or("(states no version)")));
    row("sha256", shown.sha256.to_owned());
    row("size", size(shown.size));
    row("memory", format!("{} to begin with", size(shown.memory)));
    row("contract", shown.contract.join(", "));
    row("hooks", if shown.hooks.is_empty() { "none".to_owned() } else { shown.hooks.join(", ") });
    row("exports", shown.exports.join(", "));
    row("imports", shown.imports.join("\n"));
    let grants = match &shown.grants[..] {
        [] => "none needed to load it".to_owned(),
        lines => format!("[plugins.{}.grants]\n{}", shown.name, lines.join("\n")),
    };
    row("grants", grants);
    let by = shown.producers.iter().map(|(_, name, version)| format!("{name} {version}").trim().to_owned());
    row("made by", by.collect::<Vec<_>>().join(", "));
    match &shown.schema {
        None => row("config", "it has no schema of it".to_owned()),
        Some(schema) => row("config", keys(schema)),
    }
    text
}

/// The keys of a schema, a line each.
fn keys(schema: &serde_json::Value) -> String {
    let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) else {
        return "see `--schema`".to_owned();
    };
    let width = properties.keys().map(String::len).max().unwrap_or(0);
    let line = |(name, property): (&String, &serde_json::Value)| {
        let text =
            |key: &str| property.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let default = text("default").map(|default| format!(" (default {default})")).unwrap_or_default();
        let what = text("description").unwrap_or_default();
        let first = what.split_inclusive(". ").next().unwrap_or_default().trim().to_owned();
        format!("{name:width$}  {first}{default}").trim_end().to_owned()
    };
    properties.iter().map(line).collect::<Vec<_>>().join("\n")
}
