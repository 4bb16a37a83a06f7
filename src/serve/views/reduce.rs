//! Rows put together: by groups of keys, with CouchDB's own functions or with one in JavaScript.

use serde_json::Value;

use super::collation::{self, Collation};
use super::distinct::Distinct;
use super::number::Number;
use super::parameters::Level;
use super::rows::{Entry, Rows};
use super::sum::{Stats, Sum};
use crate::serve::failure::Failure;
use crate::serve::functions::{Functions, Reduction};

/// What a group of rows comes to: two JSON texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reduced {
    /// Key and value.
    Row {
        /// As much of the key as groups are made by.
        key: String,
        /// The value.
        value: String,
    },
    /// The function gave back too much; CouchDB answers a row with this reason.
    Overflow(String),
}

/// So many rows are given to a function at once.
const ROWS: usize = 200;
/// So many bytes are gathered before the function is called.
const BYTES: usize = 512 << 10;

/// How a `reduce` puts values together.
enum Running {
    Count(i128),
    Sum(Sum),
    Stats(Stats),
    Distinct(Distinct),
    Rank { most: usize, is_top: bool, values: Vec<Value> },
    First(Option<Entry>),
    Last(Option<Entry>),
    Custom(Pieces),
}

/// What a function in JavaScript is going to be given.
#[derive(Default)]
struct Pieces {
    /// What the function gave for earlier ones.
    done: Vec<String>,
    full: Vec<Reduction>,
    keys: Vec<String>,
    values: Vec<String>,
}

/// The groups of some rows.
pub struct Groups<'a> {
    rows: Rows<'a>,
    source: &'a str,
    level: Level,
    collation: Collation,
    functions: &'a Functions,
    current: Option<Group>,
    last_key: Vec<u8>,
    is_done: bool,
}

struct Group {
    key: Vec<u8>,
    json: String,
    range: usize,
    running: Running,
}

impl<'a> Groups<'a> {
    /// Groups rows that come one range after the other; no group has rows of two ranges.
    pub fn new(rows: Rows<'a>, source: &'a str, level: Level, collation: Collation, functions: &'a Functions) -> Self {
        Self { rows, source, level, collation, functions, current: None, last_key: Vec::new(), is_done: false }
    }

    /// The next groups, several at once; none at the end.
    pub fn next_groups(&mut self) -> Result<Vec<Reduced>, Failure> {
        let (mut complete, mut bytes) = (Vec::new(), 0);
        while !self.is_done && bytes < BYTES && complete.len() < ROWS {
            let Some(entry) = self.rows.next().transpose()? else {
                self.is_done = true;
                complete.extend(self.current.take());
                break;
            };
            bytes += entry.json.len() + entry.value.len();
            complete.extend(self.take(entry)?);
        }
        if let Some(Group { running: Running::Custom(pieces), .. }) = &mut self.current {
            pieces.settle(self.functions, self.source)?;
        }
        self.finish(complete)
    }

    /// Whether everything was given out.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes a row in; gives the group that it ends.
    fn take(&mut self, entry: Entry) -> Result<Option<Group>, Failure> {
        let range = self.rows.remaining();
        let belongs = match &self.current {
            Some(current) if current.range != range => false,
            Some(_) if self.level == Level::First(0) || entry.key == self.last_key => true,
            Some(current) => {
                self.level != Level::Exact && current.key == grouped(&entry.json, self.level, self.collation)?.0
            }
            None => false,
        };
        let mut ended = None;
        if !belongs {
            let (key, json) = match self.level {
                Level::Exact => (entry.key.clone(), entry.json.clone()),
                level @ Level::First(_) => grouped(&entry.json, level, self.collation)?,
            };
            let running = Running::new(self.source)?;
            ended = self.current.replace(Group { key, json, range, running });
        }
        self.last_key.clone_from(&entry.key);
        if let Some(current) = &mut self.current {
            current.running.add(entry)?;
        }
        Ok(ended)
    }

    fn finish(&self, groups: Vec<Group>) -> Result<Vec<Reduced>, Failure> {
        let (mut results, mut waiting) = (Vec::with_capacity(groups.len()), Vec::new());
        for group in groups {
            match group.running {
                Running::Custom(pieces) => waiting.push((group.json, pieces)),
                running => results.push(Reduced::Row { key: group.json, value: running.value().to_string() }),
            }
        }
        if waiting.is_empty() { Ok(results) } else { custom(self.functions, self.source, waiting) }
    }
}

/// The first elements of a key, as bytes and as JSON.
fn grouped(json: &str, level: Level, collation: Collation) -> Result<(Vec<u8>, String), Failure> {
    let Level::First(level) = level else { return Ok((Vec::new(), json.to_owned())) };
    if level == 0 {
        return Ok((Vec::new(), "null".to_owned()));
    }
    match value(json)? {
        Value::Array(mut items) if items.len() > level => {
            items.truncate(level);
            let key = Value::Array(items);
            Ok((collation.key(&key), key.to_string()))
        }
        key => Ok((collation.key(&key), json.to_owned())),
    }
}

fn value(json: &str) -> Result<Value, Failure> {
    serde_json::from_str(json).map_err(|_| Failure::new(500, "internal_server_error", "the index is damaged"))
}

impl Running {
    fn new(source: &str) -> Result<Self, Failure> {
        let starts = |prefix: &str| source.starts_with(prefix);
        let rank = |prefix: &str| source.strip_prefix(prefix).and_then(|most| most.parse().ok());
        Ok(if starts("_sum") {
            Self::Sum(Sum::new())
        } else if starts("_count") {
            Self::Count(0)
        } else if starts("_stats") {
            Self::Stats(Stats::default())
        } else if starts("_approx_count_distinct") {
            Self::Distinct(Distinct::new())
        } else if let Some(most) = rank("_top_") {
            Self::Rank { most, is_top: true, values: Vec::new() }
        } else if let Some(most) = rank("_bottom_") {
            Self::Rank { most, is_top: false, values: Vec::new() }
        } else if starts("_first") {
            Self::First(None)
        } else if starts("_last") {
            Self::Last(None)
        } else if starts("_") {
            return Err(Failure::new(
                500,
                "function_clause",
                format!("`{source}` is not a supported reduce function."),
            ));
        } else {
            Self::Custom(Pieces::default())
        })
    }

    fn add(&mut self, entry: Entry) -> Result<(), Failure> {
        match self {
            Self::Count(count) => *count += 1,
            Self::Sum(sum) => sum.add(value(&entry.value)?)?,
            Self::Stats(stats) => stats.add(&value(&entry.value)?)?,
            Self::Distinct(distinct) => distinct.insert(&value(&entry.json)?),
            Self::Rank { most, is_top, values } => {
                let value = value(&entry.value)?;
                let before = |other: &Value| {
                    let order = collation::compare(other, &value);
                    if *is_top { order.is_gt() } else { order.is_lt() }
                };
                let at = values.iter().take_while(|other| before(other)).count();
                // Equal values count once.
                if at < *most && values.get(at).is_none_or(|other| collation::compare(other, &value).is_ne()) {
                    values.insert(at, value);
                    values.truncate(*most);
                }
            }
            Self::First(first) => {
                if first.as_ref().is_none_or(|first| (&entry.key, &entry.id) < (&first.key, &first.id)) {
                    *first = Some(entry);
                }
            }
            Self::Last(last) => {
                if last.as_ref().is_none_or(|last| (&entry.key, &entry.id) >= (&last.key, &last.id)) {
                    *last = Some(entry);
                }
            }
            Self::Custom(pieces) => pieces.add(&entry),
        }
        Ok(())
    }

    fn value(self) -> Value {
        match self {
            Self::Count(count) => Number::Integer(count).value(),
            Self::Sum(sum) => sum.value(),
            Self::Stats(stats) => stats.value(),
            Self::Distinct(distinct) => Number::Integer(distinct.estimate()).value(),
            Self::Rank { values, .. } => Value::Array(values),
            Self::First(entry) | Self::Last(entry) => {
                entry.and_then(|entry| value(&entry.value).ok()).unwrap_or_default()
            }
            Self::Custom(_) => Value::Null,
        }
    }
}

impl Pieces {
    fn add(&mut self, entry: &Entry) {
        self.keys.push(format!("[{},{}]", entry.json, Value::from(entry.id.as_str())));
        self.values.push(entry.value.clone());
        if self.keys.len() == ROWS {
            self.close();
        }
    }

    /// CouchDB gathers rows in front of each other: the function sees them backwards.
    fn close(&mut self) {
        self.keys.reverse();
        self.values.reverse();
        let keys = std::mem::take(&mut self.keys).join(",");
        let values = std::mem::take(&mut self.values).join(",");
        self.full.push(Reduction { keys: Some(format!("[{keys}]")), values: format!("[{values}]") });
    }

    fn finish(&mut self) -> Vec<Reduction> {
        if !self.keys.is_empty() {
            self.close();
        }
        std::mem::take(&mut self.full)
    }

    /// Calls the function for what has been gathered, so that a group of any size is held in little memory.
    fn settle(&mut self, functions: &Functions, source: &str) -> Result<(), Failure> {
        const MOST: usize = 100;
        if !self.full.is_empty() {
            self.done.extend(functions.reduce(source, std::mem::take(&mut self.full))?);
        }
        if self.done.len() > MOST {
            let values = format!("[{}]", self.done.join(","));
            self.done = functions.reduce(source, vec![Reduction { keys: None, values }])?;
        }
        Ok(())
    }
}

/// Calls a function for many groups: once for each piece of a group, again for what that gives when there are several, and
/// as CouchDB does once more for every result.
fn custom(functions: &Functions, source: &str, groups: Vec<(String, Pieces)>) -> Result<Vec<Reduced>, Failure> {
    let (mut inputs, mut shares) = (Vec::new(), Vec::new());
    for (key, mut pieces) in groups {
        let mine = pieces.finish();
        shares.push((key, pieces.done, mine.len()));
        inputs.extend(mine);
    }
    let mut outputs = functions.reduce(source, inputs)?.into_iter();
    let (mut keys, mut finals) = (Vec::new(), Vec::new());
    for (key, mut done, share) in shares {
        done.extend(outputs.by_ref().take(share));
        let mut input = Reduction { keys: None, values: format!("[{}]", done.join(",")) };
        if done.len() > 1 {
            input.values = format!("[{}]", functions.reduce(source, vec![input.clone()])?.join(","));
        }
        finals.push(input);
        keys.push(key);
    }
    let values = functions.reduce(source, finals)?;
    let results = keys.into_iter().zip(values).map(|(key, value)| match overflow(&value) {
        Some(reason) => Reduced::Overflow(reason),
        None => Reduced::Row { key, value },
    });
    Ok(results.collect())
}

/// What stands for the result of a function that gave back too much.
fn overflow(value: &str) -> Option<String> {
    const NAME: &str = "reduce_overflow_error";
    if !value.starts_with("{\"reduce_overflow_error\":") {
        return None;
    }
    let value: Value = serde_json::from_str(value).ok()?;
    value.get(NAME).and_then(Value::as_str).map(str::to_owned)
}
