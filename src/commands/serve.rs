//! `serve`: the embedded endpoint, with apps and files in it that follow their folders, until it is interrupted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use self::follow::Folders;
use super::Context;
use super::{ending::Ending, handles};
use crate::exit::{Exit, Failure};
use crate::local::outside::Scratch;
use crate::serve::{self, Options, Running, StartError};
use crate::settings::command::ServeSettings;

mod administrator;
mod follow;
mod ordinary;

/// CouchDB's port, and how many after it are tried when it is taken.
const PORT: u16 = 5984;
const NEXT: u16 = 20;

/// Starts the endpoint, fills it, and keeps it as its folders are.
pub(super) async fn run(context: &Context, command: &ServeSettings) -> Result<Exit> {
    if context.settings.dry_run {
        return Err(Failure::new(Exit::Usage, "there is no dry run of `serve`")
            .hint("`--memory` keeps nothing")
            .into());
    }
    let mut ending = Ending::new()?;
    handles::raise();
    let jobs = follow::jobs(context, command)?;
    let administrator = administrator::find(context, command)?;
    // What is kept in memory is a folder that goes with the run.
    let scratch = command.data.is_none().then(Scratch::new).transpose()?;
    let folder = command.data.clone().or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned()));
    let folder = folder.ok_or_else(|| Failure::new(Exit::Failed, "there is no place for databases"))?;
    let mut options = Options::new(&folder);
    options.host = command.host;
    options.csp = command.csp;
    options.reload = command.reload;
    options.administrators = administrator.iter().map(administrator::Found::administrator).collect();
    let mut running = start(options, command.port).await?;
    let url = format!("http://{}", reachable(running.address));
    greet(context, command, &url);
    let folders =
        Folders { jobs, url, credentials: administrator.map(administrator::Found::credentials), state: folder };
    tokio::select! {
        () = folders.keep(context, command) => {}
        ended = running.ended() => ended?,
        () = ending.wanted() => {}
    }
    context.printer.clear();
    running.stop().await;
    context.printer.note("Stopped");
    Ok(Exit::Interrupted)
}

/// Says where it is, and what it is not.
fn greet(context: &Context, command: &ServeSettings, url: &str) {
    let fields = [("url".to_owned(), Value::from(url))];
    context.printer.document("serve", Map::from_iter(fields));
    if command.apps.is_empty() {
        context.printer.answer(&format!("{url}/"));
    }
    let kept = match &command.data {
        Some(data) => format!("data in `{}`", below(&context.environment.directory, data).display()),
        None => "nothing is kept".to_owned(),
    };
    context.printer.note(&format!("Serving {url}/ for development ({kept}; Ctrl-C stops)"));
    if !command.host.to_canonical().is_loopback() {
        let message = format!("everybody who reaches {} may ask, and passwords travel unencrypted", command.host);
        context.printer.warning("plain_http", &message);
    }
}

/// A path as it is seen from a folder.
fn below(folder: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_owned()
}

/// At the port that was asked for, or at the usual one or the next that is free.
async fn start(options: Options, port: Option<u16>) -> Result<Running> {
    let Some(port) = port else {
        for port in PORT..PORT + NEXT {
            match serve::start(Options { port, ..options.clone() }).await {
                Err(StartError::Address { source, .. }) if is_taken(&source) => {}
                started => return started.map_err(explain),
            }
        }
        let message = format!("no port from {PORT} to {} is free", PORT + NEXT - 1);
        return Err(Failure::new(Exit::Failed, message).hint("`--port` names another one").into());
    };
    serve::start(Options { port, ..options }).await.map_err(explain)
}

fn is_taken(error: &std::io::Error) -> bool {
    // Ports below 1024 are not ours either.
    matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied)
}

fn explain(error: StartError) -> anyhow::Error {
    let hint = match &error {
        StartError::Address { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
            "another program listens there; `--port` names another port, and 0 takes a free one"
        }
        StartError::Store { .. } if is_held(&error) => "stop the other one, or name another folder with `--data`",
        _ => return Failure::new(Exit::Failed, error.to_string()).because(error).into(),
    };
    Failure::new(Exit::Failed, error.to_string()).because(error).hint(hint).into()
}

/// Whether another process has the data.
fn is_held(error: &StartError) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::ResourceBusy)
    })
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
