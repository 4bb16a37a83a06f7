//! Asks a server, byte for byte what the script says, and keeps what later requests refer to.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use regex::{Captures, Regex};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::normal::{self, Names};
use super::script::{Piece, Sequence, Step};
use super::sending::{Prepared, Raw, text_of};
use crate::harness::{runtime, variable};

/// What must not stand in a target as it is.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A server.
#[derive(Clone)]
pub(super) struct Server {
    /// Host and port.
    authority: String,
    /// `name:password` of the administrator.
    administrator: String,
}

/// The answers to a sequence, made comparable.
pub(super) struct Answers {
    /// What the sequence is about.
    pub(super) title: String,
    /// Each request, as the script has it, with its answer.
    pub(super) answers: Vec<(String, Value)>,
}

/// What a sequence knows.
struct Conversation<'a> {
    server: &'a Server,
    database: String,
    /// The revisions of each document, in the order in which they were made.
    revisions: BTreeMap<String, Vec<String>>,
    kept: BTreeMap<String, String>,
    last: Raw,
    /// Users that the sequence made.
    users: Vec<String>,
}

/// An answer, or the feed that will have one.
enum Pending {
    Here(Raw),
    Coming(JoinHandle<Raw>),
}

impl Server {
    /// The server of a URL with a name and a password.
    pub(super) fn at(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        assert_eq!((url.scheme(), url.path()), ("http", "/"), "the suite speaks to the root of a server, without TLS");
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let administrator = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
        Self { authority: url.authority().rsplit('@').next().unwrap().to_owned(), administrator }
    }

    /// Asks all of a sequence, in a database of its own.
    #[track_caller]
    pub(super) fn ask_all(&self, area: &str, sequence: &Sequence) -> Answers {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // A name that is not a part of anything else, as it is replaced in all answers.
        let database = format!("diff-{:06}-{count:04}-{}", std::process::id(), area.replace('_', "-"));
        let mut conversation = Conversation {
            server: self,
            database,
            revisions: BTreeMap::new(),
            kept: BTreeMap::new(),
            last: Raw::default(),
            users: Vec::new(),
        };
        if sequence.has_database {
            // One shard: with several the order of changes is a matter of luck.
            let made = conversation.ask(&Step::new("PUT", ".?q=1"));
            assert_eq!(made.status, 201, "no database for “{}”: {made:?}", sequence.title);
        }
        let mut answers: Vec<Pending> = Vec::new();
        for step in &sequence.steps {
            // Writes are what a feed waits for; whatever else is asked comes after its answer.
            if !step.is_in_background && !step.writes() {
                answers.iter_mut().for_each(Pending::wait);
            }
            answers.push(conversation.begin(step));
        }
        let raws: Vec<Raw> = answers.into_iter().map(Pending::into_raw).collect();
        conversation.clean_up();
        let names = Names {
            database: &conversation.database,
            authority: &self.authority,
            has_opaque_revisions: sequence.has_opaque_revisions,
        };
        let answer = |(step, raw): (&Step, &Raw)| {
            (format!("{} {}", step.method, step.target), normal::answer(&names, step.compared, raw))
        };
        Answers { title: sequence.title.clone(), answers: sequence.steps.iter().zip(&raws).map(answer).collect() }
    }
}

impl Pending {
    fn wait(&mut self) {
        if let Self::Coming(task) = self {
            *self = Self::Here(runtime().block_on(task).unwrap());
        }
    }

    fn into_raw(mut self) -> Raw {
        self.wait();
        match self {
            Self::Here(raw) => raw,
            Self::Coming(_) => unreachable!("it was waited for"),
        }
    }
}

impl Conversation<'_> {
    fn begin(&mut self, step: &Step) -> Pending {
        if step.is_in_background {
            let (began, begins) = oneshot::channel();
            let answer = runtime().spawn(self.prepare(step).send_and_tell(began));
            // Without an answer at all there is nothing to wait for: that is told with the answer.
            let _ = runtime().block_on(begins);
            return Pending::Coming(answer);
        }
        Pending::Here(self.ask(step))
    }

    fn ask(&mut self, step: &Step) -> Raw {
        let prepared = self.prepare(step);
        let mut raw = runtime().block_on(prepared.clone().send());
        for _ in 0..200 {
            if step.until.is_none_or(|status| status == raw.status) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            raw = runtime().block_on(prepared.clone().send());
        }
        self.learn(step, &raw);
        raw
    }

    /// Remembers revisions and what the script wants to keep.
    fn learn(&mut self, step: &Step, raw: &Raw) {
        let answer = raw.json();
        let rows = answer.as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
        if step.method != "GET" && raw.status < 300 {
            for row in rows {
                if let (Some(id), Some(revision)) = (row["id"].as_str(), row["rev"].as_str()) {
                    self.revisions.entry(id.to_owned()).or_default().push(revision.to_owned());
                }
            }
            let made = (raw.header("x-couch-id"), raw.header("x-couch-update-newrev"));
            if let (Some(id), Some(revision)) = made {
                self.revisions.entry(id.to_owned()).or_default().push(revision.to_owned());
            }
        }
        for (name, what) in &step.kept {
            self.kept.insert(name.clone(), raw.kept(what));
        }
        let target = self.fill(&step.target);
        if step.method == "PUT" && target.starts_with("/_users/") && !self.users.contains(&target) {
            self.users.push(target);
        }
        self.last = raw.clone();
    }

    fn fill(&self, text: &str) -> String {
        static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{([$/A-Za-z0-9_][^{}]*)\}\}").unwrap());
        PLACEHOLDER.replace_all(text, |found: &Captures<'_>| self.value(&found[1])).into_owned()
    }

    /// The value of a placeholder. What is not known is an error in the script, or the fault of an earlier answer, which is
    /// reported by itself.
    fn value(&self, name: &str) -> String {
        let known = if let Some(name) = name.strip_prefix('$') {
            let (name, wants_hash) = name.strip_suffix(".hash").map_or((name, false), |name| (name, true));
            match name {
                "db" => Some(self.database.clone()),
                "host" => Some(self.server.authority.clone()),
                name if wants_hash => self.kept.get(name).and_then(|value| value.split('-').nth(1)).map(str::to_owned),
                name => self.kept.get(name).cloned(),
            }
        } else if name.starts_with('/') {
            self.last.json().pointer(name).map(text_of)
        } else {
            let (id, index) = name.split_once('#').unwrap_or((name, ""));
            let revisions = self.revisions.get(id).map(Vec::as_slice).unwrap_or_default();
            match index.parse::<usize>() {
                Ok(index) => revisions.get(index - 1).cloned(),
                Err(_) => revisions.last().cloned(),
            }
        };
        known.unwrap_or_else(|| {
            assert!(
                variable("COUCHAPP_RECORD").is_none(),
                "nothing is known of {name}; the last answer was {:?}",
                self.last
            );
            "1-unknown".to_owned()
        })
    }

    fn prepare(&self, step: &Step) -> Prepared {
        let mut headers: Vec<_> = step.headers.iter().map(|(name, value)| (name.as_str(), self.fill(value))).collect();
        let has = |wanted: &str| step.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let user = step.user.as_ref().map_or_else(|| self.server.administrator.clone(), |user| self.fill(user));
        if user != "nobody" && !has("authorization") && !has("cookie") {
            headers.push(("Authorization", format!("Basic {}", STANDARD.encode(user))));
        }
        if step.body.is_some() && !has("content-type") {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        let is_multipart = headers.iter().any(|(_, value)| value.starts_with("multipart/"));
        Prepared {
            authority: self.server.authority.clone(),
            method: step.method.clone(),
            target: self.target(&step.target),
            body: step.body.as_ref().map(|pieces| self.body(pieces, if is_multipart { "\r\n" } else { "\n" })),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            is_chunked: step.is_chunked,
        }
    }

    fn target(&self, text: &str) -> String {
        let target = self.fill(text);
        let target = match target.strip_prefix('.') {
            Some(query) if query.is_empty() || query.starts_with('?') => format!("/{}{query}", self.database),
            _ if target.starts_with('/') || target == "*" => target,
            _ => format!("/{}/{target}", self.database),
        };
        utf8_percent_encode(&target, ENCODED).to_string()
    }

    fn body(&self, pieces: &[Piece], line_end: &str) -> Vec<u8> {
        static FUNCTION: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?s)`([^`]*)`").unwrap());
        let mut body = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Bytes(bytes) => body.extend_from_slice(bytes),
                Piece::Line(line) => {
                    let line = FUNCTION.replace_all(line, |found: &Captures<'_>| json!(&found[1]).to_string());
                    body.extend_from_slice(self.fill(&line).as_bytes());
                    if at + 1 < pieces.len() {
                        body.extend_from_slice(line_end.as_bytes());
                    }
                }
            }
        }
        body
    }

    /// Removes the databases and users of the sequence, whatever became of it.
    fn clean_up(&mut self) {
        let all = format!("/_all_dbs?start_key=\"{0}\"&end_key=\"{0}\u{fff0}\"", self.database);
        let names = self.ask(&Step::new("GET", all)).json();
        for name in names.as_array().unwrap_or(&Vec::new()).iter().filter_map(Value::as_str) {
            self.ask(&Step::new("DELETE", format!("/{}", name.replace('/', "%2F").replace('+', "%2B"))));
        }
        for user in std::mem::take(&mut self.users) {
            let document = self.ask(&Step::new("GET", user.as_str())).json();
            if let Some(revision) = document["_rev"].as_str() {
                self.ask(&Step::new("DELETE", format!("{user}?rev={revision}")));
            }
        }
    }
}
