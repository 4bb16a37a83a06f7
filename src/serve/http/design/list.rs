//! `_list`: the rows of a view through a function, sent as the function sends them.

use std::io;

use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::external::External;
use super::lines::Lines;
use super::{Known, Whole, known, object, require};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::{FunctionError, Piece};
use crate::serve::http::dispatch::not_allowed;
use crate::serve::http::request::{Place, Request};
use crate::serve::http::{body, empty, listing};
use crate::serve::views::design::Group;
use crate::serve::views::parameters::Parameters;

enum Message {
    Head(Box<Response>),
    Text(String),
    Failed(Failure),
    /// The connection breaks: CouchDB has nothing to say any more.
    Broken,
    End,
}

/// `/db/_design/app/_list/name/view` and `/db/_design/app/_list/name/other-app/view`
pub(in crate::serve) async fn list(place: &Place, request: Request) -> Result<Response, Failure> {
    let is_post = match request.method.as_str() {
        "GET" | "OPTIONS" => false,
        "POST" => true,
        _ => return Ok(not_allowed("GET,POST,HEAD")),
    };
    if !matches!(request.segments.len(), 5 | 6) {
        return Err(Failure::new(404, "list_error", "Invalid path."));
    }
    if is_post {
        body::require_json(&request.headers)?;
    }
    let mut whole = Whole::read(request).await?;
    if is_post {
        let bytes = whole.asked.body.as_deref().unwrap_or_default();
        match body::parse(bytes)? {
            Value::Object(members) => whole.asked.json = Some(members),
            _ => return Err(Failure::bad_request("Request body must be a JSON object")),
        }
    }
    let lines = match whole.segments.last().map(String::as_str) {
        Some("_all_docs") => Some(all_documents(place, &whole).await?),
        _ => None,
    };
    let (sender, receiver) = mpsc::channel(4);
    let keeper = place.clone();
    tokio::task::spawn_blocking(move || {
        let mut outlet =
            Outlet { sender, csp: keeper.server.csp(), head: None, has_begun: false, has_ended: false, failed: None };
        let last = match run(&keeper, &whole, &mut outlet, lines) {
            Ok(()) => Message::End,
            Err(message) => message,
        };
        // Nobody may listen any more.
        let _ = outlet.sender.blocking_send(last);
    });
    respond(receiver).await
}

/// The listing of all documents in place of a view.
async fn all_documents(place: &Place, whole: &Whole) -> Result<Lines, Failure> {
    let request = Request {
        method: whole.method.clone(),
        segments: vec!["_all_docs".to_owned()],
        target: whole.asked.target.clone(),
        query: whole.asked.query.clone(),
        headers: whole.headers.clone(),
        body: super::body_of(whole.asked.body.clone()),
        user: whole.asked.user.clone(),
    };
    Ok(Lines::of(listing::documents(place, "_all_docs", request).await?.into_body()))
}

/// Where pieces go.
struct Outlet {
    sender: mpsc::Sender<Message>,
    csp: bool,
    /// What `start` said last, until the first text is sent.
    head: Option<External>,
    has_begun: bool,
    /// Whether the function has seen all rows.
    has_ended: bool,
    /// A head that makes no response.
    failed: Option<Failure>,
}

impl Outlet {
    fn take(&mut self, piece: Piece) -> bool {
        match piece {
            Piece::Start(head) => match External::parse(&head) {
                Ok(head) => {
                    self.head = Some(head);
                    true
                }
                Err(failure) => {
                    self.failed = Some(failure);
                    false
                }
            },
            Piece::NoMoreRows => {
                self.has_ended = true;
                true
            }
            Piece::Text(text) => self.begin(None) && self.send(Message::Text(text)),
        }
    }

    /// Sends the head, once.
    fn begin(&mut self, code: Option<u16>) -> bool {
        let Some(mut head) = self.head.take().filter(|_| !self.has_begun) else { return true };
        self.has_begun = true;
        head.code = code.or(head.code);
        match head.head(self.csp) {
            Ok(response) => self.send(Message::Head(Box::new(response))),
            Err(failure) => {
                self.failed = Some(failure);
                false
            }
        }
    }

    fn send(&mut self, message: Message) -> bool {
        self.sender.blocking_send(message).is_ok()
    }
}

fn run(place: &Place, whole: &Whole, outlet: &mut Outlet, lines: Option<Lines>) -> Result<(), Message> {
    let segment = |at: usize| whole.segment(at);
    let (app, name) = (segment(1), segment(3));
    let (view_app, view) = if whole.segments.len() == 6 { (segment(4), segment(5)) } else { (app, segment(4)) };
    let design = known(place, app).map_err(Message::Failed)?;
    require(&design.document, "lists", name).map_err(Message::Failed)?;
    if let Some(mut lines) = lines {
        let head = lines.head().map_err(Message::Failed)?;
        return through(place, whole, outlet, &design, &head, &mut lines);
    }
    let parameters = match &whole.asked.json {
        Some(members) => Parameters::of_body(members, &whole.asked.query),
        None => Parameters::of_query(&whole.asked.query),
    };
    let parameters = parameters.map_err(Message::Failed)?;
    let viewed = known(place, view_app).map_err(Message::Failed)?;
    let group = Group::new(&format!("_design/{view_app}"), &viewed.document);
    let (server, database) = (&place.server, &place.database);
    let answer = server.views().ask(database, server.functions(), &group, view, &parameters);
    let answer = answer.map_err(Message::Failed)?;
    let head = answer.head().map_err(Message::Failed)?;
    let mut rows = answer.rows().map(|row| row.map(|row| answer.text(&row)).map_err(told));
    through(place, whole, outlet, &design, &head, &mut rows)
}

/// An error of the rows, as functions tell theirs.
fn told(failure: Failure) -> FunctionError {
    FunctionError { status: failure.status.as_u16(), error: failure.error, reason: failure.reason.unwrap_or_default() }
}

/// Sends rows through the function.
fn through(
    place: &Place,
    whole: &Whole,
    outlet: &mut Outlet,
    design: &Known,
    head: &Object,
    rows: &mut dyn Iterator<Item = Result<String, FunctionError>>,
) -> Result<(), Message> {
    let object = whole.asked.object(place, &whole.segments, None, &object::FIELDS).map_err(Message::Failed)?;
    let (head, object) = (json!(head).to_string(), object.to_string());
    let (functions, name) = (place.server.functions(), whole.segment(3));
    let told = functions.list(&design.design, name, &head, &object, rows, &mut |piece| outlet.take(piece));
    finish(told, outlet)
}

/// What is said last.
fn finish(told: Result<(), FunctionError>, outlet: &mut Outlet) -> Result<(), Message> {
    if let Some(failure) = outlet.failed.take() {
        return Err(if outlet.has_begun { Message::Broken } else { Message::Failed(failure) });
    }
    let Err(error) = told else { return Ok(()) };
    if outlet.head.is_none() && !outlet.has_begun {
        return Err(Message::Failed(error.into()));
    }
    if outlet.has_ended {
        return Err(if outlet.has_begun { Message::Broken } else { Message::Failed(error.into()) });
    }
    // Among rows CouchDB tells of the error in the body.
    let FunctionError { status, error, reason } = error;
    let text = json!({ "code": status, "error": error, "reason": reason });
    outlet.begin(Some(status));
    outlet.send(Message::Text(format!("\n{text}\n")));
    Ok(())
}

async fn respond(mut receiver: mpsc::Receiver<Message>) -> Result<Response, Failure> {
    match receiver.recv().await {
        Some(Message::Head(mut head)) => {
            *head.body_mut() = body_of(receiver);
            Ok(*head)
        }
        Some(Message::Failed(failure)) => Err(failure),
        // Nothing was sent at all: CouchDB forgets the headers then.
        Some(Message::End) => Ok(empty(axum::http::StatusCode::OK)),
        Some(Message::Text(_) | Message::Broken) | None => {
            Err(Failure::new(500, "internal_server_error", "the list ended early"))
        }
    }
}

fn body_of(receiver: mpsc::Receiver<Message>) -> Body {
    Body::from_stream(stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Message::Text(text)) => Some((Ok(text), Some(receiver))),
            Some(Message::End) => None,
            _ => Some((Err(io::Error::other("the list broke off")), None)),
        }
    }))
}
