//! `_changes`, and sequences that nobody can guess.

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::request::Request;
use super::store::{Database, hex};
use crate::wire::Answer;

/// A sequence as CouchDB shows it: a number and a token that only the server understands.
pub(crate) fn shown(database: &Database, sequence: u64) -> String {
    format!("{sequence}-g1{}", token(&database.instance_start_time, sequence))
}

fn token(instance: &str, sequence: u64) -> String {
    let checked = hex(&Md5::digest(format!("{sequence} since {instance}")))[..12].to_owned();
    format!("{}x{checked}", hex(instance.as_bytes()))
}

/// The number in a sequence. One of another database of this name begins anew, as it does with one node.
fn read(database: &Database, text: &str) -> Option<u64> {
    match text {
        "0" => return Some(0),
        "now" => return Some(database.sequence),
        _ => {}
    }
    let (number, given) = text.split_once("-g1")?;
    let number: u64 = number.parse().ok()?;
    if given == token(&database.instance_start_time, number) {
        return Some(number);
    }
    let (instance, _) = given.split_once('x')?;
    let instance: Vec<u8> = instance
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    (given == token(std::str::from_utf8(&instance).ok()?, number)).then_some(0)
}

/// `_changes`, of the normal kind.
pub(crate) fn changes(database: &Database, request: &Request) -> Result<Answer, Answer> {
    let malformed = || Answer::error(400, "bad_request", "Malformed sequence supplied in 'since' parameter.");
    let since = request.query.get("since").map_or(Some(0), |text| read(database, text)).ok_or_else(malformed)?;
    let limit = request.query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let mut later: Vec<_> = database.changed.iter().filter(|(_, sequence)| **sequence > since).collect();
    later.sort_by_key(|(_, sequence)| **sequence);
    let pending = later.len().saturating_sub(limit);
    later.truncate(limit);
    let last = if pending == 0 && limit > 0 {
        database.sequence.max(since)
    } else {
        later.last().map_or(since, |(_, sequence)| **sequence)
    };
    let all_leaves = request.query.get("style").is_some_and(|style| style == "all_docs");
    let row = |(id, sequence): &(&String, &u64)| {
        let document = database.documents.get(*id)?;
        let (rev, node) = document.winner()?;
        let others = document.open_revisions().map(|(other, _)| other).filter(|other| all_leaves && *other != rev);
        let leaves = std::iter::once(rev).chain(others).map(|rev| json!({ "rev": rev.to_string() }));
        let mut row = Map::new();
        row.insert("seq".into(), json!(shown(database, **sequence)));
        row.insert("id".into(), json!(id));
        row.insert("changes".into(), leaves.collect());
        if node.is_deleted {
            row.insert("deleted".into(), json!(true));
        }
        Some(Value::Object(row).to_string())
    };
    let rows: Vec<String> = later.iter().filter_map(row).collect();
    let last = shown(database, last);
    let text = format!("{{\"results\":[\n{}\n],\n\"last_seq\":\"{last}\",\"pending\":{pending}}}\n", rows.join(",\n"));
    let mut answer = Answer::new(200, "application/json", text);
    answer.is_chunked = true;
    Ok(answer)
}
