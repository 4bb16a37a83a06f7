//! `replicate list`, `status` and `cancel`: what servers replicate by themselves.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::address::{Address, Expect};
use crate::commands::Context;
use crate::commands::login::{Reached, with_server};
use crate::couch::{Server, Told};
use crate::exit::{Exit, Failure};
use crate::name::DocId;
use crate::settings::Endpoint;
use crate::settings::replicate::{JobsSettings, Wish};

mod print;

/// So many jobs are asked for what is left; a server does not say.
const ASKED: usize = 50;

pub(super) async fn run(context: &Context, command: &JobsSettings) -> Result<Exit> {
    let servers = match command.servers.as_slice() {
        [] => default_servers(context),
        named => named.to_vec(),
    };
    for endpoint in &servers {
        with_server(context, endpoint, async |reached| carry_out(context, reached, &command.wish).await).await?;
    }
    Ok(Exit::Ok)
}

/// Those of the default target, or the one that `:database` means.
fn default_servers(context: &Context) -> Vec<Endpoint> {
    let Ok(destination) = context.default_destination(None) else {
        return vec![context.settings.targets.server().clone()];
    };
    let mut servers: Vec<Endpoint> = Vec::new();
    for endpoint in destination.endpoints {
        let server = endpoint.at(endpoint.address.server());
        if servers.iter().all(|known| known.address != server.address) {
            servers.push(server);
        }
    }
    servers
}

async fn carry_out(context: &Context, reached: &Reached, wish: &Wish) -> Result<()> {
    let mut jobs = reached.server.jobs().await.map_err(|error| reached.failure(error))?;
    match wish {
        Wish::List | Wish::Status(_) => {
            if let Wish::Status(names) = wish {
                jobs = chosen(&reached.server, jobs, names)?;
            }
            count_pending(&reached.server, &mut jobs).await;
            print::show(context, &reached.server, &jobs, matches!(wish, Wish::Status(_)));
            Ok(())
        }
        Wish::Cancel(names) => cancel(context, reached, chosen(&reached.server, jobs, names)?).await,
        Wish::CancelAll => cancel(context, reached, jobs).await,
    }
}

/// The jobs of these names, or whose names begin so; all, if none is named.
fn chosen(server: &Server, jobs: Vec<Told>, names: &[String]) -> Result<Vec<Told>> {
    if names.is_empty() {
        return Ok(jobs);
    }
    let mut chosen: Vec<Told> = Vec::new();
    for name in names {
        let own = |told: &Told| [told.document.clone(), told.replication.clone()].into_iter().flatten();
        let exact: Vec<&Told> = jobs.iter().filter(|told| own(told).any(|own| own == *name)).collect();
        let alike: Vec<&Told> =
            jobs.iter().filter(|told| own(told).any(|own| own.starts_with(name.as_str()))).collect();
        let found = match (exact.as_slice(), alike.as_slice()) {
            ([one], _) | (_, [one]) => *one,
            (_, []) => {
                let failure = Failure::new(Exit::Missing, format!("{} has no job `{name}`", server.address()));
                return Err(failure.hint(format!("`couchapp replicate list {}` names them", server.address())).into());
            }
            (_, many) => {
                let names = many.iter().filter_map(|told| own(told).next());
                let failure = Failure::new(Exit::Usage, format!("`{name}` may be several jobs")).details(names);
                return Err(failure.hint("more letters tell them apart").into());
            }
        };
        if !chosen.contains(found) {
            chosen.push(found.clone());
        }
    }
    Ok(chosen)
}

/// Counts what is left, where the source is on the same server: of others the credentials are not known.
async fn count_pending(server: &Server, jobs: &mut [Told]) {
    let running = jobs.iter_mut().filter(|told| told.pending.is_none() && told.is_whole);
    for told in running.filter(|told| told.through.is_some()).take(ASKED) {
        let source = told.source.as_deref().and_then(|url| Address::parse(url, Expect::Database).ok());
        let Some((address, _)) = source.filter(|(address, _)| address.server() == *server.address()) else { continue };
        let Some(database) = &address.database else { continue };
        let changes = server.database(database).changes(told.through.as_ref(), 1).await.ok();
        told.pending = changes.and_then(|page| match page.rows.len() {
            0 => Some(0),
            _ => page.pending.map(|pending| pending + 1),
        });
    }
}

async fn cancel(context: &Context, reached: &Reached, jobs: Vec<Told>) -> Result<()> {
    let address = reached.server.address();
    let fields = |cancelled: &[Told]| {
        let names = cancelled.iter().filter_map(|told| told.document.as_deref().or(told.replication.as_deref()));
        let names: Vec<Value> = names.map(Value::from).collect();
        Map::from_iter([
            ("server".to_owned(), Value::from(address.to_string())),
            ("cancelled".to_owned(), Value::from(names)),
        ])
    };
    if jobs.is_empty() {
        context.printer.summary(&format!("Nothing to do: {address} has no jobs"), fields(&[]));
        return Ok(());
    }
    print::announce(context, &jobs);
    let words = print::count(jobs.len());
    if context.settings.dry_run {
        context.printer.summary(&format!("Would cancel {words} on {address} (dry run)"), fields(&[]));
        return Ok(());
    }
    context.confirmed(&format!("Cancel {words} on {address}?"), "cancelling")?;
    let mut cancelled = Vec::new();
    for told in jobs {
        if end(reached, &told).await? {
            cancelled.push(told);
        } else {
            context.printer.note(&format!("{} was gone already", print::name(&told)));
        }
    }
    let words = print::count(cancelled.len());
    context.printer.summary(&format!("Cancelled {words} on {address}"), fields(&cancelled));
    Ok(())
}

/// Ends a job; says whether it was still there.
async fn end(reached: &Reached, told: &Told) -> Result<bool> {
    let ended = match (&told.document, &told.replication) {
        (Some(document), _) => {
            let id = DocId::new(document.as_str());
            let id = id.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
            reached.server.remove_job(&id).await
        }
        (None, Some(replication)) => reached.server.cancel_replication(replication).await,
        (None, None) => Ok(false),
    };
    ended.map_err(|error| reached.failure(error))
}
