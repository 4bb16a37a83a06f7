//! `serve`: the embedded endpoint, with apps and files in it that follow their folders, until it is interrupted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::local::outside::Scratch;
use crate::serve::{self, Options, Running, StartError};
use crate::settings::command::ServeSettings;

mod follow;
mod ordinary;

/// CouchDB's port, and how many after it are tried when it is taken.
const PORT: u16 = 5984;
const NEXT: u16 = 20;

/// Starts the endpoint, fills it, and keeps it as its folders are.
pub(super) async fn run(context: &Context, command: &ServeSettings) -> Result<Exit> {
    // What is kept in memory is a folder that goes with the run.
    let scratch = command.data.is_none().then(Scratch::new).transpose()?;
    let folder = command.data.clone().or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned()));
    let folder = folder.ok_or_else(|| Failure::new(Exit::Failed, "there is no place for databases"))?;
    let mut options = Options::new(&folder);
    options.host = command.host;
    options.csp = command.csp;
    options.reload = command.reload;
    let mut running = start(options, command.port).await?;
    let url = format!("http://{}", reachable(running.address));
    let mut fields = Map::new();
    fields.insert("url".to_owned(), Value::from(url.as_str()));
    context.printer.document("serve", fields);
    context.printer.answer(&format!("{url}/"));
    let kept = if scratch.is_some() { "kept nowhere" } else { "kept" };
    context
        .printer
        .note(&format!("A development endpoint: one node, for you alone; databases are {kept}. Ctrl-C stops"));
    let jobs = follow::jobs(command, &url)?;
    let watch = follow::watch(context, command, &jobs);
    follow::all(context, &jobs, &folder).await;
    if watch.is_some() {
        let pages = if command.reload { "; open pages reload by themselves" } else { "" };
        context.printer.note(&format!("Watching for changes{pages}"));
    }
    tokio::select! {
        () = follow::follow(context, watch, &jobs, &folder) => {}
        ended = running.ended() => ended?,
    }
    Ok(Exit::Ok)
}

/// At the port that was asked for, or at the usual one or the next that is free.
async fn start(options: Options, port: Option<u16>) -> Result<Running> {
    let Some(port) = port else {
        for port in PORT..PORT + NEXT {
            match serve::start(Options { port, ..options.clone() }).await {
                Err(StartError::Address { .. }) => {}
                started => return Ok(started?),
            }
        }
        let message = format!("no port from {PORT} to {} is free", PORT + NEXT - 1);
        return Err(Failure::new(Exit::Failed, message).hint("`--port` names another one").into());
    };
    Ok(serve::start(Options { port, ..options }).await?)
}

/// Where something that listens everywhere can be reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
