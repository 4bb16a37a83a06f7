//! A process of the binary that goes on until it is ended.

use super::waiting::LONGEST;
use super::{Project, Run};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// What both streams have said until now.
#[derive(Default)]
struct Heard {
    texts: Mutex<[Vec<u8>; 2]>,
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
        Self::listen(child)
    }

    /// Starts it in the project's folder on a terminal, and after it what says how it left the terminal.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_on_terminal(project: &Project, words: &[&str]) -> Self {
        let binary = project.command("", words);
        let line =
            format!("trap : INT; {} {}; echo end $?; stty -a", binary.get_program().to_str().unwrap(), words.join(" "));
        let mut script = Command::new("script");
        script.args(["-qfc", &line, "/dev/null"]).current_dir(project.path()).env_clear();
        script.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("SHELL", "/bin/sh");
        let stdio = || Stdio::piped();
        Self::listen(script.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap())
    }

    /// Presses keys.
    #[cfg(target_os = "linux")]
    pub(crate) fn press(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn listen(mut child: Child) -> Self {
        let heard = Arc::new(Heard::default());
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let listen = |(at, stream): (usize, Box<dyn Read + Send>)| {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                // Questions end without a line break.
                while let Some(bytes) = stream.fill_buf().ok().filter(|bytes| !bytes.is_empty()).map(<[u8]>::to_vec) {
                    stream.consume(bytes.len());
                    heard.texts.lock().unwrap()[at].extend_from_slice(&bytes);
                    heard.news.notify_all();
                }
            })
        };
        let listeners = streams.into_iter().enumerate().map(listen).collect();
        Self { child, heard, listeners }
    }

    /// What both streams have said until now.
    pub(crate) fn text(&self) -> String {
        joined(&self.heard.texts.lock().unwrap())
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
        let waiting = |texts: &mut [Vec<u8>; 2]| joined(texts).matches(text).count() < times;
        let (texts, waited) = self.heard.news.wait_timeout_while(texts, LONGEST, waiting).unwrap();
        assert!(!waited.timed_out(), "no {text:?}, {times} times, in\n{}", joined(&texts));
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
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
        project.ended(&Output { status, stdout, stderr })
    }
}

fn joined(texts: &[Vec<u8>; 2]) -> String {
    String::from_utf8_lossy(&texts.concat()).into_owned()
}
