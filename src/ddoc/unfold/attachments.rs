//! Where attachments go: `_attachments/`, and `vendor/<name>/_attachments/` for vendors of the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::super::{Finding, Refusal, UnfoldOptions};
use crate::name::AttName;
use crate::path::RelPath;
use crate::path::portable::plan_paths;

/// A place for every attachment.
pub(super) struct Plan {
    pub(super) paths: BTreeMap<RelPath, AttName>,
    /// Those whose local path does not tell their name.
    pub(super) renamed: BTreeMap<RelPath, AttName>,
    pub(super) findings: Vec<Finding>,
}

/// Finds a place for each of `names`; refuses, or escapes, those that some system cannot hold.
pub(super) fn plan(
    names: &[AttName],
    vendors: &BTreeSet<RelPath>,
    options: &UnfoldOptions<'_>,
) -> Result<Plan, Vec<Refusal>> {
    let mut groups: BTreeMap<String, Vec<(&AttName, String)>> = BTreeMap::new();
    let mut plan = Plan { paths: BTreeMap::new(), renamed: BTreeMap::new(), findings: Vec::new() };
    let mut avoided = BTreeSet::new();
    for name in names.iter().collect::<BTreeSet<_>>() {
        let (folder, rest) = place_of(name.as_str(), vendors);
        let usable = avoid_ignored(&folder, rest, options);
        if usable != rest {
            avoided.insert(name);
        }
        groups.entry(folder).or_default().push((name, usable));
    }
    let mut refusals = Vec::new();
    for (folder, members) in groups {
        let wanted: Vec<&str> = members.iter().map(|(_, rest)| rest.as_str()).collect();
        let prefix = RelPath::new(folder.as_str()).ok();
        match plan_paths(&wanted, prefix.as_ref(), options.escape_names) {
            Ok(paths) => {
                for ((name, _), path) in members.iter().zip(paths) {
                    plan.take(name, path, vendors, avoided.contains(name));
                }
            }
            Err(refused) => refusals.extend(refused.into_iter().filter_map(|refusal| {
                let (name, _) = members.iter().find(|(_, rest)| *rest == refusal.name)?;
                Some(Refusal { name: (*name).clone(), reason: refusal.reason.to_string() })
            })),
        }
    }
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

impl Plan {
    fn take(&mut self, name: &AttName, path: RelPath, vendors: &BTreeSet<RelPath>, avoided: bool) {
        let (folder, rest) = place_of(name.as_str(), vendors);
        let tells_name = path.below(&folder).is_some_and(|local| local.as_str() == rest);
        if !tells_name {
            self.renamed.insert(path.clone(), name.clone());
        }
        if avoided {
            let message =
                format!("is the attachment `{name}`, whose own name a push would ignore; `_names.json` keeps it");
            self.findings.push(Finding::warning(&path, message));
        }
        self.paths.insert(path, name.clone());
    }
}

/// The folder of an attachment, and its path in there.
fn place_of<'a>(name: &'a str, vendors: &BTreeSet<RelPath>) -> (String, &'a str) {
    let vendor = name.match_indices('/').nth(1).map(|(end, _)| name.split_at(end));
    match vendor {
        Some((folder, rest)) if vendors.contains(folder) && rest.len() > 1 => {
            (format!("{folder}/_attachments"), &rest[1..])
        }
        _ => ("_attachments".to_owned(), name),
    }
}

/// `rest` with the first and last character of each component that a push would ignore as `%XX`.
fn avoid_ignored(folder: &str, rest: &str, options: &UnfoldOptions<'_>) -> String {
    let Some(ignored) = options.ignored else { return rest.to_owned() };
    let mut usable = String::new();
    for component in rest.split('/') {
        if !usable.is_empty() {
            usable.push('/');
        }
        let whole = format!("{folder}/{usable}{component}");
        let is_ignored = RelPath::new(whole).is_ok_and(|path| ignored(&path));
        if is_ignored { usable.push_str(&disguised(component)) } else { usable.push_str(component) }
    }
    // Only a whole path can say that avoiding was of no use.
    usable
}

fn disguised(component: &str) -> String {
    let last = component.char_indices().last().map_or(0, |(start, _)| start);
    let mut escaped = String::new();
    for (start, character) in component.char_indices() {
        if start == 0 || start == last {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::portable::clashes;

    fn names(list: &[&str]) -> Vec<AttName> {
        list.iter().map(|name| AttName::new(*name).unwrap()).collect()
    }

    fn paths(plan: &Plan) -> Vec<(&str, &str)> {
        plan.paths.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect()
    }

    #[test]
    fn vendors_of_the_manifest_keep_their_attachments() {
        let vendors = BTreeSet::from([RelPath::new("vendor/x").unwrap()]);
        let list = names(&["index.html", "vendor/x/a/b.js", "vendor/y/c.js", "vendor/x", "vendored/x/d", "vendor.js"]);
        let plan = plan(&list, &vendors, &UnfoldOptions::default()).unwrap();
        let expected = [
            ("_attachments/index.html", "index.html"),
            ("_attachments/vendor.js", "vendor.js"),
            ("_attachments/vendor/x", "vendor/x"),
            ("_attachments/vendor/y/c.js", "vendor/y/c.js"),
            ("_attachments/vendored/x/d", "vendored/x/d"),
            ("vendor/x/_attachments/a/b.js", "vendor/x/a/b.js"),
        ];
        assert_eq!(paths(&plan), expected);
        assert!(plan.renamed.is_empty());
    }

    #[test]
    fn hostile_names_are_refused_or_escaped() {
        let list =
            names(&["../x", "a//b", "/etc/passwd", "A.js", "a.js", "CON", "d", "d/e", ".git/config", "fine.css"]);
        let refusals = plan(&list, &BTreeSet::new(), &UnfoldOptions::default()).err().unwrap();
        let refused: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.name.as_str()).collect();
        assert!(
            refused.is_superset(&BTreeSet::from(["../x", "a//b", "/etc/passwd", "CON", ".git/config"])),
            "{refused:?}"
        );
        assert!(!refused.contains("fine.css"));
        let options = UnfoldOptions { escape_names: true, ..UnfoldOptions::default() };
        let plan = plan(&list, &BTreeSet::new(), &options).unwrap();
        assert_eq!(plan.paths.len(), list.len());
        assert!(clashes(&plan.paths.keys().cloned().collect::<Vec<_>>()).is_empty());
        assert_eq!(plan.paths[&RelPath::new("_attachments/fine.css").unwrap()].as_str(), "fine.css");
        assert!(!plan.renamed.contains_key("_attachments/fine.css"));
    }

    #[test]
    fn names_that_a_push_would_ignore_are_disguised() {
        let ignored =
            |path: &RelPath| path.name().ends_with('~') || path.components().any(|name| name == "node_modules");
        let options = UnfoldOptions { ignored: Some(&ignored), ..UnfoldOptions::default() };
        let plan = plan(&names(&["a/x~", "node_modules/m.js", "b.js"]), &BTreeSet::new(), &options).unwrap();
        let expected = [
            ("_attachments/%6Eode_module%73/m.js", "node_modules/m.js"),
            ("_attachments/a/%78%7E", "a/x~"),
            ("_attachments/b.js", "b.js"),
        ];
        assert_eq!(paths(&plan), expected);
        assert_eq!((plan.renamed.len(), plan.findings.len()), (2, 2));
    }
}
