//! In what the embedded endpoint may differ from CouchDB: one line for each difference, with its reason.

use super::recording::Difference;

/// A difference that is allowed.
struct Allowed {
    /// The area.
    area: &'static str,
    /// The title of the sequence.
    sequence: &'static str,
    /// The place of the request in it, from 1.
    place: usize,
    /// The request, as the script has it.
    request: &'static str,
    /// The field, as a difference is reported.
    field: &'static str,
    /// Why it stays.
    reason: &'static str,
}

/// All of them. A line whose difference does not occur any more makes the test fail.
const ALLOWED: [Allowed; 9] = [
    Allowed {
        area: "bad_input",
        sequence: "deep and long values",
        place: 2,
        request: "PUT b",
        field: "status",
        reason: "JSON has at most 127 levels, so that no request can exhaust the stack",
    },
    Allowed {
        area: "bad_input",
        sequence: "deep and long values",
        place: 3,
        request: "PUT c",
        field: "status",
        reason: "JSON has at most 127 levels, so that no request can exhaust the stack",
    },
    Allowed {
        area: "builtin_reduces",
        sequence: "values: arrays of several lengths",
        place: 9,
        request: "GET _design/stats/_view/v?group=true",
        field: "status",
        reason: "CouchDB falls over values of other groups that stand in the same node of its tree",
    },
    Allowed {
        area: "builtin_reduces",
        sequence: "values: numbers and arrays",
        place: 9,
        request: "GET _design/stats/_view/v?group=true",
        field: "status",
        reason: "CouchDB falls over values of other groups that stand in the same node of its tree",
    },
    Allowed {
        area: "builtin_reduces",
        sequence: "values: numbers and arrays",
        place: 10,
        request: "GET _design/stats/_view/v?startkey=\"2\"",
        field: "status",
        reason: "CouchDB falls over values outside of the range that stand in the same node of its tree",
    },
    Allowed {
        area: "conflicts",
        sequence: "gaps and stems",
        place: 23,
        request: "PUT b?new_edits=false",
        field: "status",
        reason: "a revision is ASCII: another one could stand in no ETag and in no If-Match",
    },
    Allowed {
        area: "conflicts",
        sequence: "gaps and stems",
        place: 24,
        request: "GET b?conflicts=true&revs=true",
        field: "json/_conflicts",
        reason: "a revision is ASCII: another one could stand in no ETag and in no If-Match",
    },
    Allowed {
        area: "conflicts",
        sequence: "gaps and stems",
        place: 25,
        request: "PUT b?new_edits=false",
        field: "status",
        reason: "the first revision of a document is of generation 1",
    },
    Allowed {
        area: "filters_and_validation",
        sequence: "what may be written",
        place: 9,
        request: "PUT b",
        field: "json/reason",
        reason: "a reason is always a text",
    },
];

/// There are never more.
const MOST: usize = 20;

impl Allowed {
    fn covers(&self, difference: &Difference) -> bool {
        let is_place = (self.sequence, self.place) == (difference.sequence.as_str(), difference.place);
        is_place && self.request == difference.request && self.field == difference.field
    }
}

/// What is left to report: differences that are not allowed, and allowed ones that do not occur.
pub(super) fn without_allowed(area: &str, differences: Vec<Difference>) -> Vec<Difference> {
    remaining(&ALLOWED, area, differences)
}

fn remaining(table: &[Allowed], area: &str, mut differences: Vec<Difference>) -> Vec<Difference> {
    for allowed in table.iter().filter(|allowed| allowed.area == area) {
        let before = differences.len();
        differences.retain(|difference| !allowed.covers(difference));
        if differences.len() == before {
            differences.push(Difference {
                sequence: allowed.sequence.to_owned(),
                place: allowed.place,
                request: allowed.request.to_owned(),
                field: allowed.field.to_owned(),
                values: format!("is allowed ({}) but does not occur any more", allowed.reason),
            });
        }
    }
    differences
}

#[test]
fn few_differences_are_allowed_and_each_has_its_reason() {
    assert!(ALLOWED.len() <= MOST);
    for allowed in &ALLOWED {
        assert!(!allowed.reason.is_empty() && !allowed.reason.contains('\n'), "{}", allowed.request);
    }
}

#[test]
fn what_is_allowed_and_does_not_occur_is_reported() {
    let line = Allowed { area: "a", sequence: "s", place: 1, request: "GET x", field: "status", reason: "because" };
    let difference = |field: &str| Difference {
        sequence: "s".to_owned(),
        place: 1,
        request: "GET x".to_owned(),
        field: field.to_owned(),
        values: String::new(),
    };
    assert_eq!(remaining(&[], "a", vec![difference("status")]).len(), 1);
    let table = [line];
    assert_eq!(remaining(&table, "a", vec![difference("status")]), []);
    assert_eq!(remaining(&table, "a", vec![difference("status"), difference("json")]), [difference("json")]);
    assert_eq!(remaining(&table, "a", Vec::new()).len(), 1);
    assert_eq!(remaining(&table, "b", Vec::new()), []);
}
