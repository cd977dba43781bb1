//! The gate that every HTTP request of a guest goes through.
//!
//! **Invariant:** what is sent goes to a granted origin, and says so: the guest can set no `Host`, no other target than a
//! path, and open no tunnel. Redirects are answers like any other; a guest that follows one asks again.

use std::pin::Pin;
use std::sync::Arc;

use http::{Method, Request, Response, Uri};
use playwarden_event::Origin;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_hooks};

use crate::capture::Notes;
use crate::convert;
use crate::limits::Deadline;

/// Connections that one guest may have at a time.
const CONNECTIONS: usize = 16;

/// So many refusals are written down; a guest that goes on asking does not fill the log with them.
const REFUSALS: usize = 64;

/// Who may send what, where to, and how long.
pub(crate) struct Gate {
    granted: Vec<Origin>,
    notes: Notes,
    /// That of the present call.
    pub(crate) deadline: Deadline,
    connections: Arc<Semaphore>,
    refusals: usize,
}

type Work = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Work), Error>> + Send>;

impl Gate {
    pub(crate) fn new(granted: Vec<Origin>, notes: Notes) -> Self {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        Self { granted, notes, deadline: Deadline::default(), connections, refusals: 0 }
    }

    fn check(&mut self, method: &Method, uri: &Uri) -> Result<(), Error> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let scheme = uri.scheme_str().unwrap_or_default();
        let origin = match scheme {
            "https" => Origin::of(true, authority),
            "http" => Origin::of(false, authority),
            _ => Err("is neither `https` nor `http`"),
        };
        let refused = match origin {
            Ok(origin) if self.granted.contains(&origin) => None,
            Ok(origin) => Some(format!("`{origin}` is not among the plugin's `http` grants")),
            Err(why) => {
                // Without the user name and the password that may stand before it.
                let host = authority.rsplit('@').next().unwrap_or_default();
                Some(format!("`{scheme}://{}` {why}", convert::cut(host.to_owned(), 256)))
            }
        };
        if let Some(why) = refused {
            self.refusals += 1;
            if self.refusals <= REFUSALS {
                let more = if self.refusals == REFUSALS { "; further ones are not written down" } else { "" };
                self.notes.note("warn", &format!("refused an HTTP request: {why}{more}"));
            }
            return Err(Error::HttpRequestDenied);
        }
        // A target with an authority of its own would win over the header `Host` at the server.
        if !uri.path().starts_with('/') {
            return Err(Error::HttpRequestUriInvalid);
        }
        if *method == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        Ok(())
    }
}

impl WasiHttpHooks for Gate {
    /// All of them are looked at by [`Gate::check`], which says what it refused.
    fn is_supported_scheme(&mut self, _: &http::uri::Scheme) -> bool {
        true
    }

    fn send_request(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>, done: Work) -> Sending {
        if let Err(err) = self.check(request.method(), request.uri()) {
            return Box::new(async { Err(err) });
        }
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        };
        let left = self.deadline.left();
        let capped = |timeout: Option<_>| Some(timeout.unwrap_or(left).min(left));
        let options = options.unwrap_or_default();
        let options = RequestOptions {
            connect_timeout: capped(options.connect_timeout),
            first_byte_timeout: capped(options.first_byte_timeout),
            between_bytes_timeout: capped(options.between_bytes_timeout),
        };
        let sending = default_hooks().send_request(request, Some(options), done);
        Box::new(async move {
            // Over all of it, since the handshake of TLS has no timeout of its own.
            let sent = tokio::time::timeout(left, Pin::from(sending)).await;
            let (response, work) = sent.map_err(|_| Error::ConnectionTimeout)??;
            let work: Work = Box::new(async move {
                let _permit = permit;
                Pin::from(work).await
            });
            Ok((response, work))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(granted: &[&str]) -> (tempfile::TempDir, Gate) {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::open(Some(folder.path()), 1 << 20).unwrap();
        let granted = granted.iter().map(|origin| Origin::parse(origin).unwrap()).collect();
        (folder, Gate::new(granted, notes))
    }

    #[test]
    fn only_the_granted_origin_passes() {
        let (_folder, mut gate) = gate(&["http://127.0.0.1:8080", "https://siem.example.com"]);
        for url in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/x?y=http://evil.example",
            "https://SIEM.example.com:443/x",
            "https://siem.example.com//evil.example/",
        ] {
            assert!(gate.check(&Method::GET, &url.parse().unwrap()).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1:8081/",
            "http://127.0.0.1/",
            "https://127.0.0.1:8080/",
            "http://localhost:8080/",
            "http://127.1:8080/",
            "http://2130706433:8080/",
            "http://0x7f000001:8080/",
            "http://[::ffff:127.0.0.1]:8080/",
            "http://127.0.0.1.:8080/",
            "http://user@127.0.0.1:8080/",
            "http://127.0.0.1:8080@evil.example/",
            "ftp://127.0.0.1:8080/",
            "https://siem.example.com./",
            "https://siem.example.com.evil.example/",
            "https://evil.example/siem.example.com",
            "http://siem.example.com/",
            "http://siem.example.com:443/",
        ] {
            let refused = gate.check(&Method::GET, &url.parse().unwrap());
            assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{url}: {refused:?}");
        }
        let tunnel = gate.check(&Method::CONNECT, &"http://127.0.0.1:8080/".parse().unwrap());
        assert!(matches!(tunnel, Err(Error::HttpRequestMethodInvalid)));
    }

    #[tokio::test]
    async fn a_guest_has_only_so_many_connections() {
        let (_folder, mut gate) = gate(&["http://127.0.0.1:9"]);
        let mut send = || {
            let request = Request::get("http://127.0.0.1:9/").body(WasiBody::default()).unwrap();
            Pin::from(gate.send_request(request, None, Box::new(async { Ok(()) })))
        };
        let open: Vec<_> = (0..CONNECTIONS).map(|_| send()).collect();
        assert!(matches!(send().await, Err(Error::ConnectionLimitReached)));
        drop(open);
        assert!(matches!(send().await, Err(Error::Connect(_))), "nobody listens there");
    }

    #[test]
    fn a_refusal_is_written_down_without_the_password_and_not_for_ever() {
        let (folder, mut gate) = gate(&["http://127.0.0.1"]);
        for _ in 0..REFUSALS + 10 {
            gate.check(&Method::GET, &"http://user:hunter2@127.0.0.1/".parse().unwrap()).unwrap_err();
        }
        let log = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
        assert_eq!(log.lines().count(), REFUSALS);
        assert!(log.contains("refused an HTTP request: `http://127.0.0.1` has a user name in it"), "{log}");
        assert!(!log.contains("hunter2") && log.ends_with("; further ones are not written down\"}\n"), "{log}");
    }
}
