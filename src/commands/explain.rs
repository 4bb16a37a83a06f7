//! From an error of the client to a failure that people can act on: the same message, its cause, and what to do.

use crate::couch::{Answer, CouchError, Missing};
use crate::exit::{Exit, Failure};
use crate::local::LocalError;

/// What is known about the request beyond the error itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Circumstances {
    /// Where the credentials came from, if there were any.
    pub credentials: Option<String>,
    /// The places that were looked at for credentials.
    pub places: Vec<String>,
    /// Names of databases on the server, as far as it tells.
    pub databases: Vec<String>,
    /// Whether the host is this machine.
    pub loopback: bool,
}

/// The `code` of a failure for want of (other) credentials.
pub(super) const UNAUTHORISED: &str = "unauthorised";

/// Makes a failure of `error`, with hints.
pub(super) fn explain(error: CouchError, known: &Circumstances) -> Failure {
    let message = match (&error, &known.credentials) {
        (CouchError::Unauthorized { host, source, .. }, _) if wants_admin(source) => {
            format!("only an admin of `{host}` may do this")
        }
        (CouchError::Unauthorized { given: true, .. }, Some(place)) => format!("{error} (from {place})"),
        _ => error.to_string(),
    };
    let failure = hints(&error, known).into_iter().fold(Failure::new(error.exit(), message), Failure::hint);
    match error {
        CouchError::Unauthorized { source, given: true, .. } if wants_admin(&source) => failure.because(*source),
        CouchError::Unauthorized { source, .. } => failure.coded(UNAUTHORISED).because(*source),
        error => failure.because(error),
    }
}

/// What to do when a folder has more folders in it than may be watched.
/// <https://man7.org/linux/man-pages/man7/inotify.7.html>
const MORE_WATCHES: &str =
    "on Linux `sudo sysctl fs.inotify.max_user_watches=1048576` lets each user watch more of them";

/// An error as it left a command, made a failure with the exit code of its kind.
pub(super) fn settle(error: anyhow::Error) -> anyhow::Error {
    if error.chain().any(<dyn std::error::Error>::is::<Failure>) {
        return error;
    }
    let couch = error.chain().find_map(|cause| cause.downcast_ref::<CouchError>()).map(CouchError::exit);
    let local = error.chain().find_map(|cause| cause.downcast_ref::<LocalError>()).map(exit_of_disk);
    match couch.or(local) {
        Some(exit) => {
            let failure = Failure::new(exit, error.to_string());
            let is_full = matches!(error.downcast_ref(), Some(LocalError::Unwatched { .. }));
            let failure = if is_full { failure.hint(MORE_WATCHES) } else { failure };
            failure.because(error).into()
        }
        None => error,
    }
}

fn exit_of_disk(error: &LocalError) -> Exit {
    match error {
        LocalError::NotFound { .. } => Exit::Missing,
        LocalError::Locked { .. } | LocalError::Exists { .. } | LocalError::Link { .. } => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// CouchDB answers 401, not 403, to a user it knows who is no admin.
fn wants_admin(answer: &Answer) -> bool {
    let says = |reason: &str| reason.contains("not a server admin") || reason.contains("not a db or server admin");
    answer.reason.as_deref().is_some_and(says)
}

fn hints(error: &CouchError, known: &Circumstances) -> Vec<String> {
    match error {
        CouchError::Unreachable { .. } if known.loopback => {
            vec!["is CouchDB running on this machine?".into()]
        }
        CouchError::Unreachable { .. } => vec!["check the host name, the port and your network".into()],
        CouchError::Unauthorized { source, .. } if wants_admin(source) => Vec::new(),
        CouchError::Unauthorized { .. } if known.places.is_empty() => {
            vec!["`couchapp push --help` names the places where credentials are looked for".into()]
        }
        CouchError::Unauthorized { .. } => vec![format!("looked for credentials in: {}", known.places.join(", "))],
        CouchError::Forbidden { source, .. } => {
            let admins = source.reason.as_deref().is_some_and(|reason| reason.contains("admin"));
            let hint = "only admins may write design documents: use other credentials, or have this user made an admin \
                        of the database";
            if admins { vec![hint.into()] } else { Vec::new() }
        }
        CouchError::NotFound { what: Missing::Database(name), .. } => {
            let similar = closest(name, &known.databases);
            similar.map(|similar| format!("did you mean `{similar}`?")).into_iter().collect()
        }
        CouchError::TooLarge { .. } => {
            vec!["the server's configuration sets the limits: `max_document_size`, `max_attachment_size`".into()]
        }
        CouchError::NotCouchDb { .. } => vec!["the URL may need a path prefix such as `/couch`".into()],
        CouchError::Certificate { .. } => {
            vec!["`--cacert FILE` trusts another authority; `--insecure` is for tests".into()]
        }
        CouchError::Proxy { credentials: true, .. } => {
            vec!["put the proxy's credentials into `HTTPS_PROXY` or `HTTP_PROXY`".into()]
        }
        CouchError::Redirected { to, .. } => vec![format!("use the address `{to}` if you trust it")],
        CouchError::Timeout { .. } => vec!["`--timeout` sets how long to wait for a silent server".into()],
        _ => Vec::new(),
    }
}

/// The name most like `name`, if one is alike enough to be what was meant.
fn closest<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    let alike = |other: &String| similar::TextDiff::from_chars(name, other).ratio();
    let best = names.iter().max_by(|left, right| alike(left).total_cmp(&alike(right)))?;
    (alike(best) > 0.75).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, reason: &str) -> Answer {
        Answer { request: "GET http://h/blog".into(), status, error: Some("error".into()), reason: Some(reason.into()) }
    }

    #[test]
    fn a_missing_database_names_the_one_that_was_meant() {
        let error = CouchError::NotFound {
            what: Missing::Database("blog".into()),
            host: "h".into(),
            source: Box::new(answer(404, "Database does not exist.")),
        };
        let known = Circumstances { databases: vec!["shop".into(), "blogs".into()], ..Circumstances::default() };
        let failure = explain(error, &known);
        assert_eq!(failure.exit(), Exit::Missing);
        assert_eq!(failure.to_string(), "database `blog` does not exist on `h`");
        assert_eq!(failure.hints()[0], "did you mean `blogs`?");
    }

    #[test]
    fn refused_credentials_name_their_source_and_the_places() {
        let error = CouchError::Unauthorized {
            host: "h".into(),
            given: true,
            source: Box::new(answer(401, "Name or password is wrong")),
        };
        let known = Circumstances {
            credentials: Some("netrc entry for h".into()),
            places: vec!["the URL".into(), "netrc".into()],
            ..Circumstances::default()
        };
        let failure = explain(error, &known);
        assert_eq!(failure.to_string(), "`h` does not accept these credentials (from netrc entry for h)");
        assert_eq!(failure.hints(), ["looked for credentials in: the URL, netrc"]);
        assert_eq!(failure.exit(), Exit::Auth);
    }
}
