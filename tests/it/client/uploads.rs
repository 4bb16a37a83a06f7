//! Documents with attachments on their way to the server.

use super::doubt::with_stub;
use super::*;

#[tokio::test]
async fn a_late_answer_to_an_upload_is_not_waited_for() {
    let write = with("a", attachment("image/png", vec![1; 1000]));
    let stub =
        format!(r#"{{"content_type":"image/png","length":1000,"digest":"{}","stub":true}}"#, digest::of(&[1; 1000]));
    let server = ScriptedServer::steps([vanish(End::Hang), with_stub(&stub)]).await;
    let late_answer = Duration::from_millis(100);
    let network = Network { late_answer, idle_timeout: Duration::from_hours(1), ..clock().network };
    let database = connect(&server, &network).database(&DbName::new("db").unwrap());
    assert!(recognised(database.put(&write).await));
}

#[tokio::test]
async fn early_answers_to_large_uploads_are_read() {
    let refusal = |status, error: &str, reason: &str| {
        Step::json(status, &format!(r#"{{"error":"{error}","reason":"{reason}"}}"#)).early()
    };
    let server = ScriptedServer::steps([refusal(409, "conflict", "Document update conflict.")]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert!(matches!(error, CouchError::Conflict { .. }), "{error:?}");
    let server = ScriptedServer::steps([refusal(413, "attachment_too_large", "movie.mp4")]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert_eq!(error.to_string(), "`movie.mp4` is larger than the server allows");
    let server = ScriptedServer::steps([refusal(401, "unauthorized", "no")]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert!(matches!(error, CouchError::Unauthorized { given: false, .. }), "{error:?}");
    assert_eq!(server.methods(), "PUT");
}

#[tokio::test]
async fn a_reset_in_an_upload_leads_to_reading_the_document() {
    let reset = |count| Step::silence(scripted_server::Read::Bytes(count), End::Reset);
    let stale = || found("3-z", r#""z","y","x""#, r#","n":0"#);
    let server = ScriptedServer::steps([reset(100_000), stale()]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert!(matches!(error, CouchError::Conflict { .. }), "{error:?}");
    assert_eq!(server.methods(), "PUT GET");

    let whole = with("a", attachment("image/png", (0..=255).cycle().take(300_000).collect::<Vec<u8>>()));
    let length = {
        let server = ScriptedServer::steps([written(201)]).await;
        database(&server).put(&whole).await.unwrap();
        server.seen()[0].body.len()
    };
    for cut in [0, 1, 40, 200, 400, 1000, 65_536, 150_000, 299_999, length - 2, length - 1, length] {
        let server = ScriptedServer::steps([reset(cut), untouched(), written(201)]).await;
        assert!(!recognised(database(&server).put(&whole).await), "{cut}");
        let seen = server.seen();
        assert_eq!((server.methods().as_str(), seen[2].body.len()), ("PUT GET PUT", length), "{cut}");
        // A fresh boundary, the same content.
        assert!(seen[2].body.windows(256).any(|window| window.iter().copied().eq(0..=255)), "{cut}");
    }
}

#[tokio::test]
async fn uploads_are_framed_and_counted() {
    let heard: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
    let hear = Arc::clone(&heard);
    let mut write = with("b.png", attachment("image/png", vec![9; 200_000]));
    write.attachments.insert(0, (AttName::new("a.txt").unwrap(), attachment("text/plain", "")));
    write.progress = Some(Arc::new(move |sent, total| hear.lock().unwrap().push((sent, total))));
    let server = ScriptedServer::steps([written(202)]).await;
    let result = database(&server).put(&write).await.unwrap();
    assert!(result.weak && !result.recognised);
    let seen = &server.seen()[0];
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.header("content-length").unwrap(), seen.body.len().to_string());
    let boundary = seen.header("content-type").unwrap().strip_prefix("multipart/related; boundary=\"").unwrap();
    assert_eq!(boundary.len(), 33);
    let json = format!(
        concat!(
            r#"{{"_id":"doc","_rev":"1-a","n":1.50,"b":[true],"_attachments":{{"#,
            r#""a.txt":{{"content_type":"text/plain","length":0,"digest":"{}","follows":true}},"#,
            r#""b.png":{{"content_type":"image/png","length":200000,"digest":"{}","follows":true}}}}}}"#
        ),
        digest::of(b""),
        digest::of(&vec![9; 200_000]),
    );
    let text = String::from_utf8_lossy(&seen.body);
    assert!(text.contains(&json), "{}", &text[..600]);
    let heard = heard.lock().unwrap();
    assert!(heard.iter().all(|(_, total)| *total == seen.body.len() as u64));
    assert!(heard.is_sorted() && heard.last().unwrap().0 == seen.body.len() as u64);
}

struct Shrunk;

impl Source for Shrunk {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Ok(Box::pin(stream::iter([Ok(Bytes::from_static(b"short"))])) as ByteStream) })
    }
}

struct Unreadable;

impl Source for Unreadable {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::PermissionDenied)) })
    }
}

#[tokio::test]
async fn a_source_that_fails_ends_the_upload() {
    let sources: [(Arc<dyn Source>, u64); 3] =
        [(Arc::new(Shrunk), 6), (Arc::new(Shrunk), 4), (Arc::new(Unreadable), 5)];
    for (source, length) in sources {
        let server = ScriptedServer::script(|_| written(201)).await;
        let new = NewAttachment {
            content_type: "image/png".into(),
            length,
            encoded: None,
            digest: digest::of(b"short"),
            source,
        };
        let error = database(&server).put(&with("a.png", Attachment::New(new))).await.unwrap_err();
        assert!(matches!(&error, CouchError::Source { name, .. } if name == "a.png"), "{error:?}");
        assert_eq!(server.lines(), [""; 0], "no request was whole");
    }
}

#[tokio::test]
async fn corruption_is_tried_once_more() {
    let damaged = || Step::json(500, r#"{"error":"unknown_error","reason":"function_clause"}"#);
    let write = with("a", attachment("image/png", "abc"));
    let server = ScriptedServer::steps([damaged(), untouched(), damaged()]).await;
    let error = database(&server).put(&write).await.unwrap_err();
    assert_eq!(error.to_string(), "the upload of `doc` was corrupted in transit");
    assert_eq!(server.methods(), "PUT GET PUT");
    let server = ScriptedServer::steps([damaged(), untouched(), written(201)]).await;
    assert!(!recognised(database(&server).put(&write).await));
}
