//! `_rewrite`: another request in place of this one, by rules or by a function.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use serde_json::Value;

use super::external::headers_of;
use super::{Whole, body_of, known, object, rules};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::erlang;
use crate::serve::http::path;
use crate::serve::http::request::{Place, Query, Request, blocking};

/// Goes with an answer that stands for another request.
#[derive(Clone)]
struct Again(Arc<Mutex<Option<Request>>>);

/// The request that is to be answered in place of the one that was, if the answer of [`rewrite`] says so.
pub(in crate::serve) fn again(response: &mut Response) -> Option<Request> {
    let again = response.extensions_mut().remove::<Again>()?;
    again.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

enum Rewritten {
    Answer(Box<Response>),
    /// Method, target, headers that are set, and the body if it is another one.
    Request(Option<Method>, String, Vec<(String, String)>, Option<String>),
}

/// `/db/_design/app/_rewrite/…`
pub(in crate::serve) async fn rewrite(place: &Place, request: Request) -> Result<Response, Failure> {
    let keeper = place.clone();
    let name = request.segments.get(1).cloned().unwrap_or_default();
    let known = blocking(move || known(&keeper, &name)).await?;
    let invalid = || Failure::new(404, "rewrite_error", "Invalid path.");
    match known.document.get("rewrites") {
        Some(Value::Array(rules)) => {
            let target = by_rules(place, &request, rules)?;
            respond_again(request, Rewritten::Request(None, target, Vec::new(), None))
        }
        Some(Value::String(_)) => {
            let (user, target) = (request.user.clone(), request.target.clone());
            let whole = Whole::read(request).await?;
            let keeper = place.clone();
            let (whole, rewritten) = blocking(move || {
                let object = whole.asked.object(&keeper, &whole.segments, None, &object::REWRITE_FIELDS)?;
                let told = keeper.server.functions().rewrite(&known.design, &object.to_string())?;
                let told = told.ok_or_else(invalid)?;
                let rewritten = by_function(&keeper, &whole, &told)?;
                Ok((whole, rewritten))
            })
            .await?;
            let Whole { method, segments, headers, asked } = whole;
            let body = body_of(asked.body);
            respond_again(Request { method, segments, target, query: asked.query, headers, body, user }, rewritten)
        }
        _ => Err(invalid()),
    }
}

fn respond_again(mut request: Request, rewritten: Rewritten) -> Result<Response, Failure> {
    let (method, target, headers, body) = match rewritten {
        Rewritten::Answer(response) => return Ok(*response),
        Rewritten::Request(method, target, headers, body) => (method, target, headers, body),
    };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    request.segments = path::segments(path)?;
    request.query = Query::parse(query);
    request.method = method.unwrap_or(request.method);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            request.headers.insert(name, value);
        }
    }
    if let Some(body) = body {
        request.headers.insert("content-length", HeaderValue::from(body.len()));
        request.body = Body::from(body);
    }
    request.target = target;
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Again(Arc::new(Mutex::new(Some(request)))));
    Ok(response)
}

/// The design document's own path: what rewritten paths are relative to.
fn prefix(place: &Place, name: &str) -> String {
    format!("/{}/_design/{}", path::encode(place.database.name()), path::encode(name))
}

fn by_rules(place: &Place, request: &Request, given: &[Value]) -> Result<String, Failure> {
    let app = request.segments.get(1).map_or("", String::as_str);
    let path: Vec<&str> = request.segments.iter().skip(3).map(String::as_str).collect();
    let target = rules::apply(given, request.method.as_str(), &path, &request.query)?;
    Ok(normalised(&prefix(place, app), &target))
}

/// A path beneath `prefix`, without `.` and `..`.
fn normalised(prefix: &str, path: &str) -> String {
    let joined = format!("{prefix}/{}", relative(path).unwrap_or_else(|| path.to_owned()));
    let mut segments: Vec<&str> = Vec::new();
    for segment in joined.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// A relative path with its `..` taken away, unless it leads out; `.` is a name here, which a `..` takes away as well.
fn relative(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            ".." => drop(segments.pop()?),
            segment => segments.push(segment),
        }
    }
    Some(segments.join("/"))
}

fn refuse(reason: impl Into<String>) -> Failure {
    Failure::new(500, "rewrite_error", reason)
}

/// What the function says, checked as CouchDB does.
fn by_function(place: &Place, whole: &Whole, told: &str) -> Result<Rewritten, Failure> {
    let told = crate::json::parse(told.as_bytes()).unwrap_or_default();
    let Value::Object(told) = told else { return Err(refuse("bad rewrite")) };
    for (name, value) in &told {
        check(name, value)?;
    }
    let text = |name: &str| told.get(name).and_then(Value::as_str);
    if let Some(code) = told.get("code").and_then(Value::as_u64) {
        return answer(code, told.get("headers"), text("body"), whole);
    }
    let path = text("path").ok_or_else(|| refuse("Rewrite result must produce a new path."))?;
    let mut target = normalised(&prefix(place, whole.segment(1)), path);
    let query: Vec<(String, String)> = match told.get("query") {
        Some(Value::Object(query)) => query.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        _ => whole.asked.query.0.clone(),
    };
    if !query.is_empty() {
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", rules::quote(name), rules::quote(value))).collect();
        target = format!("{target}?{}", pairs.join("&"));
    }
    let method = text("method").map(|method| Method::from_bytes(method.as_bytes()).map_err(|_| refuse("bad method")));
    let headers = match told.get("headers") {
        Some(Value::Object(headers)) => headers_of(headers.clone()),
        _ => Vec::new(),
    };
    Ok(Rewritten::Request(method.transpose()?, target, headers, text("body").map(str::to_owned)))
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn answer(code: u64, headers: Option<&Value>, body: Option<&str>, whole: &Whole) -> Result<Rewritten, Failure> {
    let body = match body {
        Some(body) => Body::from(body.to_owned()),
        None => body_of(whole.asked.body.clone()),
    };
    let mut response = Response::new(body);
    let status = u16::try_from(code).ok().and_then(|code| axum::http::StatusCode::from_u16(code).ok());
    *response.status_mut() = status.ok_or_else(|| refuse("bad code"))?;
    if let Some(Value::Object(headers)) = headers {
        for (name, value) in headers_of(headers.clone()) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                response.headers_mut().append(name, value);
            }
        }
    }
    response.headers_mut().remove("content-length");
    response.headers_mut().remove("transfer-encoding");
    Ok(Rewritten::Answer(Box::new(response)))
}

fn check(name: &str, value: &Value) -> Result<(), Failure> {
    let is_good = match name {
        "method" | "path" | "body" => value.is_string(),
        "headers" | "query" => match value {
            Value::Object(members) => return texts(members),
            _ => false,
        },
        "code" => value.as_u64().is_some_and(|code| (200..600).contains(&code)),
        _ => true,
    };
    if is_good { Ok(()) } else { Err(refuse(format!("bad {name}"))) }
}

fn texts(members: &Object) -> Result<(), Failure> {
    match members.iter().find(|(_, value)| !value.is_string()) {
        None => Ok(()),
        Some((name, value)) => {
            let pair = format!("{}={}", erlang(&name.as_str().into()), erlang(value));
            Err(refuse(format!("object key/value must be strings {pair}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_design_document() {
        let cases = [
            ("../s/_show/e", "/db/_design/s/_show/e"),
            ("../../d1", "/db/d1"),
            ("../../../_all_dbs", "/_all_dbs"),
            ("/../../d1", "/db/d1"),
            ("/_show/e", "/db/_design/r/_show/e"),
            ("./../s/./_show/e", "/db/_design/r/s/_show/e"),
            ("a/../b?x=1", "/db/_design/r/b?x=1"),
            ("../../../../../x", "/../../x"),
            ("", "/db/_design/r"),
        ];
        for (path, expected) in cases {
            assert_eq!(normalised("/db/_design/r", path), expected, "{path}");
        }
    }

    #[test]
    fn what_functions_say_is_checked() {
        let cases = [
            ("code", "99", "bad code"),
            ("path", "5", "bad path"),
            ("method", "5", "bad method"),
            ("body", "5", "bad body"),
            ("query", "5", "bad query"),
            ("query", "{\"a\":1}", "object key/value must be strings <<\"a\">>=1"),
            ("headers", "{\"a\":1}", "object key/value must be strings <<\"a\">>=1"),
        ];
        for (name, value, reason) in cases {
            let failure = check(name, &serde_json::from_str(value).unwrap()).unwrap_err();
            assert_eq!(failure, Failure::new(500, "rewrite_error", reason));
        }
    }
}
