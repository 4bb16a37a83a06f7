//! Going on with an attachment where a broken connection ended.

use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, ETAG};

use super::client::{Reply, Request};
use super::target::Target;
use super::{CouchError, Database, Download};
use crate::name::{AttName, DocId, Revision};

impl Database {
    /// Reads one attachment of one revision from byte `offset` on, if it is still the one with this `etag` (CouchDB's is
    /// the base64 of the digest in quotes). [`Download::offset`] tells where the bytes begin: 0 when the content is
    /// another one, when it is stored compressed, and with servers that know no ranges (PouchDB).
    pub async fn attachment_from(
        &self,
        id: &DocId,
        name: &AttName,
        revision: &Revision,
        offset: u64,
        etag: &str,
    ) -> Result<Download, CouchError> {
        let target = Target::attachment(self.server().address(), self.name(), id, name).query("rev", revision.as_str());
        if offset == 0 || target.url().is_err() {
            return self.attachment(id, name, revision).await;
        }
        let mut request = Request::new(Method::GET, target, self.attachment_subject(id, name));
        request.accept = "*/*";
        // What is stored compressed comes whole, and shall come as stored.
        request.accept_encoding = "gzip";
        request.from = Some(offset);
        let answered = self.server().client.repeat(&request, |reply| async move { Ok(reply) }).await;
        let reply = match answered {
            // There is less of it than was said.
            Err(CouchError::Refused { source, .. }) if source.status == 416 => None,
            answered => Some(answered?),
        };
        match reply {
            Some(reply) if reply.status == 206 => match goes_on(&reply, offset, etag) {
                true => Ok(Download::from_url(reply, offset)),
                // CouchDB ignores `If-Range`, so that a part may be one of another content.
                false => self.attachment(id, name, revision).await,
            },
            Some(reply) => Ok(Download::from_url(reply, 0)),
            None => self.attachment(id, name, revision).await,
        }
    }
}

/// Whether a part begins where it should and is of the same content.
fn goes_on(reply: &Reply, offset: u64, etag: &str) -> bool {
    let begins = reply.header(&CONTENT_RANGE).and_then(|range| first_byte(&range));
    begins == Some(offset) && reply.header(&ETAG).as_deref() == Some(etag)
}

/// The 5 of `bytes 5-9/10`.
fn first_byte(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_part_is_found() {
        let cases = [
            ("bytes 5-9/10", Some(5)),
            ("bytes 0-0/*", Some(0)),
            ("bytes */10", None),
            ("bytes -5/10", None),
            ("items 5-9/10", None),
            ("bytes 99999999999999999999-9/10", None),
            ("", None),
        ];
        for (range, begins) in cases {
            assert_eq!(first_byte(range), begins, "{range:?}");
        }
    }
}
