//! The host's tests against real parts, in one program:
//!
//! - `rooms`: who may use whom
//! - `config`: runner.toml, good and bad, against golden files
//! - `plays`: real Ansible, what becomes of each thing that a play can do
//! - `data_dir`: private data dirs, as ansible-runner's users have them
//! - `gate`: nothing starts after the breaking event
//! - `forgery`: nothing that a play does makes an event
//! - `canary`: what `no_log` hides is nowhere
//! - `policies`: those that come with the program, over real Ansible
//! - `kit`: what an author of plugins has
//! - `audit`: what was run can be proved
//! - `journal`: nothing is lost, nothing is cut in silence
//! - `fuzz`: bytes that others made
//! - `guests`: one attack each, against the sandbox
//! - `hooks`: plugins that observe, and what they may reach
//! - `library`: the same from a Rust program
//! - `python`: the same from a Python program, under ansible-runner's names
//! - `containers`: Ansible in a container
//! - `crowd`: many runs at once
//! - `begin`: a runner.toml for a folder, and an Ansible for a machine that has none
//! - `reading`: what the commands tell of runs, live ones among them
//! - `refusals`: bad input, and what is said about it
//! - `remote`: jobs that run elsewhere, with a real ansible-runner as the other half
//! - `reports`: what is made of runs that are over
//! - `runs`: files, ids, and reading runs back
//! - `prompts`: what is typed, what nobody answers, keys for an agent
//! - `loss`: the host is killed, and nothing else is lost; `witness` is who says so
//! - `tools`: Ansible's other programs, asked
//! - `soak`: many cancels, in the middle of everything
//! - `book`: the README and the book, whose commands are run
//!
//! They need what `cargo xtask setup` makes: Ansible in `.venv` and the guests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should end where it stands")]

mod alive;
mod audit;
mod begin;
mod book;
mod canary;
mod chance;
mod config;
mod containers;
mod crowd;
mod data_dir;
mod evidence;
mod figures;
mod forgery;
mod fuzz;
mod gate;
mod golden;
mod guests;
mod hooks;
mod journal;
mod kit;
mod library;
mod loss;
mod plays;
mod policies;
mod prompts;
mod python;
mod reading;
mod refusals;
mod remote;
mod reports;
mod rooms;
mod runs;
mod soak;
mod support;
mod tools;
mod witness;
