//! Command lines of `sync-dir` and `dump`.

use std::path::Path;

use super::super::environment::testing::environment;
use super::super::{Command, resolve};
use super::*;
use crate::exit::{Exit, Failure};

const CONFIG: &str = r#"
[targets.pics]
url = "http://h/pics"
[targets.both]
url = "http://h/both"
[targets.many]
url = ["http://h/a", "http://h/b"]
[sync-dir]
thumbnails = 200
max-delete = 7
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("couchapp.toml"), CONFIG).unwrap();
    for name in ["photos", "both", "more"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("file"), "").unwrap();
    folder
}

fn run(root: &Path, variables: &[(&str, &str)], words: &[&str]) -> Result<Command, Failure> {
    let root = std::fs::canonicalize(root).unwrap();
    let cli = crate::cli::parse(std::iter::once("couchapp").chain(words.iter().copied()).map(Into::into));
    Ok(resolve(&cli.unwrap_or_else(|error| panic!("{words:?}: {error}")), &environment(&root, variables))?.command)
}

fn sync_dir(root: &Path, variables: &[(&str, &str)], line: &str) -> Result<SyncDirSettings, Failure> {
    let words: Vec<&str> = std::iter::once("sync-dir").chain(line.split_whitespace()).collect();
    match run(root, variables, &words)? {
        Command::SyncDir(sync) => Ok(sync),
        other => panic!("{other:?}"),
    }
}

fn dump(root: &Path, line: &str) -> Result<DumpSettings, Failure> {
    let words: Vec<&str> = std::iter::once("dump").chain(line.split_whitespace()).collect();
    match run(root, &[], &words)? {
        Command::Dump(dump) => Ok(dump),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused<T>(line: &str, result: Result<T, Failure>, exit: Exit, message: &str, hint: &str) {
    let Err(failure) = result else { panic!("{line} is taken") };
    assert!(failure.to_string().contains(message), "{line}: {failure}");
    assert_eq!(failure.exit(), exit, "{line}");
    let hints = failure.hints();
    assert!(hint.is_empty() || hints.iter().any(|given| given.contains(hint)), "{line}: {hints:?}");
}

#[test]
fn one_argument_is_the_folder_and_the_other_the_place() {
    let root = folder();
    let other = |endpoint: Option<Endpoint>| endpoint.map_or(String::new(), |other| other.address.to_string());
    // Typed, direction, folder, place, its other reading.
    let good = [
        ("photos http://h/pics", Direction::Up, "photos", "http://h/pics", ""),
        ("http://h/pics photos", Direction::Down, "photos", "http://h/pics", ""),
        ("photos :pics", Direction::Up, "photos", "http://127.0.0.1:5984/pics", ""),
        ("photos :pics/a/b.c", Direction::Up, "photos", "http://127.0.0.1:5984/pics/a%2Fb.c", ""),
        ("photos :site/_design/www", Direction::Up, "photos", "http://127.0.0.1:5984/site/_design/www", ""),
        ("photos http://h/a/b", Direction::Up, "photos", "http://h/a/b", "http://h/a/b"),
        ("photos http://h/a/B.x", Direction::Up, "photos", "http://h/a/B.x", ""),
        ("photos http://h/x/site/_design/www", Direction::Up, "photos", "http://h/x/site/_design/www", ""),
        ("photos pics", Direction::Up, "photos", "http://h/pics", ""),
        ("pics photos", Direction::Down, "photos", "http://h/pics", ""),
        ("pics new/folder", Direction::Down, "new/folder", "http://h/pics", ""),
        ("pics new", Direction::Down, "new", "http://h/pics", ""),
        ("./both both", Direction::Up, "", "", ""),
        ("both :x", Direction::Up, "both", "http://127.0.0.1:5984/x", ""),
        ("pics both", Direction::Down, "both", "http://h/pics", ""),
        (". :x", Direction::Up, ".", "http://127.0.0.1:5984/x", ""),
    ];
    for (line, direction, folder, place, otherwise) in good {
        if folder.is_empty() {
            refused(line, sync_dir(root.path(), &[], line), Exit::Usage, "both a folder and a target", "`./both`");
            continue;
        }
        let sync = sync_dir(root.path(), &[], line).unwrap();
        assert_eq!((sync.direction, sync.folder.shown.as_str()), (direction, folder), "{line}");
        assert!(sync.folder.path.is_absolute() && sync.folder.path.ends_with(folder.trim_start_matches('.')), "{line}");
        assert_eq!(sync.place.endpoints.len(), 1);
        assert_eq!(sync.place.endpoints[0].address.to_string(), place, "{line}");
        assert_eq!(other(sync.as_document), otherwise, "{line}");
    }
    let both_readings = sync_dir(root.path(), &[], "photos http://h/a/b").unwrap();
    let (database, document) = (&both_readings.place.endpoints[0].address, both_readings.as_document.unwrap().address);
    assert_eq!((database.database.as_ref().unwrap().as_str(), &database.document), ("b", &None));
    assert_eq!((document.database.unwrap().as_str(), document.document.unwrap().as_str()), ("a", "b"));
    let only_document = sync_dir(root.path(), &[], "photos http://h/a/B.x").unwrap();
    assert_eq!(only_document.place.endpoints[0].address.document.as_ref().unwrap().as_str(), "B.x");
}

#[test]
fn both_or_neither_is_refused_with_both_spellings() {
    let root = folder();
    let bad = [
        ("photos more", Exit::Usage, "neither argument is a place", "`couchapp sync-dir photos :more`"),
        ("photos pisc", Exit::Usage, "neither argument is a place", "did you mean the target `pics`?"),
        ("photos ./more", Exit::Usage, "neither argument is a place", "`couchapp sync-dir photos http://"),
        (":a :b", Exit::Usage, "both arguments are places", "`couchapp sync-dir DIR :b` sends"),
        (":a pics", Exit::Usage, "both arguments are places", "`./pics` if you mean the folder"),
        ("photos both", Exit::Usage, "`both` is both a folder and a target", "`./both` for the folder"),
        ("photos many", Exit::Usage, "lists several URLs", "the one that is meant"),
        ("photos http://h/db/_design", Exit::Usage, "it names no document", ""),
        ("photos http://h/db/_design/x/y", Exit::Usage, "`y` is more than the name of a document", ""),
        ("photos http://h/", Exit::Usage, "names no database", ""),
        ("nowhere :x", Exit::Missing, "the folder `nowhere` does not exist", ""),
        ("file :x", Exit::Usage, "`file` is not a folder", ""),
        (":x file", Exit::Usage, "`file` is not a folder", ""),
        ("photos :x --prefix ../y", Exit::Usage, "`--prefix`: `../y`", ""),
        ("photos :x --escape-names", Exit::Usage, "`--escape-names` is for what is written to a folder", ""),
        (":x photos --thumbnails 100", Exit::Usage, "`--thumbnails` is for what is sent", ""),
        (":x photos --create-db", Exit::Usage, "`--create-db` is for what is sent", ""),
        (":x photos --times", Exit::Usage, "`--times` is for what is sent", ""),
        ("photos :x/doc --tag a", Exit::Usage, "`--tag` is for a database", ""),
        ("photos :x/doc --tags-from-folders", Exit::Usage, "`--tags-from-folders` is for a database", ""),
    ];
    for (line, exit, message, hint) in bad {
        refused(line, sync_dir(root.path(), &[], line), exit, message, hint);
    }
    for words in [["sync-dir", "", ":x"], ["sync-dir", "photos", ""], ["dump", "", "x"], ["dump", ":x", ""]] {
        refused("", run(root.path(), &[], &words), Exit::Usage, "an argument is empty", "unset variable");
    }
    refused(
        "",
        run(root.path(), &[], &["sync-dir", "photos", ":x", "--tag", " "]),
        Exit::Usage,
        "`--tag` is empty",
        "",
    );
}

#[test]
fn flags_variables_and_files_are_layers_here_too() {
    let root = folder();
    let sync = sync_dir(root.path(), &[], "photos :x").unwrap();
    assert_eq!((sync.thumbnails, sync.max_delete, sync.metadata), (Some(200), Some(MaxDelete::Count(7)), true));
    assert!(!sync.delete && !sync.force && !sync.times && !sync.fsync && !sync.checksum && !sync.create_database);
    assert!(sync.tags.is_empty() && sync.selection == Selection::default());
    let line = "photos :x --thumbnails off --metadata none --tags-from-folders --times --checksum --fsync --delete \
                --delete-excluded --max-delete 20% --allow-empty --force --create-db --tag a --tag b --tag a \
                --prefix 2010/ --include *.x --exclude *.y --exclude z --exclude-from rules";
    let sync = sync_dir(root.path(), &[], line).unwrap();
    assert_eq!((sync.thumbnails, sync.max_delete, sync.metadata), (None, Some(MaxDelete::Percent(20)), false));
    assert!(sync.tags_from_folders && sync.times && sync.checksum && sync.fsync && sync.delete);
    assert!(sync.delete_excluded && sync.allow_empty && sync.force && sync.create_database);
    assert_eq!(sync.tags, ["a", "b"]);
    let selection = sync.selection;
    assert_eq!(selection.prefix.unwrap().as_str(), "2010");
    assert_eq!(
        (selection.include, selection.exclude),
        (vec!["*.x".to_owned()], vec!["*.y".to_owned(), "z".to_owned()])
    );
    assert!(selection.exclude_from[0].is_absolute() && selection.exclude_from[0].ends_with("rules"));
    let variables = [
        ("COUCHAPP_THUMBNAILS", "64"),
        ("COUCHAPP_METADATA", "none"),
        ("COUCHAPP_TAGS_FROM_FOLDERS", "1"),
        ("COUCHAPP_TIMES", "1"),
        ("COUCHAPP_MAX_DELETE", "all"),
        ("COUCHAPP_FSYNC", "1"),
        ("COUCHAPP_CHECKSUM", "1"),
        ("COUCHAPP_DELETE", "1"),
        ("COUCHAPP_ESCAPE_NAMES", "1"),
    ];
    let sync = sync_dir(root.path(), &variables, ":x photos").unwrap();
    assert_eq!((sync.thumbnails, sync.max_delete, sync.metadata), (Some(64), Some(MaxDelete::All), false));
    assert!(sync.tags_from_folders && sync.times && sync.fsync && sync.checksum && sync.delete && sync.escape_names);
    // What is allowed for an app's attachments is not allowed for a folder of photos.
    std::fs::write(root.path().join("couchapp.toml"), "[push]\nmax-delete = \"all\"").unwrap();
    assert_eq!(sync_dir(root.path(), &[], "photos :x").unwrap().max_delete, None);
}

#[test]
fn a_dump_goes_into_a_folder_or_to_stdout() {
    let root = folder();
    let named = |into: DumpInto| match into {
        DumpInto::Folder(folder) => folder.shown,
        DumpInto::Stdout => "-".to_owned(),
    };
    // Typed, place, folder.
    let good = [
        (":x", "http://127.0.0.1:5984/x", "x"),
        ("http://h/a%2Fb", "http://h/a%2Fb", "a%2Fb"),
        (":x/_design/www", "http://127.0.0.1:5984/x/_design/www", "www"),
        (":x/a/b", "http://127.0.0.1:5984/x/a%2Fb", "a%2Fb"),
        ("pics", "http://h/pics", "pics"),
        ("pics photos", "http://h/pics", "photos"),
        ("pics both", "http://h/pics", "both"),
        ("pics new/folder", "http://h/pics", "new/folder"),
        ("pics - --docs", "http://h/pics", "-"),
    ];
    for (line, place, folder) in good {
        let dump = dump(root.path(), line).unwrap();
        assert_eq!(dump.place.endpoints[0].address.to_string(), place, "{line}");
        assert_eq!(named(dump.into), folder, "{line}");
    }
    let line = ":x --docs --conflicts --since 12-abc --tag a --view photos/by_date --delete --max-delete 3 --force";
    let all = dump(root.path(), line).unwrap();
    assert!(all.docs && all.conflicts && all.delete && all.force && !all.verify);
    assert_eq!((all.since.as_deref(), all.max_delete), (Some("12-abc"), Some(MaxDelete::Count(3))));
    for text in ["photos/by_date", "_design/photos/by_date", "_design/photos/_view/by_date"] {
        let view = dump(root.path(), &format!(":x --view {text}")).unwrap().view.unwrap();
        assert_eq!((view.0.as_str(), view.1.as_str()), ("_design/photos", "by_date"));
    }
    assert!(dump(root.path(), ":x --verify").unwrap().verify);
    let bad = [
        ("photos :x", Exit::Usage, "`photos` is a folder", "`couchapp dump :x photos`"),
        ("./photos", Exit::Usage, "`./photos` is a folder", "`couchapp dump http://"),
        (":x :y", Exit::Usage, "`:y` is no folder", ""),
        ("nowhere", Exit::Usage, "`nowhere` is neither a URL nor a target", "`:nowhere`"),
        (":x file", Exit::Usage, "`file` is not a folder", ""),
        ("http://h/file", Exit::Usage, "`file` is not a folder", ""),
        (":x --view photos", Exit::Usage, "`--view`: `photos` is no view", "photos/by_date"),
        (":x --view photos/", Exit::Usage, "`--view`: `photos/` is no view", ""),
        (":x/doc --tag a", Exit::Usage, "`--tag` selects documents", ""),
        (":x/doc --since 1", Exit::Usage, "`--since` selects documents", ""),
        (":x - --delete", Exit::Usage, "`--delete` is about a folder", ""),
        (":x - --verify", Exit::Usage, "`--verify` is about a folder", ""),
        (":x - --exclude *.x", Exit::Usage, "`--exclude` is about files", ""),
        (":x - --include *.x", Exit::Usage, "`--include` is about files", ""),
        (":x - --exclude-from y", Exit::Usage, "`--exclude-from` is about files", ""),
        (":x - --conflicts", Exit::Usage, "`--conflicts` is about files", ""),
    ];
    for (line, exit, message, hint) in bad {
        refused(line, dump(root.path(), line), exit, message, hint);
    }
}

#[test]
fn the_state_folder_follows_xdg() {
    let folder = |variables: &[(&str, &str)]| environment(Path::new("/w"), variables).state_folder();
    if cfg!(windows) {
        assert_eq!(folder(&[]), None);
        return;
    }
    assert_eq!(folder(&[]), Some("/w/home/.local/state/couchapp".into()));
    assert_eq!(folder(&[("XDG_STATE_HOME", "/s")]), Some("/s/couchapp".into()));
    assert_eq!(folder(&[("XDG_STATE_HOME", "s")]), Some("/w/home/.local/state/couchapp".into()));
}
