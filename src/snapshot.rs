//! Both sides as they are now, read before anything is planned: the folder, and the document on the server.

mod app;
pub mod attachments;
mod comparison;
pub mod library;
pub mod tree;
mod unchanged;

pub use app::{App, FolderFiles, LoadError, LoadOptions, LocalAttachment, LocalDocument, designs, folder_files, load};
pub use comparison::{Compared, Sides, compare};

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::address::Address;
use crate::couch::Document;
use crate::hexadecimal;
use crate::json::Object;
use crate::local::{Base, Kept};

/// What a path typed by an author may hold in a URL; the rest is encoded.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'}');

/// Where the app opens: at `couchapp.index`, at its rewrites, or at `index.html`; `None` when it has no page.
pub fn app_url(address: &Address, document: &Document) -> Option<String> {
    let has_index_page = document.attachments.iter().any(|(name, _)| name.as_str() == "index.html");
    app_page(&document.body, has_index_page).map(|page| format!("{address}/{}", utf8_percent_encode(&page, PATH)))
}

fn app_page(body: &Object, has_index_page: bool) -> Option<String> {
    let index = body.get("couchapp").and_then(|metadata| metadata.get("index")).and_then(Value::as_str);
    let rewrites = match body.get("rewrites") {
        Some(Value::Array(rules)) => !rules.is_empty(),
        Some(Value::String(function)) => !function.is_empty(),
        _ => false,
    };
    match index.map(|index| index.trim_start_matches('/')).filter(|index| !index.is_empty()) {
        Some(index) => Some(index.to_owned()),
        None if rewrites => Some("_rewrite/".to_owned()),
        None => has_index_page.then(|| "index.html".to_owned()),
    }
}

/// The document as this push or clone leaves it, to be remembered as the base of the next one. `md5` gives the md5 of
/// an attachment's content where it was seen.
pub fn base_of(
    address: &Address,
    instance_start_time: &str,
    document: &Document,
    md5: &dyn Fn(&crate::name::AttName) -> Option<[u8; 16]>,
) -> Base {
    let attachments = document.attachments.iter().map(|(name, stub)| {
        let entry = crate::local::BaseAttachment {
            md5: md5(name).map(|md5| hexadecimal::encode(&md5)),
            length: stub.length,
            digest: attachments::stored(stub),
            content_type: stub.content_type.clone(),
            encoding: stub.encoding.clone(),
        };
        (name.to_string(), entry)
    });
    Base {
        target: address.to_string(),
        instance_start_time: instance_start_time.to_owned(),
        revision: document.revision.clone(),
        body: document.body.clone(),
        attachments: attachments.collect(),
        kept: Kept::default(),
        adopted: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_app_opens_at_its_index_its_rewrites_or_its_page() {
        let cases = [
            (json!({"couchapp": {"index": "/_list/images/main"}}), true, Some("_list/images/main")),
            (json!({"couchapp": {"index": ""}, "rewrites": [{}]}), true, Some("_rewrite/")),
            (json!({"rewrites": []}), true, Some("index.html")),
            (json!({"couchapp": 5}), false, None),
        ];
        for (body, has_index_page, page) in cases {
            assert_eq!(app_page(body.as_object().unwrap(), has_index_page).as_deref(), page, "{body}");
        }
    }
}
