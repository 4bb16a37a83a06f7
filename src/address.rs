//! The address of a server, database or document, taken apart once and kept without credentials.
//!
//! `url::Url` collapses `.` and `..` segments, so it is trusted only with the origin; the path is split by hand and every
//! segment is decoded into a typed name.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::name::{DbName, DocId, NameError};
use crate::secret::{Credentials, Secret};

/// Everything but the unreserved characters of RFC 3986 is encoded in a path segment: a raw `+` would reach CouchDB as
/// a space, a raw `/` as a separator.
pub const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which kind of thing the last segment of a URL names when the URL alone cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `http://host/prefix/db`
    Database,
    /// `http://host/prefix/db/docid`
    Document,
    /// `http://host/prefix`
    Server,
}

/// Where a server, one of its databases or one of its documents is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    origin: String,
    prefix: Vec<String>,
    /// The database, if the URL names one.
    pub database: Option<DbName>,
    /// The document, if the URL names one.
    pub document: Option<DocId>,
    /// The URL ends in `/_design`: all design documents of the database are meant.
    pub all_designs: bool,
    /// Decoded segments after the document, as in a URL copied from a browser (`…/_design/pics/index.html`).
    pub rest: Vec<String>,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `http://` nor `https://`, or no host.
    #[error("not an http:// or https:// URL")]
    NotHttp,
    /// The host or port cannot be read.
    #[error("the host or port cannot be read: {0}")]
    Host(String),
    /// A password with an unencoded `@` or `/`.
    #[error("the password in this URL has an unencoded `@` or `/`")]
    AmbiguousPassword,
    /// A query or fragment.
    #[error("the URL has a `?` or `#` part")]
    Query,
    /// A `.` or `..` segment, or an empty one in the middle.
    #[error("the path has an empty, `.` or `..` segment")]
    Segment,
    /// A percent-encoding that is not UTF-8.
    #[error("the path is not percent-encoded UTF-8")]
    Encoding,
    /// No database where one is needed.
    #[error("the URL names no database")]
    NoDatabase,
    /// No document where one is needed.
    #[error("the URL names no document")]
    NoDocument,
    /// A name that CouchDB does not allow.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Address {
    /// Takes a URL apart; its user and password come back apart from the address, percent-decoded.
    pub fn parse(text: &str, expect: Expect) -> Result<(Self, Option<Credentials>), AddressError> {
        let (scheme, after) = text.split_once("://").ok_or(AddressError::NotHttp)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(AddressError::NotHttp);
        }
        let (authority, path) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        let (userinfo, host) = split_authority(authority, path)?;
        if path.contains(['?', '#']) {
            return Err(AddressError::Query);
        }
        let origin = parse_origin(&scheme, host)?;
        let mut address =
            Self { origin, prefix: Vec::new(), database: None, document: None, all_designs: false, rest: Vec::new() };
        address.take_path(&decode_segments(path)?, expect)?;
        Ok((address, userinfo.map(decode_userinfo).transpose()?))
    }

    fn take_path(&mut self, segments: &[String], expect: Expect) -> Result<(), AddressError> {
        let design = segments.iter().position(|segment| segment == "_design" || segment.starts_with("_design/"));
        if let (Some(at), true) = (design, expect != Expect::Server) {
            let database = at.checked_sub(1).ok_or(AddressError::NoDatabase)?;
            self.prefix = segments[..database].to_vec();
            self.database = Some(DbName::new(segments[database].as_str())?);
            let (id, rest) = match segments[at].strip_prefix("_design/") {
                Some(name) => (Some(name.to_owned()), &segments[at + 1..]),
                None => (segments.get(at + 1).cloned(), segments.get(at + 2..).unwrap_or_default()),
            };
            self.document = id.map(|name| DocId::new(format!("_design/{name}"))).transpose()?;
            self.all_designs = self.document.is_none();
            self.rest = rest.to_vec();
            return Ok(());
        }
        let named = match expect {
            Expect::Server => 0,
            Expect::Database => 1,
            Expect::Document => 2,
        };
        let start = segments.len().checked_sub(named).ok_or(match (expect, segments.len()) {
            (Expect::Document, 1) => AddressError::NoDocument,
            _ => AddressError::NoDatabase,
        })?;
        self.prefix = segments[..start].to_vec();
        self.database = segments.get(start).map(|name| DbName::new(name.as_str())).transpose()?;
        self.document = segments.get(start + 1).map(|id| DocId::new(id.as_str())).transpose()?;
        Ok(())
    }

    /// Scheme, host and port without a trailing slash; the default port is left out.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Decoded path segments before the database.
    pub fn prefix(&self) -> &[String] {
        &self.prefix
    }

    /// The host with its port, if that is not the usual one, for messages.
    pub fn authority(&self) -> &str {
        self.origin.split_once("://").map_or(self.origin.as_str(), |(_, rest)| rest)
    }

    /// The host's name, for credential look-ups (`[::1]` keeps its brackets).
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rfind(']') {
            Some(end) => &authority[..=end],
            None => authority.split(':').next().unwrap_or(authority),
        }
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host == "[::1]"
            || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether requests are encrypted.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The same server, another (or no) database and document.
    pub fn with(&self, database: Option<DbName>, document: Option<DocId>) -> Self {
        Self { database, document, all_designs: false, rest: Vec::new(), ..self.clone() }
    }

    /// The server alone.
    pub fn server(&self) -> Self {
        self.with(None, None)
    }
}

/// The canonical URL: lower-case host, no default port, no credentials, names encoded (`_design/` keeps its slash).
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        for segment in &self.prefix {
            write!(f, "/{}", utf8_percent_encode(segment, SEGMENT))?;
        }
        if let Some(database) = &self.database {
            write!(f, "/{}", utf8_percent_encode(database.as_str(), SEGMENT))?;
        }
        if let Some(document) = &self.document {
            let special = document.as_str().split_once('/').filter(|_| document.as_str().starts_with('_'));
            match special {
                Some((kind, name)) => write!(f, "/{kind}/{}", utf8_percent_encode(name, SEGMENT))?,
                None => write!(f, "/{}", utf8_percent_encode(document.as_str(), SEGMENT))?,
            }
        }
        if self.all_designs {
            f.write_str("/_design")?;
        }
        Ok(())
    }
}

fn split_authority<'a>(authority: &'a str, path: &str) -> Result<(Option<&'a str>, &'a str), AddressError> {
    match authority.rsplit_once('@') {
        Some((userinfo, _)) if userinfo.contains('@') => Err(AddressError::AmbiguousPassword),
        Some((userinfo, host)) => Ok((Some(userinfo), host)),
        None => {
            // `http://user:pa/ss@host`: the authority ends at the slash and "pa" stands where a port should.
            let port = authority.rsplit_once(':').map(|(_, port)| port);
            let no_port = port.is_some_and(|port| !authority.ends_with(']') && port.parse::<u16>().is_err());
            if no_port && path.contains('@') { Err(AddressError::AmbiguousPassword) } else { Ok((None, authority)) }
        }
    }
}

fn parse_origin(scheme: &str, host: &str) -> Result<String, AddressError> {
    if host.is_empty() {
        return Err(AddressError::NotHttp);
    }
    let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| AddressError::Host(error.to_string()))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn decode_segments(path: &str) -> Result<Vec<String>, AddressError> {
    let path = path.strip_prefix('/').unwrap_or(path).trim_end_matches('/');
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/')
        .map(|segment| {
            let text = percent_decode_str(segment).decode_utf8().map_err(|_| AddressError::Encoding)?;
            if matches!(&*text, "" | "." | "..") { Err(AddressError::Segment) } else { Ok(text.into_owned()) }
        })
        .collect()
}

fn decode_userinfo(userinfo: &str) -> Result<Credentials, AddressError> {
    let decode =
        |part: &str| percent_decode_str(part).decode_utf8().map(String::from).map_err(|_| AddressError::Encoding);
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    Ok(Credentials::Basic { user: decode(user)?, password: Secret::new(decode(password)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, expect: Expect) -> Address {
        Address::parse(text, expect).unwrap().0
    }

    #[test]
    fn urls_are_taken_apart() {
        use Expect::{Database, Document, Server};
        let cases = [
            ("http://localhost:5984/blog", Database, "blog", None, "http://localhost:5984/blog"),
            ("HTTP://LocalHost:80/blog/", Database, "blog", None, "http://localhost/blog"),
            ("https://h/couch/blog", Database, "blog", None, "https://h/couch/blog"),
            ("http://h/db/_design/x", Document, "db", Some("_design/x"), "http://h/db/_design/x"),
            ("http://h/db/_design%2Fx", Document, "db", Some("_design/x"), "http://h/db/_design/x"),
            ("http://h/p/db/_design/a%2Fb", Database, "db", Some("_design/a/b"), "http://h/p/db/_design/a%2Fb"),
            ("http://h/a%2Fb", Database, "a/b", None, "http://h/a%2Fb"),
            ("http://h/db/a%20b", Document, "db", Some("a b"), "http://h/db/a%20b"),
            ("http://h/db/a+b", Document, "db", Some("a+b"), "http://h/db/a%2Bb"),
        ];
        for (url, expect, database, document, canonical) in cases {
            let address = parse(url, expect);
            assert_eq!(address.database.as_ref().unwrap().as_str(), database, "{url}");
            assert_eq!(address.document.as_ref().map(DocId::as_str), document, "{url}");
            assert_eq!(address.to_string(), canonical, "{url}");
        }
        assert_eq!(parse("http://[::1]:5984/", Server).host(), "[::1]");
        assert!(parse("http://127.0.0.1:5984", Server).is_loopback());
        assert!(!parse("http://example.com", Server).is_loopback());
    }

    #[test]
    fn a_browser_url_keeps_its_tail_apart() {
        let address = parse("http://h/db/_design/pics/_list/images/main", Expect::Document);
        assert_eq!(address.document.unwrap().as_str(), "_design/pics");
        assert_eq!(address.rest, ["_list", "images", "main"]);
        let address = parse("http://h/db/_design", Expect::Document);
        assert!(address.all_designs && address.document.is_none());
        assert_eq!(address.to_string(), "http://h/db/_design");
    }

    #[test]
    fn credentials_come_back_apart_and_decoded() {
        let (address, credentials) = Address::parse("http://bob:p%40ss%3A%2F@h/db", Expect::Database).unwrap();
        assert_eq!(address.to_string(), "http://h/db");
        let expected = Credentials::Basic { user: "bob".into(), password: Secret::new("p@ss:/") };
        assert_eq!(credentials, Some(expected));
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        use AddressError as E;
        let cases = [
            ("blog", E::NotHttp),
            ("ftp://h/db", E::NotHttp),
            ("http:///db", E::NotHttp),
            ("http://a:p@ss@h/db", E::AmbiguousPassword),
            ("http://a:p/ss@h/db", E::AmbiguousPassword),
            ("http://h/db?x=1", E::Query),
            ("http://h/db#x", E::Query),
            ("http://h/../db", E::Segment),
            ("http://h/%2e%2e/db", E::Segment),
            ("http://h//db", E::Segment),
            ("http://h/", E::NoDatabase),
            ("http://h/%ff", E::Encoding),
        ];
        for (url, error) in cases {
            assert_eq!(Address::parse(url, Expect::Database).unwrap_err(), error, "{url}");
        }
        assert_eq!(Address::parse("http://h/db", Expect::Document).unwrap_err(), E::NoDocument);
        assert!(matches!(Address::parse("http://h/Blog", Expect::Database), Err(E::Name(_))));
        assert!(matches!(Address::parse("http://h:99999/db", Expect::Database), Err(E::Host(_))));
    }
}
