//! An HTTP server for one test, which answers as the test says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A server on an address of its own.
pub(super) struct Server {
    address: SocketAddr,
    requests: Receiver<Request>,
}

/// What was asked.
#[derive(Debug)]
pub(super) struct Request {
    /// The first line and the headers.
    head: String,
    pub(super) body: String,
}

impl Request {
    /// Returns the value of a header, whose name is given in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Server {
    /// Answers each request, the first one is number 1, with what `answer` writes; then the connection is closed.
    pub(super) fn start(answer: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        thread::spawn(move || {
            for (number, stream) in (1..).zip(listener.incoming()) {
                let mut stream = stream.unwrap();
                // Before the answer, so that who got one finds the request written down.
                if sender.send(read(&stream)).is_err() {
                    return;
                }
                answer(number, &mut stream);
            }
        });
        Self { address, requests }
    }

    /// Answers each request with a status.
    pub(super) fn saying(statuses: &'static [&'static str]) -> Self {
        Self::start(|number, stream| respond(stream, statuses[(number - 1).min(statuses.len() - 1)], ""))
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }

    /// Waits for a request.
    pub(super) fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut from = BufReader::new(stream);
    let mut head = String::new();
    while from.read_line(&mut head).unwrap_or(0) > 2 {}
    let request = Request { head, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body).unwrap_or(0);
    Request { body: String::from_utf8(body).unwrap(), ..request }
}

/// Writes a response.
pub(super) fn respond(to: &mut TcpStream, status: &str, headers: &str) {
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n{headers}\r\nok");
    // Who asked may be gone.
    to.write_all(text.as_bytes()).ok();
}

/// Returns the origin of a port where nobody listens.
pub(super) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
