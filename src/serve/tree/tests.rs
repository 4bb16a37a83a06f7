use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

/// Runs a law over as many cases as `COUCHAPP_CASES` says, always the same ones.
#[allow(clippy::disallowed_methods, reason = "a test's own setting")]
fn check<S: Strategy>(strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]));
    if let Err(error) = runner.run(strategy, law) {
        panic!("{error}");
    }
}

fn revision(text: &str) -> Revision {
    Revision::new(text).unwrap()
}

fn history(text: &str) -> Vec<Revision> {
    text.split_whitespace().map(revision).collect()
}

/// A place that depends on nothing but the revision.
fn place_of(revision: &Revision) -> Place {
    let number = revision.as_str().bytes().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
    Place { number, size: number % 100 }
}

/// Merges histories; `x` before one makes its first revision a tombstone.
fn tree(histories: &[&str]) -> Tree {
    let mut tree = Tree::default();
    for text in histories {
        let is_deleted = text.starts_with('x');
        let history = history(text.trim_start_matches('x'));
        tree.merge(&history, is_deleted, place_of(&history[0]));
    }
    tree
}

fn leaves(tree: &Tree) -> Vec<String> {
    let mark = |leaf: Leaf| format!("{}{}", if leaf.is_deleted { "x" } else { "" }, leaf.revision);
    tree.leaves().into_iter().map(mark).collect()
}

#[test]
fn leaves_are_in_the_order_of_couchdb() {
    let cases: [(&[&str], &[&str]); 9] = [
        (&["1-a"], &["1-a"]),
        (&["1-a", "2-b 1-a"], &["2-b"]),
        (&["1-a", "1-b"], &["1-b", "1-a"]),
        // The longer branch wins over the greater hash.
        (&["1-z", "2-b 1-a"], &["2-b", "1-z"]),
        // A tombstone never wins over what lives.
        (&["x5-e 4-d", "1-a"], &["1-a", "x5-e"]),
        (&["x2-b 1-a", "x2-c 1-a"], &["x2-c", "x2-b"]),
        // 16 bytes stand before text with greater letters, whatever the digits look like.
        (
            &["1-ffffffffffffffffffffffffffffffff", "1-0fffffffffffffffffffffffffffffff", "1-zz"],
            &["1-ffffffffffffffffffffffffffffffff", "1-zz", "1-0fffffffffffffffffffffffffffffff"],
        ),
        (&["2-b 1-a", "3-d 2-c 1-a", "3-e 2-c"], &["3-e", "3-d", "2-b"]),
        (&["9-i", "12-l", "10-j 9-i"], &["12-l", "10-j"]),
    ];
    for (histories, expected) in cases {
        let tree = tree(histories);
        assert_eq!(leaves(&tree), expected, "{histories:?}");
        assert_eq!(tree.winner().map(|leaf| leaf.is_deleted), Some(tree.is_deleted()));
    }
    assert_eq!(Tree::default().winner(), None);
    assert!(Tree::default().is_deleted());
}

#[test]
fn histories_join_where_they_meet() {
    // A stemmed history at its root, in the middle, and from below.
    let whole = tree(&["4-d 3-c 2-b 1-a"]);
    assert_eq!(whole.history(&revision("4-d")), Some(history("4-d 3-c 2-b 1-a")));
    assert_eq!(leaves(&tree(&["4-d 3-c 2-b 1-a", "4-e 3-c"])), ["4-e", "4-d"]);
    let mut stemmed = tree(&["4-d 3-c"]);
    assert!(stemmed.merge(&history("4-e 3-c 2-b 1-a"), false, place_of(&revision("4-e"))));
    assert_eq!(stemmed.history(&revision("4-d")), Some(history("4-d 3-c 2-b 1-a")));
    // Two roots turn out to have one ancestor.
    let joined = tree(&["3-c", "3-d", "3-c 2-b", "3-d 2-b"]);
    assert_eq!(joined.history(&revision("3-d")), Some(history("3-d 2-b")));
    assert_eq!(leaves(&joined), ["3-d", "3-c"]);
    // Nothing in common.
    assert_eq!(leaves(&tree(&["4-d 3-c", "2-b 1-a"])), ["4-d", "2-b"]);
}

#[test]
fn a_forged_history_is_cut() {
    let mut forged = tree(&["3-c 2-b 1-a"]);
    // The parent of 2-b is known to be 1-a.
    assert!(forged.merge(&history("3-d 2-b 1-x"), false, place_of(&revision("3-d"))));
    assert_eq!(leaves(&forged), ["3-d", "3-c"]);
    assert_eq!(forged.history(&revision("3-d")), Some(history("3-d 2-b 1-a")));
    assert_eq!(tree(&["5-e 3-c 2-b"]).history(&revision("5-e")), Some(history("5-e")));
    assert!(!Tree::default().merge(&[], false, Place { number: 1, size: 1 }));
}

#[test]
fn what_is_known_is_told() {
    let mut tree = tree(&["1-a", "2-b 1-a", "x3-c 2-b 1-a", "2-d 1-a", "4-g 3-f"]);
    let status = |tree: &Tree, text: &str| tree.status(&revision(text));
    assert_eq!(status(&tree, "2-b"), Some(Status::Available));
    assert_eq!(status(&tree, "3-c"), Some(Status::Deleted));
    assert_eq!(status(&tree, "3-f"), Some(Status::Missing));
    assert_eq!(status(&tree, "3-x"), None);
    assert_eq!(tree.place(&revision("2-b")), Some((place_of(&revision("2-b")), false)));
    assert!(tree.is_leaf(&revision("3-c")) && !tree.is_leaf(&revision("2-b")) && !tree.is_leaf(&revision("3-x")));
    let upon = |text: &str| tree.leaves_upon(&revision(text)).into_iter().map(|leaf| leaf.revision).collect::<Vec<_>>();
    assert_eq!(upon("1-a"), history("2-d 3-c"));
    assert_eq!(upon("3-c"), history("3-c"));
    assert_eq!(upon("9-x"), []);
    let leaf_sizes: u64 = ["3-c", "2-d", "4-g"].iter().map(|text| place_of(&revision(text)).size).sum();
    assert_eq!(tree.size(), leaf_sizes);
    // Compaction keeps the leaves only.
    assert_eq!(tree.strip(), [place_of(&revision("1-a")), place_of(&revision("2-b"))]);
    assert_eq!(status(&tree, "2-b"), Some(Status::Missing));
    assert_eq!(tree.size(), leaf_sizes);
    assert_eq!(tree.strip(), []);
}

/// Taken from CouchDB 3.5.
#[test]
fn missing_revisions_and_their_ancestors_are_those_of_couchdb() {
    let tree = tree(&["1-a", "1-b", "2-c 1-a", "3-f"]);
    let missing = tree.missing(&history("4-z 3-y 9-q 2-c 2-a"));
    assert_eq!(missing, history("2-a 3-y 4-z 9-q"));
    assert_eq!(tree.possible_ancestors(&missing), history("3-f 2-c 1-b"));
    assert_eq!(tree.possible_ancestors(&history("3-y")), history("2-c 1-b"));
    assert_eq!(tree.possible_ancestors(&[]), []);
}

#[test]
fn a_hash_is_bytes_when_it_can_be() {
    let upper = revision("1-ABCDEFABCDEFABCDEFABCDEFABCDEFAB");
    let tree = tree(&[upper.as_str(), "2-abcdefghijklmnop"]);
    assert!(tree.contains(&revision("1-abcdefabcdefabcdefabcdefabcdefab")));
    assert_eq!(leaves(&tree), ["2-6162636465666768696a6b6c6d6e6f70", "1-abcdefabcdefabcdefabcdefabcdefab"]);
}

#[test]
fn stemming_keeps_the_newest_of_each_branch() {
    let mut stemmed = tree(&["1-a", "2-b 1-a", "3-c 2-b", "4-d 3-c", "2-e 1-a"]);
    assert_eq!(stemmed.stem(9), []);
    // 1-a is still the parent of 2-e.
    assert_eq!(stemmed.stem(2), [place_of(&revision("2-b"))]);
    assert_eq!(stemmed.history(&revision("4-d")), Some(history("4-d 3-c")));
    assert_eq!(stemmed.history(&revision("2-e")), Some(history("2-e 1-a")));
    assert_eq!(stemmed.stem(0), [place_of(&revision("1-a")), place_of(&revision("3-c"))]);
    assert_eq!(leaves(&stemmed), ["4-d", "2-e"]);
}

#[test]
fn damaged_bytes_are_no_tree() {
    let bytes = tree(&["2-b 1-a", "x2-0123456789abcdef0123456789abcdef 1-a", "3-zz"]).to_bytes();
    assert!(Tree::from_bytes(&[]).is_err());
    for end in 1..bytes.len() {
        // A cut between two nodes leaves a smaller tree, which reads back as itself.
        if let Ok(tree) = Tree::from_bytes(&bytes[..end]) {
            assert_eq!(tree.to_bytes(), bytes[..end]);
        }
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        if let Ok(tree) = Tree::from_bytes(&damaged) {
            tree.leaves();
        }
    }
}

/// Revisions with their ancestors, and whether each is a tombstone.
type Histories = Vec<(Vec<Revision>, bool)>;

/// A document that is edited at random: each entry makes a child of an earlier revision, or a root, and is its history.
fn histories() -> impl Strategy<Value = Histories> {
    proptest::collection::vec((any::<proptest::sample::Index>(), 0u8..4, 0u64..3), 1..24).prop_map(|edits| {
        let mut made: Histories = Vec::new();
        for (number, (upon, kind, root)) in edits.into_iter().enumerate() {
            let mut history: Vec<Revision> = Vec::new();
            if !made.is_empty() && kind > 0 {
                history.clone_from(&upon.get(&made).0);
            }
            let generation = history.first().map_or(root, Revision::generation) + 1;
            // Later revisions are not the greater ones.
            history.insert(0, revision(&format!("{generation}-{:032x}", (number as u128 + 1) * 0x9e37_79b9 % 0xffff)));
            made.push((history, kind == 1));
        }
        made
    })
}

/// Histories with a part of each: at least its first `cut` revisions, and an order to merge them in.
fn shuffled() -> impl Strategy<Value = (Histories, Vec<usize>, Vec<usize>)> {
    histories().prop_flat_map(|histories| {
        let order: Vec<usize> = (0..histories.len()).collect();
        let count = histories.len();
        (Just(histories), Just(order).prop_shuffle(), proptest::collection::vec(1usize..6, count))
    })
}

#[test]
fn the_order_of_merging_does_not_matter() {
    check(&shuffled(), |(histories, order, cuts)| {
        let merged = |order: &[usize]| {
            let mut tree = Tree::default();
            for index in order {
                let (history, is_deleted) = &histories[*index];
                let history = &history[..cuts[*index].min(history.len())];
                tree.merge(history, *is_deleted, place_of(&history[0]));
            }
            tree
        };
        let in_order: Vec<usize> = (0..histories.len()).collect();
        let (first, second) = (merged(&in_order), merged(&order));
        prop_assert_eq!(&first, &second);
        // Once more changes nothing.
        let mut again = first.clone();
        for (history, is_deleted) in &histories {
            prop_assert!(!again.merge(&history[..1], *is_deleted, place_of(&history[0])));
        }
        prop_assert_eq!(&again, &first);
        prop_assert_eq!(Tree::from_bytes(&first.to_bytes()), Ok(first));
        Ok(())
    });
}

#[test]
fn whole_histories_are_kept_and_stemmed() {
    check(&(histories(), 1u64..8), |(histories, limit)| {
        let mut tree = Tree::default();
        for (history, is_deleted) in &histories {
            tree.merge(history, *is_deleted, place_of(&history[0]));
        }
        let parents: BTreeSet<&Revision> = histories.iter().filter_map(|(history, _)| history.get(1)).collect();
        let mut expected: Vec<_> = histories.iter().filter(|(history, _)| !parents.contains(&history[0])).collect();
        expected
            .sort_by_key(|(history, is_deleted)| (!is_deleted, history[0].generation(), history[0].hash().to_owned()));
        expected.reverse();
        let leaves = tree.leaves();
        prop_assert_eq!(leaves.len(), expected.len());
        for (leaf, (history, is_deleted)) in leaves.iter().zip(&expected) {
            prop_assert_eq!((&leaf.revision, leaf.is_deleted), (&history[0], *is_deleted));
            prop_assert_eq!(tree.history(&leaf.revision), Some(history.clone()));
        }
        let (before, mut after) = (tree.clone(), tree);
        let dropped = after.stem(limit);
        prop_assert_eq!(after.leaves(), leaves);
        for (history, _) in &histories {
            let known = after.history(&history[0]);
            prop_assert_eq!(known.is_none(), dropped.contains(&place_of(&history[0])));
            if let Some(known) = known {
                prop_assert!(history.starts_with(&known));
            }
        }
        for (history, _) in &expected {
            // At least the newest are there; more where a younger branch needs them.
            let known = after.history(&history[0]).unwrap_or_default();
            prop_assert!(known.len() >= history.len().min(usize::try_from(limit).unwrap()));
        }
        prop_assert!(after.nodes.len() <= before.nodes.len());
        prop_assert_eq!(after.stem(limit), []);
        Ok(())
    });
}
