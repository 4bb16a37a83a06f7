//! The named targets of the configuration, and what an argument means as a place on a server.

use std::collections::BTreeMap;
use std::fmt;

use super::destination::{Destination, Endpoint};
use super::environment::Environment;
use super::layers::{Layers, Origin};
use super::legacy::expand;
use super::project::ConfigFiles;
use super::suggest::nearest;
use crate::address::{Address, AddressError, Expect};
use crate::exit::{Exit, Failure};
use crate::name::{DbName, DocId};

/// CouchDB's own default.
const DEFAULT_SERVER: &str = "http://127.0.0.1:5984";

/// The targets by name, the default one, and the default server.
#[derive(Clone, Debug)]
pub struct Targets {
    named: BTreeMap<String, Target>,
    /// The project's default, then the user's.
    defaults: [Option<String>; 2],
    server: Endpoint,
}

#[derive(Clone)]
struct Target {
    /// The error is what to say when the target is used.
    endpoints: Result<Vec<Endpoint>, Unusable>,
    confirm: bool,
    in_project: bool,
    /// The URLs as written, and where.
    written: Vec<String>,
    origin: Origin,
}

/// `written` may hold passwords.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("endpoints", &self.endpoints)
            .field("confirm", &self.confirm)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Why a target cannot be used.
#[derive(Clone, Debug)]
struct Unusable {
    message: String,
    hint: Option<String>,
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        let failure = Failure::new(Exit::Usage, unusable.message).coded("config");
        match unusable.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl Targets {
    /// Gathers the targets of all files; of two with one name, that of the more important file counts. `default` is the
    /// name of the default target, and whether it is only the user's file that names it.
    pub(super) fn gather(
        files: &ConfigFiles,
        default: Option<(String, bool)>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let server = default_server(environment)?;
        let mut targets = Self { named: BTreeMap::new(), defaults: [None, None], server };
        if let Some((name, of_user)) = default {
            targets.defaults[usize::from(of_user)] = Some(name);
        }
        targets.add_config(files.project.as_ref(), true);
        targets.add_legacy(&files.legacy_project, true, environment);
        targets.add_config(files.user.as_ref(), false);
        targets.add_legacy(&files.legacy_user, false, environment);
        for (place, in_project) in [(0, true), (1, false)] {
            let named_default = targets.named.get("default").is_some_and(|target| target.in_project == in_project);
            if targets.defaults[place].is_none() && named_default {
                targets.defaults[place] = Some("default".to_owned());
            }
        }
        Ok(targets)
    }

    fn add_config(&mut self, file: Option<&super::file::ConfigFile>, in_project: bool) {
        for entry in file.iter().flat_map(|file| &file.targets) {
            let place = file.map_or(String::new(), |file| format!("{}:{}", file.shown, entry.line));
            let endpoints = entry.urls.iter().map(|url| self.configured(url, &place)).collect();
            let origin = Origin::File(file.map_or(String::new(), |file| file.shown.clone()), Some(entry.line));
            let written = entry.urls.clone();
            self.add(&entry.name, Target { endpoints, confirm: entry.confirm, in_project, written, origin });
        }
    }

    fn add_legacy(&mut self, files: &[super::legacy::LegacyFile], in_project: bool, environment: &Environment) {
        for file in files {
            for (name, urls) in &file.environments {
                // `text` would take an empty variable for an unset one; the old tool did not.
                let variable =
                    |name: &str| environment.variables.get(std::ffi::OsStr::new(name))?.to_str().map(str::to_owned);
                let expanded = urls.iter().map(|url| {
                    let url = expand(url, variable).map_err(|variable| Unusable {
                        message: format!("{}: `env.{name}.db` uses `${variable}`, which is not set", file.shown),
                        hint: Some(format!("set {variable}, or write `$$` for a `$` that is meant")),
                    })?;
                    self.configured(&url, &file.shown)
                });
                let endpoints = expanded.collect();
                let origin = Origin::File(file.shown.clone(), None);
                let written = urls.clone();
                self.add(name, Target { endpoints, confirm: false, in_project, written, origin });
            }
        }
    }

    fn add(&mut self, name: &str, target: Target) {
        self.named.entry(name.to_owned()).or_insert(target);
    }

    /// A URL, or a `:database`, as a file has it.
    fn configured(&self, url: &str, place: &str) -> Result<Endpoint, Unusable> {
        let unusable = |reason: String| Unusable { message: format!("{place}: {reason}"), hint: None };
        match url.strip_prefix(':') {
            Some(rest) => self.on_default_server(rest, false).map_err(unusable),
            None => Endpoint::parse(url, Expect::Database, place, false).map_err(|error| Unusable {
                message: format!("{place}: `{}`: {error}", shown_url(url)),
                hint: address_hint(&error),
            }),
        }
    }

    /// Adds every target to what `config show` prints: as written, so that a `$VAR` stays one.
    pub(super) fn show(&self, layers: &mut Layers<'_>) {
        for (name, target) in &self.named {
            let written: Vec<String> = target.written.iter().map(|url| shown_url(url)).collect();
            layers.note(format!("targets.{name}.url"), &written.join(" "), target.origin.clone());
            if target.confirm {
                layers.note(format!("targets.{name}.confirm"), "true", target.origin.clone());
            }
        }
    }

    /// The default server: `COUCHDB_URL`, else CouchDB's own default.
    pub fn server(&self) -> &Endpoint {
        &self.server
    }

    /// Whether `name` is a target of the configuration.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// The names of all targets, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// What `argument` means as a destination: a URL, a target, or `:database`. Anything else ends with code 2, and the
    /// hints say what may have been meant.
    pub fn destination(&self, argument: &str) -> Result<Destination, Failure> {
        if argument.contains("://") {
            let endpoint = typed_url(argument, Expect::Database)?;
            return Ok(Destination { label: None, endpoints: vec![endpoint], confirm: false });
        }
        if let Some(rest) = argument.strip_prefix(':') {
            let endpoint = self.on_default_server(rest, false).map_err(|reason| bad_argument(argument, &reason))?;
            return Ok(Destination { label: None, endpoints: vec![endpoint], confirm: false });
        }
        match self.named.get(argument) {
            Some(target) => Ok(Destination {
                label: Some(argument.to_owned()),
                endpoints: target.endpoints.clone()?,
                confirm: target.confirm,
            }),
            None => Err(self.unknown(argument)),
        }
    }

    /// What `argument` means as the source of a clone: as above, but a URL must name a document or end in `/_design`. A
    /// target or `:database` without a document means all design documents. With the target's name.
    pub fn source(&self, argument: &str) -> Result<(Endpoint, Option<String>), Failure> {
        if argument.contains("://") {
            return Ok((typed_url(argument, Expect::Document)?, None));
        }
        let (mut endpoint, label) = if let Some(rest) = argument.strip_prefix(':') {
            (self.on_default_server(rest, true).map_err(|reason| bad_argument(argument, &reason))?, None)
        } else {
            let destination = self.destination(argument)?;
            match <[Endpoint; 1]>::try_from(destination.endpoints) {
                Ok([endpoint]) => (endpoint, destination.label),
                Err(several) => return Err(several_urls(argument, &several)),
            }
        };
        endpoint.address.all_designs = endpoint.address.document.is_none();
        Ok((endpoint, label))
    }

    /// What `argument` means as one database or document: a URL, a target, or `:database` with or without a document.
    ///
    /// `http://host/a/b` is read as `push` reads it, as the database `b` below the path `a`; the document `b` of the database
    /// `a` comes back beside it, since only the server knows which is there.
    pub fn place(&self, argument: &str) -> Result<(Destination, Option<Endpoint>), Failure> {
        let (destination, as_document) = if argument.contains("://") {
            let document = typed_url(argument, Expect::Document).ok();
            match (typed_url(argument, Expect::Database), document) {
                (Ok(endpoint), document) => {
                    let other = document.filter(|other| other.address != endpoint.address);
                    (Destination { label: None, endpoints: vec![endpoint], confirm: false }, other)
                }
                // `b` cannot be the name of a database.
                (Err(_), Some(document)) => {
                    (Destination { label: None, endpoints: vec![document], confirm: false }, None)
                }
                (Err(failure), None) => return Err(failure),
            }
        } else if let Some(rest) = argument.strip_prefix(':') {
            let endpoint = self.on_default_server(rest, true).map_err(|reason| bad_argument(argument, &reason))?;
            (Destination { label: None, endpoints: vec![endpoint], confirm: false }, None)
        } else {
            (self.destination(argument)?, None)
        };
        match destination.endpoints.as_slice() {
            [endpoint] if endpoint.address.all_designs => Err(bad_argument(argument, "it names no document")),
            [endpoint] if !endpoint.address.rest.is_empty() => {
                let more = endpoint.address.rest.join("/");
                Err(bad_argument(argument, &format!("`{more}` is more than the name of a document")))
            }
            [_] => Ok((destination, as_document)),
            several => Err(several_urls(argument, several)),
        }
    }

    /// What `argument` means as a server: a URL, or the server of a target.
    pub fn servers(&self, argument: &str) -> Result<Vec<Endpoint>, Failure> {
        if argument.contains("://") {
            return Ok(vec![typed_url(argument, Expect::Server)?]);
        }
        Ok(self.destination(argument)?.servers())
    }

    /// The project's default target, or its only one; else `origin`, the address the folder was cloned from; else the
    /// user's default; else an error that says what to do.
    pub fn default_destination(&self, origin: Option<&Address>) -> Result<Destination, Failure> {
        let mut in_project = self.named.iter().filter(|(_, target)| target.in_project).map(|(name, _)| name);
        let only = in_project.next().filter(|_| in_project.next().is_none());
        if let Some(name) = self.defaults[0].as_ref().or(only) {
            return self.configured_default(name);
        }
        match (origin, &self.defaults[1]) {
            (Some(origin), _) => Ok(Destination::of(origin.clone())),
            (None, Some(name)) => self.configured_default(name),
            (None, None) => Err(self.no_default()),
        }
    }

    fn configured_default(&self, name: &str) -> Result<Destination, Failure> {
        self.destination(name).map_err(|failure| {
            if self.has(name) || name.contains("://") {
                failure
            } else {
                let message = format!("the default target `{name}` is not configured");
                failure.hints().iter().fold(Failure::new(Exit::Usage, message).coded("config"), |failure, hint| {
                    failure.hint(hint.clone())
                })
            }
        })
    }

    fn no_default(&self) -> Failure {
        let failure = Failure::new(Exit::Usage, "no target was given and none is configured").coded("no_target");
        let names: Vec<&str> = self.names().collect();
        match names.first() {
            Some(first) => failure
                .detail(format!("targets: {}", names.join(", ")))
                .hint(format!("name one of them, or set `default = \"{first}\"` in couchapp.toml")),
            None => failure
                .hint("give a URL such as `http://127.0.0.1:5984/mydb`, or `:mydb` for a database of the local server")
                .hint("or write it to couchapp.toml, as `url` of a target"),
        }
    }

    /// `db`, `db/_design/name`, and with `any` also `db/id`, on the default server.
    fn on_default_server(&self, rest: &str, any: bool) -> Result<Endpoint, String> {
        let (database, id) = rest.split_once('/').map_or((rest, None), |(database, id)| (database, Some(id)));
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .map(String::from)
                .map_err(|error| error.to_string())
        };
        let database = DbName::new(decode(database)?).map_err(|error| error.to_string())?;
        let id = id.map(str::to_owned).filter(|id| !id.is_empty());
        if let Some(id) = &id
            && !any
            && !id.starts_with("_design/")
        {
            return Err(format!("`{id}` is no design document; a `/` in the name of a database is written `%2F`"));
        }
        let all = id.as_deref() == Some("_design");
        let id = id.filter(|_| !all).map(|id| decode(&id)).transpose()?;
        let document = id.map(DocId::new).transpose().map_err(|error| error.to_string())?;
        Ok(self.server.at(self.server.address.with(Some(database), document)))
    }

    fn unknown(&self, argument: &str) -> Failure {
        let message = format!("`{argument}` is neither a URL nor a target");
        let mut failure = Failure::new(Exit::Usage, message).coded("unknown_target");
        if let Some(name) = nearest(argument, self.names()) {
            failure = failure.hint(format!("did you mean `{name}`?"));
        }
        if DbName::new(argument).is_ok() && !argument.contains('/') {
            let server = &self.server.address;
            failure = failure.hint(format!("`:{argument}` is the database `{argument}` on {server}"));
        } else if argument.contains(['.', ':']) && argument.contains('/') {
            failure = failure.hint(format!("`http://{argument}` is a URL"));
        }
        let names: Vec<&str> = self.names().collect();
        if names.is_empty() { failure } else { failure.hint(format!("targets: {}", names.join(", "))) }
    }
}

/// A URL that was typed.
fn typed_url(url: &str, expect: Expect) -> Result<Endpoint, Failure> {
    Endpoint::parse(url, expect, "the URL on the command line", true).map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("`{}` cannot be used: {error}", shown_url(url)));
        let hint = match (&error, expect) {
            (AddressError::NoDocument, _) => {
                Some(format!("`{}/_design` stands for its design document", shown_url(url).trim_end_matches('/')))
            }
            (AddressError::NoDatabase, Expect::Database | Expect::Document) => {
                Some("the database's name comes after the host: `http://127.0.0.1:5984/mydb`".to_owned())
            }
            _ => address_hint(&error),
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

fn default_server(environment: &Environment) -> Result<Endpoint, Failure> {
    let url = environment.text("COUCHDB_URL").unwrap_or(DEFAULT_SERVER);
    Endpoint::parse(url, Expect::Server, "COUCHDB_URL", false).map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("`$COUCHDB_URL` cannot be used: {error}")).coded("config");
        match address_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

fn several_urls(name: &str, endpoints: &[Endpoint]) -> Failure {
    let urls = endpoints.iter().map(|endpoint| endpoint.address.to_string());
    Failure::new(Exit::Usage, format!("the target `{name}` lists several URLs"))
        .details(urls)
        .hint("give the one that is meant")
}

fn bad_argument(argument: &str, reason: &str) -> Failure {
    Failure::new(Exit::Usage, format!("`{argument}` cannot be used: {reason}"))
}

fn address_hint(error: &AddressError) -> Option<String> {
    match error {
        AddressError::AmbiguousPassword => {
            Some("write `%40` for `@`, `%2F` for `/`, `%3A` for `:`; or leave the password out and be asked".to_owned())
        }
        AddressError::NotHttp => Some("a URL begins with http:// or https://".to_owned()),
        AddressError::Query => Some("`?` and `#` in a name are written `%3F` and `%23`".to_owned()),
        _ => None,
    }
}

/// A URL that could not be read, without whatever may be its password: here that is all up to the last `@`.
fn shown_url(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}****{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}
