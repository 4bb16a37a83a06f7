//! How many files and connections this process may have open at once.
//!
//! The usual limit of 1,024 is meant for programs that use `select`; it may be raised up to another one that is much
//! higher. Each database of an endpoint and each job that goes on keeps some open.

/// Raises the limit as far as that is allowed; gives it, where there is one.
pub(super) fn raise() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
        match setrlimit(Resource::Nofile, most) {
            Ok(()) => limit.maximum,
            // Some systems say that there is no limit, and have one.
            Err(_) => limit.current,
        }
    }
    #[cfg(not(unix))]
    None
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn the_limit_is_what_is_allowed() {
        use rustix::process::{Resource, getrlimit};
        let raised = super::raise();
        assert_eq!(getrlimit(Resource::Nofile).current, raised);
        assert_eq!(super::raise(), raised);
    }
}
