//! Paths and file names as document ids and attachment names, and back.
//!
//! CouchDB keeps what begins with an underscore for itself: such an id is refused unless it is `_design/…` or
//! `_local/…`, and one attachment name that begins with `_` fails the whole request it is part of
//! ([attachments](https://docs.couchdb.org/en/stable/api/document/attachments.html)). A `~` in front makes it an
//! ordinary name. So that no two names become one, a name that looks escaped already is escaped too: what begins with
//! `_`, `~_` or `~~` gets a `~` in front, anything else stays as it is.

use super::{AttName, DocId};
use crate::path::RelPath;

const ESCAPE: char = '~';

const THUMBNAIL: &str = "thumbnail.jpg";
/// For a file that is called like a thumbnail.
const OTHER_THUMBNAIL: &str = "thumbnail-2.jpg";

/// The id of the document that stands for the file at `path`. Different paths have different ids.
pub fn document_id(path: &RelPath) -> DocId {
    // Never empty, as no path is, and never with an underscore in front.
    DocId(escaped(path.as_str()))
}

/// The key under `_attachments` for one file name, or for a whole path where the files of a folder become attachments
/// of one document. `None` for what no file is called and no URL can address: the empty name, `.` and `..`.
pub fn attachment_name(text: &str) -> Option<AttName> {
    if matches!(text, "" | "." | "..") { None } else { Some(AttName(escaped(text))) }
}

/// [`attachment_name`] for the last component of `path`, which always has one.
pub fn file_attachment(path: &RelPath) -> AttName {
    AttName(escaped(path.name()))
}

/// The key for the thumbnail of the file whose own key is `own`; never equal to it, in any case of letters.
pub fn thumbnail_attachment(own: &AttName) -> AttName {
    let is_taken = own.as_str().eq_ignore_ascii_case(THUMBNAIL);
    AttName(if is_taken { OTHER_THUMBNAIL } else { THUMBNAIL }.to_owned())
}

/// The opposite of [`document_id`] and [`attachment_name`]. Text that neither of them makes comes back as something
/// that they would escape differently: compare before trusting it.
pub fn unescaped(text: &str) -> &str {
    match text.strip_prefix(ESCAPE) {
        Some(rest) if rest.starts_with(['_', ESCAPE]) => rest,
        _ => text,
    }
}

fn escaped(text: &str) -> String {
    if text.starts_with('_') || unescaped(text) != text { format!("{ESCAPE}{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn only_what_couchdb_refuses_or_what_looks_escaped_is_changed() {
        let cases = [
            ("a/b.jpg", "a/b.jpg"),
            ("a/_x.jpg", "a/_x.jpg"),
            ("_x.jpg", "~_x.jpg"),
            ("_design/x", "~_design/x"),
            ("_", "~_"),
            ("~", "~"),
            ("~x", "~x"),
            ("~_x", "~~_x"),
            ("~~x", "~~~x"),
            ("~~", "~~~"),
            (".x", ".x"),
        ];
        for (name, expected) in cases {
            assert_eq!(document_id(&path(name)).as_str(), expected);
            assert_eq!(attachment_name(name).unwrap().as_str(), expected);
            assert_eq!(unescaped(expected), name);
        }
        assert_eq!(file_attachment(&path("a/_x.jpg")).as_str(), "~_x.jpg");
        assert_eq!(file_attachment(&path("_a/x.jpg")).as_str(), "x.jpg");
    }

    #[test]
    fn what_no_file_is_called_is_no_attachment() {
        for name in ["", ".", ".."] {
            assert_eq!(attachment_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_thumbnail_is_beside_the_file() {
        let cases = [
            ("x.jpg", "thumbnail.jpg"),
            ("thumbnail.jpg", "thumbnail-2.jpg"),
            ("Thumbnail.JPG", "thumbnail-2.jpg"),
            ("thumbnail-2.jpg", "thumbnail.jpg"),
        ];
        for (own, expected) in cases {
            assert_eq!(thumbnail_attachment(&AttName::new(own).unwrap()).as_str(), expected);
        }
    }

    proptest! {
        #[test]
        fn names_come_back_and_stay_apart(first in "[_~a/.]{0,4}\\PC{0,3}", second in "[_~a/.]{0,4}\\PC{0,3}") {
            let (left, right) = (escaped(&first), escaped(&second));
            prop_assert_eq!(unescaped(&left), &first);
            prop_assert_eq!(left == right, first == second);
            prop_assert!(!left.starts_with('_'));
            // The types themselves would have taken the text.
            prop_assert_eq!(DocId::new(left.clone()).is_ok(), !left.is_empty());
        }
    }
}
