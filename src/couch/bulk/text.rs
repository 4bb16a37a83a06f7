//! The text of a bulk write, built once: content goes into it as base64 and is nowhere else.

use std::io;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::StreamExt as _;
use serde::Serialize;

use crate::couch::{Attachment, CouchError, NewAttachment, Progress, Write};
use crate::name::{DocId, Revision};

/// What a document has beside the content of its attachments, roughly: more of it makes the text grow once more.
const USUAL_MEMBERS: usize = 1024;

/// The text for documents with their attachments, and who hears how much of it was sent.
pub(super) async fn of_writes(writes: &[Write]) -> Result<(Vec<u8>, Option<Progress>), CouchError> {
    let expected: u64 = writes.iter().map(encoded_length).sum();
    let mut text =
        Vec::with_capacity(usize::try_from(expected).unwrap_or_default() + writes.len() * USUAL_MEMBERS + 16);
    let mut shares = Vec::new();
    text.extend_from_slice(br#"{"docs":"#);
    for (index, write) in writes.iter().enumerate() {
        text.push(if index == 0 { b'[' } else { b',' });
        let begin = text.len() as u64;
        push_write(&mut text, write).await?;
        if let Some(progress) = &write.progress {
            shares.push(Share { begin, end: text.len() as u64, progress: Arc::clone(progress) });
        }
    }
    text.extend_from_slice(b"]}");
    Ok((text, told(shares)))
}

/// The text for deletions.
pub(super) fn of_tombstones(documents: &[(DocId, Revision)]) -> Vec<u8> {
    let mut text = br#"{"docs":"#.to_vec();
    for (index, (id, revision)) in documents.iter().enumerate() {
        text.push(if index == 0 { b'[' } else { b',' });
        push_head(&mut text, id, Some(revision));
        text.extend_from_slice(br#","_deleted":true}"#);
    }
    text.extend_from_slice(b"]}");
    text
}

/// The part of the text that belongs to one write.
struct Share {
    begin: u64,
    end: u64,
    progress: Progress,
}

/// Tells each write of its own share.
fn told(shares: Vec<Share>) -> Option<Progress> {
    if shares.is_empty() {
        return None;
    }
    Some(Arc::new(move |sent, _| {
        for Share { begin, end, progress } in shares.iter().take_while(|share| share.begin < sent) {
            progress(sent.min(*end) - begin, end - begin);
        }
    }))
}

/// Bytes that the content of a write takes in base64.
fn encoded_length(write: &Write) -> u64 {
    let length = |attachment: &Attachment| match attachment {
        Attachment::New(new) => new.length.div_ceil(3) * 4,
        Attachment::Stub(_) => 0,
    };
    write.attachments.iter().map(|(_, attachment)| length(attachment)).sum()
}

async fn push_write(text: &mut Vec<u8>, write: &Write) -> Result<(), CouchError> {
    push_head(text, &write.id, write.parent.as_ref());
    for (key, value) in &write.body {
        text.push(b',');
        push_json(text, key);
        text.push(b':');
        push_json(text, value);
    }
    for (index, (name, attachment)) in write.attachments.iter().enumerate() {
        text.extend_from_slice(if index == 0 { br#","_attachments":{"# } else { b"," });
        push_json(text, name.as_str());
        text.push(b':');
        match attachment {
            Attachment::Stub(stub) => push_json(text, &stub.raw),
            Attachment::New(new) => {
                let pushed = push_content(text, new).await;
                pushed.map_err(|source| CouchError::Source { name: name.to_string(), source })?;
            }
        }
    }
    if !write.attachments.is_empty() {
        text.push(b'}');
    }
    text.push(b'}');
    Ok(())
}

/// An object with its first members, not closed.
fn push_head(text: &mut Vec<u8>, id: &DocId, revision: Option<&Revision>) {
    text.extend_from_slice(br#"{"_id":"#);
    push_json(text, id.as_str());
    if let Some(revision) = revision {
        text.extend_from_slice(br#","_rev":"#);
        push_json(text, revision.as_str());
    }
}

fn push_json<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    // Texts and maps with text keys can always be written, and memory takes everything.
    let _ = serde_json::to_writer(text, value);
}

async fn push_content(text: &mut Vec<u8>, new: &NewAttachment) -> io::Result<()> {
    let error = |kind, text: &str| Err(io::Error::new(kind, text.to_owned()));
    if new.encoded.is_some() {
        return error(io::ErrorKind::InvalidInput, "it is compressed, which a bulk write cannot say");
    }
    text.extend_from_slice(br#"{"content_type":"#);
    push_json(text, &new.content_type);
    text.extend_from_slice(br#","data":""#);
    let mut stream = new.source.open().await?;
    let (mut left, mut rest) = (new.length, Vec::with_capacity(3));
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        left = match left.checked_sub(piece.len() as u64) {
            Some(left) => left,
            None => return error(io::ErrorKind::InvalidData, "it has become longer"),
        };
        push_base64(text, &mut rest, &piece);
    }
    if left > 0 {
        return error(io::ErrorKind::UnexpectedEof, "it has become shorter");
    }
    append(text, &rest);
    text.extend_from_slice(br#""}"#);
    Ok(())
}

/// Encodes as many groups of three bytes as there are; `rest` is what did not fill one.
fn push_base64(text: &mut Vec<u8>, rest: &mut Vec<u8>, mut piece: &[u8]) {
    if !rest.is_empty() {
        let (missing, others) = piece.split_at(piece.len().min(3 - rest.len()));
        rest.extend_from_slice(missing);
        piece = others;
        if rest.len() < 3 {
            return;
        }
        append(text, rest);
        rest.clear();
    }
    let (groups, remainder) = piece.split_at(piece.len() / 3 * 3);
    append(text, groups);
    rest.extend_from_slice(remainder);
}

fn append(text: &mut Vec<u8>, bytes: &[u8]) {
    let begin = text.len();
    text.resize(begin + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly what is needed.
    let _ = BASE64_STANDARD.encode_slice(bytes, &mut text[begin..]);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use serde_json::{Value, json};
    use std::sync::Mutex;

    use super::*;
    use crate::couch::{ByteStream, Encoded, Opening, Source, Stub, digest};
    use crate::json::Object;
    use crate::name::AttName;

    struct Pieces(Vec<Bytes>);

    impl Source for Pieces {
        fn open(&self) -> Opening<'_> {
            let pieces: Vec<io::Result<Bytes>> = self.0.iter().cloned().map(Ok).collect();
            Box::pin(async move { Ok(Box::pin(stream::iter(pieces)) as ByteStream) })
        }
    }

    fn write(id: &str, attachments: Vec<(&str, Attachment)>) -> Write {
        let named = attachments.into_iter().map(|(name, attachment)| (AttName::new(name).unwrap(), attachment));
        let Value::Object(body) = json!({ "b\"": [1.5, null], "a": {} }) else { unreachable!() };
        Write { id: DocId::new(id).unwrap(), parent: None, body, attachments: named.collect(), progress: None }
    }

    fn new(length: u64, pieces: &[&[u8]]) -> NewAttachment {
        let source = Arc::new(Pieces(pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect()));
        let digest = digest::of(&pieces.concat());
        NewAttachment { content_type: "x/\"y\"".into(), length, encoded: None, digest, source }
    }

    #[tokio::test]
    async fn documents_are_written_with_their_content() {
        let mut raw = Object::new();
        raw.insert("stub".into(), json!(true));
        raw.insert("revpos".into(), json!(3));
        let stub = Stub {
            content_type: "x/y".into(),
            length: 1,
            digest: None,
            revpos: None,
            encoding: None,
            encoded_length: None,
            raw: raw.clone(),
        };
        let parent = Some(Revision::new("3-a").unwrap());
        let attachments = vec![("k\n", Attachment::Stub(stub)), ("n", Attachment::New(new(3, &[b"abc"])))];
        let writes = [write("é\"", Vec::new()), Write { parent, ..write("b", attachments) }];
        let (text, progress) = of_writes(&writes).await.unwrap();
        assert!(progress.is_none());
        let expected = concat!(
            r#"{"docs":[{"_id":"é\"","b\"":[1.5,null],"a":{}},"#,
            r#"{"_id":"b","_rev":"3-a","b\"":[1.5,null],"a":{},"_attachments":{"k\n":{"stub":true,"revpos":3},"#,
            r#""n":{"content_type":"x/\"y\"","data":"YWJj"}}}]}"#
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let documents = ["a", "b"].map(|id| (DocId::new(id).unwrap(), Revision::new("1-x").unwrap()));
        let expected =
            r#"{"docs":[{"_id":"a","_rev":"1-x","_deleted":true},{"_id":"b","_rev":"1-x","_deleted":true}]}"#;
        assert_eq!(String::from_utf8(of_tombstones(&documents)).unwrap(), expected);
    }

    #[tokio::test]
    async fn content_is_the_same_in_whatever_pieces_it_comes() {
        let content: Vec<u8> = (0..=40).collect();
        for first in 0..8 {
            for second in first..12 {
                let pieces = [&content[..first], &content[first..second], &[], &content[second..]];
                let attachment = Attachment::New(new(41, &pieces));
                let (text, _) = of_writes(&[write("a", vec![("n", attachment)])]).await.unwrap();
                let sent: Value = serde_json::from_slice(&text).unwrap();
                let data = sent.pointer("/docs/0/_attachments/n/data").and_then(Value::as_str).unwrap();
                assert_eq!(data, BASE64_STANDARD.encode(&content), "{first} {second}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_as_announced_is_not_sent() {
        let gzip = NewAttachment { encoded: Some(Encoded { length: 3 }), ..new(5, &[b"abc"]) };
        for (attachment, kind) in [
            (new(2, &[b"ab", b"c"]), io::ErrorKind::InvalidData),
            (new(4, &[b"abc"]), io::ErrorKind::UnexpectedEof),
            (gzip, io::ErrorKind::InvalidInput),
        ] {
            match of_writes(&[write("a", vec![("n", Attachment::New(attachment))])]).await {
                Err(CouchError::Source { name, source }) => assert_eq!((name.as_str(), source.kind()), ("n", kind)),
                _ => panic!("{kind:?}"),
            }
        }
    }

    #[tokio::test]
    async fn the_text_is_built_without_growing() {
        let content = vec![7; 300_000];
        let attachment = || Attachment::New(new(300_000, &[&content]));
        let writes = ["a", "b"].map(|id| write(id, vec![("n", attachment())]));
        let (text, _) = of_writes(&writes).await.unwrap();
        assert!(text.capacity() < 2 * 400_000 + 4096, "{}", text.capacity());
    }

    #[tokio::test]
    async fn each_write_hears_of_its_own_share() {
        let heard: Arc<Mutex<Vec<(usize, u64, u64)>>> = Arc::default();
        let listening = |index| {
            let heard = Arc::clone(&heard);
            let progress: Progress = Arc::new(move |sent, of| heard.lock().unwrap().push((index, sent, of)));
            Write { progress: Some(progress), ..write("a", Vec::new()) }
        };
        let (text, progress) = of_writes(&[listening(0), listening(1)]).await.unwrap();
        let share = (text.len() as u64 - 12) / 2;
        let progress = progress.unwrap();
        progress(9 + 5, text.len() as u64);
        progress(text.len() as u64, text.len() as u64);
        assert_eq!(*heard.lock().unwrap(), [(0, 5, share), (0, share, share), (1, share, share)]);
    }
}
