//! `_explain`: which index would be asked, between which keys, and why no other.

use serde_json::{Value, json};

use super::find::required_fields;
use super::options::Options;
use super::plan::{self, Index, Plan, Verdict};
use super::ranges::{self, End, Range};
use crate::serve::failure::Failure;
use crate::serve::store::Database;

/// The answer of `_explain`.
pub(in crate::serve) fn explain(database: &Database, options: &Options) -> Result<Value, Failure> {
    let plan = Plan::make(plan::indexes(database)?, options, false)?;
    let selector = options.selector.normal();
    let chosen = plan.chosen.and_then(|at| plan.indexes.get(at));
    let mut answer = json!({
        "dbname": database.name(),
        "index": chosen.map(Index::shown),
        "partitioned": false,
        "selector": selector,
        "opts": options.shown(),
        "limit": options.limit,
        "skip": options.skip,
        "fields": options.fields.as_deref().unwrap_or_default(),
        "index_candidates": candidates(&plan, options),
        "selector_hints": hints(selector),
    });
    if let Some(index) = chosen {
        let covers = index.covers(required_fields(options).as_deref());
        answer["mrargs"] = arguments(&plan, index, options, covers);
        answer["covering"] = covers.into();
    }
    Ok(answer)
}

fn hints(selector: &Value) -> Value {
    let indexable = ranges::indexable(selector);
    let mut others: Vec<String> =
        ranges::fields(selector).into_iter().filter(|field| !indexable.contains(field)).collect();
    others.sort();
    others.dedup();
    json!([{ "type": "json", "indexable_fields": indexable, "unindexable_fields": others }])
}

/// The indexes that were not chosen, the last by name first.
fn candidates(plan: &Plan, options: &Options) -> Value {
    let has = |kind: fn(&Verdict) -> bool| usize::from(plan.verdicts.iter().any(kind));
    let ranked = plan.verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Ranked(..))).count();
    let unfavoured = ranked.max(1);
    let excluded = unfavoured + has(|verdict| *verdict == Verdict::Unfavoured);
    let unusable = excluded + has(|verdict| *verdict == Verdict::Excluded);
    let partial = unusable + has(|verdict| matches!(verdict, Verdict::Unusable(_)));
    let others = plan.indexes.iter().zip(&plan.verdicts).enumerate().rev();
    let shown = others.filter(|(at, _)| Some(*at) != plan.chosen).map(|(_, (index, verdict))| {
        let (is_usable, reason, ranking) = match verdict {
            Verdict::Partial => (false, "is_partial", partial),
            Verdict::Unusable(reason) => (false, *reason, unusable),
            Verdict::Excluded => (true, "excluded_by_user", excluded),
            Verdict::Unfavoured => (true, "unfavored_type", unfavoured),
            Verdict::Ranked(place, reason) => (true, *reason, *place),
        };
        let covering = if index.is_special() { Value::Null } else { index.covers(options.fields.as_deref()).into() };
        json!({
            "index": index.shown(),
            "analysis": {
                "usable": is_usable,
                "reasons": [{ "name": reason }],
                "ranking": ranking,
                "covering": covering,
            },
        })
    });
    shown.collect()
}

fn arguments(plan: &Plan, index: &Index, options: &Options, covers: bool) -> Value {
    let (start, end) = ends(plan, index);
    let (start, end) = if options.is_descending() { (end, start) } else { (start, end) };
    json!({
        "include_docs": options.quorum == 1 && !covers,
        "view_type": "map",
        "reduce": false,
        "partition": null,
        "start_key": start,
        "end_key": end,
        "direction": if options.is_descending() { "rev" } else { "fwd" },
        "stable": options.is_stable(),
        "update": options.updates(),
        "conflicts": if options.conflicts { Value::from(true) } else { Value::from("undefined") },
    })
}

fn ends(plan: &Plan, index: &Index) -> (Value, Value) {
    const GREATEST: &str = "<MAX>";
    if plan.is_empty() {
        return (Value::Null, Value::Null);
    }
    if !index.is_special() {
        let mut end = ranges::end(&plan.ranges);
        end.push(GREATEST.into());
        return (ranges::start(&plan.ranges).into(), end.into());
    }
    match plan.ranges.first() {
        Some(Range::Between(low, high)) => {
            let low = match low {
                End::Open => Value::Null,
                End::Value(value, _) => value.clone(),
            };
            let high = match high {
                End::Open => GREATEST.into(),
                End::Value(value, _) => value.clone(),
            };
            (low, high)
        }
        _ => (Value::Null, GREATEST.into()),
    }
}
