//! A listing of documents as rows: what `_all_docs` answers, taken apart again at its line ends.

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::FunctionError;

/// The lines of an answer. They are waited for on a blocking thread.
pub(super) struct Lines {
    stream: BodyDataStream,
    handle: Handle,
    buffer: Vec<u8>,
    is_at_end: bool,
}

impl Lines {
    /// Call it on the event loop.
    pub(super) fn of(body: Body) -> Self {
        Self { stream: body.into_data_stream(), handle: Handle::current(), buffer: Vec::new(), is_at_end: false }
    }

    /// What the first line says beside the rows. Blocks.
    pub(super) fn head(&mut self) -> Result<Object, Failure> {
        let line = self.line().transpose().map_err(|error| Failure::new(500, error.error, error.reason))?;
        match crate::json::parse(format!("{}]}}", line.unwrap_or_default()).as_bytes()) {
            Ok(Value::Object(mut head)) => {
                head.remove("rows");
                Ok(head)
            }
            _ => Err(Failure::new(500, "internal_server_error", "a listing without a head")),
        }
    }

    fn line(&mut self) -> Option<Result<String, FunctionError>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(Ok(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            if self.is_at_end {
                return None;
            }
            match self.handle.block_on(self.stream.next()) {
                Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
                Some(Err(error)) => {
                    self.is_at_end = true;
                    return Some(Err(FunctionError::new("internal_server_error", error.to_string())));
                }
                None => self.is_at_end = true,
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<String, FunctionError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.line()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            if line == "]}" {
                return None;
            }
            let row = line.trim_end_matches(',');
            if !row.is_empty() {
                return Some(Ok(row.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn listings_are_rows_again() {
        let text = "{\"total_rows\":2,\"offset\":0,\"rows\":[\r\n{\"id\":\"a\"},\r\n{\"id\":\"b,]}\"}\r\n]}\n";
        let mut lines = Lines::of(Body::from(text));
        let told = tokio::task::spawn_blocking(move || (lines.head().unwrap(), lines.collect::<Result<Vec<_>, _>>()));
        let (head, rows) = told.await.unwrap();
        assert_eq!(Value::Object(head).to_string(), "{\"total_rows\":2,\"offset\":0}");
        assert_eq!(rows.unwrap(), ["{\"id\":\"a\"}", "{\"id\":\"b,]}\"}"]);
    }
}
