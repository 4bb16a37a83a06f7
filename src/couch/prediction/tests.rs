//! Revisions that CouchDB 3.5.0 gave, and what the rule makes of the same writes.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::couch::{Encoded, NewAttachment, Stub};
use crate::json;
use crate::name::DocId;

fn body(text: &str) -> Object {
    json::parse(text.as_bytes()).unwrap().as_object().unwrap().clone()
}

fn write(parent: Option<&str>, text: &str, attachments: Vec<(AttName, Attachment)>) -> Write {
    let parent = parent.map(|parent| Revision::new(parent).unwrap());
    Write { id: DocId::new("doc").unwrap(), parent, body: body(text), attachments, progress: None }
}

/// Bodies of new documents, and the hash of their first revision.
#[rustfmt::skip]
const BODIES: &[(&str, &str)] = &[
    (r"{}", "967a00dff5e02add41819138abb3284d"),
    (r#"{"a":null,"b":true,"c":false}"#, "9ee24fc5101a7ad908e495035b5c47dc"),
    (r#"{"s":"","t":"plain","u":"é日😀\u0000\n\"\\/","v":"\u00e9\ud83d\ude00"}"#, "5503b55642fdff5ded33c8b615df77bd"),
    (r#"{"n":0,"m":1,"k":255,"l":256,"o":-1,"p":65535,"q":-256}"#, "45c6f0f626618a722d526f9f369f3730"),
    (r#"{"a":134217727,"b":134217728,"c":-134217728,"d":-134217729,"e":2147483647,"f":2147483648,"g":-2147483648,"h":-2147483649}"#, "4704d6bc0e8a7606eb943d11bb4a1c17"),
    (r#"{"a":4294967295,"b":4294967296,"c":9007199254740993,"d":9223372036854775807,"e":9223372036854775808,"f":-9223372036854775808,"g":-9223372036854775809,"h":18446744073709551615,"i":18446744073709551616}"#, "337b79413b202632bb333b23382a0a3d"),
    (r#"{"a":576460752303423487,"b":576460752303423488,"c":-576460752303423488,"d":-576460752303423489}"#, "43a9de9ca3acb030dc84b56a32c0c5a0"),
    (r#"{"a":123456789012345678901234567890,"b":-123456789012345678901234567890}"#, "45e7ec942605328efe86cdca6bd81abc"),
    (r#"{"a":1.5,"b":0.1,"c":-2.25,"d":1e2,"e":1e22,"f":1E5,"g":1.0,"h":2e-7,"i":0.10,"j":123456789.123456789}"#, "90a973c1d8412a5c5e9c1ba1bebb73c5"),
    (r#"{"a":0.0}"#, "f8fc1b07134fb0e1af62a5cb42046ee1"),
    (r#"{"a":-0.0}"#, "79e62e17829588afea5328e32c7e34af"),
    (r#"{"a":-0}"#, "dcf485487e051d7f9b7c62bd4265a425"),
    (r#"{"a":-0e3}"#, "79e62e17829588afea5328e32c7e34af"),
    (r#"{"a":1.7976931348623157e308}"#, "659564c6549b246f4f078d46978ad9d3"),
    (r#"{"a":123456789012345678901234567890.5}"#, "5fd38602c938c35d2dc52fe8111f9cbc"),
    (r#"{"a":1e300}"#, "63ff1d01b64ef5759f9c15ac5ed862d0"),
    (r#"{"a":[]}"#, "d49a64a623a0fcc15fb2a4e9edf20834"),
    (r#"{"a":{}}"#, "3a998deb00874a1aa37c51ab7d1665df"),
    (r#"{"a":[1,2,3]}"#, "308048961a84beb0c9e99e07facf0f5f"),
    (r#"{"a":[1,2,300]}"#, "a77dc9a33f4f57596bdf0a2121a0cb5e"),
    (r#"{"a":[0,255]}"#, "ebdd13a7ecf6387443aa094a0d18b4d6"),
    (r#"{"a":[255,256]}"#, "567c8c4ab2748b70422e4b80181e3942"),
    (r#"{"a":[1,"x"]}"#, "3251610a3e0f81858333c784878b0416"),
    (r#"{"a":[1.0,2]}"#, "9b61e7de83d248588f054b436e7f3830"),
    (r#"{"a":[[1,2],[3],[]]}"#, "71309f8c8d7c75d6fab7ce55b3b94c76"),
    (r#"{"a":[-1,2]}"#, "c3689de890ceb82f0765b5ca233ee01e"),
    (r#"{"a":[null,true]}"#, "7493596d573378d6ec91dd2d1ab0be67"),
    (r#"{"a":[{},{}]}"#, "a8a0339d7936409c473c63d3dc784736"),
    (r#"{"b":{"z":{"y":{"x":[{"w":1}]}}},"a":{"c":"d"}}"#, "d135f58bc7c83a4ea5b8580c1d815e4f"),
    (r#"{"type":"file","tags":["holiday","2024"],"file":{"path":"a/b.jpg","size":123456,"width":4000,"taken":"2024-01-01T00:00:00","lat":52.5200066}}"#, "e80af240519ff696832a71f25b7a4838"),
    (r#"{"longlist":[200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256, 257, 258, 259, 260, 261, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 272, 273, 274, 275, 276, 277, 278, 279, 280, 281, 282, 283, 284, 285, 286, 287, 288, 289, 290, 291, 292, 293, 294, 295, 296, 297, 298, 299, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 329, 330, 331, 332, 333, 334, 335, 336, 337, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 348, 349, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359, 360, 361, 362, 363, 364, 365, 366, 367, 368, 369, 370, 371, 372, 373, 374, 375, 376, 377, 378, 379, 380, 381, 382, 383, 384, 385, 386, 387, 388, 389, 390, 391, 392, 393, 394, 395, 396, 397, 398, 399]}"#, "eecb4bd3163585a4ca37314db12c50e2"),
    (r#"{"":"empty key","k y":1}"#, "f42481111c764c3c376196cd9f64cdf4"),
    (r#"{"language":"javascript"}"#, "ac85fc9abd1578d42425e6186d27ceb0"),
];

/// The pictures, texts and films of the table.
const PICTURE: &[u8] = b"\x89PNG\x00\xff";
const TEXT: &[u8] = b"hello hello hello hello";

fn new(name: &str, content_type: &str, bytes: impl Into<Bytes>) -> (AttName, Attachment) {
    let bytes = bytes.into();
    let new = NewAttachment {
        content_type: content_type.into(),
        length: bytes.len() as u64,
        encoded: None,
        digest: digest::of(&bytes),
        source: Arc::new(bytes),
    };
    (AttName::new(name).unwrap(), Attachment::New(new))
}

fn stub(name: &str, content_type: &str, digest: &str) -> (AttName, Attachment) {
    let stub = Stub {
        content_type: content_type.into(),
        length: 0,
        digest: digest.parse().ok(),
        revpos: Some(1),
        encoding: None,
        encoded_length: None,
        raw: Object::new(),
    };
    (AttName::new(name).unwrap(), Attachment::Stub(stub))
}

/// The digests of what the server compresses by itself.
fn stored(write: &Write) -> Option<Revision> {
    let texts = [
        ("a.txt", TEXT),
        ("m.txt", b""),
        ("a/b.json", if write.parent.is_none() { &br#"{"a":1}"#[..] } else { b"{}" }),
    ];
    predicted_revision(write, &|name| {
        let (_, content) = texts.iter().find(|(text, _)| *text == name.as_str())?;
        Some(digest::of(&digest::gzip(content, digest::SERVER_LEVEL)))
    })
}

fn plain(write: &Write) -> Option<String> {
    predicted_revision(write, &|_| None).map(|revision| revision.to_string())
}

#[test]
fn new_documents_get_the_revision_of_their_body() {
    for (text, hash) in BODIES {
        assert_eq!(plain(&write(None, text, Vec::new())), Some(format!("1-{hash}")), "{text}");
    }
    // Lists of small numbers are strings to Erlang, as far as its strings go.
    for (items, hash) in [(65535, "fa91394b656ed0c760f968402198d154"), (65536, "1655aeed6e8d3cc023bc3041b433dcfb")] {
        let text = format!(r#"{{"longbytes":[{}]}}"#, vec!["7"; items].join(","));
        assert_eq!(plain(&write(None, &text, Vec::new())), Some(format!("1-{hash}")), "{items}");
    }
}

#[test]
fn updates_get_the_revision_of_their_body_and_parent() {
    for (parent, text, revision) in [
        ("1-23202479633c2b380f79507a776743d5", r#"{"a":2}"#, "2-71173597778497e0a6aa176963f222db"),
        ("2-71173597778497e0a6aa176963f222db", r#"{"a":2}"#, "3-68daefe208a4f481346bb8904ee9f72c"),
        // Revisions that were made elsewhere.
        ("1-abc", r#"{"a":1}"#, "2-662a61caf479e571df4eb8cf54542802"),
        ("3-00112233445566778899aabbccddeeff", r#"{"a":1}"#, "4-bfcf455f98b239da604950c35fa74c23"),
        ("300-967a00dff5e02add41819138abb3284d", r#"{"a":1}"#, "301-fe135a36615ee94719bf69d4dddfb416"),
    ] {
        assert_eq!(plain(&write(Some(parent), text, Vec::new())).as_deref(), Some(revision), "{parent}");
    }
}

/// Measured alike for `PUT`, `_bulk_docs` and `multipart/related`.
#[test]
fn attachments_count_with_their_stored_bytes_in_reverse_order() {
    let film = vec![b'v'; 3000];
    let first = write(
        None,
        r#"{"type":"file","tags":[]}"#,
        vec![
            new("z.png", "image/png", PICTURE),
            new("a/b.json", "application/json", &br#"{"a":1}"#[..]),
            new("é日.bin", "application/octet-stream", &b""[..]),
            new("m.txt", "text/plain; charset=utf-8", &b""[..]),
            new("~_x", "video/mp4", film),
        ],
    );
    let second = write(
        Some("1-d9004a863846d9b31efdfdbcabd9668f"),
        r#"{"x":1.5}"#,
        vec![
            stub("z.png", "image/png", "md5-ziJgWTUuwN/dbMMjk8agPw=="),
            new("new.png", "image/png", &b"new"[..]),
            stub("m.txt", "text/plain; charset=utf-8", "md5-cCkGbCesb17xjWYNV0GXmg=="),
            new("a/b.json", "application/json", &b"{}"[..]),
            stub("~_x", "video/mp4", "md5-Bc7Dr4IeLQsu/iiTiiS+aA=="),
        ],
    );
    let third = write(
        Some("2-6eaa016bc3e7438c39bc1f25fb61d5b4"),
        r#"{"x":2}"#,
        vec![
            stub("z.png", "image/png", "md5-ziJgWTUuwN/dbMMjk8agPw=="),
            stub("new.png", "image/png", "md5-Iq9kXRhZy1ym2gxITx836g=="),
            stub("m.txt", "text/plain; charset=utf-8", "md5-cCkGbCesb17xjWYNV0GXmg=="),
            stub("a/b.json", "application/json", "md5-FCk62a0P+vn3o6zxsHk7Zg=="),
            stub("~_x", "video/mp4", "md5-Bc7Dr4IeLQsu/iiTiiS+aA=="),
        ],
    );
    let dropped = write(Some("3-55f33b9303a1a12b1a1184c21bd52e35"), r#"{"x":2}"#, Vec::new());
    let picture = write(None, r#"{"n":1}"#, vec![new("a.png", "image/png", PICTURE)]);
    let text = write(None, r#"{"n":1}"#, vec![new("a.txt", "text/plain", TEXT)]);
    for (write, revision) in [
        (&picture, "1-3e94d1d5574a425b8929c2af564667bd"),
        (&text, "1-c18e1e72aec1871ad24b44d2b870a2a0"),
        (&first, "1-d9004a863846d9b31efdfdbcabd9668f"),
        (&second, "2-6eaa016bc3e7438c39bc1f25fb61d5b4"),
        (&third, "3-55f33b9303a1a12b1a1184c21bd52e35"),
        (&dropped, "4-8926595ffa0aa911e158dcaf4196689f"),
    ] {
        assert_eq!(stored(write).as_ref().map(Revision::as_str), Some(revision));
    }
    assert_eq!(plain(&text), None, "the server's gzip is not known");
}

/// The bytes that the server measured were zlib's at level 8; it takes them as they are.
#[test]
fn gzip_that_is_sent_is_stored_as_it_is() {
    let gzip = digest::gzip(TEXT, digest::SERVER_LEVEL);
    let sent = NewAttachment {
        content_type: "text/plain".into(),
        length: TEXT.len() as u64,
        encoded: Some(Encoded { length: gzip.len() as u64 }),
        digest: digest::of(&gzip),
        source: Arc::new(Bytes::from(gzip)),
    };
    let write = write(None, "{}", vec![(AttName::new("a.txt").unwrap(), Attachment::New(sent))]);
    assert_eq!(plain(&write).as_deref(), Some("1-aaa064fb5257c44f95fecee2c90dd3e0"));
}

#[test]
fn tombstones_are_predicted_as_they_are_measured() {
    for (parent, revision) in [
        ("3-68daefe208a4f481346bb8904ee9f72c", "4-0d5c034674ac4f67ca749205ac684f65"),
        ("5-c7293251d7a23910de9ba602cf7a5ff0", "6-a291ad071d0472351af0b53215fdf260"),
        ("2-662a61caf479e571df4eb8cf54542802", "3-bc4f747cca70ecb0e72384f2da15b213"),
    ] {
        let tombstone = predicted_tombstone(&Revision::new(parent).unwrap()).unwrap();
        assert_eq!(tombstone.as_str(), revision);
    }
}

#[test]
fn what_cannot_be_told_is_not_guessed() {
    // Made zero by CouchDB, or refused.
    let large = format!(r#"{{"a":1{}}}"#, "0".repeat(400));
    for text in [
        r#"{"a":5e-324}"#,
        r#"{"a":1e-400}"#,
        r#"{"a":-1e-400}"#,
        r#"{"a":[{"b":2e-310}]}"#,
        &large,
        r#"{"_a":1}"#,
        r#"{"a":123456789012345678901234567890e5}"#,
    ] {
        assert_eq!(plain(&write(None, text, Vec::new())), None, "{text}");
    }
    assert_eq!(plain(&write(None, "{}", vec![stub("a", "x/y", "odd")])), None);
    assert_eq!(plain(&write(Some("2-zz7a00dff5e02add41819138abb3284d"), "{}", Vec::new())), None);
    let local = Write { id: DocId::new("_local/x").unwrap(), ..write(None, "{}", Vec::new()) };
    assert_eq!(plain(&local), None);
}
