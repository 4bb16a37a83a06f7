//! Many databases of a server, each looked at from outside.

use futures_util::{StreamExt as _, stream};

use super::login::Reached;
use crate::couch::{CouchError, Info};
use crate::json::Object;
use crate::name::DbName;

/// What a database shows of itself.
pub(super) struct Surveyed {
    pub name: DbName,
    pub info: Result<Info, CouchError>,
    pub security: Result<Object, CouchError>,
}

/// Looks at each, `jobs` at a time; in the order of the names.
pub(super) async fn survey(reached: &Reached, names: Vec<DbName>, jobs: usize) -> Vec<Surveyed> {
    let server = reached.server.clone();
    let look = move |name: DbName| {
        let database = server.database(&name);
        async move {
            let (info, security) = futures_util::join!(database.info(), database.security_object());
            Surveyed { name, info, security }
        }
    };
    stream::iter(names).map(look).buffered(jobs.max(1)).collect().await
}
