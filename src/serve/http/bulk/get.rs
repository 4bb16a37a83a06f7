//! `_bulk_get`: revisions of many documents, as JSON or as parts.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::http::body;
use crate::serve::http::documents::incoming::{check_id, revision_of};
use crate::serve::http::documents::open::{self, Found, Opened};
use crate::serve::http::documents::options::{OpenRevs, Options};
use crate::serve::http::documents::{hooks, new_id, show};
use crate::serve::http::multipart::{self, Related};
use crate::serve::http::produce::{self, Sink, produce};
use crate::serve::http::request::{Place, Request, accepts};
use crate::serve::store::Database;
use crate::serve::users::User;

/// What is asked for.
enum Wanted {
    Revisions { id: String, revisions: OpenRevs, atts_since: Option<Vec<Revision>> },
    Refused { id: Value, revision: Value, error: String, reason: String },
}

/// One answer to it.
enum Given {
    Opened(Box<Opened>),
    Missing { id: Value, revision: Revision },
    Refused { id: Value, revision: Value, error: String, reason: String },
}

/// `POST /db/_bulk_get`
pub(in crate::serve) async fn handle(place: &Place, request: Request) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    for name in ["open_revs", "new_edits", "w", "rev", "atts_since"] {
        if request.query.get(name).is_some() {
            return Err(Failure::bad_request(format!("\"{name}\" query parameter is not acceptable")));
        }
    }
    let options = Options::parse(&request.query)?;
    let takes = |kind: &str| accepts(&request.headers, kind);
    let (json, mixed, related) = (takes("application/json"), takes("multipart/mixed"), takes("multipart/related"));
    let user = request.user.clone();
    let mut members = body::object(request).await?;
    let wanted = match members.remove("docs") {
        Some(Value::Array(items)) => items.iter().map(Wanted::parse).collect::<Result<Vec<_>, _>>()?,
        _ => return Err(Failure::bad_request("Missing JSON list of 'docs'.")),
    };
    let asked = Asked { place: place.clone(), user, options };
    if !json && (mixed || related) {
        return as_parts(asked, wanted, mixed).await;
    }
    as_json(asked, wanted).await
}

struct Asked {
    place: Place,
    user: User,
    options: Options,
}

impl Wanted {
    fn parse(item: &Value) -> Result<Self, Failure> {
        let refused = |id: Value, revision: Value, error: &str, reason: &str| Self::Refused {
            id,
            revision,
            error: error.to_owned(),
            reason: reason.to_owned(),
        };
        let Some(members) = item.as_object().filter(|members| !members.is_empty()) else {
            return Ok(refused(Value::Null, Value::Null, "bad_request", "document must be a JSON object"));
        };
        let Some(id) = members.get("id") else {
            return Ok(refused(Value::Null, Value::Null, "bad_request", "document id missed"));
        };
        // An id that is no text is more than CouchDB can bear.
        let id = id.as_str().ok_or_else(|| Failure::new(500, "unknown_error", "badarg"))?;
        if let Err(failure) = check_id(id) {
            return Ok(refused(id.into(), Value::Null, &failure.error, &failure.reason.unwrap_or_default()));
        }
        let parsed = Self::parse_revisions(id, members);
        Ok(parsed.unwrap_or_else(|(value, reason)| refused(id.into(), value, "bad_request", &reason)))
    }

    fn parse_revisions(id: &str, members: &Object) -> Result<Self, (Value, String)> {
        let revision = |value: &Value| {
            revision_of(value.as_str().unwrap_or_default())
                .map_err(|failure| (value.clone(), failure.reason.unwrap_or_default()))
        };
        let revisions = match members.get("rev") {
            None => OpenRevs::All,
            Some(value) => OpenRevs::Some(vec![revision(value)?]),
        };
        let atts_since = match members.get("atts_since") {
            None => None,
            Some(Value::Array(items)) if items.is_empty() => None,
            Some(Value::Array(items)) => Some(items.iter().map(revision).collect::<Result<_, _>>()?),
            Some(other) => return Err((other.clone(), "att_since value must be array of revs.".to_owned())),
        };
        Ok(Self::Revisions { id: id.to_owned(), revisions, atts_since })
    }
}

impl Asked {
    /// Opens what is wanted, with the options that hold for it.
    fn open(&self, wanted: &Wanted) -> Result<(Value, Vec<Given>, Options), Failure> {
        let mut options = self.options.clone();
        match wanted {
            Wanted::Refused { id, revision, error, reason } => {
                let given = Given::refused(id.clone(), revision.clone(), error, reason);
                Ok((id.clone(), vec![given], options))
            }
            Wanted::Revisions { id, revisions, atts_since } => {
                if atts_since.is_some() {
                    options.atts_since.clone_from(atts_since);
                    options.attachments = true;
                }
                let found = open::several(&self.place.database, id, revisions, options.latest, open::Order::Tree)?;
                let told = Value::from(id.as_str());
                if found.is_empty() {
                    let given = Given::refused(told.clone(), "undefined".into(), "not_found", "missing");
                    return Ok((told, vec![given], options));
                }
                let given = found.into_iter().map(|found| match found {
                    Found::Opened(mut opened) => {
                        hooks::before_show(&self.place, &self.user, &mut opened)?;
                        Ok(Given::Opened(opened))
                    }
                    Found::Missing(revision) => Ok(Given::Missing { id: told.clone(), revision }),
                });
                let given = given.collect::<Result<_, Failure>>()?;
                Ok((told, given, options))
            }
        }
    }
}

impl Given {
    fn refused(id: Value, revision: Value, error: &str, reason: &str) -> Self {
        Self::Refused { id, revision, error: error.to_owned(), reason: reason.to_owned() }
    }
}

async fn as_json(asked: Asked, wanted: Vec<Wanted>) -> Result<Response, Failure> {
    let database = Arc::clone(&asked.place.database);
    produce(produce::head(200, "application/json"), move |sink| {
        sink.text("{\"results\":[")?;
        for (index, wanted) in wanted.iter().enumerate() {
            let (id, given, options) = asked.open(wanted)?;
            let comma = if index > 0 { "," } else { "" };
            sink.text(&format!("{comma}{{\"id\":{id},\"docs\":["))?;
            for (index, given) in given.iter().enumerate() {
                sink.text(if index > 0 { "," } else { "" })?;
                match given {
                    Given::Opened(opened) => {
                        sink.text("{\"ok\":")?;
                        show::write(sink, &database, opened, &options)?;
                        sink.text("}")?;
                    }
                    Given::Missing { id, revision } => {
                        let revision = revision.as_str();
                        let told = json!({ "rev": revision, "reason": "missing", "id": id, "error": "not_found" });
                        sink.text(&json!({ "error": told }).to_string())?;
                    }
                    Given::Refused { id, revision, error, reason } => {
                        let told = json!({ "rev": revision, "reason": reason, "id": id, "error": error });
                        sink.text(&json!({ "error": told }).to_string())?;
                    }
                }
            }
            sink.text("]}")?;
        }
        sink.text("]}\n")
    })
    .await
}

async fn as_parts(asked: Asked, wanted: Vec<Wanted>, is_mixed: bool) -> Result<Response, Failure> {
    let (boundary, head) = multipart::begin_bulk(is_mixed);
    let database = Arc::clone(&asked.place.database);
    produce(head, move |sink| {
        for wanted in &wanted {
            let (_, given, options) = asked.open(wanted)?;
            for given in &given {
                write_part(sink, &database, &boundary, given, &options)?;
            }
        }
        if wanted.is_empty() { Ok(()) } else { sink.text(&format!("\r\n--{boundary}--\r\n")) }
    })
    .await
}

fn write_part(
    sink: &mut Sink,
    database: &Database,
    boundary: &str,
    given: &Given,
    options: &Options,
) -> Result<(), Failure> {
    sink.text(&format!("\r\n--{boundary}\r\n"))?;
    match given {
        Given::Opened(opened) => {
            let inner = format!("--{}", new_id());
            let related = Related::new(opened, options, inner.clone());
            if related.is_alone() {
                sink.text("Content-Type: application/json\r\n\r\n")?;
            } else {
                let id = opened.id.replace(['\r', '\n', '\0'], " ");
                sink.text(&format!("X-Doc-Id: {id}\r\n"))?;
                if let Some(revision) = opened.revision() {
                    sink.text(&format!("X-Rev-Id: {revision}\r\n"))?;
                }
                sink.text(&format!("Content-Type: multipart/related; boundary={inner}\r\n\r\n"))?;
            }
            related.write(sink, database)
        }
        Given::Missing { revision, .. } => {
            let told = json!({ "rev": revision.as_str(), "error": "not_found", "reason": "missing" });
            sink.text(&format!("Content-Type: application/json; error=\"true\"\r\n\r\n{told}"))
        }
        Given::Refused { id, revision, error, reason } => {
            let told = json!({ "rev": revision, "reason": reason, "id": id, "error": error });
            sink.text(&format!("Content-Type: application/json; error=\"true\"\r\n\r\n{told}"))
        }
    }
}
