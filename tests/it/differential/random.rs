//! Random sequences with fixed seeds: edits, conflicts, removals and attachments of a few documents, and after each a look
//! at what became of them. A model keeps the leaves of each document, so that most edits are possible.

use super::script::{Sequence, Step};

/// How many sequences.
const SEQUENCES: u64 = 12;
/// How many edits in each.
const EDITS: u32 = 22;
/// How many documents in each.
const DOCUMENTS: u32 = 4;

const DESIGN: &str = r#"{"views": {"n": {"map": "function (doc) { emit([doc.n % 3, doc.text], doc.n); }", "reduce": "_stats"}, "text": {"map": "function (doc) { if (doc.text) { emit(doc.text, doc._conflicts || null); } }"}}, "filters": {"odd": "function (doc, req) { return doc.n % 2 === 1; }"}, "validate_doc_update": "function (doc, old, user) { if (doc.n === 17) { throw {forbidden: 'not 17'}; } }"}"#;

/// Texts whose order is not that of their bytes.
const TEXTS: [&str; 10] = ["a", "B", "ä", "Z", "z", "10", "9", "co-op", "日本", "é"];

/// All sequences.
pub(super) fn sequences() -> Vec<Sequence> {
    (1..=SEQUENCES).map(sequence).collect()
}

/// A leaf of a revision tree.
#[derive(Clone)]
struct Leaf {
    /// The name under which the sequence keeps its revision.
    name: String,
    generation: u32,
    is_deleted: bool,
    /// The numbers of its attachments.
    attachments: Vec<u32>,
}

#[derive(Clone, Default)]
struct Document {
    id: String,
    leaves: Vec<Leaf>,
    /// Names and generations of revisions that were changed since.
    inner: Vec<(String, u32)>,
}

struct Model {
    chance: Chance,
    documents: Vec<Document>,
    steps: Vec<Step>,
    names: u32,
}

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>: the same numbers everywhere and for ever.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(limit)).unwrap_or_default()
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(u32::try_from(length).unwrap_or(u32::MAX)) as usize
    }
}

fn sequence(seed: u64) -> Sequence {
    let documents = (0..DOCUMENTS).map(|at| Document { id: format!("d{at}"), ..Document::default() }).collect();
    let mut model = Model { chance: Chance(seed), documents, steps: Vec::new(), names: 0 };
    model.steps.push(Step::new("PUT", "_design/x").with(DESIGN));
    for _ in 0..EDITS {
        model.edit();
        model.look();
    }
    model.look_at_all();
    Sequence { title: format!("seed {seed}"), has_database: true, has_opaque_revisions: false, steps: model.steps }
}

impl Model {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("r{}", self.names)
    }

    /// Fields of a document, without the outer braces.
    fn fields(&mut self) -> String {
        let text = TEXTS[self.chance.index(TEXTS.len())];
        let n = self.chance.below(20);
        match self.chance.below(5) {
            0 => format!(r#""n": {n}, "text": "{text}""#),
            1 => format!(r#""text": "{text}", "n": {n}, "list": [{n}, {{"a": null}}, "{text}"]"#),
            2 => format!(r#""n": {n}.5, "text": ["{text}", {n}]"#),
            3 => format!(r#""n": {n}, "deep": {{"er": {{"x": [[], {{}}, {n}e3]}}}}"#),
            _ => format!(r#""n": {n}"#),
        }
    }

    fn edit(&mut self) {
        let at = self.chance.index(self.documents.len());
        match self.chance.below(12) {
            0..=2 => self.change(at),
            3 => self.remove(at),
            4 | 5 => self.replicate(at),
            6 => self.attach(at),
            7 => self.detach(at),
            8 => self.stale(at),
            9 => self.bulk(),
            10 => self.copy(at),
            _ => self.keep_attachments(at),
        }
    }

    /// A leaf to change: mostly one that is not removed. `None` if there is none at all.
    fn leaf(&mut self, at: usize) -> Option<usize> {
        let living: Vec<usize> =
            (0..self.documents[at].leaves.len()).filter(|leaf| !self.documents[at].leaves[*leaf].is_deleted).collect();
        (!living.is_empty()).then(|| living[self.chance.index(living.len())])
    }

    /// A revision came after a leaf.
    fn grow(&mut self, at: usize, leaf: Option<usize>, name: String, is_deleted: bool, attachments: Vec<u32>) {
        let document = &mut self.documents[at];
        let generation = match leaf {
            Some(leaf) => {
                let old = document.leaves.remove(leaf);
                document.inner.push((old.name, old.generation));
                old.generation + 1
            }
            None => 1,
        };
        document.leaves.push(Leaf { name, generation, is_deleted, attachments });
    }

    fn change(&mut self, at: usize) {
        let (leaf, fields, name) = (self.leaf(at), self.fields(), self.name());
        let id = self.documents[at].id.clone();
        let step = match leaf {
            Some(leaf) => {
                let revision = &self.documents[at].leaves[leaf].name;
                Step::new("PUT", id).with(format!(r#"{{"_rev": "{{{{${revision}}}}}", {fields}}}"#))
            }
            None => Step::new("PUT", id).with(format!("{{{fields}}}")),
        };
        self.steps.push(step.keep(&name, "/rev"));
        // What came after a removed document has no known generation: only the server knows the winner.
        if !fields.contains(r#""n": 17"#) && (leaf.is_some() || self.documents[at].leaves.is_empty()) {
            self.grow(at, leaf, name, false, Vec::new());
        }
    }

    fn remove(&mut self, at: usize) {
        let Some(leaf) = self.leaf(at) else { return self.change(at) };
        let (id, name) = (self.documents[at].id.clone(), self.name());
        let revision = &self.documents[at].leaves[leaf].name;
        self.steps.push(Step::new("DELETE", format!("{id}?rev={{{{${revision}}}}}")).keep(&name, "/rev"));
        self.grow(at, Some(leaf), name, true, Vec::new());
    }

    /// An edit as a replicator brings it: after a leaf, beside it, or out of nowhere.
    fn replicate(&mut self, at: usize) {
        let number = self.chance.below(u32::MAX);
        let hash = format!("{number:08x}").repeat(4);
        let (id, fields) = (self.documents[at].id.clone(), self.fields());
        let known = self.documents[at].leaves.iter().map(|leaf| (leaf.name.clone(), leaf.generation));
        let known: Vec<_> = known.chain(self.documents[at].inner.iter().cloned()).collect();
        let parent = if known.is_empty() || self.chance.below(4) == 0 {
            None
        } else {
            Some(known[self.chance.index(known.len())].clone())
        };
        let (generation, ids) = match &parent {
            Some((name, generation)) => (generation + 1, format!(r#""{hash}", "{{{{${name}.hash}}}}""#)),
            None => (1 + self.chance.below(4), format!(r#""{hash}""#)),
        };
        let deleted = if self.chance.below(4) == 0 { r#""_deleted": true, "# } else { "" };
        let name = self.name();
        self.steps.push(
            Step::new("PUT", format!("{id}?new_edits=false"))
                .with(format!(
                    r#"{{"_rev": "{generation}-{hash}", "_revisions": {{"start": {generation}, "ids": [{ids}]}}, {deleted}{fields}}}"#
                ))
                .keep(&name, "/rev"),
        );
        if fields.contains(r#""n": 17"#) {
            return;
        }
        let document = &mut self.documents[at];
        if let Some(leaf) =
            document.leaves.iter().position(|leaf| parent.as_ref().is_some_and(|parent| parent.0 == leaf.name))
        {
            let old = document.leaves.remove(leaf);
            document.inner.push((old.name, old.generation));
        }
        document.leaves.push(Leaf { name, generation, is_deleted: !deleted.is_empty(), attachments: Vec::new() });
    }

    fn attach(&mut self, at: usize) {
        let (leaf, name, number) = (self.leaf(at), self.name(), self.chance.below(3));
        let Some(leaf) = leaf else { return self.change(at) };
        let (id, content) = (self.documents[at].id.clone(), TEXTS[self.chance.index(TEXTS.len())].repeat(9));
        let old = self.documents[at].leaves[leaf].clone();
        let content_type = ["text/plain", "image/png", "application/json"][self.chance.index(3)];
        let target = format!("{id}/file{number}?rev={{{{${}}}}}", old.name);
        self.steps
            .push(Step::new("PUT", target).header("Content-Type", content_type).with(content).keep(&name, "/rev"));
        let mut attachments = old.attachments;
        attachments.push(number);
        self.grow(at, Some(leaf), name, false, attachments);
    }

    fn detach(&mut self, at: usize) {
        let with = |leaf: &Leaf| !leaf.is_deleted && !leaf.attachments.is_empty();
        let Some(leaf) = self.documents[at].leaves.iter().position(with) else { return self.attach(at) };
        let (id, name) = (self.documents[at].id.clone(), self.name());
        let old = self.documents[at].leaves[leaf].clone();
        let number = old.attachments[0];
        self.steps
            .push(Step::new("DELETE", format!("{id}/file{number}?rev={{{{${}}}}}", old.name)).keep(&name, "/rev"));
        let attachments = old.attachments.into_iter().filter(|other| *other != number).collect();
        self.grow(at, Some(leaf), name, false, attachments);
    }

    /// A change that keeps attachments as stubs.
    fn keep_attachments(&mut self, at: usize) {
        let with = |leaf: &Leaf| !leaf.is_deleted && !leaf.attachments.is_empty();
        let Some(leaf) = self.documents[at].leaves.iter().position(with) else { return self.attach(at) };
        let (id, name) = (self.documents[at].id.clone(), self.name());
        let old = self.documents[at].leaves[leaf].clone();
        let number = old.attachments[0];
        let body = format!(
            r#"{{"_rev": "{{{{${}}}}}", "n": {}, "_attachments": {{"file{number}": {{"stub": true}}, "new": {{"content_type": "text/css", "data": "YSB7fQ=="}}}}}}"#,
            old.name, self.names
        );
        self.steps.push(Step::new("PUT", id).with(body).keep(&name, "/rev"));
        if self.names != 17 {
            self.grow(at, Some(leaf), name, false, vec![number]);
        }
    }

    /// A change of what was changed already.
    fn stale(&mut self, at: usize) {
        let Some((name, _)) = self.documents[at].inner.first().cloned() else { return self.change(at) };
        let (id, fields) = (self.documents[at].id.clone(), self.fields());
        self.steps.push(Step::new("PUT", format!("{id}?rev={{{{${name}}}}}")).with(format!("{{{fields}}}")));
    }

    /// A change of all documents at once, as far as they have a living leaf.
    fn bulk(&mut self) {
        let mut documents = Vec::new();
        let mut grown = Vec::new();
        for at in 0..self.documents.len() {
            let Some(leaf) = self.leaf(at) else { continue };
            let (fields, name, id) = (self.fields(), self.name(), self.documents[at].id.clone());
            let revision = &self.documents[at].leaves[leaf].name;
            documents.push(format!(r#"{{"_id": "{id}", "_rev": "{{{{${revision}}}}}", {fields}}}"#));
            grown.push((at, leaf, name, fields.contains(r#""n": 17"#)));
        }
        let mut step = Step::new("POST", "_bulk_docs").with(format!(r#"{{"docs": [{}]}}"#, documents.join(", ")));
        for (place, (.., name, _)) in grown.iter().enumerate() {
            step = step.keep(name, &format!("/{place}/rev"));
        }
        self.steps.push(step);
        for (at, leaf, name, is_refused) in grown {
            if !is_refused {
                self.grow(at, Some(leaf), name, false, Vec::new());
            }
        }
    }

    /// A copy to another document, which is there or not.
    fn copy(&mut self, at: usize) {
        let (other, name) = ((at + 1) % self.documents.len(), self.name());
        let source = self.documents[at].id.clone();
        let leaf = self.leaf(other);
        let (Some(_), true) = (self.leaf(at), leaf.is_some() || self.documents[other].leaves.is_empty()) else {
            return self.change(at);
        };
        let target = match leaf {
            Some(leaf) => format!("d{other}?rev={{{{${}}}}}", self.documents[other].leaves[leaf].name),
            None => format!("d{other}"),
        };
        self.steps.push(Step::new("COPY", source).header("Destination", &target).keep(&name, "/rev"));
        self.grow(other, leaf, name, false, Vec::new());
    }

    fn look(&mut self) {
        let at = self.chance.index(self.documents.len());
        let id = self.documents[at].id.clone();
        let step = match self.chance.below(12) {
            0 | 1 => Step::new("GET", format!("{id}?conflicts=true&deleted_conflicts=true&revs_info=true")),
            2 => Step::new("GET", format!("{id}?open_revs=all&revs=true")).header("Accept", "application/json"),
            3 => Step::new("GET", "_all_docs?include_docs=true&conflicts=true"),
            4 => Step::new("GET", "_changes?style=all_docs"),
            5 => Step::new("GET", "_changes?include_docs=true&filter=x/odd"),
            6 => Step::new("GET", "_design/x/_view/n?group_level=1"),
            7 => Step::new("GET", "_design/x/_view/text?include_docs=true"),
            8 => Step::new("POST", "_find").with(r#"{"selector": {"n": {"$gt": 5}}, "fields": ["_id", "_rev", "n"]}"#),
            9 => Step::new("GET", format!("{id}?attachments=true&revs=true")),
            10 => Step::new("GET", "_design/x/_view/n?reduce=false&descending=true"),
            _ => self.differences(at),
        };
        self.steps.push(step);
    }

    /// What a replicator would ask.
    fn differences(&mut self, at: usize) -> Step {
        let document = &self.documents[at];
        let mut revisions: Vec<String> =
            document.leaves.iter().map(|leaf| format!(r#""{{{{${}}}}}""#, leaf.name)).collect();
        revisions.push(format!(r#""3-{}""#, "0".repeat(32)));
        Step::new("POST", "_revs_diff").with(format!(r#"{{"{}": [{}]}}"#, document.id, revisions.join(", ")))
    }

    fn look_at_all(&mut self) {
        for document in &self.documents {
            let target = format!("{}?open_revs=all&revs=true&attachments=true", document.id);
            self.steps.push(Step::new("GET", target).header("Accept", "application/json"));
            self.steps.push(Step::new("GET", format!("{}?meta=true", document.id)));
        }
        for target in [
            "_all_docs?include_docs=true&conflicts=true",
            "_changes?style=all_docs&include_docs=true",
            "_design/x/_view/n?group=true",
            "_design/x/_view/n",
            "_design/x/_view/text",
            ".",
        ] {
            self.steps.push(Step::new("GET", target));
        }
    }
}
