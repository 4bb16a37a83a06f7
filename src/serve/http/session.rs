//! `/_session`: signing in and out, and who asks in any request.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/authn.html>

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::not_allowed;
use super::documents::{location, set};
use super::request::{Request, answer, blocking};
use super::{Server, body};
use crate::json::Object;
use crate::serve::configuration::Configuration;
use crate::serve::failure::Failure;
use crate::serve::store::{Store, StoreError};
use crate::serve::users::User;
use crate::serve::users::{Recognised, Session, Users, account, cookie, wrong};

/// Names and passwords are short.
const LARGEST: usize = 64 << 10;

/// Who asks.
pub(in crate::serve) async fn recognise(server: &Arc<Server>, headers: &HeaderMap) -> Result<Recognised, Failure> {
    if Users::needs_no_lookup(headers) {
        return Ok(Recognised { user: server.users().nobody(headers), renewed: None });
    }
    let (server, headers) = (Arc::clone(server), headers.clone());
    blocking(move || {
        let session = settings(server.configuration());
        server.users().recognise(&headers, session, &|name| account_of(server.store(), name))
    })
    .await
}

/// `GET`, `POST` and `DELETE /_session`
pub(in crate::serve) async fn session(server: &Arc<Server>, request: Request) -> Result<Response, Failure> {
    match request.method.as_str() {
        "GET" => who(&request),
        "POST" => sign_in(server, request).await,
        "DELETE" => {
            let response = redirected(&request, "next", answer(200, &json!({ "ok": true })))?;
            Ok(forgetting(server, response))
        }
        _ => Ok(not_allowed("GET,HEAD,POST,DELETE")),
    }
}

fn who(request: &Request) -> Result<Response, Failure> {
    let User { name, roles } = &request.user;
    if name.is_none() && request.query.is("basic") {
        return Err(Failure::new(401, "unauthorized", "Please login."));
    }
    let mut info = json!({ "authentication_handlers": ["cookie", "default"] });
    if name.is_some() || !roles.is_empty() {
        let is_basic = name.is_none() || request.headers.contains_key(header::AUTHORIZATION);
        info["authenticated"] = if is_basic { "default" } else { "cookie" }.into();
    }
    Ok(answer(200, &json!({ "ok": true, "userCtx": { "name": name, "roles": roles }, "info": info })))
}

async fn sign_in(server: &Arc<Server>, mut request: Request) -> Result<Response, Failure> {
    let sent = std::mem::take(&mut request.body);
    let form = form(&request.headers, &body::bytes(&request.headers, sent, LARGEST).await?)?;
    let name = name_in(&form)?.to_owned();
    let password = form.iter().find(|(key, _)| key == "password").map(|(_, value)| value.clone()).unwrap_or_default();
    let (keeper, owned) = (Arc::clone(server), name.clone());
    let signed_in = blocking(move || {
        let lookup = |name: &str| account_of(keeper.store(), name);
        let Some(user) = keeper.users().sign_in(&owned, &password, &lookup)? else { return Ok(None) };
        let cookie = keeper.users().begin(&owned, settings(keeper.configuration()), &lookup)?;
        Ok(cookie.map(|cookie| (user, cookie)))
    })
    .await?;
    let Some((user, cookie)) = signed_in else {
        let Failure { error, reason, .. } = wrong();
        let response = answer(401, &json!({ "error": error, "reason": reason }));
        return Ok(forgetting(server, redirected(&request, "fail", response)?));
    };
    let response = answer(200, &json!({ "ok": true, "name": name, "roles": user.roles }));
    let mut response = redirected(&request, "next", response)?;
    set(&mut response, header::SET_COOKIE, &cookie);
    Ok(response)
}

/// The fields of a form or of a JSON object.
fn form(headers: &HeaderMap, sent: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return Ok(url::form_urlencoded::parse(sent).into_owned().collect());
    }
    if !content_type.starts_with("application/json") {
        let reason = "Content-Type must be 'application/x-www-form-urlencoded' or 'application/json'";
        return Err(Failure::new(415, "bad_content_type", reason));
    }
    let Value::Object(members) = body::parse(sent)? else {
        return Err(Failure::bad_request("Request body must be a JSON object"));
    };
    let field = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        _ => Err(Failure::bad_request("name and password must be strings")),
    };
    members.into_iter().map(field).collect()
}

fn name_in(form: &[(String, String)]) -> Result<&str, Failure> {
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (field("name"), field("username")) {
        (None, None) => Err(Failure::bad_request("request body must contain a username")),
        (Some(name), Some(other)) if name != other => {
            Err(Failure::bad_request("request body contains different usernames"))
        }
        (Some(name), _) | (None, Some(name)) => Ok(name),
    }
}

/// Sends the browser on when the query says where: only ever to this server.
fn redirected(request: &Request, parameter: &str, mut response: Response) -> Result<Response, Failure> {
    let Some(path) = request.query.get(parameter) else { return Ok(response) };
    if !path.starts_with('/') || path.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Failure::bad_request("path must begin with a /."));
    }
    *response.status_mut() = StatusCode::FOUND;
    set(&mut response, header::LOCATION, &format!("{}{path}", location(&request.headers, &[])));
    Ok(response)
}

fn forgetting(server: &Server, mut response: Response) -> Response {
    let session = settings(server.configuration());
    let header = cookie::header("", session.now, session.timeout, session.is_persistent);
    set(&mut response, header::SET_COOKIE, &header);
    response
}

fn settings(configuration: &Configuration) -> Session {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    Session {
        timeout: configuration.number("chttpd_auth", "timeout", 600),
        is_persistent: configuration.is("chttpd_auth", "allow_persistent_cookies", true),
        now,
    }
}

/// The document of a user. Blocks.
fn account_of(store: &Store, name: &str) -> Result<Option<Object>, Failure> {
    let users = match store.database(account::DATABASE) {
        Err(StoreError::Missing) => return Ok(None),
        users => users?,
    };
    let id = account::id(name);
    let winner = users.document(&id)?.and_then(|document| document.tree.winner());
    let Some(winner) = winner.filter(|winner| !winner.is_deleted) else { return Ok(None) };
    Ok(users.body(&id, &winner.revision)?.map(|body| body.members))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{HeaderValue, Method};

    use super::*;
    use crate::serve::http::request::Query;

    fn headers(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    #[test]
    fn forms_and_json_are_read() {
        const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
        const JSON: &str = "application/json";
        let table = [
            (FORM, "name=j%C3%A4n&password=a+b", Ok("jän")),
            (FORM, "username=jan", Ok("jan")),
            (FORM, "username=jan&name=jan", Ok("jan")),
            (FORM, "username=jan&name=eva", Err(400)),
            (FORM, "x=y", Err(400)),
            (JSON, r#"{"name":"jan","password":"x"}"#, Ok("jan")),
            (JSON, r#"{"name":1}"#, Err(400)),
            (JSON, "[]", Err(400)),
            (JSON, "{", Err(400)),
            ("text/plain", "name=jan", Err(415)),
        ];
        for (content_type, sent, expected) in table {
            let form = form(&headers(content_type), sent.as_bytes());
            let name =
                form.and_then(|form| name_in(&form).map(str::to_owned)).map_err(|failure| failure.status.as_u16());
            assert_eq!(name.as_deref(), expected.as_deref(), "{sent}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        let request = |next: &str| Request {
            method: Method::POST,
            segments: vec![],
            target: String::new(),
            query: Query(vec![("next".to_owned(), next.to_owned())]),
            headers: HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("h:1"))]),
            body: Body::empty(),
            user: User::default(),
        };
        let sent = |next: &str| redirected(&request(next), "next", answer(200, &json!({})));
        for (next, expected) in [("/a?b", "http://h:1/a?b"), ("//evil.example", "http://h:1//evil.example")] {
            let response = sent(next).unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()[header::LOCATION]),
                (302, &HeaderValue::from_static(expected))
            );
        }
        for bad in ["http://evil.example", "evil", "", "/a\r\nX: y"] {
            assert_eq!(sent(bad).unwrap_err().status.as_u16(), 400, "{bad:?}");
        }
    }
}
