//! The embedded endpoint, started once for all tests that ask it; they do not touch each other's databases.

use std::sync::LazyLock;

use couchapp::secret::Secret;
use couchapp::serve::users::Administrator;
use couchapp::serve::{Options, Running};
use tempfile::TempDir;

use super::{CANARY, runtime};

/// With one administrator, `admin`, and with CouchDB's own `Content-Security-Policy` (`--csp`).
pub(crate) fn started() -> &'static Running {
    static STARTED: LazyLock<(Running, TempDir)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let administrator = Administrator { name: "admin".to_owned(), password: Secret::new(CANARY) };
        let options = Options { csp: true, administrators: vec![administrator], ..Options::new(folder.path()) };
        (runtime().block_on(couchapp::serve::start(options)).unwrap(), folder)
    });
    &STARTED.0
}
