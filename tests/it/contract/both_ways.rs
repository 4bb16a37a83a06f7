//! A folder that goes up and comes down: what one direction has seen, the other knows.

use serde_json::json;

use super::album::{Album, attached};
use crate::fault_proxy::Action;
use crate::harness::{Endpoint, Project};

/// The binary in another project, as another person's machine.
struct Other<'a> {
    project: Project,
    album: &'a Album<'a>,
}

impl<'a> Other<'a> {
    fn beside(album: &'a Album<'a>) -> Self {
        Self { project: Project::for_endpoint(album.database.endpoint()), album }
    }

    fn url(&self) -> String {
        self.album.database.url()
    }
}

pub(crate) fn what_was_fetched_is_known_when_it_goes_up(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let bob = Other::beside(&album);
    bob.project.couchapp(&["sync-dir", &bob.url(), "pics"]).ok();
    album.file("a.jpg", b"a newer picture");
    album.sync(&[]).ok();
    // Bob changes something else: that goes up without a question, and takes nothing back.
    bob.project.write("pics/2010/notes.txt", "my notes");
    bob.project.couchapp(&["sync-dir", "pics", &bob.url(), "--yes"]).expect(8).says("a.jpg").says("Sent 1 file");
    assert_eq!(album.stored()["a.jpg"], b"a newer picture");
    assert_eq!(album.stored()["2010/notes.txt"], b"my notes");
    // What is new on the server comes down, and then both are the same.
    bob.project.couchapp(&["sync-dir", &bob.url(), "pics"]).ok().says("Fetched 1 file");
    bob.project.couchapp(&["sync-dir", "pics", &bob.url()]).ok().says("Up to date");
}

pub(crate) fn what_was_sent_and_edited_is_not_fetched_over(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.file("a.jpg", b"precious");
    let url = album.database.url_through(&album.proxy);
    for more in [&[][..], &["--yes"]] {
        let run = album.project.couchapp(&[&["sync-dir", &url, "pics"], more].concat());
        run.expect(5).says("a.jpg");
        assert_eq!(album.project.read("pics/a.jpg"), b"precious");
    }
    album.project.couchapp(&["sync-dir", &url, "pics", "--force"]).ok();
    assert_ne!(album.project.read("pics/a.jpg"), b"precious");
}

pub(crate) fn a_database_that_the_run_made_is_remembered(endpoint: &Endpoint) {
    let database = endpoint.unmade_database();
    let project = Project::for_endpoint(endpoint);
    project.write("pics/a.jpg", "a").write("pics/b.jpg", "b").write("pics/c.jpg", "c");
    project.couchapp(&["sync-dir", "pics", &database.url(), "--create-db"]).ok();
    std::fs::remove_file(project.path().join("pics/a.jpg")).unwrap();
    project.couchapp(&["sync-dir", "pics", &database.url(), "--delete"]).ok().says("emoved 1");
}

pub(crate) fn only_state_and_passwords_are_never_stored(endpoint: &Endpoint) {
    let database = endpoint.database();
    let project = Project::for_endpoint(endpoint);
    project.write("pics/couchapp.toml", "# notes").write("pics/.couchappignore", "*.tmp\n").write("pics/x.tmp", "x");
    project.couchapp(&["sync-dir", "pics", &database.url()]).ok().says("Sent 2 files").says("1 entry is left out");
    project.couchapp(&["dump", &database.url(), "back"]).ok().says("Fetched 2 files");
    project.write("pics/.couchapprc", "{}");
    project.couchapp(&["sync-dir", "pics", &database.url()]).expect(8).says(".couchapprc");
}

pub(crate) fn what_is_edited_during_a_fetch_is_not_replaced(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.fetch("copy", &[]).ok();
    album.file("new.jpg", b"new there");
    album.sync(&[]).ok();
    album.replace_remotely("a.jpg", b"their picture");
    // Saved in an editor, and made, while the download is on its way.
    let copy = album.project.path().join("copy");
    let folder = copy.clone();
    album.play(move |arrival| {
        if arrival.target.contains("attachments=true") || arrival.target.contains("_bulk_get") {
            std::fs::write(folder.join("a.jpg"), "edited meanwhile").unwrap();
            std::fs::write(folder.join("new.jpg"), "made meanwhile").unwrap();
        }
        Action::Pass
    });
    album.fetch("copy", &[]).expect(5).says("a.jpg").says("new.jpg");
    assert_eq!(std::fs::read(copy.join("a.jpg")).unwrap(), b"edited meanwhile");
    assert_eq!(std::fs::read(copy.join("new.jpg")).unwrap(), b"made meanwhile");
    // The next run knows whose they are.
    album.calm().fetch("copy", &[]).expect(9).says("new.jpg");
    assert_eq!(std::fs::read(copy.join("a.jpg")).unwrap(), b"edited meanwhile");
}

pub(crate) fn who_was_faster_is_not_overwritten(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let bob = Other::beside(&album);
    bob.project.couchapp(&["sync-dir", &bob.url(), "pics"]).ok();
    bob.project.write("pics/a.jpg", "their picture");
    let null = std::process::Stdio::null;
    let mut faster = bob.project.command(".", &["sync-dir", "pics", &bob.url()]);
    faster.stdout(null()).stderr(null());
    // Between the listing and the write: when the document is read that is to be replaced.
    let mut is_done = false;
    album.play(move |arrival| {
        if arrival.method == "POST" && arrival.target.contains("_all_docs") && !is_done {
            is_done = true;
            assert!(tokio::task::block_in_place(|| faster.status()).unwrap().success());
        }
        Action::Pass
    });
    album.file("a.jpg", b"my picture");
    album.sync(&[]).expect(5).says("a.jpg");
    assert_eq!(album.stored()["a.jpg"], b"their picture");
    assert_eq!(album.project.read("pics/a.jpg"), b"my picture");
}

pub(crate) fn two_things_for_one_path_are_both_told(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    // A document of others whose attachment would be dumped to the path of one of our files.
    album.database.store("2010", &json!({ "_attachments": { "notes.txt": attached(b"others", "text/plain") } }));
    for _ in 0..2 {
        album.dump("back", &[]).expect(8).says("2010/notes.txt").says("path of another file");
        assert_ne!(album.project.read("back/2010/notes.txt"), b"others");
    }
    // What people attached to a photo is in the dump, too.
    super::app::edit_remotely(&album.database, "a.jpg", |document| {
        document["_attachments"]["comment.txt"] = attached(b"lovely", "text/plain");
    });
    album.dump("back", &[]).expect(8);
    assert_eq!(album.project.read("back/a.jpg~/comment.txt").as_slice(), b"lovely");
}
