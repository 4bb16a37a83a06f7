//! What a push leaves for the next one to compare with: the base.
//!
//! Only what was seen may be remembered. What `--only` passed over keeps the base it had, so that a change of theirs is
//! still a change of theirs at the next push; and what is on the server but not ours is remembered as such.

use std::collections::BTreeSet;

use crate::commands::prepare::{Place, Prepared};
use crate::couch::Document;
use crate::local::{Base, Kept, LocalError};
use crate::mark::Mark;
use crate::name::AttName;
use crate::plan::{Change, Key, KeyPath, restore};
use crate::snapshot::base_of;

impl Place<'_> {
    /// Remembers what the server holds now. Without a memory the next push has to ask more, so a failure is not fatal.
    pub(super) fn remember(&self, document: &Document, prepared: &Prepared<'_>) -> Result<(), LocalError> {
        let passed_over: BTreeSet<&Key> = kept(prepared).filter(|key| !is_foreign(prepared, key)).collect();
        if prepared.base.is_none() && !passed_over.is_empty() {
            return Ok(());
        }
        let address = self.address(&document.id);
        let mut base = base_of(&address, &self.instance_start_time, document, &|name| content(prepared, name));
        base.adopted = prepared.compared.adopted.clone();
        base.kept = foreign(prepared);
        if let Some(before) = &prepared.base {
            keep_before(&mut base, before, &passed_over);
        }
        self.state.set_base(&address, &base)
    }
}

/// What stays on the server as it is although the folder has something else, or nothing.
fn kept<'a>(prepared: &'a Prepared<'_>) -> impl Iterator<Item = &'a Key> {
    let kept = |change: &&Change| change.mark == Mark::Kept;
    prepared.plan.changes.iter().filter(kept).map(|change| &change.key)
}

/// Whether neither this folder nor any earlier state of it has `key`.
fn is_foreign(prepared: &Prepared<'_>, key: &Key) -> bool {
    !prepared.compared.ours.has(key) && !prepared.compared.known(key)
}

fn foreign(prepared: &Prepared<'_>) -> Kept {
    let mut found = Kept::default();
    for key in kept(prepared).filter(|key| is_foreign(prepared, key)) {
        match key {
            Key::Member(path) => found.members.insert(path.clone()),
            Key::Attachment(name) => found.attachments.insert(name.to_string()),
        };
    }
    found
}

/// The md5 of a file whose bytes the server has now; what a signature alone says is not proof enough to keep.
fn content(prepared: &Prepared<'_>, name: &AttName) -> Option<[u8; 16]> {
    let mark = prepared.plan.find(&Key::Attachment(name.clone()))?.mark;
    let is_equal = matches!(mark, Mark::New | Mark::Changed | Mark::Same);
    let by_signature = mark == Mark::Same && prepared.compared.by_signature.contains(name);
    let file = prepared.local.attachments.get(name)?;
    (is_equal && !by_signature).then_some(file.md5)
}

fn keep_before(base: &mut Base, before: &Base, passed_over: &BTreeSet<&Key>) {
    let mut members: Vec<&KeyPath> = Vec::new();
    for key in passed_over {
        match key {
            Key::Member(path) => members.push(path),
            Key::Attachment(name) => match before.attachments.get(name.as_str()) {
                Some(entry) => drop(base.attachments.insert(name.to_string(), entry.clone())),
                None => drop(base.attachments.remove(name.as_str())),
            },
        }
    }
    restore(&mut base.body, &before.body, &members);
}
