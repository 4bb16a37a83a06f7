//! The small picture that goes along with a picture: its name, which is never one that people use, and its making.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::couch::{NewAttachment, Stub, digest};
use crate::media::{self, Record};
use crate::name::AttName;

/// The last number that a name is tried with.
const MOST: u32 = 9;

/// Does something that nobody else does at the same time: the pixels of one picture may take 192 MB.
pub(super) fn alone<T>(work: impl FnOnce() -> T) -> T {
    static PERMIT: Mutex<()> = Mutex::new(());
    let _permit = PERMIT.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// The names that the small picture of the file `own` can have, the usual one first.
fn names(own: &AttName) -> impl Iterator<Item = AttName> {
    let numbered = (2..=MOST).filter_map(|number| AttName::new(format!("thumbnail-{number}.jpg")).ok());
    let own_text = own.as_str().to_owned();
    let is_own = move |name: &AttName| name.as_str().eq_ignore_ascii_case(&own_text);
    std::iter::once(media::thumbnail_name(own)).chain(numbered).filter(move |name| !is_own(name))
}

/// The first of these names that no attachment of others has, in any case of letters.
pub(super) fn free_name(own: &AttName, others: &[&(AttName, Stub)]) -> Option<AttName> {
    let is_taken = |name: &AttName| others.iter().any(|(other, _)| other.as_str().eq_ignore_ascii_case(name.as_str()));
    names(own).find(|name| !is_taken(name))
}

/// The small picture that an earlier run has made. People can edit what the record says: a name that no run would have
/// given is theirs.
pub(super) fn own_name(record: &Record) -> Option<AttName> {
    let named = record.facts.get(media::Thumbnail::FACT)?.get("attachment")?.as_str()?;
    names(&record.attachment).find(|name| name.as_str() == named)
}

/// The picture as it is sent.
pub(super) fn attachment(thumbnail: media::Thumbnail) -> NewAttachment {
    let bytes = Bytes::from(thumbnail.bytes);
    NewAttachment {
        content_type: media::Thumbnail::CONTENT_TYPE.to_owned(),
        length: bytes.len() as u64,
        encoded: None,
        digest: digest::of(&bytes),
        source: Arc::new(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::*;
    use crate::json::Object;
    use crate::path::RelPath;

    fn name(text: &str) -> AttName {
        AttName::new(text).unwrap()
    }

    fn stub() -> Stub {
        Stub {
            content_type: "image/jpeg".into(),
            length: 1,
            digest: None,
            revpos: Some(1),
            encoding: None,
            encoded_length: None,
            raw: Object::new(),
        }
    }

    #[test]
    fn a_name_that_people_use_is_not_taken() {
        let table: [(&str, &[&str], Option<&str>); 5] = [
            ("x.jpg", &[], Some("thumbnail.jpg")),
            ("x.jpg", &["other.png", "Thumbnail.jpg"], Some("thumbnail-2.jpg")),
            ("x.jpg", &["thumbnail.jpg", "thumbnail-2.jpg"], Some("thumbnail-3.jpg")),
            ("thumbnail.jpg", &["thumbnail-2.jpg"], Some("thumbnail-3.jpg")),
            ("thumbnail-2.jpg", &["thumbnail.jpg"], Some("thumbnail-3.jpg")),
        ];
        for (own, others, expected) in table {
            let others: Vec<(AttName, Stub)> = others.iter().map(|other| (name(other), stub())).collect();
            let found = free_name(&name(own), &others.iter().collect::<Vec<_>>());
            assert_eq!(found.as_ref().map(AttName::as_str), expected, "{own} {others:?}");
        }
        let all: Vec<(AttName, Stub)> = names(&name("x.jpg")).map(|name| (name, stub())).collect();
        assert_eq!(free_name(&name("x.jpg"), &all.iter().collect::<Vec<_>>()), None);
    }

    #[test]
    fn only_a_name_that_a_run_has_given_is_ours() {
        let path = RelPath::new("a.jpg").unwrap();
        let record = |fact: serde_json::Value| Record {
            size: 1,
            content_type: "image/jpeg".to_owned(),
            modified: 1,
            sha256: [1; 32],
            attachment: media::file_attachment(&path),
            facts: Object::from_iter([("thumbnail".to_owned(), fact)]),
            path: path.clone(),
        };
        for (fact, expected) in [
            (json!({"attachment": "thumbnail.jpg"}), Some("thumbnail.jpg")),
            (json!({"attachment": "thumbnail-3.jpg"}), Some("thumbnail-3.jpg")),
            (json!({"attachment": "scribble.png"}), None),
            (json!({"attachment": "thumbnail-99.jpg"}), None),
            (json!({"attachment": 1}), None),
            (json!("thumbnail.jpg"), None),
        ] {
            let found = own_name(&record(fact.clone()));
            assert_eq!(found.as_ref().map(AttName::as_str), expected, "{fact}");
        }
    }

    #[test]
    fn one_picture_is_made_at_a_time() {
        let present = AtomicU32::new(0);
        let work = || {
            assert_eq!(present.fetch_add(1, Ordering::SeqCst), 0);
            std::thread::yield_now();
            present.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| alone(work)));
            }
        });
    }
}
