use super::*;
use crate::filter::{Rules, Source};

fn listing(root: &Path, links: Links) -> Listing {
    Folder::open(root, links).unwrap().walk(&Rules::default()).unwrap()
}

fn paths(listing: &Listing) -> Vec<&str> {
    listing.files.iter().map(|file| file.path.as_str()).collect()
}

fn problems(listing: &Listing) -> Vec<String> {
    listing.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn files_and_folders_are_listed_in_order_with_what_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &["b/z.js", "b/a.js", "a", ".dot", "B", "b.js", "é", "run.sh"]);
    std::fs::create_dir_all(folder.path().join("empty/inner")).unwrap();
    let listing = listing(folder.path(), Links::Inside);
    assert_eq!(paths(&listing), [".dot", "B", "a", "b/a.js", "b/z.js", "b.js", "run.sh", "é"]);
    let directories: Vec<&str> = listing.directories.iter().map(RelPath::as_str).collect();
    assert_eq!(directories, ["b", "empty", "empty/inner"]);
    assert_eq!(listing.files[3].length, 6);
    assert!(listing.files[3].modified > 0);
    assert!(listing.problems.is_empty());
}

#[test]
fn what_the_rules_leave_out_is_listed_with_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &["a.js", "a.js~", ".git/config", "notes/x", "README.md", ".couchapprc"]);
    // The last one has two readings as well, but another rule leaves out what they differ on.
    let text = "[\"notes\",\n\"README\", \".couch\"]";
    let rules = Rules::parse(&[Source::CouchappIgnore { file: ".couchappignore", text }]).unwrap();
    let listing = Folder::open(folder.path(), Links::Inside).unwrap().walk(&rules).unwrap();
    assert_eq!(paths(&listing), ["README.md", "a.js"]);
    let ignored: Vec<String> = listing
        .ignored
        .iter()
        .map(|entry| format!("{} {} {} {}", entry.path, entry.is_dir, entry.reason.rule, entry.reason.source))
        .collect();
    assert_eq!(
        ignored,
        [
            ".couchapprc false .couchapprc built-in",
            ".git true .git built-in",
            "a.js~ false *~ built-in",
            "notes true notes .couchappignore:1"
        ]
    );
    assert_eq!(listing.doubts.len(), 1);
    assert_eq!((listing.doubts[0].0.as_str(), listing.doubts[0].1.ignored_by_1_0), ("README.md", true));
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &["file"]);
    let missing = Folder::open(&folder.path().join("nowhere"), Links::Inside).unwrap_err();
    assert!(matches!(missing, LocalError::NotFound { .. }), "{missing:?}");
    let file = Folder::open(&folder.path().join("file"), Links::Inside).unwrap_err();
    assert!(matches!(file, LocalError::NotAFolder { .. }), "{file:?}");
    let gone = Folder::open(folder.path(), Links::Inside).unwrap();
    let path = folder.path().to_owned();
    drop(folder);
    assert!(matches!(gone.walk(&Rules::default()), Err(LocalError::NotFound { path: at }) if at == path));
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn links_inside_are_followed_and_others_told() {
        let outside = tempfile::tempdir().unwrap();
        fill(outside.path(), &["secret", "dir/secret"]);
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["real/a", "real/sub/b"]);
        let link = |to: &Path, at: &str| symlink(to, folder.path().join(at)).unwrap();
        link(Path::new("real"), "linked");
        link(Path::new("real/a"), "file");
        link(&outside.path().join("secret"), "out-file");
        link(&outside.path().join("dir"), "out-dir");
        link(&folder.path().join("real"), "absolute");
        link(Path::new("../.."), "real/up-and-out");
        link(Path::new("nowhere"), "broken");
        link(Path::new("broken~"), "broken~");
        link(Path::new("self"), "self");

        let inside = listing(folder.path(), Links::Inside);
        assert_eq!(paths(&inside), ["file", "linked/a", "linked/sub/b", "real/a", "real/sub/b"]);
        let told = problems(&inside);
        let expected = [
            "`absolute` is a link that leads out of the folder",
            "`broken` is a broken link",
            "`linked/up-and-out` is a link that leads out of the folder",
            "`out-dir` is a link that leads out of the folder",
            "`out-file` is a link that leads out of the folder",
            "`real/up-and-out` is a link that leads out of the folder",
        ];
        assert_eq!(&told[..6], &expected);
        assert!(told.len() == 7 && told[6].starts_with("`self` cannot be read: "), "{told:?}");
        let opened = Folder::open(folder.path(), Links::Inside).unwrap();
        assert_eq!(opened.read(&rel("linked/sub/b"), 100).unwrap(), b"real/sub/b");
        assert_eq!(opened.read(&rel("file"), 100).unwrap(), b"real/a");
        // A broken link that a rule leaves out is none of our business.
        assert_eq!(inside.ignored[0].path.as_str(), "broken~");
    }

    #[test]
    fn links_out_are_followed_when_asked() {
        let outside = tempfile::tempdir().unwrap();
        fill(outside.path(), &["secret", "dir/x"]);
        let folder = tempfile::tempdir().unwrap();
        symlink(outside.path(), folder.path().join("out")).unwrap();
        let all = listing(folder.path(), Links::Anywhere);
        assert_eq!(paths(&all), ["out/dir/x", "out/secret"]);
        let opened = Folder::open(folder.path(), Links::Anywhere).unwrap();
        assert_eq!(opened.read(&rel("out/secret"), 10).unwrap(), b"secret");
    }

    #[test]
    fn loops_end() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["a/x", "b/y"]);
        symlink("..", folder.path().join("a/up")).unwrap();
        symlink("../b", folder.path().join("a/to-b")).unwrap();
        symlink("../a", folder.path().join("b/to-a")).unwrap();
        let listing = listing(folder.path(), Links::Inside);
        assert_eq!(paths(&listing), ["a/to-b/y", "a/x", "b/to-a/x", "b/y"]);
        assert_eq!(
            problems(&listing),
            [
                "`a/to-b/to-a` is a link to a folder that it is in",
                "`a/up` is a link to a folder that it is in",
                "`b/to-a/to-b` is a link to a folder that it is in",
                "`b/to-a/up` is a link to a folder that it is in",
            ]
        );
    }

    #[test]
    fn links_that_multiply_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        for level in 0..40 {
            let at = folder.path().join(format!("d{level:02}"));
            std::fs::create_dir(&at).unwrap();
            symlink(format!("../d{:02}", level + 1), at.join("one")).unwrap();
            symlink(format!("../d{:02}", level + 1), at.join("two")).unwrap();
        }
        std::fs::create_dir(folder.path().join("d40")).unwrap();
        let listing = listing(folder.path(), Links::Inside);
        assert!(listing.directories.len() < 41 * 31, "{}", listing.directories.len());
        assert!(problems(&listing)[0].ends_with("is reached through more than 4 links"));
    }

    #[test]
    fn special_files_are_told_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        symlink("fifo", folder.path().join("to-fifo")).unwrap();
        let inside = listing(folder.path(), Links::Inside);
        let expected = [
            "`fifo` is a named pipe, not a file",
            "`socket` is a socket, not a file",
            "`to-fifo` is a named pipe, not a file",
        ];
        assert_eq!(problems(&inside), expected);

        // And when one is read all the same, because it took the place of a file, nobody waits for its other end.
        for links in [Links::Inside, Links::Anywhere] {
            let opened = Folder::open(folder.path(), links).unwrap();
            let error = opened.read(&rel("fifo"), 10).unwrap_err();
            assert!(matches!(error, LocalError::NotAFile { what: "a named pipe", .. }), "{error:?}");
            assert!(opened.read(&rel("socket"), 10).is_err());
        }
        assert!(matches!(read_text(&folder.path().join("fifo"), 10), Err(LocalError::NotAFile { .. })));

        symlink("/dev/null", folder.path().join("device")).unwrap();
        let all = listing(folder.path(), Links::Anywhere);
        assert_eq!(problems(&all)[0], "`device` is a device, not a file");
    }

    #[test]
    fn names_that_are_not_text_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join(OsStr::from_bytes(b"bad\xff"));
        if std::fs::create_dir(&bad).is_err() {
            println!("not tried: this file system has no names that are not text");
            return;
        }
        std::fs::write(bad.join("inner"), "").unwrap();
        fill(folder.path(), &["clear\x1b[2J"]);
        let listing = listing(folder.path(), Links::Inside);
        assert_eq!(problems(&listing), ["`bad\u{fffd}` has a name that is not UTF-8"]);
        assert_eq!(paths(&listing), ["clear\x1b[2J"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["closed/x", "open"]);
        let closed = folder.path().join("closed");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
        if std::fs::read_dir(&closed).is_ok() {
            println!("not tried: this user may read everything");
            return;
        }
        let listing = listing(folder.path(), Links::Inside);
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(paths(&listing), ["open"]);
        assert!(problems(&listing)[0].starts_with("`closed` cannot be read: "));
    }

    #[test]
    fn who_may_execute_is_known() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["plain", "run"]);
        std::fs::set_permissions(folder.path().join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let executable: Vec<bool> = listing(folder.path(), Links::Inside).files.iter().map(|f| f.executable).collect();
        assert_eq!(executable, [false, true]);
    }
}
