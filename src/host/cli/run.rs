//! `playwarden run`.

use std::mem::{ManuallyDrop, take};
use std::{env, io, thread};

use playwarden_sandbox::Sandbox;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::RunArguments;
use super::background::Detached;
use super::check::{no_job, trouble_findings};
use super::context::Context;
use super::exit::Exit;
use super::terminal::{self, Live, Shown};
use crate::config::{Config, did_you_mean};
use crate::plan::{JobPlan, Keywords, Overrides};
use crate::report::{diagnostic, summary};
use crate::run::{self, Closures, Finished, PROMPT_PATIENCE, Prepared, Settings, Trouble};
use crate::store::StoreError;

/// Runs jobs in order until one is not successful. Returns the exit code, which may be Ansible's own.
pub(super) fn run(context: &Context, arguments: RunArguments) -> u8 {
    let ansible_exit_code = arguments.ansible_exit_code;
    match carry_out(context, arguments) {
        Err(exit) => exit.code(),
        Ok(None) => Exit::Success.code(),
        Ok(Some(finished)) => {
            let own = Exit::of(&finished.outcome).code();
            let ansible = finished.outcome.rc.map(|rc| u8::try_from(rc).unwrap_or(u8::MAX));
            if ansible_exit_code { ansible.unwrap_or(own) } else { own }
        }
    }
}

/// Returns the last run.
fn carry_out(context: &Context, mut arguments: RunArguments) -> Result<Option<Finished>, Exit> {
    let detached = arguments.detached.clone().map(Detached::new).transpose();
    let _detached = detached.map_err(|err| fatal(context, &err))?;
    let (config, warnings) = context.config().map_err(|findings| {
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        Exit::Configuration
    })?;
    if !warnings.list.is_empty() {
        terminal::note(&diagnostic::render_findings(&warnings, context.cwd(), context.color()));
    }
    let jobs = choose(context, &config, &arguments.jobs)?;
    let is_data_dir = jobs.iter().any(|name| config.job(name).is_some_and(|job| job.private_data_dir.is_some()));
    if jobs.len() > 1 && arguments.run_id.is_some() {
        terminal::complain("`--run-id` is for one job", Some("run the jobs one by one"), context.color());
        return Err(Exit::Usage);
    }

    let until_eof = arguments.data_dir.until_eof();
    let overrides = overrides(context, &mut arguments)?;
    if overrides.keywords != Keywords::default() && !is_data_dir {
        let hint = "name the folder with `--private-data-dir`, or write it in runner.toml";
        let text = "a flag for a private data dir was given, and the job has none";
        terminal::complain(text, Some(hint), context.color());
        return Err(Exit::Usage);
    }
    // All of them first: a mistake in the second job should not be found after the first one has run.
    let mut plans = Vec::new();
    let mut findings = config.findings(Vec::new());
    for job in &jobs {
        match JobPlan::resolve(&config, job, &overrides, &context.environment) {
            Ok(plan) => plans.push(plan),
            Err(list) => findings.extend(config.findings(list)),
        }
    }
    if findings.has_errors() {
        findings.settle();
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        // What has no file stood on the command line.
        let usage = findings.list.iter().all(|finding| finding.path.as_os_str().is_empty());
        return Err(if usage { Exit::Usage } else { Exit::Configuration });
    }

    let mut warnings = config.findings(plans.iter().flat_map(|plan| plan.warnings.clone()).collect());
    if !warnings.list.is_empty() {
        warnings.settle();
        terminal::note(&diagnostic::render_findings(&warnings, context.cwd(), context.color()));
    }

    let sandbox = sandbox(context)?;
    let settings = Settings {
        guard: env::current_exe().map_err(|err| fatal(context, &err))?,
        environment: context.inherited.clone(),
        cache: context.cache(),
        color: context.ansible_color() && !arguments.json && !arguments.quiet,
        prompt_patience: PROMPT_PATIENCE,
    };
    // Or a process of the run could take over what the guard tells us.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|err| fatal(context, &io::Error::from(err)))?;
    let runtime = runtime().map_err(|err| fatal(context, &err))?;
    // Likewise the plugins of all jobs.
    let mut ready = Vec::new();
    for plan in &plans {
        ready.push((plan, runtime.block_on(prepared(context, &config, plan, &sandbox))?));
    }
    let (several, quiet) = (ready.len() > 1, arguments.quiet);
    let mut last = None;
    for (plan, plugins) in ready {
        let as_json = arguments.json || overrides.keywords.json_mode == Some(true);
        let mut shown = match (as_json, quiet || plan.keep.quiet) {
            (true, _) => Shown::Json(plan.keep.event_data),
            (_, true) => Shown::Quiet,
            _ => Shown::Text(Box::new(Live::new(context.stderr_is_terminal && context.stdout_is_terminal))),
        };
        if several && matches!(shown, Shown::Text(_)) {
            terminal::note(&format!("== job `{}`\n", plan.job));
        }
        let result = runtime.block_on(async {
            let cancel = listen(until_eof)?;
            Ok(run::run(plan, plugins, Closures::default(), &settings, cancel, &mut |update| shown.update(update))
                .await)
        });
        shown.end();
        let finished = match result.map_err(|err: io::Error| fatal(context, &err))? {
            Ok(finished) => finished,
            Err(err) => return Err(refused(context, &err)),
        };
        let exit = Exit::of(&finished.outcome);
        let is_told = quiet && as_json;
        if !is_told && (!quiet || exit != Exit::Success) {
            // What Ansible said was not seen by whoever wants quiet.
            let text = summary::finished(&finished, context.cwd(), context.color(), quiet);
            terminal::note(if quiet { text.trim_start() } else { &text });
        }
        last = Some(finished);
        if exit != Exit::Success {
            break;
        }
    }
    Ok(last)
}

/// Takes what the command line says about jobs.
pub(super) fn overrides(context: &Context, arguments: &mut RunArguments) -> Result<Overrides, Exit> {
    let mut overrides = Overrides {
        inventory: take(&mut arguments.inventory),
        limit: arguments.limit.take(),
        tags: take(&mut arguments.tags),
        skip_tags: take(&mut arguments.skip_tags),
        extra_vars: take(&mut arguments.extra_vars),
        vault_ids: take(&mut arguments.vault_id),
        check: arguments.check.then_some(true),
        diff: arguments.diff.then_some(true),
        forks: arguments.forks,
        verbosity: (arguments.verbose > 0).then_some(arguments.verbose),
        timeout: arguments.timeout,
        run_id: arguments.run_id.take(),
        user: context.user(),
        reason: arguments.reason.take(),
        ticket: arguments.ticket.take(),
        keywords: Keywords::default(),
    };
    take(&mut arguments.data_dir).put_into(context, &mut overrides)?;
    Ok(overrides)
}

/// The jobs that are meant: those named, or the only one.
fn choose(context: &Context, config: &Config, named: &[String]) -> Result<Vec<String>, Exit> {
    if let Some(unknown) = named.iter().find(|name| config.job(name).is_none()) {
        let known = config.jobs.iter().map(|job| job.name.as_str());
        let hint = did_you_mean(unknown, known);
        terminal::complain(&no_job(context, config, unknown), hint.as_deref(), context.color());
        return Err(Exit::Usage);
    }
    match (named, &config.jobs[..]) {
        ([], [only]) => Ok(vec![only.name.clone()]),
        ([], []) => {
            let hint = "add a table `[jobs.NAME]` with a `playbook` or a `module`";
            terminal::complain("runner.toml has no job", Some(hint), context.color());
            Err(Exit::Configuration)
        }
        ([], several) => {
            let names: Vec<String> = several.iter().map(|job| format!("  {}\n", job.name)).collect();
            terminal::complain("which job?", Some("name one or more of these, in order"), context.color());
            terminal::out(&names.concat());
            Err(Exit::Usage)
        }
        (named, _) => Ok(named.to_vec()),
    }
}

/// Counts how often somebody asks for the end: Ctrl-C, or a SIGTERM or SIGHUP to us, or the end of standard input, where that
/// is waited for. What was ignored when we were started stays so, as `nohup` wants it.
fn listen(until_eof: bool) -> io::Result<watch::Receiver<u32>> {
    let (sender, receiver) = watch::channel(0);
    if until_eof {
        let sender = sender.clone();
        // Not one of the runtime's threads: nobody ends it before its input ends.
        thread::spawn(move || {
            io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
            sender.send_modify(|times| *times += 1);
        });
    }
    signals(&sender)?;
    Ok(receiver)
}

/// Counts the signals that ask for the end.
pub(super) fn signals(sender: &watch::Sender<u32>) -> io::Result<()> {
    let ignored = ignored_signals();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        if ignored & (1 << (kind.as_raw_value() - 1)) != 0 {
            continue;
        }
        let mut signals = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                sender.send_modify(|times| *times += 1);
            }
        });
    }
    Ok(())
}

/// Returns the signals that this process ignores, a bit each; none where the kernel does not say.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

pub(super) fn sandbox(context: &Context) -> Result<Sandbox, Exit> {
    Sandbox::new(context.cache().map(|cache| cache.join("plugins"))).map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::PluginLoad
    })
}

/// Makes the runtime. It is never dropped, since that would wait for threads in which a plugin was left behind at its
/// deadline: in the look-up of a name, in a pipe that nobody writes to.
pub(super) fn runtime() -> io::Result<ManuallyDrop<tokio::runtime::Runtime>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map(ManuallyDrop::new)
}

fn fatal(context: &Context, err: &(dyn std::error::Error + 'static)) -> Exit {
    terminal::error(err, None, context.color());
    Exit::CouldNotStart
}

/// Loads the plugins of a job and says what there is to say about them.
pub(super) async fn prepared(
    context: &Context,
    config: &Config,
    plan: &JobPlan,
    sandbox: &Sandbox,
) -> Result<Prepared, Exit> {
    let say = |troubles: &[Trouble]| {
        let mut findings = trouble_findings(config, &plan.job, troubles);
        findings.settle();
        if !findings.list.is_empty() {
            terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        }
    };
    match run::prepare(plan, sandbox).await {
        Ok(prepared) => {
            say(&prepared.warnings);
            Ok(prepared)
        }
        Err(troubles) => {
            say(&troubles);
            let load = troubles.iter().any(|trouble| trouble.kind.is_load());
            Err(if load { Exit::PluginLoad } else { Exit::Configuration })
        }
    }
}

fn refused(context: &Context, err: &StoreError) -> Exit {
    terminal::error(err, Some(&err.hint()), context.color());
    match err {
        StoreError::Io { .. } | StoreError::Unsigned { .. } => Exit::Evidence,
        StoreError::Exists { .. } | StoreError::BadId { .. } => Exit::Usage,
    }
}
