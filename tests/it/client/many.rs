//! Many documents at once: listed, followed, written, deleted.

use std::collections::BTreeSet;

use couchapp::couch::{Creation, Document, IdRange, Pages, Sequence, predicted_revision};
use serde_json::json;

use super::*;
use crate::fake_couch::{FakeCouch, Fault};
use crate::harness::runtime;
use crate::wire::Answer;

fn ids(names: &[&str]) -> Vec<DocId> {
    names.iter().map(|name| DocId::new(*name).unwrap()).collect()
}

fn new(id: &str, body: &str, attachments: Vec<(&str, Attachment)>) -> Write {
    let attachments = attachments.into_iter().map(|(name, content)| (AttName::new(name).unwrap(), content)).collect();
    Write { id: DocId::new(id).unwrap(), parent: None, body: object(body), attachments, progress: None }
}

/// A stand-in with an empty database, and the client's view of it.
fn stand_in() -> (FakeCouch, Database) {
    let fake = FakeCouch::start_open();
    let (address, _) = Address::parse(&fake.origin(), Expect::Server).unwrap();
    let server = Server::connect(&address, None, &clock().network).unwrap();
    let database = server.database(&DbName::new("db").unwrap());
    assert_eq!(runtime().block_on(database.create()).unwrap(), Creation::Created);
    (fake, database)
}

async fn all(mut pages: Pages) -> Result<Vec<Document>, CouchError> {
    let mut documents = Vec::new();
    while let Some(mut page) = pages.next().await? {
        assert!(!page.is_empty());
        documents.append(&mut page);
    }
    Ok(documents)
}

fn names(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|document| document.id.as_str()).collect()
}

fn range(from: &str, below: &str) -> IdRange {
    let bound = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    IdRange { from: bound(from), below: bound(below) }
}

#[test]
fn pages_of_any_size_have_each_document_of_the_range_once() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let known = ["-", "A", "a", "a/b", "b", "c", "é", "ﬀ", "😀"];
        let writes: Vec<Write> = known.iter().map(|id| new(id, "{}", Vec::new())).collect();
        assert!(database.bulk(&writes).await.unwrap().iter().all(|row| row.outcome.is_ok()));
        for (from, below) in
            [("", ""), ("a", ""), ("", "b"), ("a", "b"), ("a", "a"), ("b", "a"), ("é", "😀"), ("zz", "")]
        {
            let range = range(from, below);
            let expected: Vec<&str> = known.into_iter().filter(|id| range.contains(id)).collect();
            for rows in 1..=11 {
                assert_eq!(names(&all(database.pages(&range, rows)).await.unwrap()), expected, "{range:?} by {rows}");
            }
        }
    });
}

#[test]
fn pages_neither_skip_nor_repeat_while_others_write() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let names: Vec<String> = (0..30).map(|number| format!("d{number:02}")).collect();
        let writes: Vec<Write> = names.iter().map(|id| new(id, "{}", Vec::new())).collect();
        let rows = database.bulk(&writes).await.unwrap();
        let mut pages = database.pages(&IdRange::default(), 7);
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await.unwrap() {
            seen.extend(page.iter().map(|document| document.id.as_str().to_owned()));
            // The last document, and those before it, go; new ones come before it and after it.
            let gone: Vec<(DocId, Revision)> = rows
                .iter()
                .filter(|row| row.id <= *seen.last().unwrap())
                .map(|row| (DocId::new(row.id.as_str()).unwrap(), row.outcome.as_ref().unwrap().revision.clone()))
                .collect();
            database.delete_all(&gone).await.unwrap();
            let more = ["a", "d"].map(|prefix| new(&format!("{prefix}{}x", seen.len()), "{}", Vec::new()));
            database.bulk(&more).await.unwrap();
        }
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "{seen:?}");
        assert!(names.iter().all(|name| unique.contains(name)), "{seen:?}");
    });
}

#[test]
fn documents_come_with_what_is_known_of_their_attachments() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let files = vec![("t", attachment("text/plain", "abc")), ("p", attachment("image/png", "abc"))];
        let written = database.bulk(&[new("a", r#"{"n":1.5}"#, files)]).await.unwrap();
        let revision = &written[0].outcome.as_ref().unwrap().revision;
        let asked = ids(&["zz", "a", "zz", "a"]);
        let found = database.documents(&asked).await.unwrap();
        assert!(found[0].is_none() && found[2].is_none() && found[1] == found[3]);
        let listed = all(database.pages(&IdRange::default(), 5)).await.unwrap();
        for document in [found[1].as_ref().unwrap(), &listed[0]] {
            assert_eq!((document.id.as_str(), &document.revision), ("a", revision));
            let [(_, text), (_, picture)] = &document.attachments[..] else { panic!("{document:?}") };
            assert_eq!((text.encoding.as_deref(), text.length, picture.encoding.as_deref()), (Some("gzip"), 3, None));
        }
        database.delete_all(&[(DocId::new("a").unwrap(), revision.clone())]).await.unwrap();
        assert_eq!(database.documents(&asked).await.unwrap(), [None, None, None, None]);
        assert_eq!(database.documents(&[]).await.unwrap(), []);
    });
}

#[tokio::test]
async fn a_document_that_cannot_be_taken_apart_does_not_spoil_the_listing() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let page = format!(
        r#"{{"rows":[{{"id":"a","doc":{{"_id":"a","_rev":"1-a"}}}},{{"id":"b","doc":{{"_id":"b","_rev":"1-b","x":{deep}}}}},
        {{"id":"c","doc":{{"_id":"c","_rev":"1-c","_attachments":{{"":{{}}}}}}}},{{"id":"d","doc":null}}]}}"#
    );
    let server = ScriptedServer::steps([Step::json(200, &page)]).await;
    let mut pages = database(&server).pages(&IdRange::default(), 9);
    assert_eq!(names(&pages.next().await.unwrap().unwrap()), ["a"]);
    assert!(pages.next().await.unwrap().is_none());
    let unreadable: Vec<&str> = pages.unreadable().iter().map(|unreadable| unreadable.id.as_str()).collect();
    assert_eq!(unreadable, ["b", "c"]);
}

#[tokio::test]
async fn listings_that_cannot_be_are_refused() {
    for page in [
        r#"{"rows":[{"id":"b","doc":null},{"id":"a","doc":null}]}"#,
        r#"{"rows":[{"id":"a","doc":null},{"id":"a","doc":null}]}"#,
        r#"{"rows":[{"id":"a","doc":{"_id":"b","_rev":"1-a"}}]}"#,
        r#"{"rows":[{"key":"a","error":"not_found"}]}"#,
        r#"{"total_rows":0}"#,
        "[3]",
    ] {
        let server = ScriptedServer::script(move |_| Step::json(200, page)).await;
        let outcome = all(database(&server).pages(&IdRange::default(), 1)).await;
        assert!(matches!(outcome, Err(CouchError::Protocol { .. })), "{page} {outcome:?}");
    }
    // What broke off may come whole another time.
    for page in
        [r#"{"rows":[{"id":"a","doc":null}"#, r#"{"rows":[{"id":"a","doc":null}{"error":"timeout","reason":"slow"}"#]
    {
        let server = ScriptedServer::script(move |_| Step::json(200, page)).await;
        let outcome = all(database(&server).pages(&IdRange::default(), 1)).await;
        assert!(matches!(outcome, Err(CouchError::Broken { .. })), "{page} {outcome:?}");
        assert!(server.methods().len() > "GET".len(), "it was asked once only");
    }
    let server = ScriptedServer::steps([Step::answer(200, "Content-Type: text/html\r\n", b"<h1>Hello")]).await;
    let outcome = all(database(&server).pages(&IdRange::default(), 1)).await;
    assert!(matches!(outcome, Err(CouchError::NotCouchDb { .. })), "{outcome:?}");
    // A server that always gives the same page.
    let server = ScriptedServer::script(|_| Step::json(200, r#"{"rows":[{"id":"a"},{"id":"b"}]}"#)).await;
    let outcome = all(database(&server).pages(&IdRange::default(), 2)).await;
    assert!(matches!(outcome, Err(CouchError::Protocol { .. })), "{outcome:?}");
}

#[tokio::test]
async fn pages_begin_with_the_last_document_of_the_page_before() {
    let page = |rows: &str| Step::json(200, &format!(r#"{{"rows":[{rows}]}}"#));
    let row = |id: &str| format!(r#"{{"id":"{id}","doc":{{"_id":"{id}","_rev":"1-a"}}}}"#);
    let long = "x".repeat(9000);
    let lost = vanish(End::Reset);
    let server =
        ScriptedServer::steps([page(&row("a b")), lost, page(&format!("{},{}", row("a b"), row(&long))), page("")])
            .await;
    let found = all(database(&server).pages(&range("a", "y"), 1)).await.unwrap();
    assert_eq!(names(&found), ["a b", &long]);
    let read = "/db/_all_docs?include_docs=true&conflicts=true&att_encoding_info=true";
    let rest = "&endkey=%22y%22&inclusive_end=false";
    let second = format!("GET {read}&limit=2&startkey=%22a%20b%22{rest}");
    let expected =
        [format!("GET {read}&limit=1&startkey=%22a%22{rest}"), second.clone(), second, format!("POST {read}")];
    assert_eq!(server.lines(), expected);
    let asked = json!({ "limit": 2, "startkey": long, "endkey": "y", "inclusive_end": false });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&server.seen()[3].body).unwrap(), asked);
}

#[tokio::test]
async fn pouchdb_is_told_where_to_end_and_may_have_its_own_order() {
    let row = |id: &str| format!(r#"{{"id":"{id}","doc":{{"_id":"{id}","_rev":"1-a"}}}}"#);
    let page = format!(r#"{{"rows":[{},{}]}}"#, row("😀"), row("ﬀ"));
    let welcome = Step::json(200, r#"{"express-pouchdb":"Welcome!","version":"4.2.0"}"#);
    let server = ScriptedServer::steps([welcome, Step::json(200, &page)]).await;
    let pouchdb = connect(&server, &clock().network);
    pouchdb.welcome().await.unwrap();
    let database = pouchdb.database(&DbName::new("db").unwrap());
    let found = all(database.pages(&IdRange::prefix("ﬀ"), 5)).await.unwrap();
    assert_eq!(names(&found), ["ﬀ"]);
    let last = "%EF%BF%BF".repeat(4);
    assert!(server.lines()[1].ends_with(&format!("&limit=5&endkey=%22{last}%22")), "{:?}", server.lines());
    let error = database.changes(Sequence::new("\"5-abc\"").as_ref(), 1).await.unwrap_err();
    assert!(error.is_bad_request() && server.seen().len() == 2, "it would say that nothing has changed");
}

#[test]
fn changes_are_followed_from_where_one_was() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let before = database.info().await.unwrap().sequence().unwrap();
        let writes: Vec<Write> = (0..5).map(|number| new(&format!("d{number}"), "{}", Vec::new())).collect();
        let rows = database.bulk(&writes).await.unwrap();
        let revision = |at: usize| rows[at].outcome.as_ref().unwrap().revision.clone();
        database.delete_all(&[(DocId::new("d1").unwrap(), revision(1))]).await.unwrap();
        let (mut since, mut seen) = (before.clone(), Vec::new());
        loop {
            let page = database.changes(Some(&since), 2).await.unwrap();
            seen.extend(page.rows);
            since = Sequence::new(&page.last.text()).unwrap();
            if page.pending == Some(0) {
                break;
            }
        }
        let mut shown: Vec<_> =
            seen.iter().map(|change| (change.id.as_str(), change.revision.generation(), change.deleted)).collect();
        shown.sort_unstable();
        let expected = [("d0", 1, false), ("d1", 2, true), ("d2", 1, false), ("d3", 1, false), ("d4", 1, false)];
        assert_eq!(shown, expected);
        assert_eq!(database.changes(Some(&since), 9).await.unwrap().rows, []);
        assert_eq!(database.changes(None, 100).await.unwrap().rows.len(), 5);
        for malformed in ["\"5-abc\"", "7", "\"abc\""] {
            let error = database.changes(Sequence::new(malformed).as_ref(), 9).await.unwrap_err();
            assert!(error.is_bad_request(), "{malformed} {error:?}");
        }
    });
}

#[test]
fn a_view_tells_its_documents_once_each() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let map = "function (doc) { (doc.tags || []).forEach(function (tag) { emit(tag); }); }";
        let design = object(&json!({ "views": { "tags": { "map": map, "reduce": "_count" } } }).to_string());
        let writes = [
            Write { body: design, ..new("_design/media", "{}", Vec::new()) },
            new("a", r#"{"tags":["z","b"]}"#, Vec::new()),
            new("b", r#"{"tags":["a","c"]}"#, Vec::new()),
            new("c", "{}", Vec::new()),
        ];
        assert!(database.bulk(&writes).await.unwrap().iter().all(|row| row.outcome.is_ok()));
        let design = DocId::new("_design/media").unwrap();
        assert_eq!(database.view_ids(&design, "tags").await.unwrap(), ids(&["b", "a"]));
        let missing = database.view_ids(&design, "nothing").await.unwrap_err();
        assert!(matches!(missing, CouchError::NotFound { .. }), "{missing:?}");
    });
}

#[test]
fn what_is_written_has_the_predicted_revision() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let body = r#"{"a":[1,2,3],"b":[256,-1,99999999999,123456789012345678901234567890],"c":{"d":[1.5,-0.0,true,null,{},[]]},"é":"😀"}"#;
        let files = vec![("p.png", attachment("image/png", "abc")), ("q.png", attachment("image/png", ""))];
        let first = new("a", body, files);
        let rows = database.bulk(std::slice::from_ref(&first)).await.unwrap();
        let revision = rows[0].outcome.as_ref().unwrap().revision.clone();
        assert_eq!(predicted_revision(&first, &|_| None), Some(revision.clone()));
        let stored = database.documents(&ids(&["a"])).await.unwrap().remove(0).unwrap();
        let kept = stored.attachments.into_iter().map(|(name, stub)| (name, Attachment::Stub(stub)));
        let second = Write { parent: Some(revision), attachments: kept.collect(), ..new("a", r#"{"n":2}"#, Vec::new()) };
        let rows = database.bulk(std::slice::from_ref(&second)).await.unwrap();
        assert_eq!(predicted_revision(&second, &|_| None).as_ref(), Some(&rows[0].outcome.as_ref().unwrap().revision));
        let third = Write { attachments: vec![(AttName::new("t").unwrap(), attachment("text/plain", "x"))], ..second };
        assert_eq!(predicted_revision(&third, &|_| None), None, "the server's gzip is not known");
    });
}

#[tokio::test]
async fn documents_are_written_and_recognised_one_by_one() {
    let parent = Some(revision("1-aaaa"));
    let writes = [
        new("a", r#"{"v":1}"#, Vec::new()),
        Write { parent, ..new("b", r#"{"v":2}"#, vec![("t", attachment("text/plain", "abc"))]) },
        new("c", r#"{"v":3}"#, Vec::new()),
    ];
    let rows = |b: &str| {
        let (a, c) =
            (r#"{"ok":true,"id":"a","rev":"1-a","accepted":true}"#, r#"{"id":"c","error":"forbidden","reason":"no"}"#);
        Step::json(201, &format!("[{a},{b},{c}]"))
    };
    let conflict = r#"{"id":"b","error":"conflict","reason":"Document update conflict."}"#;
    let server = ScriptedServer::steps([rows(conflict)]).await;
    let outcome = database(&server).bulk(&writes).await.unwrap();
    assert!(outcome[0].outcome.as_ref().unwrap().weak);
    let statuses: Vec<u16> = outcome[1..].iter().map(|row| row.outcome.as_ref().unwrap_err().status).collect();
    assert_eq!((statuses, server.methods().as_str()), (vec![409, 403], "POST"));

    // The digest of a text does not tell what was stored: the document is read, and then the content.
    let leaf = Step::json(200, r#"{"rows":[{"id":"b","key":"b","value":{"rev":"2-q"}}]}"#);
    let stub = r#"{"t":{"content_type":"text/plain","length":3,"digest":"md5-kAFQmDzST7DWlj99KOF/cg==","stub":true}}"#;
    let landed = Step::json(
        200,
        &format!(
            r#"{{"_id":"b","_rev":"2-q","_revisions":{{"start":2,"ids":["q","aaaa"]}},"v":2,"_attachments":{stub}}}"#
        ),
    );
    let server = ScriptedServer::steps([vanish(End::Close), rows(conflict), leaf, landed]).await;
    let outcome = database(&server).bulk(&writes).await.unwrap();
    let row = outcome[1].outcome.as_ref().unwrap();
    assert_eq!((row.revision.as_str(), row.recognised), ("2-q", true));
    assert_eq!(server.methods(), "POST POST POST GET");
    let sent = server.seen();
    assert_eq!(sent[0].body, sent[1].body);

    for wrong in [r"[]", r#"[{"id":"x"},{"id":"b"},{"id":"c"}]"#, r"{}"] {
        let server = ScriptedServer::steps([Step::json(201, wrong)]).await;
        let error = database(&server).bulk(&writes).await.unwrap_err();
        assert!(matches!(error, CouchError::Protocol { .. }), "{error:?}");
    }
    assert_eq!(database(&server).bulk(&[]).await.unwrap(), []);
}

/// Lost answers cost one more request for all documents whose revision can be told.
#[test]
fn lost_answers_to_many_writes_are_recognised_by_their_revisions() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        let picture = |number: u8| vec![("p", attachment("image/png", vec![number; 9]))];
        let writes: Vec<Write> = (0..20).map(|number| new(&format!("d{number}"), "{}", picture(number))).collect();
        fake.forget();
        fake.fail_nth(1, Fault::Swallow);
        let rows = database.bulk(&writes).await.unwrap();
        assert!(rows.iter().all(|row| row.outcome.as_ref().is_ok_and(|written| written.recognised)), "{rows:?}");
        assert_eq!(fake.seen().len(), 3);
        let gone: Vec<(DocId, Revision)> = writes
            .iter()
            .zip(&rows)
            .map(|(write, row)| (write.id.clone(), row.outcome.as_ref().unwrap().revision.clone()))
            .collect();
        fake.forget();
        fake.fail_nth(1, Fault::Swallow);
        let rows = database.delete_all(&gone).await.unwrap();
        assert!(rows.iter().all(|row| row.outcome.as_ref().is_ok_and(|written| written.recognised)), "{rows:?}");
        assert_eq!(fake.seen().len(), 3);
        // Somebody else's document is no write of ours.
        let rows = database.delete_all(&gone[..1]).await.unwrap();
        assert_eq!(rows[0].outcome.as_ref().unwrap_err().status, 409);
    });
}

#[test]
fn one_document_that_cannot_be_does_not_keep_out_the_others() {
    let fake = FakeCouch::start_with_limit(1000);
    let (address, _) = Address::parse(&fake.origin(), Expect::Server).unwrap();
    let (user, password) = fake.admin().unwrap();
    let credentials = Credentials::Basic { user, password: Secret::new(password) };
    let server = Server::connect(&address, Some(credentials), &clock().network).unwrap();
    let database = server.database(&DbName::new("db").unwrap());
    runtime().block_on(async {
        database.create().await.unwrap();
        let writes = [
            new("a", "{}", Vec::new()),
            new("large", "{}", vec![("p", attachment("image/png", vec![7; 2000]))]),
            new("b", "{}", Vec::new()),
            new("named", "{}", vec![("_p", attachment("image/png", "abc"))]),
            new("c", "{}", Vec::new()),
            new("d", "{}", Vec::new()),
        ];
        let rows = database.bulk(&writes).await.unwrap();
        let shown: Vec<_> = rows
            .iter()
            .map(|row| (row.id.as_str(), row.outcome.as_ref().map_or_else(|answer| answer.status, |_| 201)))
            .collect();
        assert_eq!(shown, [("a", 201), ("large", 413), ("b", 201), ("named", 400), ("c", 201), ("d", 201)]);
    });
}

/// A shard that misses an attachment refuses all; what other shards have stored is ours all the same.
#[tokio::test]
async fn what_was_stored_in_spite_of_a_refusal_is_recognised() {
    let writes = ["a", "b"].map(|id| new(id, "{}", Vec::new()));
    let revision = predicted_revision(&writes[0], &|_| None).unwrap();
    let refusal = || Step::json(412, r#"{"error":"missing_stub","reason":"x"}"#);
    let conflict = Step::json(201, r#"[{"id":"a","error":"conflict","reason":"Document update conflict."}]"#);
    let leaf = format!(r#"{{"rows":[{{"id":"a","key":"a","value":{{"rev":"{revision}"}}}}]}}"#);
    let server = ScriptedServer::steps([refusal(), conflict, Step::json(200, &leaf), refusal()]).await;
    let rows = database(&server).bulk(&writes).await.unwrap();
    assert_eq!(rows[0].outcome.as_ref().unwrap().revision, revision);
    assert_eq!(rows[1].outcome.as_ref().unwrap_err().status, 412);
}

#[test]
fn refusals_of_the_request_itself_are_errors() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        fake.fail_nth(1, Fault::Answer(Answer::error(401, "unauthorized", "You are not authorized.")));
        let error = database.bulk(&[new("a", "{}", Vec::new())]).await.unwrap_err();
        assert!(matches!(error, CouchError::Unauthorized { .. }), "{error:?}");
        let nowhere = database.server().database(&DbName::new("nowhere").unwrap());
        let error = nowhere.bulk(&[new("a", "{}", Vec::new())]).await.unwrap_err();
        assert!(matches!(error, CouchError::NotFound { .. }), "{error:?}");
    });
}
