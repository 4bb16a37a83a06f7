//! Rows out of a stream of JSON: the elements of an array, one by one, however the text is formatted and cut in pieces.
//!
//! Servers differ in their line breaks and spaces, so rows are found by the grammar of JSON and by nothing else. Only the
//! current row is in memory. The text of a row is handed on as it came: its inside is for the parser of the row to check.

use std::mem;

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::client::Reply;
use super::{CouchError, answer};
use crate::json::{self, Object};

/// Why no (further) row can be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowsError {
    /// The text is not the JSON that it should be.
    #[error("malformed JSON at byte {at}: expected {expected}")]
    Malformed {
        /// How many bytes came before.
        at: u64,
        /// As in "a comma".
        expected: &'static str,
    },
    /// A row, or something that stands beside the rows.
    #[error("something in it is larger than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// The text ends before the answer does.
    #[error("it ends in the middle")]
    Truncated,
    /// The text is an object without the member that was asked for.
    #[error("there are no {0} in it")]
    NoRows(&'static str),
    /// The server met an error after it had begun to answer, and said so amid the rows.
    #[error("the server broke off: {0}")]
    BrokenOff(String),
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The answer.
    Start,
    /// A key, or the end of the object if none came so far.
    Key { first: bool },
    /// A colon.
    Colon,
    /// The value of a member.
    Member,
    /// A comma, or the end of the object.
    AfterMember,
    /// A row, or the end of the array if none came so far.
    Row { first: bool },
    /// A comma, or the end of the array.
    AfterRow,
    /// Nothing.
    End,
}

/// What a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Key,
    Member,
    Row,
    /// It stands where a comma should be.
    Remark,
}

/// A value that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    purpose: Purpose,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// Takes pieces of text and gives rows.
#[derive(Debug)]
pub(super) struct Rows {
    /// The member of the object that holds the rows; an array has them all by itself.
    member: &'static str,
    limit: usize,
    buffer: Vec<u8>,
    /// Where the open value begins in the buffer.
    start: usize,
    /// What of the buffer has been read.
    at: usize,
    /// How many bytes have left the buffer.
    gone: u64,
    place: Place,
    open: Option<Open>,
    key: String,
    others: Object,
    /// The rows have come, or are coming.
    found: bool,
    /// The answer is an array.
    plain: bool,
}

impl Rows {
    /// Reads rows of at most `limit` bytes each from the member of an object, or from a plain array.
    pub(super) fn new(member: &'static str, limit: usize) -> Self {
        Self {
            member,
            limit,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            gone: 0,
            place: Place::Start,
            open: None,
            key: String::new(),
            others: Object::new(),
            found: false,
            plain: false,
        }
    }

    /// Adds a piece of text.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let done = if self.open.is_some() { self.start } else { self.at };
        if done > 0 {
            self.buffer.drain(..done);
            self.gone += done as u64;
            self.at -= done;
            self.start = 0;
        }
        self.buffer.extend_from_slice(piece);
    }

    /// The text of the next row; `None` when more text is needed, or nothing follows.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, RowsError> {
        loop {
            if let Some(open) = self.open {
                if !self.scan() {
                    let long = self.at - self.start > self.limit;
                    return if long { Err(RowsError::TooLarge(self.limit)) } else { Ok(None) };
                }
                if self.close(open.purpose)? {
                    return Ok(Some(&self.buffer[self.start..self.at]));
                }
                continue;
            }
            let spaces = self.buffer[self.at..].iter().take_while(|byte| is_space(**byte)).count();
            self.at += spaces;
            let Some(byte) = self.buffer.get(self.at).copied() else { return Ok(None) };
            self.step(byte)?;
        }
    }

    /// What stood beside the rows, when the whole answer has been read.
    pub(super) fn finish(self) -> Result<Object, RowsError> {
        match self.place {
            Place::End if self.found => Ok(self.others),
            Place::End => Err(RowsError::NoRows(self.member)),
            _ => Err(RowsError::Truncated),
        }
    }

    /// Takes one byte between values, or opens a value with it.
    fn step(&mut self, byte: u8) -> Result<(), RowsError> {
        let next = match (self.place, byte) {
            (Place::Start, b'[') => {
                (self.found, self.plain) = (true, true);
                Place::Row { first: true }
            }
            (Place::Start, b'{') => Place::Key { first: true },
            (Place::Key { .. }, b'"') => return self.open(Purpose::Key),
            (Place::Key { first: true } | Place::AfterMember, b'}') => Place::End,
            (Place::Colon, b':') => Place::Member,
            (Place::Member, b'[') if self.key == self.member && !self.found => {
                self.found = true;
                Place::Row { first: true }
            }
            (Place::Member, _) if begins_value(byte) => return self.open(Purpose::Member),
            (Place::AfterMember, b',') => Place::Key { first: false },
            (Place::Row { first: true } | Place::AfterRow, b']') => {
                if self.plain {
                    Place::End
                } else {
                    Place::AfterMember
                }
            }
            (Place::Row { .. }, _) if begins_value(byte) => return self.open(Purpose::Row),
            (Place::AfterRow, b',') => Place::Row { first: false },
            (Place::AfterRow, b'{') => return self.open(Purpose::Remark),
            (place, _) => return Err(self.malformed(place)),
        };
        self.place = next;
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, purpose: Purpose) -> Result<(), RowsError> {
        self.start = self.at;
        self.open = Some(Open { purpose, depth: 0, in_string: false, escaped: false });
        Ok(())
    }

    /// Reads on in the open value; whether it has ended.
    fn scan(&mut self) -> bool {
        let Some(open) = self.open.as_mut() else { return false };
        let (start, mut at) = (self.start, self.at);
        let ended = loop {
            let Some(byte) = self.buffer.get(at).copied() else { break false };
            if open.in_string {
                match byte {
                    _ if open.escaped => open.escaped = false,
                    b'\\' => open.escaped = true,
                    b'"' => open.in_string = false,
                    _ => {}
                }
                at += 1;
                if !open.in_string && open.depth == 0 {
                    break true;
                }
                continue;
            }
            match byte {
                b'"' | b'[' | b'{' if open.depth == 0 && at > start => break true,
                b'"' => open.in_string = true,
                b'[' | b'{' => open.depth += 1,
                // What ends a number or a word is not part of it.
                b']' | b'}' | b',' | b':' if open.depth == 0 => break true,
                _ if open.depth == 0 && is_space(byte) => break true,
                b']' | b'}' if open.depth == 1 => {
                    at += 1;
                    break true;
                }
                b']' | b'}' => open.depth -= 1,
                _ => {}
            }
            at += 1;
        };
        self.at = at;
        ended
    }

    /// Takes the value that has ended; whether it is a row.
    fn close(&mut self, purpose: Purpose) -> Result<bool, RowsError> {
        self.open = None;
        let text = &self.buffer[self.start..self.at];
        if text.len() > self.limit {
            return Err(RowsError::TooLarge(self.limit));
        }
        let malformed = |expected| RowsError::Malformed { at: self.gone + self.start as u64, expected };
        match purpose {
            Purpose::Row => {
                self.place = Place::AfterRow;
                return Ok(true);
            }
            Purpose::Key => {
                self.key = serde_json::from_slice(text).map_err(|_| malformed("a key"))?;
                self.place = Place::Colon;
            }
            Purpose::Member => {
                let value = json::parse(text).map_err(|_| malformed("a value"))?;
                self.others.insert(mem::take(&mut self.key), value);
                self.place = Place::AfterMember;
            }
            Purpose::Remark => {
                let remark = json::parse(text).map_err(|_| malformed("a comma"))?;
                let said = ["error", "reason"].map(|key| remark.get(key).and_then(Value::as_str));
                let [Some(error), reason] = said else { return Err(malformed("a comma")) };
                let reason = reason.unwrap_or("no reason given");
                return Err(RowsError::BrokenOff(crate::secret::redact(&format!("{error}: {reason}"))));
            }
        }
        Ok(false)
    }

    fn malformed(&self, place: Place) -> RowsError {
        let expected = match place {
            Place::Start => "an object or an array",
            Place::Key { .. } => "a key",
            Place::Colon => "a colon",
            Place::Member | Place::Row { .. } => "a value",
            Place::AfterMember | Place::AfterRow => "a comma",
            Place::End => "nothing more",
        };
        RowsError::Malformed { at: self.gone + self.at as u64, expected }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn begins_value(byte: u8) -> bool {
    matches!(byte, b'"' | b'[' | b'{' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

/// The most bytes of one row: a document of the size that servers allow, with room for a raised limit.
const LONGEST_ROW: usize = 64 << 20;

/// Reads an answer row by row; gives what stands beside the rows. `each` says what is wrong with a row.
pub(super) async fn read(
    mut reply: Reply,
    member: &'static str,
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Object, CouchError> {
    let mut rows = Rows::new(member, LONGEST_ROW);
    while let Some(chunk) = reply.chunk().await? {
        let begun = rows.place != Place::Start;
        rows.push(&chunk);
        loop {
            match rows.next() {
                Ok(Some(row)) => each(row).map_err(|why| reply.protocol(why))?,
                Ok(None) => break,
                Err(_) if !begun && is_page(&reply, &chunk) => {
                    return Err(answer::not_couchdb(reply.status, &reply.headers, &chunk, &reply.place));
                }
                Err(error) => return Err(unreadable(&reply, &error)),
            }
        }
    }
    rows.finish().map_err(|error| unreadable(&reply, &error))
}

/// What broke off may come whole another time; what is no JSON will not.
pub(super) fn unreadable(reply: &Reply, error: &RowsError) -> CouchError {
    match error {
        RowsError::Truncated | RowsError::BrokenOff(_) => {
            let (origin, request) = (reply.place.origin.clone(), reply.place.request.clone());
            CouchError::Broken { origin, why: error.to_string(), request }
        }
        _ => reply.protocol(error.to_string()),
    }
}

/// Whether somebody else answers with a page for people.
fn is_page(reply: &Reply, begin: &[u8]) -> bool {
    let html = |text: String| text.to_ascii_lowercase().starts_with("text/html");
    begin.trim_ascii_start().starts_with(b"<") || reply.header(&CONTENT_TYPE).is_some_and(html)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    type Outcome = Result<(Vec<Vec<u8>>, Object), RowsError>;

    fn pieces(member: &'static str, limit: usize, pieces: &[&[u8]]) -> Outcome {
        let mut rows = Rows::new(member, limit);
        let mut found = Vec::new();
        for piece in pieces {
            rows.push(piece);
            while let Some(row) = rows.next()? {
                found.push(row.to_vec());
            }
        }
        Ok((found, rows.finish()?))
    }

    fn whole(text: &str) -> Outcome {
        pieces("rows", 1000, &[text.as_bytes()])
    }

    fn texts(text: &str) -> Vec<String> {
        whole(text).unwrap().0.into_iter().map(|row| String::from_utf8(row).unwrap()).collect()
    }

    #[test]
    fn rows_are_found_in_any_formatting() {
        let table: [(&str, &[&str]); 12] = [
            (r#"{"rows":[]}"#, &[]),
            ("[]", &[]),
            (" [\r\n ] \n", &[]),
            (
                "{\"total_rows\":2,\"offset\":0,\"rows\":[\n{\"id\":\"a\"},\n{\"id\":\"b\"}\n]}\n",
                &[r#"{"id":"a"}"#, r#"{"id":"b"}"#],
            ),
            ("{ \"rows\" : [ { \"id\" : \"a\" } , {} ] , \"x\" : 1 }", &["{ \"id\" : \"a\" }", "{}"]),
            (r#"[1,"a",true,null,-2.5e3,[[]],{}]"#, &["1", "\"a\"", "true", "null", "-2.5e3", "[[]]", "{}"]),
            (r#"{"rows":[{"a":"]},{\"[\\"},"]\\"]}"#, &[r#"{"a":"]},{\"[\\"}"#, r#""]\\""#]),
            (r#"{"x":{"rows":[1]},"rows":[2]}"#, &["2"]),
            (r#"{"r\u006fws":[3]}"#, &["3"]),
            (r#"{"rows":[{"rows":[1]}],"y":[1,{"z":[]}]}"#, &[r#"{"rows":[1]}"#]),
            ("[1 ,2\n]", &["1", "2"]),
            (r#"{"a":null,"b":"}","rows":["é"]}"#, &["\"é\""]),
        ];
        for (text, expected) in table {
            assert_eq!(texts(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_beside_the_rows_is_kept() {
        let (_, others) = whole(r#"{"total_rows":3,"rows":[1],"last_seq":"7-x","pending":0}"#).unwrap();
        assert_eq!(Value::Object(others), json!({ "total_rows": 3, "last_seq": "7-x", "pending": 0 }));
    }

    #[test]
    fn what_is_no_listing_is_an_error() {
        let malformed = |at, expected| RowsError::Malformed { at, expected };
        let table = [
            ("", RowsError::Truncated),
            ("<html>", malformed(0, "an object or an array")),
            ("3", malformed(0, "an object or an array")),
            ("{}", RowsError::NoRows("rows")),
            (r#"{"rows":3}"#, RowsError::NoRows("rows")),
            (r#"{"rows":[1]"#, RowsError::Truncated),
            (r#"{"rows":[1"#, RowsError::Truncated),
            (r#"{"rows":["a"#, RowsError::Truncated),
            ("[1 2]", malformed(3, "a comma")),
            ("[1,]", malformed(3, "a value")),
            ("[,1]", malformed(1, "a value")),
            ("[}", malformed(1, "a value")),
            (r#"["a""b"]"#, malformed(4, "a comma")),
            (r#"{"rows":[1],}"#, malformed(12, "a key")),
            (r#"{"rows" [1]}"#, malformed(8, "a colon")),
            (r#"{"rows":[1]"x":2}"#, malformed(11, "a comma")),
            (r#"{"x":tru}"#, malformed(5, "a value")),
            ("[1]]", malformed(3, "nothing more")),
            (r#"{"rows":[1]}{"#, malformed(12, "nothing more")),
            ("[1\n\n{\"error\":\"timeout\",\"reason\":\"slow\"}\n", RowsError::BrokenOff("timeout: slow".into())),
            ("[1\n\n{\"x\":1}\n", malformed(4, "a comma")),
        ];
        for (text, expected) in table {
            assert_eq!(whole(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_size_of_a_row_is_bounded() {
        let row = format!("\"{}\"", "x".repeat(8));
        let text = format!("[{row},{row}]");
        assert_eq!(pieces("rows", 10, &[text.as_bytes()]).unwrap().0.len(), 2);
        assert_eq!(pieces("rows", 9, &[text.as_bytes()]), Err(RowsError::TooLarge(9)));
        // Known before the end comes.
        assert_eq!(pieces("rows", 9, &[b"[\"", b"xxxxxxxxxxxx"]), Err(RowsError::TooLarge(9)));
        assert_eq!(pieces("rows", 9, &[b"{\"k\":\"", b"xxxxxxxxxxxx"]), Err(RowsError::TooLarge(9)));
    }

    #[test]
    fn the_buffer_holds_no_more_than_a_row_and_a_piece() {
        let mut rows = Rows::new("rows", 1000);
        rows.push(b"[1");
        for _ in 0..10_000 {
            rows.push(b",\"0123456789\",{}");
            while rows.next().unwrap().is_some() {}
            assert!(rows.buffer.len() < 64);
        }
    }

    #[allow(clippy::disallowed_methods, reason = "how many cases are tried is a setting of the test run")]
    fn cases() -> ProptestConfig {
        let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64);
        ProptestConfig {
            cases,
            rng_seed: proptest::test_runner::RngSeed::Fixed(7),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[ -~"\\\[\]{},:\n\u{e9}\u{1f600}]{0,8}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z\"]{0,3}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn rows_are_the_same_wherever_the_text_is_cut(
            rows in prop::collection::vec(values(), 0..6),
            before in values(),
            after in values(),
            pretty: bool,
            plain: bool,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let answer = if plain { json!(rows) } else { json!({ "before": before, "rows": rows, "after": after }) };
            let text = if pretty { serde_json::to_string_pretty(&answer) } else { serde_json::to_string(&answer) };
            let text = text.unwrap().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let (found, others) = pieces("rows", 10_000, &parts).unwrap();
            let found: Vec<Value> = found.iter().map(|row| serde_json::from_slice(row).unwrap()).collect();
            prop_assert_eq!(&found, &rows);
            prop_assert_eq!(others.len(), if plain { 0 } else { 2 });
            // Each byte by itself is the hardest cut of all.
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            prop_assert_eq!(pieces("rows", 10_000, &bytes).unwrap().0.len(), rows.len());
            // An answer that is cut short is never taken for a whole one.
            let short = text.len() - 1;
            prop_assert!(pieces("rows", 10_000, &[&text[..short]]).is_err());
        }
    }
}
