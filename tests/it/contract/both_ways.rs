//! A folder that goes up and comes down: what one direction has seen, the other knows.

use super::album::Album;
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
