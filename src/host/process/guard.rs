//! The guard's own program: what runs in the process between host and Ansible.
//!
//! One thread reaps, one listens to the host, and this one decides. It holds no state but the step of the ending that it
//! is at.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, set_child_subreaper,
    set_dumpable_behavior, setsid, wait,
};
use rustix::termios::tcsetpgrp;
use tokio::signal::unix::{SignalKind, signal};

use super::agent::{self, Agent};
use super::container::Container;
use super::leftovers::Leftovers;
use super::terminal::Held;
use super::tree::{self, Found};
use super::wire::{self, Exit, Key, Launch, Order, Report};

/// What the guard is called in lists of processes.
const NAME: &std::ffi::CStr = c"pw-guard";

/// Until the program ends, the interrupt is repeated: one may arrive where nothing can be interrupted.
const REPEAT: Duration = Duration::from_millis(250);

/// How often the tree is looked at while it is being killed.
const LOOK: Duration = Duration::from_millis(20);

/// A process that SIGKILL does not end in this time hangs in the kernel, and is named instead.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// How podman and docker end when not the container but they themselves failed.
const ENGINE_FAILED: i32 = 125;

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
    // A name of its own: who kills the host by name would else kill what survives it for a reason.
    rustix::thread::set_name(NAME)?;
    // Or a process of the run could take our socket, and tell the host whom to listen to.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_child_subreaper(Some(getpid()))?;
    let host = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let by_hand = || io::Error::new(io::ErrorKind::InvalidInput, "this program is started by playwarden itself");
    let terminal = Held::receive(&host).map_err(|err| match Errno::from_io_error(&err) {
        Some(Errno::NOTSOCK) => by_hand(),
        _ => err,
    })?;
    let mut orders = BufReader::new(host.try_clone()?);
    let mut line = String::new();
    orders.read_line(&mut line)?;
    let Ok(Order::Launch(launch)) = serde_json::from_str(&line) else { return Err(by_hand()) };
    // Held until we end: as long as it is, the run is not over, even if the host is gone. Who comes then finds our reports
    // in it.
    let lock = match hold(&launch.lock) {
        Ok(lock) => lock,
        Err(err) => {
            let text = format!("the guard cannot hold `{}`: {err}", launch.lock.display());
            let host = Host { socket: host, lock: None };
            host.tell(&Report::NotStarted { text });
            host.tell(&Report::Over { alive: Vec::new() });
            return Ok(());
        }
    };
    let host = Host { socket: host, lock: Some(lock) };

    let (sender, inputs) = mpsc::channel();
    heed_terminate(sender.clone())?;
    let listener = sender.clone();
    thread::spawn(move || listen(orders, &listener));
    let agent = match launch.key.as_ref().map(|key| with_key(key, &launch.environment, &inputs)).transpose() {
        Ok(agent) => agent,
        Err(text) => {
            host.tell(&Report::NotStarted { text });
            host.tell(&Report::Over { alive: Vec::new() });
            return Ok(());
        }
    };
    let mut command = Command::new(&launch.program);
    command
        .args(arguments(&launch, agent.as_ref()))
        .envs(launch.environment.iter().cloned())
        .current_dir(&launch.folder);
    if let Some(agent) = &agent {
        command.env("SSH_AUTH_SOCK", agent.socket()).env_remove("SSH_AGENT_PID");
    }
    command.stdin(match &terminal {
        Some(terminal) => Stdio::from(terminal.theirs.try_clone()?),
        None => Stdio::null(),
    });
    if let (Some(_), Some(terminal)) = (&launch.container, &terminal) {
        // What is said at the terminal in there comes out here.
        command.stdout(terminal.theirs.try_clone()?);
    }
    let interrupts = launch.container.as_ref().map(Container::interrupts).transpose()?;
    let started = command.spawn();
    // The program's copy of the terminal is in it.
    drop(command);
    let main = match started {
        // Nobody reaps yet, so that the id is still the program's.
        Ok(mut child) => Main::open(&child).inspect_err(|_| {
            child.kill().ok();
        })?,
        Err(err) => {
            let text = format!("`{}` cannot be started: {err}", launch.program.display());
            host.tell(&Report::NotStarted { text });
            host.tell(&Report::Over { alive: Vec::new() });
            return Ok(());
        }
    };
    host.tell(&Report::Started { pid: main.pid.unsigned_abs(), guard: std::process::id() });
    thread::spawn(move || reap(&sender));

    let is_contained = launch.container.is_some();
    let leftovers = Leftovers::new(launch.temporary.clone(), main.pid);
    let mut guard = Guard {
        launch,
        host,
        main: Some(main),
        client_ended: false,
        is_empty: false,
        interrupts,
        agent,
        step: Step::Running,
        due: None,
        is_alone: false,
        leftovers,
    };
    guard.run(&inputs);
    if !matches!(guard.step, Step::Running | Step::Ended) {
        guard.leftovers.remove();
        if let (Some(container), false) = (&guard.launch.container, guard.client_ended) {
            container.remove();
        }
    }
    guard.agent = None;
    if is_contained && !guard.is_empty {
        // Nothing of the play is out here, and the engine has yet to tidy up.
        let until = Instant::now() + UNKILLABLE;
        while let Ok(input) = inputs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if matches!(input, Input::NothingLeft) {
                break;
            }
        }
    }
    let living = guard.living();
    if let (Some(terminal), false) = (&terminal, living.is_empty()) {
        leave(terminal);
    }
    guard.host.tell(&Report::Over { alive: living.into_iter().map(tree::describe).collect() });
    Ok(())
}

/// The program's arguments, with the agent's socket among what a container sees.
fn arguments(launch: &Launch, agent: Option<&Agent>) -> Vec<OsString> {
    let mut arguments = launch.arguments.clone();
    if let (Some(container), Some(agent)) = (&launch.container, agent) {
        let (target, index) = &container.agent;
        let mut mount = agent.socket().as_os_str().to_owned();
        for part in [OsStr::new(":"), target.as_os_str()] {
            mount.push(part);
        }
        let index = (*index).min(arguments.len());
        arguments.splice(index..index, ["-v".into(), mount]);
    }
    arguments
}

/// Starts an agent and gives it the key. The passphrase may be asked for at the terminal, as long as nobody wants the end.
///
/// # Errors
/// Returns why there is none.
fn with_key(key: &Key, environment: &[(OsString, OsString)], inputs: &Receiver<Input>) -> Result<Agent, String> {
    let agent = Agent::start(key, environment)?;
    let mut adding = agent.add(key, environment)?;
    loop {
        if let Some(outcome) = adding.outcome() {
            return outcome.map(|()| agent);
        }
        match inputs.recv_timeout(agent::LOOK) {
            Ok(Input::Order(Order::Stop | Order::Kill) | Input::HostGone) | Err(RecvTimeoutError::Disconnected) => {
                return Err("the run was ended before the agent had its key".to_owned());
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Gives the terminal to nobody. When the leader of its session ends, the kernel tells whoever has it of a hangup, and what
/// stays alive may be among them.
fn leave(terminal: &Held) {
    let mut nobody = Command::new("cat");
    nobody.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    if let Ok(mut nobody) = nobody.spawn() {
        // What cannot be helped is a signal that most of them ignore.
        tcsetpgrp(&terminal.theirs, Pid::from_child(&nobody)).ok();
        drop(nobody.stdin.take());
        nobody.wait().ok();
    }
}

/// Makes and locks the guard's file. It must still be the one of that name afterwards: a run that was closed meanwhile does
/// not begin any more.
fn hold(path: &Path) -> io::Result<File> {
    let lock = File::create(path)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    let (held, named) = (lock.metadata()?, fs::metadata(path)?);
    if (held.dev(), held.ino()) != (named.dev(), named.ino()) {
        return Err(io::Error::other("the run was closed meanwhile"));
    }
    Ok(lock)
}

/// Has the living guard that holds this lock end its program in order. Whether there is one.
pub(crate) fn terminate_guard(lock: &Path) -> bool {
    let guard = wire::reports(lock).into_iter().find_map(|report| match report {
        Report::Started { guard, .. } => Some(guard.cast_signed()),
        _ => None,
    });
    let Some(handle) = guard.and_then(Pid::from_raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    // As long as the lock is held the guard has its id; what the handle is of is therefore the guard.
    let held = File::open(lock).is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err());
    held && pidfd_send_signal(&handle, Signal::TERM).is_ok()
}

/// Takes SIGTERM, as a service manager sends it to everything, for an order to stop. To ignore it would not do: the
/// program would inherit that.
fn heed_terminate(to: Sender<Input>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut terminate = {
        let _entered = runtime.enter();
        signal(SignalKind::terminate())?
    };
    thread::spawn(move || {
        while runtime.block_on(terminate.recv()).is_some() {
            if to.send(Input::Order(Order::Stop)).is_err() {
                break;
            }
        }
    });
    Ok(())
}

/// The program, by a handle that no later process with its id can be taken for.
struct Main {
    pid: i32,
    handle: OwnedFd,
}

impl Main {
    fn open(child: &Child) -> io::Result<Self> {
        Ok(Self { pid: child.id().cast_signed(), handle: pidfd_open(Pid::from_child(child), PidfdFlags::empty())? })
    }

    fn signal(&self, signal: Signal) {
        // One that has ended needs no signal.
        pidfd_send_signal(&self.handle, signal).ok();
    }
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

/// Where reports go.
struct Host {
    socket: UnixStream,
    lock: Option<File>,
}

impl Host {
    /// A host that is gone needs no reports, but who comes after it does.
    fn tell(&self, report: &Report) {
        if let Ok(mut line) = serde_json::to_vec(report) {
            line.push(b'\n');
            if let Some(mut lock) = self.lock.as_ref() {
                lock.write_all(&line).ok();
            }
            (&self.socket).write_all(&line).ok();
        }
    }
}

/// How far the ending has come.
#[derive(Clone, Copy)]
enum Step {
    Running,
    /// The program ended by itself.
    Ended,
    Interrupting {
        until: Instant,
    },
    Terminating,
    Killing {
        until: Instant,
    },
}

struct Guard {
    launch: Box<Launch>,
    host: Host,
    /// The program itself, until it has ended.
    main: Option<Main>,
    /// Nothing is left below us.
    is_empty: bool,
    /// By which what runs in a container is interrupted.
    interrupts: Option<File>,
    /// It ended by itself. Where it is the client of a container, that is over too.
    client_ended: bool,
    /// As long as the program lives.
    agent: Option<Agent>,
    step: Step,
    /// When there is something to do although nothing happens.
    due: Option<Instant>,
    /// The host is gone.
    is_alone: bool,
    leftovers: Leftovers,
}

impl Guard {
    fn run(&mut self, inputs: &Receiver<Input>) {
        loop {
            let input = match self.due {
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => inputs.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match input {
                Ok(Input::HostGone) => {
                    self.is_alone = true;
                    match self.step {
                        Step::Ended => return,
                        _ if self.launch.outlive_host => {}
                        _ => self.stop(),
                    }
                }
                Ok(Input::Order(Order::Stop)) => self.stop(),
                Ok(Input::Order(Order::Conclude { leave_nothing })) => match self.step {
                    Step::Ended if leave_nothing => self.terminate(),
                    Step::Ended => return,
                    _ => {}
                },
                Ok(Input::Order(Order::Kill)) => self.kill(),
                Ok(Input::Order(Order::Temporary(folders))) => self.leftovers.folders = folders,
                Ok(Input::Reaped { pid, exit }) if self.main.as_ref().is_some_and(|main| main.pid == pid) => {
                    if self.main_ended(exit) {
                        return;
                    }
                }
                Ok(Input::Order(Order::Launch(_)) | Input::Reaped { .. }) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Input::NothingLeft) | Err(RecvTimeoutError::Disconnected) => {
                    self.is_empty = true;
                    return;
                }
            }
            // Also after an input: many of them in a row must not hold up the ending.
            if self.due.is_some_and(|due| due <= Instant::now()) && self.advance() {
                return;
            }
        }
    }

    /// Whether that was all.
    fn main_ended(&mut self, exit: Exit) -> bool {
        self.main = None;
        self.agent = None;
        self.host.tell(&Report::Exited(exit));
        // Workers of a program that was killed are not detached on purpose.
        // An engine that lost its container says so by a code of its own.
        let lost = self.launch.container.is_some() && exit.code == Some(ENGINE_FAILED);
        let normal = exit.signal.is_none() && !lost;
        self.client_ended = normal && matches!(self.step, Step::Running | Step::Interrupting { .. });
        match self.step {
            Step::Running if normal && !self.launch.kill_survivors => {
                // The host may yet find in what the program said last that nothing must stay.
                self.step = Step::Ended;
                return self.is_alone;
            }
            Step::Killing { .. } => {}
            _ => self.terminate(),
        }
        false
    }

    fn stop(&mut self) {
        if matches!(self.step, Step::Running) {
            self.step = Step::Interrupting { until: Instant::now() + self.launch.interrupt };
            // Before there are fewer.
            let living = self.living();
            self.leftovers.note(&living);
            self.interrupt();
        }
    }

    /// Not SIGINT: workers die of it, one may hold the lock of the result queue, and Ansible then hangs for ever.
    fn interrupt(&mut self) {
        match (&self.launch.container, &self.main) {
            // The image may still be on its way.
            (Some(container), _) if !container.is_made() => return self.terminate(),
            (Some(_), _) => {
                if let Some(mut pipe) = self.interrupts.as_ref() {
                    // A full pipe says it already.
                    pipe.write_all(b"!").ok();
                }
            }
            (None, Some(main)) => main.signal(Signal::USR2),
            _ => {}
        }
        self.due = Some(Instant::now() + REPEAT);
    }

    /// SIGTERM to everything that is left.
    fn terminate(&mut self) {
        self.step = Step::Terminating;
        self.due = Some(Instant::now() + self.launch.terminate);
        match &self.launch.container {
            // The client ends with it; a client that ends before leaves it alone.
            Some(container) if self.main.is_some() && container.is_made() => container.terminate(),
            // It is over, and what is left of the engine tidies up.
            Some(_) if self.client_ended => {}
            _ => {
                self.signal_all(Signal::TERM);
            }
        }
    }

    fn kill(&mut self) {
        if !matches!(self.step, Step::Killing { .. }) {
            if let (Some(container), false) = (&self.launch.container, self.client_ended) {
                container.kill();
            }
            self.step = Step::Killing { until: Instant::now() + UNKILLABLE };
            self.advance();
        }
    }

    /// Something is due. Whether nothing more can be done.
    fn advance(&mut self) -> bool {
        let now = Instant::now();
        match self.step {
            Step::Running | Step::Ended => self.due = None,
            Step::Interrupting { until } if now < until => self.interrupt(),
            Step::Interrupting { .. } => self.terminate(),
            Step::Terminating => self.kill(),
            Step::Killing { until } => {
                self.due = Some(now + LOOK);
                let out_of_reach = self.signal_all(Signal::KILL);
                return now >= until || out_of_reach;
            }
        }
        false
    }

    fn living(&self) -> Vec<Found> {
        // Where processes of others are hidden the program itself is one: what is below it is looked for by its id.
        let roots = [Some(getpid().as_raw_nonzero().get()), self.main.as_ref().map(|main| main.pid)];
        let mut living = tree::descendants(&roots.into_iter().flatten().collect::<Vec<_>>());
        living.retain(|process| self.agent.as_ref().is_none_or(|agent| !agent.owns(*process)));
        living
    }

    /// Signals the whole tree. Whether all that is left of it is out of our reach.
    fn signal_all(&mut self, signal: Signal) -> bool {
        if let Some(main) = &self.main {
            main.signal(signal);
        }
        let living = self.living();
        self.leftovers.note(&living);
        let refused = living.iter().filter(|process| tree::signal(**process, signal) == Err(Errno::PERM)).count();
        self.main.is_none() && !living.is_empty() && refused == living.len()
    }
}
