//! What should have come, and did not: asked for once more, and told if it does not come then either.

use std::collections::{HashMap, HashSet};

use super::ReplicationError;
use super::batch::{Shared, TRIES, whole, without};
use super::report::Refused;
use crate::couch::{Feed, Lacking, Selection};
use crate::name::{DocId, Revision};

impl Shared {
    /// Tells what the target lacks though it was carried, unless the source has something newer instead.
    pub(super) async fn look_again(&self, carried: &[(DocId, Vec<Revision>)]) -> Result<(), ReplicationError> {
        let mut lacking = self.job.target.lacking(carried).await.map_err(ReplicationError::target)?;
        lacking.retain_mut(|lacking| {
            let id = &lacking.id;
            lacking.revisions.retain(|revision| !self.tally.is_refused(id.as_str(), revision.as_str()));
            !lacking.revisions.is_empty()
        });
        let all = lacking.into_iter().flat_map(|Lacking { id, revisions, .. }| {
            revisions.into_iter().map(move |revision| (id.clone(), revision)).collect::<Vec<_>>()
        });
        for (id, revision) in self.listed(all.collect()).await? {
            let why = "the target does not have it, though nothing was refused";
            self.refuse(id.to_string(), Some(revision.to_string()), why.to_owned());
        }
        Ok(())
    }

    /// Which of these revisions the source still lists. Others were superseded: what is newer comes further on in the
    /// feed.
    pub(super) async fn listed(
        &self,
        mut revisions: Vec<(DocId, Revision)>,
    ) -> Result<Vec<(DocId, Revision)>, ReplicationError> {
        if revisions.is_empty() {
            return Ok(revisions);
        }
        let ids: HashSet<DocId> = revisions.iter().map(|(id, _)| id.clone()).collect();
        let limit = ids.len();
        let selection = Selection::Ids(ids.into_iter().collect());
        let winners_only = self.job.options.winning_revisions_only;
        let feed = Feed { since: None, limit, selection: &selection, winners_only, wait: false };
        let rows = self.job.source.feed(&feed).await.map_err(ReplicationError::source)?.rows;
        let rows: HashMap<DocId, Vec<Revision>> = rows.into_iter().map(|row| (row.id, row.revisions)).collect();
        revisions.retain(|(id, revision)| rows.get(id).is_some_and(|listed| listed.contains(revision)));
        Ok(revisions)
    }

    /// Asks once more for what the source did not give. What it lists and still does not give is told.
    pub(super) async fn ask_again(
        &self,
        mut missing: Vec<(DocId, Revision)>,
        mut reasons: HashMap<String, String>,
    ) -> Result<(), ReplicationError> {
        for tries in 1.. {
            missing = self.listed(missing).await?;
            if missing.is_empty() {
                return Ok(());
            }
            if tries >= TRIES {
                break;
            }
            tokio::time::sleep(self.job.options.pace.first_wait * tries).await;
            let fetched = self.read(&missing, true).await?;
            missing = without(missing, &fetched.texts);
            reasons.extend(fetched.reasons);
            self.write(whole(fetched.texts)).await?;
        }
        for (id, revision) in missing {
            let why = reasons.get(id.as_str()).map_or("", String::as_str);
            let why = format!("the source lists it and does not give it: {why}");
            self.refuse(id.to_string(), Some(revision.to_string()), why);
        }
        Ok(())
    }

    /// Tells what the target does not have in the end, through nobody's rules.
    pub(super) fn refuse(&self, id: String, revision: Option<String>, reason: String) {
        self.tally.refuse(Refused { id, revision, reason, is_forbidden: false });
    }
}
