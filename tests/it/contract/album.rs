//! The folders of files that the cases of `sync-dir` and `dump` work on.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::app::target_of;
use crate::fault_proxy::{Action, Arrival, FaultProxy};
use crate::harness::{Database, Endpoint, Kind, Project, Run, Tree, encoded};

/// 2010-09-19T11:47:23Z, in seconds since 1970.
pub(crate) const TIME: u64 = 1_284_896_843;

/// A folder `pics`, and a database behind a proxy that counts.
pub(crate) struct Album<'a> {
    pub(crate) project: Project,
    pub(crate) database: Database<'a>,
    pub(crate) proxy: FaultProxy,
    /// The database's URL through the proxy. Another address would be another place, of which nothing is remembered.
    pub(crate) url: String,
    written: Cell<u32>,
}

impl<'a> Album<'a> {
    /// An empty folder and an empty database.
    pub(crate) fn begin(endpoint: &'a Endpoint) -> Self {
        let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
        let proxy = FaultProxy::counting(endpoint.origin());
        let url = database.url_through(&proxy);
        std::fs::create_dir(project.path().join("pics")).unwrap();
        Self { project, database, proxy, url, written: Cell::new(0) }
    }

    /// A folder of a few files of several kinds, and an empty database.
    pub(crate) fn of_some(endpoint: &'a Endpoint) -> Self {
        let album = Self::begin(endpoint);
        for (path, content) in some_files() {
            album.file(&path, content);
        }
        album
    }

    /// The same, in the database already.
    pub(crate) fn sent(endpoint: &'a Endpoint) -> Self {
        let album = Self::of_some(endpoint);
        album.sync(&[]).ok();
        album.proxy.forget();
        album
    }

    /// Writes a file of the folder, with a time of its own that is long past.
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        self.project.write(&format!("pics/{path}"), content);
        self.age(path)
    }

    /// Gives a file a time of its own that is long past: too young files are read again each time.
    pub(crate) fn age(&self, path: &str) -> &Self {
        self.written.set(self.written.get() + 1);
        self.project.touch(&format!("pics/{path}"), TIME + u64::from(self.written.get()), 123_456_000);
        self
    }

    /// Removes a file of the folder, and the folders that it leaves empty.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        self.project.remove(&format!("pics/{path}"));
        let root = self.project.path().join("pics");
        for folder in root.join(path).ancestors().skip(1).take_while(|folder| *folder != root) {
            // Ends with the first that holds something.
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        self
    }

    /// `sync-dir pics URL …`
    #[track_caller]
    pub(crate) fn sync(&self, more: &[&str]) -> Run {
        self.project.couchapp(&[&["sync-dir", "pics", &self.url], more].concat())
    }

    /// `sync-dir URL folder …`
    #[track_caller]
    pub(crate) fn fetch(&self, folder: &str, more: &[&str]) -> Run {
        self.project.couchapp(&[&["sync-dir", &self.url, folder], more].concat())
    }

    /// `dump URL folder …`
    #[track_caller]
    pub(crate) fn dump(&self, folder: &str, more: &[&str]) -> Run {
        self.project.couchapp(&[&["dump", &self.url, folder], more].concat())
    }

    /// The proxy lets everything pass again, and counts from the beginning.
    pub(crate) fn calm(&self) -> &Self {
        self.play(|_| Action::Pass)
    }

    /// Gives the proxy another script, and lets it count from the beginning.
    pub(crate) fn play(&self, script: impl FnMut(&Arrival) -> Action + Send + 'static) -> &Self {
        self.proxy.play(script);
        self.proxy.forget();
        self
    }

    /// Asserts that nothing was written since the proxy began to count.
    #[track_caller]
    pub(crate) fn wrote_nothing(&self) -> &Self {
        assert_eq!(self.proxy.writes(), []);
        self
    }

    /// A document by its id.
    #[track_caller]
    pub(crate) fn document(&self, id: &str) -> Value {
        self.database.document(&target_of(id))
    }

    /// The revision of every document.
    pub(crate) fn revisions(&self) -> BTreeMap<String, String> {
        // Without an end, PouchDB leaves out what begins with a character beyond `ÿ`.
        let is_pouchdb = self.database.endpoint().kind() == Kind::PouchDb;
        let query = if is_pouchdb { "?endkey=%22%EF%BF%BF%22" } else { "" };
        let rows = self.database.get(&format!("_all_docs{query}")).expect(200).json()["rows"].clone();
        let row =
            |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["value"]["rev"].as_str().unwrap().to_owned());
        rows.as_array().unwrap().iter().map(row).collect()
    }

    /// The ids of all documents.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.revisions().into_keys().collect()
    }

    /// The files that the documents hold, by `file.path`: read one by one, by requests of the test's own.
    #[track_caller]
    pub(crate) fn stored(&self) -> Tree {
        let mut stored = Tree::new();
        for id in self.ids() {
            let document = self.document(&id);
            let file = &document["file"];
            let Some(path) = file["path"].as_str() else { continue };
            let key = file["attachment"].as_str().or_else(|| file["name"].as_str()).unwrap();
            let content = self.database.attachment(&target_of(&id), key);
            let present = stored.insert(path.to_owned(), content);
            assert!(present.is_none(), "{path} is there twice");
        }
        stored
    }

    /// Asserts that the database holds exactly the files of the folder.
    #[track_caller]
    pub(crate) fn is_stored(&self) {
        same_trees(&self.project.tree("pics"), &self.stored());
    }

    /// Replaces the content of a file in the database, as another program that knows the convention would.
    #[track_caller]
    pub(crate) fn replace_remotely(&self, id: &str, content: &[u8]) -> String {
        super::app::edit_remotely(&self.database, &target_of(id), |document| {
            let name = document["file"]["name"].as_str().unwrap().to_owned();
            document["file"]["size"] = json!(content.len());
            document["file"]["sha256"] = json!(sha256(content));
            let content_type = document["_attachments"][&name]["content_type"].clone();
            document["_attachments"][&name] = attached(content, content_type.as_str().unwrap());
        })
    }

    /// Deletes a document.
    #[track_caller]
    pub(crate) fn delete_remotely(&self, id: &str) {
        let revision = self.document(id)["_rev"].as_str().unwrap().to_owned();
        let target = self.database.beneath(&format!("{}?rev={revision}", target_of(id)));
        self.database.endpoint().delete(&target).ok();
    }

    /// Adds a leaf that loses against the revision that is there, and says its revision.
    #[track_caller]
    pub(crate) fn add_losing_leaf(&self, id: &str, content: &[u8]) -> String {
        let losing = "1-00000000000000000000000000000001";
        let mut document = self.document(id);
        let name = document["file"]["name"].as_str().unwrap().to_owned();
        document["_rev"] = json!(losing);
        document["file"]["size"] = json!(content.len());
        document["file"]["sha256"] = json!(sha256(content));
        document["_attachments"] = json!({ name: attached(content, "image/jpeg") });
        self.database.post("_bulk_docs", &json!({ "new_edits": false, "docs": [document] })).ok();
        let shown = self.database.get(&format!("{}?conflicts=true", target_of(id))).expect(200).json();
        assert_eq!(shown["_conflicts"], json!([losing]), "{shown}");
        losing.to_owned()
    }

    /// The content of an attachment as of a revision.
    #[track_caller]
    pub(crate) fn attachment_of(&self, id: &str, name: &str, revision: &str) -> Vec<u8> {
        let rest = format!("{}/{}?rev={revision}", target_of(id), encoded(name));
        self.database.get(&rest).expect(200).body
    }
}

/// A few files: pictures, text, no content at all; in folders and not.
pub(crate) fn some_files() -> BTreeMap<String, Vec<u8>> {
    let files: [(&str, Vec<u8>); 7] = [
        ("a.jpg", noise(3000, 1)),
        ("2010/beach/IMG_0042.png", picture(1600, 1200)),
        ("2010/beach/IMG_0043.jpg", noise(70_000, 2)),
        ("2010/notes.txt", b"Two weeks of rain, one day of sun.\n".repeat(30)),
        ("2011/empty.jpg", Vec::new()),
        ("2011/song.mp3", noise(500, 4)),
        ("papers/plan.html", b"<!doctype html>\n<title>plan</title>\n".to_vec()),
    ];
    files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect()
}

pub(crate) use super::app::noise;

/// The beginning of a PNG of this size, and then nothing that makes sense.
pub(crate) fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0]);
    bytes.extend_from_slice(&noise(2000, width));
    bytes
}

/// A new attachment in JSON.
pub(crate) fn attached(content: &[u8], content_type: &str) -> Value {
    use base64::Engine as _;
    json!({ "content_type": content_type, "data": base64::engine::general_purpose::STANDARD.encode(content) })
}

/// The sum of a content, in hexadecimal digits.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asserts that two trees hold the same files; shows names, not contents.
#[track_caller]
pub(crate) fn same_trees(left: &Tree, right: &Tree) {
    let differing = crate::harness::difference(left, right);
    let side = |tree: &Tree, path: &String| tree.get(path).map(Vec::len);
    let shown: Vec<_> = differing.iter().map(|path| (path, side(left, path), side(right, path))).collect();
    assert!(differing.is_empty(), "these differ, with their lengths: {shown:?}");
}
