use super::*;

use serde_json::json;

fn functions() -> Functions {
    // So little memory that it is used up long before the time is, however busy the machine.
    Functions::new(Limits { time: Duration::from_secs(2), memory: 8 << 20, workers: 2, ..Limits::default() })
}

fn design(value: Value) -> Design {
    let Value::Object(mut document) = value else { panic!("no object") };
    document.insert("_id".to_owned(), json!("_design/t"));
    Design::new(&document)
}

fn request() -> String {
    json!({ "method": "GET", "query": {}, "headers": {}, "path": ["db", "_design", "t", "_show", "f"] }).to_string()
}

fn show(source: &str, document: Option<&str>, request: &str) -> Result<Value, FunctionError> {
    let design = design(json!({ "shows": { "f": source } }));
    functions().show(&design, "f", document, request).map(|told| serde_json::from_str(&told).unwrap())
}

/// What CouchDB 3.5 answered to each of these (status, error, reason); the reason may go on with the engine's own words.
#[test]
fn shows_fail_as_in_couchdb() {
    let cases = [
        (
            "throw({forbidden:'no'})",
            500,
            "render_error",
            "function raised error: ({forbidden:\"no\"}) \nstacktrace: undefined",
        ),
        ("throw(['error','foo','bar'])", 500, "foo", "bar"),
        ("throw(['fatal','foo','bar'])", 500, "foo", "bar"),
        ("throw(['error','not_found','bar'])", 404, "not_found", "bar"),
        ("throw('x')", 500, "render_error", "function raised error: (new String(\"x\")) \nstacktrace: undefined"),
        ("throw(5)", 500, "render_error", "function raised error: (new Number(5)) \nstacktrace: undefined"),
        ("throw({a:1})", 500, "render_error", "function raised error: ({a:1}) \nstacktrace: undefined"),
        ("throw(null)", 500, "TypeError", "{[]}"),
        ("throw(new Error('hey'))", 500, "render_error", "function raised error: (new Error(\"hey\", \"<unknown>\", "),
        ("throw({error:'teapot',reason:'short'})", 500, "teapot", "short"),
        ("return 5", 500, "render_error", "undefined response from show function"),
        ("while (1) {}", 500, "os_process_error", "OS process timed out."),
        ("try { while (1) {} } catch (e) {} finally { return 'x' }", 500, "os_process_error", "OS process timed out."),
        ("var a = []; while (1) a.push({ a: 'x' + a.length })", 500, "os_process_error", "{exit_status,1}"),
        ("var s = 'x'; while (1) s += s", 500, "", ""),
        ("function f() { return f() + 1 } f()", 500, "os_process_error", "{exit_status,139}"),
        ("return require('lib/nope')", 500, "invalid_require_path", "Object has no property \"lib\". {"),
        ("return /(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab')", 500, "", ""),
    ];
    for (body, status, error, reason) in cases {
        let told = show(&format!("function (doc, req) {{ {body} }}"), Some("{}"), &request()).unwrap_err();
        assert_eq!(told.status, status, "{body}: {told}");
        assert!(error.is_empty() || told.error == error, "{body}: {told}");
        assert!(told.reason.starts_with(reason), "{body}: {told}");
    }
}

#[test]
fn shows_answer_as_in_couchdb() {
    let cases = [
        ("return 'x'", json!({ "body": "x" })),
        ("", json!({})),
        ("return {code: 418, body: 'x'}", json!({ "code": 418, "body": "x" })),
        ("start({a: 1}); send('a'); send(1); return 'b'", json!({ "body": "a1b", "headers": { "a": 1 } })),
        (
            "provides('html', function () { return '<b>' }); provides('json', function () { return '{}' })",
            json!({ "body": "<b>", "headers": { "Content-Type": "text/html; charset=utf-8" } }),
        ),
        (
            "return {json: [doc.tags instanceof Array, isArray(doc.tags), Array.isArray(doc.tags), doc instanceof Object]}",
            json!({ "json": [false, true, true, false] }),
        ),
        (
            "return {json: [typeof emit, typeof sum, typeof toJSON, typeof getRow, typeof log, typeof require, this._id]}",
            json!({ "json": ["function", "function", "function", "function", "function", "function", "_design/t"] }),
        ),
        ("return 'é\\ud800x' + '\\\\ud800'", json!({ "body": "é\u{fffd}x\\ud800" })),
    ];
    for (body, expected) in cases {
        let told = show(&format!("function (doc, req) {{ {body} }}"), Some("{\"tags\":[1]}"), &request());
        assert_eq!(told, Ok(expected), "{body}");
    }
    let told = show("function (doc, req) { return doc.x }", None, &request()).unwrap_err();
    assert_eq!(told.error, "render_error");
    let path = json!({ "method": "GET", "path": ["db", "_design", "t", "_show", "f", "none"] }).to_string();
    let told = show("function (doc, req) { return doc.x }", None, &path).unwrap_err();
    assert_eq!((told.status, told.reason.as_str()), (404, "document not found"));
}

#[test]
fn the_best_type_is_provided() {
    let source = "function (doc, req) { provides('html', function () { return 'h' }); \
        provides('json', function () { return 'j' }); provides('xml', function () { return 'x' }) }";
    let cases = [
        (json!({}), json!({}), Ok("h")),
        (json!({ "Accept": "application/json" }), json!({}), Ok("j")),
        (json!({ "Accept": "text/html;q=0.1,application/json" }), json!({}), Ok("j")),
        (json!({ "Accept": "application/xml" }), json!({}), Ok("x")),
        (json!({ "Accept": "*/*" }), json!({}), Ok("h")),
        (json!({}), json!({ "format": "json" }), Ok("j")),
        (
            json!({ "Accept": "image/png" }),
            json!({}),
            Err("Content-Type image/png not supported, try one of: application/xml, text/xml, application/x-xml, \
                 application/json, text/x-json, text/html; charset=utf-8"),
        ),
    ];
    for (headers, query, expected) in cases {
        let request = json!({ "method": "GET", "path": [], "headers": headers, "query": query }).to_string();
        let told = show(source, Some("{}"), &request);
        match expected {
            Ok(body) => assert_eq!(told.unwrap()["body"], body, "{headers}"),
            Err(reason) => assert_eq!(told.unwrap_err(), FunctionError::new("not_acceptable", reason)),
        }
    }
}

/// The forms that CouchDB takes for a function, and what it says to others.
#[test]
fn functions_have_many_forms() {
    let good = [
        "// hello\nfunction(d, r) { return 'ok' }",
        "/* a */ (function (d, r) { return 'ok' })",
        "function h() { return 'ok' }\nfunction (d, r) { return h() }",
        "function (d, r) { return 'ok' };",
        "var f = function () { return 'ok' }; f",
        "(d, r) => 'ok'",
    ];
    for source in good {
        assert_eq!(show(source, Some("{}"), &request()), Ok(json!({ "body": "ok" })), "{source}");
    }
    let bad = ["'abc'", "function foo(d, r) { return 'ok' };", "function f() { return f() }"];
    for source in bad {
        let reason = format!("Expression does not eval to a function. ({source})");
        assert_eq!(show(source, Some("{}"), &request()), Err(FunctionError::new("compilation_error", reason)));
    }
    let told = show("function (d, r) { return (", None, &request()).unwrap_err();
    assert_eq!(told.error, "compilation_error");
    assert_eq!(
        told.reason,
        "(new Error(\"Line 1: Unexpected end of input\", \"./share/server/main.js\", 1)) (function (d, r) { return ()"
    );
    let told = show("", None, &request()).unwrap_err();
    assert_eq!((told.status, told.reason.as_str()), (404, "missing shows function f on design doc _design/t"));
    for source in ["[".repeat(300_000), format!("function () {{ {} }}", "!".repeat(300_000))] {
        assert!(show(&source, None, &request()).is_err());
    }
}

#[test]
fn modules_require_each_other() {
    let design = design(json!({
        "lib": {
            "a": "exports.x = require('./b').y + 1", "b": "module.exports = {y: 41}",
            "deep": { "c": "exports.z = require('../b').y + require('lib/a').x" },
            "thrower": "throw(new Error('hu'))",
            "one": "exports.a = 1; exports.two = require('./two').b", "two": "exports.b = typeof require('./one').a",
        },
        "shows": {
            "f": "function () { return {json: [require('lib/a').x, require('lib/b').y, require('lib/deep/c').z]} }",
            "circle": "function () { return {json: require('lib/one')} }",
            "thrower": "function () { return require('lib/thrower') }",
            "object": "function () { return require('lib') }",
        }
    }));
    let functions = functions();
    let told = functions.show(&design, "f", None, &request());
    assert_eq!(told.as_deref(), Ok("{\"json\":[42,41,83]}"));
    let told = functions.show(&design, "circle", None, &request());
    assert_eq!(told.as_deref(), Ok("{\"json\":{\"a\":1,\"two\":\"undefined\"}}"));
    let told = functions.show(&design, "thrower", None, &request()).unwrap_err();
    assert!(
        told.reason.starts_with("Module require('lib/thrower') raised error (new Error(\"hu\", \"<unknown>\""),
        "{told}"
    );
    let told = functions.show(&design, "object", None, &request()).unwrap_err();
    assert_eq!(told, FunctionError::new("invalid_require_path", "Must require a JavaScript string, not: object"));
}

/// What each function emitted.
type Pairs = Vec<Vec<(String, String)>>;

fn all(
    functions: &Functions,
    mapping: &Mapping,
    documents: Vec<String>,
) -> Result<Vec<Vec<Vec<Emitted>>>, FunctionError> {
    let mut rows = Vec::new();
    functions.map(mapping, documents, |more| {
        rows.extend(more);
        Ok::<_, FunctionError>(())
    })?;
    Ok(rows)
}

fn map(sources: &[&str], library: Option<&Value>, documents: &[Value]) -> Result<Vec<Pairs>, FunctionError> {
    let documents = documents.iter().map(Value::to_string).collect();
    let told = all(&functions(), &Mapping::new(sources, library), documents)?;
    let plain = |pairs: Vec<Emitted>| pairs.into_iter().map(|pair| (pair.key, pair.value)).collect();
    Ok(told.into_iter().map(|document| document.into_iter().map(plain).collect()).collect())
}

#[test]
fn maps_emit_as_in_couchdb() {
    let cases = [
        ("emit(doc._id, doc.n)", vec![("\"a\"", "1")]),
        ("if (doc.n == 1) doc.nope.x", vec![]),
        ("emit(1, 1); throw({forbidden: 'x'})", vec![]),
        ("doc.n = 5; emit(doc.n, undefined)", vec![("1", "null")]),
        ("var a = []; emit(1, a); a.push(2)", vec![("1", "[2]")]),
        ("emit(2, new Error('x'))", vec![("2", "{\"error\":\"Error\",\"message\":\"x\"}")]),
        ("emit(function () {}, NaN)", vec![("null", "null")]),
        ("emit('\\ud800', new Date(0))", vec![("\"\u{fffd}\"", "\"1970-01-01T00:00:00.000Z\"")]),
        ("emit(); emit(['a\\n\\t'], {})", vec![("null", "null"), ("[\"a\\n\\t\"]", "{}")]),
        ("emit(require('views/lib/x').a, typeof this)", vec![("1", "\"object\"")]),
        ("emit(require('./views/lib/x').a, 1)", vec![]),
        ("emit(isArray(doc.t), sum(doc.t))", vec![("true", "3")]),
    ];
    let library = json!({ "x": "exports.a = 1" });
    for (body, expected) in cases {
        let sources = [format!("function (doc) {{ {body} }}"), "function (doc) { emit(doc.n) }".to_owned()];
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let told = map(&sources, Some(&library), &[json!({ "_id": "a", "n": 1, "t": [1, 2] })]).unwrap();
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(told, [[expected, vec![("1".to_owned(), "null".to_owned())]]], "{body}");
    }
}

#[test]
fn maps_that_are_fatal_are_errors() {
    let cases = [
        ("throw('fatal_error')", "map_runtime_error", "function raised 'fatal_error'"),
        ("throw(['fatal', 'a', 'b'])", "a", "b"),
        ("var a = {}; a.a = a; emit(1, a)", "TypeError", "{[]}"),
        ("while (1);", "os_process_error", "OS process timed out."),
        ("function f() { return f() + 1 } f()", "os_process_error", "{exit_status,139}"),
        ("try { var s = []; while (1) s.push(s.join() + 'x') } catch (e) { throw e }", "os_process_error", ""),
    ];
    for (body, error, reason) in cases {
        let told = map(&[&format!("function (doc) {{ {body} }}")], None, &[json!({})]).unwrap_err();
        assert_eq!(told.error, error, "{body}: {told}");
        assert!(reason.is_empty() || told.reason == reason, "{body}: {told}");
    }
    assert_eq!(map(&["5"], None, &[json!({})]).unwrap_err().error, "compilation_error");
}

#[test]
fn many_documents_are_mapped_in_order() {
    let functions = functions();
    let mapping = Mapping::new(&["function (doc) { emit([doc.type, doc._id], doc.value) }"], None);
    let document =
        |n: u32| json!({ "_id": format!("{n:05}"), "type": "t", "tags": ["a", "b"], "value": n }).to_string();
    let told = all(&functions, &mapping, (0..3_000).map(document).collect()).unwrap();
    assert_eq!(told.len(), 3_000);
    for (n, told) in told.iter().enumerate() {
        let pair = &told[0][0];
        assert_eq!(
            (pair.key.as_str(), pair.value.as_str()),
            (format!("[\"t\",\"{n:05}\"]").as_str(), n.to_string().as_str())
        );
    }
}

#[test]
fn reduces_are_custom_or_limited() {
    let functions = functions();
    let input = || {
        vec![
            Reduction { keys: Some("[[\"a\",\"1\"],[\"b\",\"2\"]]".to_owned()), values: "[1,2]".to_owned() },
            Reduction { keys: None, values: "[3,4]".to_owned() },
        ]
    };
    let reduce = |source: &str| functions.reduce(source, input());
    assert_eq!(
        reduce("function (k, v, r) { return [k, sum(v), r] }").unwrap(),
        ["[[[\"a\",\"1\"],[\"b\",\"2\"]],3,false]", "[null,7,true]",]
    );
    assert_eq!(reduce("function (k, v, r) { throw('x') }").unwrap(), ["null", "null"]);
    assert_eq!(reduce("function (k, v, r) {}").unwrap(), ["null", "null"]);
    let told = reduce("function (k, v, r) { return 'x'.repeat(5000) }").unwrap();
    // CouchDB's line is `["reduce",["…"],[[["a","1"],1],[["b","2"],2]]]`.
    let length = "[\"reduce\",[\"\"],[[[\"a\",\"1\"],1],[[\"b\",\"2\"],2]]]".len();
    assert_eq!(
        told[0],
        format!(
            "{{\"reduce_overflow_error\":\"Reduce output must shrink more rapidly: input size: {length} output size: 5004\"}}"
        )
    );
}

#[test]
fn validations_refuse_and_consent() {
    let functions = functions();
    let validation = Validation {
        document: "{\"_id\":\"a\",\"n\":1}".to_owned(),
        before: None,
        user: "{\"name\":\"jan\",\"roles\":[]}".to_owned(),
        security: "{}".to_owned(),
    };
    let ask = |bodies: &[&str]| {
        let design = |body: &&str| {
            Arc::new(design(json!({ "validate_doc_update": format!("function (d, o, u, s) {{ {body} }}") })))
        };
        let designs: Vec<Arc<Design>> = bodies.iter().map(design).collect();
        functions.validate(&designs, &validation).map_err(|error| (error.status, error.error, error.reason))
    };
    assert_eq!(ask(&[]), Ok(()));
    assert_eq!(
        ask(&["return 5", "throw(1)", "throw('ok')", "if (d.n !== 1 || o !== null || u.name != 'jan') throw 'x'"]),
        Ok(())
    );
    let refused = |status, error: &str, reason: &str| Err((status, error.to_owned(), reason.to_owned()));
    assert_eq!(ask(&["", "throw({forbidden: 'no'})", "throw({unauthorized: 'no'})"]), refused(403, "forbidden", "no"));
    assert_eq!(ask(&["throw({unauthorized: 'no'})"]), refused(401, "unauthorized", "no"));
    assert_eq!(ask(&["d.x.y"]), refused(500, "TypeError", "{[]}"));
    assert_eq!(ask(&["throw(null)"]), refused(500, "TypeError", "{[]}"));
    assert_eq!(ask(&["throw(undefined)"]), refused(500, "TypeError", "{[]}"));
    assert_eq!(ask(&["throw(new Error('hey'))"]), refused(500, "Error", "{[]}"));
    assert_eq!(ask(&["while (1);"]), refused(500, "os_process_error", "OS process timed out."));
}

#[test]
fn filters_choose() {
    let functions = functions();
    let design = design(json!({
        "filters": { "n": "function (doc, req) { return doc.n && req.query.yes }", "bad": "function (d) { x.y }" },
        "views": { "v": { "map": "function (doc) { if (doc.n) emit(1) }" } },
    }));
    let documents = || vec!["{\"n\":1}".to_owned(), "{}".to_owned(), "{\"n\":\"x\"}".to_owned()];
    let request = "{\"query\":{\"yes\":\"1\"}}";
    assert_eq!(functions.filter(&design, "n", documents(), request), Ok(vec![true, false, true]));
    assert_eq!(functions.filter(&design, "n", documents(), "{\"query\":{}}"), Ok(vec![false; 3]));
    assert_eq!(functions.filter_by_view(&design, "v", documents()), Ok(vec![true, false, true]));
    let told = functions.filter(&design, "bad", documents(), request).unwrap_err();
    assert_eq!(told, FunctionError::new("ReferenceError", "{[]}"));
}

#[test]
fn updates_tell_what_is_written() {
    let functions = functions();
    let update = |body: &str, method: &str| {
        let design = design(json!({ "updates": { "f": format!("function (doc, req) {{ {body} }}") } }));
        let request = json!({ "method": method, "body": "b" }).to_string();
        functions.update(&design, "f", Some("{\"_id\":\"a\",\"n\":1}"), &request)
    };
    let told = update("doc.n++; return [doc, {json: {n: doc.n}}]", "POST").unwrap();
    assert_eq!(
        (told.document.as_deref(), told.response.as_str()),
        (Some("{\"_id\":\"a\",\"n\":2}"), "{\"json\":{\"n\":2}}")
    );
    let told = update("return [null, 'x']", "PUT").unwrap();
    assert_eq!((told.document, told.response.as_str()), (None, "{\"body\":\"x\"}"));
    assert_eq!(update("return ['abc', 'x']", "PUT").unwrap().document, None);
    assert_eq!(update("return [null, 5]", "PUT").unwrap_err().reason, "undefined response from update function");
    assert_eq!(
        update("return [null, 'x']", "GET").unwrap_err(),
        FunctionError::new("method_not_allowed", "Update functions do not allow GET")
    );
}

fn list(body: &str, rows: usize) -> (Vec<Piece>, Result<(), FunctionError>) {
    let design = design(json!({ "lists": { "f": format!("function (head, req) {{ {body} }}") } }));
    let mut rows = (0..rows).map(|n| Ok(format!("{{\"key\":{n}}}")));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut sink = |piece: Piece| {
        match (pieces.last_mut(), piece) {
            (_, Piece::NoMoreRows) => {}
            (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
            (_, piece) => pieces.push(piece),
        }
        true
    };
    let request = json!({ "headers": {}, "query": {} }).to_string();
    let told = functions().list(&design, "f", "{\"total_rows\":2}", &request, &mut rows, &mut sink);
    (pieces, told)
}

#[test]
fn lists_send_rows() {
    let begun = |head: &str| Piece::Start(head.to_owned());
    let text = |text: &str| Piece::Text(text.to_owned());
    let plain = "{\"headers\":{}}";
    let cases = [
        (
            "start({code: 203}); send('<'); var row; while (row = getRow()) send(row.key + ','); return '>'",
            vec![begun("{\"code\":203,\"headers\":{}}"), text("<0,1,>")],
        ),
        ("return JSON.stringify(head)", vec![begun(plain), text("{\"total_rows\":2}")]),
        ("", vec![begun(plain)]),
        ("getRow(); return 'early'", vec![begun(plain), text("early")]),
        (
            "getRow(); start({headers: {a: 1}}); send('z'); getRow(); return 'q'",
            vec![begun(plain), begun("{\"headers\":{\"a\":1}}"), text("zq")],
        ),
        (
            "provides('html', function () { send('<'); while (getRow()) send('r'); return '>' })",
            vec![begun("{\"headers\":{\"Content-Type\":\"text/html; charset=utf-8\"}}"), text("<rr>")],
        ),
        ("return 65", vec![begun(plain), text("A")]),
    ];
    for (body, expected) in cases {
        assert_eq!(list(body, 2), (expected, Ok(())), "{body}");
    }
    let (pieces, told) = list("var n = 0; while (getRow()) { n++; send('0123456789') } return '' + n", 1_000);
    assert_eq!(told, Ok(()));
    assert_eq!(pieces.last(), Some(&text(&("0123456789".repeat(1_000) + "1000"))));
}

#[test]
fn lists_fail_before_or_after_they_began() {
    let (pieces, told) = list("throw(['error', 'not_found', 'zip'])", 2);
    assert_eq!((pieces.len(), told), (0, Err(FunctionError::new("not_found", "zip"))));
    let (pieces, told) = list("send('a'); getRow(); send('b'); throw(['error', 'x', 'y'])", 2);
    assert_eq!(pieces.last(), Some(&Piece::Text("a".to_owned())));
    assert_eq!(told, Err(FunctionError::new("x", "y")));
    let (_, told) = list("getRow(); while (1);", 2);
    assert_eq!(told, Err(FunctionError::late()));
}

#[test]
fn a_list_ends_when_nobody_listens_or_rows_fail() {
    let functions = functions();
    let design = design(json!({ "lists": { "f": "function () { while (true) { send(getRow()) } }" } }));
    let mut rows = std::iter::repeat_with(|| Ok("1".to_owned()));
    let told = functions.list(&design, "f", "{}", "{}", &mut rows, &mut |_| false);
    assert_eq!(told.unwrap_err().error, "gone");
    let mut rows = std::iter::once(Err(FunctionError::new("broken", "rows")));
    let told = functions.list(&design, "f", "{}", "{}", &mut rows, &mut |_| true);
    assert_eq!(told, Err(FunctionError::new("broken", "rows")));
}

#[test]
fn rewrites_give_an_object_or_nothing() {
    let functions = functions();
    let rewrite = |body: &str| {
        functions
            .rewrite(&design(json!({ "rewrites": format!("function (req) {{ {body} }}") })), "{\"method\":\"GET\"}")
    };
    assert_eq!(rewrite("return 'a/b'"), Ok(Some("{\"path\":\"a/b\",\"method\":\"GET\"}".to_owned())));
    assert_eq!(rewrite("return {path: 'x'}"), Ok(Some("{\"path\":\"x\"}".to_owned())));
    assert_eq!(rewrite(""), Ok(None));
    assert_eq!(rewrite("throw({a: 1})").unwrap_err().error, "rewrite_error");
}

#[test]
fn an_exhausted_engine_does_no_harm_to_the_next_call() {
    let functions = functions();
    let design = design(json!({ "shows": {
        "bomb": "function () { var a = []; while (1) a.push('x'.repeat(1000) + a.length) }",
        "deep": "function () { var a = []; while (1) a = [a] }",
        "native": "function () { return [].reverse.call({length: 9e15}) }",
        "loop": "function () { while (1); }",
        "good": "function () { return 'fine' }",
    } }));
    for name in ["bomb", "loop", "deep", "bomb", "native", "loop"] {
        assert!(functions.show(&design, name, None, &request()).is_err(), "{name}");
        assert_eq!(functions.show(&design, "good", None, &request()).as_deref(), Ok("{\"body\":\"fine\"}"), "{name}");
    }
}

/// Functions that want the process down. Each may answer anything, in bounded time, and the next call gets its answer.
#[test]
fn hostile_functions_end() {
    let bodies = [
        "var s = 'x'; while (1) s += s",
        "return new Array(1e9).fill(0)",
        "eval('['.repeat(1e6))",
        "eval('function f(){'.repeat(1e5))",
        "eval('!'.repeat(1e6))",
        "JSON.parse('['.repeat(1e6))",
        "return 'a'.repeat(1e9)",
        "return new Uint8Array(1e9)",
        "var f = function () { try { f() } finally { f() } }; f()",
        "emit.constructor('while (1);')()",
        "emit.constructor('return this')().JSON.parse = null; Object.prototype.toJSON = function () { while (1); }; return {}",
        "throw new Proxy({}, { get: function () { throw 1 } })",
        "return new Proxy({}, { get: function () { while (1); } })",
        "(async function () { while (1); })()",
        "new RegExp('('.repeat(1e5))",
        "var a = {}; for (var i = 0; ; i++) a['k' + i] = i",
        "JSON.stringify(new Proxy([], { get: function () { return 1e9 } }))",
        "var a = []; a[0] = a; return {json: a}",
        "while (1) { try { while (1); } catch (e) {} }",
        "function* g() { while (1) yield 1 } return [...g()]",
        "var p = Promise.resolve(); (function f() { p.then(f) })(); return 'x'",
        "while (1) send('0123456789')",
        "return {body: { toString: null, toJSON: function () { throw {} } }}",
        "var l = 0; var o = {}; while (1) { o = { o: o, l: l++ } }",
        "return 'x'.padEnd(5e8) + 'y'.padEnd(5e8)",
        "return /(x+x+)+y/.test('x'.repeat(40))",
    ];
    let functions = functions();
    for body in bodies {
        let shows = json!({ "bad": format!("function () {{ {body} }}"), "good": "function () { return 'fine' }" });
        let design = design(json!({ "shows": shows }));
        let _ = functions.show(&design, "bad", None, &request());
        let told = functions.show(&design, "good", None, &request());
        // What a function does to the names of its own design document is its own affair.
        if !body.contains("JSON.parse = null") {
            assert_eq!(told.as_deref(), Ok("{\"body\":\"fine\"}"), "{body}");
        }
    }
}

#[test]
fn views_are_checked_when_they_are_written() {
    let functions = functions();
    let check = |views: Value| {
        let Value::Object(document) = json!({ "views": views }) else { panic!() };
        functions.check_views(&document).map_err(|error| (error.status, error.reason))
    };
    assert_eq!(check(json!({ "a": { "map": "function (d) {}", "reduce": "_sum" }, "lib": { "map": "x" } })), Ok(()));
    assert_eq!(
        check(json!({ "a": { "map": "5" } })),
        Err((
            400,
            "Compilation of the map function in the 'a' view failed: Expression does not eval to a function. (5)"
                .to_owned()
        ))
    );
    assert_eq!(check(json!({ "a": { "map": "" } })), Err((404, "missing function".to_owned())));
    for _ in 0..300 {
        assert_eq!(check(json!({ "a": { "map": "function (d) { emit(1) }" } })), Ok(()));
    }
}

#[test]
fn rows_are_given_on_before_they_are_many() {
    let functions = functions();
    let mapping = Mapping::new(&["function (doc) { emit(doc.n, new Array(1000001).join('x')) }"], None);
    let documents = || (0..20).map(|n| json!({ "_id": "d", "n": n }).to_string()).collect();
    let (mut pieces, mut keys) = (0, Vec::new());
    let take = |rows: Vec<Vec<Vec<Emitted>>>| {
        pieces += 1;
        keys.extend(rows.into_iter().map(|mut views| views[0].remove(0).key));
        Ok::<_, FunctionError>(())
    };
    functions.map(&mapping, documents(), take).unwrap();
    assert_eq!(keys, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(pieces >= 4, "{pieces}");
    // Who does not want more gets no more, and the next one is served.
    let refused = functions.map(&mapping, documents(), |_| Err(FunctionError::new("gone", "enough")));
    assert_eq!(refused, Err(FunctionError::new("gone", "enough")));
    assert_eq!(all(&functions, &mapping, vec!["{}".to_owned()]).unwrap().len(), 1);
}

#[test]
fn results_of_too_many_values_are_refused() {
    let told = show("function () { return { json: new Array(1500000).fill(0) }; }", None, &request());
    assert_eq!(told, Err(FunctionError::exhausted()));
}

/// What the issue asks of views: prints how long 20,000 small documents take.
#[test]
#[ignore = "a measurement"]
fn twenty_thousand_documents() {
    let functions = Functions::new(Limits::default());
    let mapping = Mapping::new(
        &["function (doc) { emit([doc.type, doc._id], doc.value); doc.tags.forEach(function (t) { emit(t) }) }"],
        None,
    );
    let document = |n: u32| {
        json!({ "_id": format!("{n:05}"), "_rev": "1-x", "type": "t", "tags": ["a", "b"], "value": n,
            "file": { "path": "a/b", "size": n, "content_type": "image/jpeg", "modified": "2010-09-19T11:47:23Z" } })
        .to_string()
    };
    let documents: Vec<String> = (0..20_000).map(document).collect();
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let told = all(&functions, &mapping, documents.clone()).unwrap();
        println!("{} documents: {:?}", told.len(), start.elapsed());
    }
}

/// The text of a function may do anything while it is checked, but not to those that are checked after it.
#[test]
fn what_is_checked_does_nothing_to_what_is_checked_later() {
    let functions = functions();
    let check = |source: &str| {
        let Value::Object(document) = json!({ "views": { "v": { "map": source } } }) else { panic!() };
        functions.check_views(&document)
    };
    for bad in [
        "var realm = emit.constructor('return this')(); realm.Object.assign = null; (function () {})",
        "emit.constructor('return this')().String.prototype.slice = function () { return '5' }; (function () {})",
    ] {
        let _ = check(bad);
        assert_eq!(check("function (doc) { emit(1) }"), Ok(()), "{bad}");
    }
}

#[test]
fn half_of_a_character_is_logged() {
    let told = map(&["function (doc) { log(doc.t.slice(0, 1)); emit(1) }"], None, &[json!({ "t": "\u{1f600}" })]);
    assert_eq!(told.unwrap(), [[[("1".to_owned(), "null".to_owned())]]]);
}

/// The thread is given up after the time of one call, not of all calls of its batch.
#[test]
fn a_native_loop_holds_up_a_batch_no_longer_than_a_call() {
    let functions = std::sync::Arc::new(functions());
    let mapping = Mapping::new(&["function (doc) { [].reverse.call({length: 9e15}) }"], None);
    let (answer, answers) = std::sync::mpsc::channel();
    let mapper = std::sync::Arc::clone(&functions);
    std::thread::spawn(move || answer.send(all(&mapper, &mapping, vec!["{}".to_owned(); 500])));
    let told = answers.recv_timeout(Duration::from_mins(1)).expect("it is given up");
    assert_eq!(told.unwrap_err().error, "os_process_error");
}
