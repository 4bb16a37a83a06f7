//! A replication from its beginning to its end, tried again as long as it makes sense.

use std::sync::Arc;
use std::time::Duration;

use super::end::End;
use super::task::{Ended, Task};
use super::trouble::Trouble;
use crate::address::{Address, Expect};
use crate::couch::{CouchError, Database, Network, Server};
use crate::replicator::{self, Event, Job, Observer, Options, Timing};
use crate::secret::Credentials;
use crate::serve::users::loan::Loan;

/// The first wait after a failure; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// No wait is longer.
const LONGEST: Duration = Duration::from_mins(1);
/// How long the last checkpoint of a replication that was ended may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A request is tried again so often; then the replication is, and tells of it.
const RETRIES: u32 = 2;

/// Carries it out; `None` when it was ended.
pub(super) async fn carry(own: &str, task: &Arc<Task>, loan: Option<&Loan>) -> Option<Ended> {
    let told = async {
        task.stop.cancelled().await;
        tokio::time::sleep(PATIENCE).await;
    };
    let ended = tokio::select! {
        ended = again_and_again(own, task, loan) => ended,
        () = told => None,
    };
    ended.filter(|_| !task.stop.is_cancelled())
}

async fn again_and_again(own: &str, task: &Arc<Task>, loan: Option<&Loan>) -> Option<Ended> {
    let keeper = Arc::clone(task);
    let observer: Observer = Arc::new(move |event: &Event| keeper.hear(event));
    // What was asked for once and is waited for is told at once when it fails.
    let lasts = task.wanted.continuous || task.document.is_some();
    loop {
        let trouble = match job(own, task, loan) {
            Err(trouble) => trouble,
            Ok(job) => match replicator::run(&job, &observer, &task.stop).await {
                Ok(outcome) if outcome.stopped => return None,
                Ok(outcome) => return Some(Ended::Done(outcome)),
                Err(error) => Trouble::of(&error, &task.wanted, own),
            },
        };
        if !lasts {
            return Some(Ended::Failed(trouble));
        }
        let errors = task.crash(&trouble.to_string());
        let exponent = u32::try_from(errors.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        tokio::select! {
            () = task.stop.cancelled() => return None,
            () = tokio::time::sleep((FIRST * 2_u32.pow(exponent)).min(LONGEST)) => {}
        }
    }
}

fn job(own: &str, task: &Task, loan: Option<&Loan>) -> Result<Job, Trouble> {
    let wanted = &task.wanted;
    let end = |end: &End| database(end, own, loan).ok_or_else(|| Trouble::unopened(&end.shown(own)));
    let options = Options {
        continuous: wanted.continuous,
        create_target: wanted.create_target,
        selection: wanted.selection.clone(),
        no_design: false,
        winning_revisions_only: wanted.winning_revisions_only,
        since: wanted.since.clone(),
        pace: Timing { first_wait: FIRST, longest_wait: LONGEST, ..Timing::default() },
    };
    Ok(Job { source: end(&wanted.source)?, target: end(&wanted.target)?, options, echo: None })
}

/// `None` for what cannot be a database.
fn database(end: &End, own: &str, loan: Option<&Loan>) -> Option<Database> {
    let network = Network { retries: RETRIES, ..Network::default() };
    let connected = |address: &Address, credentials, network: &Network| -> Result<Option<Database>, CouchError> {
        let server = Server::connect(address, credentials, network)?;
        Ok(address.database.as_ref().map(|name| server.database(name)))
    };
    match end {
        End::Local(_) => {
            let (address, _) = Address::parse(end.shown(own).trim_end_matches('/'), Expect::Database).ok()?;
            connected(&address, loan.map(|loan| Credentials::Bearer(loan.token())), &network).ok()?
        }
        End::Remote(remote) => {
            let network = Network { headers: remote.headers.clone(), ..network };
            connected(&remote.address, remote.credentials.clone(), &network).ok()?
        }
    }
}
