//! `plugin bench`: what a plugin costs, beside the built-in ones.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::chosen::{self, ConfigArguments};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::run::runtime;
use crate::cli::runs::print_json;
use crate::cli::terminal;
use crate::plan::{Component, PluginPlan};
use crate::report::tried::size;
use crate::trial::{self, Cost, CostError};

/// What others are measured beside: a policy and an event handler.
const BESIDE: [(&str, &str); 2] = [("fail-budget", r#"{"max-failed-hosts":0}"#), ("audit-jsonl", "{}")];

#[derive(Args, Debug)]
pub(in crate::cli) struct BenchArguments {
    /// A plugin of runner.toml, a built-in one, or the path of a component
    plugin: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// Print JSON, times in nanoseconds
    #[arg(long)]
    json: bool,
}

/// One plugin in `plugin bench --json`.
#[derive(Serialize)]
struct Row<'c> {
    plugin: &'c str,
    size: u64,
    cold_ns: u64,
    cached_ns: u64,
    start_ns: u64,
    memory: u64,
    calls: Vec<Call>,
}

#[derive(Serialize)]
struct Call {
    call: &'static str,
    median_ns: u64,
    slow_ns: u64,
    /// None where there are no lists.
    event_ns: Option<u64>,
}

impl<'c> Row<'c> {
    fn of((plugin, cost): &'c (String, Cost)) -> Self {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let calls = cost.hooks.iter().map(|hook| Call {
            call: hook.call,
            median_ns: ns(hook.median),
            slow_ns: ns(hook.slow),
            event_ns: hook.event.map(ns),
        });
        Self {
            plugin,
            size: cost.size,
            cold_ns: ns(cost.cold),
            cached_ns: ns(cost.cached),
            start_ns: ns(cost.start),
            memory: cost.memory,
            calls: calls.collect(),
        }
    }
}

pub(super) fn bench(context: &Context, arguments: &BenchArguments) -> Result<Exit, Exit> {
    let mut plan = chosen::plan(context, &arguments.plugin, None)?;
    arguments.config.over(&mut plan);
    plan.grants = crate::plan::Grants::default();
    let mut rows = vec![measured(context, &plan)?];
    for (name, config) in BESIDE.into_iter().filter(|(name, _)| *name != plan.name) {
        let config = serde_json::from_str(config).unwrap_or_default();
        let other = PluginPlan { config, ..PluginPlan::new(name, Component::Builtin(name.to_owned())) };
        rows.push(measured(context, &other)?);
    }
    if arguments.json {
        print_json(&rows.iter().map(Row::of).collect::<Vec<_>>());
    } else {
        terminal::out(&table(&rows));
    }
    Ok(Exit::Success)
}

fn measured(context: &Context, plan: &PluginPlan) -> Result<(String, Cost), Exit> {
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let cost = runtime.block_on(trial::measure(plan)).map_err(|err| match err {
        CostError::Unusable(troubles) => chosen::unusable(context, &plan.name, troubles),
        CostError::Fault(fault) => {
            let hint = (!fault.stderr.is_empty()).then(|| fault.stderr.clone());
            terminal::complain(&format!("plugin `{}` {fault}", plan.name), hint.as_deref(), context.color());
            Exit::PluginFault
        }
        other => {
            terminal::error(&other, None, context.color());
            Exit::CouldNotStart
        }
    })?;
    Ok((plan.name.clone(), cost))
}

fn table(rows: &[(String, Cost)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(6);
    let mut text = format!(
        "{:width$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}\n",
        "plugin", "size", "compile", "load", "start", "memory"
    );
    for (name, cost) in rows {
        let [cold, cached, start] = [cost.cold, cost.cached, cost.start].map(time);
        let [bytes, memory] = [cost.size, cost.memory].map(size);
        writeln!(text, "{name:width$}  {bytes:>9}  {cold:>9}  {cached:>9}  {start:>9}  {memory:>9}").ok();
    }
    write!(text, "\n{:width$}  {:26}{:>9}  {:>9}  {:>12}\n", "plugin", "call", "half", "99 of 100", "each of 64").ok();
    for (name, cost) in rows {
        for hook in &cost.hooks {
            let [median, slow] = [hook.median, hook.slow].map(time);
            let event = hook.event.map_or_else(|| "-".to_owned(), time);
            writeln!(text, "{name:width$}  {:26}{median:>9}  {slow:>9}  {event:>12}", hook.call).ok();
        }
    }
    text
}

fn time(time: Duration) -> String {
    let ns = time.as_secs_f64() * 1e9;
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
