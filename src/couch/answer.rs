//! Sorting of answers: what a refusal means, by status first, then by what the server says.

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::fault::{Effect, Fault};
use super::{Answer, CouchError, Missing};
use crate::json;
use crate::secret::redact;

/// What a request is about, for the words of its errors.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// As in "write `_design/blog`".
    pub(super) action: String,
    pub(super) what: What,
}

/// The thing that a request names.
#[derive(Clone, Debug)]
pub(super) enum What {
    Server,
    Database { name: String },
    Document { database: String, id: String },
    Attachment { database: String, id: String, name: String },
}

/// Where a request went.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) host: String,
    /// The URL without credentials.
    pub(super) url: String,
    /// Method and URL.
    pub(super) request: String,
    /// Whether credentials were sent along.
    pub(super) signed: bool,
}

impl Subject {
    pub(super) fn new(action: impl Into<String>, what: What) -> Self {
        Self { action: action.into(), what }
    }
}

/// Longer reasons (a compilation error quotes the source) are cut.
const LONGEST_REASON: usize = 2000;

/// Makes a fault of an answer that is no success.
pub(super) fn refusal(status: u16, headers: &HeaderMap, body: &[u8], subject: &Subject, place: &Place) -> Fault {
    let effect = match status {
        408 | 425 | 429 => Effect::None,
        502..=504 => Effect::Unknown,
        500 => Effect::Failed,
        _ => Effect::Final,
    };
    let retry_after = header(headers, &RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let error = sort(status, headers, body, subject, place);
    Fault { error, effect, retry_after: retry_after.map(std::time::Duration::from_secs) }
}

fn sort(status: u16, headers: &HeaderMap, body: &[u8], subject: &Subject, place: &Place) -> CouchError {
    let said = Said::read(headers, body);
    let source = Box::new(Answer {
        request: place.request.clone(),
        status,
        error: said.error.clone(),
        reason: said.reason.clone(),
    });
    let action = subject.action.clone();
    let host = place.host.clone();
    match status {
        300..=399 => {
            let to = header(headers, &LOCATION).map_or_else(|| "an unknown place".to_owned(), |to| redact(&to));
            CouchError::Redirected { request: place.request.clone(), to }
        }
        401 => CouchError::Unauthorized { host, given: place.signed, source },
        403 => CouchError::Forbidden { action, source },
        407 => CouchError::Proxy { origin: place.origin.clone(), why: "it answered 407".to_owned(), credentials: true },
        409 => CouchError::Conflict { id: subject.name(), source },
        413 => CouchError::TooLarge { what: subject.too_large(&said), source },
        408 | 425 | 429 | 500..=599 => CouchError::Server { action, source },
        _ if said.foreign => not_couchdb(status, headers, body, place),
        404 => CouchError::NotFound { what: subject.missing(&said), host, source },
        412 if said.error.as_deref() == Some("missing_stub") => CouchError::MissingStub { source },
        _ => CouchError::Refused { action, source },
    }
}

/// The error for an answer that no CouchDB would give.
pub(super) fn not_couchdb(status: u16, headers: &HeaderMap, body: &[u8], place: &Place) -> CouchError {
    let full = header(headers, &CONTENT_TYPE).unwrap_or_else(|| "no content type".to_owned());
    let content_type = full.split(';').next().unwrap_or(&full).trim().to_owned();
    CouchError::NotCouchDb { url: place.url.clone(), content_type, first_line: first_line(body), status }
}

/// A header as text.
pub(super) fn header(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// `error` and `reason` of an answer.
#[derive(Default)]
struct Said {
    error: Option<String>,
    reason: Option<String>,
    /// There is a body and it is not CouchDB's.
    foreign: bool,
}

impl Said {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Self::default();
        }
        let text = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            redact(&text).chars().take(LONGEST_REASON).collect::<String>()
        };
        match json::parse(body) {
            Ok(Value::Object(members)) if members.contains_key("error") || members.contains_key("reason") => {
                // PouchDB has a `message` where CouchDB has a `reason`.
                let reason = ["reason", "message"].iter().find_map(|key| members.get(*key)).map(text);
                Self { error: members.get("error").map(text), reason, foreign: false }
            }
            // "Not implemented." and the like.
            Ok(Value::String(reason)) => Self { error: None, reason: Some(redact(&reason)), foreign: false },
            _ => {
                let json = header(headers, &CONTENT_TYPE).is_some_and(|text| text.contains("json"));
                Self { error: None, reason: first_line(body).filter(|_| !json), foreign: true }
            }
        }
    }

    fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }
}

impl Subject {
    fn name(&self) -> String {
        match &self.what {
            What::Server => "the server".to_owned(),
            What::Database { name } => name.clone(),
            What::Document { id, .. } | What::Attachment { id, .. } => id.clone(),
        }
    }

    /// CouchDB gives the name of what is too large as the reason.
    fn too_large(&self, said: &Said) -> String {
        match said.error.as_deref() {
            Some("attachment_too_large" | "document_too_large") if !said.reason().is_empty() => {
                said.reason().to_owned()
            }
            _ => self.name(),
        }
    }

    fn missing(&self, said: &Said) -> Missing {
        let reason = said.reason();
        let no_database = reason == "no_db_file" || reason.starts_with("Database does not exist");
        match &self.what {
            What::Server => Missing::Endpoint,
            What::Database { name } => Missing::Database(name.clone()),
            What::Document { database, .. } | What::Attachment { database, .. } if no_database => {
                Missing::Database(database.clone())
            }
            // A HEAD has no body and so no reason: it names the attachment.
            What::Attachment { name, .. } if reason.is_empty() || reason.contains("attachment") => {
                Missing::Attachment(name.clone())
            }
            What::Document { id, .. } | What::Attachment { id, .. } => {
                Missing::Document { id: id.clone(), deleted: reason == "deleted" }
            }
        }
    }
}

/// The first line of text in `body`, tags stripped: what a proxy wants to say.
fn first_line(body: &[u8]) -> Option<String> {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
    let mut clean = String::new();
    let mut rest = text.as_ref();
    while let Some((before, tag)) = rest.split_once('<') {
        clean.push_str(before);
        clean.push('\n');
        let name = tag.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
        // What stands in these is no text; a `<` in it begins no tag.
        let end = if matches!(name.as_str(), "script" | "style") {
            tag.to_ascii_lowercase().find(&format!("</{name}")).map(|at| at + 2)
        } else {
            Some(0)
        };
        let closing = end.and_then(|from| tag[from..].find('>').map(|at| from + at + 1));
        rest = closing.map_or("", |closing| &tag[closing..]);
    }
    clean.push_str(rest);
    let line = clean.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(redact(&line.chars().take(LONGEST).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn place() -> Place {
        Place {
            origin: "http://h".into(),
            host: "h".into(),
            url: "http://h/db".into(),
            request: "GET http://h/db".into(),
            signed: true,
        }
    }

    fn fault(status: u16, content_type: &'static str, body: &str, what: What) -> Fault {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(LOCATION, HeaderValue::from_static("http://bob:hunter2@evil/x"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        refusal(status, &headers, body.as_bytes(), &Subject::new("do it", what), &place())
    }

    fn name(status: u16, content_type: &'static str, body: &str) -> String {
        let what = What::Attachment { database: "db".into(), id: "doc".into(), name: "a.txt".into() };
        let text = format!("{:?}", fault(status, content_type, body, what).error);
        text.split([' ', '{', '(']).next().unwrap().to_owned()
    }

    #[test]
    fn answers_are_sorted_by_status_then_by_what_is_said() {
        let json = "application/json";
        let rows = [
            (301, json, "", "Redirected"),
            (400, json, r#"{"error":"bad_request","reason":"x"}"#, "Refused"),
            (400, "text/plain", "", "Refused"),
            (400, "text/html", "<html>nginx</html>", "NotCouchDb"),
            (401, json, r#"{"error":"unauthorized"}"#, "Unauthorized"),
            (401, "text/html", "<h1>Authorization Required</h1>", "Unauthorized"),
            (403, json, r#"{"error":"forbidden"}"#, "Forbidden"),
            (404, json, r#"{"error":"not_found","reason":"missing"}"#, "NotFound"),
            (404, "text/html", "<h1>404</h1>", "NotCouchDb"),
            (404, json, r#"{"detail":"no route"}"#, "NotCouchDb"),
            (405, json, r#"{"error":"method_not_allowed"}"#, "Refused"),
            (407, "text/html", "", "Proxy"),
            (408, "text/html", "", "Server"),
            (409, json, r#"{"error":"not_found","reason":"missing_rev"}"#, "Conflict"),
            (412, json, r#"{"error":"missing_stub","reason":"x"}"#, "MissingStub"),
            (412, json, r#"{"error":"file_exists"}"#, "Refused"),
            (413, "text/html", "<h1>Request Entity Too Large</h1>", "TooLarge"),
            (415, json, r#"{"error":"bad_content_type"}"#, "Refused"),
            (429, json, "{}", "Server"),
            (500, json, r#"{"error":"unknown_error","reason":"function_clause"}"#, "Server"),
            (502, "text/html", "<h1>Bad Gateway</h1>", "Server"),
        ];
        for (status, content_type, body, variant) in rows {
            assert_eq!(name(status, content_type, body), variant, "{status} {body}");
        }
    }

    #[test]
    fn a_missing_thing_is_named_by_the_reason() {
        let missing = |reason: &str, what: What| {
            let body = format!(r#"{{"error":"not_found","reason":"{reason}"}}"#);
            match fault(404, "application/json", &body, what).error {
                CouchError::NotFound { what, .. } => what.to_string(),
                error => panic!("{error:?}"),
            }
        };
        let document = || What::Document { database: "db".into(), id: "doc".into() };
        let attachment = || What::Attachment { database: "db".into(), id: "doc".into(), name: "a".into() };
        assert_eq!(missing("Database does not exist.", document()), "database `db`");
        assert_eq!(missing("no_db_file", attachment()), "database `db`");
        assert_eq!(missing("deleted", document()), "document `doc`");
        assert_eq!(missing("missing", attachment()), "document `doc`");
        assert_eq!(missing("Document is missing attachment", attachment()), "attachment `a`");
        assert_eq!(missing("missing", What::Database { name: "db".into() }), "database `db`");
        assert_eq!(missing("x", What::Server), "this endpoint");
    }

    #[test]
    fn effects_and_waits_follow_the_status() {
        let effect = |status| fault(status, "text/html", "", What::Server).effect;
        for (statuses, expected) in [
            (&[408, 425, 429][..], Effect::None),
            (&[502, 503, 504], Effect::Unknown),
            (&[500], Effect::Failed),
            (&[301, 400, 401, 403, 404, 405, 407, 409, 412, 413, 415, 501], Effect::Final),
        ] {
            assert!(statuses.iter().all(|status| effect(*status) == expected), "{statuses:?}");
        }
        let fault = fault(429, "text/html", "", What::Server);
        assert_eq!(fault.retry_after, Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn server_text_is_masked_and_stripped() {
        let error = fault(301, "text/html", "", What::Server).error.to_string();
        assert!(!error.contains("hunter2") && error.contains("evil"), "{error}");
        let body = r#"{"error":"x","reason":"http://bob:hunter2@h/"}"#;
        assert!(!format!("{:?}", fault(400, "application/json", body, What::Server)).contains("hunter2"));
        let page = "<!DOCTYPE html><html><head><style>p {}</style><script>a < b</script>\n<title> Sign\nin</title>";
        assert_eq!(first_line(page.as_bytes()).unwrap(), "Sign");
        assert_eq!(first_line(b"plain words\nmore").unwrap(), "plain words");
        assert_eq!(first_line(b"<br>"), None);
        assert_eq!(first_line("<é".as_bytes()), None);
    }
}
