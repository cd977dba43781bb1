//! An HTTP server for one test: as simple as can be, so that it does what the test says and nothing else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A server on an address of its own.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Receiver<Request>,
}

/// What was asked.
#[derive(Debug)]
pub(crate) struct Request {
    /// The first line and the headers.
    pub(crate) head: String,
    pub(crate) body: usize,
}

impl Server {
    /// Answers each request with what `answer` writes; then the connection is closed.
    pub(crate) fn start(answer: impl Fn(&Request, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                answer(&request, &mut stream);
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the next request that was answered.
    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// Returns how many more requests were answered.
    pub(crate) fn more(&self) -> usize {
        self.requests.try_iter().count()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut from = BufReader::new(stream);
    let mut head = String::new();
    while from.read_line(&mut head).unwrap() > 2 {}
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body).unwrap();
    Request { head, body: body.len() }
}

/// Writes a response.
pub(crate) fn respond(to: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    // Who asked may be gone.
    drop(to.write_all(head.as_bytes()).and_then(|()| to.write_all(body)));
}
