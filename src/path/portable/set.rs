//! A whole set of names: what clashes with what, and a place for each.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::{MAX_PATH, RelPath, Unportable, escape, folded, for_display, judge};

/// A name that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {reason}", for_display(.name))]
pub struct Refusal {
    /// The name as the server has it.
    pub name: String,
    /// What is wrong with it.
    pub reason: Unportable,
}

/// A path below `prefix` for each of `names`, in their order, judged as one set.
///
/// Without `escape`, any name that is unportable or clashes with an earlier one is refused, and all of them are listed.
/// With `escape`, each name that cannot stay as it is gets a path of its own: portable, clashing with no other, and the
/// same for the same set of names. Names that can stay as they are keep their path. Then only a name that no path can
/// be made for, because `prefix` leaves no room for it, is refused; and a name that is given twice.
pub fn plan_paths(names: &[&str], prefix: Option<&RelPath>, escape: bool) -> Result<Vec<RelPath>, Vec<Refusal>> {
    if escape {
        return escaped_paths(names, prefix);
    }
    let mut refusals = Vec::new();
    let mut paths = Vec::with_capacity(names.len());
    for name in names {
        match judge(name).and_then(|_| judge(&below(prefix, name))) {
            Ok(path) => paths.push(path),
            Err(reason) => refusals.push(Refusal { name: (*name).to_owned(), reason }),
        }
    }
    let start = prefix.map_or(0, |prefix| prefix.as_str().len() + 1);
    refusals.extend(clashes(&paths).into_iter().map(|refusal| without_prefix(refusal, start)));
    if refusals.is_empty() { Ok(paths) } else { Err(refusals) }
}

/// Every path that cannot be created beside an earlier one: the same file or folder where case does not count, or a file
/// where another path needs a folder. For sets that come from several sources; [`plan_paths`] does it by itself.
pub fn clashes(paths: &[RelPath]) -> Vec<Refusal> {
    let mut files: HashMap<String, &str> = HashMap::new();
    let mut folders: HashMap<String, (&str, &str)> = HashMap::new();
    let mut refusals = Vec::new();
    let mut refuse = |name: &str, reason| refusals.push(Refusal { name: name.to_owned(), reason });
    for path in paths {
        match files.entry(folded(path.as_str())) {
            Entry::Occupied(earlier) => refuse(path.as_str(), Unportable::Clash { with: (*earlier.get()).to_owned() }),
            Entry::Vacant(place) => {
                place.insert(path.as_str());
            }
        }
    }
    for path in paths {
        for folder in path.ancestors() {
            let key = folded(folder);
            if let Some(file) = files.get(&key) {
                refuse(path.as_str(), Unportable::BelowFile { with: (*file).to_owned() });
                break;
            }
            let (spelling, first) = *folders.entry(key).or_insert((folder, path.as_str()));
            if spelling != folder {
                refuse(path.as_str(), Unportable::Clash { with: first.to_owned() });
                break;
            }
        }
    }
    refusals
}

fn below(prefix: Option<&RelPath>, name: &str) -> String {
    prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}/{name}"))
}

fn without_prefix(refusal: Refusal, start: usize) -> Refusal {
    let tail = |name: String| name.get(start..).map_or_else(|| name.clone(), str::to_owned);
    let reason = match refusal.reason {
        Unportable::Clash { with } => Unportable::Clash { with: tail(with) },
        Unportable::BelowFile { with } => Unportable::BelowFile { with: tail(with) },
        other => other,
    };
    Refusal { name: tail(refusal.name), reason }
}

/// What an entry of a folder is, in the order in which entries choose their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Role {
    Folder,
    File,
    /// A file of the root that stands for a name whose own path is too long.
    Flattened,
}

/// A folder of the original names (its components as the server has them) and an entry in it.
type Place = (Option<String>, Role, String);

fn escaped_paths(names: &[&str], prefix: Option<&RelPath>) -> Result<Vec<RelPath>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(*name) {
            let reason = Unportable::Clash { with: (*name).to_owned() };
            refusals.push(Refusal { name: (*name).to_owned(), reason });
        }
    }
    let room = MAX_PATH.saturating_sub(prefix.map_or(0, |prefix| prefix.as_str().len() + 1));
    let mut flattened: HashSet<&str> = names.iter().copied().filter(|name| name.len() > room).collect();
    let mut paths = place_all(names, &flattened);
    // Escaping makes names longer. Taking the longest out of their folders makes no other name longer, so that a second
    // round settles it.
    flattened.extend(names.iter().zip(&paths).filter(|(_, path)| path.len() > room).map(|(name, _)| *name));
    if paths.iter().any(|path| path.len() > room) {
        paths = place_all(names, &flattened);
    }
    let mut planned = Vec::with_capacity(names.len());
    for (name, path) in names.iter().zip(&paths) {
        match judge(&below(prefix, path)) {
            Ok(path) => planned.push(path),
            Err(reason) => refusals.push(Refusal { name: (*name).to_owned(), reason }),
        }
    }
    if refusals.is_empty() { Ok(planned) } else { Err(refusals) }
}

/// A path for each name. Within each folder all entries choose different names, which makes the paths different too.
fn place_all(names: &[&str], flattened: &HashSet<&str>) -> Vec<String> {
    let mut folders: BTreeMap<Option<String>, Vec<(Role, String)>> = BTreeMap::new();
    let mut known = HashSet::new();
    for name in names {
        for (folder, role, entry) in places(name, flattened.contains(name)) {
            if known.insert((folder.clone(), role, entry.clone())) {
                folders.entry(folder).or_default().push((role, entry));
            }
        }
    }
    let chosen: HashMap<Place, String> = folders
        .into_iter()
        .flat_map(|(folder, entries)| {
            let named = choose_names(entries);
            named.into_iter().map(move |((role, entry), name)| ((folder.clone(), role, entry), name))
        })
        .collect();
    let path = |name: &&str| {
        let parts = places(name, flattened.contains(*name));
        let parts = parts.iter().map(|place| chosen.get(place).map_or("", String::as_str));
        parts.collect::<Vec<_>>().join("/")
    };
    names.iter().map(path).collect()
}

/// The chain of entries that leads to `name`: its folders, outermost first, and itself.
fn places(name: &str, flattened: bool) -> Vec<Place> {
    if flattened {
        return vec![(None, Role::Flattened, name.to_owned())];
    }
    let mut chain = Vec::new();
    let mut start = 0;
    let folder = |start: usize| (start > 0).then(|| name[..start - 1].to_owned());
    for (slash, _) in name.match_indices('/') {
        chain.push((folder(start), Role::Folder, name[start..slash].to_owned()));
        start = slash + 1;
    }
    chain.push((folder(start), Role::File, name[start..].to_owned()));
    chain
}

/// Gives every entry of one folder a name of its own. Portable entries choose first, and folders before files, so that
/// what can stay as it is stays, and a clash moves one file instead of a whole tree.
fn choose_names(mut entries: Vec<(Role, String)>) -> Vec<((Role, String), String)> {
    let offends = |entry: &str| super::judge_component(entry).is_err();
    entries.sort_by_cached_key(|(role, entry)| (*role == Role::Flattened, offends(entry), *role, entry.clone()));
    let mut taken = HashSet::new();
    let mut named = Vec::with_capacity(entries.len());
    for (role, entry) in entries {
        let mut candidate = match role {
            Role::Flattened => escape::flattened(&entry, 0),
            _ if offends(&entry) => escape::component(&entry),
            _ => entry.clone(),
        };
        let plain = candidate.clone();
        let mut attempt = 0;
        while !taken.insert(folded(&candidate)) {
            candidate = match role {
                Role::Flattened => escape::flattened(&entry, attempt + 1),
                _ => escape::told_apart(&plain, &entry, attempt),
            };
            attempt += 1;
        }
        named.push(((role, entry), candidate));
    }
    named
}
