//! The comparison behind `push`, `status` and `diff`.

use std::collections::BTreeSet;

use super::{Change, Key, KeyPath, Plan, Snapshot};
use crate::mark::Mark;

/// What a push is asked to do with differences.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// Remove what is only on their side, even if no push or clone of ours ever knew it.
    pub delete: bool,
    /// Overwrite what they changed since our base.
    pub force: bool,
}

/// Everything a plan is made from.
pub struct Input<'a> {
    /// The folder.
    pub ours: &'a Snapshot,
    /// The document on the server; an empty snapshot when there is none.
    pub theirs: &'a Snapshot,
    /// The document as of our last push to, or clone from, this target.
    pub base: Option<&'a Snapshot>,
    /// Whether an earlier push or clone of this folder had this key: what is gone here since is to be removed there.
    pub known: &'a dyn Fn(&Key) -> bool,
    /// Whether the user selected this key (`--only`).
    pub selected: &'a dyn Fn(&Key) -> bool,
    /// The path people know a key by.
    pub path: &'a dyn Fn(&Key) -> String,
}

/// The other side changed since our base. Both lists hold paths, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// What they changed.
    pub theirs: Vec<String>,
    /// What we changed.
    pub ours: Vec<String>,
}

impl Clash {
    /// The paths that both sides changed.
    pub fn overlap(&self) -> impl Iterator<Item = &String> {
        self.ours.iter().filter(|path| self.theirs.contains(path))
    }
}

/// What comes of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Carry this out.
    Go(Plan),
    /// They changed something since our base; the plan is what `--force` would do.
    Clash(Clash, Plan),
}

/// Compares the two sides, and both with the base.
pub fn plan(input: &Input<'_>, policy: Policy) -> Step {
    let keys: BTreeSet<Key> = input.ours.keys().chain(input.theirs.keys()).collect();
    let mut plan = Plan::default();
    for key in &keys {
        if let Some(mark) = judge(input, policy, key) {
            plan.changes.push(Change {
                mark,
                path: (input.path)(key),
                bytes: if mark == Mark::Removed { input.theirs.bytes(key) } else { input.ours.bytes(key) },
                overwrites: overwrites(input, mark, key),
                key: key.clone(),
            });
        }
    }
    match clash(input) {
        Some(clash) if !policy.force => Step::Clash(clash, plan),
        _ => Step::Go(plan),
    }
}

fn judge(input: &Input<'_>, policy: Policy, key: &Key) -> Option<Mark> {
    let selected = (input.selected)(key);
    match (input.ours.has(key), input.theirs.has(key)) {
        (true, true) if input.ours.agrees(input.theirs, key) => Some(Mark::Same),
        (true, true) => Some(if selected { Mark::Changed } else { Mark::Kept }),
        (true, false) if is_filled_by_theirs(input, key) => None,
        (true, false) => selected.then_some(Mark::New),
        (false, _) => {
            // A leaf of ours where they have an object, or the other way round: one of the two has to go.
            let replaced = selected && is_replaced(input.ours, key);
            let removed = selected && (policy.delete || (input.known)(key));
            Some(if replaced || removed { Mark::Removed } else { Mark::Kept })
        }
    }
}

fn overwrites(input: &Input<'_>, mark: Mark, key: &Key) -> bool {
    let unknown = match input.base {
        Some(base) => !base.agrees(input.theirs, key),
        None => true,
    };
    match mark {
        Mark::Changed | Mark::Removed => unknown,
        _ => false,
    }
}

/// An empty object of ours (an empty folder) where they have members: theirs fill it.
fn is_filled_by_theirs(input: &Input<'_>, key: &Key) -> bool {
    let Key::Member(path) = key else { return false };
    let empty = input.ours.members.get(path).is_some_and(|value| value.as_object().is_some());
    empty && input.theirs.members.keys().any(|other| other.len() > path.len() && other.starts_with(path))
}

fn is_replaced(ours: &Snapshot, key: &Key) -> bool {
    let Key::Member(path) = key else { return false };
    let leaf_above =
        (1..path.len()).any(|length| ours.members.get(&path[..length]).is_some_and(|value| !value.is_object()));
    leaf_above || below(ours, path)
}

fn below(side: &Snapshot, path: &KeyPath) -> bool {
    side.members.keys().any(|other| other.len() > path.len() && other.starts_with(path))
}

/// What they changed since the base, unless we made the very same change.
fn clash(input: &Input<'_>) -> Option<Clash> {
    let base = input.base?;
    let keys: BTreeSet<Key> = input.theirs.keys().chain(base.keys()).chain(input.ours.keys()).collect();
    let changed = |side: &Snapshot| {
        keys.iter()
            .filter(|key| !side.agrees(base, key) && !input.ours.agrees(input.theirs, key))
            .map(|key| (input.path)(key))
            .collect::<BTreeSet<String>>()
            .into_iter()
            .collect::<Vec<String>>()
    };
    let theirs = changed(input.theirs);
    (!theirs.is_empty()).then(|| Clash { theirs, ours: changed(input.ours) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::name::AttName;
    use crate::plan::{AttachmentEntry, Content};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn snapshot(body: &Value, attachments: &[(&str, &str)]) -> Snapshot {
        let attachments = attachments.iter().map(|(name, digest)| {
            let entry = AttachmentEntry {
                length: 3,
                content_type: "text/plain".into(),
                content: Content::Stored((*digest).into()),
            };
            (AttName::new(*name).unwrap(), entry)
        });
        Snapshot::new(body.as_object().unwrap(), attachments.collect::<BTreeMap<_, _>>())
    }

    fn path(key: &Key) -> String {
        match key {
            Key::Member(path) => path.join("/"),
            Key::Attachment(name) => format!("_attachments/{name}"),
        }
    }

    fn run(ours: &Snapshot, theirs: &Snapshot, base: Option<&Snapshot>, pushed: bool, policy: Policy) -> Step {
        let known = |key: &Key| base.map_or(pushed, |base| base.has(key));
        let input = Input { ours, theirs, base, known: &known, selected: &|_| true, path: &path };
        plan(&input, policy)
    }

    fn marks(step: &Step) -> Vec<(char, String)> {
        let plan = match step {
            Step::Go(plan) | Step::Clash(_, plan) => plan,
        };
        plan.changes.iter().map(|change| (change.mark.letter(), change.path.clone())).collect()
    }

    #[test]
    fn what_only_the_server_has_is_kept_unless_known_or_asked_for() {
        let ours = snapshot(&json!({"a": 1}), &[("x", "1")]);
        let theirs = snapshot(&json!({"a": 1, "b": 2}), &[("x", "1"), ("y", "2")]);
        let kept = run(&ours, &theirs, None, false, Policy::default());
        assert_eq!(
            marks(&kept),
            [('=', "a".into()), ('?', "b".into()), ('=', "_attachments/x".into()), ('?', "_attachments/y".into())]
        );
        let Step::Go(plan) = kept else { panic!("no base, no clash") };
        assert!(plan.is_empty());
        let known = run(&ours, &theirs, None, true, Policy::default());
        assert_eq!(marks(&known)[3], ('-', "_attachments/y".into()));
        let asked = run(&ours, &theirs, None, false, Policy { delete: true, force: false });
        assert_eq!(marks(&asked)[1], ('-', "b".into()));
        let by_base = run(&ours, &theirs, Some(&theirs), false, Policy::default());
        assert_eq!(marks(&by_base)[1], ('-', "b".into()));
        assert!(matches!(by_base, Step::Go(_)));
    }

    #[test]
    fn a_change_of_theirs_since_the_base_is_a_clash_that_names_both_sides() {
        let base = snapshot(&json!({"a": 1, "b": 1}), &[]);
        let ours = snapshot(&json!({"a": 2, "b": 1}), &[]);
        let theirs = snapshot(&json!({"a": 1, "b": 2}), &[("new", "1")]);
        let Step::Clash(clash, _) = run(&ours, &theirs, Some(&base), false, Policy::default()) else {
            panic!("a clash was missed")
        };
        assert_eq!(clash.theirs, ["_attachments/new", "b"]);
        assert_eq!(clash.ours, ["a"]);
        assert_eq!(clash.overlap().count(), 0);
        let forced = run(&ours, &theirs, Some(&base), false, Policy { force: true, delete: false });
        assert!(matches!(forced, Step::Go(_)));
        assert!(marks(&forced).contains(&('?', "_attachments/new".into())));
    }

    #[test]
    fn the_same_change_on_both_sides_is_no_clash() {
        let base = snapshot(&json!({"a": 1}), &[]);
        let both = snapshot(&json!({"a": 2}), &[]);
        let Step::Go(plan) = run(&both, &both, Some(&base), false, Policy::default()) else { panic!("no clash") };
        assert!(plan.is_empty());
    }

    #[test]
    fn without_a_base_every_difference_overwrites() {
        let ours = snapshot(&json!({"a": 2, "n": 1}), &[]);
        let theirs = snapshot(&json!({"a": 1}), &[]);
        let Step::Go(plan) = run(&ours, &theirs, None, false, Policy::default()) else { panic!("no base, no clash") };
        let flags: Vec<_> = plan.changes.iter().map(|change| (change.path.as_str(), change.overwrites)).collect();
        assert_eq!(flags, [("a", true), ("n", false)]);
    }

    #[test]
    fn a_leaf_and_an_object_replace_each_other() {
        let leaf = snapshot(&json!({"a": "text"}), &[]);
        let object = snapshot(&json!({"a": {"b": 1}}), &[]);
        assert_eq!(
            marks(&run(&leaf, &object, None, false, Policy::default())),
            [('+', "a".into()), ('-', "a/b".into())]
        );
        assert_eq!(
            marks(&run(&object, &leaf, None, false, Policy::default())),
            [('-', "a".into()), ('+', "a/b".into())]
        );
        let empty = snapshot(&json!({"a": {}}), &[]);
        assert_eq!(marks(&run(&empty, &object, None, false, Policy::default())), [('?', "a/b".into())]);
    }

    fn any_side() -> impl Strategy<Value = Snapshot> {
        let members = proptest::collection::btree_map("[a-c]", 0..3_u8, 0..4);
        let attachments = proptest::collection::btree_map("[x-z]", "[12]", 0..3);
        (members, attachments).prop_map(|(members, attachments)| {
            let list: Vec<(&str, &str)> = attachments.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            snapshot(&json!(members), &list)
        })
    }

    proptest! {
        #[test]
        fn a_side_compared_with_itself_changes_nothing(side in any_side(), base in any_side()) {
            for base in [None, Some(&base)] {
                let Step::Go(plan) = run(&side, &side, base, true, Policy { delete: true, force: false }) else {
                    return Err(TestCaseError::fail("clash with itself"));
                };
                prop_assert!(plan.is_empty());
            }
        }

        #[test]
        fn nothing_they_changed_is_lost_without_force(ours in any_side(), theirs in any_side(), base in any_side()) {
            let step = run(&ours, &theirs, Some(&base), false, Policy::default());
            if let Step::Go(plan) = step {
                for change in plan.effective() {
                    prop_assert!(base.agrees(&theirs, &change.key), "{change:?} would overwrite their change");
                }
            }
        }
    }
}
