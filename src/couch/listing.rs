//! Many documents of a database, read in pages or by their ids, without the content of their attachments.

use std::collections::HashSet;
use std::mem;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Request;
use super::range::Order;
use super::target::Target;
use super::{CouchError, Database, Document, IdRange, document, rows};
use crate::json::Object;
use crate::name::DocId;

/// A listing on its way in, one page after the other.
#[derive(Debug)]
pub struct Pages {
    database: Database,
    range: IdRange,
    rows: usize,
    /// The last id that the server gave: the next page begins with it.
    last: Option<String>,
    finished: bool,
    unreadable: Vec<Unreadable>,
}

/// A document of a listing that cannot be taken apart: an attachment without a name, too deep, and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, as the server has it.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

/// One page as it comes.
#[derive(Default)]
struct Page {
    documents: Vec<Document>,
    unreadable: Vec<Unreadable>,
    /// Rows, whatever became of them.
    count: usize,
    last: Option<String>,
}

/// A row of `_all_docs`.
#[derive(Deserialize)]
struct Row {
    id: Option<String>,
    #[serde(default)]
    key: Value,
    doc: Option<Object>,
    error: Option<Value>,
}

/// A row of which only the name is wanted; what else is in it may be anything.
#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    error: Option<String>,
}

impl Pages {
    /// The documents of the next page; `None` after the last one. A page may have fewer documents than asked for.
    pub async fn next(&mut self) -> Result<Option<Vec<Document>>, CouchError> {
        while !self.finished {
            let page = self.page().await?;
            self.unreadable.extend(page.unreadable);
            if !page.documents.is_empty() {
                return Ok(Some(page.documents));
            }
        }
        Ok(None)
    }

    /// The documents of the pages so far that are not among the results because they cannot be taken apart.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    async fn page(&mut self) -> Result<Page, CouchError> {
        if self.range.is_empty() {
            self.finished = true;
            return Ok(Page::default());
        }
        let order = self.database.order();
        // The page begins with the last id of the one before, so that nothing is skipped if that document has gone.
        let limit = self.rows + usize::from(self.last.is_some());
        let request = self.request(order, limit);
        let (range, last) = (&self.range, &self.last);
        let page = self.database.server().client.repeat(&request, |reply| async move {
            let mut page = Page { last: last.clone(), ..Page::default() };
            let others = rows::read(reply, "rows", |row| page.take(row, order, range, last.as_deref()));
            others.await.map(|_| page)
        });
        let page = page.await?;
        self.finished = page.count < limit;
        self.last.clone_from(&page.last);
        Ok(page)
    }

    fn request(&self, order: Order, limit: usize) -> Request {
        let mut bounds = self.range.bounds(order);
        if let Some(last) = &self.last {
            bounds.start = Some(last.clone());
        }
        let target = self.database.with_documents();
        let quoted = |text: &String| Value::from(text.as_str()).to_string();
        let mut listing = target.clone().query("limit", &limit.to_string());
        for (key, bound) in [("startkey", &bounds.start), ("endkey", &bounds.end)] {
            if let Some(bound) = bound {
                listing = listing.query(key, &quoted(bound));
            }
        }
        if bounds.exclusive {
            listing = listing.query("inclusive_end", "false");
        }
        if listing.url().is_ok() {
            return self.database.request(Method::GET, listing, "list");
        }
        // Ids can be too long for a URL.
        let mut asked = json!({ "limit": limit });
        for (key, bound) in [("startkey", bounds.start), ("endkey", bounds.end)] {
            if let Some(bound) = bound {
                asked[key] = Value::from(bound);
            }
        }
        if bounds.exclusive {
            asked["inclusive_end"] = Value::Bool(false);
        }
        self.database.request(Method::POST, target, "list").json(&asked)
    }
}

impl Page {
    /// Takes a row; `before` is the last id of the page before.
    fn take(&mut self, text: &[u8], order: Order, range: &IdRange, before: Option<&str>) -> Result<(), String> {
        let row = row(text);
        let id = match &row {
            Ok(Row { id: Some(id), .. }) => id.clone(),
            Ok(row) => return Err(format!("there is a row without an id: {}", said(row.error.as_ref()))),
            Err(Unreadable { id, why }) if id.is_empty() => return Err(format!("malformed row: {why}")),
            Err(unreadable) => unreadable.id.clone(),
        };
        self.count += 1;
        if self.count == 1 && before == Some(&*id) {
            return Ok(());
        }
        if self.last.as_deref().is_some_and(|last| !order.is_after(&id, last)) {
            return Err("its rows are not in the order of their ids".to_owned());
        }
        self.last = Some(id.clone());
        if !range.contains(&id) {
            return Ok(());
        }
        let document = row.and_then(|row| row.doc.map(taken_apart).transpose());
        match document {
            Ok(Some(document)) if document.id.as_str() == id => self.documents.push(document),
            Ok(Some(_)) => return Err(format!("the row of `{id}` has another document")),
            // It went while the rows were written.
            Ok(None) => {}
            Err(Unreadable { why, .. }) => self.unreadable.push(Unreadable { id, why }),
        }
        Ok(())
    }
}

/// Reads a row; where that is not possible, its id at least.
fn row(text: &[u8]) -> Result<Row, Unreadable> {
    serde_json::from_slice(text).map_err(|error| {
        let named: Option<Named> = serde_json::from_slice(text).ok();
        let id = named.and_then(|named| named.id).unwrap_or_default();
        Unreadable { id, why: error.to_string() }
    })
}

fn taken_apart(members: Object) -> Result<Document, Unreadable> {
    document::parse(members).map(|parsed| parsed.document).map_err(|why| Unreadable { id: String::new(), why })
}

fn said(error: Option<&Value>) -> String {
    crate::secret::redact(&error.map_or_else(|| "it says nothing".to_owned(), Value::to_string))
}

impl Database {
    /// All documents of a range (design documents too), `rows` at a time, with conflicts and with the encoding of their
    /// attachments (PouchDB stores no encoded ones). A document that is there all the time comes exactly once, whatever
    /// others write meanwhile.
    ///
    /// [`super::Server::welcome`] must have told what kind of server this is: PouchDB has its own order.
    pub fn pages(&self, range: &IdRange, rows: usize) -> Pages {
        let (database, range, unreadable) = (self.clone(), range.clone(), Vec::new());
        Pages { database, range, rows: rows.max(1), last: None, finished: false, unreadable }
    }

    /// The documents of these ids, in the same order, as [`Database::pages`] gives them; `None` for what is missing or
    /// deleted. One that cannot be taken apart is [`CouchError::Protocol`].
    pub async fn documents(&self, ids: &[DocId]) -> Result<Vec<Option<Document>>, CouchError> {
        let found = self.readable_documents(ids).await?.into_iter();
        found.map(|document| document.transpose().map_err(|unreadable| self.not_readable(&unreadable))).collect()
    }

    /// [`documents`](Self::documents), where one that cannot be taken apart is told by itself.
    pub async fn readable_documents(
        &self,
        ids: &[DocId],
    ) -> Result<Vec<Option<Result<Document, Unreadable>>>, CouchError> {
        /// As many as a page: what is asked again after a lost answer.
        const SLICE: usize = 2000;
        let mut documents = Vec::with_capacity(ids.len());
        for slice in ids.chunks(SLICE) {
            documents.append(&mut self.slice(slice).await?);
        }
        Ok(documents)
    }

    fn not_readable(&self, Unreadable { id, why }: &Unreadable) -> CouchError {
        let request = self.request(Method::POST, self.with_documents(), "list");
        self.protocol(&request, format!("`{id}` cannot be read: {why}"))
    }

    async fn slice(&self, ids: &[DocId]) -> Result<Vec<Option<Result<Document, Unreadable>>>, CouchError> {
        let keys: Vec<&str> = ids.iter().map(DocId::as_str).collect();
        let request = self.request(Method::POST, self.with_documents(), "list").json(&json!({ "keys": keys }));
        let read = |reply| async {
            let mut found = Vec::with_capacity(ids.len());
            let take = |text: &[u8]| {
                let others = "its rows are not those that were asked for".to_owned();
                let Some(id) = ids.get(found.len()) else { return Err(others) };
                let unreadable = |why: String| Unreadable { id: id.to_string(), why };
                let row = match row(text) {
                    Ok(row) => row,
                    Err(Unreadable { why, .. }) => {
                        found.push(Some(Err(unreadable(why))));
                        return Ok(());
                    }
                };
                if row.key.as_str() != Some(id.as_str()) {
                    return Err(others);
                }
                let document = row.doc.map(|document| taken_apart(document).map_err(|error| unreadable(error.why)));
                if let Some(Ok(document)) = &document
                    && document.id != *id
                {
                    return Err(format!("the row of {} has another document", row.key));
                }
                found.push(document.filter(|document| !document.as_ref().is_ok_and(|document| document.deleted)));
                Ok(())
            };
            rows::read(reply, "rows", take).await?;
            Ok(found)
        };
        let found = self.server().client.repeat(&request, read).await?;
        let whole = found.len() == ids.len();
        if whole { Ok(found) } else { Err(self.protocol(&request, "its rows are not those that were asked for")) }
    }

    /// The ids of the documents in a view, without its reduce function, each once, in the order of the view.
    ///
    /// The first question to a view is answered when its index is built: a silence that is longer than
    /// [`super::Network::idle_timeout`] is asked again, as often as any request.
    pub async fn view_ids(&self, design: &DocId, view: &str) -> Result<Vec<DocId>, CouchError> {
        let target = self.document_target(design).beneath("_view").beneath(view).query("reduce", "false");
        let subject = self.document_subject(&format!("query view `{view}` of"), design);
        let request = Request::new(Method::GET, target, subject);
        let read = |reply| async {
            let (mut ids, mut known) = (Vec::new(), HashSet::new());
            let take = |text: &[u8]| {
                let named: Named = serde_json::from_slice(text).map_err(|error| format!("malformed row: {error}"))?;
                let Some(id) = named.id else {
                    return Err(format!(
                        "there is a row without an id: {}",
                        said(named.error.map(Value::from).as_ref())
                    ));
                };
                let id = DocId::new(id).map_err(|error| error.to_string())?;
                if known.insert(id.clone()) {
                    ids.push(id);
                }
                Ok(())
            };
            rows::read(reply, "rows", take).await?;
            Ok(mem::take(&mut ids))
        };
        self.server().client.repeat(&request, read).await
    }

    fn with_documents(&self) -> Target {
        let target = self.endpoint("_all_docs").query("include_docs", "true");
        target.query("conflicts", "true").query("att_encoding_info", "true")
    }

    fn order(&self) -> Order {
        if self.server().is_pouchdb() { Order::Either } else { Order::Bytes }
    }
}
