//! What every integration test stands on: a project folder of its own, the real binary in a clean environment, and an
//! endpoint to talk to.
//!
//! Every run is searched for the canary: the password of all tests, which must never leave the tool in any form.

#[cfg(feature = "serve")]
pub(crate) mod embedded;
mod endpoint;
mod project;
mod run;
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "most of it is for `serve` and `watch`"))]
mod running;
#[cfg(all(unix, feature = "serve"))]
mod served;
mod waiting;

use std::sync::OnceLock;

use tokio::runtime::Runtime;

pub(crate) use self::endpoint::{Database, Endpoint, Kind, Response, encoded};
pub(crate) use self::project::{Project, Tree, difference};
pub(crate) use self::run::{Run, Secrets};
pub(crate) use self::running::Running;
#[cfg(all(unix, feature = "serve"))]
pub(crate) use self::served::Served;
pub(crate) use self::waiting::{until, until_found, until_found_or};

/// The password of the tests.
pub(crate) const CANARY: &str = "canary-hunter2";

/// The threads of the stand-in, the proxy and the tests' own requests.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
    })
}

/// A variable of the test process.
#[expect(clippy::disallowed_methods, reason = "tests are told about endpoints and lengths of runs by the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many cases a law is tried on: `COUCHAPP_CASES`, or `few`.
pub(crate) fn cases(few: u32) -> u32 {
    variable("COUCHAPP_CASES").and_then(|count| count.parse().ok()).unwrap_or(few)
}
