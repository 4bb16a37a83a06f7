//! Databases as wholes: made, deleted, opened again; and what belongs to them beside documents.

use super::*;

#[test]
fn databases_are_made_and_deleted() {
    let mut place = Place::new();
    let names = ["a", "../../etc", "a/b", "", "_users", "x\0y", "ä"];
    for name in names {
        let database = place.store().create(name).unwrap();
        assert_eq!(database.name(), name);
        assert!(matches!(place.store().create(name), Err(StoreError::Exists)));
        write_one(&database, leaf(name, "", "{}"));
    }
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(place.store().names(), sorted);
    let entries = files::entries(place.folder.path()).unwrap();
    assert_eq!(entries.len(), names.len() + 1);
    place.reopen();
    assert_eq!(place.store().names(), sorted);
    for name in names {
        assert_eq!(place.store().database(name).unwrap().rows(&Range::default()).unwrap()[0].id, name);
        place.store().delete(name).unwrap();
        assert!(matches!(place.store().delete(name), Err(StoreError::Missing)));
        assert!(matches!(place.store().database(name), Err(StoreError::Missing)));
    }
    // Deleted without having been opened.
    place.store().create("late").unwrap();
    place.reopen();
    place.store().delete("late").unwrap();
    assert_eq!(files::entries(place.folder.path()).unwrap().len(), 1);
    assert!(place.store().names().is_empty());
}

#[test]
fn who_holds_a_deleted_database_is_told() {
    let place = Place::new();
    let database = place.database();
    write_one(&database, leaf("a", "", "{}"));
    let blob = store_bytes(&database, b"x", false);
    let mut bell = database.bell();
    place.store().delete("db").unwrap();
    // One of the same name is another one, and undisturbed by those that held the first.
    let next = place.database();
    assert_ne!(next.info().unwrap().instance, 0);
    assert_ne!(next.index_folder(), database.index_folder());
    write_one(&next, leaf("b", "", "{}"));
    let missing = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Missing));
    assert!(missing(database.document("a").map(drop)));
    assert!(missing(database.info().map(drop)));
    assert!(missing(database.write(vec![leaf("c", "", "{}")], &anything).map(drop)));
    assert!(missing(database.write_local("c", None, None).map(drop)));
    assert!(missing(database.compact()));
    assert!(missing(database.read_blob(&blob, 0).map(drop)));
    assert!(missing(database.begin_blob(false).map(drop)));
    assert!(bell.has_changed().is_err());
    assert!(database.bell().has_changed().is_err());
    drop(database);
    assert_eq!(next.rows(&Range::default()).unwrap()[0].id, "b");
    bell = next.bell();
    assert_eq!(*bell.borrow_and_update(), 1);
}

#[test]
fn the_bell_rings_after_each_write() {
    let place = Place::new();
    let database = place.database();
    let mut bell = database.bell();
    assert_eq!(*bell.borrow_and_update(), 0);
    write(&database, vec![leaf("a", "", "{}"), leaf("b", "", "{}")]);
    assert!(bell.has_changed().unwrap());
    assert_eq!(*bell.borrow_and_update(), 2);
    write_one(&database, leaf("a", "", "{}"));
    assert!(!bell.has_changed().unwrap());
}

#[test]
fn leftovers_of_a_deletion_are_removed() {
    let mut place = Place::new();
    let folder = place.database().folder().to_owned();
    place.store = None;
    let left = place.folder.path().join(names::deleted());
    std::fs::rename(&folder, &left).unwrap();
    std::fs::write(place.folder.path().join("note.txt"), "mine").unwrap();
    place.reopen();
    assert!(place.store().names().is_empty());
    assert!(!left.exists());
    assert!(place.folder.path().join("note.txt").exists());
}

#[test]
fn one_process_at_a_time() {
    let place = Place::new();
    let second = Store::open(place.folder.path());
    assert!(matches!(second, Err(StoreError::Failed(reason)) if reason.to_string().contains("another process")));
}

#[test]
fn data_of_another_layout_is_left_alone() {
    let mut place = Place::new();
    let file = place.database().folder().join("documents.sqlite");
    place.store = None;
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    place.reopen();
    assert!(
        matches!(place.store().database("db"), Err(StoreError::Failed(reason)) if reason.to_string().contains("99"))
    );
}

#[test]
fn local_documents_count() {
    let place = Place::new();
    let database = place.database();
    let members = object(r#"{"a":1}"#);
    let write = |upon, members| database.write_local("_local/a", upon, members).unwrap();
    assert_eq!(write(None, None), None);
    assert_eq!(write(None, Some(&members)), Some(1));
    assert_eq!(write(None, Some(&members)), Some(1));
    // CouchDB believes what it is told.
    assert_eq!(write(Some(7), Some(&members)), Some(8));
    assert_eq!(database.local("_local/a").unwrap(), Some((8, members.clone())));
    database.write_local("_local/b", Some(u64::MAX), Some(&members)).unwrap();
    let ids: Vec<String> = database.locals(&Range::default()).unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["_local/a", "_local/b"]);
    let last = Range { is_descending: true, limit: Some(1), ..Range::default() };
    assert_eq!(database.locals(&last).unwrap()[0].0, "_local/b");
    assert_eq!(write(Some(1), None), Some(0));
    assert_eq!(database.local("_local/a").unwrap(), None);
    assert_eq!(database.info().unwrap().sequence, 0);
}

#[test]
fn settings_stay() {
    let mut place = Place::new();
    let security = serde_json::json!({ "members": { "roles": ["x"] } });
    assert_eq!(place.database().setting("security").unwrap(), None);
    place.database().set("security", &1.into()).unwrap();
    place.database().set("security", &security).unwrap();
    let instance = place.database().info().unwrap().instance;
    place.reopen();
    assert_eq!(place.database().setting("security").unwrap(), Some(security));
    assert_eq!(place.database().info().unwrap().instance, instance);
}

#[test]
fn what_many_databases_keep_open_is_bounded() {
    fn read_within_reads(database: &Database, depth: usize) {
        if depth > 0 {
            let deeper = |_: &_| {
                read_within_reads(database, depth - 1);
                Ok(())
            };
            database.read(deeper).unwrap();
        }
    }
    let place = Place::new();
    let names: Vec<String> = (0..40).map(|number| format!("db{number}")).collect();
    let spare = || place.store().spare.load(std::sync::atomic::Ordering::Relaxed);
    for name in &names {
        place.store().create(name).unwrap();
    }
    for depth in [9, 1, 9] {
        for name in &names {
            read_within_reads(&place.store().database(name).unwrap(), depth);
        }
        assert_eq!(spare(), 256);
    }
    for name in &names {
        place.store().delete(name).unwrap();
    }
    assert_eq!(spare(), 0);
}

#[test]
fn readers_and_writers_do_not_disturb_each_other() {
    let place = Place::new();
    let database = place.database();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let database = &database;
            scope.spawn(move || {
                for number in 0..20 {
                    let bytes = [writer, number].repeat(100);
                    let blob = store_bytes(database, &bytes, false);
                    let edit = leaf(&format!("{writer}-{number}"), "", "{}");
                    write_one(database, Edit { attachments: vec![attachment("x", blob)], ..edit });
                }
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                while database.info().unwrap().documents < 60 {
                    verify_prefix(&database);
                }
            });
        }
        scope.spawn(|| (0..5).for_each(|_| database.compact().unwrap()));
    });
    assert_eq!(verify(&database), 60);
}

/// What is listed is whole, whatever is being written.
fn verify_prefix(database: &Database) {
    for change in database.changes(0, 100, false).unwrap() {
        let winner = change.document.tree.winner().unwrap();
        let body = database.body(&change.document.id, &winner.revision).unwrap().unwrap();
        read_bytes(database, &body.attachments[0].blob, 0).unwrap();
    }
}

#[test]
fn a_name_is_as_long_as_in_couchdb() {
    let mut place = Place::new();
    let longest = "a".repeat(238);
    write_one(&place.store().create(&longest).unwrap(), leaf("a", "", "{}"));
    assert!(matches!(place.store().create(&"a".repeat(239)), Err(StoreError::TooLong)));
    assert!(matches!(place.store().create(&"/".repeat(238)), Err(StoreError::TooLong)));
    place.reopen();
    place.store().delete(&longest).unwrap();
    assert_eq!(files::entries(place.folder.path()).unwrap().len(), 1);
}

#[test]
fn a_deletion_waits_for_a_write_alone() {
    let place = Place::new();
    let database = place.database();
    place.store().create("other").unwrap();
    let (begun, is_writing) = std::sync::mpsc::channel();
    let (go_on, may_end) = std::sync::mpsc::channel::<()>();
    let (opened, is_open) = std::sync::mpsc::channel();
    let (begun, may_end) = (Mutex::new(begun), Mutex::new(may_end));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let wait = |_: &Edit, _: Option<&Previous>| {
                held(&begun).send(()).unwrap();
                let _ = held(&may_end).recv();
                Ok(())
            };
            database.write(vec![leaf("a", "", "{}")], &wait).unwrap();
        });
        is_writing.recv().unwrap();
        let deletion = scope.spawn(|| place.store().delete("db"));
        while !database.is_gone() {
            std::thread::yield_now();
        }
        scope.spawn(|| opened.send(place.store().database("other").is_ok()));
        let was_open = is_open.recv_timeout(std::time::Duration::from_mins(1));
        drop(go_on);
        assert_eq!(was_open, Ok(true));
        assert!(deletion.join().unwrap().is_ok());
    });
}

/// Deleted while a client still sends an attachment: nothing of it comes back, not even a folder.
#[test]
fn an_upload_into_a_deleted_database_brings_nothing_back() {
    let mut place = Place::new();
    let database = place.database();
    let mut writer = database.begin_blob(false).unwrap();
    writer.write(&vec![7; 200_000]).unwrap();
    place.store().delete("db").unwrap();
    assert!(writer.finish().is_err());
    assert!(database.begin_blob(false).is_err());
    drop(database);
    assert_eq!(files::entries(place.folder.path()).unwrap().len(), 1);
    place.reopen();
    assert!(place.store().names().is_empty());
}

/// Left behind by a deletion that the process did not live to end: the later one is meant.
#[test]
fn of_two_databases_of_one_name_the_later_one_stays() {
    let mut place = Place::new();
    write_one(&place.database(), leaf("a", "", "{}"));
    place.store = None;
    for instance in [5, u64::MAX >> 1, 6] {
        let folder = place.folder.path().join(names::folder("db", instance));
        let database =
            Database::open("db", &std::fs::create_dir(&folder).map(|()| folder).unwrap(), &Spare::default()).unwrap();
        write_one(&database, leaf(&instance.to_string(), "", "{}"));
    }
    place.reopen();
    let rows = place.store().database("db").unwrap().rows(&Range::default()).unwrap();
    assert_eq!(rows[0].id, (u64::MAX >> 1).to_string());
    assert_eq!(files::entries(place.folder.path()).unwrap().len(), 2);
}
