//! The calls: what goes to the engines and what comes back.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::Value;

use super::engine::Engine;
use super::pool::{Engines, Pool};
use super::{
    Design, Emitted, FunctionError, Functions, Limits, Mapping, Reduction, Updated, Validation, fields, key, verdict,
};
use crate::json::Object;

/// Documents that one job maps: enough that a thread is not changed for each, few enough that other calls come in between.
const BATCH: usize = 500;

/// So many bytes of rows are enough to go on with.
const LARGE: usize = 4 << 20;

type Prepared = Result<(), FunctionError>;

fn prepare_design(engine: &mut Engine, text: &str) -> Prepared {
    engine.call("design", &[text]).map(drop)
}

fn prepare_mapping(engine: &mut Engine, text: &str) -> Prepared {
    engine.call("mapping", &[text])?;
    engine.call("compileMaps", &[]).map(drop)
}

/// Calls one function of a design document.
fn call(engines: &mut Engines, design: &Design, name: &str, arguments: &[&str]) -> Result<String, FunctionError> {
    engines.with(
        design.key,
        |engine| prepare_design(engine, &design.text),
        |engine| engine.call(name, arguments).map(sound),
    )
}

/// JSON as CouchDB reads it: halves of surrogate pairs become U+FFFD.
pub(super) fn sound(text: String) -> String {
    if !text.contains("\\ud") {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        // Whole pairs are never escaped by the engine.
        let is_half = escape.get(..3) == Some("\\ud")
            && escape.get(3..4).is_some_and(|digit| digit >= "8")
            && escape.get(4..6).is_some();
        let length = if is_half { 6 } else { 2 };
        out.push_str(if is_half { "\u{fffd}" } else { escape.get(..length).unwrap_or(escape) });
        rest = escape.get(length..).unwrap_or_default();
    }
    out + rest
}

fn pairs(told: String, count: usize) -> Vec<Vec<Emitted>> {
    let told = sound(told);
    told.split('\t')
        .take(count)
        .map(|function| {
            let mut lines = function.split_terminator('\n');
            let mut emitted = Vec::new();
            while let (Some(key), Some(value)) = (lines.next(), lines.next()) {
                emitted.push(Emitted { key: key.to_owned(), value: value.to_owned() });
            }
            emitted
        })
        .collect()
}

/// The rows of some documents, and whether these are the last.
type Piece = Result<(Vec<Vec<Vec<Emitted>>>, bool), FunctionError>;

/// Maps documents; what grows large is sent at once, the rest is given back.
fn map_all(
    engine: &mut Engine,
    documents: &[String],
    count: usize,
    pieces: &SyncSender<Piece>,
) -> Result<Vec<Vec<Vec<Emitted>>>, FunctionError> {
    let (mut rows, mut length) = (Vec::new(), 0);
    for document in documents {
        let told = engine.call("map", &[document])?;
        length += told.len();
        rows.push(pairs(told, count));
        if length > LARGE {
            length = 0;
            let sent = pieces.send(Ok((std::mem::take(&mut rows), false)));
            sent.map_err(|_| FunctionError::new("gone", "nobody listens any more"))?;
        }
    }
    Ok(rows)
}

fn arguments(document: Option<&str>, request: &str) -> String {
    format!("[{},{request}]", document.unwrap_or("null"))
}

/// The length of the line with which CouchDB would ask for this reduction, without the function: its limit looks at it.
fn asked_length(reduction: &Reduction) -> usize {
    let characters = |text: &str| text.encode_utf16().count();
    let values = characters(&reduction.values);
    match &reduction.keys {
        None => values + r#"["rereduce",[""],]"#.len(),
        // `[[k,v],[k,v]]` has two brackets and a comma more for each pair than `[k,k]` and `[v,v]`, less one list.
        Some(keys) => {
            let count = count_items(&reduction.values);
            (characters(keys) + values + 2 * count + r#"["reduce",[""],]"#.len()).saturating_sub(1)
        }
    }
}

/// How many items a JSON list has, by its commas outside of everything.
fn count_items(list: &str) -> usize {
    let (mut depth, mut commas, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in list.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => commas += 1,
            _ => {}
        }
    }
    if list.trim_start_matches('[').trim_start().starts_with(']') { 0 } else { commas + 1 }
}

impl Functions {
    /// Starts nothing yet; engines begin with the first call.
    pub fn new(limits: Limits) -> Self {
        Self { pool: Pool::new(limits) }
    }

    /// Runs all map functions over documents. `take` is given the next documents' rows, in order: for each document and each
    /// function what it emitted. A function that throws emits nothing, as in CouchDB; an error is one of compilation, of time
    /// and memory, or of `take`.
    pub fn map<E: From<FunctionError>>(
        &self,
        mapping: &Mapping,
        documents: Vec<String>,
        mut take: impl FnMut(Vec<Vec<Vec<Emitted>>>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut documents = documents.into_iter();
        loop {
            let batch: Vec<String> = documents.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let Mapping { text, count, key } = mapping.clone();
            let mut taken = self.pool.take(&key, false)?;
            // One piece waits at most: those who emit much wait for those who store it.
            let (pieces, inbox) = sync_channel(0);
            taken.begin(Box::new(move |engines| {
                let prepare = |engine: &mut Engine| prepare_mapping(engine, &text);
                let mapped = engines.with(key, prepare, |engine| map_all(engine, &batch, count, &pieces));
                // Nobody may listen any more.
                let _ = mapped.map_or_else(|error| pieces.send(Err(error)), |rest| pieces.send(Ok((rest, true))));
            }));
            loop {
                let (rows, is_last) = taken.receive(&inbox)??;
                take(rows)?;
                if is_last {
                    break;
                }
            }
        }
    }

    /// Runs a custom `reduce` for each of the inputs. Builtin ones (`_sum`…) do not come here.
    pub fn reduce(&self, source: &str, inputs: Vec<Reduction>) -> Result<Vec<String>, FunctionError> {
        let key = key("reduce", source);
        let source = source.to_owned();
        self.pool.run(&key, move |engines| {
            let prepare = |engine: &mut Engine| engine.call("compileReduce", &[&source]).map(drop);
            engines.with(key, prepare, |engine| {
                let reduce = |input: &Reduction| {
                    let keys = input.keys.as_deref().unwrap_or_default();
                    let length = asked_length(input).to_string();
                    engine.call("reduce", &[keys, &input.values, &length]).map(sound)
                };
                inputs.iter().map(reduce).collect()
            })
        })
    }

    /// What CouchDB checks when a design document is written: that its members are what they have to be, and that its `map`
    /// and `reduce` functions compile. The error names the view.
    pub fn check_views(&self, document: &Object) -> Result<(), FunctionError> {
        fields::check(document)?;
        let language = document.get("language").and_then(Value::as_str).unwrap_or("javascript");
        let Some(Value::Object(views)) = document.get("views") else { return Ok(()) };
        if language != "javascript" {
            return Ok(());
        }
        let mut sources = Vec::new();
        for (view, functions) in views.iter().filter(|(view, _)| *view != "lib") {
            for kind in ["map", "reduce"] {
                let source = functions.get(kind).and_then(Value::as_str);
                let source = source.filter(|source| kind == "map" || !source.starts_with('_'));
                sources.extend(source.map(|source| (view.clone(), kind, source.to_owned())));
            }
        }
        if sources.is_empty() { Ok(()) } else { self.check(sources) }
    }

    fn check(&self, sources: Vec<(String, &'static str, String)>) -> Result<(), FunctionError> {
        // A text may do anything while it is compiled: what is checked meets the functions of no other design document.
        self.pool.run(&key("check", ""), move |engines| {
            engines.alone(|engine| {
                sources.iter().try_for_each(|(view, kind, source)| {
                    let checked = engine.call("check", &[source]);
                    checked.map(drop).map_err(|error| in_view(error, kind, view))
                })
            })
        })
    }

    /// Asks `validate_doc_update` of each design document, in order. The first refusal is the answer.
    pub fn validate(&self, designs: &[Arc<Design>], validation: &Validation) -> Result<(), FunctionError> {
        let Some(first) = designs.first() else { return Ok(()) };
        let Validation { document, before, user, security } = validation;
        let arguments = format!("[{document},{},{user},{security}]", before.as_deref().unwrap_or("null"));
        let designs = designs.to_vec();
        let key = first.key;
        self.pool.run(&key, move |engines| {
            designs
                .iter()
                .try_for_each(|design| verdict::of_validation(&call(engines, design, "validate", &[&arguments])?))
        })
    }

    /// Asks `filters.NAME` about documents; `request` is the request object.
    pub fn filter(
        &self,
        design: &Design,
        name: &str,
        documents: Vec<String>,
        request: &str,
    ) -> Result<Vec<bool>, FunctionError> {
        self.ask(design, ["compileFilter", "filter"], name, documents, request)
    }

    /// Asks `views.NAME.map` whether it would emit anything (`filter=_view`).
    pub fn filter_by_view(
        &self,
        design: &Design,
        view: &str,
        documents: Vec<String>,
    ) -> Result<Vec<bool>, FunctionError> {
        self.ask(design, ["compileViewFilter", "filterByView"], view, documents, "")
    }

    fn ask(
        &self,
        design: &Design,
        [compile, filter]: [&'static str; 2],
        name: &str,
        documents: Vec<String>,
        request: &str,
    ) -> Result<Vec<bool>, FunctionError> {
        let (design, name, request) = (design.clone(), name.to_owned(), request.to_owned());
        let key = design.key;
        self.pool.run(&key, move |engines| {
            let prepare = |engine: &mut Engine| prepare_design(engine, &design.text);
            engines.with(key, prepare, |engine| {
                engine.call(compile, &[&name])?;
                let ask = |document: &String| Ok(!engine.call(filter, &[&name, document, &request])?.is_empty());
                documents.iter().map(ask).collect()
            })
        })
    }

    /// Runs `shows.NAME`; the answer is a JSON object with `body`, `json`, `base64`, `headers`, `code`…
    pub fn show(
        &self,
        design: &Design,
        name: &str,
        document: Option<&str>,
        request: &str,
    ) -> Result<String, FunctionError> {
        self.one(design, "show", vec![name.to_owned(), arguments(document, request)])
    }

    /// Runs `updates.NAME`.
    pub fn update(
        &self,
        design: &Design,
        name: &str,
        document: Option<&str>,
        request: &str,
    ) -> Result<Updated, FunctionError> {
        let told = self.one(design, "update", vec![name.to_owned(), arguments(document, request)])?;
        let told = crate::json::parse(told.as_bytes()).unwrap_or_default();
        let text = |name: &str| told.get(name).and_then(Value::as_str).map(|text| sound(text.to_owned()));
        Ok(Updated { document: text("document"), response: text("response").unwrap_or_default() })
    }

    /// Runs the function `rewrites`: an object with `path`, `method`, `query`, `headers`, `body`, `code` as JSON; `None` when
    /// it found no rule.
    pub fn rewrite(&self, design: &Design, request: &str) -> Result<Option<String>, FunctionError> {
        let told = self.one(design, "rewrite", vec![format!("[{request}]")])?;
        Ok((!told.is_empty()).then_some(told))
    }

    fn one(&self, design: &Design, name: &'static str, arguments: Vec<String>) -> Result<String, FunctionError> {
        let design = design.clone();
        let key = design.key;
        self.pool.run(&key, move |engines| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            call(engines, &design, name, &arguments)
        })
    }
}

fn in_view(error: FunctionError, kind: &str, view: &str) -> FunctionError {
    if error.error != "compilation_error" {
        return error;
    }
    let reason = format!("Compilation of the {kind} function in the '{view}' view failed: {}", error.reason);
    FunctionError { status: 400, reason, ..error }
}
