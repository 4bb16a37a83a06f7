//! Databases that are made anew while jobs go on. A running job goes on writing what is new to one, and what was there
//! before is lacking for ever.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, stream};

use super::super::places::{Known, name};
use super::Work;
use super::followed::{AT_ONCE, Followed};
use crate::commands::Context;
use crate::couch::Sequence;

/// When each database was made, and how far it was.
#[derive(Default)]
pub(super) struct Made(HashMap<usize, (Option<String>, Option<Sequence>)>);

impl Made {
    /// Which databases were made anew since they were last looked at.
    pub(super) async fn look(&mut self, places: &[Known]) -> HashSet<usize> {
        let one = async |(number, place): (usize, &Known)| (number, place.database.info().await.ok());
        let mut looked = stream::iter(places.iter().enumerate()).map(one).buffer_unordered(AT_ONCE);
        let mut anew = HashSet::new();
        while let Some((number, info)) = looked.next().await {
            let Some(info) = info else { continue };
            let now = (info.instance_start_time.clone(), info.sequence());
            // PouchDB gives the same time to all, but starts to count anew.
            let is_another = |before: &(Option<String>, Option<Sequence>)| {
                before.0 != now.0
                    || now.1.as_ref().zip(before.1.as_ref()).is_some_and(|(now, then)| now.is_behind(then))
            };
            if self.0.get(&number).is_some_and(is_another) {
                anew.insert(number);
            }
            self.0.insert(number, now);
        }
        anew
    }
}

impl Work {
    /// Begins the jobs anew of which an end was made anew.
    pub(super) async fn begin_again(&self, context: &Context, active: &mut [Followed], anew: &HashSet<usize>) {
        for job in active {
            let route = self.routes[job.placed.number];
            if job.placed.is_adopted || !(anew.contains(&route.from) || anew.contains(&route.to)) {
                continue;
            }
            context.printer.note(&format!("{}: a database was made anew; beginning again", name(&self.places, route)));
            self.remove(context, &job.placed).await;
            match self.place(context, job.placed.number).await {
                Ok(placed) => *job = Followed::new(placed),
                // It is gone then, which the next round says.
                Err(failure) => context.printer.warning("job_failed", &failure.to_string()),
            }
        }
    }
}
