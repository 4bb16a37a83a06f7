//! Bytes of attachments: rows, files, and what is swept away.

use super::*;
use crate::couch::digest;

fn files(place: &Place) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![place.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in super::super::files::entries(&folder).unwrap() {
            if path.is_dir() {
                folders.push(path);
            } else if path.components().any(|part| part.as_os_str() == "attachments") {
                found.push(path);
            }
        }
    }
    found
}

fn with_attachments(edit: Edit, attachments: Vec<Stored>) -> Edit {
    Edit { attachments, ..edit }
}

#[test]
fn bytes_come_back_from_any_point() {
    let place = Place::new();
    let database = place.database();
    for length in [0, 1, 4096, 65_536, 65_537, 400_000] {
        let bytes: Vec<u8> = (0..length).map(|index: u32| (index * 7 % 251) as u8).collect();
        let blob = store_bytes(&database, &bytes, false);
        assert_eq!((blob.digest, blob.length, blob.stored_length), (digest::of(&bytes), length.into(), length.into()));
        for is_written in [false, true] {
            if is_written {
                let stored = attachment("x", blob.clone());
                write_one(&database, with_attachments(leaf(&length.to_string(), "", "{}"), vec![stored]));
            }
            for from in [0, 1, 65_530, 131_072, 399_999, u64::MAX] {
                let expected = &bytes[usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len())..];
                assert_eq!(read_bytes(&database, &blob, from).unwrap(), expected, "{length} {from} {is_written}");
            }
        }
    }
    assert_eq!(files(&place).len(), 2);
    assert_eq!(verify(&database), 6);
}

/// As CouchDB 3.5 gave it.
#[test]
fn attachments_are_part_of_the_revision() {
    let place = Place::new();
    let database = place.database();
    let attachments = vec![
        attachment("b.bin", store_bytes(&database, &[0, 1, 2], false)),
        attachment("a.bin", store_bytes(&database, &[3, 4], false)),
    ];
    let written = write_one(&database, with_attachments(leaf("e", "", "{}"), attachments.clone()));
    assert_eq!(written, "1-2196f377446ac81d7be51c82d46e8315");
    assert_eq!(database.body("e", &revision(&written)).unwrap().unwrap().attachments, attachments);
}

#[test]
fn a_gzip_has_the_length_of_what_is_in_it() {
    let place = Place::new();
    let database = place.database();
    let text = b"hello".repeat(1000);
    let packed = digest::gzip(&text, 8);
    let blob = store_bytes(&database, &packed, true);
    assert_eq!((blob.length, blob.stored_length, blob.is_gzip), (5000, packed.len() as u64, true));
    for bad in [&b"no gzip"[..], &packed[..packed.len() - 1], &[&packed[..], b"tail"].concat()] {
        let blob = store_bytes(&database, bad, true);
        assert_eq!((blob.length, blob.is_gzip), (bad.len() as u64, true));
    }
    // A bomb is not followed to its end.
    let mut bomb = digest::gzip(&vec![0; 2_000_000], 9);
    bomb = bomb.repeat(200);
    let blob = store_bytes(&database, &bomb, true);
    assert_eq!(blob.length, bomb.len() as u64);
}

#[test]
fn what_nothing_refers_to_is_swept_away() {
    let mut place = Place::new();
    let database = place.database();
    let (large, small) = (vec![7; 100_000], vec![8; 100]);
    let both = |database: &Database| {
        vec![
            attachment("large", store_bytes(database, &large, false)),
            attachment("small", store_bytes(database, &small, false)),
        ]
    };
    let first = write_one(&database, with_attachments(leaf("a", "", "{}"), both(&database)));
    let copy = write_one(&database, with_attachments(leaf("b", "", r#"{"b":1}"#), both(&database)));
    assert_eq!(files(&place).len(), 1);
    assert!(database.info().unwrap().file_size > 100_000);
    // An upload that was given up, one that waits for its document, and one that goes on.
    drop(database.begin_blob(false).unwrap());
    let mut unfinished = database.begin_blob(false).unwrap();
    unfinished.write(&vec![1; 70_000]).unwrap();
    let waiting = store_bytes(&database, &vec![9; 80_000], false);
    assert_eq!(files(&place).len(), 3);
    drop(unfinished);
    let second = write_one(&database, leaf("a", &first, "{}"));
    database.compact().unwrap();
    assert_eq!(files(&place).len(), 2);
    assert!(database.body("a", &revision(&first)).unwrap().is_none());
    assert_eq!(database.document("a").unwrap().unwrap().tree.history(&revision(&second)).unwrap().len(), 2);
    assert_eq!(verify(&database), 2);
    write_one(&database, leaf("b", &copy, "_deleted"));
    database.compact().unwrap();
    assert_eq!(read_bytes(&database, &waiting, 0).unwrap().len(), 80_000);
    assert_eq!(files(&place).len(), 1);
    // The bytes are gone: who had them before cannot refer to them any more.
    let stale = vec![attachment("large", store_bytes(&database, &[1], false))];
    let gone = {
        let mut stale = stale.clone();
        stale[0].blob.address = [3; 32];
        with_attachments(leaf("c", "", "{}"), [stale, both(&database)].concat())
    };
    assert_eq!(write_one(&database, gone), "missing_stub");
    assert!(database.document("c").unwrap().is_none());
    drop(database);
    place.reopen();
    assert_eq!(files(&place).len(), 2);
    // Nothing waits in a process that has just begun.
    let database = place.database();
    assert_eq!(files(&place), Vec::<std::path::PathBuf>::new());
    verify(&database);
}

#[test]
fn damaged_bytes_are_not_handed_out() {
    let place = Place::new();
    let database = place.database();
    let blob = store_bytes(&database, &vec![5; 100_000], false);
    write_one(&database, with_attachments(leaf("a", "", "{}"), vec![attachment("x", blob.clone())]));
    let file = files(&place).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60_000] = 6;
    std::fs::write(&file, &bytes).unwrap();
    assert!(read_bytes(&database, &blob, 0).is_err());
    std::fs::write(&file, &bytes[1..]).unwrap();
    assert!(database.read_blob(&blob, 0).is_err());
    assert!(database.read_blob(&blob, 10).is_err());
    std::fs::remove_file(&file).unwrap();
    assert!(database.read_blob(&blob, 0).is_err());
}

#[test]
fn more_than_may_wait_in_memory_waits_in_files() {
    let place = Place::new();
    let database = place.database();
    let bytes_of = |number: u32| number.to_be_bytes().repeat(16_000);
    let blobs: Vec<Blob> = (0..550).map(|number| store_bytes(&database, &bytes_of(number), false)).collect();
    assert!(!files(&place).is_empty());
    let attachments = blobs.into_iter().enumerate().map(|(number, blob)| attachment(&number.to_string(), blob));
    write_one(&database, with_attachments(leaf("a", "", "{}"), attachments.collect()));
    database.compact().unwrap();
    assert_eq!(verify(&database), 550);
    // The memory is free again.
    let before = files(&place).len();
    store_bytes(&database, &bytes_of(5000), false);
    assert_eq!(files(&place).len(), before);
}
