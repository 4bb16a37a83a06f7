//! Another security object for a database: shown as a plan, written over what it was planned for, and read back.

use anyhow::Result;

use crate::commands::Context;
use crate::commands::login::Reached;
use crate::couch::Database;
use crate::exit::{Exit, Failure};
use crate::json::{Object, same_object};
use crate::mark::Mark;
use crate::plan::security::Difference;
use crate::report::{Listing, PlanLine};

/// Prints what changes.
pub(super) fn show(context: &Context, differences: &[Difference]) {
    let line = |difference: &Difference| PlanLine {
        mark: if difference.mark == Mark::Removed { Mark::Removed } else { Mark::New },
        path: difference.text.clone(),
        bytes: None,
        reason: None,
    };
    let lines = differences.iter().map(line).collect();
    context.printer.plan(&Listing { lines, same: 0, bytes: 0, whole: true });
}

/// Replaces `before` by `after`. A security object has no revision: it is looked at once more just before.
pub(super) async fn replace(reached: &Reached, database: &Database, before: &Object, after: &Object) -> Result<()> {
    let now = database.security_object().await.map_err(|error| reached.failure(error))?;
    if !same_object(&now, before) {
        let message = format!("who may use `{}` was changed by somebody else meanwhile", database.address());
        return Err(Failure::new(Exit::Conflict, message).hint("run it again to see what it is now").into());
    }
    write(reached, database, after).await
}

/// Writes it, and looks whether it is there.
pub(super) async fn write(reached: &Reached, database: &Database, object: &Object) -> Result<()> {
    database.set_security(object).await.map_err(|error| reached.failure(error))?;
    let now = database.security_object().await.map_err(|error| reached.failure(error))?;
    if same_object(&now, object) {
        return Ok(());
    }
    let message = format!("`{}` did not take who may use it", database.address());
    Err(Failure::new(Exit::Failed, message).into())
}
