//! Judges one function's text: first whether it parses, then whether CouchDB would make a function of it.

use std::borrow::Cow;

use super::Severity;
use super::construct::newer::{self, Reader};
use super::construct::{Construct, older};
use super::engine::{Engine, Refusal};
use super::shape::{self, Outline, Value};
use super::token::{FaultKind, Kind, Tokens};

/// How many regular expressions are tried in search of a wrong one.
const MAXIMUM_REGEXES: usize = 1_000;

/// A problem at an offset of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) offset: usize,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn error(offset: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, offset, message: message.into() }
    }

    pub(super) fn warning(offset: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, offset, message: message.into() }
    }
}

/// Judges the text of a function; `newer` is how bad syntax beyond ES2017 is.
pub(super) fn function(engine: &mut Engine, source: &str, newer: Severity) -> Vec<Finding> {
    let tokens = Tokens::of(source);
    if tokens.len() == 0 && tokens.fault.is_none() {
        return vec![Finding::error(0, "there is no function here")];
    }
    if let Some(finding) = unreadable(&tokens, source) {
        return vec![finding];
    }
    let outline = shape::outline(&tokens);
    let script = Script::of_function(source, &tokens, &outline);
    if let Err(refusal) = engine.parse(&script.text, shape::is_strict(&tokens)) {
        return vec![explain(engine, &refusal, &script, source, &tokens, &outline)];
    }
    let mut findings = beyond(&tokens, Reader::Esprima, newer);
    findings.extend(flags(&tokens, source, Reader::Esprima));
    findings.extend(result(&tokens, &outline));
    findings
}

/// Judges the text of a CommonJS module.
pub(super) fn module(engine: &mut Engine, source: &str) -> Vec<Finding> {
    let tokens = Tokens::of(source);
    if let Some(finding) = unreadable(&tokens, source) {
        return vec![finding];
    }
    let script = Script::of_module(source, "(function (module, exports, require) {\n", "\n})");
    if let Err(refusal) = engine.parse(&script.text, false) {
        return vec![explain(engine, &refusal, &script, source, &tokens, &Outline::default())];
    }
    if let Some(fault) = tokens.fault.filter(|fault| fault.kind == FaultKind::Unopened) {
        // A text that ends one wrapper early cannot end another one as well.
        let other = Script::of_module(source, "[function (module, exports, require) {{\n", "\n}}]");
        if engine.parse(&other.text, false).is_err() {
            return vec![Finding::error(fault.offset, "this bracket ends the module early: none was opened")];
        }
    }
    let mut findings = beyond(&tokens, Reader::Engine, Severity::Error);
    findings.extend(flags(&tokens, source, Reader::Engine));
    findings
}

/// Regular expressions with flags that CouchDB does not know.
fn flags(tokens: &Tokens<'_>, source: &str, reader: Reader) -> Vec<Finding> {
    let flags = newer::unknown_flags(tokens).into_iter().map(|(start, end)| {
        let flags = source.get(start..end).unwrap_or_default();
        match reader {
            Reader::Esprima => Finding::warning(
                start,
                format!(
                    "CouchDB 3 does not know the flags `{flags}` and puts `null` in place of this regular expression"
                ),
            ),
            Reader::Engine => {
                Finding::error(start, format!("CouchDB 3.5 on SpiderMonkey 78 does not know the flags `{flags}`"))
            }
        }
    });
    flags.collect()
}

/// What keeps a text from being given to the parser.
fn unreadable(tokens: &Tokens<'_>, source: &str) -> Option<Finding> {
    let fault = tokens.fault?;
    let message = match fault.kind {
        FaultKind::TooDeep => {
            format!("more than {} brackets inside each other: CouchDB's parser dies of it", super::token::MAXIMUM_DEPTH)
        }
        FaultKind::IllegalCharacter if source.get(fault.offset..)?.starts_with('\0') => {
            "a NUL character stands outside of strings".to_owned()
        }
        _ => return None,
    };
    Some(Finding::error(fault.offset, message))
}

fn beyond(tokens: &Tokens<'_>, reader: Reader, severity: Severity) -> Vec<Finding> {
    let constructs = newer::find(tokens, reader).into_iter();
    constructs.map(|Construct { offset, message }| Finding { severity, offset, message }).collect()
}

/// What is given to the parser, and how its positions lead back to the source.
struct Script {
    text: String,
    /// Bytes before the source.
    prefix: usize,
    /// Where bytes were put into the source, and how many.
    inserted: Option<(usize, usize)>,
}

impl Script {
    /// CouchDB takes the last function for an expression if it has no name: give it one.
    fn of_function(source: &str, tokens: &Tokens<'_>, outline: &Outline) -> Self {
        let mut text = readable(source).into_owned();
        for (start, end) in newer::unknown_flags(tokens) {
            text.replace_range(start..end, &" ".repeat(end - start));
        }
        let nameless = outline.expression().filter(|nameless| !tokens.before_is(nameless.keyword, "async"));
        let place = nameless.and_then(|nameless| tokens.get(nameless.parameters)).map(|token| token.start);
        let inserted = place.map(|place| {
            let mut name = " nameless".to_owned();
            while source.contains(name.trim_start()) {
                name.push('_');
            }
            text.insert_str(place, &name);
            (place, name.len())
        });
        Self { text, prefix: 0, inserted }
    }

    fn of_module(source: &str, before: &str, after: &str) -> Self {
        Self { text: format!("{before}{}{after}", readable(source)), prefix: before.len(), inserted: None }
    }

    /// The offset in the source for a line and a byte column of the script.
    fn offset(&self, line: usize, column: usize, source: &str) -> usize {
        let start = match line {
            0 | 1 => 0,
            _ => self.text.match_indices('\n').nth(line - 2).map_or(self.text.len(), |(at, _)| at + 1),
        };
        let at = start + column.saturating_sub(1);
        let at = match self.inserted {
            Some((place, length)) if at > place => at.saturating_sub(length).max(place),
            _ => at,
        };
        let at = at.saturating_sub(self.prefix).min(source.trim_end().len());
        (0..=at).rev().find(|at| source.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// The source as QuickJS takes it, byte for byte as long: NUL may stand in strings and comments, but not in what it is
/// given, and it counts a CR without LF as a line in some places only.
fn readable(source: &str) -> Cow<'_, str> {
    if !source.contains(['\0', '\r']) {
        return Cow::Borrowed(source);
    }
    let mut characters = source.chars().peekable();
    let mut text = String::with_capacity(source.len());
    while let Some(character) = characters.next() {
        text.push(match character {
            '\0' => ' ',
            '\r' if characters.peek() != Some(&'\n') => '\n',
            other => other,
        });
    }
    Cow::Owned(text)
}

/// Says what is wrong, best by the name of the construct, else in the parser's words.
fn explain(
    engine: &mut Engine,
    refusal: &Refusal,
    script: &Script,
    source: &str,
    tokens: &Tokens<'_>,
    outline: &Outline,
) -> Finding {
    let (place, message) = match refusal {
        Refusal::Syntax { place, message } => (*place, message),
        Refusal::TooDeep => return Finding::error(0, "it is nested too deeply to be parsed"),
        Refusal::Beyond(reason) => return Finding::warning(0, format!("it could not be checked: {reason}")),
    };
    if let Some(Construct { offset, message }) = older::first(tokens) {
        return Finding::error(offset, message);
    }
    if source.starts_with("#!") {
        return Finding::error(0, "CouchDB takes no `#!` line");
    }
    if let Some(finding) = module_syntax(tokens).or_else(|| nameless(tokens, outline)) {
        return finding;
    }
    let Some((line, column)) = place else {
        return regex(engine, tokens).unwrap_or_else(|| Finding::error(0, plain(message)));
    };
    let offset = script.offset(line, column, source);
    fault(tokens, source, offset).unwrap_or_else(|| Finding::error(offset, plain(message)))
}

/// The regular expression that is wrong; the parser does not say where it stands, so each is tried alone.
fn regex(engine: &mut Engine, tokens: &Tokens<'_>) -> Option<Finding> {
    let regexes = (0..tokens.len()).filter(|at| tokens.kind(*at) == Some(Kind::Regex)).take(MAXIMUM_REGEXES);
    let mut tried = regexes.filter_map(|at| {
        let Err(Refusal::Syntax { message, .. }) = engine.parse(&readable(tokens.text(at)), false) else { return None };
        let offset = tokens.get(at)?.start;
        Some(Finding::error(offset, format!("this regular expression is wrong: {}", plain(&message))))
    });
    tried.next()
}

/// `import` and `export` declarations, at the top level.
fn module_syntax(tokens: &Tokens<'_>) -> Option<Finding> {
    let at = (0..tokens.len()).find(|at| {
        let top = tokens.get(*at).is_some_and(|token| token.parent.is_none() && token.operand_expected);
        let declares = tokens.is_keyword(*at, "export")
            || (tokens.is_keyword(*at, "import") && !tokens.is(*at + 1, "(") && !tokens.is(*at + 1, "."));
        top && declares
    })?;
    let message = "CouchDB does not read ES modules: use `exports` and `require`";
    Some(Finding::error(tokens.get(at)?.start, message))
}

/// A function without a name that is not the last one.
fn nameless(tokens: &Tokens<'_>, outline: &Outline) -> Option<Finding> {
    let first = outline.nameless.first()?;
    let start = tokens.get(first.keyword)?.start;
    if tokens.before_is(first.keyword, "async") {
        return Some(Finding::error(start, "CouchDB takes no `async` function without a name"));
    }
    (outline.expression() != Some(*first))
        .then(|| Finding::error(start, "only the last function may go without a name: name the ones before it"))
}

/// What the tokens say, if they saw it before the parser did.
fn fault(tokens: &Tokens<'_>, source: &str, parser: usize) -> Option<Finding> {
    let fault = tokens.fault?;
    let bracket = source.get(fault.offset..)?.chars().next()?;
    let last = tokens.get(tokens.len().checked_sub(1)?)?.start;
    let message = match fault.kind {
        FaultKind::UnterminatedString => "this string never ends".to_owned(),
        FaultKind::UnterminatedTemplate => "this template never ends".to_owned(),
        FaultKind::UnterminatedComment => "this comment never ends".to_owned(),
        FaultKind::UnterminatedRegex => "this regular expression never ends".to_owned(),
        FaultKind::Unclosed if parser > last => format!("this `{bracket}` is never closed"),
        FaultKind::Unopened => format!("this `{bracket}` closes nothing"),
        _ => return None,
    };
    (fault.kind == FaultKind::Unclosed || fault.offset <= parser).then(|| Finding::error(fault.offset, message))
}

/// The parser's words, in our style and without control characters.
fn plain(message: &str) -> String {
    let clean: String = message.chars().filter(|character| !character.is_control()).take(200).collect();
    let mut characters = clean.trim_end_matches('.').chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    if first.is_empty() { "syntax error".to_owned() } else { format!("{first}{}", characters.as_str()) }
}

/// Whether the script leaves a function behind.
fn result(tokens: &Tokens<'_>, outline: &Outline) -> Option<Finding> {
    let start = |at: usize| tokens.get(at).map_or(0, |token| token.start);
    match shape::script_value(tokens, outline) {
        Value::Function | Value::Unknown => None,
        Value::Other { at, what } => Some(Finding::error(start(at), format!("it does not eval to a function: {what}"))),
        Value::Empty => Some(match outline.named {
            Some(at) => {
                let star = usize::from(tokens.is(at + 1, "*"));
                let name = tokens.text(at + 1 + star);
                let message = format!(
                    "it does not eval to a function: `function {name}` only declares one, remove the name `{name}`"
                );
                Finding::error(start(at), message)
            }
            None => Finding::error(
                start(tokens.len().saturating_sub(1)),
                "it does not eval to a function: it has to end with one, such as `function (doc) { … }`",
            ),
        }),
    }
}

/// The paths given to `require` as plain strings, with the offsets of these strings.
pub(super) fn required(source: &str) -> Vec<(usize, String)> {
    let tokens = Tokens::of(source);
    let calls = (0..tokens.len()).filter(|at| {
        tokens.is_keyword(*at, "require")
            && tokens.is(at + 1, "(")
            && tokens.kind(at + 2) == Some(Kind::Text)
            && tokens.is(at + 3, ")")
    });
    let paths = calls.filter_map(|at| {
        let text = tokens.text(at + 2);
        let path = text.get(1..text.len().checked_sub(1)?)?;
        (!path.contains('\\')).then(|| (tokens.get(at + 2).map_or(0, |token| token.start), path.to_owned()))
    });
    paths.collect()
}
