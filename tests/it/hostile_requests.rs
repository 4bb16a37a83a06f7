//! Requests that nobody means well with: each gets an error, the process lives, and its memory stays bounded.

mod bombs;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use couchapp::serve::Options;
use serde_json::json;

use crate::harness::{Endpoint, Project, Served, runtime};

/// What a refusal may take in all, in bytes: several requests at once included.
const MOST_MEMORY: u64 = 512 << 20;

/// More than any JSON may be.
const HUGE: usize = 100 << 20;

/// The greatest amount of memory that a process ever had.
#[cfg(target_os = "linux")]
fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

/// An endpoint of its own with a database `db`, that has to be there and well at the end.
struct Victim {
    project: Project,
    served: Served,
    endpoint: Endpoint,
}

impl Victim {
    fn start() -> Self {
        let project = Project::new();
        let served = Served::start(&project, "--memory");
        let endpoint = served.empty_endpoint(None);
        endpoint.put("/db", &json!({})).expect(201);
        endpoint.put("/db/here", &json!({ "n": 1 })).expect(201);
        Self { project, served, endpoint }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.endpoint.origin().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    fn raw(&self, head: &str, pieces: impl IntoIterator<Item = Vec<u8>>) -> u16 {
        exchange(self.connect(), head, pieces)
    }

    /// Sends a part of a request and goes away.
    #[track_caller]
    fn abandons(&self, what: &str, head: &str, pieces: impl IntoIterator<Item = Vec<u8>>) {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        for piece in pieces {
            stream.write_all(&piece).unwrap();
        }
        drop(stream);
        self.is_well(what);
    }

    #[track_caller]
    fn refuses(&self, what: &str, head: &str, pieces: impl IntoIterator<Item = Vec<u8>>) {
        let status = self.raw(head, pieces);
        assert!(status == 0 || (400..600).contains(&status), "{what}: {status}");
        self.is_well(what);
    }

    #[track_caller]
    fn is_well(&self, after: &str) {
        let answer = self.endpoint.get("/db/here");
        assert_eq!(answer.status, 200, "after {after}: {answer:?}");
    }

    /// Ends it; nothing but what was there at the beginning is in the database.
    #[track_caller]
    fn end(self) {
        let rows = self.endpoint.get("/db/_all_docs").expect(200).json();
        assert_eq!(rows["total_rows"], 1, "{rows}");
        #[cfg(target_os = "linux")]
        {
            let most = most_memory(self.served.id());
            assert!(most < MOST_MEMORY, "{} MiB of memory", most >> 20);
        }
        self.served.end(&self.project, "INT").expect(130);
    }
}

/// Sends a head and a body by the piece, as far as they are taken; the status of the answer, 0 for none.
fn exchange(mut stream: TcpStream, head: &str, pieces: impl IntoIterator<Item = Vec<u8>>) -> u16 {
    let mut sent = stream.write_all(head.as_bytes()).is_ok();
    for piece in pieces {
        sent = sent && stream.write_all(&piece).is_ok();
    }
    let mut answer = [0; 12];
    let mut length = 0;
    while length < answer.len() {
        match stream.read(&mut answer[length..]) {
            Ok(read) if read > 0 => length += read,
            _ => break,
        }
    }
    std::str::from_utf8(&answer[..length]).ok().and_then(|text| text.get(9..12)?.parse().ok()).unwrap_or(0)
}

fn head(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

fn chunked(piece: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> + use<> {
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    std::iter::repeat_n(chunk, count)
}

#[test]
fn paths_lead_nowhere() {
    let victim = Victim::start();
    let long = format!("/db/{}", "a".repeat(100_000));
    let targets = [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/db/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/db/../../../../etc/passwd",
        "/db/here/../../../../../etc/passwd",
        "/db/here/..%2f..%2f..%2fetc%2fpasswd",
        "/db%00/here",
        "/db/%00",
        "/%ff%fe",
        "//etc/passwd",
        "/_utils/../../../etc/passwd",
        "http://elsewhere.example/etc/passwd",
        "/db/_design/..%2f..%2f/_view/..",
        long.as_str(),
        "*",
    ];
    for target in targets {
        for method in ["GET", "HEAD", "DELETE", "COPY", "OPTIONS"] {
            let mut stream = victim.connect();
            stream.write_all(head(&format!("{method} {target}"), "").as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer);
            assert!(!answer.contains("root:"), "{method} {target}: {answer}");
            victim.is_well(&format!("{method} {target}"));
        }
    }
    // Names that look like ways out are names; the database itself is none of them.
    for name in ["%2e%2e", "..%2f..", "%2fetc%2fpasswd", "a%2f..%2fb"] {
        let status = victim.raw(&head(&format!("PUT /db/{name}"), "Content-Length: 2\r\n"), [b"{}".to_vec()]);
        assert!([201, 400].contains(&status), "{name}: {status}");
        victim.is_well(name);
    }
    let rows = victim.endpoint.get("/db/_all_docs").expect(200).json();
    for row in rows["rows"].as_array().unwrap().iter().filter(|row| row["id"] != "here") {
        let gone = json!({ "_id": row["id"], "_rev": row["value"]["rev"], "_deleted": true });
        victim.endpoint.post("/db/_bulk_docs", &json!({ "docs": [gone] })).expect(201);
    }
    victim.end();
}

#[test]
fn bodies_without_measure_are_refused() {
    let victim = Victim::start();
    let json = "Content-Type: application/json\r\n";
    let announced = format!("{json}Content-Length: {HUGE}\r\n");
    let megabyte = vec![b' '; 1 << 20];
    victim.refuses("100 MB of JSON", &head("PUT /db/a", &announced), std::iter::repeat_n(megabyte.clone(), 100));
    let endless = format!("{json}Transfer-Encoding: chunked\r\n");
    victim.refuses("JSON without end", &head("POST /db/_bulk_docs", &endless), chunked(&megabyte, 200));
    let zeros = [b"8\r\n{\"a\":[0,\r\n".to_vec()].into_iter().chain(chunked(&b"0,".repeat(1 << 19), 60));
    let zeros = zeros.chain([b"3\r\n0]}\r\n0\r\n\r\n".to_vec()]);
    victim.refuses("thirty million numbers", &head("PUT /db/a", &endless), zeros);
    victim.refuses(
        "a form without end",
        &head("POST /db/a", "Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n"),
        chunked(&megabyte, 200),
    );
    victim.refuses("a list without end", &head("POST /db/_design/x/_list/y/z", &endless), chunked(&megabyte, 200));
    victim.refuses("a session without end", &head("POST /_session", &endless), chunked(&megabyte, 200));
    // It is broken off: what came until then is not kept.
    let binary = "Content-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n";
    victim.abandons("an attachment without end", &head("PUT /db/b/film.jpg", binary), chunked(&megabyte, 300));
    let short = "Content-Type: image/jpeg\r\nContent-Length: 1000000\r\n";
    victim.abandons("an attachment that is too short", &head("PUT /db/b/film.jpg", short), [vec![1; 1000]]);
    victim.end();
}

#[test]
fn nesting_has_a_limit() {
    let victim = Victim::start();
    let deep = |open: &str, close: &str, levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
    let post = |what: &str, line: &str, body: String| {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        victim.refuses(what, &head(line, &headers), [body.into_bytes()]);
    };
    post("arrays", "PUT /db/a", format!("{{\"a\":{}}}", deep("[", "]", 1_000_000)));
    post("objects", "PUT /db/a", deep("{\"a\":", "}", 500_000));
    post("open ends", "PUT /db/a", "[".repeat(10_000_000));
    post("a selector", "POST /db/_find", format!("{{\"selector\":{}}}", deep("{\"$not\":", "}", 100_000)));
    post("keys", "POST /db/_all_docs", format!("{{\"keys\":[{}]}}", deep("[", "]", 100_000)));
    post("revisions", "POST /db/_revs_diff", format!("{{\"a\":{}}}", deep("[", "]", 100_000)));
    victim.refuses("a key", &head(&format!("GET /db/_all_docs?key={}", deep("[", "]", 50_000)), ""), []);
    victim.end();
}

#[test]
fn multipart_that_is_none_is_refused() {
    let victim = Victim::start();
    let related = |kind: &str, body: &str| {
        let headers = format!("Content-Type: multipart/related{kind}\r\nContent-Length: {}\r\n", body.len());
        victim.refuses(&format!("{kind} {body}"), &head("PUT /db/a", &headers), [body.as_bytes().to_vec()]);
    };
    let document = r#"{"_attachments":{"t":{"follows":true,"content_type":"text/plain","length":5}}}"#;
    let first = format!("--x\r\nContent-Type: application/json\r\n\r\n{document}\r\n");
    related("", "--x\r\n\r\n{}\r\n--x--");
    related("; boundary=", "--\r\n\r\n{}\r\n----");
    related("; boundary=y", &format!("{first}--x--"));
    related("; boundary=x", "");
    related("; boundary=x", "--x--");
    related("; boundary=x", "--x\r\n\r\nno JSON\r\n--x--");
    related("; boundary=x", &format!("{first}--x--"));
    related("; boundary=x", &format!("{first}--x\r\n\r\nhe"));
    related("; boundary=x", &format!("{first}--x\r\n\r\nhello, much longer\r\n--x--"));
    related("; boundary=x", &format!("--x\r\n{}\r\n\r\n{{}}\r\n--x--", "a: b\r\n".repeat(1_000_000)));
    related("; boundary=x", &format!("--x\r\n{}", "a".repeat(10_000_000)));
    related(&format!("; boundary={}", "b".repeat(10_000)), "--x");
    victim.end();
}

#[test]
fn uploads_that_stand_still_keep_nobody_waiting() {
    // More than there are threads for work that blocks.
    const UPLOADS: usize = 540;
    let victim = Victim::start();
    let begun = (0..UPLOADS).map(|number| {
        let mut stream = victim.connect();
        let line = format!("PUT /db/upload{number}/file");
        let head = head(&line, "Content-Type: image/png\r\nContent-Length: 100\r\n");
        stream.write_all(format!("{head}the beginning").as_bytes()).unwrap();
        stream
    });
    let begun: Vec<TcpStream> = begun.collect();
    // Some of the uploads may be on their way while the first are answered.
    for _ in 0..100 {
        let mut reader = victim.connect();
        // Less than after which an upload that stands still is given up.
        reader.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        reader.write_all(head("GET /db/here", "").as_bytes()).unwrap();
        let mut answer = [0; 12];
        reader.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    drop(begun);
    victim.end();
}

#[test]
fn heads_that_are_none_hurt_nobody() {
    let victim = Victim::start();
    for head in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /db HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /db HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "POST /db HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        "POST /db HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: nonsense\r\n\r\n{}",
    ] {
        victim.refuses(head, head, []);
    }
    victim.refuses("a line without end", &format!("GET /{}", "a".repeat(5_000_000)), []);
    victim.refuses("headers without end", &head("GET /", &"x: y\r\n".repeat(500_000)), []);
    // Connections that say nothing, or not enough, keep nobody from being answered.
    let mut idle: Vec<TcpStream> = (0..300).map(|_| victim.connect()).collect();
    for stream in &mut idle {
        stream.write_all(b"GET /db HTTP/1.1\r\nHost: loc").unwrap();
    }
    victim.is_well("three hundred heads without an end");
    drop(idle);
    victim.end();
}

#[test]
fn many_at_once_take_no_more_than_one() {
    let victim = Victim::start();
    let values = format!("{{\"docs\":[],\"more\":[{}0]}}", "0,".repeat(1_500_000)).into_bytes();
    let text = format!("{{\"docs\":[],\"more\":\"{}\"}}", "x".repeat(60 << 20)).into_bytes();
    for body in [values, text] {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let (headers, body) = (&headers, &body);
        std::thread::scope(|scope| {
            let ask = |stream| exchange(stream, &head("POST /db/_bulk_docs", headers), [body.clone()]);
            let asked: Vec<_> =
                (0..8).map(|_| victim.connect()).map(|stream| scope.spawn(move || ask(stream))).collect();
            // Who waits too long for the others is told so.
            assert!(asked.into_iter().all(|asked| [201, 503].contains(&asked.join().unwrap())));
        });
        victim.is_well("many at once");
    }
    victim.end();
}

/// Functions of every kind, in an endpoint that gives them little time.
#[test]
fn functions_without_end_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path());
    options.limits.time = Duration::from_millis(150);
    let running = runtime().block_on(couchapp::serve::start(options)).unwrap();
    let endpoint = Endpoint::at(&format!("http://{}", running.address), None);
    endpoint.put("/db", &json!({})).expect(201);
    endpoint.put("/db/here", &json!({ "n": 1 })).expect(201);
    let bombs = ["while (true) {}", "var all = []; while (true) { all.push(new Array(1e4).join('x') + all.length); }"];
    for (at, bomb) in bombs.into_iter().enumerate() {
        let bad = format!("function () {{ {bomb} }}");
        let emit = "function (doc) { emit(doc._id, 1); }";
        let design = json!({
            "views": { "map": { "map": bad }, "reduce": { "map": emit, "reduce": bad }, "good": { "map": emit } },
            "filters": { "f": bad }, "shows": { "s": bad }, "lists": { "l": bad }, "updates": { "u": bad }, "rewrites": bad,
        });
        let name = format!("_design/bad{at}");
        endpoint.put(&format!("/db/{name}"), &design).expect(201);
        let gets = [
            "_view/map".to_owned(),
            "_view/reduce".to_owned(),
            "_show/s".to_owned(),
            "_show/s/here".to_owned(),
            "_rewrite/x".to_owned(),
        ];
        for rest in gets {
            let answer = endpoint.get(&format!("/db/{name}/{rest}"));
            assert!(answer.status >= 400, "{rest}, {bomb}: {answer:?}");
            endpoint.get("/db/here").expect(200);
        }
        let filtered = endpoint.get(&format!("/db/_changes?filter=bad{at}/f"));
        assert!(filtered.status >= 400 || filtered.json().get("error").is_some(), "{bomb}: {filtered:?}");
        let updated = endpoint.post(&format!("/db/{name}/_update/u"), &json!({}));
        assert!(updated.status >= 400, "{bomb}: {updated:?}");
        // The other views of the same design document have nothing to show either: they are one index, as in CouchDB.
        let good = json!({ "views": { "good": { "map": emit } }, "lists": { "l": bad } });
        endpoint.put(&format!("/db/_design/good{at}"), &good).expect(201);
        let listed = endpoint.get(&format!("/db/_design/good{at}/_list/l/good"));
        assert!(listed.status >= 400, "{bomb}: {listed:?}");
        endpoint.put(&format!("/db/_design/valid{at}"), &json!({ "validate_doc_update": bad })).expect(201);
        let refused = endpoint.put("/db/new", &json!({}));
        assert!(refused.status >= 400, "{bomb}: {refused:?}");
        let valid = endpoint.get(&format!("/db/_design/valid{at}")).expect(200).json();
        let revision = valid["_rev"].as_str().unwrap();
        endpoint.delete(&format!("/db/_design/valid{at}?rev={revision}")).expect(200);
        endpoint.put(&format!("/db/new{at}"), &json!({})).expect(201);
    }
}

#[test]
fn a_function_without_end_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let running = runtime().block_on(couchapp::serve::start(Options::new(folder.path()))).unwrap();
    let endpoint = Endpoint::at(&format!("http://{}", running.address), None);
    endpoint.put("/db", &json!({})).expect(201);
    let shows =
        json!({ "shows": { "bad": "function () { while (true) {} }", "good": "function () { return 'fine'; }" } });
    endpoint.put("/db/_design/app", &shows).expect(201);
    std::thread::scope(|scope| {
        let bad = scope.spawn(|| endpoint.get("/db/_design/app/_show/bad").status);
        let mut answers = 0;
        while !bad.is_finished() {
            endpoint.get("/db/_design/app").expect(200);
            assert_eq!(endpoint.get("/db/_design/app/_show/good").expect(200).body, b"fine");
            answers += 1;
        }
        assert!(bad.join().unwrap() >= 500);
        assert!(answers > 10, "only {answers} requests were answered meanwhile");
    });
}
