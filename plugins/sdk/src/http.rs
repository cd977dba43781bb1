//! HTTP, for plugins that were granted `http` origins in runner.toml. Feature `http`: without it nothing of `wasi:http` is
//! imported, and with it the host loads the plugin only if there is such a grant.
//!
//! ```ignore
//! let response = http::Request::post("https://chat.example.com/hook").body(text.into_bytes()).timeout(Duration::from_secs(5)).send()?;
//! ```
//!
//! One request at a time: `send` returns when the whole response is there. The time is that of the call, `limits.call`;
//! a shorter [`timeout`](Request::timeout) leaves the plugin time to say what happened. Redirects are not followed.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};

/// A longer body of a response is an error: it has to fit into the plugin's memory, twice while it grows.
const BODY_LIMIT: u64 = 8 << 20;

/// A request, to be sent with [`send`](Self::send).
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

impl Request {
    fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// Returns a request for what is at a URL.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Returns a request that hands something to a URL.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url)
    }

    /// Returns a request that puts something at a URL.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::Put, url)
    }

    /// Adds a header. The host allows neither `host` nor what concerns the connection; `content-length` is set by itself.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Sets how long to wait for the connection, then for the first byte, then for each further piece.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the request and waits for the whole response, whatever its status.
    ///
    /// # Errors
    ///
    /// The request is not well-formed, its origin was not granted ([`Error::is_denied`]), or no whole response came.
    pub fn send(self) -> Result<Response, Error> {
        let request = OutgoingRequest::new(self.fields()?);
        let (scheme, authority, path) = split(&self.url)?;
        let set = request
            .set_method(&self.method)
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(authority)))
            .and_then(|()| request.set_path_with_query(Some(&path)));
        set.map_err(|()| Error::new(format!("`{}` is not a well-formed URL", self.url)))?;
        let to = request.body().map_err(|()| Error::new("the request has no body to write to"))?;

        let future = outgoing_handler::handle(request, Some(self.options()?)).map_err(|code| Error::of(&code))?;
        // A server may answer and close before it has read everything, and one that was not granted reads nothing: what
        // became of the request is said by its response, or by why there is none.
        drop(write(to, &self.body));
        let response = wait(&future)?;
        read(&response)
    }

    fn fields(&self) -> Result<Fields, Error> {
        let fields = Fields::new();
        for (name, value) in &self.headers {
            let refused = |error| Error::new(format!("the header `{name}` is refused: {error:?}"));
            fields.append(name, value).map_err(refused)?;
        }
        let may_have_body = !matches!(self.method, Method::Get);
        if (may_have_body || !self.body.is_empty()) && !fields.has("content-length") {
            let length = self.body.len().to_string();
            let refused = |error| Error::new(format!("the length of the body is refused: {error:?}"));
            fields.append("content-length", length.as_bytes()).map_err(refused)?;
        }
        Ok(fields)
    }

    fn options(&self) -> Result<RequestOptions, Error> {
        let options = RequestOptions::new();
        let timeout = self.timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        let set = options
            .set_connect_timeout(timeout)
            .and_then(|()| options.set_first_byte_timeout(timeout))
            .and_then(|()| options.set_between_bytes_timeout(timeout));
        set.map_err(|()| Error::new("the host takes no timeouts"))?;
        Ok(options)
    }
}

/// Takes a URL apart, leaving out its fragment. The authority stays as written: the host judges it.
fn split(url: &str) -> Result<(Scheme, &str, String), Error> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| Error::new(format!("`{url}` is not a URL")))?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok((scheme, authority, format!("{slash}{path}")))
}

fn write(to: OutgoingBody, body: &[u8]) -> Result<(), Error> {
    let mut stream = to.write().map_err(|()| Error::new("the body of the request cannot be written"))?;
    let written = stream.write_all(body).and_then(|()| std::io::Write::flush(&mut stream));
    drop(stream);
    written.map_err(|error| Error::new(format!("the request could not be sent: {error}")))?;
    OutgoingBody::finish(to, None).map_err(|code| Error::of(&code))
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, Error> {
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Ok(response),
            Some(Ok(Err(code))) => return Err(Error::of(&code)),
            Some(Err(())) => return Err(Error::new("the response was taken already")),
            None => future.subscribe().block(),
        }
    }
}

fn read(response: &IncomingResponse) -> Result<Response, Error> {
    let gone = |()| Error::new("the body of the response was taken already");
    let from = response.consume().map_err(gone)?;
    let stream = from.stream().map_err(gone)?;
    let mut body = Vec::new();
    let end = stream.take(BODY_LIMIT + 1).read_to_end(&mut body);
    end.map_err(|error| Error::new(format!("the response broke off: {error}")))?;
    drop(IncomingBody::finish(from));
    if body.len() as u64 > BODY_LIMIT {
        return Err(Error::new(format!("the response is longer than {BODY_LIMIT} bytes")));
    }
    Ok(Response { status: response.status(), headers: response.headers().entries(), body })
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers as they came, names in small letters. A name may stand there more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the first value of a header, named in small letters; none when there is none, or when it is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// No whole response came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    text: String,
    denied: bool,
}

impl Error {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), denied: false }
    }

    fn of(code: &ErrorCode) -> Self {
        if matches!(code, ErrorCode::HttpRequestDenied) {
            let text = "the host refused the request: the origin is not among the plugin's `http` grants";
            return Self { text: text.to_owned(), denied: true };
        }
        Self::new(format!("no response: {}", words(&format!("{code:?}"))))
    }

    /// Returns whether the host refused it: the origin is not among those of the plugin's `http` grant. To try again is
    /// of no use.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.denied
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl From<Error> for crate::Failure {
    fn from(error: Error) -> Self {
        Self::new(error.text)
    }
}

/// Makes `connection refused` of `ErrorCode::ConnectionRefused`; details stay as they are.
fn words(code: &str) -> String {
    let code = code.strip_prefix("ErrorCode::").unwrap_or(code);
    let (name, details) = code.split_at(code.find('(').unwrap_or(code.len()));
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    if details.is_empty() { words } else { format!("{words} {details}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_falls_into_its_parts() {
        for (url, authority, path) in [
            ("http://a.example", "a.example", "/"),
            ("HTTP://a.example:80/x?y=1#z", "a.example:80", "/x?y=1"),
            ("http://a.example?y", "a.example", "/?y"),
            ("http://u@a.example#@b.example/", "u@a.example", "/"),
            ("http://[::1]:8080/x", "[::1]:8080", "/x"),
        ] {
            let (scheme, found, rest) = split(url).unwrap();
            assert!(matches!(scheme, Scheme::Http), "{url}");
            assert_eq!((found, rest.as_str()), (authority, path), "{url}");
        }
        assert!(split("a.example/x").is_err());
    }

    #[test]
    fn errors_are_said_in_words() {
        assert_eq!(Error::of(&ErrorCode::ConnectionRefused).to_string(), "no response: connection refused");
        assert!(Error::of(&ErrorCode::HttpRequestDenied).is_denied());
        assert_eq!(words("ErrorCode::HttpRequestBodySize(Some(1))"), "http request body size (Some(1))");
    }
}
