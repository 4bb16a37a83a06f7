//! Reaching a server with credentials, asking for them where somebody can answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::Context;
use super::explain::{Circumstances, UNAUTHORISED, explain};
use crate::couch::{CouchError, Database, Network, Notice, Pace, Server, Welcome};
use crate::exit::{Exit, Failure};
use crate::secret::Credentials;
use crate::settings::{Endpoint, Found, LookUp};

/// How often a person is asked for a password.
const TRIES: u32 = 3;

/// The largest certificate file, in bytes.
const PEM_LIMIT: u64 = 1 << 20;

/// The credentials that this process has used, by the server and the user they are for: nobody is asked twice, and no
/// command that prints a password is run twice.
#[derive(Clone, Default)]
pub(super) struct Logins(Arc<Mutex<BTreeMap<String, LookUp>>>);

impl Logins {
    /// What is known for `endpoint`, without what was said of it already.
    fn known(&self, endpoint: &Endpoint) -> Option<LookUp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key(endpoint)).cloned()
    }

    fn keep(&self, endpoint: &Endpoint, known: LookUp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key(endpoint), known);
    }

    fn forget(&self, endpoint: &Endpoint) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(endpoint));
    }
}

fn key(endpoint: &Endpoint) -> String {
    let user = endpoint.userinfo.as_ref().and_then(|found| found.credentials.user()).or(endpoint.user.as_deref());
    format!("{} {}", endpoint.address.origin(), user.unwrap_or_default())
}

/// A server that answered, and what is known about our way to it.
pub(super) struct Reached {
    pub server: Server,
    pub welcome: Welcome,
    pub known: Circumstances,
}

impl Reached {
    /// Makes a failure of a client error.
    pub(super) fn failure(&self, error: CouchError) -> anyhow::Error {
        explain(error, &self.known).into()
    }

    /// The database that `endpoint` names.
    pub(super) fn database(&self, endpoint: &Endpoint) -> Result<Database> {
        let name = endpoint.address.database.as_ref();
        let name =
            name.ok_or_else(|| Failure::new(Exit::Usage, format!("`{}` names no database", endpoint.address)))?;
        Ok(self.server.database(name))
    }
}

/// Runs `work` with the server of `endpoint`. When the server wants (other) credentials and somebody is there to be
/// asked, asks and runs `work` again: nothing was done if a request was not authorised.
pub(super) async fn with_server<T>(
    context: &Context,
    endpoint: &Endpoint,
    work: impl AsyncFn(&Reached) -> Result<T>,
) -> Result<T> {
    let known = match context.logins.known(endpoint) {
        Some(known) => known,
        None => context.settings.credentials.look_up(endpoint)?,
    };
    let LookUp { mut found, mut user, places, warnings } = known;
    for warning in &warnings {
        context.printer.warning(warning.code, &warning.message);
    }
    for tries_left in (0..=TRIES).rev() {
        if let Some(Found { source, .. }) = &found {
            context.printer.detail(&format!("credentials for {}: {source}", endpoint.address.origin()));
        }
        let known = Circumstances {
            credentials: found.as_ref().map(|found| found.source.clone()),
            places: places.clone(),
            databases: Vec::new(),
            loopback: endpoint.address.is_loopback(),
        };
        let outcome = reach_and_work(context, endpoint, found.as_ref(), known, &work).await;
        match outcome {
            Err(error) if tries_left > 0 && is_unauthorised(&error) => {
                context.logins.forget(endpoint);
                user = found.as_ref().and_then(|found| found.credentials.user().map(str::to_owned)).or(user);
                match ask(context, endpoint, user.as_deref()) {
                    Some(answer) => found = Some(answer),
                    None => return Err(error),
                }
            }
            outcome => {
                context.logins.keep(endpoint, LookUp { found, user, places, warnings: Vec::new() });
                return outcome;
            }
        }
    }
    Err(Failure::new(Exit::Auth, "no credentials were accepted").into())
}

async fn reach_and_work<T>(
    context: &Context,
    endpoint: &Endpoint,
    found: Option<&Found>,
    known: Circumstances,
    work: &impl AsyncFn(&Reached) -> Result<T>,
) -> Result<T> {
    let network = network(context, endpoint)?;
    let credentials = found.map(|found| found.credentials.clone());
    let server = Server::connect(&endpoint.address, credentials, &network).map_err(|error| explain(error, &known))?;
    let welcome = server.welcome().await.map_err(|error| explain(error, &known))?;
    work(&Reached { server, welcome, known }).await
}

pub(super) fn is_unauthorised(error: &anyhow::Error) -> bool {
    let failures = error.chain().filter_map(|cause| cause.downcast_ref::<Failure>());
    failures.into_iter().any(|failure| failure.code() == UNAUTHORISED)
}

fn ask(context: &Context, endpoint: &Endpoint, user: Option<&str>) -> Option<Found> {
    let host = endpoint.address.authority();
    let user = match user {
        Some(user) => user.to_owned(),
        None => context.printer.prompt_user(host)?,
    };
    let password = context.printer.prompt_password(&user, host)?;
    let credentials = Credentials::Basic { user, password };
    Some(Found { credentials, source: "the answer at the prompt".into(), exposed: false })
}

/// The client's settings, with retries told to the user: with the server, because there may be several.
fn network(context: &Context, endpoint: &Endpoint) -> Result<Network> {
    let settings = &context.settings.network;
    let pem = |path: &Option<std::path::PathBuf>| match path {
        Some(path) => crate::local::read_text(path, PEM_LIMIT).map(|text| Some(text.into_bytes())),
        None => Ok(None),
    };
    let (printer, host) = (context.printer.clone(), endpoint.address.authority().to_owned());
    let observer = move |notice: Notice| match notice {
        Notice::Retrying { wait, attempt, of, cause, .. } => {
            let wait = wait.as_secs_f64();
            printer.note(&format!("retrying in {wait:.1} s ({host}, attempt {attempt} of {of}): {cause}"));
        }
        Notice::Recognising { cause, .. } => {
            printer.note(&format!("{host}: {cause}; looking whether the write has landed"));
        }
    };
    Ok(Network {
        retries: settings.retries,
        idle_timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        ca_certificate: pem(&settings.ca_certificate)?,
        client_certificate: pem(&settings.client_certificate)?,
        insecure: settings.insecure,
        upload: settings.bwlimit.up.map(|rate| Arc::new(Pace::new(rate))),
        download: settings.bwlimit.down.map(|rate| Arc::new(Pace::new(rate))),
        observer: Some(Arc::new(observer)),
        ..Network::default()
    })
}
