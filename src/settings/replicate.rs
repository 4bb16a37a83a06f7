//! What the arguments of `replicate` mean.

use serde_json::Value;

use super::destination::Endpoint;
use super::values::Via;
use super::{Command, Destination, Targets};
use crate::cli::{ReplicateArgs, ReplicateCommand};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::name::DocId;

/// How places are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each to the next.
    Chain,
    /// The first to every other.
    Star,
    /// Each to the next, and the last to the first.
    Ring,
    /// The first to the next so many, each of these to so many of those that follow, and so on.
    Tree(usize),
}

/// Which documents are carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    Everything,
    /// These.
    Ids(Vec<DocId>),
    /// Those that match: the JSON text as it was typed.
    Selector(String),
    /// Those that a function lets pass.
    Filter {
        /// `DESIGN/NAME`
        name: String,
        /// What it finds in `req.query`.
        query: Vec<(String, String)>,
    },
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub endpoint: Endpoint,
    /// As the user knows it: the target's name, or the address.
    pub shown: String,
}

/// `replicate`
#[derive(Clone, Debug)]
pub struct ReplicateSettings {
    /// Two or more.
    pub places: Vec<Place>,
    /// How they are connected.
    pub shape: Shape,
    /// In both directions.
    pub both: bool,
    /// Until Ctrl-C.
    pub continuous: bool,
    /// Create what is missing and written to.
    pub create_target: bool,
    /// Who moves the documents.
    pub via: Via,
    /// Leave the jobs to the server once they run.
    pub detach: bool,
    /// Which documents.
    pub which: Which,
    /// No design documents.
    pub no_design: bool,
    /// Conflicts are left behind.
    pub winning_revisions_only: bool,
}

/// `replicate list`, `status`, `cancel`
#[derive(Clone, Debug)]
pub struct JobsSettings {
    /// The servers (no database in their addresses); empty: those of the default target.
    pub servers: Vec<Endpoint>,
    /// What is wanted.
    pub wish: Wish,
}

/// What is wanted of the jobs of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// One line each.
    List,
    /// Everything that is known of these, by the beginnings of their names; of all, if none is named.
    Status(Vec<String>),
    /// End these.
    Cancel(Vec<String>),
    /// End all.
    CancelAll,
}

/// What `replicate` was asked for.
pub(super) fn command(given: &ReplicateArgs, targets: &Targets) -> Result<Command, Failure> {
    let (words, all) = match &given.jobs {
        None => return Ok(Command::Replicate(meaning(given, targets)?)),
        Some(ReplicateCommand::List { server }) => {
            let servers = server.as_deref().map(|server| targets.servers(server)).transpose()?;
            return Ok(Command::Jobs(JobsSettings { servers: servers.unwrap_or_default(), wish: Wish::List }));
        }
        Some(ReplicateCommand::Status { words }) => (words, None),
        Some(ReplicateCommand::Cancel { words, all }) => (words, Some(*all)),
    };
    let is_server = |word: &&String| word.contains("://") || word.starts_with(':') || targets.has(word);
    let server = words.first().filter(is_server);
    let servers = server.map(|server| targets.servers(server)).transpose()?.unwrap_or_default();
    let jobs = words[usize::from(server.is_some())..].to_vec();
    let wish = match (all, jobs.first()) {
        (None, _) => Wish::Status(jobs),
        (Some(false), Some(_)) => Wish::Cancel(jobs),
        (Some(true), None) => Wish::CancelAll,
        (Some(false), None) => {
            let failure = usage("no job is named".to_owned());
            return Err(failure.hint("`couchapp replicate list` names them, `--all` means all"));
        }
        (Some(true), Some(job)) => return Err(usage(format!("`--all` and `{job}` exclude each other"))),
    };
    Ok(Command::Jobs(JobsSettings { servers, wish }))
}

fn meaning(given: &ReplicateArgs, targets: &Targets) -> Result<ReplicateSettings, Failure> {
    let places = given.places.iter().map(|text| place(targets.destination(text)?)).collect::<Result<Vec<_>, _>>()?;
    refuse_twins(&places)?;
    let shape = match (given.chain, given.star, given.ring, given.tree) {
        (_, true, ..) => Shape::Star,
        (_, _, true, _) => Shape::Ring,
        (.., Some(width)) => Shape::Tree(usize::from(width)),
        (true, ..) => Shape::Chain,
        _ if places.len() == 2 => Shape::Chain,
        _ => {
            let message = format!("{} places can be connected in several ways", places.len());
            return Err(usage(message).hint("`--chain`, `--star`, `--ring` or `--tree` says how"));
        }
    };
    let via = given.via.unwrap_or_default();
    if given.detach && !(given.continuous && via == Via::Server) {
        return Err(usage("`--detach` goes with `--continuous --via server`".to_owned()));
    }
    let which = which(given)?;
    if via == Via::Server && given.no_design && matches!(which, Which::Filter { .. }) {
        let message = "a server cannot leave out design documents and ask a filter function as well";
        return Err(usage(message.to_owned()).hint("let the function leave them out, or use `--via client`"));
    }
    Ok(ReplicateSettings {
        places,
        shape,
        both: given.both,
        continuous: given.continuous,
        create_target: given.create_target,
        via,
        detach: given.detach,
        which,
        no_design: given.no_design,
        winning_revisions_only: given.winning_revs_only,
    })
}

fn place(destination: Destination) -> Result<Place, Failure> {
    let document = destination.endpoints.first().and_then(|endpoint| endpoint.address.document.clone());
    Place::of(destination).map_err(|failure| match document {
        Some(document) => failure.hint(format!("`--doc-ids {document}` carries one document")),
        None => failure,
    })
}

impl Place {
    /// The one database that a destination names.
    pub(super) fn of(destination: Destination) -> Result<Self, Failure> {
        let Destination { label, endpoints, .. } = destination;
        let count = endpoints.len();
        let Ok([endpoint]) = <[Endpoint; 1]>::try_from(endpoints) else {
            let name = label.unwrap_or_default();
            return Err(usage(format!("`{name}` has {count} URLs, and a place is one database")));
        };
        if endpoint.address.document.is_some() || endpoint.address.all_designs {
            return Err(usage(format!("`{}` is a document, and a place is a database", endpoint.address)));
        }
        let shown = label.unwrap_or_else(|| endpoint.address.to_string());
        Ok(Self { endpoint, shown })
    }
}

/// Refuses a database that is named twice.
pub(super) fn refuse_twins(places: &[Place]) -> Result<(), Failure> {
    for (index, place) in places.iter().enumerate() {
        if places[..index].iter().any(|other| other.endpoint.address == place.endpoint.address) {
            return Err(usage(format!("`{}` is named twice", place.shown)));
        }
    }
    Ok(())
}

/// What the changes feed understands: in a query it would change what is carried.
/// <https://docs.couchdb.org/en/stable/api/database/changes.html>
const RESERVED: [&str; 14] = [
    "att_encoding_info",
    "attachments",
    "conflicts",
    "descending",
    "feed",
    "filter",
    "heartbeat",
    "include_docs",
    "last-event-id",
    "limit",
    "seq_interval",
    "since",
    "style",
    "timeout",
];

fn which(given: &ReplicateArgs) -> Result<Which, Failure> {
    if let Some(text) = &given.selector {
        return match json::parse(text.as_bytes()) {
            Ok(Value::Object(_)) => Ok(Which::Selector(text.clone())),
            Ok(_) => Err(usage("`--selector`: it is no object".to_owned())),
            Err(error) => Err(usage("`--selector` is no JSON".to_owned()).because(error)),
        };
    }
    if let Some(name) = &given.filter {
        let parts = name.split_once('/').filter(|(design, name)| !design.is_empty() && !name.is_empty());
        if parts.is_none() || name.starts_with('_') {
            return Err(usage(format!("`--filter`: `{name}` is no `DDOC/NAME`")));
        }
        let pair = |text: &String| {
            let pair = text.split_once('=').ok_or_else(|| usage(format!("`--query`: `{text}` is no `KEY=VALUE`")))?;
            if RESERVED.contains(&pair.0) {
                let failure = usage(format!("`--query`: `{}` belongs to the changes feed itself", pair.0));
                return Err(failure.hint("the filter function sees it there, but the feed would do as it says"));
            }
            Ok((pair.0.to_owned(), pair.1.to_owned()))
        };
        let query = given.query.iter().map(pair).collect::<Result<_, Failure>>()?;
        return Ok(Which::Filter { name: name.clone(), query });
    }
    if given.doc_ids.is_empty() {
        return Ok(Which::Everything);
    }
    let ids = given.doc_ids.iter().map(|id| DocId::new(id.as_str()));
    let ids: Result<Vec<DocId>, _> = ids.collect();
    ids.map(Which::Ids).map_err(|error| usage(format!("`--doc-ids`: {error}")))
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::environment::testing::environment;
    use crate::settings::{Command, Resolved, resolve};

    fn settings(line: &[&str]) -> Result<ReplicateSettings, Failure> {
        let root = tempfile::tempdir().unwrap();
        let typed = ["couchapp", "replicate"].iter().chain(line).map(Into::into);
        let cli = crate::cli::parse(typed).map_err(|error| usage(error.to_string()))?;
        let Resolved { command, .. } = resolve(&cli, &environment(root.path(), &[]))?;
        let Command::Replicate(settings) = command else { panic!("{line:?}") };
        Ok(settings)
    }

    #[test]
    fn places_and_shapes() {
        let found = settings(&[":a", "http://bob:canary@h/b", "--both"]).unwrap();
        let shown: Vec<&str> = found.places.iter().map(|place| place.shown.as_str()).collect();
        assert_eq!(shown, ["http://127.0.0.1:5984/a", "http://h/b"]);
        assert_eq!((found.shape, found.both, found.via), (Shape::Chain, true, Via::Client));
        for (flag, shape) in [("--chain", Shape::Chain), ("--star", Shape::Star), ("--ring", Shape::Ring)] {
            assert_eq!(settings(&[":a", ":b", ":c", flag]).unwrap().shape, shape);
        }
        for (flag, width) in [("--tree", 2), ("--tree=1", 1), ("--tree=7", 7)] {
            assert_eq!(settings(&[flag, ":a", ":b", ":c"]).unwrap().shape, Shape::Tree(width));
        }
    }

    #[test]
    fn a_part_is_chosen_in_one_way() {
        let which = |flags: &[&str]| settings(&[&[":a", ":b"], flags].concat()).map(|found| found.which);
        assert_eq!(which(&[]).unwrap(), Which::Everything);
        assert_eq!(which(&["--selector", r#"{"n":1.0}"#]).unwrap(), Which::Selector(r#"{"n":1.0}"#.into()));
        let ids = ["a/b", "_design/x"].map(|id| DocId::new(id).unwrap());
        assert_eq!(which(&["--doc-ids", "a/b", "--doc-ids", "_design/x"]).unwrap(), Which::Ids(ids.into()));
        let query = vec![("k".to_owned(), "v=w".to_owned())];
        assert_eq!(
            which(&["--filter", "d/f", "--query", "k=v=w"]).unwrap(),
            Which::Filter { name: "d/f".into(), query }
        );
        for bad in [
            &["--selector", "[]"][..],
            &["--selector", "{"],
            &["--filter", "d"],
            &["--filter", "_design/f"],
            &["--filter", "d/f", "--query", "k"],
            &["--filter", "d/f", "--query", "k=v", "--query", "limit=2"],
            &["--query", "k=v"],
            &["--doc-ids", "_x"],
            &["--filter", "d/f", "--doc-ids", "a"],
            &["--chain", "--ring"],
            &["--tree", "--ring"],
            &["--tree=0"],
        ] {
            assert_eq!(which(bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
    }

    #[test]
    fn what_a_server_does_by_itself() {
        let jobs = |line: &[&str]| -> Result<(Vec<String>, Wish), Failure> {
            let root = tempfile::tempdir().unwrap();
            let typed = ["couchapp", "replicate"].iter().chain(line).map(Into::into);
            let cli = crate::cli::parse(typed).map_err(|error| usage(error.to_string()))?;
            let Resolved { command, .. } = resolve(&cli, &environment(root.path(), &[]))?;
            let Command::Jobs(JobsSettings { servers, wish }) = command else { panic!("{line:?}") };
            Ok((servers.iter().map(|server| server.address.to_string()).collect(), wish))
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let local = words(&["http://127.0.0.1:5984"]);
        for (line, servers, wish) in [
            (&["list"][..], vec![], Wish::List),
            (&["list", "http://h:1/couch"], words(&["http://h:1/couch"]), Wish::List),
            (&["status"], vec![], Wish::Status(vec![])),
            (&["status", ":x", "a", "b"], local.clone(), Wish::Status(words(&["a", "b"]))),
            (&["cancel", "list"], vec![], Wish::Cancel(words(&["list"]))),
            (&["cancel", "--all", ":x"], local, Wish::CancelAll),
        ] {
            let (found, meant) = jobs(line).unwrap();
            assert_eq!((found, meant), (servers, wish), "{line:?}");
        }
        for bad in
            [&["cancel"][..], &["cancel", ":x"], &["cancel", "a", "--all"], &["list", "--both"], &["list", "a", "b"]]
        {
            assert_eq!(jobs(bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
        // Behind a place it is a place.
        assert_eq!(settings(&[":a", ":list"]).unwrap().places.len(), 2);
        for bad in [
            &[":a", ":b", "--detach"][..],
            &[":a", ":b", "--detach", "--continuous"],
            &[":a", ":b", "--via", "server", "--filter", "d/f", "--no-design"],
        ] {
            assert_eq!(settings(bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
        let both = settings(&[":a", ":b", "--via", "server", "--continuous", "--detach"]).unwrap();
        assert!(both.detach && both.via == Via::Server);
    }

    #[test]
    fn what_is_no_set_of_databases_is_refused() {
        for bad in
            [&[":a"][..], &[":a", ":b", ":c"], &[":a", ":a"], &[":a", "http://h/b/_design/x"], &[":a", "nowhere"]]
        {
            assert_eq!(settings(bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
    }
}
