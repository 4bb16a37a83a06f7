//! The `couchapp` member: what earlier pushes, of whatever tool, wrote about the folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::Value;

use super::Fingerprint;
use crate::hexadecimal;
use crate::json::Object;
use crate::name::AttName;

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
        match self {
            Self::Md5(recorded) => {
                let recorded = recorded.to_ascii_lowercase();
                Some(recorded == hexadecimal::encode(md5) || recorded == hex_unpadded(md5))
            }
            Self::Md5OfBase64(_) => None,
        }
    }
}

impl Recorded {
    /// Reads the metadata of couchapp, erica and npm couchapp. What has an unknown form is passed over.
    pub fn read(body: &Object) -> Self {
        let member = |name: &str| body.get("couchapp").and_then(|couchapp| couchapp.get(name));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut recorded = Self::default();
        if let Some(Value::Object(npm)) = body.get("attachments_md5") {
            let md5 = |entry: &Value| entry.get("md5").and_then(text).map(Signature::Md5OfBase64);
            recorded.signatures.extend(npm.iter().filter_map(|(name, entry)| Some((name.clone(), md5(entry)?))));
        }
        if let Some(Value::Object(signatures)) = member("signatures") {
            let md5 = |entry: &Value| text(entry).map(Signature::Md5);
            recorded.signatures.extend(signatures.iter().filter_map(|(name, entry)| Some((name.clone(), md5(entry)?))));
        }
        if let Some(Value::Array(manifest)) = member("manifest") {
            recorded.manifest.extend(manifest.iter().filter_map(text));
        }
        if let Some(Value::Object(objects)) = member("objects") {
            recorded.objects.extend(objects.iter().filter_map(|(key, source)| Some((key.clone(), text(source)?))));
        }
        recorded
    }

    /// The sources that `expanded` may have come from, best first. erica wrote them as base64.
    pub(super) fn sources_of(&self, expanded: &str) -> Vec<String> {
        let digest = md5_of(expanded.as_bytes());
        let found =
            self.objects.get(&hexadecimal::encode(&digest)).or_else(|| self.objects.get(&hex_unpadded(&digest)));
        let Some(source) = found else { return Vec::new() };
        let plain = STANDARD.decode(source).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        [Some(source.clone()), plain].into_iter().flatten().collect()
    }
}

/// Adds what the original couchapp needs to clone a document again. A `couchapp` that is no object is left alone.
pub(super) fn add(
    body: &mut Object,
    manifest: &[String],
    attachments: &BTreeMap<AttName, Fingerprint>,
    objects: Vec<(String, String)>,
) {
    if !body.contains_key("couchapp") {
        let after = body.keys().position(|key| key.as_str() > "couchapp").unwrap_or(body.len());
        body.shift_insert(after, "couchapp".to_owned(), Value::Object(Object::new()));
    }
    let Some(Value::Object(couchapp)) = body.get_mut("couchapp") else { return };
    let objects: BTreeMap<String, String> = objects
        .into_iter()
        .map(|(expanded, source)| (hexadecimal::encode(&md5_of(expanded.as_bytes())), source))
        .collect();
    let signatures =
        attachments.iter().map(|(name, print)| (name.to_string(), Value::from(hexadecimal::encode(&print.md5))));
    couchapp.insert("manifest".to_owned(), Value::from(manifest));
    couchapp.insert("objects".to_owned(), objects.into_iter().map(|(key, text)| (key, Value::from(text))).collect());
    couchapp.insert("signatures".to_owned(), signatures.collect());
}

/// Removes from a `couchapp` member what a push generates, and the sizes that couchapp wrote in 2009.
pub(super) fn remove_generated(couchapp: &mut Object) {
    couchapp.retain(|key, value| match key.as_str() {
        "manifest" | "objects" | "signatures" => false,
        "length" => !is_table_of_sizes(value),
        _ => true,
    });
}

/// The form of the old `couchapp.length`: attachment name → size. Any other `length` is somebody's data.
fn is_table_of_sizes(value: &Value) -> bool {
    value.as_object().is_some_and(|sizes| !sizes.is_empty() && sizes.values().all(Value::is_u64))
}

/// MD5 of `bytes`.
pub(super) fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// Hexadecimal as erica writes it: no leading zero in any byte.
pub(super) fn hex_unpadded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_all_tools_are_understood() {
        let digest = md5_of(b"a");
        assert_eq!(hexadecimal::encode(&digest), "0cc175b9c0f1b6a831c399e269772661");
        assert!(hex_unpadded(&digest).starts_with("cc175b9c0f1b6a8"));
        let body: Value = serde_json::json!({
            "couchapp": {"signatures": {"p": "0CC175B9C0F1B6A831C399E269772661", "e": hex_unpadded(&digest), "x": "no", "n": 5}},
            "attachments_md5": {"npm": {"revpos": 1, "md5": "abc"}, "odd": 5},
        });
        let recorded = Recorded::read(body.as_object().unwrap());
        let matches = |name: &str| recorded.signatures[name].matches(&digest);
        assert_eq!(
            (matches("p"), matches("e"), matches("x"), matches("npm")),
            (Some(true), Some(true), Some(false), None)
        );
        assert!(!recorded.signatures.contains_key("n") && !recorded.signatures.contains_key("odd"));
    }

    #[test]
    fn a_couchapp_member_that_is_no_object_has_no_metadata() {
        for value in [serde_json::json!(5), serde_json::json!([{"manifest": ["x"]}]), Value::Null] {
            let mut body = Object::from_iter([("couchapp".to_owned(), value.clone())]);
            assert_eq!(Recorded::read(&body), Recorded::default());
            add(&mut body, &["x".to_owned()], &BTreeMap::new(), Vec::new());
            assert_eq!(body["couchapp"], value);
        }
    }
}
