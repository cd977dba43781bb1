//! The sandbox with real guests, in one program:
//!
//! - `hooks`: what event handlers, status handlers and finished callbacks are told, and how they may fail
//! - `restarts`: one plugin, several instances, one folder
//! - `reach`: folders, variables, secrets, sockets
//! - `hostile`: components that no compiler would make, and what is left of damaged ones
//! - `http`: requests, against a server of our own
//!
//! They need the guests, which `cargo xtask setup` makes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should end where it stands")]

mod hooks;
mod hostile;
mod http;
mod reach;
mod restarts;
mod server;
mod support;
