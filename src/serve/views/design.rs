//! What of a design document makes its index, and the signature by which an index is known.

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::collation::Collation;
use crate::couch::term::Term;
use crate::hexadecimal;
use crate::json::Object;
use crate::serve::failure::Failure;

/// The views of a design document. Views with the same map function and options share their rows.
#[derive(Clone, Debug)]
pub struct Group {
    /// The `_id` of the design document.
    pub id: String,
    /// `javascript`, or `query` for the indexes of [`crate::serve::mango`].
    pub language: String,
    /// `views.lib`
    pub library: Option<Value>,
    /// In the order of CouchDB's index; their place is their number.
    pub views: Vec<View>,
    /// `options.include_design`: design documents are indexed as well.
    pub includes_design: bool,
    /// `options.local_seq`: documents have their sequence in `_local_seq`.
    pub has_local_sequence: bool,
    /// By CouchDB's rule: equal for whatever does not change the rows (names and order of other members).
    pub signature: String,
}

/// A map function with everything that is made of its rows.
#[derive(Clone, Debug)]
pub struct View {
    /// The source; an object for the language `query`.
    pub map: Value,
    /// The names under which there is no `reduce`.
    pub names: Vec<String>,
    /// Names and sources of what has a `reduce`.
    pub reduces: Vec<(String, String)>,
    /// `options` of the view.
    pub options: Object,
}

impl View {
    /// How its rows are ordered.
    pub fn collation(&self) -> Collation {
        if self.options.get("collation").and_then(Value::as_str) == Some("raw") {
            Collation::Raw
        } else {
            Collation::Unicode
        }
    }
}

/// A view by its name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'group> {
    /// Its number in the group.
    pub number: usize,
    /// The view.
    pub view: &'group View,
    /// The source of its `reduce`.
    pub reduce: Option<&'group str>,
}

impl Group {
    /// Reads a design document (its members; others than those of views do not matter).
    pub fn new(id: &str, members: &Object) -> Self {
        let empty = Object::new();
        let object = |name: &str| members.get(name).and_then(Value::as_object).unwrap_or(&empty);
        let (options, raw) = (object("options"), object("views"));
        let language = members.get("language").and_then(Value::as_str).unwrap_or("javascript").to_owned();
        let views = views(raw);
        let library = raw.get("lib").cloned();
        let signature = signature(&views, &language, options, library.as_ref());
        let is_set = |name: &str| options.get(name) == Some(&Value::Bool(true));
        let (includes_design, has_local_sequence) = (is_set("include_design"), is_set("local_seq"));
        Self { id: id.to_owned(), language, library, views, includes_design, has_local_sequence, signature }
    }

    /// Finds a view.
    ///
    /// # Errors
    /// 404 `missing_named_view`
    pub fn find(&self, name: &str) -> Result<Named<'_>, Failure> {
        let found = self.views.iter().enumerate().find_map(|(number, view)| {
            let reduce = view.reduces.iter().find(|(reduced, _)| reduced == name).map(|(_, source)| source.as_str());
            let is_named = reduce.is_some() || view.names.iter().any(|map| map == name);
            is_named.then_some(Named { number, view, reduce })
        });
        found.ok_or_else(|| Failure::not_found("missing_named_view"))
    }
}

fn views(raw: &Object) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    for (name, functions) in raw {
        let Some(map) = functions.get("map") else { continue };
        let options = functions.get("options").and_then(Value::as_object).cloned().unwrap_or_default();
        let known = views.iter().position(|view| view.map == *map && view.options == options);
        let at = known.unwrap_or_else(|| {
            views.push(View { map: map.clone(), names: Vec::new(), reduces: Vec::new(), options });
            views.len() - 1
        });
        match functions.get("reduce").and_then(Value::as_str) {
            Some(source) => views[at].reduces.insert(0, (name.clone(), source.to_owned())),
            None => views[at].names.insert(0, name.clone()),
        }
    }
    views.sort_by_cached_key(|view| {
        let mut key = Collation::Raw.key(&view.map);
        key.extend(Collation::Raw.key(&Value::Object(view.options.clone())));
        key
    });
    views
}

/// `couch_mrview_util:ddoc_to_mrst/2`: the md5 of `{Views, Language, Options, Library}` as a term.
fn signature(views: &[View], language: &str, options: &Object, library: Option<&Value>) -> String {
    let mut term = Term::new();
    let is_exact = write_signed(&mut term, views, language, options, library).is_ok();
    let mut bytes = term.into_bytes();
    if !is_exact {
        // Not CouchDB's, where a number is of a kind whose term is not known: any bytes that tell one from another.
        let views: Vec<_> =
            views.iter().map(|view| json!([view.names, view.reduces, view.map, view.options])).collect();
        bytes.extend(json!([views, language, options, library]).to_string().into_bytes());
    }
    let sum: [u8; 16] = Md5::digest(bytes).into();
    hexadecimal::encode(&sum)
}

fn write_signed(term: &mut Term, views: &[View], language: &str, options: &Object, library: Option<&Value>) -> Written {
    term.tuple(4);
    term.list(views.len(), |term| {
        for (number, view) in views.iter().enumerate() {
            term.tuple(9);
            term.atom("mrview");
            term.integer(i64::try_from(number).unwrap_or_default());
            term.integer(0);
            term.integer(0);
            term.list(view.names.len(), |term| {
                view.names.iter().for_each(|name| term.binary(name.as_bytes()));
                Ok(())
            })?;
            term.list(view.reduces.len(), |term| {
                for (name, source) in &view.reduces {
                    term.tuple(2);
                    term.binary(name.as_bytes());
                    term.binary(source.as_bytes());
                }
                Ok(())
            })?;
            term.value(&view.map)?;
            term.atom("nil");
            members(term, view.options.iter().collect())?;
        }
        Ok(())
    })?;
    term.binary(language.as_bytes());
    members(term, options.iter().collect())?;
    let empty = Object::new();
    sorted(term, library.and_then(Value::as_object).unwrap_or(&empty))
}

type Written = Result<(), crate::couch::term::Doubtful>;

fn members(term: &mut Term, members: Vec<(&String, &Value)>) -> Written {
    term.list(members.len(), |term| {
        members.into_iter().try_for_each(|(name, value)| {
            term.tuple(2);
            term.binary(name.as_bytes());
            term.value(value)
        })
    })
}

/// A library, sorted by names all the way down.
fn sorted(term: &mut Term, library: &Object) -> Written {
    let mut members: Vec<_> = library.iter().collect();
    members.sort_by_key(|(name, _)| name.as_bytes());
    term.list(members.len(), |term| {
        members.into_iter().try_for_each(|(name, value)| {
            term.tuple(2);
            term.binary(name.as_bytes());
            match value {
                Value::Object(inner) => sorted(term, inner),
                value => term.value(value),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str) -> Group {
        Group::new("_design/x", &serde_json::from_str(text).unwrap())
    }

    #[test]
    fn signatures_are_those_of_couchdb() {
        for (document, signature) in [
            (r#"{"language":"nope","views":{"m":{"map":"function(d){emit(1)}"}}}"#, "5b2c57c2a36305e5b85f9b469857d60a"),
            (
                r#"{"language":"query","views":{"m":{"map":{"fields":{"k":"asc"}},"reduce":"_count",
                    "options":{"def":{"fields":["k"]}}}}}"#,
                "a782bbaf356dc51252619f61175e1799",
            ),
            (
                r#"{"views":{"m":{"map":"function(d){emit(1)}","options":{"x":1}},"lib":{"a":"exports.x=1"},
                    "n":{"map":"function(d){emit(1)}","reduce":"_count"},"o":{"map":"function(d){emit(2)}"}},
                    "options":{"include_design":true,"local_seq":true}}"#,
                "4d0bc95852690adafe8a203f70dd2c5e",
            ),
        ] {
            assert_eq!(group(document).signature, signature, "{document}");
        }
    }

    #[test]
    fn what_makes_no_rows_is_no_part_of_the_signature() {
        let base = group(r#"{"views":{"m":{"map":"f"}}}"#).signature;
        for same in [
            r#"{"views":{"m":{"map":"f"}},"shows":{"a":"b"},"lists":{},"_attachments":{},"autoupdate":false}"#,
            r#"{"language":"javascript","views":{"m":{"map":"f"}}}"#,
            r#"{"views":{"m":{"map":"f"},"odd":{},"none":1}}"#,
        ] {
            assert_eq!(group(same).signature, base, "{same}");
        }
        for other in [
            r#"{"views":{"m":{"map":"f "}}}"#,
            r#"{"views":{"n":{"map":"f"}}}"#,
            r#"{"views":{"m":{"map":"f","reduce":"_sum"}}}"#,
            r#"{"views":{"m":{"map":"f"},"lib":{"a":"b"}}}"#,
            r#"{"views":{"m":{"map":"f"}},"options":{"local_seq":false}}"#,
        ] {
            assert_ne!(group(other).signature, base, "{other}");
        }
    }

    #[test]
    fn views_with_one_map_function_share_their_rows() {
        let group = group(r#"{"views":{"a":{"map":"f"},"b":{"map":"f","reduce":"_sum"},"c":{"map":"e"}}}"#);
        assert_eq!(group.views.len(), 2);
        assert_eq!(group.find("c").unwrap().number, 0);
        assert_eq!((group.find("a").unwrap().number, group.find("a").unwrap().reduce), (1, None));
        assert_eq!((group.find("b").unwrap().number, group.find("b").unwrap().reduce), (1, Some("_sum")));
        assert_eq!(group.find("lib").unwrap_err().status, 404);
    }
}
