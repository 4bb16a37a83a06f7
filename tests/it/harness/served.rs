//! A running `couchapp serve`.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Endpoint, Project, Response, Run};

/// After this a test has waited in vain.
const LONGEST: Duration = Duration::from_mins(1);

/// What both streams have said until now.
#[derive(Default)]
struct Heard {
    texts: Mutex<[String; 2]>,
    news: Condvar,
}

/// A running `serve`; it is killed with the test.
pub(crate) struct Served {
    child: Child,
    heard: Arc<Heard>,
    listeners: Vec<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
        let mut child = project.start("", &words);
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let heard = Arc::new(Heard::default());
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let listen = |(at, stream): (usize, Box<dyn Read + Send>)| {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap() > 0 {
                    heard.texts.lock().unwrap()[at].push_str(&std::mem::take(&mut line));
                    heard.news.notify_all();
                }
            })
        };
        let listeners = streams.into_iter().enumerate().map(listen).collect();
        Self { child, heard, listeners }
    }

    /// What both streams have said until now.
    pub(crate) fn text(&self) -> String {
        self.heard.texts.lock().unwrap().concat()
    }

    /// Waits until it has said something.
    #[track_caller]
    pub(crate) fn until_said(&self, text: &str) {
        let texts = self.heard.texts.lock().unwrap();
        let waiting = |texts: &mut [String; 2]| !texts.concat().contains(text);
        let (texts, waited) = self.heard.news.wait_timeout_while(texts, LONGEST, waiting).unwrap();
        assert!(!waited.timed_out(), "no {text:?} in\n{}", texts.concat());
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

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// Ends it with a signal, and looks at everything it said.
    #[track_caller]
    pub(crate) fn end(mut self, project: &Project, signal: &str) -> Run {
        self.signal(signal);
        let status = self.child.wait().unwrap();
        self.output(project, status)
    }

    #[track_caller]
    fn output(&mut self, project: &Project, status: ExitStatus) -> Run {
        for listener in self.listeners.drain(..) {
            listener.join().unwrap();
        }
        let [stdout, stderr] = self.heard.texts.lock().unwrap().clone();
        project.ended(&Output { status, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
    }
}

/// Asks until the answer suits.
#[track_caller]
pub(crate) fn until(served: &Served, endpoint: &Endpoint, target: &str, suits: impl Fn(&Response) -> bool) -> Response {
    let end = Instant::now() + LONGEST;
    loop {
        let answer = endpoint.get(target);
        if suits(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "{target}: {answer:?}\n{}", served.text());
        std::thread::yield_now();
    }
}
