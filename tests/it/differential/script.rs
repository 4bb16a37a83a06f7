//! Scripts: requests as plain text.
//!
//! ```text
//! # A comment.
//! == make and change                          a sequence, in a database of its own
//! PUT a {"x": 1}                              a request with a body; `a` is beneath the database
//! PUT a?rev={{a}} {"x": 2}                    {{a}}: the last revision of `a`; {{a#1}}: the first one
//! GET a?rev={{a#1}}
//!   Accept: application/json                  a header
//! ? revs=true                                 the same request with another query, and none of its headers
//! GET .                                       the database itself
//! GET /_all_dbs?start_key="{{$db}}"           a path of the server; quotes are encoded; {{$host}}: its host and port
//!   = last /1                                 keeps a value of the answer (a JSON pointer) as {{$last}}
//! GET {{/rows/0/id}}                          a value of the answer before
//! & GET _changes?feed=longpoll                in the background, until the next request that does not write
//! PUT _design/x {"shows": {"a": `function (doc) { return "a"; }`}}
//! ```
//!
//! Indented lines after a request, beside headers:
//!
//! ```text
//!   | text                 a line of the body; `{{…}}` is filled in, `function…` between grave accents becomes a JSON string
//!   + 1000 text            text a thousand times
//!   x 00ff                 bytes
//!   gzip text              text, compressed
//!   chunked                the body is sent in chunks, without a length
//!   as nobody              without credentials; `as name:password`
//!   = name etag            keeps the ETag; `= name cookie` the session
//!   until 401              asks again until this is the status
//!   !status                only the status counts
//!   !exact                 the text of the answer counts, not only its value
//! ```
//!
//! A line of the body ends with LF, in multipart with CR LF, the last one with nothing. In the heading `(no database)` and
//! `(opaque revisions)` say that none is made, and that revisions differ on each server.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Requests that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequence {
    /// What it is about.
    pub(super) title: String,
    /// Whether it starts with a database.
    pub(super) has_database: bool,
    /// Whether only the generation of a revision counts.
    pub(super) has_opaque_revisions: bool,
    /// The requests.
    pub(super) steps: Vec<Step>,
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// The method.
    pub(super) method: String,
    /// The target, with placeholders.
    pub(super) target: String,
    /// Names and values.
    pub(super) headers: Vec<(String, String)>,
    /// The body, with placeholders; `None` for none.
    pub(super) body: Option<Vec<Piece>>,
    /// Whether the body is sent in chunks.
    pub(super) is_chunked: bool,
    /// Whether the next request does not wait for the answer.
    pub(super) is_in_background: bool,
    /// Who asks: `None` the administrator, `nobody`, or `name:password`.
    pub(super) user: Option<String>,
    /// What is kept of the answer: name, and a JSON pointer, `etag` or `cookie`.
    pub(super) kept: Vec<(String, String)>,
    /// Repeat the request until this is the status.
    pub(super) until: Option<u16>,
    /// How the answer is compared.
    pub(super) compared: Compared,
}

/// What of an answer is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Compared {
    /// Status, headers and value.
    #[default]
    Value,
    /// Also the text of the body.
    Exactly,
    /// The status only.
    Status,
}

/// A piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line, which ends as lines do unless it is the last one.
    Line(String),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

impl Step {
    /// A request without anything.
    pub(super) fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), ..Self::default() }
    }

    /// Whether it may change something.
    pub(super) fn writes(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// With a body.
    pub(super) fn with(mut self, body: impl Into<String>) -> Self {
        self.body = Some(vec![Piece::Line(body.into())]);
        self
    }

    /// With a header.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps something of the answer.
    pub(super) fn keep(mut self, name: impl Into<String>, what: &str) -> Self {
        self.kept.push((name.into(), what.to_owned()));
        self
    }
}

/// Reads a script.
pub(super) fn parse(text: &str) -> Result<Vec<Sequence>, String> {
    let mut sequences: Vec<Sequence> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let problem = |what: &str| format!("line {}: {what}: {line}", at + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            sequences.push(heading(title));
            continue;
        }
        let sequence = sequences.last_mut().ok_or_else(|| problem("no heading yet"))?;
        if let Some(query) = line.strip_prefix('?') {
            let last = sequence.steps.last().ok_or_else(|| problem("no request yet"))?;
            let path = last.target.split('?').next().unwrap_or_default();
            let step = Step::new(&last.method, format!("{path}?{}", query.trim()));
            sequence.steps.push(Step { body: last.body.clone(), ..step });
        } else if let Some(detail) = line.strip_prefix("  ") {
            let step = sequence.steps.last_mut().ok_or_else(|| problem("no request yet"))?;
            add(step, detail).ok_or_else(|| problem("not understood"))?;
        } else {
            sequence.steps.push(request(line).ok_or_else(|| problem("no request"))?);
        }
    }
    Ok(sequences)
}

fn heading(title: &str) -> Sequence {
    let (without, opaque) = (" (no database)", " (opaque revisions)");
    Sequence {
        title: title.replace(without, "").replace(opaque, ""),
        has_database: !title.contains(without),
        has_opaque_revisions: title.contains(opaque),
        steps: Vec::new(),
    }
}

fn request(line: &str) -> Option<Step> {
    let (is_in_background, line) = line.strip_prefix("& ").map_or((false, line), |line| (true, line));
    let (method, rest) = line.split_once(' ')?;
    let (target, body) = rest.split_once(' ').map_or((rest, None), |(target, body)| (target, Some(body)));
    let step = Step { is_in_background, ..Step::new(method, target) };
    Some(match body {
        Some(body) => step.with(body),
        None => step,
    })
}

/// Adds an indented line to its request; `None` if it is none.
fn add(step: &mut Step, detail: &str) -> Option<()> {
    let (word, rest) = detail.split_once(' ').unwrap_or((detail, ""));
    let mut append = |piece| step.body.get_or_insert_default().push(piece);
    match word {
        "|" => append(Piece::Line(rest.to_owned())),
        "+" => {
            let (count, text) = rest.split_once(' ')?;
            append(Piece::Bytes(text.repeat(count.parse().ok()?).into_bytes()));
        }
        "x" => append(Piece::Bytes(bytes_of(rest)?)),
        "gzip" => append(Piece::Bytes(compressed(rest))),
        "chunked" => step.is_chunked = true,
        "as" => step.user = Some(rest.to_owned()),
        "=" => step.kept.push(rest.split_once(' ').map(|(name, what)| (name.to_owned(), what.to_owned()))?),
        "until" => step.until = Some(rest.parse().ok()?),
        "!status" => step.compared = Compared::Status,
        "!exact" => step.compared = Compared::Exactly,
        _ => step.headers.push((word.strip_suffix(':')?.to_owned(), rest.to_owned())),
    }
    Some(())
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = hexadecimal.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok()).collect()
}

fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_script_is_read_as_it_says() {
    let text = "# c\n== one (no database)\nPUT a?rev={{a}} {\"x\": 1}\n  Accept: a/b\n  as nobody\n? q=1\n& GET .\n  = n /a/b\n";
    let sequences = parse(text).unwrap();
    assert_eq!((sequences.len(), sequences[0].has_database, sequences[0].title.as_str()), (1, false, "one"));
    let put = Step::new("PUT", "a?rev={{a}}").with("{\"x\": 1}").header("Accept", "a/b");
    let get = Step { is_in_background: true, ..Step::new("GET", ".").keep("n", "/a/b") };
    let again = Step::new("PUT", "a?q=1").with("{\"x\": 1}");
    assert_eq!(sequences[0].steps, [Step { user: Some("nobody".to_owned()), ..put }, again, get]);
}

#[test]
fn what_is_no_script_is_refused() {
    for text in
        ["PUT a", "== a\nPUT", "== a\n  Accept: x", "== a\n? x=1", "== a\nGET .\n  nonsense", "== a\nGET .\n  + x y"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
}
