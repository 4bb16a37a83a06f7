//! What one run of the binary said, and whether it kept its secrets.

use std::fmt;
use std::process::Output;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

use super::CANARY;

/// The end of a run.
#[derive(Clone)]
pub(crate) struct Run {
    /// The exit code; -1 for a run that was killed.
    pub(crate) code: i32,
    /// What it answered.
    pub(crate) stdout: String,
    /// What it told beside it.
    pub(crate) stderr: String,
    /// The folder that the run knows under other names.
    root: String,
}

impl Run {
    /// Takes what a process left; panics when it gave a secret away.
    pub(crate) fn new(output: &Output, root: &str, secrets: &Secrets) -> Self {
        let run = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            root: root.to_owned(),
        };
        secrets.check("stdout", &output.stdout);
        secrets.check("stderr", &output.stderr);
        run
    }

    /// Asserts the exit code, and shows everything if it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{self}");
        self
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.expect(0)
    }

    /// Both streams, for a text that may stand in either.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Asserts that a text stands in one of the streams.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.output().contains(text), "no {text:?} in\n{self}");
        self
    }

    /// The answer as one JSON value for each line.
    #[track_caller]
    pub(crate) fn lines_of_json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}\n{self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The run as text that is the same each time: revisions, ports, times, addresses and folders are replaced.
    pub(crate) fn session(&self) -> String {
        let mut text = format!("exit {}\n----- stdout\n{}----- stderr\n{}", self.code, self.stdout, self.stderr);
        text = text.replace(&self.root, "[DIR]");
        for (pattern, name) in FILTERS.iter() {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        text
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n----- stdout\n{}----- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

static FILTERS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let table = [
        (r"\b\d+-[0-9a-f]{32}\b", "[REV]"),
        (r"\b\d+-[0-9a-f]{6}\b", "[REV]"),
        (r"(127\.0\.0\.1|localhost|\[::1\]):\d+", "$1:[PORT]"),
        (r"\bcouchapp_test_[a-z0-9_]+", "[DB]"),
        (r"\b\d+(\.\d+)? (ms|s)\b", "[TIME]"),
        (r"(?m)^\d\d:\d\d:\d\d  ", "[CLOCK]  "),
        (r#""elapsed_ms":\d+"#, r#""elapsed_ms":[TIME]"#),
        (r"/tmp/[A-Za-z0-9._/-]*", "[TMP]"),
        (r"couchapp(\.exe)? \d+\.\d+\.\d+\S*", "couchapp [VERSION]"),
    ];
    table.iter().map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), *name)).collect()
});

/// What must never be seen: passwords, and the header they are sent in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    forms: Vec<String>,
}

impl Secrets {
    /// The canary, alone and as the admin's header.
    pub(crate) fn new() -> Self {
        let mut secrets = Self { forms: vec![CANARY.to_owned(), STANDARD.encode(CANARY)] };
        for user in ["admin", "reader"] {
            secrets.forms.push(STANDARD.encode(format!("{user}:{CANARY}")));
        }
        secrets
    }

    /// Adds a real password. It may be a common word, so it is looked for where it would give something away.
    pub(crate) fn add(&mut self, user: &str, password: &str) {
        self.forms.push(format!(":{password}@"));
        self.forms.push(STANDARD.encode(format!("{user}:{password}")));
        if password.len() >= 10 {
            self.forms.push(password.to_owned());
        }
    }

    /// Panics when `bytes` hold a secret.
    #[track_caller]
    pub(crate) fn check(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for form in &self.forms {
            if let Some(at) = text.find(form.as_str()) {
                let line = text[..at].lines().count();
                panic!("a password stands in {place}, line {line}: {}", text.replace(form.as_str(), "<THE PASSWORD>"));
            }
        }
    }
}
