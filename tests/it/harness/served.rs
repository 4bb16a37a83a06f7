//! A running `couchapp serve`.

use std::ops::Deref;

use super::running::Running;
use super::{Endpoint, Project, Response, Run, until_found_or};

/// A running `serve`; it is killed with the test.
pub(crate) struct Served(Running);

impl Deref for Served {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.0
    }
}

impl Served {
    /// Starts it at a free port.
    pub(crate) fn start(project: &Project, arguments: &str) -> Self {
        Self::start_with(project, arguments, "")
    }

    /// The same, with something on its standard input.
    pub(crate) fn start_with(project: &Project, arguments: &str, stdin: &str) -> Self {
        let words: Vec<&str> = ["serve", "--port", "0"].into_iter().chain(arguments.split_whitespace()).collect();
        Self(Running::start(project, &words, stdin))
    }

    /// Waits until everything is there; gives the endpoint.
    #[track_caller]
    pub(crate) fn endpoint(&self, credentials: Option<(&str, &str)>) -> Endpoint {
        self.until_said("Watching for changes");
        self.empty_endpoint(credentials)
    }

    /// The endpoint, as soon as it answers.
    #[track_caller]
    pub(crate) fn empty_endpoint(&self, credentials: Option<(&str, &str)>) -> Endpoint {
        self.until_said("Serving http://");
        let text = self.text();
        let from = text.find("Serving http://").expect("it says where it is") + "Serving ".len();
        Endpoint::at(text[from..].split_whitespace().next().unwrap(), credentials)
    }

    /// Asks until the answer suits.
    #[track_caller]
    pub(crate) fn until(&self, endpoint: &Endpoint, target: &str, suits: impl Fn(&Response) -> bool) -> Response {
        let in_vain = || format!("{target}: {:?}\n{}", endpoint.get(target), self.text());
        until_found_or(in_vain, || Some(endpoint.get(target)).filter(&suits))
    }

    /// Ends it with a signal, and looks at everything it said.
    #[track_caller]
    pub(crate) fn end(self, project: &Project, signal: &str) -> Run {
        self.0.end(project, signal)
    }
}
