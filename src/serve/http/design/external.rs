//! What a function answers, as a response (`chttpd_external:parse_external_response`).

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::erlang;
use crate::serve::http::body;

/// An answer of a function: `{code, headers, json, body, base64}`.
#[derive(Debug)]
pub(super) struct External {
    /// The status; `None` when the function says nothing of it.
    pub(super) code: Option<u16>,
    headers: Vec<(String, String)>,
    content_type: &'static str,
    data: Vec<u8>,
    json: Option<Value>,
}

fn clause() -> Failure {
    Failure::new(500, "unknown_error", "function_clause")
}

impl External {
    /// Takes the JSON of an answer; members count in their order.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let Value::Object(members) = body::parse(text.as_bytes())? else { return Err(clause()) };
        let mut external =
            Self { code: None, headers: Vec::new(), content_type: "application/json", data: Vec::new(), json: None };
        for (name, value) in members {
            external.take(&name, value)?;
        }
        Ok(external)
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        match (name, value) {
            ("code", code) => self.code = Some(status(&code)?),
            ("json", value) => (self.json, self.content_type) = (Some(value), "application/json"),
            ("body", Value::String(text)) => {
                (self.data, self.content_type) = (text.into_bytes(), "text/html; charset=utf-8");
            }
            ("body", _) => return Err(Failure::new(500, "unknown_error", "badarg")),
            ("base64", Value::String(text)) => {
                let text: String = text.split_ascii_whitespace().collect();
                let data = BASE64_STANDARD.decode(text).map_err(|_| clause())?;
                (self.data, self.content_type) = (data, "application/binary");
            }
            ("base64", _) => return Err(clause()),
            ("headers", Value::Object(headers)) => self.headers = headers_of(headers),
            ("stop", Value::Bool(true)) => {}
            (name, value) => {
                let pair = format!("{{{},{}}}", erlang(&name.into()), erlang(&value));
                let reason = format!("Invalid data from external server: {pair}");
                return Err(Failure::new(500, "external_response_error", reason));
            }
        }
        Ok(())
    }

    /// Sets a header in place of what the function said.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.insert(0, (name.to_owned(), value.to_owned()));
    }

    /// The whole response.
    pub(super) fn respond(mut self, csp: bool) -> Result<Response, Failure> {
        let (json, data) = (self.json.take(), std::mem::take(&mut self.data));
        let mut response = self.head(csp && json.is_none())?;
        match json {
            None => *response.body_mut() = Body::from(data),
            Some(json) => {
                *response.body_mut() = Body::from(format!("{json}\n"));
                let headers = response.headers_mut();
                headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("must-revalidate"));
            }
        }
        Ok(response)
    }

    /// Status and headers.
    pub(super) fn head(&self, csp: bool) -> Result<Response, Failure> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(self.code.unwrap_or(200)).map_err(|_| clause())?;
        let headers = response.headers_mut();
        if csp {
            headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let mut has_type = false;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) else { continue };
            if is_framing(&name) {
                continue;
            }
            if name == header::CONTENT_TYPE && !std::mem::replace(&mut has_type, true) {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        Ok(response)
    }
}

/// How long a body is and how it is sent is not for functions to say.
fn is_framing(name: &HeaderName) -> bool {
    matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION | header::UPGRADE)
}

fn status(code: &Value) -> Result<u16, Failure> {
    let code = match code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    code.and_then(|code| u16::try_from(code).ok()).filter(|code| (100..1000).contains(code)).ok_or_else(clause)
}

/// Headers whose values are no text are printed as Erlang prints them.
pub(super) fn headers_of(headers: Object) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => erlang(&other),
    };
    headers.into_iter().map(|(name, value)| (name, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CouchDB 3.5 answered: status, content type, or the error and its reason.
    #[test]
    fn answers_are_taken_as_in_couchdb() {
        let cases = [
            ("{}", Ok((200, "application/json"))),
            (r#"{"body":"x"}"#, Ok((200, "text/html; charset=utf-8"))),
            (r#"{"code":418,"headers":{"X-A":"b","Content-Type":"text/x"},"body":"x"}"#, Ok((418, "text/x"))),
            (r#"{"code":"201","body":"x"}"#, Ok((201, "text/html; charset=utf-8"))),
            (r#"{"json":{"a":1},"body":"x"}"#, Ok((200, "text/html; charset=utf-8"))),
            (r#"{"base64":"aGVsbG8="}"#, Ok((200, "application/binary"))),
            (r#"{"stop":true,"body":"x"}"#, Ok((200, "text/html; charset=utf-8"))),
            (r#"{"headers":{"content-type":"a/b"},"base64":"aGVsbG8="}"#, Ok((200, "a/b"))),
            (r#"{"foo":1}"#, Err(("external_response_error", "Invalid data from external server: {<<\"foo\">>,1}"))),
            (r#"{"body":5}"#, Err(("unknown_error", "badarg"))),
            (r#"{"base64":"a*"}"#, Err(("unknown_error", "function_clause"))),
            ("[1]", Err(("unknown_error", "function_clause"))),
            (r#"{"code":"x"}"#, Err(("unknown_error", "function_clause"))),
        ];
        for (text, expected) in cases {
            let response = External::parse(text).and_then(|external| external.respond(true));
            match (response, expected) {
                (Ok(response), Ok((status, content_type))) => {
                    assert_eq!(response.status(), status, "{text}");
                    assert_eq!(response.headers()[header::CONTENT_TYPE], content_type, "{text}");
                    let has_json = text.contains("json");
                    assert_eq!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY), !has_json, "{text}");
                    assert_eq!(response.headers().contains_key(header::CACHE_CONTROL), has_json, "{text}");
                }
                (Err(failure), Err((error, reason))) => {
                    assert_eq!((failure.error.as_str(), failure.reason.as_deref()), (error, Some(reason)), "{text}");
                }
                (response, _) => panic!("{text}: {response:?}"),
            }
        }
    }

    #[test]
    fn hostile_headers_are_left_out() {
        let text = r#"{"headers":{"a b":"1","X-A":"x\r\ny","Content-Length":"5","X-B":null,"X-C":5}}"#;
        let response = External::parse(text).unwrap().respond(false).unwrap();
        let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "x-b", "x-c"]);
        assert_eq!(response.headers()["x-b"], "null");
    }
}
