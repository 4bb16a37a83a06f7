//! Functions that do all that an engine lets them do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use couchapp::serve::Options;
use serde_json::json;

use crate::harness::{Endpoint, runtime, until};

/// What is done in a function, and what it is called.
const BOMBS: [(&str, &str); 16] = [
    ("loop", "while (1);"),
    ("caught", "while (1) { try { while (1); } catch (e) {} }"),
    ("pushes", "var a = []; while (1) a.push(new Array(1e6).fill(1));"),
    ("caught_pushes", "var a = []; while (1) { try { while (1) a.push(new Array(1e5).fill(0)); } catch (e) {} }"),
    ("texts", "var t = []; while (1) t.push('x'.repeat(1e6) + t.length);"),
    ("doubles", "var s = 'x'; while (1) s += s;"),
    ("recursion", "function f() { return f() + 1; } f();"),
    ("regex", "/^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!');"),
    ("deep_json", "var o = []; for (var i = 0; i < 1e6; i++) o = [o]; JSON.stringify(o);"),
    ("parse", "JSON.parse(new Array(2e6).join('['));"),
    ("to_json", "JSON.stringify({ toJSON: function () { while (1); } });"),
    ("sort", "new Array(1e5).fill(0).sort(function () { while (1); });"),
    ("replace", "var s = 'x'.repeat(1e5); s.replace(/x/g, s);"),
    ("nesting", "throw new Function(new Array(200000).join('[') + new Array(200000).join(']'));"),
    ("getter", "var p = { get x() { return p.x; } }; p.x;"),
    ("to_string", "Object.prototype.toString = function () { while (1); }; throw {};"),
];

#[test]
fn functions_that_do_their_worst_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path());
    options.limits.time = Duration::from_millis(60);
    let running = runtime().block_on(couchapp::serve::start(options)).unwrap();
    let endpoint = Endpoint::at(&format!("http://{}", running.address), None);
    endpoint.put("/db", &json!({})).expect(201);
    endpoint.put("/db/here", &json!({ "n": 1 })).expect(201);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Who asks for documents meanwhile gets them.
        let reading = scope.spawn(|| {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                endpoint.get("/db/here").expect(200);
                count += 1;
            }
            count
        });
        let halves = [0, 1].map(|half| {
            let endpoint = &endpoint;
            scope.spawn(move || BOMBS.iter().skip(half).step_by(2).for_each(|bomb| explode(endpoint, bomb)))
        });
        let ended = halves.map(thread::ScopedJoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(|ended| ended.unwrap());
        assert!(reading.join().unwrap() > BOMBS.len());
    });
    endpoint
        .put("/db/_design/good", &json!({ "views": { "v": { "map": "function (doc) { emit(doc.n); }" } } }))
        .expect(201);
    // What is good may need longer than it has, on a machine that has much else to do.
    until("a good view", || endpoint.get("/db/_design/good/_view/v").json()["rows"][0]["key"] == 1);
}

/// Sets one off in a view, and in a function that answers.
fn explode(endpoint: &Endpoint, (name, bomb): &(&str, &str)) {
    let design = json!({
        "views": { "v": { "map": format!("function (doc) {{ {bomb} }}") } },
        "shows": { "s": format!("function (doc, req) {{ {bomb} return 'x'; }}") },
    });
    endpoint.put(&format!("/db/_design/{name}"), &design).expect(201);
    for rest in ["_view/v", "_show/s"] {
        let answer = endpoint.get(&format!("/db/_design/{name}/{rest}"));
        // What a map function throws is not told, as in CouchDB: it emits nothing.
        let emits_nothing = rest == "_view/v" && answer.status == 200 && answer.json()["total_rows"] == 0;
        assert!(answer.status >= 400 || emits_nothing, "{name} {rest}: {answer:?}");
    }
}
