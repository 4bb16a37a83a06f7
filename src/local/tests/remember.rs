use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::address::{Address, Expect};
use crate::json::{self, Object};
use crate::name::Revision;

fn address(text: &str) -> Address {
    Address::parse(text, Expect::Document).unwrap().0
}

fn target() -> Address {
    address("http://admin:hunter2@localhost:5984/db/_design/app")
}

fn base() -> Base {
    let text = br#"{"z":1.10,"a":{"big":12345678901234567890123,"y":null,"b":"\u0000\n"},"e":1e2}"#;
    let serde_json::Value::Object(body) = json::parse(text).unwrap() else { unreachable!() };
    let attachment = BaseAttachment {
        md5: Some("00".repeat(16)),
        length: 7,
        digest: "md5-abc==".into(),
        content_type: "text/html; charset=utf-8".into(),
        encoding: Some("gzip".into()),
    };
    let plain = BaseAttachment { md5: None, encoding: None, ..attachment.clone() };
    Base {
        target: target().to_string(),
        instance_start_time: "1700000000000000".into(),
        revision: Revision::new("3-abc").unwrap(),
        body,
        attachments: BTreeMap::from([("index.html".into(), attachment), ("a/ü.png".into(), plain)]),
        kept: Kept { members: [vec!["views".into(), "x".into()]].into(), attachments: ["theirs.png".into()].into() },
        adopted: BTreeMap::from([("0cc175b9c0f1b6a831c399e269772661".into(), "a".into())]),
    }
}

#[test]
fn a_base_comes_back_as_it_was_for_its_target_only() {
    let app = tempfile::tempdir().unwrap();
    let state = State::of(app.path());
    let base = base();
    assert_eq!(state.base(&target(), &base.instance_start_time), Loaded::Absent);
    assert_eq!(census(app.path()), Vec::<String>::new());
    state.set_base(&target(), &base).unwrap();
    let read = state.base(&target(), &base.instance_start_time).found().unwrap();
    assert_eq!(read, base);
    assert_eq!(serde_json::to_string(&read.body).unwrap(), serde_json::to_string(&base.body).unwrap());

    assert_eq!(state.base(&target(), "0"), Loaded::Absent);
    assert_eq!(state.base(&address("http://localhost:5984/db/_design/other"), "1700000000000000"), Loaded::Absent);
}

#[test]
fn documents_as_deep_as_couchdb_takes_them_are_remembered() {
    let app = tempfile::tempdir().unwrap();
    let mut value = json!("deep");
    for _ in 0..126 {
        value = json!({ "a": value });
    }
    let body = Object::from_iter([("a".to_owned(), value)]);
    json::parse(serde_json::to_string(&body).unwrap().as_bytes()).unwrap();
    let state = State::of(app.path());
    state.set_base(&target(), &Base { body: body.clone(), ..base() }).unwrap();
    assert_eq!(state.base(&target(), "1700000000000000").found().unwrap().body, body);
}

#[test]
fn the_folder_is_private_and_kept_out_of_version_control() {
    let app = tempfile::tempdir().unwrap();
    let state = State::of(app.path());
    let origin = Origin { address: target(), instance_start_time: "1700000000000000".into() };
    state.set_origin(&origin).unwrap();
    state.set_base(&target(), &base()).unwrap();
    state.set_hashes(&HashCache::default()).unwrap();
    assert_eq!(state.origin(), Loaded::Found(origin));
    assert_eq!(state.origin_base().unwrap().body, base().body);
    assert_eq!(state.hashes(), Loaded::Found(HashCache::default()));
    assert_eq!(std::fs::read_to_string(state.folder().join(".gitignore")).unwrap(), "*\n");
    let names = census(state.folder());
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        let text = std::fs::read_to_string(state.folder().join(&name)).unwrap();
        assert!(!text.contains("hunter2"), "{name}");
        #[cfg(unix)]
        if name != ".gitignore" {
            assert!(!is_exposed(&state.folder().join(&name)).unwrap(), "{name}");
        }
    }
}

#[test]
fn damage_is_a_warning_and_never_another_base() {
    let app = tempfile::tempdir().unwrap();
    let state = State::of(app.path());
    let base = base();
    state.set_base(&target(), &base).unwrap();
    let name = census(state.folder()).into_iter().find(|name| name.starts_with("base-")).unwrap();
    let path = state.folder().join(name);
    let whole = std::fs::read(&path).unwrap();
    let read = || state.base(&target(), &base.instance_start_time);
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(read().warning().is_some(), "cut to {length}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert!(read().warning().is_some(), "flipped at {at}");
    }
    let later = String::from_utf8(whole.clone()).unwrap().replacen("state 1", "state 2", 1);
    std::fs::write(&path, later).unwrap();
    assert!(read().warning().unwrap().ends_with("is of version 2, not 1"), "{:?}", read());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(read().warning().unwrap().ends_with("is a folder, not a file"), "{:?}", read());
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(read(), Loaded::Found(base));
}

#[test]
#[cfg(unix)]
fn a_state_folder_that_is_a_link_is_not_written_through() {
    let (app, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(outside.path(), app.path().join(".couchapp")).unwrap();
    let state = State::of(app.path());
    assert!(matches!(state.set_base(&target(), &base()), Err(LocalError::Link { .. })));
    assert!(matches!(state.lock(), Err(LocalError::Link { .. })));
    assert!(census(outside.path()).is_empty());
}

#[test]
fn one_at_a_time_holds_the_lock() {
    let app = tempfile::tempdir().unwrap();
    let state = State::of(app.path());
    let lock = state.lock().unwrap();
    let error = state.lock().unwrap_err();
    assert!(matches!(error, LocalError::Locked { .. }), "{error:?}");
    drop(lock);
    state.lock().unwrap();
}

#[test]
fn a_clone_that_did_not_end_leaves_its_mark() {
    let app = tempfile::tempdir().unwrap();
    let state = State::of(app.path());
    assert_eq!(state.incomplete(), None);
    state.begin_clone(&target()).unwrap();
    assert_eq!(state.incomplete(), Some(target().to_string()));
    state.end_clone().unwrap();
    assert_eq!(state.incomplete(), None);
}
