//! `/{db}/_changes`: what has happened to a database, and what happens while somebody listens.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/database/changes.html>

use std::sync::Arc;

use axum::http::header;
use axum::response::Response;
use tokio::sync::watch;
use tokio::time::Instant;

use self::arguments::{Arguments, Feed};
use self::filter::{Asked, Filter};
use self::rows::{Progress, Round, Telling};
use super::body;
use super::dispatch::not_allowed;
use super::documents::{is_known, not_modified, set};
use super::produce::live::{Live, live};
use super::produce::{head, produce};
use super::request::{Place, Request, blocking};
use crate::serve::failure::Failure;
use crate::serve::store::{Database, StoreError};
use crate::serve::users::password::seal;

mod arguments;
mod filter;
mod rows;
pub(in crate::serve) mod sequence;

/// What comes before the rows.
const BEGINNING: &str = "{\"results\":[\n";

/// `GET` and `POST /{db}/_changes`
pub(in crate::serve) async fn changes(place: &Place, request: Request) -> Result<Response, Failure> {
    if request.method == "POST" {
        body::require_json(&request.headers)?;
    } else if request.method != "GET" {
        return Ok(not_allowed("GET,POST,HEAD"));
    }
    let arguments = Arguments::parse(&request.query, &request.headers)?;
    let headers = request.headers.clone();
    let asked = Asked::take(place, request).await?;
    // Heard from here on: what is written while the beginning is read is not missed.
    let bell = place.database.bell();
    let keeper = place.clone();
    let (telling, start, etag, newest) = blocking(move || {
        let filter = Filter::prepare(&keeper, &arguments, &asked)?;
        let info = keeper.database.info()?;
        let start = match arguments.since.as_str() {
            _ if arguments.is_descending => 0,
            "now" => info.sequence,
            since => sequence::parse(since, info.instance)?,
        };
        let etag = etag(info.instance, info.sequence);
        let telling = Telling { place: keeper, arguments, filter, instance: info.instance };
        Ok((telling, start, etag, info.sequence))
    })
    .await?;
    if telling.arguments.feed != Feed::Normal {
        let is_current = start >= newest && !telling.arguments.is_descending;
        return follow(telling, start, is_current, bell).await;
    }
    if is_known(&headers, &etag) {
        return Ok(not_modified(&etag));
    }
    let mut response = head(200, "application/json");
    set(&mut response, header::ETAG, &etag);
    produce(response, move |sink| {
        sink.text(BEGINNING)?;
        let mut progress = beginning(&telling, start);
        while !progress.is_through && !progress.is_full() {
            progress = telling.batch(sink, progress)?;
        }
        telling.end(sink, progress)
    })
    .await
}

fn etag(instance: u64, sequence: u64) -> String {
    let state = [instance.to_be_bytes(), sequence.to_be_bytes()].concat();
    format!("\"{}\"", crate::hexadecimal::encode(&seal(b"changes", &state)[..12]))
}

fn beginning(telling: &Telling, start: u64) -> Progress {
    let left = telling.arguments.limit;
    Progress { position: start, left, told: 0, is_through: false, round: Round { start, told: 0 } }
}

/// A feed that goes on. `is_current`: there was nothing to tell when `bell` was there already, so that nothing has to be
/// read before it rings.
async fn follow(
    telling: Telling,
    start: u64,
    is_current: bool,
    bell: watch::Receiver<u64>,
) -> Result<Response, Failure> {
    let mut response = head(200, "application/json");
    if telling.arguments.feed == Feed::EventSource {
        response = head(200, "text/event-stream");
        set(&mut response, header::CACHE_CONTROL, "no-cache");
    }
    let stopping = telling.place.server.stopping();
    let listener = telling.place.server.statistics().listener();
    live(response, |live| async move {
        let _listener = listener;
        drive(live, Arc::new(telling), start, is_current, bell, stopping).await
    })
    .await
}

/// Why a feed goes on or ends.
enum Woken {
    Changed,
    Waited,
    Ended,
}

/// What came of reading.
enum Read {
    /// So far.
    Told(Progress),
    /// The answer is whole.
    Ended,
}

async fn drive(
    live: Live,
    telling: Arc<Telling>,
    start: u64,
    mut is_current: bool,
    mut bell: watch::Receiver<u64>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let mut progress = beginning(&telling, start);
    let (mut has_begun, mut has_waited) = (false, false);
    loop {
        // The first time nothing is read that is known: what rang since then is heard.
        if std::mem::take(&mut is_current) && !progress.is_full() {
            progress.is_through = true;
            if telling.arguments.feed == Feed::Longpoll {
                has_begun = live.text(BEGINNING).await;
            }
        } else {
            bell.borrow_and_update();
            match read(&live, &telling, progress, &mut has_begun).await {
                Ok(Read::Ended) => return Ok(()),
                Ok(Read::Told(told)) => progress = told,
                // What was told was true; a database that is gone tells no more.
                Err(_) if has_begun && is_gone(&telling.place.database).await => break,
                Err(failure) => return Err(failure),
            }
        }
        if is_finished(&telling, progress) {
            break;
        }
        if progress.told == 0 && !has_waited && !live.text("\n").await {
            return Ok(());
        }
        has_waited = true;
        match wait(&live, &telling, &mut bell, &mut stopping).await {
            Woken::Waited if !telling.arguments.has_heartbeat => break,
            Woken::Ended => break,
            // CouchDB gives a sign of life before it tells what has changed, too.
            Woken::Changed | Woken::Waited => {}
        }
        if !live.text(heartbeat(telling.arguments.feed)).await {
            return Ok(());
        }
    }
    if !has_waited && telling.arguments.feed == Feed::EventSource && !live.text("\n").await {
        return Ok(());
    }
    live.step(move |sink| telling.end(sink, progress)).await
}

/// Tells all there is, a batch at a time, with signs of life when that takes long.
async fn read(
    live: &Live,
    telling: &Arc<Telling>,
    mut progress: Progress,
    has_begun: &mut bool,
) -> Result<Read, Failure> {
    let mut quiet_since = Instant::now();
    progress.is_through = false;
    progress.round = Round { start: progress.position, told: progress.told };
    if !*has_begun && progress.is_full() && telling.arguments.feed == Feed::Longpoll {
        live.text(BEGINNING).await;
        *has_begun = true;
    }
    while !progress.is_through && !progress.is_full() {
        let (teller, is_first) = (Arc::clone(telling), !*has_begun);
        let before = progress.told;
        let told = live.step(move |sink| {
            let is_longpoll = teller.arguments.feed == Feed::Longpoll;
            if is_first && is_longpoll {
                sink.text(BEGINNING)?;
            }
            let progress = teller.batch(sink, progress)?;
            if !is_longpoll || !(progress.is_through || progress.is_full()) || !is_finished(&teller, progress) {
                return Ok(Read::Told(progress));
            }
            // The end goes along: most answers are one change.
            teller.end(sink, progress)?;
            Ok(Read::Ended)
        });
        match told.await? {
            Read::Told(told) => progress = told,
            Read::Ended => return Ok(Read::Ended),
        }
        *has_begun = true;
        let arguments = &telling.arguments;
        if progress.told > before {
            quiet_since = Instant::now();
        } else if arguments.has_heartbeat && quiet_since.elapsed() >= arguments.patience {
            live.text(heartbeat(arguments.feed)).await;
            quiet_since = Instant::now();
        }
    }
    Ok(Read::Told(progress))
}

/// Whether there is nothing to wait for.
fn is_finished(telling: &Telling, progress: Progress) -> bool {
    let arguments = &telling.arguments;
    let has_all = arguments.is_descending && progress.is_through;
    has_all
        || match arguments.feed {
            Feed::Normal => true,
            Feed::Longpoll => progress.told > 0,
            Feed::Continuous | Feed::EventSource => progress.is_full(),
        }
}

fn heartbeat(feed: Feed) -> &'static str {
    if feed == Feed::EventSource { "event: heartbeat\ndata: \n\n" } else { "\n" }
}

async fn wait(
    live: &Live,
    telling: &Telling,
    bell: &mut watch::Receiver<u64>,
    stopping: &mut watch::Receiver<bool>,
) -> Woken {
    tokio::select! {
        rung = bell.changed() => if rung.is_ok() { Woken::Changed } else { Woken::Ended },
        () = tokio::time::sleep(telling.arguments.patience) => Woken::Waited,
        () = live.gone() => Woken::Ended,
        _ = stopping.wait_for(|is_stopping| *is_stopping) => Woken::Ended,
    }
}

async fn is_gone(database: &Arc<Database>) -> bool {
    let database = Arc::clone(database);
    let told = blocking(move || Ok(matches!(database.info(), Err(StoreError::Missing)))).await;
    told.unwrap_or(false)
}
