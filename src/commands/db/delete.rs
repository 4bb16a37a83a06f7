//! `db delete`: a database with everything in it, once its name was typed.

use anyhow::Result;
use serde_json::{Map, Value};

use super::list::{documents, size};
use crate::commands::Context;
use crate::commands::database::required;
use crate::commands::login::{Reached, with_server};
use crate::couch::{CouchError, Database, Info, Missing};
use crate::exit::{Exit, Failure};
use crate::name::DbName;
use crate::report::human_size;
use crate::settings::replicate::Place;

/// Deletes the database at `place`. `confirm` is the name as it was typed beforehand.
pub(super) async fn run(context: &Context, place: &Place, confirm: Option<&str>) -> Result<Exit> {
    let endpoint = &place.endpoint;
    if endpoint.address.database.as_ref().is_some_and(DbName::is_system) {
        let message = format!("`{}` is one of the server's own databases, and is not deleted", endpoint.address);
        return Err(Failure::new(Exit::Refused, message).into());
    }
    with_server(context, endpoint, async |reached| {
        let database = reached.database(endpoint)?;
        let info = required(reached, &database).await?;
        delete(context, reached, &database, &info, confirm).await
    })
    .await?;
    Ok(Exit::Ok)
}

async fn delete(
    context: &Context,
    reached: &Reached,
    database: &Database,
    info: &Info,
    confirm: Option<&str>,
) -> Result<()> {
    let url = database.address();
    let size = size(info).map_or_else(String::new, |bytes| format!(", {} on the disk", human_size(bytes)));
    context.printer.note(&format!("The database {url} has {}{size}", documents(info)));
    if context.settings.dry_run {
        context.printer.summary(&format!("Would delete {url}"), fields(database, info, false));
        return Ok(());
    }
    confirmed(context, database, confirm)?;
    // Whoever typed the name meant what was shown.
    let now = required(reached, database).await?;
    if now.instance_start_time != info.instance_start_time {
        let message = format!("`{url}` was made anew by somebody else meanwhile");
        return Err(Failure::new(Exit::Conflict, message).into());
    }
    database.remove().await.map_err(|error| reached.failure(error))?;
    match database.info().await {
        Err(CouchError::NotFound { what: Missing::Database(_), .. }) => {}
        Err(error) => return Err(reached.failure(error)),
        Ok(_) => {
            let message = format!("`{url}` is still there, or again: somebody makes it whenever it is gone");
            return Err(Failure::new(Exit::Failed, message).into());
        }
    }
    context.printer.summary(&format!("Deleted {url}"), fields(database, info, true));
    Ok(())
}

/// The name has to be typed: now, or as `--confirm`. A `yes` is given too easily, by a variable even.
fn confirmed(context: &Context, database: &Database, confirm: Option<&str>) -> Result<()> {
    let name = database.name().as_str();
    let what = format!("deleting `{}`", database.address());
    let typed = match confirm {
        Some(typed) => Some(typed.to_owned()),
        None => context.printer.prompt_name("Everything in it will be lost. Type its name to delete it: "),
    };
    match typed {
        Some(typed) if typed == name => Ok(()),
        Some(typed) => {
            let failure = Failure::new(Exit::Refused, format!("{what} was not confirmed"));
            Err(failure.detail(format!("the name is `{name}`, and `{typed}` was typed")).into())
        }
        None => {
            let failure = Failure::new(Exit::Refused, format!("{what} has to be confirmed"));
            let hint = format!("`--confirm {name}` confirms it where nobody can be asked; `--yes` does not");
            Err(failure.hint(hint).into())
        }
    }
}

fn fields(database: &Database, info: &Info, is_deleted: bool) -> Map<String, Value> {
    Map::from_iter([
        ("url".to_owned(), Value::from(database.address().to_string())),
        ("documents".to_owned(), Value::from(info.doc_count)),
        ("deleted".to_owned(), Value::from(is_deleted)),
    ])
}
