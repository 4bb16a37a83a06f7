//! Views over a database: built, changed, asked.

use std::sync::Arc;

use serde_json::{Value, json};

use super::design::Group;
use super::index::Index;
use super::parameters::Parameters;
use super::{Answer, Views};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::{Functions, Limits};
use crate::serve::http::request::Query;
use crate::serve::store::{Database, Edit, Outcome, Store, Upon};

struct Fixture {
    views: Views,
    functions: Functions,
    database: Arc<Database>,
    group: Group,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new(design: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let database = store.create("views").unwrap();
        let group = Group::new("_design/x", design.as_object().unwrap());
        let functions = Functions::new(Limits::default());
        Self { views: Views::new(), functions, database, group, store, _folder: folder }
    }

    /// Writes a document upon whatever is there; `null` deletes it.
    fn put(&self, id: &str, members: &Value) {
        let upon = self.database.document(id).unwrap().and_then(|document| document.tree.winner());
        let upon = upon.filter(|leaf| !leaf.is_deleted).map(|leaf| leaf.revision);
        let is_deleted = members.is_null();
        let members = members.as_object().cloned().unwrap_or_else(Object::new);
        let (id, upon) = (id.to_owned(), Upon::Leaf(upon));
        let edit = Edit { id, members, attachments: Vec::new(), is_deleted, upon };
        let outcomes = self.database.write(vec![edit], &|_, _| Ok(())).unwrap();
        assert!(matches!(outcomes.as_slice(), [Outcome::Stored(_)]), "{outcomes:?}");
    }

    fn try_ask(&self, view: &str, query: &str) -> Result<String, Failure> {
        let parameters = Parameters::of_query(&Query::parse(query))?;
        let answer: Answer<'_> = self.views.ask(&self.database, &self.functions, &self.group, view, &parameters)?;
        let rows: Vec<String> = answer.rows().map(|row| Ok(answer.text(&row?))).collect::<Result<_, Failure>>()?;
        let head = answer.head()?;
        let told = |name: &str| head.get(name).map(|value| format!("{value} ")).unwrap_or_default();
        Ok(format!("{}{}{}", told("total_rows"), told("offset"), rows.join(" ")))
    }

    /// `total_rows`, `offset`, and the rows as `id:key=value`.
    fn ask(&self, view: &str, query: &str) -> String {
        let text = self.try_ask(view, query).unwrap();
        let (head, rows) = text.split_once('{').map_or((text.as_str(), ""), |(head, _)| (head, &text[head.len()..]));
        let rows = serde_json::Deserializer::from_str(rows).into_iter::<Value>().map(|row| {
            let row = row.unwrap();
            let id = row.get("id").map(|id| format!("{}:", id.as_str().unwrap())).unwrap_or_default();
            format!("{id}{}={}", row["key"], row["value"])
        });
        format!("{head}{}", rows.collect::<Vec<_>>().join(" "))
    }
}

fn letters() -> Fixture {
    let fixture = Fixture::new(&json!({ "views": {
        "by": { "map": "function (doc) { if (doc.k !== undefined) { emit(doc.k, doc.v); } }" },
        "count": { "map": "function (doc) { emit(doc.k, doc.v); }", "reduce": "_count" },
        "sum": { "map": "function (doc) { emit(doc.k, doc.v); }", "reduce": "_sum" },
        "lengths": { "map": "function (doc) { emit(doc.k, 1); }",
            "reduce": "function (keys, values, again) { return again ? ['again', values] : ['first', values.length]; }" },
        "picky": { "map": "function (doc) { if (doc._id === 'b') { throw 'no'; } emit(doc._id); }" },
    } }));
    for (id, key, value) in [
        ("a", json!("x"), json!(1)),
        ("b", json!("y"), json!(2.5)),
        ("c", json!([1, 2]), json!(3)),
        ("d", json!([1, 3]), json!(4)),
        ("e", json!([1, 3]), json!(5)),
        ("f", json!("x"), json!(6)),
    ] {
        fixture.put(id, &json!({ "k": key, "v": value }));
    }
    fixture
}

/// Asked of CouchDB 3.5.0.
#[test]
fn queries_are_answered_as_couchdb_does() {
    let fixture = letters();
    for (query, expected) in [
        ("", r#"6 0 a:"x"=1 f:"x"=6 b:"y"=2.5 c:[1,2]=3 d:[1,3]=4 e:[1,3]=5"#),
        ("descending=true", r#"6 0 e:[1,3]=5 d:[1,3]=4 c:[1,2]=3 b:"y"=2.5 f:"x"=6 a:"x"=1"#),
        (r#"key="x""#, r#"6 0 a:"x"=1 f:"x"=6"#),
        (r#"key="none""#, "6 0 "),
        (r#"startkey="x"&descending=true"#, r#"6 4 f:"x"=6 a:"x"=1"#),
        ("limit=2&skip=1", r#"6 1 f:"x"=6 b:"y"=2.5"#),
        ("limit=0", "6 0 "),
        ("skip=10", "6 6 "),
        (r#"keys=["x","y","x"]"#, r#"6 0 a:"x"=1 f:"x"=6 b:"y"=2.5 a:"x"=1 f:"x"=6"#),
        (r#"keys=["y","x"]&descending=true"#, r#"6 4 f:"x"=6 a:"x"=1 b:"y"=2.5"#),
        (r#"keys=["y","x"]&limit=1&skip=1"#, r#"6 3 a:"x"=1"#),
        (r#"keys=["y"]"#, r#"6 2 b:"y"=2.5"#),
        ("keys=[]", "6 0 "),
        (r#"startkey="x"&startkey_docid=f&endkey="y""#, r#"6 1 f:"x"=6 b:"y"=2.5"#),
        (r#"startkey="x"&endkey=[1,3]&endkey_docid=d"#, r#"6 0 a:"x"=1 f:"x"=6 b:"y"=2.5 c:[1,2]=3 d:[1,3]=4"#),
        (r#"startkey="x"&endkey="y"&inclusive_end=false"#, r#"6 0 a:"x"=1 f:"x"=6"#),
        (r#"startkey="y"&endkey="x"&inclusive_end=false&descending=true"#, r#"6 3 b:"y"=2.5"#),
        ("startkey=[1]&endkey=[1,{}]", "6 3 c:[1,2]=3 d:[1,3]=4 e:[1,3]=5"),
    ] {
        assert_eq!(fixture.ask("by", query), expected, "{query}");
    }
    for (view, query, expected) in [
        ("count", "", "null=6"),
        ("count", "group=true", r#""x"=2 "y"=1 [1,2]=1 [1,3]=2"#),
        ("count", "group_level=1", r#""x"=2 "y"=1 [1]=3"#),
        ("count", "group=true&descending=true&limit=2", "[1,3]=2 [1,2]=1"),
        ("count", "group=true&limit=1&skip=1", r#""y"=1"#),
        ("count", r#"keys=["y","x"]&group=true&descending=true"#, r#""y"=1 "x"=2"#),
        ("count", r#"key="none""#, ""),
        ("count", "limit=0", ""),
        ("count", "skip=1", ""),
        ("sum", "group_level=1", r#""x"=7 "y"=2.5 [1]=12"#),
        ("sum", "group_level=1&startkey=[1,3]", "[1]=9"),
        ("lengths", "", r#"null=["again",[["first",6]]]"#),
        (
            "lengths",
            "group=true",
            r#""x"=["again",[["first",2]]] "y"=["again",[["first",1]]] [1,2]=["again",[["first",1]]] [1,3]=["again",[["first",2]]]"#,
        ),
        ("picky", "", r#"5 0 a:"a"=null c:"c"=null d:"d"=null e:"e"=null f:"f"=null"#),
    ] {
        assert_eq!(fixture.ask(view, query), expected, "{view} {query}");
    }
    assert_eq!(fixture.try_ask("nope", "").unwrap_err().reason.as_deref(), Some("missing_named_view"));
}

#[test]
fn changes_and_deletions_are_followed() {
    let fixture = letters();
    assert!(fixture.ask("by", "").starts_with("6 0 "));
    fixture.put("a", &json!({ "k": "z", "v": 1 }));
    fixture.put("b", &Value::Null);
    fixture.put("c", &json!({ "other": 1 }));
    assert_eq!(fixture.ask("by", "update=false"), fixture.ask("by", "stale=ok"));
    assert!(fixture.ask("by", "update=false").starts_with("6 0 "));
    assert_eq!(fixture.ask("by", ""), r#"4 0 f:"x"=6 a:"z"=1 d:[1,3]=4 e:[1,3]=5"#);
    fixture.put("b", &json!({ "k": "x", "v": 0 }));
    assert_eq!(fixture.ask("by", r#"key="x""#), r#"5 0 b:"x"=0 f:"x"=6"#);
    assert_eq!(fixture.ask("count", ""), "null=6");
}

/// Asked of CouchDB 3.5.0: by the order of their values as Erlang's terms, both ways.
#[test]
fn rows_of_one_key_and_document_are_in_the_order_of_their_values() {
    let map = "function (doc) { emit(1, 'c'); emit(1, 'a'); emit(1, 3); emit(1, {x: 1}); emit(1, 'b'); }";
    let fixture = Fixture::new(&json!({ "views": { "v": { "map": map } } }));
    fixture.put("a", &json!({}));
    let expected = r#"5 0 a:1=3 a:1={"x":1} a:1="a" a:1="b" a:1="c""#;
    assert_eq!(fixture.ask("v", ""), expected);
    assert_eq!(fixture.ask("v", "descending=true"), expected);
}

#[test]
fn linked_documents_are_those_that_values_name() {
    let map = "function (doc) { emit(1, {_id: 'a'}); emit(2, {_id: 'nope'}); emit(3, {_id: null}); emit(4, {n: 1}); }";
    let fixture = Fixture::new(&json!({ "views": { "v": { "map": map } } }));
    fixture.put("a", &json!({ "is": "a" }));
    fixture.put("b", &json!({ "is": "b" }));
    let text = fixture.try_ask("v", "include_docs=true&startkey_docid=b&startkey=1").unwrap();
    let rows = serde_json::Deserializer::from_str(&text[text.find('{').unwrap()..]).into_iter::<Value>();
    let documents: Vec<Value> = rows.map(|row| row.unwrap()["doc"]["is"].clone()).collect();
    assert_eq!(documents, [json!("a"), Value::Null, Value::Null, Value::Null, Value::Null, json!("a"), json!("b")]);
}

#[test]
fn design_documents_are_indexed_when_they_ask_for_it() {
    let views = json!({ "v": { "map": "function (doc) { emit(doc._local_seq); }" } });
    for (options, expected) in [
        (json!({}), "1 0 a:null=null"),
        (json!({ "include_design": true, "local_seq": true }), "2 0 _design/d:1=null a:2=null"),
    ] {
        let fixture = Fixture::new(&json!({ "views": views, "options": options }));
        fixture.put("_design/d", &json!({ "views": {} }));
        fixture.put("a", &json!({}));
        assert_eq!(fixture.ask("v", ""), expected);
    }
}

#[test]
fn raw_views_have_the_order_of_erlang() {
    let view = json!({ "map": "function (doc) { emit(doc.k); }", "options": { "collation": "raw" } });
    let fixture = Fixture::new(&json!({ "views": { "v": view } }));
    for (id, key) in [("a", json!("a")), ("b", json!("B")), ("c", json!(null)), ("d", json!(1)), ("e", json!({}))] {
        fixture.put(id, &json!({ "k": key }));
    }
    assert_eq!(fixture.ask("v", ""), r#"5 0 d:1=null c:null=null e:{}=null b:"B"=null a:"a"=null"#);
}

#[test]
fn an_index_outlives_its_views_and_is_cleaned_away() {
    let fixture = letters();
    fixture.ask("by", "");
    let again = Views::new();
    let info = again.info(&fixture.database, &fixture.group).unwrap();
    assert_eq!((info["update_seq"].as_u64(), info["updates_pending"]["total"].as_u64()), (Some(6), Some(0)));
    assert_eq!(info["signature"], fixture.group.signature);
    fixture.views.clean(&fixture.database, std::slice::from_ref(&fixture.group.signature)).unwrap();
    assert!(fixture.ask("by", "update=false").starts_with("6 0 "));
    fixture.views.clean(&fixture.database, &[]).unwrap();
    assert!(fixture.ask("by", "update=false").starts_with("0 0 "));
    assert!(fixture.ask("by", "").starts_with("6 0 "));
}

#[test]
fn many_rows_are_reduced_in_pieces() {
    let sum = "function (keys, values) { return sum(values); }";
    let fixture = Fixture::new(&json!({ "views": {
        "v": { "map": "function (doc) { for (var i = 0; i < 300; i++) { emit([i % 7, i], 1); } }", "reduce": sum },
        "rows": { "map": "function (doc) { for (var i = 0; i < 300; i++) { emit([i % 7, i], 1); } }" },
    } }));
    for number in 0..5 {
        fixture.put(&format!("{number}"), &json!({}));
    }
    assert_eq!(fixture.ask("v", ""), "null=1500");
    assert_eq!(fixture.ask("v", "group_level=1&limit=2"), "[0]=215 [1]=215");
    assert_eq!(fixture.ask("v", "group=true").matches("=5").count(), 300);
    assert_eq!(fixture.ask("rows", "startkey=[3,3]&limit=1"), "1500 645 0:[3,3]=1");
    let forwards = fixture.ask("rows", "");
    let mut backwards: Vec<_> = forwards.split(' ').skip(2).collect();
    backwards.reverse();
    assert_eq!(fixture.ask("rows", "descending=true"), format!("1500 0 {}", backwards.join(" ")));
}

#[test]
fn a_reduce_that_gives_back_too_much_has_its_error_in_the_row() {
    let fixture = Fixture::new(&json!({ "views": { "v": {
        "map": "function (doc) { emit(1, 1); }",
        "reduce": "function () { return 'x'.repeat(10000); }",
    } } }));
    fixture.put("a", &json!({}));
    let row = fixture.try_ask("v", "").unwrap();
    assert!(
        row.starts_with(r#"{"key":null,"error":"reduce_overflow_error","reason":"Reduce output must shrink"#),
        "{row}"
    );
}

#[test]
fn what_is_nested_too_deeply_is_left_out() {
    let map = "function (doc) { var deep = '\\\\\"[['; for (var i = 0; i < 200; i++) { deep = [deep]; }
        emit(deep, 1); emit(1, deep); emit(2, '\\\\\"' + '['.repeat(200)); }";
    let fixture = Fixture::new(&json!({ "views": { "v": { "map": map } } }));
    fixture.put("a", &json!({}));
    assert!(fixture.ask("v", "").starts_with("1 0 a:2="));
}

#[test]
fn what_cannot_be_built_is_an_error() {
    let broken = Fixture::new(&json!({ "views": { "v": { "map": "function (doc) {" } } }));
    broken.put("a", &json!({}));
    assert_eq!(broken.try_ask("v", "").unwrap_err().error, "compilation_error");
    let foreign = Fixture::new(&json!({ "language": "nope", "views": { "v": { "map": "x" } } }));
    foreign.put("a", &json!({}));
    let failure = foreign.try_ask("v", "").unwrap_err();
    assert_eq!((failure.error.as_str(), failure.reason.as_deref()), ("unknown_query_language", Some("nope")));
}

/// After the machine lost its power the database may have lost writes that its index has.
#[test]
fn an_index_that_is_ahead_of_its_database_is_built_again() {
    let fixture = letters();
    let before = fixture.ask("by", "");
    let path = fixture.database.index_folder().join(format!("{}.view", fixture.group.signature));
    let index = rusqlite::Connection::open(path).unwrap();
    index.execute("update state set value = 100 where name = 'sequence'", []).unwrap();
    index.execute("update rows set value = 'null'", []).unwrap();
    assert_eq!(fixture.ask("by", ""), before);
}

#[test]
fn a_damaged_index_is_built_again() {
    let mut fixture = letters();
    let before = fixture.ask("by", "");
    let path = fixture.database.index_folder().join(format!("{}.view", fixture.group.signature));
    fixture.views = Views::new();
    for text in ["x".repeat(10_000), format!("SQLite format 3\0{}", "x".repeat(10_000))] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(fixture.ask("by", ""), before);
        fixture.views = Views::new();
    }
}

/// What is too large or too small for a double in CouchDB is told apart all the same.
#[test]
fn views_after_an_odd_number_are_part_of_the_signature() {
    let group = |map: &str| {
        let views = json!({ "a": { "map": "a", "options": { "x": "ODD" } }, "b": { "map": map } });
        let text = json!({ "views": views }).to_string().replace("\"ODD\"", "1e-320");
        Group::new("_design/x", &serde_json::from_str(&text).unwrap()).signature
    };
    assert_ne!(group("function (doc) { emit(1) }"), group("function (doc) { emit(2) }"));
}

/// CouchDB answers 500 as well.
#[test]
fn a_sum_beyond_all_doubles_is_an_error() {
    let fixture = letters();
    for id in ["g", "h"] {
        fixture.put(id, &json!({ "k": "z", "v": 1e308 }));
    }
    assert_eq!(fixture.try_ask("sum", "key=\"z\"").unwrap_err().status, 500);
}

#[test]
fn the_index_of_a_deleted_database_is_not_made_again() {
    let fixture = letters();
    fixture.store.delete("views").unwrap();
    assert_eq!(fixture.try_ask("by", "").unwrap_err().status, 404);
    assert!(Index::open(&fixture.database.index_folder().join("x.view"), 1, Vec::new()).is_err());
    assert!(!fixture.database.index_folder().exists());
}

#[test]
fn large_rows_come_in_small_pages() {
    let fixture = Fixture::new(&json!({ "views": { "v": { "map":
        "function (doc) { var text = new Array(1e6).join('x'); emit(1, 1 + text); emit(1, 2 + text); emit(2, text); }"
    } } }));
    ["a", "b", "c", "d", "e"].iter().for_each(|id| fixture.put(id, &json!({})));
    for (query, expected) in [
        ("", "a1 a2 b1 b2 c1 c2 d1 d2 e1 e2 ax bx cx dx ex"),
        ("descending=true", "ex dx cx bx ax e1 e2 d1 d2 c1 c2 b1 b2 a1 a2"),
    ] {
        let parameters = Parameters::of_query(&Query::parse(query)).unwrap();
        let answer = fixture.views.ask(&fixture.database, &fixture.functions, &fixture.group, "v", &parameters);
        let (answer, mut told) = (answer.unwrap(), Vec::new());
        for row in answer.rows() {
            let super::Row::Mapped(row) = row.unwrap() else { panic!() };
            told.push(format!("{}{}", row.entry.id, &row.entry.value[1..2]));
        }
        assert_eq!(told.join(" "), expected, "{query}");
    }
}
