use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Entry {
    name: String,
    role: String,
    source: String,
    couchdb: Value,
    check: String,
}

fn table() -> Vec<Entry> {
    serde_json::from_str(include_str!("../../fixtures/functions.json")).unwrap()
}

/// A design document in which `source` has the role.
fn body(role: &str, source: &str) -> Object {
    let body = match role {
        "map" => json!({ "views": { "v": { "map": source } } }),
        "reduce" => json!({ "views": { "v": { "map": "function (doc) {}", "reduce": source } } }),
        "show" => json!({ "shows": { "f": source } }),
        "list" => json!({ "lists": { "f": source } }),
        "update" => json!({ "updates": { "f": source } }),
        "filter" => json!({ "filters": { "f": source } }),
        "rewrite" => json!({ "rewrites": source }),
        "validate_doc_update" => json!({ "validate_doc_update": source }),
        "module" => json!({ "lib": { "m": source }, "shows": { "f": "function () { return require('lib/m').a }" } }),
        other => panic!("{other}"),
    };
    body.as_object().unwrap().clone()
}

/// How often a law is tried: `COUCHAPP_CASES` times, always with the same texts.
#[allow(clippy::disallowed_methods, reason = "the number of cases is no setting of the program")]
pub(super) fn laws() -> proptest::prelude::ProptestConfig {
    proptest::prelude::ProptestConfig {
        cases: std::env::var("COUCHAPP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64),
        rng_seed: proptest::test_runner::RngSeed::Fixed(2_010),
        failure_persistence: None,
        ..Default::default()
    }
}

fn check_as(role: &str, source: &str) -> Vec<Problem> {
    check(&body(role, source), &|_| None)
}

fn map(source: &str) -> Vec<Problem> {
    check_as("map", source)
}

#[test]
fn our_verdicts_are_those_of_couchdb() {
    let table = table();
    assert!(table.len() >= 60, "{}", table.len());
    let mut wrong = Vec::new();
    for entry in &table {
        let problems = check_as(&entry.role, &entry.source);
        let worst = problems.iter().map(|problem| problem.severity).max();
        let verdict = match worst {
            None => "clean",
            Some(Severity::Warning) => "warning",
            Some(Severity::Error) => "error",
        };
        if verdict != entry.check {
            let messages: Vec<String> = problems.iter().map(ToString::to_string).collect();
            wrong.push(format!("{}: {verdict}, not {}: {messages:?}", entry.name, entry.check));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_differs_from_couchdb_only_where_it_says_why() {
    // Only running the text would tell, or nobody means it.
    let deliberate = ["call that gives a number", "module that ends its wrapper"];
    for entry in table() {
        let accepted = entry.couchdb == "accepted";
        let agrees = match entry.check.as_str() {
            "clean" => accepted,
            "error" => !accepted,
            _ => true,
        };
        assert!(agrees || deliberate.contains(&entry.name.as_str()), "{}", entry.name);
    }
}

#[test]
fn every_problem_is_located_and_readable() {
    for entry in table() {
        for problem in check_as(&entry.role, &entry.source) {
            let name = &entry.name;
            let lines = entry.source.split(['\n', '\r']).count();
            assert!(problem.line >= 1 && problem.line <= lines, "{name}: {problem}");
            let shown = problem.source_line.as_deref().unwrap();
            assert!(problem.column >= 1 && problem.column <= shown.chars().count() + 1, "{name}: {problem}");
            assert!(!problem.message.is_empty() && !problem.message.ends_with('.'), "{name}: {problem}");
            assert!(
                !problem.message.starts_with(|first: char| first.is_ascii_uppercase())
                    || problem.message.starts_with("CouchDB")
                    || problem.message.starts_with("U+"),
                "{name}: {problem}"
            );
        }
    }
}

#[test]
fn old_syntax_is_called_by_its_name() {
    let cases = [
        ("function (doc) {\n  for each (var x in doc) emit(x);\n}", "`for each`", 2, 3),
        ("function (doc) {\n  var x = <p>don't {doc.a}</p>;\n}", "E4X", 2, 11),
        ("function (doc) { return xml..title }", "E4X", 1, 28),
        ("function (doc) { var f = function (x) x * x; }", "expression closures", 1, 26),
        ("function (doc) { emit([x for (x in doc)]); }", "array comprehensions", 1, 26),
        ("function (doc) { let (a = 1) { emit(a); } }", "`let (…)` blocks", 1, 18),
        ("function (doc) { var a = #1={b: #1#}; }", "sharp variables", 1, 26),
        ("function (doc) {\n function g() {\n yield 1 } }", "`yield` outside", 3, 2),
        ("function (doc) { try {} catch (e if e.a) {} }", "conditional `catch", 1, 25),
    ];
    for (source, construct, line, column) in cases {
        let problems = map(source);
        assert_eq!(problems.len(), 1, "{source}");
        assert!(problems[0].message.starts_with("CouchDB 3 no longer reads "), "{}", problems[0]);
        assert!(problems[0].message.contains(construct), "{}", problems[0]);
        assert_eq!((problems[0].line, problems[0].column), (line, column), "{}", problems[0]);
    }
}

#[test]
fn problems_stand_where_the_text_is_wrong() {
    let cases = [
        ("function (doc) {\n  emit(doc.a\n  var x;\n}", 3, 3, "unexpected token"),
        ("function (doc) {\r\n  emit(1);\r\n  var = 3;\r\n}", 3, 7, ""),
        ("// été\rfunction (doc) { é = ; }", 2, 22, ""),
        ("\u{feff}function (doc) { x = ; }", 1, 23, ""),
        ("function (doc) { x = ; }", 1, 22, ""),
        ("function map(doc) {\n}", 1, 1, "remove the name `map`"),
        ("function h() {}\nfunction map(doc) {}", 2, 1, "remove the name `map`"),
        ("function (a) {}\nfunction (b) {}", 1, 1, "only the last function may go without a name"),
        ("function (doc) {\n  if (doc.a) {\n    emit(1);\n}", 1, 16, "never closed"),
        ("function (doc) {\n  emit(1);\n}}", 3, 2, "closes nothing"),
        ("function (doc) {\n  emit('abc);\n}", 2, 8, "string never ends"),
        ("function (doc) {}\n/* abc", 2, 1, "comment never ends"),
        ("var f = function () {};\n5", 2, 1, "a number is no function"),
        ("import a from 'b'; function (doc) {}", 1, 1, "ES modules"),
        ("function (doc) { \0 }", 1, 18, "NUL"),
        ("#!/usr/bin/env node\nfunction (doc) {}", 1, 1, "`#!`"),
        ("function (doc) {\n  /a/.test(/(b/);\n}", 2, 12, "this regular expression is wrong: "),
        ("module.exports = function (doc) {}", 1, 1, "`module` is not defined"),
    ];
    for (source, line, column, message) in cases {
        let problems = map(source);
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        assert_eq!((problems[0].line, problems[0].column), (line, column), "{source}: {}", problems[0]);
        assert!(problems[0].message.contains(message), "{source}: {}", problems[0]);
    }
}

#[test]
fn a_problem_names_member_and_file() {
    let body = json!({
        "views": { "a": { "map": "function (doc) {\n  emit(;\n}" } },
        "lists": { "b": "5" },
    });
    let sources = |member: &[String]| (member[0] == "views").then(|| "views/a/map.js".to_owned());
    let problems = check(body.as_object().unwrap(), &sources);
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0].member, ["views", "a", "map"]);
    assert_eq!(problems[0].file.as_deref(), Some("views/a/map.js"));
    assert_eq!(problems[0].source_line.as_deref(), Some("  emit(;"));
    assert!(problems[0].to_string().starts_with("views/a/map.js:2:8: "), "{}", problems[0]);
    assert!(problems[1].to_string().starts_with("lists.b:1:1: "), "{}", problems[1]);
}

#[test]
fn source_lines_cannot_steer_a_terminal_and_stay_short() {
    let problems = map("function (doc) { x = ; /* \u{1b}[2J\t\u{202e} */ }");
    assert_eq!(problems[0].source_line.as_deref(), Some("function (doc) { x = ; /* \u{fffd}[2J\t\u{fffd} */ }"));
    let long = format!("function (doc) {{ {} x = ; }}", "a = 1; ".repeat(100));
    assert_eq!(map(&long)[0].source_line, None);
}

#[test]
fn hostile_texts_end_in_an_answer() {
    let megabyte = format!("function (doc) {{\n{}}}", "  emit(doc._id, [1, 'a', /b/, `c${1}`]);\n".repeat(25_000));
    assert_eq!(map(&megabyte), []);
    let deep = [
        format!("function (doc) {{ return {}1{} }}", "(".repeat(100_000), ")".repeat(100_000)),
        "[".repeat(1_000_000),
        "{".repeat(1_000_000),
        "`${".repeat(400_000),
        "(/[".repeat(400_000),
        "/* ".repeat(400_000),
        "function (doc) {} ".repeat(30_000),
        "yield 1 * ".repeat(100_000),
        format!("function (doc) {{ return {}1 }}", "!".repeat(1_000_000)),
        format!("{}1", "x=>".repeat(300_000)),
        format!("{} 1", "if(1)".repeat(300_000)),
        format!("{} 1", "do ".repeat(300_000)),
    ];
    for source in &deep {
        let problems = map(source);
        assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "{}", &source[..30]);
    }
    let wide = [
        format!("if (1) ;{} function (doc) {{}}", "else if (1) ;".repeat(1_000)),
        format!("{}(function (doc) {{}})", (0..300).map(|label| format!("a{label}: ")).collect::<Vec<_>>().concat()),
        format!("function (doc) {{ return {}1 }}", "1 + ".repeat(100_000)),
        format!("({}function (doc) {{}})", "1, ".repeat(100_000)),
        format!("f{}", " = f".repeat(1_000)),
    ];
    for source in &wide {
        let errors: Vec<_> = map(source).into_iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(errors, [], "{}", &source[..30]);
    }
}

#[test]
fn brackets_may_nest_as_deep_as_couchdb_reads_them() {
    let nest = |open: &str, close: &str, depth: usize| format!("x => {}1{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [("[", "]"), ("(", ")"), ("({a: ", "})"), ("(function () {", "})")] {
        let brackets = open.matches(['(', '[', '{']).count() - open.matches(')').count();
        assert_eq!(map(&nest(open, close, token::MAXIMUM_DEPTH / brackets)), [], "{open}");
        assert_eq!(map(&nest(open, close, token::MAXIMUM_DEPTH / brackets + 1)).len(), 1, "{open}");
    }
}

proptest::proptest! {
    #![proptest_config(laws())]

    #[test]
    fn any_text_is_judged(source in "(function|var|let|for each|yield|=>|\\?\\.|async|class|<a>|#1=|`|\\$\\{|/|'|[(){}\\[\\];:,=.x1 \n\r\u{0}é]){0,24}") {
        for role in ["map", "module"] {
            for problem in check_as(role, &source) {
                proptest::prop_assert!(problem.line >= 1 && problem.column >= 1);
            }
        }
    }
}
