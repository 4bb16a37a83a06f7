//! The laws of the mapping, for whatever a server or a folder may hold.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

use super::*;
use crate::path::portable;

mod documents;
mod trees;

/// Runs a law over as many cases as `COUCHAPP_CASES` says, always the same ones.
#[allow(clippy::disallowed_methods, reason = "a test's own setting")]
fn check<S: Strategy>(strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    if let Err(error) = runner.run(strategy, law) {
        panic!("{error}");
    }
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// A folder as `local` would hand it over: files and empty folders, sorted by the couchapp layout.
pub(super) fn sources(files: &BTreeMap<RelPath, Vec<u8>>, folders: &BTreeSet<RelPath>) -> (Sources, Vec<Finding>) {
    let mut listing: BTreeMap<RelPath, bool> = folders.iter().map(|folder| (folder.clone(), true)).collect();
    for file in files.keys() {
        listing.extend(file.ancestors().map(|folder| (path(folder), true)));
    }
    listing.extend(files.keys().map(|file| (file.clone(), false)));
    let mut names = Names::default();
    if let Some(text) = files.get("_names.json") {
        names.read(&path("_names.json"), text).unwrap();
    }
    let sorted = sort(listing, Layout::Couchapp, &names, true);
    let print = |file: &RelPath| Fingerprint {
        path: file.clone(),
        md5: metadata::md5_of(&files[file]),
        length: files[file].len() as u64,
    };
    let sources = Sources {
        fields: sorted.fields.iter().map(|file| (file.clone(), files[file].clone())).collect(),
        directories: sorted.directories.into_iter().collect(),
        attachments: sorted.attachments.iter().map(|(name, file)| (name.clone(), print(file))).collect(),
        folder_name: "app".to_owned(),
        ..Sources::default()
    };
    (sources, sorted.findings)
}

/// The folder that a clone leaves; each attachment holds its own name.
pub(super) fn written(unfolded: &Unfolded) -> (Sources, Vec<Finding>) {
    let mut files = unfolded.files.clone();
    let bytes = |name: &AttName| name.as_str().as_bytes().to_vec();
    files.extend(unfolded.attachments.iter().map(|(file, name)| (file.clone(), bytes(name))));
    sources(&files, &unfolded.directories)
}

/// A document's own content: without what a push generates.
fn content(body: &Object) -> Object {
    let mut body = body.clone();
    if let Some(Value::Object(couchapp)) = body.get_mut("couchapp") {
        metadata::remove_generated(couchapp);
        if couchapp.is_empty() {
            body.shift_remove("couchapp");
        }
    }
    body
}

/// Law 3: no path leaves the folder (the type says so) and no two paths clash on any system.
fn check_paths(unfolded: &Unfolded) -> Result<(), TestCaseError> {
    let files = unfolded.files.keys().chain(unfolded.attachments.keys());
    let all: Vec<RelPath> = files.cloned().collect();
    for file in all.iter().chain(&unfolded.directories) {
        prop_assert!(portable::judge(file.as_str()).is_ok(), "{file}");
    }
    prop_assert_eq!(portable::clashes(&all), vec![]);
    let mut folders: Vec<RelPath> = all;
    folders.extend(unfolded.directories.iter().map(|folder| folder.join("%nothing").unwrap()));
    prop_assert_eq!(portable::clashes(&folders), vec![]);
    Ok(())
}
