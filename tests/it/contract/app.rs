//! The apps that the cases push, and how two documents are compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Database, Project, Run, encoded};

/// The files of an app, by path.
#[derive(Clone, Default)]
pub(crate) struct App {
    /// Paths with `/`, and contents.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl App {
    /// A few fields, a view, two attachments; no `validate_doc_update`, so that a push is one request that writes.
    pub(crate) fn small() -> Self {
        Self::default()
            .with("_id", "_design/blog\n")
            .with("language", "javascript\n")
            .with("views/by_date/map.js", "function (doc) {\n  emit(doc.date, 1);\n}\n")
            .with("views/by_date/reduce", "_count\n")
            .with("shows/post.js", "function (doc, req) {\n  return '<p>' + doc.title + '</p>';\n}\n")
            .with("_attachments/index.html", "<!doctype html>\n<title>Blog</title>\n")
            .with("_attachments/style.css", "body { color: black }\n".repeat(20))
            .with("_attachments/dot.png", noise(300, 1))
    }

    /// Everything that an app may have: views with a library and a list, macros, vendor code, rewrites, filters,
    /// updates, nested folders, and more than a hundred attachments.
    pub(crate) fn full() -> Self {
        let mut app = Self::small()
            .with("couchapp.json", pretty(&json!({ "name": "Blog", "description": "a blog", "index": "index.html" })))
            .with("lists/page.js", "function (head, req) {\n  // !code lib/escape.js\n  var row;\n  start({ headers: { 'Content-Type': 'text/html' } });\n  while (row = getRow()) send(escape(row.key) + '\\n');\n}\n")
            .with("lib/escape.js", "function escape(text) { return String(text).replace(/</g, '&lt;'); }\n")
            .with("lib/templates/post.html", "<h1>{{title}}</h1>\n")
            .with("shows/titled.js", "function (doc, req) {\n  // !json lib.templates\n  // !code lib/escape.js\n  return lib.templates.post.replace('{{title}}', escape(doc ? doc.title : 'nothing'));\n}\n")
            .with("views/lib/dates.js", "exports.year = function (date) { return date.slice(0, 4); };\n")
            .with("views/by_year/map.js", "function (doc) {\n  var dates = require('views/lib/dates');\n  if (doc.date) emit(dates.year(doc.date), null);\n}\n")
            .with("updates/title.js", "function (doc, req) {\n  doc.title = req.body;\n  return [doc, 'done'];\n}\n")
            .with("filters/posts.js", "function (doc, req) { return doc.type === 'post'; }\n")
            .with("validate_doc_update.js", "function (newDoc, oldDoc, userCtx) {\n  if (newDoc.type === 'post' && !newDoc.title) throw({ forbidden: 'a post needs a title' });\n}\n")
            .with("rewrites.json", pretty(&json!([{ "from": "/", "to": "index.html" }, { "from": "/api/*", "to": "../../*" }])))
            .with("evently/profile/selectors/a[href=#signup].json", pretty(&json!({ "click": "signup" })))
            .with("templates/empty.txt", "")
            .with("vendor/couchapp/metadata.json", pretty(&json!({ "name": "couchapp", "version": 3 })))
            .with("vendor/couchapp/lib/cache.js", "exports.cache = {};\n")
            .with("vendor/couchapp/_attachments/jquery.couch.app.js", "(function ($) { $.couch = {}; })(jQuery);\n".repeat(30));
        for number in 0..110_u32 {
            let name = format!("_attachments/pages/{}/page {number}.html", number % 7);
            app = match number % 4 {
                0 => app.with(&name, format!("<p>page {number}</p>\n").repeat(number as usize)),
                1 => app.with(&name.replace(".html", ".js"), format!("var page = {number};\n")),
                2 => app.with(&name.replace(".html", ".png"), noise(number as usize * 50, number)),
                _ => app.with(&name.replace(".html", ".json"), format!("{{ \"page\": {number} }}\n")),
            };
        }
        app.with("_attachments/größe & co+1%.txt", "names with everything\n")
    }

    /// Adds or replaces a file.
    pub(crate) fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    /// Leaves a file out.
    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path).is_some(), "{path} is not there");
        self
    }

    /// Writes the app into a folder of the project.
    pub(crate) fn write(&self, project: &Project, folder: &str) {
        for (path, content) in &self.files {
            project.write(&format!("{folder}/{path}"), content);
        }
    }

    /// The attachments: names as the document has them, and contents.
    pub(crate) fn attachments(&self) -> BTreeMap<String, &[u8]> {
        let name = |path: &str| {
            let vendor = || path.starts_with("vendor/").then(|| path.replacen("/_attachments/", "/", 1));
            let own = path.strip_prefix("_attachments/").map(str::to_owned);
            own.or_else(|| path.contains("/_attachments/").then(vendor).flatten())
        };
        self.files.iter().filter_map(|(path, content)| Some((name(path)?, content.as_slice()))).collect()
    }
}

/// JSON as the tool writes it.
fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Bytes that no compression makes smaller, the same for the same seed.
pub(crate) fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..length).map(|_| next()).collect()
}

/// Pushes a folder into a database.
#[track_caller]
pub(crate) fn push(project: &Project, folder: &str, database: &Database<'_>) -> Run {
    project.couchapp(&["push", folder, &database.url()])
}

/// Pushes a folder into a database with more arguments.
#[track_caller]
pub(crate) fn push_with(project: &Project, folder: &str, database: &Database<'_>, more: &[&str]) -> Run {
    let url = database.url();
    project.couchapp(&[&["push", folder, &url], more].concat())
}

/// Clones a document of a database into a folder.
#[track_caller]
pub(crate) fn clone(project: &Project, database: &Database<'_>, rest: &str, folder: &str) -> Run {
    project.couchapp(&["clone", &format!("{}/{rest}", database.url()), folder])
}

/// A document without what differs between two equal ones: the revision and the generations of attachments.
fn comparable(document: &Value) -> Value {
    let mut document = document.clone();
    document.as_object_mut().unwrap().shift_remove("_rev");
    let attachments = document.get_mut("_attachments").and_then(Value::as_object_mut);
    for stub in attachments.into_iter().flat_map(|attachments| attachments.values_mut()) {
        stub.as_object_mut().unwrap().shift_remove("revpos");
    }
    document
}

/// Asserts that two documents are identical: members, numbers, and of each attachment digest, type, length and bytes.
#[track_caller]
pub(crate) fn assert_identical(one: &Database<'_>, other: &Database<'_>, rest: &str) {
    let (left, right) = (one.document(rest), other.document(rest));
    let (left_text, right_text) = (comparable(&left), comparable(&right));
    assert_eq!(sorted(&left_text), sorted(&right_text), "{rest} differs");
    for name in left["_attachments"].as_object().into_iter().flat_map(serde_json::Map::keys) {
        assert_eq!(one.attachment(rest, name), other.attachment(rest, name), "attachment {name:?} of {rest}");
    }
}

/// JSON text with the keys in order, so that two texts can be compared: numbers must agree as they are printed.
pub(crate) fn sorted(value: &Value) -> String {
    fn order(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let ordered: BTreeMap<_, _> = members.iter().map(|(key, value)| (key.clone(), order(value))).collect();
                Value::Object(ordered.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(order).collect()),
            other => other.clone(),
        }
    }
    format!("{:#}", order(value))
}

/// The target of a document id beneath a database: `_design/` keeps its slash.
pub(crate) fn target_of(id: &str) -> String {
    match id.strip_prefix("_design/") {
        Some(name) => format!("_design/{}", encoded(name)),
        None => encoded(id),
    }
}

/// Changes one member of a document as another program would; `change` gets the whole document.
#[track_caller]
pub(crate) fn edit_remotely(database: &Database<'_>, rest: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut document = database.get(rest).expect(200).json();
    change(&mut document);
    database.put(rest, &document).ok().json()["rev"].as_str().unwrap().to_owned()
}

/// A revision as people are shown it: `6-9c31ab`.
pub(crate) fn short(revision: &str) -> String {
    let (generation, hash) = revision.split_once('-').unwrap();
    format!("{generation}-{}", &hash[..6])
}
