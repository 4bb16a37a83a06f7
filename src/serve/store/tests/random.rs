//! Any sequence of writes, compactions and reopenings leaves what the rules of revisions say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

/// How many cases a law is tried on: what `COUCHAPP_CASES` says, or a few.
#[allow(clippy::disallowed_methods, reason = "a test's own setting")]
pub(super) fn cases(few: u32) -> u32 {
    std::env::var("COUCHAPP_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

#[derive(Clone, Debug)]
enum Step {
    /// Edits of documents: which one, upon which of its leaves (or as a new one), what becomes of it, how large.
    Write(Vec<(u8, Option<Index>, u8, usize)>),
    Compact,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![Just(0usize), 1usize..2000, 65_000usize..70_000];
    let edit = (0u8..4, proptest::option::weighted(0.7, any::<Index>()), 0u8..6, size);
    let step = prop_oneof![
        6 => proptest::collection::vec(edit, 1..5).prop_map(Step::Write),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..16)
}

/// The leaves of each document: revision, whether it is deleted, the attachment's bytes.
type Model = BTreeMap<String, Vec<(Revision, bool, Vec<u8>)>>;

fn carry_out(database: &Database, model: &mut Model, edits: &[(u8, Option<Index>, u8, usize)]) {
    let mut batch = Vec::new();
    for (document, upon, kind, size) in edits {
        let id = format!("d{document}");
        let leaves = model.entry(id.clone()).or_default();
        let is_deleted = *kind == 0;
        let bytes = vec![*document ^ *kind; *size];
        let upon = upon.as_ref().filter(|_| !leaves.is_empty()).map(|index| index.index(leaves.len()));
        // A replicated branch of its own, or what the rules say about leaves.
        let history = (*kind == 5).then(|| revisions(&format!("2-{size:x} 1-{document:x}")));
        let all_deleted = leaves.iter().all(|(_, is_deleted, _)| *is_deleted);
        let edit = Edit {
            id,
            members: object(&format!(r#"{{"size":{size}}}"#)),
            attachments: vec![attachment("x", store_bytes(database, &bytes, false))],
            is_deleted,
            upon: match &history {
                Some(history) => Upon::History(history.clone()),
                None => Upon::Leaf(upon.map(|index| leaves[index].0.clone())),
            },
        };
        let outcome = database.write(vec![edit.clone()], &anything).unwrap().remove(0);
        let expects_conflict = history.is_none()
            && match upon {
                Some(_) => all_deleted,
                None => !leaves.is_empty() && (!all_deleted || is_deleted),
            };
        match outcome {
            Outcome::Stored(revision) if history.is_some() => {
                let known = leaves.iter().any(|(leaf, ..)| *leaf == revision);
                let tree = database.document(&edit.id).unwrap().unwrap().tree;
                if !known && tree.is_leaf(&revision) {
                    leaves.push((revision, is_deleted, bytes));
                }
            }
            Outcome::Stored(revision) => {
                assert!(!expects_conflict, "{edit:?}");
                let at = upon.or_else(|| winner(leaves));
                at.map(|at| leaves.remove(at));
                leaves.push((revision, is_deleted, bytes));
            }
            outcome => assert!(expects_conflict && matches!(outcome, Outcome::Conflict), "{edit:?} {outcome:?}"),
        }
        batch.push(edit);
    }
    // The same once more is known, or a conflict: nothing is new.
    let before = database.info().unwrap().sequence;
    let is_replicated = |edit: &Edit| matches!(edit.upon, Upon::History(_));
    database.write(batch.into_iter().filter(is_replicated).collect(), &anything).unwrap();
    assert_eq!(database.info().unwrap().sequence, before);
}

fn winner(leaves: &[(Revision, bool, Vec<u8>)]) -> Option<usize> {
    let rank = |(revision, is_deleted, _): &(Revision, bool, Vec<u8>)| {
        (!*is_deleted, revision.generation(), hex_or_text(revision.hash()))
    };
    (0..leaves.len()).max_by_key(|index| rank(&leaves[*index]))
}

fn hex_or_text(hash: &str) -> Vec<u8> {
    crate::hexadecimal::decode::<16>(hash).map_or_else(|| hash.as_bytes().to_vec(), Vec::from)
}

fn compare(database: &Database, model: &Model) {
    verify(database);
    for (id, leaves) in model {
        let Some(document) = database.document(id).unwrap() else {
            assert!(leaves.is_empty());
            continue;
        };
        let mut known: Vec<_> =
            document.tree.leaves().into_iter().map(|leaf| (leaf.revision, leaf.is_deleted)).collect();
        assert_eq!(Some(&known[0].0), winner(leaves).map(|index| &leaves[index].0));
        known.sort();
        let mut expected: Vec<_> =
            leaves.iter().map(|(revision, is_deleted, _)| (revision.clone(), *is_deleted)).collect();
        expected.sort();
        assert_eq!(known, expected);
        for (revision, _, bytes) in leaves {
            let body = database.body(id, revision).unwrap().unwrap();
            assert_eq!(&read_bytes(database, &body.attachments[0].blob, 0).unwrap(), bytes);
        }
    }
}

#[test]
fn any_sequence_of_writes_leaves_what_the_rules_say() {
    let config = Config { cases: cases(24), failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]));
    let result = runner.run(&steps(), |steps| {
        let mut place = Place::new();
        let mut database = place.database();
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Write(edits) => carry_out(&database, &mut model, &edits),
                Step::Compact => database.compact().unwrap(),
                Step::Reopen => {
                    drop(database);
                    place.reopen();
                    database = place.database();
                }
            }
            compare(&database, &model);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
