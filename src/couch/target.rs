//! The one builder of request targets.
//!
//! `url::Url`, and so reqwest, collapses `.` and `..` segments even when they are percent-encoded, so that an unlucky
//! name would turn `DELETE document` into `DELETE database`. Targets are built here from typed names only, every byte
//! but the unreserved ones is percent-encoded, and the parsed URL is compared with what was meant before it is used.

use std::fmt;

use percent_encoding::utf8_percent_encode;
use url::Url;

use crate::address::{Address, SEGMENT};
use crate::name::{AttName, DbName, DocId};

/// Why no URL can be built for a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The name is `.` or `..`: clients and proxies take it out of the path.
    #[error("no URL can name `{0}`")]
    Dots(String),
    /// The URL would be longer than servers take.
    #[error("the name is too long for a URL ({0} bytes)")]
    TooLong(usize),
    /// The URL library made another path of it.
    #[error("the path `{meant}` would be sent as `{parsed}`")]
    Changed {
        /// What was meant.
        meant: String,
        /// What the library made of it.
        parsed: String,
    },
}

/// CouchDB answers 400 with an empty body when the first line of a request exceeds its buffer of 8 KiB.
const LONGEST: usize = 8000;

/// A request target: path and query beneath an origin. Its text has no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    origin: String,
    path: String,
    query: String,
    dots: Option<String>,
    /// What of a server or a database it is, if it is no document: `_changes`, and empty for the whole.
    endpoint: Option<String>,
}

impl Target {
    /// The server itself: `/prefix/`.
    pub fn server(address: &Address) -> Self {
        let mut target = Self::root(address).of("");
        target.path.push('/');
        target
    }

    /// An endpoint of the server, as in `/_session`; the segments are encoded.
    pub fn endpoint(address: &Address, segments: &[&str]) -> Self {
        let name = segments.first().copied().unwrap_or_default();
        segments.iter().fold(Self::root(address).of(name), |target, segment| target.segment(segment))
    }

    /// A database.
    pub fn database(address: &Address, database: &DbName) -> Self {
        Self::root(address).segment(database.as_str()).of("")
    }

    /// An endpoint of a database, as in `/db/_bulk_docs`.
    pub fn database_endpoint(address: &Address, database: &DbName, endpoint: &str) -> Self {
        Self::database(address, database).segment(endpoint).of(endpoint)
    }

    /// A document; `_design/` and `_local/` keep their slash (`_design%2F` is answered by a redirect).
    pub fn document(address: &Address, database: &DbName, id: &DocId) -> Self {
        let mut target = Self::database(address, database);
        target.endpoint = id.as_str().starts_with("_local/").then(|| "_local".to_owned());
        match id.as_str().split_once('/') {
            Some((kind @ ("_design" | "_local"), name)) => target.segment(kind).segment(name),
            _ => target.segment(id.as_str()),
        }
    }

    /// An attachment; a `/` in its name is sent as `%2F`.
    pub fn attachment(address: &Address, database: &DbName, id: &DocId, name: &AttName) -> Self {
        Self::document(address, database, id).segment(name.as_str())
    }

    /// The endpoint beneath a document, as in `/db/_design/x/_info`.
    pub fn beneath(self, endpoint: &str) -> Self {
        self.segment(endpoint)
    }

    /// Adds a query parameter.
    pub fn query(mut self, key: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.extend(utf8_percent_encode(key, SEGMENT));
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value, SEGMENT));
        self
    }

    /// What of a server or a database it is (`_changes`; `_local` for its own documents), empty for the whole; `None`
    /// for documents and what belongs to them.
    pub(super) fn endpoint_name(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn of(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL, exactly as meant or not at all.
    pub fn url(&self) -> Result<Url, TargetError> {
        if let Some(name) = &self.dots {
            return Err(TargetError::Dots(name.clone()));
        }
        let length = self.path.len() + self.query.len();
        if length > LONGEST {
            return Err(TargetError::TooLong(length));
        }
        let changed = |parsed: String| TargetError::Changed { meant: self.path_and_query(), parsed };
        let url = Url::parse(&self.to_string()).map_err(|error| changed(error.to_string()))?;
        let query = (!self.query.is_empty()).then_some(self.query.as_str());
        let same_origin = url.origin().ascii_serialization() == self.origin;
        if same_origin && url.path() == self.path && url.query() == query && url.fragment().is_none() {
            Ok(url)
        } else {
            Err(changed(url.to_string()))
        }
    }

    fn root(address: &Address) -> Self {
        let (origin, path, query) = (address.origin().to_owned(), String::new(), String::new());
        let root = Self { origin, path, query, dots: None, endpoint: None };
        address.prefix().iter().fold(root, |target, segment| target.segment(segment))
    }

    fn segment(mut self, name: &str) -> Self {
        if matches!(name, "." | "..") {
            self.dots.get_or_insert_with(|| name.to_owned());
        }
        self.path.push('/');
        self.path.extend(utf8_percent_encode(name, SEGMENT));
        self
    }

    fn path_and_query(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.path, self.query)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path_and_query())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::Expect;

    fn server(text: &str) -> Address {
        Address::parse(text, Expect::Server).unwrap().0
    }

    fn document(id: &str) -> Target {
        Target::document(&server("http://h:5984"), &DbName::new("db").unwrap(), &DocId::new(id).unwrap())
    }

    fn attachment(name: &str) -> Target {
        let (database, id) = (DbName::new("db").unwrap(), DocId::new("doc").unwrap());
        Target::attachment(&server("http://h:5984"), &database, &id, &AttName::new(name).unwrap())
    }

    #[test]
    fn every_byte_but_the_unreserved_is_encoded() {
        let cases = [
            ("_design/x", "/db/_design/x"),
            ("_design/a/b", "/db/_design/a%2Fb"),
            ("_local/a b", "/db/_local/a%20b"),
            ("a/b", "/db/a%2Fb"),
            ("a+b?c#d", "/db/a%2Bb%3Fc%23d"),
            ("a/../b", "/db/a%2F..%2Fb"),
            ("%2e%2e", "/db/%252e%252e"),
            ("é\0\n", "/db/%C3%A9%00%0A"),
            ("a\\b", "/db/a%5Cb"),
            ("...", "/db/..."),
        ];
        for (id, path) in cases {
            assert_eq!(document(id).url().unwrap().as_str(), format!("http://h:5984{path}"), "{id:?}");
        }
    }

    #[test]
    fn dots_and_giants_are_refused() {
        for name in [".", ".."] {
            assert_eq!(attachment(name).url(), Err(TargetError::Dots(name.into())));
            assert_eq!(document(name).url(), Err(TargetError::Dots(name.into())));
            assert_eq!(document(&format!("_design/{name}")).url(), Err(TargetError::Dots(name.into())));
        }
        assert!(matches!(attachment(&"ä".repeat(2000)).url(), Err(TargetError::TooLong(_))));
        assert!(attachment(&"a".repeat(7000)).url().is_ok());
    }

    #[test]
    fn a_prefix_and_a_query_are_kept() {
        let address = server("https://h/a%20b/couch");
        assert_eq!(Target::server(&address).url().unwrap().as_str(), "https://h/a%20b/couch/");
        let database = DbName::new("a/b+c").unwrap();
        let target = Target::database(&address, &database).query("rev", "1-a").query("x y", "&=");
        assert_eq!(target.url().unwrap().as_str(), "https://h/a%20b/couch/a%2Fb%2Bc?rev=1-a&x%20y=%26%3D");
        assert_eq!(Target::server(&server("http://h:80")).url().unwrap().as_str(), "http://h/");
    }

    proptest! {
        #[test]
        fn an_attachment_never_becomes_another_target(name in ".{1,20}|[./\\\\%2eE]{1,12}") {
            let url = attachment(&name).url();
            if matches!(name.as_str(), "." | "..") {
                prop_assert!(url.is_err());
            } else {
                let url = url.unwrap();
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 3);
                let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
                prop_assert_eq!(decoded, name);
            }
        }
    }
}
