use futures_util::StreamExt as _;

use super::*;

async fn collect(mut stream: ByteStream) -> Result<Vec<u8>, LocalError> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

#[test]
fn small_files_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &["a/b.js"]);
    let opened = Folder::open(folder.path(), Links::Inside).unwrap();
    assert_eq!(opened.read(&rel("a/b.js"), 6).unwrap(), b"a/b.js");
    assert!(matches!(opened.read(&rel("a/b.js"), 5), Err(LocalError::TooLarge { limit: 5, .. })));
    assert!(matches!(opened.read(&rel("a/c.js"), 5), Err(LocalError::NotFound { .. })));
    assert!(matches!(opened.read(&rel("a"), 5), Err(LocalError::NotAFile { what: "a folder", .. })));
    assert!(matches!(opened.read(&rel("a/b.js/c"), 5), Err(LocalError::NotAFolder { .. })));
}

#[test]
#[cfg(target_os = "linux")]
fn files_whose_length_is_a_lie_are_refused() {
    let opened = Folder::open(Path::new("/proc/self"), Links::Inside).unwrap();
    assert!(matches!(opened.read(&rel("status"), 1 << 20), Err(LocalError::Changed { .. })));
    assert!(matches!(opened.fingerprint(&rel("status"), Sums::Md5, &|_| ()), Err(LocalError::Changed { .. })));
}

#[test]
#[cfg(unix)]
fn links_out_of_the_folder_are_not_read() {
    let outside = tempfile::tempdir().unwrap();
    fill(outside.path(), &["secret"]);
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("absolute")).unwrap();
    let opened = Folder::open(folder.path(), Links::Inside).unwrap();
    for path in ["out/secret", "absolute"] {
        let error = opened.read(&rel(path), 100).unwrap_err();
        assert!(matches!(error, LocalError::Leaves { .. }), "{error:?}");
        assert!(opened.stream(&rel(path), 6).is_err());
    }
}

#[tokio::test]
async fn streams_give_exactly_the_bytes_that_were_announced() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Folder::open(folder.path(), Links::Inside).unwrap();
    for length in [0_usize, 1, 262_143, 262_144, 262_145, 1_000_000] {
        let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
        std::fs::write(folder.path().join("f"), &bytes).unwrap();
        assert_eq!(collect(opened.stream(&rel("f"), length as u64).unwrap()).await.unwrap(), bytes);
        assert!(matches!(opened.stream(&rel("f"), length as u64 + 1).err(), Some(LocalError::Changed { .. })));
    }
}

/// Whatever happens to the file, a reader that was promised `length` bytes never gets them all without an error.
#[tokio::test]
async fn streams_fail_before_their_end_when_the_file_changes() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let opened = Folder::open(folder.path(), Links::Inside).unwrap();
    let change: [(&str, &dyn Fn()); 4] = [
        ("grown", &|| std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap()),
        ("shrunk", &|| std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(300_000).unwrap()),
        ("emptied", &|| std::fs::write(&path, b"").unwrap()),
        ("rewritten", &|| {
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
    ];
    for (what, change) in change {
        for pieces_before in [0, 1] {
            std::fs::write(&path, vec![7; 600_000]).unwrap();
            let mut stream = opened.stream(&rel("f"), 600_000).unwrap();
            let mut length = 0;
            for _ in 0..pieces_before {
                length += stream.next().await.unwrap().unwrap().len();
            }
            change();
            let error = loop {
                match stream.next().await.expect("the stream must not end well") {
                    Ok(piece) => length += piece.len(),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, LocalError::Changed { .. }), "{what}: {error:?}");
            assert!(length < 600_000, "{what}: {length}");
        }
    }
    std::fs::write(&path, b"").unwrap();
    let mut stream = opened.stream(&rel("f"), 0).unwrap();
    std::fs::write(&path, b"x").unwrap();
    assert!(stream.next().await.unwrap().is_err());
}

#[test]
fn settings_files_are_read_with_care() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), &["text", "app/_id", "app/views/a/map.js", "other/.couchapprc"]);
    std::fs::write(folder.path().join("binary"), b"\xff").unwrap();
    let text = folder.path().join("text");
    assert_eq!(read_text(&text, 4).unwrap(), "text");
    assert!(matches!(read_text(&text, 3), Err(LocalError::TooLarge { .. })));
    assert!(matches!(read_text(&folder.path().join("binary"), 3), Err(LocalError::NotText { .. })));
    assert!(matches!(read_text(folder.path(), 3), Err(LocalError::NotAFile { .. })));
    assert_eq!(read_optional_text(&folder.path().join("none"), 3).unwrap(), None);
    assert_eq!(read_optional_text(&text.join("none"), 3).unwrap(), None);
    assert_eq!(kind(&text).unwrap(), Some(Kind::File));
    assert_eq!(kind(&folder.path().join("app")).unwrap(), Some(Kind::Folder));
    assert_eq!(kind(&text.join("x")).unwrap(), None);
    let names: Vec<String> = children(folder.path()).unwrap().into_iter().map(|child| child.name).collect();
    assert_eq!(names, ["app", "binary", "other", "text"]);

    let deep = folder.path().join("app/views/a");
    assert_eq!(find_up(&deep, &["_id", ".couchapprc"]), Some(folder.path().join("app")));
    assert_eq!(find_up(&folder.path().join("other"), &[".couchapprc"]), Some(folder.path().join("other")));
    assert_eq!(find_up(&deep, &["no-such-name-anywhere"]), None);
}

#[test]
#[cfg(unix)]
fn files_that_others_may_read_are_known() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("netrc");
    std::fs::write(&path, "").unwrap();
    for (mode, exposed) in [(0o600, false), (0o640, true), (0o604, true), (0o700, false), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(is_exposed(&path).unwrap(), exposed, "{mode:o}");
    }
}
