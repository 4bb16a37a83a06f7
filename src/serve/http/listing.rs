//! Listings of documents by id: `_all_docs`, `_design_docs`, `_local_docs`, and several of them in one answer.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use self::range::{Kind, wanted};
use super::body;
use super::changes::sequence;
use super::documents::open::{self, Opened};
use super::documents::options::Options;
use super::documents::{hooks, local, show};
use super::produce::{self, Sink, produce};
use super::request::{Place, Query, Request};
use super::text;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::store::{Body, Database, Document, Range, Row};
use crate::serve::users::User;
use crate::serve::views::parameters::Parameters;

mod range;

/// So many rows are read at once.
const BATCH: u64 = 200;

/// One listing.
struct Listing {
    place: Place,
    user: User,
    kind: Kind,
    parameters: Parameters,
    keys: Option<Vec<Value>>,
}

/// `GET` and `POST` of `/db/_all_docs`, `/db/_design_docs` and `/db/_local_docs`
pub(in crate::serve) async fn documents(place: &Place, name: &str, request: Request) -> Result<Response, Failure> {
    let (kind, user) = (Kind::of(name), request.user.clone());
    let mut query = request.query.clone();
    let (parameters, keys) = if request.method == "POST" {
        body::require_json(&request.headers)?;
        let mut members = body::object(request).await?;
        let keys = keys_of(members.remove("keys"), "`keys` body member must be an array.")?;
        query.0.retain(|(key, _)| key != "keys");
        (Parameters::of_body(&members, &query)?, keys)
    } else {
        let keys = keys_of(query.json("keys")?, "`keys` parameter must be an array.")?;
        query.0.retain(|(key, _)| key != "keys");
        (Parameters::of_query(&query)?, keys)
    };
    parameters.check(false)?;
    let listing = Listing { place: place.clone(), user, kind, parameters, keys };
    produce(produce::head(200, "application/json"), move |sink| {
        listing.write(sink)?;
        sink.text("\n")
    })
    .await
}

fn keys_of(value: Option<Value>, refusal: &str) -> Result<Option<Vec<Value>>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(keys)) => Ok(Some(keys)),
        Some(_) => Err(Failure::bad_request(refusal)),
    }
}

/// `POST /db/_all_docs/queries`, and likewise of the others
pub(in crate::serve) async fn queries(place: &Place, name: &str, request: Request) -> Result<Response, Failure> {
    let (kind, user, query) = (Kind::of(name), request.user.clone(), request.query.clone());
    let members = body::object(request).await?;
    let queries = match members.get("queries") {
        None => return Err(Failure::bad_request("POST body must include `queries` parameter.")),
        Some(Value::Array(queries)) => queries,
        Some(_) => return Err(Failure::bad_request("`queries` member must be an array.")),
    };
    let listings = queries.iter().map(|one| listing_of(place, &user, kind, &query, one));
    let listings = listings.collect::<Result<Vec<_>, _>>()?;
    produce(produce::head(200, "application/json"), move |sink| {
        sink.text("{\"results\":[")?;
        for (index, listing) in listings.iter().enumerate() {
            sink.text(if index == 0 { "\r\n" } else { ",\r\n" })?;
            listing.write(sink)?;
        }
        sink.text("\r\n]}\n")
    })
    .await
}

fn listing_of(place: &Place, user: &User, kind: Kind, query: &Query, one: &Value) -> Result<Listing, Failure> {
    let one = one.as_object().ok_or_else(|| Failure::bad_request("query must be a JSON object"))?;
    let mut parameters = Parameters::of_query(query)?.of_one(one)?;
    let keys = keys_of(parameters.keys.take(), "`keys` parameter must be an array.")?;
    parameters.check(false)?;
    Ok(Listing { place: place.clone(), user: user.clone(), kind, parameters, keys })
}

/// A document, with the body of its winner if that is shown.
type Found = (Document, Option<Body>);

impl Listing {
    fn database(&self) -> &Arc<Database> {
        &self.place.database
    }

    fn write(&self, sink: &mut Sink) -> Result<(), Failure> {
        match (&self.keys, self.kind) {
            (Some(keys), Kind::Local) => self.write_local(sink, Some(keys)),
            (None, Kind::Local) => self.write_local(sink, None),
            (Some(keys), _) => self.write_keys(sink, keys),
            (None, _) => self.write_range(sink),
        }
    }

    fn begin(&self, sink: &mut Sink, total: Option<u64>, offset: Option<u64>) -> Result<(), Failure> {
        let mut head = json!({ "total_rows": total, "offset": offset });
        if self.parameters.update_seq {
            let info = self.database().info()?;
            let sequence = (self.kind != Kind::Local).then(|| sequence::text(info.instance, info.sequence));
            head["update_seq"] = sequence.into();
        }
        let head = head.to_string();
        sink.text(head.strip_suffix('}').unwrap_or(&head))?;
        sink.text(",\"rows\":[\r\n")
    }

    fn write_range(&self, sink: &mut Sink) -> Result<(), Failure> {
        let total = self.total()?;
        let Some(mut range) = wanted(&self.parameters, self.kind) else {
            let offset = if self.parameters.is_descending { total } else { 0 };
            self.begin(sink, Some(total), Some(offset))?;
            return sink.text("\r\n]}");
        };
        let offset = self.before(&range)?.saturating_add(range.skip).min(total);
        self.begin(sink, Some(total), Some(offset))?;
        let (mut left, mut is_first) = (range.limit.unwrap_or(u64::MAX), true);
        while left > 0 {
            range.limit = Some(left.min(BATCH));
            let rows = self.database().rows(&range)?;
            let Some(last) = rows.last() else { break };
            left -= rows.len() as u64;
            (range.start, range.excludes_start, range.skip) = (Some(last.id.clone()), true, 0);
            let is_last = (rows.len() as u64) < BATCH.min(range.limit.unwrap_or(BATCH));
            self.write_rows(sink, &rows, &mut is_first)?;
            if is_last {
                break;
            }
        }
        sink.text("\r\n]}")
    }

    /// How many documents this kind of listing shows in all.
    fn total(&self) -> Result<u64, Failure> {
        match self.kind {
            Kind::Design => Ok(self.offset(range::DESIGN_END)?.saturating_sub(self.offset(range::DESIGN_START)?)),
            _ => Ok(self.database().info()?.documents),
        }
    }

    /// How many documents come before a range; before design documents others count as well.
    fn before(&self, range: &Range) -> Result<u64, Failure> {
        Ok(self.database().offset(&Range { skip: 0, limit: None, ..range.clone() })?)
    }

    fn offset(&self, start: &str) -> Result<u64, Failure> {
        Ok(self.database().offset(&Range { start: Some(start.to_owned()), ..Range::default() })?)
    }

    fn write_rows(&self, sink: &mut Sink, rows: &[Row], is_first: &mut bool) -> Result<(), Failure> {
        let mut opened = Vec::new();
        if self.parameters.include_docs {
            let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            opened = self.database().winners(&ids)?;
        }
        let mut opened = opened.into_iter();
        for row in rows {
            let id = text::json(&row.id.as_str().into());
            // As it is now: the row may be older.
            let found = opened.next().flatten().and_then(|(document, body)| {
                let winner = document.tree.winner().filter(|winner| !winner.is_deleted)?;
                Some((document, winner.revision, body))
            });
            let revision = found.as_ref().map_or(&row.revision, |(_, revision, _)| revision);
            separate(sink, is_first)?;
            sink.text(&format!("{{\"id\":{id},\"key\":{id},\"value\":{{\"rev\":\"{revision}\"}}"))?;
            if self.parameters.include_docs {
                sink.text(",\"doc\":")?;
                match found {
                    None => sink.text("null")?,
                    Some((document, revision, body)) => self.write_document(sink, &document, revision, body)?,
                }
            }
            sink.text("}")?;
        }
        Ok(())
    }

    fn write_keys(&self, sink: &mut Sink, keys: &[Value]) -> Result<(), Failure> {
        self.begin(sink, Some(self.total()?), None)?;
        let mut is_first = true;
        for keys in self.chosen(keys).chunks(usize::try_from(BATCH).unwrap_or(1)) {
            let ids: Vec<&str> = keys.iter().map(|key| key.as_str().unwrap_or_default()).collect();
            for (key, found) in keys.iter().zip(self.read(&ids)?) {
                if self.kind == Kind::Design && !key.as_str().is_some_and(|id| id.starts_with("_design/")) {
                    continue;
                }
                separate(sink, &mut is_first)?;
                self.write_key(sink, key, found)?;
            }
        }
        sink.text("\r\n]}")
    }

    /// The keys in the order of the answer, without those that are passed over.
    fn chosen<'keys>(&self, keys: &'keys [Value]) -> Vec<&'keys Value> {
        let mut keys: Vec<&Value> = keys.iter().collect();
        if self.parameters.is_descending {
            keys.reverse();
        }
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let limit = self.parameters.limit.map_or(usize::MAX, count);
        keys.into_iter().skip(count(self.parameters.skip)).take(limit).collect()
    }

    /// Documents, with their bodies if those are shown.
    fn read(&self, ids: &[&str]) -> Result<Vec<Option<Found>>, Failure> {
        if self.parameters.include_docs {
            let found = self.database().winners(ids)?.into_iter();
            return Ok(found.map(|found| found.map(|(document, body)| (document, Some(body)))).collect());
        }
        let found = self.database().documents(ids)?.into_iter();
        Ok(found.map(|document| document.map(|document| (document, None))).collect())
    }

    fn write_key(&self, sink: &mut Sink, key: &Value, found: Option<Found>) -> Result<(), Failure> {
        let found = found.and_then(|(document, body)| document.tree.winner().map(|winner| (document, winner, body)));
        let Some((document, winner, body)) = found else {
            return sink.text(&text::json(&json!({ "key": key, "error": "not_found" })));
        };
        let deleted = if winner.is_deleted { ",\"deleted\":true" } else { "" };
        let value = format!("{{\"rev\":\"{}\"{deleted}}}", winner.revision);
        let id = text::json(key);
        sink.text(&format!("{{\"id\":{id},\"key\":{id},\"value\":{value}"))?;
        if self.parameters.include_docs {
            sink.text(",\"doc\":")?;
            match body.filter(|_| !winner.is_deleted) {
                None => sink.text("null")?,
                Some(body) => self.write_document(sink, &document, winner.revision, body)?,
            }
        }
        sink.text("}")
    }

    fn write_document(
        &self,
        sink: &mut Sink,
        document: &Document,
        revision: Revision,
        body: Body,
    ) -> Result<(), Failure> {
        let options = Options {
            attachments: self.parameters.attachments,
            att_encoding_info: self.parameters.att_encoding_info,
            conflicts: self.parameters.conflicts == Some(true),
            ..Options::default()
        };
        let (history, meta) = (vec![revision], open::meta(document, &options));
        let mut opened = Opened { id: document.id.clone(), history, is_deleted: false, body, meta };
        hooks::before_show(&self.place, &self.user, &mut opened)?;
        show::write(sink, self.database(), &opened, &options)
    }

    fn write_local(&self, sink: &mut Sink, keys: Option<&[Value]>) -> Result<(), Failure> {
        self.begin(sink, None, None)?;
        let ids: Vec<Value> = match keys {
            Some(keys) => self.chosen(keys).into_iter().cloned().collect(),
            None => match wanted(&self.parameters, self.kind) {
                None => Vec::new(),
                Some(range) => self.database().locals(&range)?.into_iter().map(|(id, _)| id.into()).collect(),
            },
        };
        let mut is_first = true;
        for key in ids {
            let id = key.as_str().filter(|id| id.starts_with("_local/"));
            let shown = id.map(|id| local::read(self.database(), id)).transpose();
            let row = match shown {
                Ok(Some(shown)) => {
                    let mut row = json!({ "id": key, "key": key, "value": { "rev": shown.get("_rev") } });
                    if self.parameters.include_docs {
                        row["doc"] = Value::Object(shown);
                    }
                    row
                }
                Ok(None) => continue,
                Err(_) => json!({ "key": key, "error": "not_found" }),
            };
            separate(sink, &mut is_first)?;
            sink.text(&text::json(&row))?;
        }
        sink.text("\r\n]}")
    }
}

fn separate(sink: &mut Sink, is_first: &mut bool) -> Result<(), Failure> {
    if std::mem::replace(is_first, false) { Ok(()) } else { sink.text(",\r\n") }
}
