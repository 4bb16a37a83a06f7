//! Every name that a server may hold, as the bytes of the request that names it.

use couchapp::address::{Address, Expect};
use couchapp::couch::{CouchError, Database, Network, Read, Server, Write};
use couchapp::json::Object;
use couchapp::name::{AttName, DbName, DocId, Revision};

use crate::scripted_server::{ScriptedServer, Step};

/// What CouchDB stores as the name of an attachment or the id of a document, `.` and `..` and giants aside.
fn names() -> Vec<String> {
    let plain = [
        "a",
        "dir/_x",
        "a/b/c",
        "/etc/passwd",
        "../../x",
        "a/../../b",
        "a//b",
        "a/",
        "//",
        "/",
        "./a",
        "a/.",
        "a/..",
        "a\\b",
        "..\\..\\x",
        "C:\\x",
        "\\\\srv\\x",
        "a.txt:stream",
        "\0",
        "a\0b",
        "\n",
        "a\r\nX-Evil: 1",
        "\t",
        "\x1b[31m",
        "\x7f",
        "é",
        "e\u{301}",
        "\u{200b}",
        "\u{feff}",
        "\u{202e}gpj.exe",
        "%",
        "a%2Fb",
        "%2e%2e",
        "%2E",
        ".%2e",
        "%zz",
        "+",
        "a+b",
        "?",
        "a?rev=1-x",
        "#",
        "a#b",
        " ",
        " a",
        "a ",
        "a.",
        "...",
        "*",
        "|",
        "<",
        ">",
        "\"",
        "'",
        "`",
        "CON",
        "nul.txt",
        "COM1",
        "File.txt",
        "file.TXT",
        "~root/x",
        "-rf",
        ".git/config",
        ".couchapprc",
        ".couchapp/hooks",
        "&",
        "a&b=c",
        "=",
        ";",
        ",",
        ":",
        "@",
        "$",
        "!",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "^",
        "%FF%FE",
        "\u{fffd}",
        "日本語",
        "💾",
        "http://evil/",
        "//evil/x",
        "@evil",
    ];
    let long = [255, 256, 1000, 2500].map(|length| "n".repeat(length));
    plain.iter().map(ToString::to_string).chain(long).collect()
}

/// Percent-encoding by the letter of RFC 3986, written independently of the library's.
fn encoded(name: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn server() -> ScriptedServer {
    ScriptedServer::script(|_| Step::json(404, r#"{"error":"not_found","reason":"missing"}"#)).await
}

fn database(server: &ScriptedServer, path: &str, name: &str) -> Database {
    let (address, _) = Address::parse(&format!("{}{path}", server.url()), Expect::Server).unwrap();
    Server::connect(&address, None, &Network::default()).unwrap().database(&DbName::new(name).unwrap())
}

fn write(id: &DocId) -> Write {
    Write { id: id.clone(), parent: None, body: Object::new(), attachments: Vec::new(), progress: None }
}

fn revision() -> Revision {
    Revision::new("1-a").unwrap()
}

#[tokio::test]
async fn document_ids_are_sent_byte_for_byte() {
    let server = server().await;
    let database = database(&server, "", "db");
    let ids = names().into_iter().chain(names().into_iter().map(|name| format!("_design/{name}")));
    let mut expected = Vec::new();
    for id in ids {
        let id = DocId::new(id).unwrap();
        let path = match id.as_str().strip_prefix("_design/") {
            Some(name) => format!("/db/_design/{}", encoded(name)),
            None => format!("/db/{}", encoded(id.as_str())),
        };
        assert!(database.document(&id, &Read::default()).await.is_err());
        assert!(database.put(&write(&id)).await.is_err());
        assert!(database.delete(&id, &revision()).await.is_err());
        expected.push(format!("GET {path}?att_encoding_info=true"));
        expected.push(format!("PUT {path}"));
        expected.push(format!("DELETE {path}?rev=1-a"));
    }
    assert_eq!(server.lines(), expected);
}

#[tokio::test]
async fn attachment_names_are_sent_byte_for_byte() {
    let server = server().await;
    let database = database(&server, "", "db");
    let mut expected = Vec::new();
    for (id, path) in [("doc", "/db/doc"), ("_design/a/b", "/db/_design/a%2Fb"), ("a/../b", "/db/a%2F..%2Fb")] {
        let id = DocId::new(id).unwrap();
        for name in names() {
            let name = AttName::new(name).unwrap();
            assert!(database.attachment(&id, &name, &revision()).await.is_err());
            assert!(database.content_security_policy(&id, &name).await.is_err());
            expected.push(format!("GET {path}/{}?rev=1-a", encoded(name.as_str())));
            expected.push(format!("HEAD {path}/{}", encoded(name.as_str())));
        }
    }
    assert_eq!(server.lines(), expected);
}

#[tokio::test]
async fn database_names_and_prefixes_are_sent_byte_for_byte() {
    let server = server().await;
    let mut expected = Vec::new();
    for (prefix, sent) in [("", ""), ("/couch", "/couch"), ("/a%20b/c+d", "/a%20b/c%2Bd")] {
        for name in ["db", "a/b", "a/b/c", "x_$()+-/1", "_users"] {
            let database = database(&server, prefix, name);
            assert!(database.info().await.is_err());
            assert!(database.create().await.is_err());
            expected.push(format!("GET {sent}/{}", encoded(name)));
            expected.push(format!("PUT {sent}/{}", encoded(name)));
        }
    }
    assert_eq!(server.lines(), expected);
}

#[tokio::test]
async fn what_no_url_can_name_is_never_sent_as_a_path() {
    let server = server().await;
    let database = database(&server, "", "db");
    let giant = "ä".repeat(2000);
    for name in [".", "..", "_design/.", "_design/..", &giant] {
        let id = DocId::new(name).unwrap();
        assert!(matches!(database.put(&write(&id)).await, Err(CouchError::Unaddressable(_))), "{name}");
        assert!(matches!(database.delete(&id, &revision()).await, Err(CouchError::Unaddressable(_))), "{name}");
    }
    assert_eq!(server.lines(), [""; 0]);
    assert!(database.document(&DocId::new("..").unwrap(), &Read::default()).await.is_err());
    let (id, name) = (DocId::new("doc").unwrap(), AttName::new("..").unwrap());
    assert!(database.attachment(&id, &name, &revision()).await.is_err());
    let expected = [
        "POST /db/_bulk_get?att_encoding_info=true&attachments=false&revs=false",
        "GET /db/doc?att_encoding_info=true&rev=1-a&attachments=true",
    ];
    assert_eq!(server.lines(), expected);
    assert_eq!(server.seen()[0].body, br#"{"docs":[{"id":".."}]}"#);
}

#[tokio::test]
async fn headers_are_those_an_api_wants() {
    let server = server().await;
    let (address, credentials) =
        Address::parse(&server.url().replace("://", "://bob:p%40ss@"), Expect::Server).unwrap();
    let connected = Server::connect(&address, credentials, &Network::default()).unwrap();
    let database = connected.database(&DbName::new("db").unwrap());
    assert!(database.put(&write(&DocId::new("doc").unwrap())).await.is_err());
    assert!(database.info().await.is_err());
    let [put, get] = &server.seen()[..] else { panic!() };
    assert_eq!(put.header("content-type"), Some("application/json"));
    assert_eq!(put.header("content-length"), Some("13"));
    assert_eq!(put.header("transfer-encoding"), None);
    assert_eq!(put.body, br#"{"_id":"doc"}"#);
    for seen in [put, get] {
        assert_eq!(seen.header("accept"), Some("application/json"));
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        assert_eq!(seen.header("authorization"), Some("Basic Ym9iOnBAc3M="));
        assert!(seen.header("user-agent").unwrap().starts_with("couchapp/"));
        assert_eq!((seen.header("if-match"), seen.header("expect")), (None, None));
    }
}
