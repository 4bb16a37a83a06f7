//! Whether those who are named exist, and what is told of them.

use serde_json::{Map, Value, json};

use crate::address::Address;
use crate::commands::Context;
use crate::commands::login::Reached;
use crate::json::Object;
use crate::name::UserName;
use crate::plan::security::{Parties, Rights};
use crate::settings::database::People;

/// The same for the plan.
pub(super) fn parties(people: &People) -> Parties {
    Parties { names: people.names.clone(), roles: people.roles.clone() }
}

/// Warns of names that no user has, where that is to be seen: a mistyped name keeps somebody out.
pub(super) async fn warn_of_unknown(context: &Context, reached: &Reached, names: impl Iterator<Item = &String>) {
    let mut administrators = None;
    for name in names {
        let Ok(user) = UserName::new(name.as_str()) else { continue };
        // Who may not see users learns nothing here.
        if !matches!(reached.server.account(&user).await, Ok(None)) {
            continue;
        }
        if administrators.is_none() {
            let Ok(session) = reached.server.session().await else { return };
            if !session.is_admin() {
                return;
            }
            let mut known = reached.server.administrators().await.unwrap_or_default();
            known.extend(session.user);
            administrators = Some(known);
        }
        if !administrators.iter().flatten().any(|known| known == name) {
            let host = reached.server.address().authority();
            let text = format!("there is no user `{name}` on `{host}` yet: `couchapp user add` makes one");
            context.printer.warning("unknown_user", &text);
        }
    }
}

/// Members and admins in one line.
pub(super) fn in_words(rights: &Rights) -> String {
    format!("members: {}; admins: {}", rights.members_in_words(), rights.admins_in_words())
}

/// What `--json` tells of a database's security.
pub(super) fn fields(address: &Address, object: &Object) -> Map<String, Value> {
    let rights = Rights::of(object);
    Map::from_iter([
        ("url".to_owned(), Value::from(address.to_string())),
        ("public".to_owned(), Value::from(rights.is_public())),
        ("security".to_owned(), json!(object)),
    ])
}
