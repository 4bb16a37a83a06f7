use serde_json::json;

use super::*;

fn problems(body: &Value) -> Vec<Problem> {
    let sources = |member: &[String]| {
        let file = member.join("/");
        Some(if file.ends_with("html") { file } else { format!("{file}.js") })
    };
    super::super::check(body.as_object().unwrap(), &sources)
}

fn summary(body: &Value) -> Vec<String> {
    let severity = |problem: &Problem| if problem.severity == Severity::Error { "error" } else { "warning" };
    problems(body).iter().map(|problem| format!("{} {}", problem.member.join("."), severity(problem))).collect()
}

#[test]
fn every_kind_of_function_is_found() {
    let bad = "function (";
    let body = json!({
        "_id": "_design/a",
        "language": "javascript",
        "views": {
            "a": { "map": bad, "reduce": bad, "options": { "x": bad } },
            "b": { "map": "function (doc) {}", "reduce": "_sum" },
            "c": bad,
        },
        "validate_doc_update": bad,
        "shows": { "s": bad, "nested": { "n": bad } },
        "lists": { "l": bad },
        "updates": { "u": bad },
        "filters": { "f": bad },
        "rewrites": bad,
        "fulltext": { "t": { "index": bad } },
        "spatial": { "p": bad },
        "couchapp": { "objects": { "o": bad } },
        "other": bad,
    });
    let found = [
        "views.a.map",
        "views.a.reduce",
        "validate_doc_update",
        "shows.s",
        "lists.l",
        "updates.u",
        "filters.f",
        "rewrites",
    ];
    assert_eq!(summary(&body), found.map(|member| format!("{member} error")));
    assert_eq!(summary(&json!({ "rewrites": [{ "from": "a", "to": "b" }], "shows": [], "views": "x" })), [""; 0]);
}

#[test]
fn only_javascript_is_judged() {
    for language in [json!("query"), json!("erlang"), json!("coffeescript"), json!(5), json!("")] {
        assert_eq!(summary(&json!({ "language": language, "shows": { "s": "5" } })), [""; 0]);
    }
    assert_eq!(summary(&json!({ "language": "javascript", "shows": { "s": "5" } })), ["shows.s error"]);
    assert_eq!(
        summary(&json!({ "language": "javascript\n", "shows": { "s": "5" } })),
        ["language warning", "shows.s error"]
    );
}

#[test]
fn builtin_reduces_are_known() {
    let reduce = |source: &str| summary(&json!({ "views": { "v": { "map": "function (doc) {}", "reduce": source } } }));
    for source in ["_sum", "_count\n", "_stats", "_approx_count_distinct", "_first", "_last", "_top_5", "_bottom_100"] {
        assert_eq!(reduce(source), [""; 0], "{source}");
    }
    for source in ["_sumx", "_average", "_top_", "_top_0", "_top_101", "_", "_sum _count"] {
        assert_eq!(reduce(source), ["views.v.reduce warning"], "{source}");
    }
    assert_eq!(reduce("\n_sum"), ["views.v.reduce error"]);
}

#[test]
fn required_modules_are_followed() {
    let body = json!({
        "lib": {
            "a": "var b = require('./deep/b'), c = require('lib/c');",
            "c": "exports.x = ;",
            "template": { "page.html": "<h1>don't</h1>" },
            "unused": "exports.y = ;",
            "deep": { "b": "require('../d'); require('./b'); // a circle", },
            "d": "for each (x in y) {}",
        },
        "shows": { "s": "function () { var a = require(\"lib/a\"); }", "t": "function () { return require('lib/c') }" },
    });
    // `lib/c` is broken for both, told once; what nothing requires only warns; a template is no module.
    assert_eq!(summary(&body), ["lib.c error", "lib.d error", "lib.unused warning"]);
}

#[test]
fn requires_that_find_nothing_are_warned_of() {
    let body = json!({
        "views": {
            "lib": { "m": "exports.a = 1;" },
            "v": {
                "map": "function (doc) { require('views/lib/m'); require('lib/m'); require('views/lib/n'); }",
                "reduce": "function () { require('views/lib/m') }",
            },
        },
        "lib": { "m": "require('../x'); require('./m'); require('/m')", "object": {} },
        "shows": {
            "a": "function () { require('lib/m'); require('./lib/m'); require('lib/object'); require('lib/none'); }",
            "b": "function () { x.require('none'); require(name); require('a' + b); /* require('none') */ }",
        },
    });
    assert_eq!(
        summary(&body),
        [
            "views.v.map warning",
            "views.v.map warning",
            "views.v.reduce warning",
            "shows.a warning",
            "shows.a warning",
            "shows.a warning",
            "lib.m warning",
            "lib.m warning",
        ]
    );
}

#[test]
fn paths_are_resolved_by_the_rule_of_couchdb() {
    let body = json!({ "a": { "b": { "c": "1", "d": { "e": "2" } }, "f": "3" }, "g": "4" });
    let body = body.as_object().unwrap();
    let folder =
        |text: &str| -> Vec<String> { text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect() };
    let found = [
        (None, "a/b/c", "a/b/c"),
        (None, "g", "g"),
        (None, "a/b/../f", "a/f"),
        (None, "a/./b/c", "a/b/c"),
        (Some("a/b"), "./c", "a/b/c"),
        (Some("a/b"), "./d/e", "a/b/d/e"),
        (Some("a/b"), "../f", "a/f"),
        (Some("a/b/d"), "../c", "a/b/c"),
        (Some("a/b/d"), "a/f", "a/f"),
    ];
    for (start, name, expected) in found {
        assert_eq!(resolve(body, start.map(folder).as_deref(), name), Ok(folder(expected)), "{name}");
    }
    let missing = [
        (None, "./g"),
        (None, "../g"),
        (None, "a/../g"),
        (None, "a"),
        (None, "a/"),
        (None, ""),
        (None, "g/length"),
        (Some("a"), "../g"),
        (Some(""), "./g"),
    ];
    for (start, name) in missing {
        assert!(resolve(body, start.map(folder).as_deref(), name).is_err(), "{name}");
    }
}
