use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use md5::Digest as _;

use super::*;
use crate::filter::Rules;

fn age(path: &Path, seconds: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

fn files(folder: &Folder) -> Vec<FileEntry> {
    folder.walk(&Rules::default()).unwrap().files
}

#[test]
fn sums_are_those_of_the_bytes_in_the_order_of_the_files() {
    let root = tempfile::tempdir().unwrap();
    for index in 0..40_usize {
        std::fs::write(root.path().join(format!("f{index:02}")), vec![b'x'; index * 20_000]).unwrap();
    }
    let folder = Folder::open(root.path(), Links::Inside).unwrap();
    let told = AtomicU64::new(0);
    let progress = |bytes| _ = told.fetch_add(bytes, Ordering::Relaxed);
    let sums = folder.fingerprints(&files(&folder), &HashCache::default(), Sums::Md5AndSha256, &progress);
    assert_eq!(sums.len(), 40);
    for (index, sum) in sums.into_iter().enumerate() {
        let (sum, bytes) = (sum.unwrap(), vec![b'x'; index * 20_000]);
        assert_eq!(sum.length, bytes.len() as u64);
        assert_eq!(sum.md5, <[u8; 16]>::from(md5::Md5::digest(&bytes)));
        assert_eq!(sum.sha256, Some(sha2::Sha256::digest(&bytes).into()));
    }
    assert_eq!(told.into_inner(), (0..40).map(|index| index * 20_000).sum::<u64>());
}

#[test]
fn one_file_that_fails_does_not_hide_the_others() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), &["a", "b", "c"]);
    let folder = Folder::open(root.path(), Links::Inside).unwrap();
    let files = files(&folder);
    std::fs::remove_file(root.path().join("b")).unwrap();
    let sums = folder.fingerprints(&files, &HashCache::default(), Sums::Md5, &|_| ());
    assert!(sums[0].is_ok() && sums[2].is_ok());
    assert!(matches!(sums[1], Err(LocalError::NotFound { .. })));
    assert!(folder.fingerprints(&[], &HashCache::default(), Sums::Md5, &|_| ()).is_empty());
}

#[test]
fn a_file_that_grows_while_it_is_read_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("f");
    std::fs::write(&path, vec![1; 600_000]).unwrap();
    let folder = Folder::open(root.path(), Links::Inside).unwrap();
    let grow = |_| std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"+").unwrap();
    let sum = folder.fingerprint(&rel("f"), Sums::Md5, &grow).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 600_000);
    assert_eq!((sum.length, sum.md5), (bytes.len() as u64, md5::Md5::digest(&bytes).into()));
}

#[test]
fn only_files_that_are_old_enough_are_remembered() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), &["old", "young", "from-the-future"]);
    age(&root.path().join("old"), 3600);
    let future = std::fs::OpenOptions::new().write(true).open(root.path().join("from-the-future")).unwrap();
    future.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
    let folder = Folder::open(root.path(), Links::Inside).unwrap();
    let files = files(&folder);
    let mut cache = HashCache::default();
    let sums = folder.fingerprints(&files, &cache, Sums::Md5, &|_| ());
    for (file, sum) in files.iter().zip(&sums) {
        cache.record(&file.path, sum.as_ref().unwrap());
    }
    let known: Vec<&str> =
        files.iter().filter(|file| cache.get(file, Sums::Md5).is_some()).map(|file| file.path.as_str()).collect();
    assert_eq!(known, ["old"]);
    assert_eq!(cache.len(), 1);

    let old = files.iter().find(|file| file.path.as_str() == "old").unwrap();
    assert_eq!(cache.get(old, Sums::Md5), sums[1].as_ref().ok().cloned());
    assert_eq!(cache.get(old, Sums::Md5AndSha256), None);
    for other in [
        FileEntry { length: 4, ..old.clone() },
        FileEntry { modified: old.modified + 1, ..old.clone() },
        FileEntry { inode: old.inode + 1, ..old.clone() },
        FileEntry { path: rel("elsewhere"), ..old.clone() },
    ] {
        assert_eq!(cache.get(&other, Sums::Md5), None);
    }

    // A known file is not read: what stands there now would have another sum.
    std::fs::write(root.path().join("old"), "OLD").unwrap();
    let again = folder.fingerprints(std::slice::from_ref(old), &cache, Sums::Md5, &|_| ());
    assert_eq!(again[0].as_ref().unwrap().md5, <[u8; 16]>::from(md5::Md5::digest(b"old")));

    // Seen young, it is forgotten.
    cache.record(&old.path, &folder.fingerprint(&old.path, Sums::Md5, &|_| ()).unwrap());
    assert!(cache.is_empty());
}

#[test]
fn the_cache_survives_being_written_down() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), &["f"]);
    age(&root.path().join("f"), 60);
    let folder = Folder::open(root.path(), Links::Inside).unwrap();
    let file = files(&folder).remove(0);
    let sum = folder.fingerprint(&file.path, Sums::Md5AndSha256, &|_| ()).unwrap();
    let mut cache = HashCache::default();
    cache.record(&file.path, &sum);
    let text = serde_json::to_string(&cache).unwrap();
    let read: HashCache = serde_json::from_str(&text).unwrap();
    assert_eq!(read.get(&file, Sums::Md5AndSha256), Some(sum));
    let damaged: HashCache = serde_json::from_str(&text.replace("\"md5\":\"", "\"md5\":\"é")).unwrap();
    assert_eq!(damaged.get(&file, Sums::Md5), None);
}

#[test]
fn a_file_is_read_and_summed_at_once() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), &["dir/abc"]);
    let folder = Folder::open(root.path(), Links::Inside).unwrap();
    let path = rel("dir/abc");
    let (bytes, young) = folder.read_with_sums(&path, 7).unwrap();
    assert_eq!(bytes, b"dir/abc");
    assert_eq!(young, folder.fingerprint(&path, Sums::Md5AndSha256, &|_| {}).unwrap());
    // Written just now, it could be written again without looking different.
    assert_eq!(young.seen(), None);
    let old = SystemTime::now() - Duration::from_mins(1);
    std::fs::File::options().write(true).open(root.path().join("dir/abc")).unwrap().set_modified(old).unwrap();
    let (_, fingerprint) = folder.read_with_sums(&path, 7).unwrap();
    let seen = fingerprint.seen().unwrap();
    let entry = folder.walk(&Rules::default()).unwrap().files.remove(0);
    assert!(seen.matches(&entry));
    assert_eq!((seen.modified, seen.md5, seen.sha256), (entry.modified, young.md5, young.sha256.unwrap()));
    for other in [
        FileEntry { length: entry.length + 1, ..entry.clone() },
        FileEntry { modified: entry.modified + 1, ..entry.clone() },
        FileEntry { inode: entry.inode + 1, ..entry.clone() },
    ] {
        assert!(!seen.matches(&other));
    }
    // Sums without SHA-256 are not enough to be remembered.
    assert_eq!(folder.fingerprint(&path, Sums::Md5, &|_| {}).unwrap().seen(), None);
    assert!(matches!(folder.read_with_sums(&path, 6), Err(LocalError::TooLarge { limit: 6, .. })));
    assert!(folder.read_with_sums(&rel("dir"), 6).is_err() && folder.open_reader(&rel("none")).is_err());
    let mut end = String::new();
    let mut reader = folder.open_reader(&path).unwrap();
    std::io::Seek::seek(&mut reader, std::io::SeekFrom::End(-3)).unwrap();
    std::io::Read::read_to_string(&mut reader, &mut end).unwrap();
    assert_eq!(end, "abc");
}
