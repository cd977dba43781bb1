//! Tries what its configuration says, in `on-events` and in `on-finished`, and appends to its output `reach.jsonl` a line
//! `{"tried": …, "outcome": "ok …"}` or `{"tried": …, "outcome": "refused …"}` for each. What is not granted must be refused.
//!
//! ```toml
//! config = { tries = [{ what = "read", path = "/etc/passwd" }, { what = "get", url = "http://127.0.0.1:9/", follow = 3 }] }
//! ```
//!
//! With `in-check = true` it tries in `config-check.validate` too, and what came of it are warnings.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use playwarden_sdk::http::Request;
use playwarden_sdk::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
enum Try {
    /// Reads a file.
    Read { path: String },
    /// Lists a folder.
    List { path: String },
    /// Appends `x` to a file, which it makes.
    Write { path: String },
    /// Opens so many files, and keeps them open.
    OpenMany { path: String, count: usize },
    /// Makes a second name for a file.
    HardLink { path: String, to: String },
    /// Opens a TCP connection.
    Connect { address: String },
    /// Looks at a variable.
    Env { name: String },
    /// Asks for a secret.
    Secret { name: String },
    /// Reads both clocks.
    Clock,
    /// Sends a request without a body, and follows so many redirects.
    Get {
        url: String,
        #[serde(default)]
        follow: u32,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        timeout_ms: Option<u64>,
    },
    /// Sends a request with a body of so many bytes.
    Post { url: String, bytes: usize },
}

impl Try {
    fn outcome(&self) -> String {
        match self.run() {
            Ok(found) => format!("ok {found}"),
            Err(why) => format!("refused {}", why.message),
        }
    }

    fn run(&self) -> Result<String, Failure> {
        Ok(match self {
            Self::Read { path } => fs::read_to_string(path)?,
            Self::List { path } => {
                let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
                let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
                names.sort();
                names.join(" ")
            }
            Self::Write { path } => {
                fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(b"x")?;
                "written".to_owned()
            }
            Self::OpenMany { path, count } => {
                let files = (0..*count).map(|_| fs::File::open(path)).collect::<std::io::Result<Vec<_>>>()?;
                format!("{} files", files.len())
            }
            Self::HardLink { path, to } => {
                fs::hard_link(path, to)?;
                "linked".to_owned()
            }
            Self::Connect { address } => format!("connected to {}", TcpStream::connect(address)?.peer_addr()?),
            Self::Env { name } => std::env::var(name).map_err(|error| error.to_string())?,
            Self::Secret { name } => config::secret(name).ok_or("none")?,
            Self::Clock => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|err| err.to_string())?;
                format!("{} {:?}", since.as_secs(), Instant::now())
            }
            Self::Get { url, follow, headers, timeout_ms } => get(url.clone(), *follow, headers, *timeout_ms)?,
            Self::Post { url, bytes } => {
                let response = Request::post(url).body(vec![b'x'; *bytes]).send()?;
                format!("{} {}", response.status, String::from_utf8_lossy(&response.body))
            }
        })
    }
}

fn get(
    mut url: String,
    follow: u32,
    headers: &BTreeMap<String, String>,
    timeout_ms: Option<u64>,
) -> Result<String, Failure> {
    for _ in 0..=follow {
        let mut request = Request::get(&url);
        for (name, value) in headers {
            request = request.header(name, value.as_str());
        }
        if let Some(timeout) = timeout_ms {
            request = request.timeout(Duration::from_millis(timeout));
        }
        let response = request.send()?;
        match response.header("location") {
            Some(next) if follow > 0 => url = next.to_owned(),
            _ => {
                let text = String::from_utf8_lossy(&response.body);
                let shown = text.char_indices().nth(100).map_or(&*text, |(end, _)| &text[..end]);
                return Ok(format!("{} {} bytes: {shown}", response.status, response.body.len()));
            }
        }
    }
    Err(Failure::new("too many redirects"))
}

struct ReachesOut {
    tries: Vec<Try>,
}

impl Plugin for ReachesOut {
    fn new() -> Result<Self, Failure> {
        Ok(Self { tries: config::value("/tries")?.unwrap_or_default() })
    }
}

impl ReachesOut {
    fn try_all(&self) -> Result<(), Failure> {
        for tried in &self.tries {
            let line = serde_json::json!({ "tried": tried, "outcome": tried.outcome() });
            output::append_line("reach.jsonl", &line.to_string())?;
        }
        Ok(())
    }
}

impl ConfigCheck for ReachesOut {
    fn validate() -> Vec<Problem> {
        let wanted = matches!(config::value("/in-check"), Ok(Some(true)));
        match Self::new() {
            Ok(plugin) if wanted => {
                plugin.tries.iter().map(|tried| Problem::warning("/tries", tried.outcome())).collect()
            }
            Ok(_) => Vec::new(),
            Err(failure) => vec![Problem::error("", failure.message)],
        }
    }
}

impl EventHandler for ReachesOut {
    fn on_events(&mut self, _: &Source, events: &[Event]) -> Result<u64, Failure> {
        if !events.is_empty() {
            self.try_all()?;
        }
        Ok(events.last().map_or(0, |event| event.counter))
    }
}

impl FinishedCallback for ReachesOut {
    fn on_finished(&mut self, _: &Finish) -> Result<(), Failure> {
        self.try_all()
    }
}

playwarden_sdk::export!(ReachesOut: ConfigCheck + EventHandler + FinishedCallback);
