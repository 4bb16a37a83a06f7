//! Views asked through HTTP: `_view`, its `queries`, `_info`, and what keeps indexes in order.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::body;
use super::documents::open;
use super::documents::options::Options;
use super::produce::{self, Sink, produce};
use super::request::{Place, Request, answer, blocking};
use crate::serve::failure::Failure;
use crate::serve::store::Range;
use crate::serve::views::design::Group;
use crate::serve::views::parameters::{Parameters, Update};

/// The views of a design document as it is now. Blocks.
///
/// # Errors
/// 404 when there is no such document.
pub(in crate::serve) fn group(place: &Place, design: &str) -> Result<Group, Failure> {
    let id = format!("_design/{design}");
    let opened = open::winner(&place.database, &id, &Options::default())?;
    Ok(Group::new(&id, &opened.body.members))
}

/// `GET` and `POST` of `/db/_design/{ddoc}/_view/{view}`
pub(in crate::serve) async fn view(
    place: &Place,
    design: &str,
    view: &str,
    request: Request,
) -> Result<Response, Failure> {
    let query = request.query.clone();
    let parameters = if request.method == "POST" {
        body::require_json(&request.headers)?;
        Parameters::of_body(&body::object(request).await?, &query)?
    } else {
        Parameters::of_query(&query)?
    };
    let (place, design, view) = (place.clone(), design.to_owned(), view.to_owned());
    produce(produce::head(200, "application/json"), move |sink| {
        let group = group(&place, &design)?;
        write(&place, &group, &view, &parameters, sink)?;
        sink.text("\n")?;
        update_later(&place, group, &parameters);
        Ok(())
    })
    .await
}

/// `POST /db/_design/{ddoc}/_view/{view}/queries`
pub(in crate::serve) async fn queries(
    place: &Place,
    design: &str,
    view: &str,
    request: Request,
) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    let common = Parameters::of_query(&request.query)?;
    let members = body::object(request).await?;
    let queries = match members.get("queries") {
        None => return Err(Failure::bad_request("POST body must include `queries` parameter.")),
        Some(Value::Array(queries)) => queries,
        Some(_) => return Err(Failure::bad_request("`queries` member must be an array.")),
    };
    let object = |query: &Value| {
        let query = query.as_object().ok_or_else(|| Failure::bad_request("query must be a JSON object"))?;
        common.of_one(query)
    };
    let queries: Vec<Parameters> = queries.iter().map(object).collect::<Result<_, _>>()?;
    let (place, design, view) = (place.clone(), design.to_owned(), view.to_owned());
    produce(produce::head(200, "application/json"), move |sink| {
        let group = group(&place, &design)?;
        let has_reduce = group.find(&view)?.reduce.is_some();
        for parameters in &queries {
            parameters.check(has_reduce)?;
        }
        sink.text("{\"results\":[")?;
        for (index, parameters) in queries.iter().enumerate() {
            sink.text(if index == 0 { "\r\n" } else { ",\r\n" })?;
            write(&place, &group, &view, parameters, sink)?;
        }
        sink.text("\r\n]}\n")
    })
    .await
}

fn write(place: &Place, group: &Group, view: &str, parameters: &Parameters, sink: &mut Sink) -> Result<(), Failure> {
    let server = &place.server;
    let answer = server.views().ask(&place.database, server.functions(), group, view, parameters)?;
    let mut rows = answer.rows();
    // What a reduce fails at is known before anything is sent.
    let first = rows.next().transpose()?;
    let head = Value::Object(answer.head()?).to_string();
    let head = head.trim_end_matches('}');
    sink.text(head)?;
    sink.text(if head.len() > 1 { ",\"rows\":[\r\n" } else { "\"rows\":[\r\n" })?;
    for (index, row) in first.map(Ok).into_iter().chain(rows).enumerate() {
        if index > 0 {
            sink.text(",\r\n")?;
        }
        answer.write(&row?, sink)?;
    }
    sink.text("\r\n]}")
}

/// Brings an index up to date when nobody waits for it.
fn update_later(place: &Place, group: Group, parameters: &Parameters) {
    if parameters.update != Update::Lazily {
        return;
    }
    let place = place.clone();
    let update = move || {
        let server = Arc::clone(&place.server);
        // Whoever asks next will hear of an error.
        let _ = server.views().update_lazily(&place.database, server.functions(), &group);
    };
    // Without a thread the next one to ask waits for the update.
    let _ = std::thread::Builder::new().name("update".to_owned()).spawn(update);
}

/// `GET /db/_design/{ddoc}/_info`
pub(in crate::serve) async fn info(place: &Place, design: &str) -> Result<Response, Failure> {
    let (place, name) = (place.clone(), design.to_owned());
    let info = blocking(move || {
        let group = group(&place, &name)?;
        let index = place.server.views().info(&place.database, &group)?;
        Ok(json!({ "name": name, "view_index": index }))
    });
    Ok(answer(200, &info.await?))
}

/// `POST /db/_view_cleanup`: removes indexes that no design document has any more.
pub(in crate::serve) async fn clean(place: &Place) -> Result<Response, Failure> {
    let place = place.clone();
    let clean = blocking(move || {
        let range = Range { start: Some("_design/".to_owned()), end: Some("_design0".to_owned()), ..Range::default() };
        let rows = place.database.rows(&range)?;
        let wanted: Vec<_> = rows.iter().map(|row| (row.id.as_str(), &row.revision)).collect();
        let bodies = place.database.bodies(&wanted)?;
        let signatures: Vec<String> = rows
            .iter()
            .zip(bodies)
            .filter_map(|(row, body)| Some(Group::new(&row.id, &body?.members).signature))
            .collect();
        place.server.views().clean(&place.database, &signatures)
    });
    clean.await?;
    Ok(answer(202, &json!({ "ok": true })))
}

/// `POST /db/_compact/{ddoc}`: the index takes no more room than it needs already.
pub(in crate::serve) async fn compact(place: &Place, design: &str, request: Request) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    let (place, design) = (place.clone(), design.to_owned());
    blocking(move || group(&place, &design).map(drop)).await?;
    Ok(answer(202, &json!({ "ok": true })))
}

/// `/db/_temp_view`
pub(in crate::serve) fn temporary() -> Result<Response, Failure> {
    Err(Failure::new(410, "gone", "Temporary views are not supported in CouchDB"))
}
