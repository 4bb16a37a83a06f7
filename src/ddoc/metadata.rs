//! The `couchapp` member: what earlier pushes, of whatever tool, wrote about the folder.

use std::collections::BTreeMap;

use crate::json::Object;

/// What a document tells about the folder it was pushed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// `couchapp.manifest`: field files, and folders with a final `/`.
    pub manifest: Vec<String>,
    /// Attachment names with the signature of their bytes.
    pub signatures: BTreeMap<String, Signature>,
    /// Hex MD5 of an expanded function → its source.
    pub objects: BTreeMap<String, String>,
}

/// A digest of an attachment, as some tool recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// `couchapp.signatures`: hex MD5 of the bytes; erica's lacks the leading zero of each byte.
    Md5(String),
    /// npm couchapp's `attachments_md5`: hex MD5 of the base64 text of the bytes.
    Md5OfBase64(String),
}

impl Signature {
    /// Whether the attachment with this MD5 is the recorded one; `None` when that takes more than the MD5
    /// ([`Signature::Md5OfBase64`]: compare with the hex MD5 of the base64 text).
    pub fn matches(&self, md5: &[u8; 16]) -> Option<bool> {
        let _ = md5;
        unimplemented!()
    }
}

impl Recorded {
    /// Reads the metadata of couchapp, erica and npm couchapp. What has an unknown form is passed over.
    pub fn read(body: &Object) -> Self {
        let _ = body;
        unimplemented!()
    }
}
