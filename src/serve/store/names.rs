//! The names of databases as names of folders: reversible, and never a way out of the folder that they are in.
//!
//! `photos` is kept in `photos.1758189000000000`, the number being when it was made. Everything but `a-z 0-9 _ -` is escaped,
//! so that a name has no `/`, no `.` and no capitals, which some file systems do not tell from small letters.

use crate::random;

const DELETED: &str = "deleted-";

/// What file systems take at most, in bytes.
const LONGEST: usize = 255;

/// The folder of a database that was made at `instance`.
pub(super) fn folder(name: &str, instance: u64) -> String {
    let mut escaped = String::with_capacity(name.len() + 20);
    for byte in name.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    format!("{escaped}.{instance}")
}

/// The opposite of [`folder`]: the name and when it was made. `None` for what is not the folder of a database.
pub(super) fn parse(file_name: &str) -> Option<(String, u64)> {
    let (escaped, instance) = file_name.split_once('.')?;
    let instance = instance.parse().ok()?;
    let name = percent_encoding::percent_decode_str(escaped).decode_utf8().ok()?.into_owned();
    (folder(&name, instance) == file_name).then_some((name, instance))
}

/// Whether a database of this name can have a folder. CouchDB's limit of 238 characters is about the same one.
pub(super) fn is_too_long(name: &str) -> bool {
    const MICROSECONDS: u64 = 9_999_999_999_999_999;
    folder(name, MICROSECONDS).len() > LONGEST
}

/// What the folder of a deleted database is called until it is removed: never longer than what it was called before.
pub(super) fn deleted() -> String {
    format!("{DELETED}{}", random::hexadecimal())
}

/// Whether this is the folder of a deleted database.
pub(super) fn is_deleted(file_name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    file_name.strip_prefix(DELETED).is_some_and(|random| random.len() == 16 && random.bytes().all(is_digit))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folders_are_told_from_other_things() {
        assert_eq!(folder("photos/2010", 7), "photos%2f2010.7");
        assert_eq!(parse("photos%2f2010.7"), Some(("photos/2010".to_owned(), 7)));
        for other in
            ["photos", "photos.", "photos.x", "photos%2F.7", "photos%zz.7", "photos.7.deleted", "photos.07", "."]
        {
            assert_eq!(parse(other), None, "{other}");
        }
        let deleted = deleted();
        assert!(is_deleted(&deleted));
        assert_eq!(parse(&deleted), None);
        for other in ["photos.7", "deleted", "deleted-", "deleted-photos", "deleted-.7"] {
            assert!(!is_deleted(other), "{other}");
        }
        assert!(!is_too_long(&"a".repeat(238)) && is_too_long(&"a".repeat(239)));
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_the_folder(name in "(\\.|/|\\\\|%|[a-zA-Z]|\\PC|\0){0,12}", instance in any::<u64>()) {
            let folder = folder(&name, instance);
            prop_assert!(folder.bytes().all(|byte| is_plain(byte) || b".%".contains(&byte)), "{}", folder);
            prop_assert_eq!(Path::new(&folder).components().count(), 1);
            prop_assert!(!folder.starts_with("..") && folder != ".");
            prop_assert_eq!(parse(&folder), Some((name, instance)));
        }
    }
}
