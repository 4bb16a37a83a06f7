//! Every damage that the proxy and the stand-in can do is done once, and seen from the client's side.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::fake_couch::{FakeCouch, Fault};
use crate::fault_proxy::{Action, Cut, FaultProxy};
use crate::harness::{Endpoint, runtime};
use crate::wire::Answer;

/// Sends bytes and reads until the other side ends; the error is a reset.
fn raw(origin: &str, request: &str) -> (String, std::io::Result<()>) {
    let mut stream = TcpStream::connect(origin.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer).map(drop);
    (String::from_utf8_lossy(&answer).into_owned(), end)
}

fn put(target: &str, body: &str) -> String {
    format!("PUT {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn open_endpoint() -> Endpoint {
    Endpoint::of_fake(FakeCouch::start_open())
}

#[test]
fn requests_pass_and_are_counted() {
    let endpoint = open_endpoint();
    let proxy = FaultProxy::counting(endpoint.origin());
    let behind = endpoint.through(&proxy);
    let database = behind.database();
    let content = "x".repeat(300_000);
    database.put("a", &json!({ "text": content })).expect(201);
    assert_eq!(database.get("a").json()["text"], json!(content));
    database.get("_all_docs").expect(200);
    let methods: Vec<_> = proxy.seen().iter().map(|seen| seen.method.clone()).collect();
    assert_eq!(methods, ["PUT", "PUT", "GET", "GET"]);
    assert_eq!(proxy.writes().len(), 2);
    assert_eq!(proxy.writes()[1].body_length, json!({ "text": content }).to_string().len());
    proxy.forget();
    assert!(proxy.seen().is_empty());
}

#[test]
fn a_swallowed_answer_is_written_and_reset() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let proxy = FaultProxy::start(endpoint.origin(), |arrival| {
        let is_second = arrival.write_number == 2 && arrival.number == 2;
        assert_eq!((arrival.method.as_str(), arrival.target.ends_with("/b")), ("PUT", is_second));
        if is_second { Action::SwallowAnswer } else { Action::Pass }
    });
    let (answer, end) = raw(&proxy.origin(), &put(&database.beneath("a"), "{}"));
    assert!(answer.starts_with("HTTP/1.1 201") && end.is_ok(), "{answer}");
    let (answer, end) = raw(&proxy.origin(), &put(&database.beneath("b"), "{}"));
    assert_eq!((answer.as_str(), end.unwrap_err().kind()), ("", std::io::ErrorKind::ConnectionReset));
    database.get("b").expect(200);
}

#[test]
fn a_cut_request_is_never_written() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let request = put(&database.beneath("a"), r#"{"a":1}"#);
    let proxy = FaultProxy::counting(endpoint.origin());
    for at in 0..request.len() {
        for cut in [Cut::Reset, Cut::Finish] {
            proxy.play(move |_| Action::CutRequest(at, cut));
            let (answer, end) = raw(&proxy.origin(), &request);
            assert_eq!((answer.as_str(), end.is_err()), ("", cut == Cut::Reset), "{at} {cut:?}");
            database.get("a").expect(404);
        }
    }
    proxy.play(move |_| Action::Pass);
    assert!(raw(&proxy.origin(), &request).0.starts_with("HTTP/1.1 201"));
}

#[test]
fn a_cut_answer_is_written() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let proxy = FaultProxy::counting(endpoint.origin());
    for (index, (at, cut)) in
        [(0, Cut::Reset), (20, Cut::Reset), (0, Cut::Finish), (20, Cut::Finish)].into_iter().enumerate()
    {
        proxy.play(move |_| Action::CutAnswer(at, cut));
        let (answer, end) = raw(&proxy.origin(), &put(&database.beneath(&format!("a{index}")), "{}"));
        // A reset may overtake the bytes before it.
        assert!(
            if cut == Cut::Reset { end.is_err() } else { answer.len() == at && end.is_ok() },
            "{at} {cut:?} {answer}"
        );
        database.get(&format!("a{index}")).expect(200);
    }
}

#[test]
fn a_stall_lasts_until_the_client_gives_up() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let proxy = FaultProxy::counting(endpoint.origin());
    for (action, written) in [(Action::StallRequest(30), 404), (Action::StallAnswer(10), 200)] {
        let action_again = action.clone();
        proxy.play(move |_| action_again.clone());
        proxy.forget();
        let mut stream = TcpStream::connect(proxy.origin().strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(put(&database.beneath("a"), "{}").as_bytes()).unwrap();
        if written == 200 {
            // The first bytes of the answer come; then it is written.
            stream.read_exact(&mut [0; 10]).unwrap();
        }
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let silence = stream.read(&mut [0; 1]).unwrap_err();
        assert!(matches!(silence.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{silence}");
        drop(stream);
        database.get("a").expect(written);
    }
}

#[test]
fn answers_are_replaced_with_and_without_the_write() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let busy = || Answer::new(503, "text/html", "<html>busy</html>").with("Retry-After", "1");
    let proxy = FaultProxy::counting(endpoint.origin());
    for (id, written) in [("a", 404), ("b", 200)] {
        proxy.play(move |_| if id == "a" { Action::Replace(busy()) } else { Action::ReplaceAnswer(busy()) });
        let (answer, end) = raw(&proxy.origin(), &put(&database.beneath(id), "{}"));
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("<html>busy</html>") && end.is_ok(), "{answer}");
        database.get(id).expect(written);
    }
}

#[test]
fn the_stand_in_fails_when_told() {
    let endpoint = Endpoint::fake();
    let database = endpoint.database();
    let fake = endpoint.stand_in().unwrap();
    fake.forget();
    fake.fail_nth_write(2, Fault::Answer(Answer::error(500, "boom", "told to")));
    database.put("a", &json!({})).expect(201);
    database.get("a").expect(200);
    database.put("b", &json!({})).expect(500);
    database.get("b").expect(404);
    database.put("b", &json!({})).expect(201);
    assert_eq!((fake.seen().len(), fake.writes().len()), (5, 3));
    fake.fail_nth(1, Fault::Answer(Answer::error(429, "slow", "down").with("Retry-After", "0")));
    assert_eq!(database.get("a").expect(429).header("retry-after"), Some("0"));

    let open = open_endpoint();
    let database = open.database();
    let fake = open.stand_in().unwrap();
    for (id, fault, written) in [("c", Fault::Reset, 404), ("d", Fault::Swallow, 200)] {
        fake.fail_nth(1, fault);
        let (answer, end) = raw(open.origin(), &put(&database.beneath(id), "{}"));
        assert!(answer.is_empty() && end.is_err(), "{answer}");
        database.get(id).expect(written);
    }
    fake.fail_nth(1, Fault::Hang);
    let mut stream = TcpStream::connect(open.origin().strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(put(&database.beneath("e"), "{}").as_bytes()).unwrap();
    while database.get("e").status != 200 {
        std::thread::yield_now();
    }
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.read(&mut [0; 1]).unwrap_err();
}

#[test]
fn refusals_come_before_the_body() {
    let endpoint = Endpoint::of_fake(FakeCouch::start_with_limit(1000));
    let database = endpoint.database();
    database.put("a", &json!({})).expect(201);
    let (user, password) = endpoint.credentials().unwrap();
    let header = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    };
    for (target, authorization, length, status) in
        [("a/file", header.as_str(), 10, "409"), ("b/file", header.as_str(), 1001, "413"), ("b/file", "", 10, "401")]
    {
        let mut stream = TcpStream::connect(endpoint.origin().strip_prefix("http://").unwrap()).unwrap();
        let authorization =
            if authorization.is_empty() { String::new() } else { format!("Authorization: Basic {authorization}\r\n") };
        let head = format!(
            "PUT {} HTTP/1.1\r\nHost: h\r\n{authorization}Content-Length: {length}\r\n\r\n",
            database.beneath(target)
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"), "{target}");
    }
}

#[test]
fn many_requests_at_once_are_no_problem() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let proxy = FaultProxy::counting(endpoint.origin());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let statuses = runtime().block_on(async {
        let requests = (0..100).map(|number| {
            let url = format!("{}{}", proxy.origin(), database.beneath(&format!("doc{number}")));
            let client = client.clone();
            tokio::spawn(async move { client.put(url).body("{}").send().await.unwrap().status().as_u16() })
        });
        futures_util::future::join_all(requests).await
    });
    assert!(statuses.into_iter().all(|status| status.unwrap() == 201));
    assert_eq!(proxy.writes().len(), 100);
}

#[test]
fn one_byte_is_altered_in_a_request_or_its_answer() {
    use crate::fault_proxy::Alteration;
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let start = b"the beginning of a file, and so on; ";
    let content = start.repeat(2000);
    let other = |read: &[u8]| read.iter().zip(&content).filter(|(left, right)| left != right).count();
    let proxy = FaultProxy::counting(endpoint.origin());
    let behind = endpoint.through(&proxy);
    let target = |id: &str| database.beneath(&format!("{id}/file.bin"));
    let send = |id: &str, content: &[u8]| {
        behind.send("PUT", &target(id), &[("content-type", "application/octet-stream")], content.to_vec()).ok();
    };
    proxy.play(move |_| Action::AlterRequest(Alteration::in_file(start)));
    send("raw", &content);
    send("elsewhere", b"nothing of that kind");
    let inline =
        json!({ "_id": "inline", "_attachments": { "file.bin": crate::contract::album::attached(&content, "x/y") } });
    behind.post(&database.beneath("_bulk_docs"), &json!({ "docs": [inline] })).ok();
    assert_eq!(proxy.altered(), 2);
    for id in ["raw", "inline"] {
        let stored = database.attachment(id, "file.bin");
        assert_eq!((stored.len(), other(&stored)), (content.len(), 1), "{id}");
    }
    proxy.play(|_| Action::Pass);
    send("whole", &content);
    proxy.play(move |_| Action::AlterAnswer(Alteration::in_file(start)));
    proxy.forget();
    let read = behind.send("GET", &target("whole"), &[], Vec::new()).expect(200).body;
    assert_eq!((read.len(), other(&read), proxy.altered()), (content.len(), 1, 1));
    assert_eq!(database.attachment("whole", "file.bin"), content);
}

#[test]
fn a_request_is_refused_for_what_it_holds() {
    let endpoint = open_endpoint();
    let database = endpoint.database();
    let proxy = FaultProxy::counting(endpoint.origin());
    let behind = endpoint.through(&proxy);
    proxy.play(|_| Action::RefuseHolding(b"needle".to_vec(), Answer::error(413, "too_large", "no")));
    behind.put(&database.beneath("a"), &json!({ "text": "hay" })).expect(201);
    behind.put(&database.beneath("b"), &json!({ "text": "hay, needle, hay" })).expect(413);
    database.get("a").expect(200);
    database.get("b").expect(404);
    assert_eq!(proxy.altered(), 1);
}
