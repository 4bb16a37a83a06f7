//! A process of the binary that goes on until it is ended.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Output};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Project, Run};

/// After this a test has waited in vain.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);

/// What both streams have said until now.
#[derive(Default)]
struct Heard {
    texts: Mutex<[String; 2]>,
    news: Condvar,
}

/// A running process; it is killed with the test.
pub(crate) struct Running {
    child: Child,
    heard: Arc<Heard>,
    listeners: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts it in the project's folder, with something on its standard input.
    pub(crate) fn start(project: &Project, words: &[&str], stdin: &str) -> Self {
        let mut child = project.start("", words);
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

    /// How often it has said something.
    pub(crate) fn times_said(&self, text: &str) -> usize {
        self.text().matches(text).count()
    }

    /// Waits until it has said something.
    #[track_caller]
    pub(crate) fn until_said(&self, text: &str) {
        self.until_said_times(text, 1);
    }

    /// Waits until it has said something so many times.
    #[track_caller]
    pub(crate) fn until_said_times(&self, text: &str, times: usize) {
        let texts = self.heard.texts.lock().unwrap();
        let waiting = |texts: &mut [String; 2]| texts.concat().matches(text).count() < times;
        let (texts, waited) = self.heard.news.wait_timeout_while(texts, LONGEST, waiting).unwrap();
        assert!(!waited.timed_out(), "no {text:?}, {times} times, in\n{}", texts.concat());
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// Ends it with a signal, and looks at everything it said.
    #[track_caller]
    pub(crate) fn end(self, project: &Project, signal: &str) -> Run {
        self.signal(signal);
        self.ended(project)
    }

    /// Waits until it ends by itself, and looks at everything it said.
    #[track_caller]
    pub(crate) fn ended(mut self, project: &Project) -> Run {
        let status = self.child.wait().unwrap();
        for listener in self.listeners.drain(..) {
            listener.join().unwrap();
        }
        let [stdout, stderr] = self.heard.texts.lock().unwrap().clone();
        project.ended(&Output { status, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
    }
}
