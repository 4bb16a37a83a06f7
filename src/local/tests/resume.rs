use std::io::Read as _;

use super::*;
use crate::filter::Rules;

const REPLACE: WriteOptions = WriteOptions { existing: Existing::Replace, access: Access::Shared, durable: false };

fn existing(writer: &mut Writer) -> String {
    let mut text = String::new();
    writer.existing().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn a_file_goes_on_where_it_was_left() {
    let root = tempfile::tempdir().unwrap();
    let destination = Destination::open(root.path()).unwrap();
    let path = rel("a/film.mp4");
    let (mut writer, length) = destination.resume(&path, REPLACE, "md5-x").unwrap();
    assert_eq!((length, existing(&mut writer)), (0, String::new()));
    writer.write(b"one ").unwrap();
    drop(writer);
    let partial = Destination::partial(&path, "md5-x");
    assert_eq!(census(root.path()), ["a", partial.as_str()]);
    assert!(crate::filter::is_own(partial.name()));
    // Another content, or another file of the same content, knows nothing of it.
    for (path, tag) in [("a/film.mp4", "md5-y"), ("a/film2.mp4", "md5-x")] {
        let (writer, length) = destination.resume(&rel(path), REPLACE, tag).unwrap();
        assert_eq!(length, 0);
        writer.discard();
    }
    assert_eq!(census(root.path()), ["a", partial.as_str()]);
    // What is written is appended, whether the bytes before were read, read in part, or not.
    for (so_far, more) in [("one ", "two "), ("one two ", "three")] {
        let (mut writer, length) = destination.resume(&path, REPLACE, "md5-x").unwrap();
        assert_eq!(length, so_far.len() as u64);
        writer.existing().unwrap().read_exact(&mut [0; 2]).unwrap();
        writer.write(more.as_bytes()).unwrap();
        assert_eq!(existing(&mut writer), so_far);
    }
    let (mut writer, _) = destination.resume(&path, REPLACE, "md5-x").unwrap();
    assert_eq!(existing(&mut writer), "one two three");
    writer.write(b".").unwrap();
    writer.commit().unwrap();
    assert_eq!(census(root.path()), ["a", "a/film.mp4"]);
    assert_eq!(read(root.path(), "a/film.mp4"), "one two three.");
}

#[test]
fn a_file_that_went_wrong_begins_anew_or_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    let destination = Destination::open(root.path()).unwrap();
    let (mut writer, _) = destination.resume(&rel("f"), REPLACE, "x").unwrap();
    writer.write(b"wrong").unwrap();
    drop(writer);
    let (mut writer, length) = destination.resume(&rel("f"), REPLACE, "x").unwrap();
    assert_eq!((length, existing(&mut writer)), (5, "wrong".to_owned()));
    writer.restart().unwrap();
    assert_eq!(existing(&mut writer), "");
    writer.write(b"yes").unwrap();
    writer.commit().unwrap();
    assert_eq!(read(root.path(), "f"), "yes");
    let (mut writer, _) = destination.resume(&rel("f"), REPLACE, "x").unwrap();
    writer.write(b"no").unwrap();
    writer.discard();
    assert_eq!(census(root.path()), ["f"]);
    assert!(destination.resume(&rel("f"), WriteOptions::default(), "x").is_err());
    // A file that appears meanwhile stays, and so do the bytes that took long to come.
    let new = WriteOptions { existing: Existing::Refuse, ..REPLACE };
    let (mut writer, _) = destination.resume(&rel("g"), new, "x").unwrap();
    writer.write(b"ours").unwrap();
    fill(root.path(), &["g"]);
    assert!(matches!(writer.commit(), Err(LocalError::Exists { .. })));
    assert_eq!(read(root.path(), "g"), "g");
    assert_eq!(read(root.path(), Destination::partial(&rel("g"), "x").as_str()), "ours");
    // A writer that lives once has nothing from before.
    let mut writer = destination.begin(&rel("h"), REPLACE).unwrap();
    assert_eq!(existing(&mut writer), "");
    writer.write(b"no").unwrap();
    writer.restart().unwrap();
    writer.write(b"h").unwrap();
    writer.commit().unwrap();
    assert_eq!(read(root.path(), "h"), "h");
}

#[cfg(unix)]
#[test]
fn nothing_of_others_is_gone_on_with() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), &["theirs", "d/x"]);
    let destination = Destination::open(root.path()).unwrap();
    let partial = root.path().join(Destination::partial(&rel("f"), "x").as_str());
    let plant: [&dyn Fn(); 2] = [&|| symlink("theirs", &partial).unwrap(), &|| {
        std::fs::hard_link(root.path().join("theirs"), &partial).unwrap();
    }];
    for plant in plant {
        plant();
        let (mut writer, length) = destination.resume(&rel("f"), REPLACE, "x").unwrap();
        assert_eq!(length, 0);
        writer.write(b"ours").unwrap();
        writer.commit().unwrap();
        assert_eq!((read(root.path(), "theirs"), read(root.path(), "f")), ("theirs".into(), "ours".into()));
        assert!(!root.path().join("f").symlink_metadata().unwrap().is_symlink());
    }
    std::fs::create_dir(&partial).unwrap();
    let refused = destination.resume(&rel("f"), REPLACE, "x").unwrap_err();
    assert!(matches!(refused, LocalError::NotAFile { .. }), "{refused:?}");
    symlink("d", root.path().join("link")).unwrap();
    assert!(matches!(destination.resume(&rel("link/f"), REPLACE, "x"), Err(LocalError::Link { .. })));
}

#[test]
fn what_killed_runs_left_is_removed_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let others = [
        ".couchapp-.tmp",
        ".couchapp-0123456789abcdeg.tmp",
        ".couchapp-0123456789abcdef.tmpx",
        ".couchapp-notes.tmp",
        "d/.couchapp-0123456789ABCDEF.tmp",
        "x.couchapp-0123456789abcdef.tmp",
        ".couchapp/state",
        "d/.couchapp-0123456789abcdee.tmp/file",
        "f",
    ];
    fill(root.path(), &others);
    let before = census(root.path());
    let destination = Destination::open(root.path()).unwrap();
    fill(root.path(), &[".couchapp-0123456789abcdef.tmp", "d/.couchapp-fedcba9876543210.tmp"]);
    for path in ["d/e/wanted", "d/e/unwanted"] {
        destination.resume(&rel(path), REPLACE, "x").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("../f", root.path().join("d/.couchapp-00000000000000aa.tmp")).unwrap();
    let wanted = Destination::partial(&rel("d/e/wanted"), "x");
    let listing = Folder::open(root.path(), Links::Inside).unwrap().walk(&Rules::default()).unwrap();
    assert_eq!(destination.remove_temporaries(&listing, &|path| *path == wanted).unwrap(), 3);
    let mut after: Vec<String> = before;
    after.extend(["d/e".to_owned(), wanted.as_str().to_owned()]);
    #[cfg(unix)]
    after.push("d/.couchapp-00000000000000aa.tmp".to_owned());
    after.sort();
    let mut found = census(root.path());
    found.sort();
    assert_eq!(found, after);
    // They are gone already.
    assert_eq!(destination.remove_temporaries(&listing, &|path| *path == wanted).unwrap(), 0);
    sync_file_system(root.path()).unwrap();
    assert!(cfg!(not(target_os = "linux")) || sync_file_system(&root.path().join("nowhere")).is_err());
}

#[test]
fn a_folder_that_vanished_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let destination = Destination::open(root.path()).unwrap();
    for round in ["1", "2", "3"] {
        destination.write(&rel("a/b/c/f"), round.as_bytes(), REPLACE).unwrap();
        assert_eq!(read(root.path(), "a/b/c/f"), round);
        std::fs::rename(root.path().join("a"), root.path().join(round)).unwrap();
    }
    assert_eq!(read(root.path(), "1/b/c/f"), "1");
}
