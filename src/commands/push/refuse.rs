//! Why a plan is not carried out: somebody else's change, or a safety valve.

use anyhow::Result;

use super::Rules;
use crate::commands::prepare::{Place, Prepared};
use crate::exit::{Exit, Failure};
use crate::plan::Clash;

/// Stops when they changed something since our base.
pub(super) fn clashes(place: &Place<'_>, prepared: &[Prepared<'_>]) -> Result<()> {
    for prepared in prepared {
        if let Some(clash) = &prepared.clash {
            return Err(conflict(place, prepared, clash).into());
        }
    }
    Ok(())
}

fn conflict(place: &Place<'_>, prepared: &Prepared<'_>, clash: &Clash) -> Failure {
    let id = &prepared.local.folded.id;
    let ours = prepared.base.as_ref().map_or_else(String::new, |base| base.revision.to_string());
    let message = match &prepared.remote {
        Some(remote) => format!("`{id}` changed on the server since your last push ({ours} → {})", remote.revision),
        None => format!("`{id}` was deleted on the server since your last push ({ours})"),
    };
    let list = |who: &str, paths: &[String]| {
        let shown = if paths.is_empty() { "nothing".to_owned() } else { paths.join(", ") };
        format!("{who}: {shown}")
    };
    let failure =
        Failure::new(Exit::Conflict, message).detail(list("theirs", &clash.theirs)).detail(list("yours", &clash.ours));
    let overlap: Vec<&String> = clash.overlap().collect();
    let origin = place.address(id);
    let beside = place.app.document.folded.id != *id;
    match (&prepared.remote, overlap.is_empty()) {
        (Some(_), _) if beside => failure.hint(format!(
            "`couchapp clone {origin} -` prints theirs; bring it into the file below `_docs`, or discard it with `--force`"
        )),
        (None, _) => failure.hint("`--force` creates it again"),
        (Some(_), true) => failure.hint(format!(
            "nothing overlaps; `couchapp clone {origin} . --update` merges, then push again. `--force` discards their change"
        )),
        (Some(_), false) => failure.hint(format!(
            "`couchapp diff` shows the differences; `couchapp clone {origin} . --update` merges what it can; `--force` \
             discards their change"
        )),
    }
}

/// An `--only` that matches nothing is a mistake, not a push of nothing.
pub(super) fn idle_selection(rules: &Rules, prepared: &[Prepared<'_>]) -> Result<()> {
    let Some(globs) = &rules.choice.only else { return Ok(()) };
    let mut changes = prepared.iter().flat_map(|prepared| &prepared.plan.changes);
    let mut files =
        prepared.iter().flat_map(|prepared| prepared.compared.ours.keys().map(|key| prepared.compared.path(&key)));
    if changes.any(|change| globs.is_match(&change.path)) || files.any(|path| globs.is_match(path)) {
        return Ok(());
    }
    let failure = Failure::new(Exit::Usage, "no file matches `--only`");
    Err(failure.hint("give paths as `couchapp status` shows them, as in `--only 'views/**'`").into())
}
