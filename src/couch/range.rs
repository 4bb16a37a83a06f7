//! Ranges of document ids, and how to ask each kind of server for one.

/// Which documents: `from <= id < below`, both in the order of code points (which is that of UTF-8 bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRange {
    /// The least id; `None` begins with the first.
    pub from: Option<String>,
    /// The id to end before; `None` ends with the last.
    pub below: Option<String>,
}

/// The order in which a server lists ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// By bytes, which is the order of code points: CouchDB's `_all_docs`, which does without the collation of views
    /// (`A`, `B`, `_design/x`, `a`, `é`, `ﬀ`, `😀`).
    Bytes,
    /// PouchDB's, which depends on where it stores: by bytes, or by UTF-16 code units as JavaScript compares texts (in
    /// memory: `a`, `é`, `😀`, `ﬀ`).
    Either,
}

/// What to ask a server for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    /// Whether `end` itself is not wanted.
    pub(super) exclusive: bool,
}

impl IdRange {
    /// All ids that begin with `prefix`.
    pub fn prefix(prefix: &str) -> Self {
        if prefix.is_empty() {
            return Self::default();
        }
        Self { from: Some(prefix.to_owned()), below: after_prefix(prefix) }
    }

    /// Whether `id` is in the range.
    pub fn contains(&self, id: &str) -> bool {
        self.from.as_deref().is_none_or(|from| id >= from) && self.below.as_deref().is_none_or(|below| id < below)
    }

    /// Whether no id at all can be in the range.
    pub(super) fn is_empty(&self) -> bool {
        self.below.as_deref().is_some_and(|below| below <= self.from.as_deref().unwrap_or_default())
    }

    /// The bounds that make a server list at least the range, in its own order.
    pub(super) fn bounds(&self, order: Order) -> Bounds {
        let Self { from, below } = self.clone();
        if order == Order::Bytes {
            return Bounds { start: from, exclusive: below.is_some(), end: below };
        }
        // The two orders agree on texts that differ in characters below the surrogates, so what follows such a
        // character is cut off, outwards.
        let start = from.map(|from| from[..common(&from)].to_owned()).filter(|start| !start.is_empty());
        let end = below.and_then(|below| match common(&below) {
            length if length == below.len() => Some(below),
            length => after_prefix(&below[..length]).filter(|end| common(end) == end.len()),
        });
        // Without an end, PouchDB 9 leaves out all ids that begin with a character beyond `ÿ`. By UTF-16 nothing that is
        // in use comes after this one.
        let exclusive = end.is_some();
        Bounds { start, end: Some(end.unwrap_or_else(|| "\u{ffff}".repeat(4))), exclusive }
    }
}

impl Order {
    /// Whether `id` can come after `other`.
    pub(super) fn is_after(self, id: &str, other: &str) -> bool {
        match self {
            Self::Bytes => id > other,
            Self::Either => id > other || id.encode_utf16().gt(other.encode_utf16()),
        }
    }
}

/// How many bytes of `text` come before the first character for which the orders differ.
fn common(text: &str) -> usize {
    text.find(|c| c > '\u{d7ff}').unwrap_or(text.len())
}

/// The least text that is greater than all texts with this prefix.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(from: Option<&str>, below: Option<&str>) -> IdRange {
        IdRange { from: from.map(str::to_owned), below: below.map(str::to_owned) }
    }

    #[test]
    fn a_prefix_is_a_range() {
        for (prefix, below) in [
            ("a", Some("b")),
            ("a/", Some("a0")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("é", Some("ê")),
        ] {
            assert_eq!(IdRange::prefix(prefix), range(Some(prefix), below), "{prefix:?}");
        }
        assert_eq!(IdRange::prefix(""), IdRange::default());
    }

    #[test]
    fn empty_ranges_are_known() {
        for (from, below, empty) in [
            (None, None, false),
            (Some("a"), None, false),
            (None, Some(""), true),
            (Some("b"), Some("a"), true),
            (Some("a"), Some("a"), true),
            (Some("a"), Some("aa"), false),
        ] {
            assert_eq!(range(from, below).is_empty(), empty, "{from:?} {below:?}");
        }
    }

    type Compare = fn(&str, &str) -> std::cmp::Ordering;

    fn ids() -> impl Strategy<Value = String> {
        let characters = prop_oneof![
            prop::char::range('a', 'c'),
            prop::sample::select(vec![
                '_',
                'ÿ',
                'Ā',
                '\u{d7ff}',
                '\u{e000}',
                '\u{fb00}',
                '\u{ffff}',
                '😀',
                '\u{10ffff}'
            ])
        ];
        prop::collection::vec(characters, 0..4).prop_map(|id| id.into_iter().collect())
    }

    #[allow(clippy::disallowed_methods, reason = "how many cases are tried is a setting of the test run")]
    fn cases() -> ProptestConfig {
        let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64);
        ProptestConfig {
            cases: 8 * cases,
            rng_seed: proptest::test_runner::RngSeed::Fixed(7),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn what_is_in_the_range_is_within_the_bounds_of_every_order(
            id in ids(),
            from in prop::option::of(ids()),
            below in prop::option::of(ids()),
        ) {
            let range = IdRange { from, below };
            prop_assume!(range.contains(&id));
            prop_assert!(!range.is_empty());
            let bytes = |left: &str, right: &str| left.cmp(right);
            let utf16 = |left: &str, right: &str| left.encode_utf16().cmp(right.encode_utf16());
            let servers: [(Order, Compare); 2] = [(Order::Bytes, bytes), (Order::Either, utf16)];
            for (order, compare) in servers {
                let bounds = range.bounds(order);
                let begun = bounds.start.as_deref().is_none_or(|start| compare(start, &id).is_le());
                let on = bounds.end.as_deref().is_none_or(|end| compare(&id, end).is_lt() || (end == id && !bounds.exclusive));
                prop_assert!(begun && on, "{order:?} {bounds:?}");
            }
        }

        #[test]
        fn a_prefix_has_those_ids_that_begin_with_it(prefix in ids(), id in ids()) {
            prop_assert_eq!(IdRange::prefix(&prefix).contains(&id), id.starts_with(&prefix));
        }
    }
}
