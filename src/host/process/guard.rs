//! The guard's own program: what runs in the process between host and Ansible.
//!
//! One thread reaps, one listens to the host, and this one decides. It holds no state but the step of the ending that it
//! is at.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, getpid, set_child_subreaper, setsid, wait};

use super::tree::{self, Found};
use super::wire::{Exit, Launch, Order, Report};

/// Until the program ends, the interrupt is repeated: one may arrive where nothing can be interrupted.
const REPEAT: Duration = Duration::from_millis(250);

/// How often the tree is looked at while it is being killed.
const LOOK: Duration = Duration::from_millis(20);

/// A process that SIGKILL does not end in this time hangs in the kernel, and is named instead.
const UNKILLABLE: Duration = Duration::from_secs(10);

enum Input {
    Order(Order),
    HostGone,
    Reaped { pid: i32, exit: Exit },
    NothingLeft,
}

/// Runs the guard in this process, whose standard input is the host's socket, and never returns before it is over.
///
/// # Errors
/// When the socket or the kernel refuses what a guard needs; the program was not started then.
pub fn guard_main() -> io::Result<()> {
    // A session of its own: Ctrl-C at the terminal reaches the host alone, and nobody can ask for a password there.
    // It fails only for a leader of a group, which the host does not make of us.
    setsid().ok();
    set_child_subreaper(Some(getpid()))?;
    let host = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut orders = BufReader::new(host.try_clone()?);
    let mut line = String::new();
    orders.read_line(&mut line)?;
    let Ok(Order::Launch(launch)) = serde_json::from_str(&line) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this program is started by playwarden itself"));
    };

    let (sender, inputs) = mpsc::channel();
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments).envs(launch.environment.iter().cloned()).current_dir(&launch.folder);
    command.stdin(Stdio::null());
    let pid = match command.spawn() {
        Ok(child) => child.id().cast_signed(),
        Err(err) => {
            let text = format!("`{}` cannot be started: {err}", launch.program.display());
            tell(&host, &Report::NotStarted { text });
            tell(&host, &Report::Over { alive: Vec::new() });
            return Ok(());
        }
    };
    tell(&host, &Report::Started { pid: pid.unsigned_abs() });
    let reaper = sender.clone();
    thread::spawn(move || reap(&reaper));
    thread::spawn(move || listen(orders, &sender));

    let mut guard = Guard { launch, host, main: tree::look(pid).map(|(found, _)| found), step: Step::Running };
    guard.run(&inputs);
    let alive = living().into_iter().map(tree::describe).collect();
    tell(&guard.host, &Report::Over { alive });
    Ok(())
}

/// Waits for every child, adopted ones included, until there is none.
fn reap(to: &Sender<Input>) {
    loop {
        let input = match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                let exit = Exit { code: status.exit_status(), signal: status.terminating_signal() };
                Input::Reaped { pid: pid.as_raw_nonzero().get(), exit }
            }
            Ok(None) | Err(Errno::INTR) => continue,
            Err(_) => Input::NothingLeft,
        };
        let last = matches!(input, Input::NothingLeft);
        if to.send(input).is_err() || last {
            return;
        }
    }
}

/// Reads orders until the host is gone.
fn listen(orders: BufReader<UnixStream>, to: &Sender<Input>) {
    for line in orders.lines() {
        let Some(order) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { break };
        if to.send(Input::Order(order)).is_err() {
            return;
        }
    }
    // Nobody listens any more when the guard is over.
    to.send(Input::HostGone).ok();
}

/// A host that is gone needs no reports.
fn tell(mut host: &UnixStream, report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        host.write_all(&line).ok();
    }
}

fn living() -> Vec<Found> {
    tree::descendants(getpid().as_raw_nonzero().get())
}

/// How far the ending has come. Each step but the first has its time.
#[derive(Clone, Copy)]
enum Step {
    Running,
    Interrupting { until: Instant },
    Terminating { until: Instant },
    Killing { until: Instant },
}

struct Guard {
    launch: Launch,
    host: UnixStream,
    /// The program itself, until it has ended.
    main: Option<Found>,
    step: Step,
}

impl Guard {
    fn run(&mut self, inputs: &Receiver<Input>) {
        loop {
            let input = match self.patience() {
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => inputs.recv_timeout(patience),
            };
            match input {
                Ok(Input::Order(Order::Launch(_))) => {}
                Ok(Input::Order(Order::Stop) | Input::HostGone) => self.stop(),
                Ok(Input::Order(Order::Kill)) => self.kill(),
                Ok(Input::Reaped { pid, exit }) if self.main.is_some_and(|main| main.pid == pid) => {
                    self.main = None;
                    tell(&self.host, &Report::Exited(exit));
                    // Workers of a program that was killed are not detached on purpose.
                    let normal = exit.signal.is_none();
                    match self.step {
                        Step::Running if normal && !self.launch.kill_survivors => return,
                        Step::Killing { .. } => {}
                        _ => self.terminate(),
                    }
                }
                Ok(Input::Reaped { .. }) => {}
                Ok(Input::NothingLeft) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if self.advance() {
                        return;
                    }
                }
            }
        }
    }

    /// How long to wait for an input before something is to be done.
    fn patience(&self) -> Option<Duration> {
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        match self.step {
            Step::Running => None,
            Step::Interrupting { until } => Some(left(until).min(REPEAT)),
            Step::Terminating { until } => Some(left(until)),
            Step::Killing { .. } => Some(LOOK),
        }
    }

    fn stop(&mut self) {
        if matches!(self.step, Step::Running) {
            self.step = Step::Interrupting { until: Instant::now() + self.launch.interrupt };
            self.interrupt();
        }
    }

    fn kill(&mut self) {
        if !matches!(self.step, Step::Killing { .. }) {
            self.step = Step::Killing { until: Instant::now() + UNKILLABLE };
            signal_all(Signal::KILL);
        }
    }

    /// SIGTERM to everything that is left.
    fn terminate(&mut self) {
        self.step = Step::Terminating { until: Instant::now() + self.launch.terminate };
        signal_all(Signal::TERM);
    }

    /// Not SIGINT: workers die of it, one may hold the lock of the result queue, and Ansible then hangs for ever.
    fn interrupt(&self) {
        if let Some(main) = self.main {
            tree::signal(main, Signal::USR2).ok();
        }
    }

    /// The time of a step, or of a look, has passed. Whether nothing more can be done.
    fn advance(&mut self) -> bool {
        let now = Instant::now();
        match self.step {
            Step::Running => {}
            Step::Interrupting { until } if now < until => self.interrupt(),
            Step::Interrupting { .. } => self.terminate(),
            Step::Terminating { until } if now < until => {}
            Step::Terminating { .. } => self.kill(),
            Step::Killing { until } => {
                let out_of_reach = signal_all(Signal::KILL);
                return now >= until || out_of_reach;
            }
        }
        false
    }
}

/// Signals the whole tree. Whether all that is left of it is out of our reach.
fn signal_all(signal: Signal) -> bool {
    let living = living();
    let refused = living.iter().filter(|process| tree::signal(**process, signal) == Err(Errno::PERM)).count();
    !living.is_empty() && refused == living.len()
}
