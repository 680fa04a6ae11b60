//! Requests to the outside: how a URL is read, and which hosts, methods and paths a rule means.

use crate::policy::pattern::Pattern;

/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 8_192;

/// A URL after a strict reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// In small letters, without a dot at its end.
    pub host: String,
    pub port: u16,
    /// Without the query.
    pub path: String,
}

impl Target {
    /// Reads `https://host[:port]/path[?query]`.
    ///
    /// # Errors
    /// What two readers could understand differently, in one line.
    pub fn read(url: &str) -> Result<Self, String> {
        if url.len() > URL_BYTES_MAX {
            return Err(format!("the URL has over {URL_BYTES_MAX} bytes"));
        }
        let printable = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#');
        if !url.bytes().all(printable) {
            return Err("the URL has a character that is not plain ASCII, `\\` or `#`".to_owned());
        }
        let uri: http::Uri = url.parse().map_err(|_| "this is not a URL".to_owned())?;
        if uri.scheme_str() != Some("https") {
            return Err("only https:// URLs are requested".to_owned());
        }
        let authority = uri.authority().ok_or("the URL has no host")?;
        if authority.as_str().contains('@') {
            return Err("the URL has a user name".to_owned());
        }
        let host = authority.host().to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
        if !is_name(&host) {
            return Err("the host is not a plain name".to_owned());
        }
        let rest = authority.as_str().get(authority.host().len()..);
        let port = match rest.unwrap_or_default() {
            "" => 443,
            rest => rest
                .strip_prefix(':')
                .filter(|digits| !digits.starts_with(['0', '+']))
                .and_then(|digits| digits.parse().ok())
                .ok_or("the port is not a number from 1 to 65535")?,
        };
        let path = uri.path().to_owned();
        if has_doubtful_parts(&path) {
            let doubtful = "the path has `.`, `..`, an empty part, or a `%` that is malformed or \
                            stands for a plain character, `/`, `\\` or `%`";
            return Err(doubtful.to_owned());
        }
        Ok(Self { host, port, path })
    }
}

/// A host name of letters, digits, `-` and dots, not an address in any spelling.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let fits = (1..=63).contains(&label.len());
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        fits && label.bytes().all(plain)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // The last part of an address is a number: 127.1, 0x7f000001.
    let number = last.starts_with(|c: char| c.is_ascii_digit());
    host.len() <= 253 && !number && host.split('.').all(label)
}

fn has_doubtful_parts(path: &str) -> bool {
    let plain_code = |rest: &str| {
        let digits = rest
            .get(..2)
            .filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        // Unreserved characters (RFC 3986, 2.3) mean the same with and without a code, so a
        // pattern for one spelling would miss the other.
        let doubtful = |b: u8| b.is_ascii_alphanumeric() || b"-._~/\\%\0".contains(&b);
        byte.is_some_and(|byte| !doubtful(byte))
    };
    !path.split('%').skip(1).all(plain_code)
        || path.contains("//")
        || path.split('/').any(|part| part == "." || part == "..")
}

/// What a rule says of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    Exact(String),
    /// Every name below this one, which begins with a dot.
    Below(String),
    /// Only in deny rules.
    Every,
}

impl HostPattern {
    /// Reads `example.org`, `*.example.org` or, where it may stand, `*`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn new(written: &str, every_may_stand: bool) -> Result<Self, String> {
        if written == "*" && every_may_stand {
            return Ok(Self::Every);
        }
        let low = written.to_ascii_lowercase();
        let (name, below) = match low.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (&*low, false),
        };
        let whole_zone = below && !name.contains('.');
        if !is_name(name) || whole_zone {
            return Err(
                "a host is a name such as `example.org`, or `*.example.org` for all below it"
                    .to_owned(),
            );
        }
        Ok(match below {
            true => Self::Below(format!(".{name}")),
            false => Self::Exact(name.to_owned()),
        })
    }

    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(end) => host.len() > end.len() && host.ends_with(&**end),
            Self::Every => true,
        }
    }
}

/// Requests a rule is about; an empty list of methods or paths means every one.
#[derive(Debug, Clone)]
pub struct Requests {
    pub hosts: Vec<HostPattern>,
    pub methods: Vec<String>,
    /// Empty: every port.
    pub ports: Vec<u16>,
    pub paths: Vec<Pattern>,
}

impl Requests {
    pub fn match_target(&self, method: &str, target: &Target) -> bool {
        let none_or = |empty: bool, found: bool| empty || found;
        self.hosts.iter().any(|host| host.matches(&target.host))
            && none_or(
                self.methods.is_empty(),
                self.methods.iter().any(|known| known == method),
            )
            && none_or(self.ports.is_empty(), self.ports.contains(&target.port))
            && none_or(
                self.paths.is_empty(),
                self.paths.iter().any(|path| path.matches(&target.path)),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_url_is_read_to_host_port_and_path() {
        let read = |url: &str| Target::read(url).map(|t| (t.host, t.port, t.path));
        let wanted = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(
            read("https://A.example.org"),
            wanted("a.example.org", 443, "/")
        );
        assert_eq!(
            read("https://a.example.org.:8443/b/c?d=.."),
            wanted("a.example.org", 8443, "/b/c")
        );
        let coded = "https://a.example.org/b%20c%C3%A4/";
        assert_eq!(read(coded), wanted("a.example.org", 443, "/b%20c%C3%A4/"));
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for bad in [
            "http://example.org/",
            "example.org",
            "/a",
            "file:///etc/passwd",
            "https://user@example.org/",
            "https://good.org@evil.org/",
            "https://evil.org\\.good.org/",
            "https://evil.org#.good.org/",
            "https://evil.org\0.good.org/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::1]/",
            "https://example.org:0/",
            "https://example.org:443443/",
            "https://exämple.org/",
            "https://example..org/",
            "https://example.org/a/../b",
            "https://example.org/a/%2e%2e/b",
            "https://example.org/a%2fb",
            "https://example.org/%252e",
            "https://example.org/%61dmin",
            "https://example.org/a%7Eb",
            "https://example.org/a%2",
            "https://example.org/a%",
            "https://example.org/a%zz",
            "https://example.org/a%+1",
            "https://example.org//admin",
            "https://example.org/a//b",
            "https:///a",
            "https://",
        ] {
            assert!(Target::read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_wildcard_means_names_below_and_never_a_whole_zone() {
        let below = HostPattern::new("*.Example.org", false).unwrap();
        assert!(below.matches("a.example.org") && below.matches("a.b.example.org"));
        assert!(!below.matches("example.org") && !below.matches("aexample.org"));
        for bad in [
            "*",
            "*.org",
            "a.*",
            "*a.org",
            "",
            "1.2.3.4",
            "a b",
            "https://a.org",
        ] {
            assert!(HostPattern::new(bad, false).is_err(), "{bad}");
        }
        assert_eq!(HostPattern::new("*", true), Ok(HostPattern::Every));
    }
}
