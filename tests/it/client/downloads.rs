//! Attachments and listings on their way from the server.

use super::*;

const PARTS: &str = concat!(
    "--B\r\nContent-Type: application/json\r\n\r\n",
    r#"{"_id":"doc","_rev":"1-a","_attachments":{"z":{"content_type":"x/y","length":3,"follows":true},"#,
    r#""kept":{"content_type":"x/y","length":9,"stub":true},"a":{"content_type":"x/y","length":0,"follows":true}}}"#,
    "\r\n--B\r\nContent-Disposition: attachment; filename=\"../../evil\"\r\nContent-Length: 99\r\n\r\nabc",
    "\r\n--B\r\nContent-Encoding: gzip\r\n\r\n",
    "\r\n--B--"
);

fn parts(body: &str) -> Step {
    Step::answer(200, "Content-Type: multipart/related; boundary=\"B\"\r\n", body.as_bytes())
}

async fn read_all(database: &Database) -> Result<Vec<(String, bool, Vec<u8>)>, CouchError> {
    let mut document = database.with_attachments(&id(), &Read::default()).await?;
    let mut all = Vec::new();
    while let Some(mut incoming) = document.next().await? {
        let mut content = Vec::new();
        while let Some(bytes) = incoming.chunk().await? {
            content.extend_from_slice(&bytes);
        }
        all.push((incoming.name.to_string(), incoming.gzip, content));
    }
    Ok(all)
}

#[tokio::test]
async fn attachments_arrive_in_parts_or_inside_the_document() {
    let server = ScriptedServer::steps([parts(PARTS)]).await;
    let expected = [("z".to_owned(), false, b"abc".to_vec()), ("a".to_owned(), true, Vec::new())];
    assert_eq!(read_all(&database(&server)).await.unwrap(), expected);
    assert_eq!(server.seen()[0].header("accept"), Some("multipart/related, application/json;q=0.5"));

    let inline =
        r#"{"_id":"doc","_rev":"1-a","_attachments":{"z":{"content_type":"x/y","data":"YWJj"},"a":{"data":""}}}"#;
    let server = ScriptedServer::steps([Step::json(200, inline)]).await;
    let expected = [("z".to_owned(), false, b"abc".to_vec()), ("a".to_owned(), false, Vec::new())];
    assert_eq!(read_all(&database(&server)).await.unwrap(), expected);

    // What the reader leaves unread is skipped.
    let server = ScriptedServer::steps([parts(PARTS)]).await;
    let mut document = database(&server).with_attachments(&id(), &Read::default()).await.unwrap();
    assert_eq!(document.next().await.unwrap().unwrap().name.as_str(), "z");
    assert_eq!(document.next().await.unwrap().unwrap().name.as_str(), "a");
    assert!(document.next().await.unwrap().is_none() && document.next().await.unwrap().is_none());
}

#[tokio::test]
async fn damaged_parts_are_errors() {
    let damaged = [
        PARTS.replace("--B--", ""),
        PARTS.replace("\r\n--B\r\nContent-Encoding: gzip\r\n\r\n", ""),
        PARTS.replace("\r\n--B--", "\r\n--B\r\n\r\nmore\r\n--B--"),
        PARTS.replace("gzip", "br"),
        PARTS.replace("\"_id\":\"doc\"", "\"_id\":\"other\""),
        PARTS.replace("{\"_id\"", "{_id"),
        PARTS.replace("--B", "--C"),
        "--B--".to_owned(),
        String::new(),
    ];
    for body in damaged {
        let server = ScriptedServer::steps([parts(&body)]).await;
        let error = read_all(&database(&server)).await.unwrap_err();
        assert!(matches!(error, CouchError::Protocol { .. }), "{body}: {error:?}");
    }
    let server =
        ScriptedServer::steps([Step::json(200, r#"{"_id":"doc","_rev":"1-a","_attachments":{"z":{"data":"?"}}}"#)])
            .await;
    assert!(matches!(read_all(&database(&server)).await, Err(CouchError::Protocol { .. })));
}

#[tokio::test]
async fn a_download_cut_short_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nETag: \"abc==\"\r\n";
    let cut = [
        Step::raw(format!("{head}Content-Length: 10\r\n\r\n12345").as_bytes(), End::Close),
        Step::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n").as_bytes(), End::Close),
        Step::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n").as_bytes(), End::Hang),
    ];
    for step in cut {
        let server = ScriptedServer::steps([step.clone()]).await;
        let name = AttName::new("a").unwrap();
        let mut download = impatient(&server).attachment(&id(), &name, &revision("1-a")).await.unwrap();
        assert_eq!((download.encoding.as_deref(), download.etag.as_deref()), (Some("gzip"), Some("\"abc==\"")));
        assert_eq!(download.chunk().await.unwrap().unwrap(), "12345");
        assert!(download.chunk().await.is_err(), "{step:?}");
        assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip"));
    }
}

#[tokio::test]
async fn listings_must_be_what_was_asked_for() {
    let rows = r#"{"rows":[{"id":"a","key":"a","value":{"rev":"1-a"}},{"key":"b","error":"not_found"},{"id":"c","key":"c","value":{"rev":"2-c","deleted":true}}]}"#;
    let ids: Vec<DocId> = ["a", "b", "c"].map(|id| DocId::new(id).unwrap()).into();
    let server = ScriptedServer::steps([Step::json(200, rows)]).await;
    let revisions = database(&server).revisions_of(&ids).await.unwrap();
    assert_eq!(revisions, [Some(revision("1-a")), None, None]);
    assert_eq!(server.seen()[0].body, br#"{"keys":["a","b","c"]}"#);
    let server = ScriptedServer::steps([Step::json(200, rows)]).await;
    assert!(matches!(database(&server).revisions_of(&ids[..2]).await, Err(CouchError::Protocol { .. })));

    let rows =
        r#"{"rows":[{"id":"_design/x","key":"_design/x","value":{"rev":"3-a"}},{"id":"other","value":{"rev":"1-a"}}]}"#;
    let server = ScriptedServer::steps([Step::json(200, rows)]).await;
    let designs = database(&server).design_documents().await.unwrap();
    assert_eq!(designs, [(DocId::new("_design/x").unwrap(), revision("3-a"))]);
    assert_eq!(server.lines(), ["GET /db/_all_docs?startkey=%22_design%2F%22&endkey=%22_design0%22"]);

    for (step, signature) in [
        (Step::json(200, r#"{"view_index":{"signature":"abc"}}"#), Some("abc")),
        (Step::json(200, r#""Not implemented.""#), None),
        (Step::json(501, r#""Not implemented.""#), None),
        (Step::answer(200, "Content-Type: text/plain\r\n", b"Not implemented."), None),
        (Step::json(404, r#"{"error":"not_found","reason":"missing"}"#), None),
    ] {
        let server = ScriptedServer::steps([step]).await;
        let design = DocId::new("_design/x").unwrap();
        assert_eq!(database(&server).view_signature(&design).await.unwrap().as_deref(), signature);
        assert_eq!(server.left(), 0);
    }
}
