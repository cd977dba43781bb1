//! Origins of HTTP: where a plugin may send to.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

/// A scheme, a host and a port (RFC 6454), in one spelling.
///
/// Two origins are the same only if all three are. Hosts are compared as names: nothing is resolved, so an address is
/// another host than the name that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads `scheme://host[:port]`. A closing `/` is allowed, as people copy it.
    ///
    /// # Errors
    /// Returns what is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("has no `https://` or `http://` in front")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("is neither `https` nor `http`"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '\\']) {
            return Err("has more than scheme, host and port");
        }
        Self::of(secure, authority)
    }

    /// Reads the authority of a request: `host[:port]`.
    ///
    /// # Errors
    /// Returns what is wrong with it, as the end of a sentence.
    pub fn of(secure: bool, authority: &str) -> Result<Self, &'static str> {
        if authority.contains('@') {
            return Err("has a user name in it");
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => {
                let address: Ipv6Addr = address.parse().map_err(|_| "is not an IPv6 address")?;
                let port = rest.strip_prefix(':');
                if port.is_none() && !rest.is_empty() {
                    return Err("has something between host and port");
                }
                (format!("[{address}]"), port)
            }
            None => {
                let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
                (name(host)?, port)
            }
        };
        let port = match port {
            None if secure => 443,
            None => 80,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or("has no port from 1 to 65535")?
            }
            Some(_) => return Err("has no port from 1 to 65535"),
        };
        Ok(Self { secure, host, port })
    }
}

/// A host's name in small letters, or an IPv4 address in its one usual spelling.
fn name(host: &str) -> Result<String, &'static str> {
    let label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(fits)
    };
    if !host.is_ascii() {
        return Err("has letters that a host name cannot have; write it in its `xn--` form");
    }
    if host.len() > 253 || !host.split('.').all(label) {
        return Err("has no host name");
    }
    // What a resolver could take for an address: `127.1`, `0x7f.0.0.1` and `2130706433` are all the same machine.
    let last = host.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if number && host.parse::<Ipv4Addr>().is_err() {
        return Err("has an address that is not written as four numbers");
    }
    Ok(host.to_ascii_lowercase())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for (written, shown) in [
            ("https://siem.example.com:8088", "https://siem.example.com:8088"),
            ("HTTPS://SIEM.Example.com/", "https://siem.example.com"),
            ("https://siem.example.com:443", "https://siem.example.com"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(Origin::parse(written).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_only_looks_like_an_origin_is_refused() {
        for written in [
            "siem.example.com",
            "ftp://siem.example.com",
            "https://",
            "https://siem.example.com/path",
            "https://siem.example.com?x",
            "https://good.example@evil.example",
            "https://siem.example.com.",
            "https://siem..example.com",
            "https://siem.example.com:0",
            "https://siem.example.com:+80",
            "https://siem.example.com:",
            "https://siem.example.com:65536",
            "https://[::1",
            "https://[::1]8080",
            "http://127.1",
            "http://2130706433",
            "http://0x7f.0.0.1",
            "http://127.0.0.0x1",
            "https://sïem.example.com",
            "https://siem example.com",
            "https://*.example.com",
        ] {
            assert!(Origin::parse(written).is_err(), "{written}");
        }
    }

    #[test]
    fn scheme_host_and_port_all_count() {
        let granted = Origin::parse("https://siem.example.com").unwrap();
        assert_eq!(Origin::of(true, "SIEM.example.com:443"), Ok(granted.clone()));
        for (secure, authority) in
            [(false, "siem.example.com:443"), (true, "siem.example.com:8443"), (true, "x.siem.example.com")]
        {
            assert_ne!(Origin::of(secure, authority), Ok(granted.clone()));
        }
    }
}
