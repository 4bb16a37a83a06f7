//! Which documents, and which of their leaves, a feed tells of (`couch_changes:configure_filter`).

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::arguments::Arguments;
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::{Design, FunctionError};
use crate::serve::http::body;
use crate::serve::http::databases;
use crate::serve::http::documents::hooks::user_context;
use crate::serve::http::documents::open;
use crate::serve::http::documents::options::Options;
use crate::serve::http::documents::show;
use crate::serve::http::path::decode;
use crate::serve::http::request::{Place, Query, Request};
use crate::serve::mango::Selector;
use crate::serve::store::{Change, Document};
use crate::serve::users::access;

/// A filter that is ready.
pub(super) enum Filter {
    /// Everything.
    All,
    /// These documents.
    Ids(HashSet<String>),
    /// Design documents.
    Designs,
    /// What a selector selects; these fields are shown of it.
    Selector(Box<Selector>, Option<Vec<String>>),
    /// What a `map` function emits something for.
    View(Arc<Design>, String),
    /// What a function of `filters` lets pass, asked with this request.
    Function(Arc<Design>, String, String),
}

/// What a filter is made of: the parts of a request that outlive it.
pub(super) struct Asked {
    /// The method.
    pub(super) method: Method,
    /// The query.
    pub(super) query: Query,
    /// What came along with a POST.
    pub(super) posted: Option<Value>,
    /// For functions; without the body.
    pub(super) request: Object,
}

impl Asked {
    /// Takes the body of a POST, which may be none at all.
    pub(super) async fn take(place: &Place, request: Request) -> Result<Self, Failure> {
        let (method, query, described) = (request.method.clone(), request.query.clone(), describe(place, &request));
        let posted = if method == Method::POST { posted(request).await? } else { None };
        Ok(Self { method, query, posted, request: described })
    }

    fn member(&self, name: &str) -> Result<Option<&Value>, Failure> {
        match &self.posted {
            Some(Value::Object(members)) => Ok(members.get(name)),
            Some(_) => Err(Failure::bad_request("Request body must be a JSON object")),
            None => Err(Failure::bad_request("Missing request body")),
        }
    }
}

async fn posted(request: Request) -> Result<Option<Value>, Failure> {
    body::require_json(&request.headers)?;
    let length = body::length(&request.headers);
    let sent = body::expanded(&request.headers, request.body).await?;
    match length {
        // CouchDB takes a body of a length of 0 for none, and no length at all for one that got lost.
        Some(0) => return Ok(None),
        None if sent.is_empty() => return Err(Failure::bad_request("Missing request body")),
        _ => {}
    }
    match body::parsed(sent).await? {
        members @ Value::Object(_) => Ok(Some(members)),
        _ => Err(Failure::bad_request("Request body must be a JSON object")),
    }
}

impl Filter {
    /// Reads what the filter says and finds its design document. Blocks.
    pub(super) fn prepare(place: &Place, arguments: &Arguments, asked: &Asked) -> Result<Self, Failure> {
        match arguments.filter.as_str() {
            "_doc_ids" => ids(asked).map(Self::Ids),
            "_design" => Ok(Self::Designs),
            "_selector" => selector(asked),
            "_view" => {
                let named = asked.query.get("view").unwrap_or_default();
                if named.is_empty() {
                    return Err(Failure::bad_request("`view` filter parameter is not provided."));
                }
                let parts = two_parts(named)?;
                let (design, view) =
                    parts.ok_or_else(|| Failure::bad_request("`view` must be of the form `designname/viewname`"))?;
                let design = function_of(place, &design, "views", &view)?;
                Ok(Self::View(design, view))
            }
            builtin if builtin.starts_with('_') => Err(Failure::bad_request("unknown builtin filter name")),
            named if named.chars().all(|character| character == '/') => Ok(Self::All),
            named => {
                let parts = two_parts(named)?;
                let (design, name) = parts
                    .ok_or_else(|| Failure::bad_request("`filter` must be of the form `designname/filtername`"))?;
                let design = function_of(place, &design, "filters", &name)?;
                let mut request = asked.request.clone();
                let database = &place.database;
                request.insert("info".to_owned(), databases::info(database)?);
                request.insert("secObj".to_owned(), access::security(database)?);
                let posted = asked.posted.clone().unwrap_or_else(|| "undefined".into());
                request.insert("body".to_owned(), posted);
                Ok(Self::Function(design, name, Value::Object(request).to_string()))
            }
        }
    }

    /// Whether documents are looked up by themselves; CouchDB counts what is pending differently then.
    pub(super) fn is_lookup(&self) -> bool {
        matches!(self, Self::Ids(_) | Self::Designs)
    }

    /// Whether every change is looked at, and some pass.
    pub(super) fn is_by_content(&self) -> bool {
        matches!(self, Self::Selector(..) | Self::View(..) | Self::Function(..))
    }

    /// The leaves that pass, for each of the changes; none: the change is not told. Blocks.
    pub(super) fn pass(
        &self,
        place: &Place,
        arguments: &Arguments,
        changes: &[Change],
    ) -> Result<Vec<Vec<String>>, Failure> {
        let by_id = |is_wanted: &dyn Fn(&str) -> bool| {
            let leaves = changes.iter().map(|change| {
                let is_wanted = is_wanted(&change.document.id);
                if is_wanted { leaves(&change.document, arguments.has_all_leaves) } else { Vec::new() }
            });
            Ok(leaves.collect())
        };
        match self {
            Self::All => by_id(&|_| true),
            Self::Ids(ids) => by_id(&|id| ids.contains(id)),
            Self::Designs => by_id(&|id| id.starts_with("_design")),
            Self::Selector(selector, _) => by_content(place, arguments, changes, false, |documents| {
                Ok(documents.iter().map(|document| selector.matches(document)).collect())
            }),
            Self::View(design, view) => by_content(place, arguments, changes, true, |documents| {
                place.server.functions().filter_by_view(design, view, texts(&documents)).map_err(failure)
            }),
            Self::Function(design, name, request) => by_content(place, arguments, changes, true, |documents| {
                place.server.functions().filter(design, name, texts(&documents), request).map_err(failure)
            }),
        }
    }
}

fn leaves(document: &Document, has_all: bool) -> Vec<String> {
    let leaves = document.tree.leaves().into_iter().take(if has_all { usize::MAX } else { 1 });
    leaves.map(|leaf| leaf.revision.to_string()).collect()
}

/// Asks about the documents of all changes at once.
fn by_content(
    place: &Place,
    arguments: &Arguments,
    changes: &[Change],
    has_ancestors: bool,
    ask: impl FnOnce(Vec<Value>) -> Result<Vec<bool>, Failure>,
) -> Result<Vec<Vec<String>>, Failure> {
    // Functions are shown the ancestors, selectors are not.
    let (conflicts, revs) = (arguments.options.conflicts, has_ancestors);
    let options = Options { conflicts, revs, deleted: true, ..Options::default() };
    let (mut documents, mut owners) = (Vec::new(), Vec::new());
    for (index, change) in changes.iter().enumerate() {
        let wanted = if arguments.has_all_leaves { usize::MAX } else { 1 };
        for leaf in change.document.tree.leaves().into_iter().take(wanted) {
            let Some(mut opened) = open::revision(&place.database, &change.document, &leaf.revision)? else { continue };
            opened.meta = open::meta(&change.document, &options);
            documents.push(Value::Object(show::stubbed(&opened, &options)));
            owners.push((index, leaf.revision.to_string()));
        }
    }
    let mut passed = vec![Vec::new(); changes.len()];
    if !documents.is_empty() {
        for ((index, revision), passes) in owners.into_iter().zip(ask(documents)?) {
            if passes {
                passed[index].push(revision);
            }
        }
    }
    Ok(passed)
}

fn texts(documents: &[Value]) -> Vec<String> {
    documents.iter().map(Value::to_string).collect()
}

fn failure(error: FunctionError) -> Failure {
    Failure::new(error.status, error.error, error.reason)
}

fn ids(asked: &Asked) -> Result<HashSet<String>, Failure> {
    let from_query;
    let listed = if asked.method == Method::POST {
        asked.member("doc_ids")?
    } else {
        from_query = asked.query.json("doc_ids")?;
        from_query.as_ref()
    };
    let ids =
        listed.and_then(Value::as_array).and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let ids = ids.ok_or_else(|| Failure::bad_request("`doc_ids` filter parameter is not a list of doc ids."))?;
    Ok(ids.into_iter().map(str::to_owned).collect())
}

fn selector(asked: &Asked) -> Result<Filter, Failure> {
    if asked.method != Method::POST {
        return Err(Failure::bad_request("Selector must be specified in POST payload"));
    }
    let selector = match asked.member("selector")? {
        Some(selector @ Value::Object(_)) => {
            Selector::parse(selector).map_err(|failure| match failure.status.as_u16() {
                501 => failure,
                _ => Failure::bad_request(failure.reason.unwrap_or_default()),
            })?
        }
        _ => return Err(Failure::bad_request("Selector error: expected a JSON object")),
    };
    let fields = match asked.member("fields")? {
        None => None,
        Some(Value::Array(items)) => {
            let fields = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            Some(fields.ok_or_else(|| Failure::bad_request("Selector error: fields must be JSON array"))?)
        }
        Some(_) => return Err(Failure::bad_request("Selector error: fields must be JSON array")),
    };
    Ok(Filter::Selector(Box::new(selector), fields.filter(|fields| !fields.is_empty())))
}

/// `design/name`
fn two_parts(named: &str) -> Result<Option<(String, String)>, Failure> {
    let parts: Vec<&str> = named.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [design, name] => Ok(Some((decode(design)?, decode(name)?))),
        _ => Ok(None),
    }
}

/// The design document of a function that has to be there.
fn function_of(place: &Place, design: &str, kind: &str, name: &str) -> Result<Arc<Design>, Failure> {
    let id = format!("_design/{design}");
    let document = place.database.document(&id)?.ok_or_else(|| Failure::not_found("missing"))?;
    let winner = document.tree.winner().ok_or_else(|| Failure::not_found("missing"))?;
    if winner.is_deleted {
        return Err(Failure::not_found("deleted"));
    }
    let known = place.server.design(&place.database, &id, &winner.revision)?;
    let known = known.ok_or_else(|| Failure::not_found("missing"))?;
    let missing = |key: &str| Failure::not_found(format!("missing json key: {key}"));
    known.document.get(kind).ok_or_else(|| missing(kind))?.get(name).ok_or_else(|| missing(name))?;
    Ok(known.design)
}

/// The request as filter functions see it, but for what blocks.
fn describe(place: &Place, request: &Request) -> Object {
    let path = |segments: &mut dyn Iterator<Item = &str>| Value::from(segments.collect::<Vec<_>>());
    let name = place.database.name();
    let segments = path(&mut std::iter::once(name).chain(request.segments.iter().map(String::as_str)));
    let query: Object = request.query.0.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let headers = request.headers.iter().filter(|(name, _)| *name != "authorization" && *name != "cookie");
    let headers: Object =
        headers.filter_map(|(name, value)| Some((title(name.as_str()), value.to_str().ok()?.into()))).collect();
    let described = json!({
        "info": null,
        "id": null,
        "uuid": crate::serve::http::documents::new_id(),
        "method": request.method.as_str(),
        "requested_path": segments.clone(),
        "path": segments,
        "raw_path": request.target,
        "query": query,
        "headers": headers,
        "body": "undefined",
        "peer": "127.0.0.1",
        "form": {},
        "cookie": {},
        "userCtx": user_context(name, &request.user),
    });
    match described {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}

/// `content-type` as `Content-Type`, as functions look for it.
fn title(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut characters = word.chars();
        characters
            .next()
            .map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), characters.as_str()))
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_two_parts() {
        for (named, expected) in [
            ("a/b", Some(("a", "b"))),
            ("a%2Fx/b", Some(("a/x", "b"))),
            ("/a//b", Some(("a", "b"))),
            ("a", None),
            ("a/b/c", None),
        ] {
            let parts = two_parts(named).unwrap();
            assert_eq!(parts.as_ref().map(|(design, name)| (design.as_str(), name.as_str())), expected, "{named}");
        }
    }

    #[test]
    fn headers_are_named_as_people_write_them() {
        assert_eq!(title("content-type"), "Content-Type");
        assert_eq!(title("x-a--b"), "X-A--B");
    }

    fn asked(method: Method, query: &str, posted: Option<Value>) -> Asked {
        Asked { method, query: Query::parse(query), posted, request: Object::new() }
    }

    #[test]
    fn ids_come_by_either_way() {
        let expected = HashSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(ids(&asked(Method::GET, "doc_ids=[\"a\",\"b\"]", None)).unwrap(), expected);
        assert_eq!(ids(&asked(Method::POST, "", Some(json!({ "doc_ids": ["a", "b"] })))).unwrap(), expected);
        for bad in [
            asked(Method::GET, "", None),
            asked(Method::GET, "doc_ids=3", None),
            asked(Method::POST, "", None),
            asked(Method::POST, "", Some(json!({}))),
            asked(Method::POST, "", Some(json!({ "doc_ids": [1] }))),
        ] {
            assert_eq!(ids(&bad).unwrap_err().status.as_u16(), 400);
        }
    }

    #[test]
    fn selectors_are_posted() {
        assert!(selector(&asked(Method::POST, "", Some(json!({ "selector": { "x": 1 } })))).is_ok());
        for (bad, reason) in [
            (asked(Method::GET, "", None), "Selector must be specified in POST payload"),
            (asked(Method::POST, "", Some(json!({}))), "Selector error: expected a JSON object"),
            (asked(Method::POST, "", Some(json!({ "selector": { "$x": 1 } }))), "Invalid operator: $x"),
        ] {
            let failure = selector(&bad).err().unwrap();
            assert_eq!((failure.status.as_u16(), failure.reason.as_deref()), (400, Some(reason)));
        }
    }
}
