use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn key<'a>(folder: &'a Path, selection: &'a str) -> LedgerKey<'a> {
    LedgerKey { folder, address: "http://127.0.0.1:5984/pics", instance_start_time: "1700000000", selection }
}

fn entry(number: u8) -> Entry {
    let (md5, sha256) = ([number; 16], [number; 32]);
    Entry {
        local: Some(Seen { length: 4096, modified: -1, inode: 7, md5, sha256 }),
        remote: Some(Held {
            id: None,
            attachment: None,
            revision: "1-967a00dff5e02add41819138abb3284d".into(),
            length: 4096,
            digest: Some(md5),
            encoded: false,
            sha256: Some(sha256),
            modified: Some(-1),
            foreign: false,
            extras: false,
        }),
        base: Some(Synced { sha256, digest: Some(md5) }),
    }
}

fn ledger(paths: &[&str]) -> Ledger {
    let entries = paths.iter().zip(0..).map(|(path, number)| ((*path).into(), Box::new(entry(number)))).collect();
    Ledger { sequence: Some("12-g1AAAA\t\n\"".to_owned()), entries }
}

#[test]
fn a_ledger_comes_back_and_only_to_its_own_key() {
    let state = tempfile::tempdir().unwrap();
    let file = LedgerFile::of(&state.path().join("new/couchapp"), &key(Path::new("/pictures"), ""));
    assert_eq!(file.load(), Loaded::Absent);
    for ledger in [ledger(&["a", "a/b", "b\n\t\\\"'"]), Ledger::default(), ledger(&["", "\\n"])] {
        file.save(&ledger).unwrap();
        assert_eq!(file.load(), Loaded::Found(ledger));
    }
    let keys = [key(Path::new("/pictures"), "x"), key(Path::new("/picture"), "s")];
    for key in keys {
        assert_eq!(LedgerFile::of(&state.path().join("new/couchapp"), &key).load(), Loaded::Absent);
    }
    // A file that came under the name of another.
    let other = LedgerFile::of(&state.path().join("new/couchapp"), &key(Path::new("/other"), ""));
    std::fs::rename(file.path(), other.path()).unwrap();
    assert!(
        matches!(other.load(), Loaded::Unusable(warning) if warning.ends_with("is about another folder or database"))
    );
}

#[test]
fn whatever_is_odd_is_a_warning_and_never_a_failure() {
    let state = tempfile::tempdir().unwrap();
    let file = LedgerFile::of(state.path(), &key(Path::new("/pictures"), ""));
    file.save(&ledger(&["a", "b", "c"])).unwrap();
    let whole = std::fs::read(file.path()).unwrap();
    for length in 0..whole.len() {
        std::fs::write(file.path(), &whole[..length]).unwrap();
        assert!(matches!(file.load(), Loaded::Unusable(_)), "the first {length} bytes");
    }
    for at in 0..whole.len() {
        for change in [1, 0x80] {
            let mut damaged = whole.clone();
            damaged[at] ^= change;
            std::fs::write(file.path(), damaged).unwrap();
            assert!(matches!(file.load(), Loaded::Unusable(_)), "byte {at}");
        }
    }
    let text = String::from_utf8(whole.clone()).unwrap();
    for odd in
        [text.clone() + "x", text.clone() + "\n", text.replace("ledger 1", "ledger 2"), "\u{feff}".to_owned() + &text]
    {
        std::fs::write(file.path(), odd).unwrap();
        assert!(matches!(file.load(), Loaded::Unusable(_)));
    }
    std::fs::remove_file(file.path()).unwrap();
    std::fs::create_dir(file.path()).unwrap();
    assert!(matches!(file.load(), Loaded::Unusable(_)));
    std::fs::remove_dir(file.path()).unwrap();
    std::fs::remove_dir_all(file.path().parent().unwrap()).unwrap();
    std::fs::write(file.path().parent().unwrap(), "a file where the folder belongs").unwrap();
    assert!(matches!(file.load(), Loaded::Unusable(_)));
    assert!(file.save(&Ledger::default()).is_err());
}

#[test]
fn a_folder_is_held_by_one_run() {
    let state = tempfile::tempdir().unwrap();
    let lock = LedgerFile::lock_folder(state.path(), Path::new("/pictures")).unwrap();
    let second = LedgerFile::lock_folder(state.path(), Path::new("/pictures")).unwrap_err();
    assert!(matches!(&second, LocalError::Locked { path } if path == Path::new("/pictures")), "{second:?}");
    LedgerFile::lock_folder(state.path(), Path::new("/music")).unwrap();
    drop(lock);
    LedgerFile::lock_folder(state.path(), Path::new("/pictures")).unwrap();
}

#[cfg(unix)]
#[test]
fn a_ledger_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = tempfile::tempdir().unwrap();
    let file = LedgerFile::of(&state.path().join("state"), &key(Path::new("/pictures"), ""));
    file.save(&ledger(&["a"])).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file.path()), mode(&state.path().join("state"))), (0o600, 0o700));
    assert_eq!(census(file.path().parent().unwrap()).len(), 1);
}

fn seen() -> impl Strategy<Value = Seen> {
    let sums = (prop::array::uniform16(0..2_u8), prop::array::uniform32(0..2_u8));
    (any::<u64>(), any::<i64>(), any::<u64>(), sums).prop_map(|(length, modified, inode, (md5, sha256))| Seen {
        length,
        modified,
        inode,
        md5,
        sha256,
    })
}

fn held() -> impl Strategy<Value = Held> {
    let names = (option::of(any::<Box<str>>()), option::of(any::<Box<str>>()), any::<Box<str>>());
    let sums = (option::of(prop::array::uniform16(0..2_u8)), option::of(prop::array::uniform32(0..2_u8)));
    let rest = (any::<u64>(), any::<[bool; 3]>(), option::of(-2..2_i64));
    (names, sums, rest).prop_map(
        |((id, attachment, revision), (digest, sha256), (length, [encoded, foreign, extras], modified))| Held {
            id,
            attachment,
            revision,
            length,
            digest,
            encoded,
            sha256,
            modified,
            foreign,
            extras,
        },
    )
}

/// Whether the base repeats the sums of the file, those of the document, or has its own.
fn entries() -> impl Strategy<Value = Entry> {
    let base = option::of((prop::array::uniform32(0..2_u8), option::of(prop::array::uniform16(0..2_u8))));
    (option::of(seen()), option::of(held()), base, 0..4).prop_map(|(local, mut remote, base, same)| {
        let mut base = base.map(|(sha256, digest)| Synced { sha256, digest });
        if let (Some(seen), Some(held), 1..) = (&local, &mut remote, same) {
            held.digest = Some(seen.md5);
            held.sha256 = Some(seen.sha256);
            held.modified = Some(seen.modified);
        }
        if let (Some(held), Some(base)) = (&remote, &mut base) {
            base.digest = if same == 2 { held.digest } else { base.digest };
            base.sha256 = held.sha256.filter(|_| same >= 2).unwrap_or(base.sha256);
        }
        Entry { local, remote, base }
    })
}

/// Paths in which whatever separates lines and columns is frequent.
fn paths() -> impl Strategy<Value = Box<str>> {
    let odd = prop::sample::select(vec!["\n", "\t", "\\", "\\n", "\"", "'", " ", "\r", "=", "-", "end 0", "ä", "\0"]);
    prop_oneof![any::<Box<str>>(), vec(odd, 0..6).prop_map(|parts| parts.concat().into_boxed_str())]
}

/// How the law is tried: always the same cases, as many as `COUCHAPP_CASES` says.
#[expect(clippy::disallowed_methods, reason = "how long to test is no setting of the tool")]
fn config() -> ProptestConfig {
    let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    let rng_seed = proptest::test_runner::RngSeed::Fixed(7);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_ledger_comes_back(
        entries in btree_map(paths(), entries().prop_map(Box::new), 0..12),
        sequence in option::of(any::<String>()),
    ) {
        let state = tempfile::tempdir().unwrap();
        let file = LedgerFile::of(state.path(), &key(Path::new("/\n\t"), "\n"));
        let ledger = Ledger { sequence, entries };
        file.save(&ledger).unwrap();
        prop_assert_eq!(file.load(), Loaded::Found(ledger));
    }
}
