//! One end of a replication as somebody names it: a database of this endpoint, or one anywhere with what it takes to get
//! in. It is shown without that.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use super::wanted::Invalid;
use crate::address::{Address, Expect};
use crate::json::Object;
use crate::secret::{Credentials, Secret};

/// One end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum End {
    /// A database of this endpoint, by its name, which may be none.
    Local(String),
    /// A database by its URL.
    Remote(Box<Remote>),
}

/// A database by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Remote {
    /// Where it is.
    pub(in crate::serve) address: Address,
    /// Whose rights are used.
    pub(in crate::serve) credentials: Option<Credentials>,
    /// What else goes with every request.
    pub(in crate::serve) headers: Vec<(String, Secret)>,
}

impl End {
    /// `"name"`, `"http://…"` or `{"url": "http://…", "headers": {…}, "auth": {"basic": {…}}}`
    pub(super) fn parse(value: &Value) -> Result<Self, Invalid> {
        match value {
            Value::String(text) if is_url(text) => Remote::parse(text).map(|remote| Self::Remote(Box::new(remote))),
            Value::String(name) => Ok(Self::Local(name.clone())),
            Value::Object(members) => {
                let url = members.get("url").and_then(Value::as_str).filter(|url| is_url(url)).ok_or(Invalid::Url)?;
                let mut remote = Remote::parse(url)?;
                remote.take_headers(members)?;
                remote.take_auth(members)?;
                Ok(Self::Remote(Box::new(remote)))
            }
            _ => Err(Invalid::bad("`source` and `target` are texts or objects")),
        }
    }

    /// Its URL without credentials, as CouchDB shows it. `own` is where this endpoint is.
    pub(in crate::serve) fn shown(&self, own: &str) -> String {
        match self {
            Self::Local(name) if name.is_empty() => format!("{own}/"),
            Self::Local(name) => {
                let name = percent_encoding::utf8_percent_encode(name, crate::address::SEGMENT);
                format!("{own}/{name}/")
            }
            Self::Remote(remote) => format!("{}/", remote.address),
        }
    }

    /// What tells it from another end, beside its URL: in whose name it is asked, and by which headers.
    pub(super) fn distinction(&self, user: Option<&str>) -> Value {
        match self {
            Self::Local(_) => Value::from(vec![user]),
            Self::Remote(remote) => {
                let name = remote.credentials.as_ref().and_then(Credentials::user);
                let headers = remote.headers.iter().map(|(name, _)| Some(name.as_str()));
                Value::from([name].into_iter().chain(headers).collect::<Vec<_>>())
            }
        }
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

impl Remote {
    fn parse(url: &str) -> Result<Self, Invalid> {
        let (address, credentials) = Address::parse(url, Expect::Database).map_err(|_| Invalid::Url)?;
        if address.document.is_some() || address.all_designs {
            return Err(Invalid::Url);
        }
        Ok(Self { address, credentials, headers: Vec::new() })
    }

    fn take_headers(&mut self, members: &Object) -> Result<(), Invalid> {
        let Some(headers) = members.get("headers") else { return Ok(()) };
        let bad = || Invalid::bad("`headers` must be an object of texts");
        for (name, value) in headers.as_object().ok_or_else(bad)? {
            let value = value.as_str().ok_or_else(bad)?;
            let known = name.eq_ignore_ascii_case("authorization").then(|| credentials(value)).flatten();
            match known {
                Some(credentials) => self.credentials = Some(credentials),
                None => self.headers.push((name.clone(), Secret::new(value))),
            }
        }
        Ok(())
    }

    fn take_auth(&mut self, members: &Object) -> Result<(), Invalid> {
        let Some(auth) = members.get("auth") else { return Ok(()) };
        let bad = || Invalid::bad("`auth` must be an object with `basic`: `username` and `password`");
        let basic = auth.as_object().ok_or_else(bad)?.get("basic").and_then(Value::as_object).ok_or_else(bad)?;
        let text = |key: &str| basic.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(bad);
        let password = Secret::new(text("password")?);
        self.credentials = Some(Credentials::Basic { user: text("username")?, password });
        Ok(())
    }
}

/// What the header `Authorization` says.
fn credentials(header: &str) -> Option<Credentials> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(Secret::new(rest.trim())));
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    Some(Credentials::Basic { user: user.to_owned(), password: Secret::new(password) })
}

/// The same end as JSON, without what gets in.
pub(super) fn stripped(end: &Value) -> Value {
    match end {
        Value::String(text) => match text.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                Value::from(crate::secret::redact(&format!("{scheme}://{host}{path}")))
            }
            None => end.clone(),
        },
        Value::Object(members) => {
            let kept = members.iter().filter(|(key, _)| !["auth", "headers"].contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), stripped(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWN: &str = "http://127.0.0.1:5984";

    #[test]
    fn ends_are_read_and_shown_without_credentials() {
        let basic = BASE64_STANDARD.encode("jan:canary");
        let rows = [
            (json!("photos"), "http://127.0.0.1:5984/photos/", json!(["eva"])),
            (json!("a/b"), "http://127.0.0.1:5984/a%2Fb/", json!(["eva"])),
            (json!(""), "http://127.0.0.1:5984/", json!(["eva"])),
            (json!("http://h/db"), "http://h/db/", json!([null])),
            (json!("https://h:443/p/db/"), "https://h/p/db/", json!([null])),
            (json!("http://jan:can%40ary@h/db"), "http://h/db/", json!(["jan"])),
            (json!({ "url": "http://jan:canary@h/db" }), "http://h/db/", json!(["jan"])),
            (
                json!({ "url": "http://h/db", "auth": { "basic": { "username": "jan", "password": "canary" } } }),
                "http://h/db/",
                json!(["jan"]),
            ),
            (
                json!({ "url": "http://h/db", "headers": { "Authorization": format!("Basic {basic}"), "X-A": "canary" } }),
                "http://h/db/",
                json!(["jan", "X-A"]),
            ),
            (
                json!({ "url": "http://h/db", "headers": { "authorization": "Bearer canary" } }),
                "http://h/db/",
                json!([null]),
            ),
        ];
        for (value, shown, distinction) in rows {
            let end = End::parse(&value).unwrap();
            assert_eq!((end.shown(OWN).as_str(), end.distinction(Some("eva"))), (shown, distinction), "{value}");
            assert!(!format!("{end:?}").contains("canary"), "{end:?}");
        }
    }

    #[test]
    fn what_is_no_end_is_refused() {
        for value in [
            json!(5),
            json!(null),
            json!([]),
            json!({}),
            json!({ "url": 5 }),
            json!({ "url": "ftp://h/db" }),
            json!("http://"),
            json!("http://h"),
            json!("http://h/db?x=y"),
            json!("http://h/db/_design/x"),
            json!({ "url": "http://h/db", "headers": 5 }),
            json!({ "url": "http://h/db", "headers": { "a": 5 } }),
            json!({ "url": "http://h/db", "auth": 5 }),
            json!({ "url": "http://h/db", "auth": {} }),
            json!({ "url": "http://h/db", "auth": { "basic": { "username": "jan" } } }),
        ] {
            assert!(End::parse(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn nothing_that_gets_in_is_left() {
        for (end, left) in [
            (json!("http://jan:canary@h:1/db"), json!("http://h:1/db")),
            (json!("http://jan:can@ary@h/db"), json!("http://h/db")),
            (json!("http://h/db"), json!("http://h/db")),
            (json!("db"), json!("db")),
            (
                json!({ "url": "https://jan:canary@h/db", "headers": { "X": "canary" }, "auth": {}, "x": 1 }),
                json!({ "url": "https://h/db", "x": 1 }),
            ),
        ] {
            assert_eq!(stripped(&end), left);
        }
    }
}
