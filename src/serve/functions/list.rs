//! A list function and its rows: the function runs on its thread, the rows are taken and what it sends is given away on the
//! caller's.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;

use super::call::sound;
use super::engine::{Engine, Rows};
use super::pool::Engines;
use super::{Design, FunctionError, Functions, Piece};

/// Rows that go to the function at once.
const BATCH: usize = 64;
/// What was sent is given on when it is longer than this, even before the rows run out.
const SENT: usize = 16 << 10;

enum Event {
    /// What was sent, and whether more rows are wanted.
    Sent(Vec<Piece>, bool),
    Ended(Result<(), FunctionError>),
}

/// The function's side.
struct Port {
    events: Sender<Event>,
    rows: Receiver<Vec<String>>,
    queue: VecDeque<String>,
    is_at_end: bool,
    sent: Vec<Piece>,
    length: usize,
}

impl Port {
    fn take(&mut self, sent: String) {
        for piece in pieces(sent) {
            if let Piece::Text(text) = &piece {
                self.length += text.len();
            }
            self.sent.push(piece);
        }
    }

    fn give(&mut self, wants_rows: bool) -> Option<()> {
        self.length = 0;
        self.events.send(Event::Sent(std::mem::take(&mut self.sent), wants_rows)).ok()
    }
}

impl Rows for Port {
    fn next(&mut self, sent: String) -> Option<String> {
        self.take(sent);
        if self.queue.is_empty() && !self.is_at_end {
            self.give(true)?;
            let rows = self.rows.recv().ok()?;
            self.is_at_end = rows.len() < BATCH;
            self.queue.extend(rows);
        } else if self.length > SENT {
            self.give(false)?;
        }
        let row = self.queue.pop_front();
        if row.is_none() {
            self.sent.push(Piece::NoMoreRows);
        }
        Some(row.unwrap_or_default())
    }

    fn end(&mut self, sent: Option<String>) {
        if let Some(sent) = sent {
            self.take(sent);
        }
        // Nobody may listen any more.
        let _ = self.give(false);
    }
}

/// `{"chunks": […], "head": …}` of the prelude.
fn pieces(sent: String) -> Vec<Piece> {
    let Ok(Value::Object(mut sent)) = crate::json::parse(sound(sent).as_bytes()) else { return Vec::new() };
    let mut pieces = Vec::new();
    if let Some(head) = sent.remove("head") {
        pieces.push(Piece::Start(head.to_string()));
    }
    let mut text = String::new();
    if let Some(Value::Array(chunks)) = sent.remove("chunks") {
        for chunk in chunks {
            match chunk {
                Value::String(chunk) => text.push_str(&chunk),
                // A number is a byte to Erlang.
                Value::Number(number) => {
                    text.extend(number.as_u64().and_then(|byte| u8::try_from(byte).ok()).map(char::from));
                }
                _ => {}
            }
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

impl Functions {
    /// Runs `lists.NAME` over rows (each a JSON object). `head` is `{"total_rows": …, "offset": …}`. What it sends is given to
    /// `sink` as it comes, [`Piece::Start`] first; `sink` returns false when nobody listens any more.
    pub fn list(
        &self,
        design: &Design,
        name: &str,
        head: &str,
        request: &str,
        rows: &mut dyn Iterator<Item = Result<String, FunctionError>>,
        sink: &mut dyn FnMut(Piece) -> bool,
    ) -> Result<(), FunctionError> {
        let mut taken = self.pool.take(&design.key, true)?;
        let (events, inbox) = channel();
        let (feed, outbox) = channel();
        let arguments = format!("[{head},{request}]");
        let (design, name) = (design.clone(), name.to_owned());
        taken.begin(Box::new(move |engines| {
            let port = Port {
                events: events.clone(),
                rows: outbox,
                queue: VecDeque::new(),
                is_at_end: false,
                sent: Vec::new(),
                length: 0,
            };
            let result = run(engines, &design, &name, &arguments, port);
            // Nobody may listen any more.
            let _ = events.send(Event::Ended(result));
        }));
        let mut feed = Some(feed);
        let mut failed = None;
        loop {
            let (pieces, wants_rows) = match taken.receive(&inbox)? {
                Event::Ended(result) => return failed.map_or(result, Err),
                Event::Sent(pieces, wants_rows) => (pieces, wants_rows),
            };
            if failed.is_none() && !pieces.into_iter().all(&mut *sink) {
                failed = Some(FunctionError::new("gone", "nobody listens any more"));
            }
            if wants_rows && failed.is_none() {
                match rows.take(BATCH).collect::<Result<Vec<_>, _>>() {
                    Ok(batch) => drop(feed.as_ref().map(|feed| feed.send(batch))),
                    Err(error) => failed = Some(error),
                }
            }
            if failed.is_some() {
                // Without a feed the function ends when it asks for the next row.
                feed = None;
            }
        }
    }
}

fn run(engines: &mut Engines, design: &Design, name: &str, arguments: &str, port: Port) -> Result<(), FunctionError> {
    let prepare = |engine: &mut Engine| engine.call("design", &[&design.text]).map(drop);
    engines.with(design.key, prepare, |engine| engine.list(name, arguments, Box::new(port)))
}
