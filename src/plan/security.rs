//! Who may do what in a database: what its `_security` object means, and the object for what is wanted instead.
//!
//! Members read and write documents, admins write design documents and the object itself; a database that names no members
//! is everybody's. <https://docs.couchdb.org/en/stable/api/database/security.html>

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::json::Object;
use crate::mark::Mark;

/// The role of a server's admins. Naming it gives nobody anything, but keeps a list from being empty.
const SERVER_ADMINS: &str = "_admin";

/// Names and roles as they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// Names of users.
    pub names: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
}

/// Who may read and write documents, when that is asked for as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Everybody, without signing in.
    Everybody,
    /// The server's and the database's admins.
    AdminsOnly,
}

/// What is to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// What becomes of the members before anything else.
    pub readers: Option<Readers>,
    /// Members to come.
    pub add_members: Parties,
    /// Members to go.
    pub remove_members: Parties,
    /// Admins to come.
    pub add_admins: Parties,
    /// Admins to go.
    pub remove_admins: Parties,
}

/// Somebody that a security object names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A user.
    Name(String),
    /// Everybody with a role.
    Role(String),
}

/// What a security object means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Who may read and write documents beside the admins; `None` is everybody.
    pub members: Option<BTreeSet<Party>>,
    /// Who is an admin beside the server's.
    pub admins: BTreeSet<Party>,
}

/// One line of what changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// [`Mark::New`] or [`Mark::Removed`].
    pub mark: Mark,
    /// As in "member ann".
    pub text: String,
}

impl Parties {
    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.roles.is_empty()
    }
}

impl Party {
    fn is(&self, user: Option<&str>, roles: &[String]) -> bool {
        match self {
            Self::Name(name) => user == Some(name),
            Self::Role(role) => roles.contains(role),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Role(role) => write!(f, "role {role}"),
        }
    }
}

impl Rights {
    /// Reads an object. What is no list of texts names nobody, as for CouchDB.
    pub fn of(object: &Object) -> Self {
        let members = object.get(member_key(object));
        let (names, roles) = (texts(members, "names"), texts(members, "roles"));
        let is_public = names.is_empty() && roles.is_empty();
        let members = (!is_public).then(|| parties(names, roles));
        let admins = object.get("admins");
        Self { members, admins: parties(texts(admins, "names"), texts(admins, "roles")) }
    }

    /// Whether everybody may read and write documents.
    pub fn is_public(&self) -> bool {
        self.members.is_none()
    }

    /// Whether a user with these roles is an admin of the database by being named.
    pub fn has_admin(&self, user: Option<&str>, roles: &[String]) -> bool {
        self.admins.iter().any(|party| party.is(user, roles))
    }

    /// Whether the object names this user, as a member or as an admin.
    pub fn has_name(&self, name: &str) -> bool {
        let is_it = |party: &Party| matches!(party, Party::Name(named) if named == name);
        self.admins.iter().chain(self.members.iter().flatten()).any(is_it)
    }

    /// The members in words: `everybody`, `admins only`, `ann, role family`.
    pub fn members_in_words(&self) -> String {
        match &self.members {
            None => "everybody".to_owned(),
            Some(members) if members.is_empty() => "admins only".to_owned(),
            Some(members) => listed(members),
        }
    }

    /// The admins in words: `server admins only`, `ann, role staff`.
    pub fn admins_in_words(&self) -> String {
        if self.admins.is_empty() { "server admins only".to_owned() } else { listed(&self.admins) }
    }

    /// What changes from these rights to `after`, in words.
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let line = |mark, text: String| Difference { mark, text };
        let nobody = BTreeSet::new();
        let mut lines = Vec::new();
        match (self.is_public(), after.is_public()) {
            (true, false) => lines.push(line(Mark::Removed, "everybody may read and write documents".to_owned())),
            (false, true) => lines.push(line(Mark::New, "everybody may read and write documents".to_owned())),
            _ => {}
        }
        let members = (self.members.as_ref().unwrap_or(&nobody), after.members.as_ref().unwrap_or(&nobody));
        for (word, (before, after)) in [("member", members), ("admin", (&self.admins, &after.admins))] {
            lines.extend(before.difference(after).map(|party| line(Mark::Removed, format!("{word} {party}"))));
            lines.extend(after.difference(before).map(|party| line(Mark::New, format!("{word} {party}"))));
        }
        lines
    }

    /// Who could do something that they cannot do any longer, in words.
    pub fn loses(&self, after: &Self) -> Vec<String> {
        let mut losers: Vec<String> = self.admins.difference(&after.admins).map(ToString::to_string).collect();
        match (&self.members, &after.members) {
            (None, Some(_)) => losers.push("everybody who is not named".to_owned()),
            (Some(before), Some(now)) => {
                let reads = |party: &&Party| now.contains(*party) || after.admins.contains(*party);
                losers.extend(before.iter().filter(|party| !reads(party)).map(ToString::to_string));
            }
            (_, None) => {}
        }
        losers
    }
}

/// The object with what was asked for. Everything else in it stays as it is.
///
/// When the last member goes, `_admin` takes the place: an empty list would make the database everybody's.
pub fn edited(before: &Object, edit: &Edit) -> Object {
    let mut object = before.clone();
    let members = member_key(before);
    match edit.readers {
        Some(Readers::Everybody) => impose(&mut object, members, &Parties::default()),
        Some(Readers::AdminsOnly) => impose(&mut object, members, &only_admins()),
        None => {}
    }
    for (group, parties) in [(members, &edit.remove_members), ("admins", &edit.remove_admins)] {
        change(&mut object, group, parties, |list, text| list.retain(|item| item.as_str() != Some(text)));
    }
    for (group, parties) in [(members, &edit.add_members), ("admins", &edit.add_admins)] {
        change(&mut object, group, parties, |list, text| {
            if !list.iter().any(|item| item.as_str() == Some(text)) {
                list.push(Value::from(text));
            }
        });
    }
    let opened = !Rights::of(before).is_public() && Rights::of(&object).is_public();
    if opened && edit.readers != Some(Readers::Everybody) {
        change(&mut object, members, &only_admins(), |list, text| list.push(Value::from(text)));
    }
    object
}

/// The object with exactly these members and admins. Everything else in it stays as it is. Without members the database is
/// the admins' only, unless it is to be everybody's.
pub fn imposed(before: &Object, members: &Parties, admins: &Parties, is_public: bool) -> Object {
    let mut object = before.clone();
    let group = member_key(before);
    let (nobody, only_admins) = (Parties::default(), only_admins());
    let members = match (is_public, members.is_empty()) {
        (true, _) => &nobody,
        (false, true) => &only_admins,
        (false, false) => members,
    };
    impose(&mut object, "admins", if admins.is_empty() { &only_admins } else { admins });
    impose(&mut object, group, members);
    object
}

/// CouchDB still reads `readers`, the name of members before 1.1, where there are no `members`.
fn member_key(object: &Object) -> &'static str {
    if !object.contains_key("members") && object.contains_key("readers") { "readers" } else { "members" }
}

fn only_admins() -> Parties {
    Parties { names: Vec::new(), roles: vec![SERVER_ADMINS.to_owned()] }
}

fn texts(group: Option<&Value>, list: &str) -> Vec<String> {
    let items = group.and_then(|group| group.get(list)).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn parties(names: Vec<String>, roles: Vec<String>) -> BTreeSet<Party> {
    let roles = roles.into_iter().filter(|role| role != SERVER_ADMINS).map(Party::Role);
    names.into_iter().map(Party::Name).chain(roles).collect()
}

fn listed(parties: &BTreeSet<Party>) -> String {
    parties.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A list within a group, made where it is not there.
fn list<'a>(object: &'a mut Object, group: &str, list: &str) -> Option<&'a mut Vec<Value>> {
    let group = object.entry(group).or_insert_with(|| Value::Object(Object::new()));
    if !group.is_object() {
        *group = Value::Object(Object::new());
    }
    let items = group.as_object_mut()?.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    if !items.is_array() {
        *items = Value::Array(Vec::new());
    }
    items.as_array_mut()
}

fn change(object: &mut Object, group: &str, parties: &Parties, each: impl Fn(&mut Vec<Value>, &str)) {
    for (name, texts) in [("names", &parties.names), ("roles", &parties.roles)] {
        for text in texts {
            if let Some(items) = list(object, group, name) {
                each(items, text);
            }
        }
    }
}

fn impose(object: &mut Object, group: &str, parties: &Parties) {
    for (name, texts) in [("names", &parties.names), ("roles", &parties.roles)] {
        if let Some(items) = list(object, group, name) {
            items.clear();
        }
        if let Some(items) = list(object, group, name) {
            items.extend(texts.iter().map(|text| Value::from(text.as_str())));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    fn some(names: &[&str], roles: &[&str]) -> Parties {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Parties { names: owned(names), roles: owned(roles) }
    }

    fn words(value: Value) -> String {
        let rights = Rights::of(&object(value));
        format!("{} / {}", rights.members_in_words(), rights.admins_in_words())
    }

    #[test]
    fn an_object_has_a_meaning() {
        for (value, expected) in [
            (json!({}), "everybody / server admins only"),
            (json!({ "members": { "names": [], "roles": [] } }), "everybody / server admins only"),
            (
                json!({ "members": { "roles": ["_admin"] }, "admins": { "roles": ["_admin"] } }),
                "admins only / server admins only",
            ),
            (
                json!({ "members": { "names": ["ann"], "roles": ["_admin", "family"] }, "admins": { "names": ["bob"] } }),
                "ann, role family / bob",
            ),
            (json!({ "readers": { "names": ["old"] } }), "old / server admins only"),
            (json!({ "readers": { "names": ["old"] }, "members": {} }), "everybody / server admins only"),
            (json!({ "members": { "names": "ann" }, "admins": [1] }), "everybody / server admins only"),
        ] {
            assert_eq!(words(value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else() {
        let before = json!({
            "x": [1.50, { "y": null }],
            "members": { "names": ["ann", "bob"], "roles": ["_admin"], "more": 7 },
            "cloudant": { "key": ["_reader"] },
        });
        let edit = Edit {
            add_members: some(&["eve", "ann"], &["family"]),
            remove_members: some(&["bob"], &[]),
            add_admins: some(&["ann"], &[]),
            ..Edit::default()
        };
        let after = edited(&object(before.clone()), &edit);
        let expected = json!({
            "x": [1.50, { "y": null }],
            "members": { "names": ["ann", "eve"], "roles": ["_admin", "family"], "more": 7 },
            "cloudant": { "key": ["_reader"] },
            "admins": { "names": ["ann"] },
        });
        assert_eq!(Value::Object(after).to_string(), expected.to_string());
        assert_eq!(edited(&object(before.clone()), &Edit::default()), object(before));
    }

    #[test]
    fn the_last_member_leaves_a_closed_door() {
        let before = object(json!({ "members": { "names": ["ann"] } }));
        let gone = edited(&before, &Edit { remove_members: some(&["ann"], &[]), ..Edit::default() });
        assert_eq!(Value::Object(gone.clone()), json!({ "members": { "names": [], "roles": ["_admin"] } }));
        assert_eq!(Rights::of(&before).loses(&Rights::of(&gone)), ["ann"]);
        let public = edited(&before, &Edit { readers: Some(Readers::Everybody), ..Edit::default() });
        assert!(Rights::of(&public).is_public());
        assert_eq!(Rights::of(&before).loses(&Rights::of(&public)), [""; 0]);
        let closed = edited(&public, &Edit { readers: Some(Readers::AdminsOnly), ..Edit::default() });
        assert_eq!(Rights::of(&public).loses(&Rights::of(&closed)), ["everybody who is not named"]);
        let old = object(json!({ "readers": { "names": ["ann"] } }));
        let more = edited(&old, &Edit { add_members: some(&["bob"], &[]), ..Edit::default() });
        assert_eq!(Value::Object(more), json!({ "readers": { "names": ["ann", "bob"] } }));
    }

    #[test]
    fn a_new_database_is_never_open_by_chance() {
        let nobody = Parties::default();
        for (members, admins, is_public, expected) in [
            (&nobody, &nobody, false, "admins only / server admins only"),
            (&nobody, &some(&["ann"], &[]), false, "admins only / ann"),
            (&some(&["ann"], &["family"]), &nobody, false, "ann, role family / server admins only"),
            (&nobody, &nobody, true, "everybody / server admins only"),
        ] {
            assert_eq!(words(Value::Object(imposed(&Object::new(), members, admins, is_public))), expected);
        }
        let kept = imposed(&object(json!({ "x": 1, "members": { "names": ["old"], "y": 2 } })), &nobody, &nobody, true);
        assert_eq!((&kept["x"], &kept["members"]["y"]), (&json!(1), &json!(2)));
    }

    #[test]
    fn differences_and_losses_are_told() {
        let rights = |value| Rights::of(&object(value));
        let before = rights(json!({ "members": { "names": ["ann"] }, "admins": { "roles": ["staff"] } }));
        let after = rights(json!({ "members": { "names": ["bob"] }, "admins": { "names": ["ann"] } }));
        let lines: Vec<String> =
            before.differences(&after).into_iter().map(|line| format!("{} {}", line.mark.word(), line.text)).collect();
        assert_eq!(lines, ["remove member ann", "add member bob", "remove admin role staff", "add admin ann"]);
        // Who becomes an admin reads as before.
        assert_eq!(before.loses(&after), ["role staff"]);
        assert!(before.has_admin(None, &["staff".to_owned()]) && !before.has_admin(Some("ann"), &[]));
        assert!(before.has_name("ann") && !before.has_name("staff"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

        /// Whatever is added or removed, a database is opened only by asking for it.
        #[test]
        fn only_who_asks_for_it_opens_a_database(
            names in prop::collection::vec("[a-c]", 0..4), roles in prop::collection::vec("[a-c]|_admin", 0..4),
            add in prop::collection::vec("[a-c]", 0..3), remove in prop::collection::vec("[a-c]", 0..4),
            remove_roles in prop::collection::vec("[a-c]|_admin", 0..4),
        ) {
            let before = object(json!({ "members": { "names": names, "roles": roles } }));
            let edit = Edit {
                add_members: Parties { names: add.clone(), roles: Vec::new() },
                remove_members: Parties { names: remove, roles: remove_roles },
                ..Edit::default()
            };
            let after = Rights::of(&edited(&before, &edit));
            prop_assert!(!after.is_public() || Rights::of(&before).is_public());
            if let Some(members) = after.members {
                prop_assert!(add.iter().all(|name| members.contains(&Party::Name(name.clone()))));
            }
        }
    }
}
