//! Views without reduce functions: the map function runs over all documents for each question.

use std::cmp::Ordering;

use rquickjs::{Context, Runtime};
use serde_json::{Value, json};

use super::request::Request;
use super::store::{Database, View};
use crate::wire::Answer;

/// `_design/…/_view/…`
pub(crate) fn query(database: &Database, request: &Request, design: &str, view: &str) -> Result<Answer, Answer> {
    let missing = |reason: &str| Answer::error(404, "not_found", reason);
    let document = database.documents.get(&format!("_design/{design}")).ok_or_else(|| missing("missing"))?;
    let (_, node) = document.live().ok_or_else(|| missing("deleted"))?;
    let view = node.body.get("views").and_then(|views| views.get(view)).ok_or_else(|| missing("missing_named_view"))?;
    let map = view["map"].as_str().ok_or_else(|| missing("missing_named_view"))?;
    let has_reduce = view.get("reduce").is_some() && request.query.get("reduce").is_none_or(|value| value != "false");
    if has_reduce {
        return Err(Answer::error(501, "not_implemented", "The stand-in does not reduce."));
    }
    let live = database.documents.iter().filter(|(id, _)| !id.starts_with("_design/"));
    let live = live.filter_map(|(id, document)| document.live().map(|(rev, node)| (id, document, rev, node)));
    let documents: Vec<Value> =
        live.map(|(id, document, rev, node)| document.to_json(id, rev, node, View::PLAIN)).collect();
    let mut rows = emitted(map, &json!(documents));
    rows.sort_by(|left, right| collate(&left["key"], &right["key"]).then_with(|| collate(&left["id"], &right["id"])));
    let total = rows.len();
    let mut answer = Answer::json(200, &json!({ "total_rows": total, "offset": 0, "rows": rows }));
    answer.is_chunked = true;
    Ok(answer)
}

/// The rows that a map function emits.
fn emitted(map: &str, documents: &Value) -> Vec<Value> {
    let script = format!(
        "(function (documents) {{
           var rows = [], id, map;
           function emit(key, value) {{ rows.push({{ id: id, key: orNull(key), value: orNull(value) }}); }}
           function orNull(value) {{ return value === undefined ? null : value; }}
           map = ({map});
           documents.forEach(function (document) {{ id = document._id; try {{ map(document); }} catch (error) {{}} }});
           return JSON.stringify(rows);
         }})({documents})"
    );
    let context = Context::full(&Runtime::new().unwrap()).unwrap();
    let text: String = context.with(|context| context.eval(script)).unwrap_or_else(|_| "[]".to_owned());
    serde_json::from_str(&text).unwrap()
}

/// The order of view keys, as far as tests need it: texts by code points.
fn collate(left: &Value, right: &Value) -> Ordering {
    let kind = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()).unwrap(),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            let first = left.iter().zip(right).map(|(left, right)| collate(left, right)).find(|order| order.is_ne());
            first.unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        _ => kind(left).cmp(&kind(right)),
    }
}
