//! From the keys of a query to a range of ids. Pure.

use serde_json::Value;

use crate::serve::store::Range;
use crate::serve::views::parameters::Parameters;

/// Ids of design documents lie between these.
pub(super) const DESIGN_START: &str = "_design/";
pub(super) const DESIGN_END: &str = "_design0";

/// Which documents are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything but local ones.
    All,
    /// Design documents.
    Design,
    /// Local ones.
    Local,
}

impl Kind {
    /// By the last segment of the path.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "_design_docs" => Self::Design,
            "_local_docs" => Self::Local,
            _ => Self::All,
        }
    }
}

/// An id, or something that CouchDB's raw order (Erlang's) puts before every text: all other JSON.
fn id_of(key: &Value) -> Option<&str> {
    key.as_str()
}

/// The range that is asked for; `None` when nothing can be in it.
pub(super) fn wanted(parameters: &Parameters, kind: Kind) -> Option<Range> {
    let is_descending = parameters.is_descending;
    let mut range = Range { is_descending, skip: parameters.skip, limit: parameters.limit, ..Range::default() };
    match parameters.start.as_ref().map(id_of) {
        None => range.start.clone_from(&parameters.start_id),
        Some(Some(id)) => range.start = Some(id.to_owned()),
        Some(None) if is_descending => return None,
        Some(None) => {}
    }
    match parameters.end.as_ref().map(id_of) {
        None => range.end.clone_from(&parameters.end_id),
        Some(Some(id)) => range.end = Some(id.to_owned()),
        Some(None) if !is_descending => return None,
        Some(None) => {}
    }
    range.excludes_end = parameters.excludes_end() && range.end.is_some();
    if kind == Kind::Design {
        within_designs(&mut range);
    }
    Some(range)
}

/// Narrows a range to the ids of design documents.
fn within_designs(range: &mut Range) {
    let (first, last) = if range.is_descending { (DESIGN_END, DESIGN_START) } else { (DESIGN_START, DESIGN_END) };
    let is_outside = |id: &str, bound: &str, is_before: bool| if is_before { id < bound } else { id > bound };
    if range.start.as_deref().is_none_or(|start| is_outside(start, first, !range.is_descending)) {
        range.start = Some(first.to_owned());
    }
    if range.end.as_deref().is_none_or(|end| is_outside(end, last, range.is_descending)) {
        (range.end, range.excludes_end) = (Some(last.to_owned()), true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http::request::Query;

    type Expected<'a> = Option<(Option<&'a str>, Option<&'a str>, bool)>;

    #[test]
    fn keys_become_ranges_of_ids() {
        let table: [(&str, Kind, Expected<'_>); 13] = [
            ("", Kind::All, Some((None, None, false))),
            ("startkey=\"a\"&endkey=\"b\"", Kind::All, Some((Some("a"), Some("b"), false))),
            ("key=\"a\"", Kind::All, Some((Some("a"), Some("a"), false))),
            ("startkey=1", Kind::All, Some((None, None, false))),
            ("startkey={}", Kind::All, Some((None, None, false))),
            ("endkey=1", Kind::All, None),
            ("endkey={}", Kind::All, None),
            ("key=1", Kind::All, None),
            ("descending=true&endkey=null", Kind::All, Some((None, None, false))),
            ("descending=true&startkey={}", Kind::All, None),
            ("endkey=\"b\"&inclusive_end=false", Kind::All, Some((None, Some("b"), true))),
            ("", Kind::Design, Some((Some("_design/"), Some("_design0"), true))),
            ("startkey=\"_design/b\"&endkey=\"z\"", Kind::Design, Some((Some("_design/b"), Some("_design0"), true))),
        ];
        for (query, kind, expected) in table {
            let parameters = Parameters::of_query(&Query::parse(query)).unwrap();
            let range = wanted(&parameters, kind);
            let found = range.as_ref().map(|range| (range.start.as_deref(), range.end.as_deref(), range.excludes_end));
            assert_eq!(found, expected, "{query}");
        }
    }
}
