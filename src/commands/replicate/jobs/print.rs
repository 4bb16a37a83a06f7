//! Jobs of servers as people and programs read them.

use serde_json::{Map, Value};

use crate::commands::Context;
use crate::couch::{Server, Told};
use crate::report::thousands;

/// `1 job`, `2 jobs`
pub(super) fn count(number: usize) -> String {
    format!("{} {}", thousands(u64::try_from(number).unwrap_or(u64::MAX)), if number == 1 { "job" } else { "jobs" })
}

/// Prints jobs: a line each, or everything that is known.
pub(super) fn show(context: &Context, server: &Server, jobs: &[Told], whole: bool) {
    let address = server.address().to_string();
    let values: Vec<Value> = jobs.iter().map(|told| Value::Object(fields(told))).collect();
    context.printer.document(
        "replications",
        Map::from_iter([
            ("server".to_owned(), Value::from(address.as_str())),
            ("jobs".to_owned(), Value::from(values)),
        ]),
    );
    if jobs.is_empty() {
        context.printer.note(&format!("No replications on {address}"));
        return;
    }
    if whole {
        for told in jobs {
            for line in everything(told) {
                context.printer.answer(&line);
            }
        }
        return;
    }
    let name_width = jobs.iter().map(|told| name(told).chars().count()).max().unwrap_or(0).max(3);
    let header = ["STATE", "WRITTEN", "PENDING"];
    context
        .printer
        .answer(&format!("{:name_width$}  {:9}  {:>9}  {:>9}  FROM → TO", "JOB", header[0], header[1], header[2]));
    for told in jobs {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), thousands);
        context.printer.answer(&format!(
            "{:name_width$}  {:9}  {:>9}  {:>9}  {}",
            name(told),
            told.phase.word(),
            number(told.written),
            number(told.pending),
            route(told),
        ));
        if let Some(error) = &told.error {
            context.printer.answer(&format!("{:name_width$}  {error}", ""));
        }
    }
}

/// Says which jobs are about to be cancelled.
pub(super) fn announce(context: &Context, jobs: &[Told]) {
    for told in jobs {
        context.printer.note(&format!("  - {}  {}  {}", name(told), told.phase.word(), route(told)));
    }
}

/// The name by which a job can be asked for.
pub(super) fn name(told: &Told) -> &str {
    told.document.as_deref().or(told.replication.as_deref()).unwrap_or("-")
}

fn route(told: &Told) -> String {
    let end = |end: &Option<String>| end.clone().unwrap_or_else(|| "?".to_owned());
    let continuous = if told.continuous { "  continuous" } else { "" };
    format!("{} → {}{continuous}", end(&told.source), end(&told.target))
}

fn everything(told: &Told) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let number = |number: Option<u64>| number.map_or_else(|| "not known".to_owned(), thousands);
    let state = match told.errors {
        0 => told.phase.word().to_owned(),
        errors => format!("{}, {errors} failures in a row", told.phase.word()),
    };
    let mut rows = vec![
        ("from", text(&told.source)),
        ("to", text(&told.target)),
        ("kind", if told.continuous { "continuous" } else { "ends by itself" }.to_owned()),
        ("state", state),
        ("written", number(told.written)),
        ("refused", thousands(told.refused)),
        ("pending", number(told.pending)),
        ("began", text(&told.started)),
        ("changed", text(&told.updated)),
    ];
    if told.document.is_none() {
        rows.push(("document", "none: it was started by `_replicate`".to_owned()));
    }
    if let Some(error) = &told.error {
        rows.push(("error", error.clone()));
    }
    let mut lines = vec![name(told).to_owned()];
    lines.extend(rows.into_iter().map(|(key, value)| format!("  {key:9} {value}")));
    lines
}

fn fields(told: &Told) -> Map<String, Value> {
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
    let number = |number: Option<u64>| number.map_or(Value::Null, Value::from);
    Map::from_iter(
        [
            ("job", Value::from(name(told))),
            ("document", text(&told.document)),
            ("replication", text(&told.replication)),
            ("from", text(&told.source)),
            ("to", text(&told.target)),
            ("continuous", Value::from(told.continuous)),
            ("state", Value::from(told.phase.word())),
            ("written", number(told.written)),
            ("refused", Value::from(told.refused)),
            ("pending", number(told.pending)),
            ("errors", Value::from(told.errors)),
            ("error", text(&told.error)),
            ("started", text(&told.started)),
            ("updated", text(&told.updated)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}
