use playwarden::{Caller, Plan};
use playwarden_event::{
    Status, Verdict,
    verdict::{Reason, Stop},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The guard over Ansible is this program, started once more.
    if playwarden::is_guard(std::env::args_os()) {
        return Ok(playwarden::process::guard_main()?);
    }
    let caller = Caller {
        program: std::env::current_exe()?,
        folder: std::env::current_dir()?,
        vars: std::env::vars_os().collect(),
        cache: None,
    };
    let mut plan = Plan::load("runner.toml", "deploy", &caller)?;
    plan.job.limit = Some("web".to_owned());
    let plan = plan
        .on_event(|event| println!("{} {}", event.counter(), event.name()))
        .on_status(|change| println!("{} -> {}", change.from, change.to))
        .cancel_policy("one-is-enough", |_, totals| match totals.run.hosts_failed {
            0 => Verdict::Proceed,
            _ => Verdict::Cancel(Reason { text: "a host failed".to_owned(), ..Reason::default() }, Stop::Now),
        })
        .on_finished(|outcome| println!("{}", outcome.status));

    let run = playwarden::run(plan)?;
    if run.status() != Status::Successful {
        for event in run.host_events("web01")? {
            println!("{}", event?.name());
        }
    }
    Ok(())
}
