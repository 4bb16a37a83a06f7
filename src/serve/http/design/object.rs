//! The request as functions see it, as CouchDB builds it (`chttpd_external:json_req_obj`). What would let a function act for
//! the user is left out: credentials and cookies.

use axum::http::{HeaderMap, Method, header};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::http::request::{Place, Query};
use crate::serve::http::{body, databases, documents, path};
use crate::serve::users::User;
use crate::serve::users::access;

/// Everything that CouchDB tells, in its order.
pub(super) const FIELDS: [&str; 15] = [
    "info",
    "uuid",
    "id",
    "method",
    "requested_path",
    "path",
    "raw_path",
    "query",
    "headers",
    "body",
    "peer",
    "form",
    "cookie",
    "userCtx",
    "secObj",
];

/// What the function `rewrites` is told.
pub(super) const REWRITE_FIELDS: [&str; 11] =
    ["method", "requested_path", "path", "raw_path", "query", "headers", "body", "peer", "cookie", "userCtx", "secObj"];

/// What a request asks.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    /// `None` when there is no body at all.
    pub(super) body: Option<Bytes>,
    /// A body that was read as JSON stands for itself.
    pub(super) json: Option<Object>,
    pub(super) user: User,
}

impl Asked {
    /// The request object; `segments` are those behind the name of the database.
    pub(super) fn object(
        &self,
        place: &Place,
        segments: &[String],
        id: Option<&str>,
        fields: &[&str],
    ) -> Result<Value, Failure> {
        let mut object = Object::new();
        for field in fields {
            object.insert((*field).to_owned(), self.field(field, place, segments, id)?);
        }
        Ok(Value::Object(object))
    }

    fn field(&self, field: &str, place: &Place, segments: &[String], id: Option<&str>) -> Result<Value, Failure> {
        let database = &place.database;
        Ok(match field {
            "info" => databases::info(database)?,
            "uuid" => documents::new_id().into(),
            "id" => id.into(),
            "method" => self.method.as_str().into(),
            // CouchDB cuts the whole target at its slashes, the query included.
            "requested_path" => self
                .target
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(|segment| path::decode(segment).unwrap_or_else(|_| segment.to_owned()))
                .collect(),
            "path" => std::iter::once(database.name()).chain(segments.iter().map(String::as_str)).collect(),
            "raw_path" => self.target.as_str().into(),
            "query" => Value::Object(query(&self.query)?),
            "headers" => Value::Object(headers(&self.headers)),
            "body" => match (&self.json, &self.body) {
                (Some(members), _) => Value::Object(members.clone()),
                (None, Some(bytes)) => String::from_utf8_lossy(bytes).into(),
                (None, None) => "undefined".into(),
            },
            "peer" => "127.0.0.1".into(),
            "form" => Value::Object(self.form()),
            "userCtx" => json!({ "db": database.name(), "name": self.user.name, "roles": self.user.roles }),
            "secObj" => access::security(database)?,
            // `cookie`, and whatever else there may be.
            _ => json!({}),
        })
    }

    fn form(&self) -> Object {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        match &self.body {
            Some(body) if is_form && matches!(self.method.as_str(), "POST" | "PUT") => {
                let pairs = url::form_urlencoded::parse(body).into_owned();
                pairs.map(|(name, value)| (name, value.into())).collect()
            }
            _ => Object::new(),
        }
    }
}

fn query(query: &Query) -> Result<Object, Failure> {
    let mut members = Object::new();
    for (name, text) in &query.0 {
        let value = match name.as_str() {
            "startkey" | "endkey" | "key" | "descending" => body::parse(text.as_bytes())?,
            _ => text.as_str().into(),
        };
        members.insert(name.clone(), value);
    }
    Ok(members)
}

/// Headers by name, each word of it with a capital, without those that prove who asks.
fn headers(headers: &HeaderMap) -> Object {
    let mut names: Vec<&str> = headers.keys().map(header::HeaderName::as_str).collect();
    names.retain(|name| !matches!(*name, "authorization" | "cookie" | "x-auth-couchdb-token"));
    names.sort_unstable();
    let values = |name: &str| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    names.into_iter().map(|name| (capitals(name), values(name).into())).collect()
}

fn capitals(name: &str) -> String {
    let mut begins = true;
    let capital = |character: char| {
        let told = if begins { character.to_ascii_uppercase() } else { character };
        begins = character == '-';
        told
    };
    name.chars().map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_without_credentials() {
        let mut map = HeaderMap::new();
        for (name, value) in
            [("x-foo-bar", "1"), ("authorization", "a"), ("cookie", "b"), ("accept", "x"), ("accept", "y")]
        {
            map.append(header::HeaderName::from_static(name), header::HeaderValue::from_static(value));
        }
        let told = headers(&map);
        assert_eq!(Value::Object(told), json!({ "Accept": "x, y", "X-Foo-Bar": "1" }));
    }

    #[test]
    fn keys_in_queries_are_json() {
        let told = query(&Query::parse("key=1&startkey=[1]&x=+y&x=2")).unwrap();
        assert_eq!(Value::Object(told), json!({ "key": 1, "startkey": [1], "x": "2" }));
        assert_eq!(query(&Query::parse("key=a")).unwrap_err().status, 400);
    }
}
