//! Which request means what, and who may send it.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::lists;
use super::request::Request;
use super::store::{Database, hex};
use super::{changes, documents, views};
use crate::wire::Answer;

type Answered = Result<Answer, Answer>;

/// What the stand-in is told before it starts.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The one admin; without, everybody may do everything.
    pub(crate) admin: Option<(String, String)>,
    /// A user who is no admin.
    pub(crate) user: Option<(String, String)>,
    /// The largest attachment (CouchDB: 1 GiB).
    pub(crate) max_attachment_size: u64,
}

/// Everything the stand-in holds.
pub(crate) struct State {
    /// As it was started.
    pub(crate) options: Options,
    /// The configuration that was set, by section and key.
    config: BTreeMap<String, BTreeMap<String, String>>,
    /// Databases by name.
    pub(crate) databases: BTreeMap<String, Database>,
    made: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum User {
    Nobody,
    Named(String),
    Admin(String),
}

fn not_found(reason: &str) -> Answer {
    Answer::error(404, "not_found", reason)
}

fn unauthorized(reason: &str) -> Answer {
    Answer::error(401, "unauthorized", reason)
}

fn not_allowed(allowed: &str) -> Answer {
    Answer::error(405, "method_not_allowed", &format!("Only {allowed} allowed")).with("Allow", allowed)
}

impl State {
    /// An empty server.
    pub(crate) fn new(options: Options) -> Self {
        Self { options, config: BTreeMap::new(), databases: BTreeMap::new(), made: 1_795_000_000 }
    }

    /// The refusals that come before the body of a request is read.
    pub(crate) fn refuse_early(&self, request: &Request, length: Option<u64>) -> Result<(), Answer> {
        self.authorise(request)?;
        if request.method == "PUT"
            && let (Some(database), Some((id, name))) = (self.databases.get(&request.path[0]), attachment_path(request))
        {
            if length.is_some_and(|length| length > self.options.max_attachment_size) {
                return Err(Answer::error(413, "attachment_too_large", &name));
            }
            documents::refuse_attachment(database, request, &id, &name)?;
        }
        Ok(())
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let answer = match self.route(request) {
            Ok(answer) | Err(answer) => answer,
        };
        answer.with("Server", "CouchDB/3.5.0 (Erlang OTP/25)").with("Cache-Control", "must-revalidate")
    }

    fn route(&mut self, request: &Request) -> Answered {
        let user = self.authorise(request)?;
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [""] => Ok(Answer::json(200, &welcome())),
            ["_up"] => Ok(Answer::json(200, &json!({ "status": "ok", "seeds": {} }))),
            ["_session"] => Ok(session(&user)),
            ["_all_dbs"] => Ok(Answer::json(200, &json!(self.databases.keys().collect::<Vec<_>>()))),
            ["_node", "_local" | "nonode@nohost", "_config", rest @ ..] => self.configure(request, rest),
            [name, ..] if name.starts_with('_') => Err(not_found("missing")),
            [name] | [name, ""] => self.database(request, name),
            [name, rest @ ..] => {
                let sandbox = self.sandboxes();
                let limit = self.options.max_attachment_size;
                let database = self.databases.get_mut(*name).ok_or_else(|| not_found("Database does not exist."))?;
                in_database(database, request, rest, limit, sandbox)
            }
            [] => Err(not_found("missing")),
        }
    }

    /// `[csp] attachments_enable`, which is on in a stock CouchDB 3.5.
    fn sandboxes(&self) -> bool {
        let value = self.config.get("csp").and_then(|section| section.get("attachments_enable"));
        value.is_none_or(|value| value == "true")
    }

    fn authorise(&self, request: &Request) -> Result<User, Answer> {
        let Some(admin) = &self.options.admin else { return Ok(User::Admin("admin".into())) };
        let user = match request.basic() {
            None => User::Nobody,
            Some(given) if given == *admin => User::Admin(given.0),
            Some(given) if Some(&given) == self.options.user.as_ref() => User::Named(given.0),
            Some(_) => return Err(unauthorized("Name or password is incorrect.")),
        };
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let is_open = matches!(path.as_slice(), ["" | "_up" | "_session"]);
        if is_open || matches!(user, User::Admin(_)) {
            return Ok(user);
        }
        let is_for_admins =
            path[0].starts_with('_') || (path.len() == 1 && !["GET", "HEAD", "POST"].contains(&&*request.method));
        if is_for_admins {
            return Err(unauthorized("You are not a server admin."));
        }
        let User::Named(name) = &user else {
            return Err(unauthorized("You are not authorized to access this db."));
        };
        let members = self.databases.get(path[0]).map(|database| &database.security["members"]);
        let empty = |key: &str| members.is_none_or(|members| members[key].as_array().is_none_or(Vec::is_empty));
        let is_member =
            members.is_none_or(|members| members["names"].as_array().is_some_and(|names| names.contains(&json!(name))));
        let is_open = empty("names") && empty("roles");
        if !is_member && !is_open {
            return Err(Answer::error(403, "forbidden", "You are not allowed to access this db."));
        }
        let writes = !["GET", "HEAD"].contains(&&*request.method);
        let is_design = path.get(1).is_some_and(|segment| segment.starts_with("_design") || *segment == "_security");
        if writes && is_design {
            return Err(Answer::error(403, "forbidden", "You are not a db or server admin."));
        }
        Ok(user)
    }

    fn configure(&mut self, request: &Request, rest: &[&str]) -> Answered {
        let unknown = || not_found("unknown_config_value");
        match (request.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::json(200, &json!(self.config))),
            ("GET", [section]) => Ok(Answer::json(200, &json!(self.config.get(*section).cloned().unwrap_or_default()))),
            ("GET", [section, key]) => {
                let value = self.config.get(*section).and_then(|section| section.get(*key)).ok_or_else(unknown)?;
                Ok(Answer::json(200, &json!(value)))
            }
            ("PUT", [section, key]) => {
                let Value::String(value) = request.json()? else {
                    return Err(Answer::error(400, "bad_request", "Value must be a string"));
                };
                let section = self.config.entry((*section).to_owned()).or_default();
                let old = section.insert((*key).to_owned(), value).unwrap_or_default();
                Ok(Answer::json(200, &json!(old)))
            }
            ("DELETE", [section, key]) => {
                let old = self.config.get_mut(*section).and_then(|section| section.remove(*key)).ok_or_else(unknown)?;
                Ok(Answer::json(200, &json!(old)))
            }
            _ => Err(not_allowed("GET,PUT,DELETE")),
        }
    }

    fn database(&mut self, request: &Request, name: &str) -> Answered {
        let known = self.databases.contains_key(name);
        let absent = || not_found("Database does not exist.");
        match request.method.as_str() {
            "PUT" if !is_database_name(name) => {
                let reason = format!(
                    "Name: '{name}'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, \
                     ), +, -, and / are allowed. Must begin with a letter."
                );
                Err(Answer::error(400, "illegal_database_name", &reason))
            }
            "PUT" if known => {
                let reason = "The database could not be created, the file already exists.";
                Err(Answer::error(412, "file_exists", reason))
            }
            "PUT" => {
                self.made += 1;
                self.databases.insert(name.to_owned(), Database::new(self.made.to_string()));
                Ok(Answer::json(201, &json!({ "ok": true })))
            }
            "GET" | "HEAD" => {
                let database = self.databases.get(name).ok_or_else(absent)?;
                let live = database.documents.values().filter(|document| document.live().is_some()).count();
                Ok(Answer::json(
                    200,
                    &json!({
                        "instance_start_time": database.instance_start_time, "db_name": name,
                        "update_seq": changes::shown(database, database.sequence), "doc_count": live,
                        "doc_del_count": database.documents.len() - live, "props": {},
                    }),
                ))
            }
            "DELETE" => {
                // The guard of CouchDB against a document's `DELETE` that lost its last segment. `If-Match` has none.
                if request.query.contains_key("rev") {
                    let reason = "You tried to DELETE a database with a ?=rev parameter. Did you mean to DELETE a document instead?";
                    return Err(Answer::error(400, "bad_request", reason));
                }
                self.databases.remove(name).map(|_| Answer::json(200, &json!({ "ok": true }))).ok_or_else(absent)
            }
            "POST" => {
                let database = self.databases.get_mut(name).ok_or_else(absent)?;
                let mut value = request.posted_json()?;
                let id = value["_id"].as_str().map_or_else(|| format!("fake{:028x}", database.sequence), str::to_owned);
                value["_id"] = json!(id);
                let incoming = super::incoming::Incoming::new(value)?;
                let given = incoming.rev.clone();
                let limit = self.options.max_attachment_size;
                let rev = documents::store(database, &id, incoming, given.as_ref(), Vec::new(), limit)?;
                Ok(Answer::json(201, &json!({ "ok": true, "id": id, "rev": rev.to_string() })))
            }
            _ => Err(not_allowed("DELETE,GET,HEAD,POST,PUT")),
        }
    }
}

fn welcome() -> Value {
    json!({
        "couchdb": "Welcome", "version": "3.5.0", "git_sha": "fake", "uuid": "fake0000fake0000fake0000fake0000",
        "features": ["access-ready", "partitioned", "pluggable-storage-engines", "reshard", "scheduler"],
        "vendor": { "name": "The Apache Software Foundation" },
    })
}

fn session(user: &User) -> Answer {
    let (name, roles) = match user {
        User::Nobody => (Value::Null, json!([])),
        User::Named(name) => (json!(name), json!([])),
        User::Admin(name) => (json!(name), json!(["_admin"])),
    };
    let handlers = json!({ "authentication_handlers": ["cookie", "default"] });
    Answer::json(200, &json!({ "ok": true, "userCtx": { "name": name, "roles": roles }, "info": handlers }))
}

fn is_database_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_$()+-/".contains(c);
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest)
}

/// The id and the rest of a path beneath a database.
fn document_path<'a>(path: &'a [&'a str]) -> (String, &'a [&'a str]) {
    match path {
        [prefix @ ("_design" | "_local"), name, rest @ ..] => (format!("{prefix}/{name}"), rest),
        [id, rest @ ..] => ((*id).to_owned(), rest),
        [] => (String::new(), path),
    }
}

/// The document and the attachment that a path names, if it names one. An empty name addresses the document.
fn attachment_path(request: &Request) -> Option<(String, String)> {
    let path: Vec<&str> = request.path.iter().skip(1).map(String::as_str).collect();
    let (id, rest) = document_path(&path);
    let name = rest.join("/");
    (!name.is_empty() && !name.starts_with("_info")).then_some((id, name))
}

fn in_database(database: &mut Database, request: &Request, path: &[&str], limit: u64, sandbox: bool) -> Answered {
    match (request.method.as_str(), path) {
        ("GET" | "POST", ["_all_docs"]) => lists::all_docs(database, request, false),
        ("GET" | "POST", ["_design_docs"]) => lists::all_docs(database, request, true),
        ("POST", ["_bulk_docs"]) => lists::bulk_docs(database, request, limit),
        ("POST", ["_bulk_get"]) => lists::bulk_get(database, request),
        ("POST", ["_ensure_full_commit"]) => {
            Ok(Answer::json(201, &json!({ "ok": true, "instance_start_time": database.instance_start_time })))
        }
        ("GET", ["_security"]) => Ok(Answer::json(200, &database.security)),
        ("PUT", ["_security"]) => {
            database.security = request.json()?;
            Ok(Answer::json(200, &json!({ "ok": true })))
        }
        ("GET", ["_changes"]) => changes::changes(database, request),
        ("GET", ["_design", name, "_view", view]) => views::query(database, request, name, view),
        ("GET", ["_design", name, "_info"]) => design_info(database, name),
        (_, ["_local", name]) => local(database, request, name),
        _ => document(database, request, path, limit, sandbox),
    }
}

fn document(database: &mut Database, request: &Request, path: &[&str], limit: u64, sandbox: bool) -> Answered {
    if path[0].starts_with("_design/") && request.method == "GET" {
        let target = request.target.replacen("%2F", "/", 1).replacen("%2f", "/", 1);
        return Ok(
            Answer { status: 301, headers: Vec::new(), body: Vec::new(), is_chunked: false }.with("Location", target)
        );
    }
    let (id, _) = document_path(path);
    match (request.method.as_str(), attachment_path(request)) {
        ("GET" | "HEAD", None) => documents::get(database, request, &id),
        ("PUT", None) => documents::put(database, request, &id, limit),
        ("DELETE", None) => documents::delete(database, request, &id),
        ("COPY", None) => documents::copy(database, request, &id),
        ("GET" | "HEAD", Some((id, name))) => documents::get_attachment(database, request, &id, &name, sandbox),
        ("PUT", Some((id, name))) => documents::put_attachment(database, request, &id, &name),
        ("DELETE", Some((id, name))) => documents::delete_attachment(database, request, &id, &name),
        _ => Err(not_allowed("DELETE,GET,HEAD,POST,PUT,COPY")),
    }
}

/// The signature changes with what an index depends on, and with nothing else.
fn design_info(database: &Database, name: &str) -> Answered {
    let document = database.documents.get(&format!("_design/{name}")).ok_or_else(|| not_found("missing"))?;
    let (_, node) = document.live().ok_or_else(|| not_found("deleted"))?;
    let language = node.body.get("language").cloned().unwrap_or_else(|| json!("javascript"));
    let relevant = json!([node.body.get("views"), node.body.get("options"), language]);
    let signature = hex(&Md5::digest(relevant.to_string()));
    Ok(Answer::json(
        200,
        &json!({ "name": name, "view_index": { "signature": signature, "language": language, "updater_running": false } }),
    ))
}

fn local(database: &mut Database, request: &Request, name: &str) -> Answered {
    let id = format!("_local/{name}");
    match request.method.as_str() {
        "GET" => {
            let (count, body) = database.local.get(name).ok_or_else(|| not_found("missing"))?;
            let mut shown = body.clone();
            shown.insert("_id".into(), json!(id));
            shown.insert("_rev".into(), json!(format!("0-{count}")));
            Ok(Answer::json(200, &Value::Object(shown)))
        }
        "PUT" => {
            let Value::Object(mut body) = request.json()? else {
                return Err(Answer::error(400, "bad_request", "Document must be a JSON object"));
            };
            let given = body.shift_remove("_rev").and_then(|rev| rev.as_str().map(str::to_owned));
            body.shift_remove("_id");
            let current = database.local.get(name).map(|(count, _)| format!("0-{count}"));
            if given != current {
                return Err(Answer::error(409, "conflict", "Document update conflict."));
            }
            let count = database.local.get(name).map_or(1, |(count, _)| count + 1);
            database.local.insert(name.to_owned(), (count, body));
            Ok(Answer::json(201, &json!({ "ok": true, "id": id, "rev": format!("0-{count}") })))
        }
        "DELETE" => {
            let removed = database.local.remove(name).ok_or_else(|| not_found("missing"))?;
            Ok(Answer::json(200, &json!({ "ok": true, "id": id, "rev": format!("0-{}", removed.0) })))
        }
        _ => Err(not_allowed("GET,PUT,DELETE")),
    }
}
