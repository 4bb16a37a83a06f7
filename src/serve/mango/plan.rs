//! Which index answers a query, and why no other one does.

use std::sync::Arc;

use serde_json::{Value, json};

use super::definition::Definition;
use super::options::Options;
use super::ranges::{self, Range};
use super::selector::single;
use crate::serve::failure::Failure;
use crate::serve::store::{Database, Range as Ids};
use crate::serve::views::design::Group;

/// An index of a database.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// The design document; `None` for the documents themselves, by id.
    pub(super) design: Option<String>,
    pub(super) name: String,
    definition: Option<Definition>,
    /// All views of the design document.
    pub(super) group: Option<Arc<Group>>,
}

/// What was chosen.
#[derive(Debug)]
pub(super) struct Plan {
    /// All indexes, in order.
    pub(super) indexes: Vec<Index>,
    /// Which one is asked; `None` when none can answer (only `_explain` gets to see that).
    pub(super) chosen: Option<usize>,
    /// Between which values of its fields.
    pub(super) ranges: Vec<Range>,
    /// What became of each index.
    pub(super) verdicts: Vec<Verdict>,
}

/// What became of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has only some of the documents, and was not asked for by name.
    Partial,
    /// It cannot answer: the reason.
    Unusable(&'static str),
    /// `use_index` names another.
    Excluded,
    /// It is of another kind.
    Unfavoured,
    /// It could answer; so many are better.
    Ranked(usize, &'static str),
}

impl Index {
    pub(super) fn columns(&self) -> Vec<&str> {
        self.definition.as_ref().map_or_else(|| vec!["_id"], Definition::columns)
    }

    pub(super) fn is_special(&self) -> bool {
        self.definition.is_none()
    }

    fn is_partial(&self) -> bool {
        self.definition.as_ref().is_some_and(Definition::is_partial)
    }

    fn is_named(&self, names: &[String]) -> bool {
        let design = |name: &String| {
            let name = name.strip_prefix("_design/").unwrap_or(name);
            self.design.as_deref().and_then(|design| design.strip_prefix("_design/")) == Some(name)
        };
        match names {
            [name] => design(name),
            [name, index] => design(name) && self.name == *index,
            _ => false,
        }
    }

    /// As `_index` and `_explain` show it.
    pub(super) fn shown(&self) -> Value {
        match &self.definition {
            None => {
                json!({ "ddoc": null, "name": self.name, "type": "special", "def": { "fields": [{ "_id": "asc" }] } })
            }
            Some(definition) => json!({
                "ddoc": self.design,
                "name": self.name,
                "type": "json",
                "partitioned": false,
                "def": definition.shown(),
            }),
        }
    }

    /// Whether its rows tell all that is asked, so that no document has to be read.
    pub(super) fn covers(&self, fields: Option<&[String]>) -> bool {
        let columns = self.columns();
        !self.is_special()
            && fields
                .is_some_and(|fields| fields.iter().all(|field| field == "_id" || columns.contains(&field.as_str())))
    }

    /// Why it cannot answer a query.
    fn refusal(&self, selector: &Value, sort: &[String]) -> Option<&'static str> {
        if single(selector).is_some_and(|(name, _)| name == "$default") && !self.is_special() {
            return Some("needs_text_search");
        }
        let columns = self.columns();
        let lacks_field = if self.is_special() {
            !sort.is_empty() && !ranges::indexable(selector).iter().any(|field| field == "_id")
        } else {
            let implied = |column: &str| matches!(column, "_id" | "_rev") || sort.iter().any(|field| field == column);
            let required = columns.iter().filter(|column| !implied(column)).map(|column| (*column).to_owned());
            !ranges::not_required(selector, required.collect()).is_empty()
        };
        if lacks_field {
            return Some("field_mismatch");
        }
        (!is_sorted(&columns, sort, selector, self.is_special())).then_some("sort_order_mismatch")
    }
}

/// Whether rows come in the wanted order: constant fields may stand before those by which is sorted.
fn is_sorted(columns: &[&str], sort: &[String], selector: &Value, is_special: bool) -> bool {
    let Some(first) = sort.first() else { return true };
    let mut columns = columns;
    while let Some((column, rest)) = columns.split_first() {
        if column == first {
            return sort.len() <= columns.len() && columns.iter().zip(sort).all(|(column, field)| column == field);
        }
        if is_special || !ranges::is_constant(selector, column) {
            return false;
        }
        columns = rest;
    }
    false
}

/// All indexes of a database, in order of design document and name; first the documents by id.
pub(super) fn indexes(database: &Database) -> Result<Vec<Index>, Failure> {
    let special = Index { design: None, name: "_all_docs".to_owned(), definition: None, group: None };
    let mut indexes = vec![special];
    let range = Ids { start: Some("_design/".to_owned()), end: Some("_design0".to_owned()), ..Ids::default() };
    let rows = database.rows(&range)?;
    let wanted: Vec<_> = rows.iter().map(|row| (row.id.as_str(), &row.revision)).collect();
    for (row, body) in rows.iter().zip(database.bodies(&wanted)?) {
        let Some(body) = body.filter(|body| body.members.get("language").is_some_and(|name| name == "query")) else {
            continue;
        };
        let group = Arc::new(Group::new(&row.id, &body.members));
        let views = body.members.get("views").and_then(Value::as_object);
        let mut named: Vec<_> = views
            .into_iter()
            .flatten()
            .filter(|(_, view)| view.get("options").is_some_and(Value::is_object))
            .filter_map(|(name, view)| Some((name, Definition::stored(view.get("map")?).ok()?)))
            .collect();
        named.sort_by(|left, right| left.0.cmp(right.0));
        indexes.extend(named.into_iter().map(|(name, definition)| Index {
            design: Some(row.id.clone()),
            name: name.clone(),
            definition: Some(definition),
            group: Some(Arc::clone(&group)),
        }));
    }
    Ok(indexes)
}

impl Plan {
    /// Chooses an index. `needs_one`: without one it is an error, as for `_find`.
    pub(super) fn make(indexes: Vec<Index>, options: &Options, needs_one: bool) -> Result<Self, Failure> {
        let selector = options.selector.normal();
        let sort = options.sort_fields();
        let mut verdicts: Vec<Verdict> = indexes
            .iter()
            .map(|index| {
                if index.is_partial() && !index.is_named(&options.use_index) {
                    return Verdict::Partial;
                }
                index.refusal(selector, &sort).map_or(Verdict::Unfavoured, Verdict::Unusable)
            })
            .collect();
        let usable: Vec<usize> = (0..indexes.len()).filter(|at| verdicts[*at] == Verdict::Unfavoured).collect();
        if usable.is_empty() {
            if needs_one {
                let reason = "No index exists for this sort, try indexing by the sort fields.";
                return Err(Failure::new(400, "no_usable_index", reason));
            }
            return Ok(Self { indexes, chosen: None, ranges: Vec::new(), verdicts });
        }
        let named: Vec<usize> = usable.iter().copied().filter(|at| indexes[*at].is_named(&options.use_index)).collect();
        if named.is_empty() && !(options.allow_fallback || options.use_index.is_empty() && usable.len() > 1) {
            return Err(no_fallback(&options.use_index));
        }
        let candidates = if named.is_empty() { usable.clone() } else { named };
        for at in usable.into_iter().filter(|at| !candidates.contains(at)) {
            verdicts[at] = Verdict::Excluded;
        }
        let is_json = candidates.iter().any(|at| !indexes[*at].is_special());
        let of_kind = candidates.into_iter().filter(|at| indexes[*at].is_special() != is_json);
        let (chosen, ranges) = rank(&indexes, &mut verdicts, of_kind.collect(), selector, is_json);
        let is_nothing = matches!(
            single(selector),
            Some(("$all" | "$and" | "$or" | "$in", Value::Array(parts))) if parts.is_empty()
        );
        let ranges = if is_nothing { vec![Range::Empty] } else { ranges };
        Ok(Self { indexes, chosen, ranges, verdicts })
    }

    /// Whether nothing can be selected.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.as_slice() == [Range::Empty]
    }
}

fn no_fallback(names: &[String]) -> Failure {
    let design = |name: &String| name.strip_prefix("_design/").unwrap_or(name).to_owned();
    let reason = match names {
        [name] => {
            format!("_design/{} specified by `use_index` could not be found or it is not suitable.", design(name))
        }
        [name, index] => {
            let name = design(name);
            format!("_design/{name}, {index} specified by `use_index` could not be found or it is not suitable.")
        }
        _ => "You must specify an index with the `use_index` parameter.".to_owned(),
    };
    Failure::new(400, "invalid_index", reason)
}

/// Orders those that could answer: by how much of the selector they help with, by how few fields they have, by name.
fn rank(
    indexes: &[Index],
    verdicts: &mut [Verdict],
    of_kind: Vec<usize>,
    selector: &Value,
    is_json: bool,
) -> (Option<usize>, Vec<Range>) {
    let mut fields = ranges::of(selector);
    if !is_json {
        fields.push(("_id".to_owned(), Range::Between(ranges::End::Open, ranges::End::Open)));
    }
    let mut ranked: Vec<(usize, usize, Vec<Range>, usize)> = of_kind
        .into_iter()
        .map(|at| {
            let columns = indexes[at].columns();
            let range =
                |column: &&str| fields.iter().find(|(field, _)| field == column).map(|(_, range)| range.clone());
            let prefix: Vec<Range> = columns.iter().map_while(range).collect();
            (fields.len() - prefix.len().min(fields.len()), columns.len(), prefix, at)
        })
        .collect();
    ranked.sort_by_key(|(distance, width, _, at)| (*distance, *width, *at));
    let best_width = ranked.first().map_or(0, |(_, width, ..)| *width);
    for (place, (distance, width, _, at)) in ranked.iter().enumerate() {
        let reason = if *distance > 0 {
            "less_overlap"
        } else if *width > best_width {
            "too_many_fields"
        } else {
            "alphabetically_comes_after"
        };
        verdicts[*at] = Verdict::Ranked(place, reason);
    }
    match ranked.into_iter().next() {
        Some((.., ranges, at)) => (Some(at), ranges),
        None => (None, Vec::new()),
    }
}
