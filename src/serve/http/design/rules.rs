//! Rules that rewrite a path: `from`, `to`, `method`, `query` and `formats`, with variables `:name` and a last `*`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::http::body;
use crate::serve::http::request::Query;

/// Parameters whose values are JSON.
const KEYS: [&str; 6] = ["key", "startkey", "start_key", "endkey", "end_key", "keys"];

/// A segment of a path in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    /// `:name`, and `*` by that name.
    Variable(String),
}

impl Part {
    fn is_rest(&self) -> bool {
        *self == Self::Variable("*".to_owned())
    }
}

struct Rule<'a> {
    from: Vec<Part>,
    to: Vec<Part>,
    method: Option<&'a Value>,
    query: Option<&'a Object>,
    formats: Option<&'a Object>,
}

/// What variables and parameters stand for; the first of a name counts.
type Bindings = Vec<(String, Value)>;

/// The relative target for a request, by the first rule that fits.
pub(super) fn apply(rules: &[Value], method: &str, path: &[&str], query: &Query) -> Result<String, Failure> {
    let query = query.0.iter().map(decoded).collect::<Result<Bindings, Failure>>()?;
    let rules = rules.iter().filter_map(Value::as_object).map(Rule::new).collect::<Result<Vec<_>, Failure>>()?;
    for rule in rules {
        if rule.method.is_some_and(|wanted| wanted != method && wanted != "*") {
            continue;
        }
        if let Some((rest, mut bindings)) = bind(&rule.from, path) {
            bindings.extend(query);
            return rule.target(bindings, rest);
        }
    }
    Err(Failure::not_found("missing"))
}

fn decoded((name, text): &(String, String)) -> Result<(String, Value), Failure> {
    let value = if KEYS.contains(&name.as_str()) { body::parse(text.as_bytes())? } else { text.as_str().into() };
    Ok((name.clone(), value))
}

/// Fits a path to a pattern: what is left for a last `*`, and the variables, the last one first.
fn bind<'path>(pattern: &[Part], path: &'path [&'path str]) -> Option<(&'path [&'path str], Bindings)> {
    let mut bindings = Bindings::new();
    let mut left = path;
    for (at, part) in pattern.iter().enumerate() {
        if part.is_rest() && at + 1 == pattern.len() {
            bindings.reverse();
            return Some((left, bindings));
        }
        let (first, rest) = left.split_first()?;
        match part {
            Part::Variable(name) => bindings.push((name.clone(), (*first).into())),
            Part::Plain(plain) if plain == first => {}
            Part::Plain(_) => return None,
        }
        left = rest;
    }
    bindings.reverse();
    left.is_empty().then_some((left, bindings))
}

impl<'a> Rule<'a> {
    fn new(rule: &'a Object) -> Result<Self, Failure> {
        let path = |name: &str| rule.get(name).map(|path| parts(path.as_str().unwrap_or_default())).transpose();
        let object = |name: &str| rule.get(name).and_then(Value::as_object);
        Ok(Self {
            from: path("from")?.unwrap_or_else(|| vec![Part::Variable("*".to_owned())]),
            to: path("to")?.ok_or_else(|| Failure::new(500, "error", "invalid_rewrite_target"))?,
            method: rule.get("method"),
            query: object("query"),
            formats: object("formats"),
        })
    }

    fn target(&self, bindings: Bindings, rest: &[&str]) -> Result<String, Failure> {
        let mut query: Bindings = self
            .query
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), self.replaced(value, &bindings)))
            .collect();
        query.reverse();
        let mut last: Bindings =
            bindings.into_iter().filter(|(name, _)| query.iter().all(|(known, _)| known != name)).collect();
        last.append(&mut query);
        let mut path = Vec::new();
        for part in &self.to {
            match part {
                part if part.is_rest() => {
                    path.extend(rest.iter().map(|segment| quote(segment)));
                    break;
                }
                Part::Plain(plain) => path.push(quote(plain)),
                Part::Variable(name) => path.push(match find(&last, name) {
                    None => "undefined".to_owned(),
                    Some(value) => quote(&text(value)?),
                }),
            }
        }
        let parameters = last.iter().rev().filter(|(name, _)| name != "*").map(|(name, value)| {
            let value = if KEYS.contains(&name.as_str()) { value.to_string() } else { text(value)? };
            Ok(format!("{}={}", quote(name), quote(&value)))
        });
        let parameters = parameters.collect::<Result<Vec<_>, Failure>>()?;
        let mark = if parameters.is_empty() { "" } else { "?" };
        Ok(format!("{}{mark}{}", path.join("/"), parameters.join("&")))
    }

    /// A parameter of the rule, its variables replaced.
    fn replaced(&self, value: &Value, bindings: &Bindings) -> Value {
        match value {
            Value::String(name) => match variable(name) {
                Some(name) => self.value(name, bindings).unwrap_or_else(|| value.clone()),
                None => value.clone(),
            },
            Value::Array(items) => items
                .iter()
                .map(|item| match item.as_str().and_then(|name| name.strip_prefix(':')) {
                    Some(name) => self.value(name, bindings).unwrap_or_else(|| item.clone()),
                    None => item.clone(),
                })
                .collect(),
            other => other.clone(),
        }
    }

    fn value(&self, name: &str, bindings: &Bindings) -> Option<Value> {
        let value = find(bindings, name)?;
        let format = self.formats.and_then(|formats| formats.get(name)).and_then(Value::as_str);
        Some(match (format, value) {
            (Some("int"), Value::String(text)) => text.parse::<i64>().map_or_else(|_| value.clone(), Value::from),
            (Some("bool"), Value::String(text)) => match text.to_lowercase().as_str() {
                "true" => true.into(),
                "false" => false.into(),
                _ => value.clone(),
            },
            _ => value.clone(),
        })
    }
}

fn variable(text: &str) -> Option<&str> {
    if text == "*" { Some(text) } else { text.strip_prefix(':') }
}

fn find<'a>(bindings: &'a Bindings, name: &str) -> Option<&'a Value> {
    bindings.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Only texts (and lists of them) can stand in a path or a parameter.
fn text(value: &Value) -> Result<String, Failure> {
    let refuse = || Failure::new(500, "unknown_error", "badarg");
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(items) => items.iter().map(text).collect(),
        _ => Err(refuse()),
    }
}

fn parts(path: &str) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    let mut up = 0;
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if segment == ".." {
            up += 1;
            if up > 2 {
                // A rule may reach what is in its own database, and no other.
                return Err(Failure::new(500, "insecure_rewrite_rule", "too many ../.. segments"));
            }
        }
        parts.push(match variable(segment) {
            Some(name) => Part::Variable(name.to_owned()),
            None => Part::Plain(segment.to_owned()),
        });
    }
    Ok(parts)
}

/// Escapes as forms do: a space is `+`.
pub(super) fn quote(text: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
    utf8_percent_encode(text, ESCAPED).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn applied(rules: &Value, target: &str) -> Result<String, (u16, String)> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = crate::serve::http::path::segments(path).unwrap();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        apply(rules.as_array().unwrap(), "GET", &path, &Query::parse(query))
            .map_err(|failure| (failure.status.as_u16(), failure.reason.unwrap_or_default()))
    }

    /// What CouchDB 3.5 made of these: its `raw_path` behind the design document's own.
    #[test]
    fn rules_make_couchdbs_targets() {
        let missing = Err((404, "missing".to_owned()));
        let good = |target: &str| Ok(target.to_owned());
        let one = |from: &str, to: &str| json!([{ "from": from, "to": to }]);
        let cases = [
            (one("/a", "../s/e"), "/a", good("../s/e")),
            (one("/a", "../s/e"), "//a/", good("../s/e")),
            (one("/a", "../s/e"), "/b", missing.clone()),
            (one("/a", "../s/e"), "", missing.clone()),
            (one("/a", "../s/e"), "/a?x=y", good("../s/e?x=y")),
            (one("/a", "../s/e"), "/a%2Fb", missing.clone()),
            (one("", "../s/e"), "/", good("../s/e")),
            (one("", "../s/e"), "/x", missing.clone()),
            (one("/a/:id", "e/:id"), "/a/d1", good("e/d1?id=d1")),
            (one("/a/:id", "e/:id"), "/a", missing.clone()),
            (one("/a/:id", "e/:id"), "/a/d1/x", missing.clone()),
            (one("/a/:id", "e/:id"), "/a/d%201?q=1", good("e/d+1?q=1&id=d+1")),
            (one("/a/:id", "e/:id"), "/a/a%2Fb", good("e/a%2Fb?id=a%2Fb")),
            (one("/a/*", "e/*"), "/a/d1/x", good("e/d1/x")),
            (one("/a/*", "e/*"), "/a", good("e")),
            (one("/*", "e/*"), "/a?x=1&x=2", good("e/a?x=2&x=1")),
            (json!([{ "to": "e" }]), "/a/d1", good("e")),
            (one("/x/:a/:a", "e/:a"), "/x/1/2", good("e/2?a=1&a=2")),
            (one("/x/:a", "e/:b"), "/x/1", good("e/undefined?a=1")),
            (one("/x/:a", "e/:b"), "/x/1?b=c", good("e/c?b=c&a=1")),
            (one("/x y/é", "e/x y"), "/x%20y/%C3%A9", good("e/x+y")),
            (one("/v", "v"), "/v?key=%22d1%22", good("v?key=%22d1%22")),
            (one("/v", "v"), "/v?key=bad", Err((400, "invalid UTF-8 JSON".to_owned()))),
            (
                json!([{ "from": "/v", "to": "v", "query": { "key": ["d1", 1] } }]),
                "/v",
                good("v?key=%5B%22d1%22%2C1%5D"),
            ),
            (json!([{ "from": "/v", "to": "v", "query": { "limit": "1" } }]), "/v?limit=2", good("v?limit=1")),
            (
                json!([{ "from": "/v/:k", "to": "v", "query": { "key": [":k", {}] }, "formats": { "k": "int" } }]),
                "/v/12",
                good("v?key=%5B12%2C%7B%7D%5D&k=12"),
            ),
            (json!([{ "from": "/v", "to": "v", "query": { "n": 5 } }]), "/v", Err((500, "badarg".to_owned()))),
            (json!([{ "from": "/x" }]), "/y", Err((500, "invalid_rewrite_target".to_owned()))),
            (json!([5]), "/x", missing.clone()),
            (one("/up", "../../../x"), "/up", Err((500, "too many ../.. segments".to_owned()))),
            (json!([{ "from": "/m", "to": "p", "method": "POST" }, { "from": "/m", "to": "g" }]), "/m", good("g")),
        ];
        for (rules, target, expected) in cases {
            assert_eq!(applied(&rules, target), expected, "{rules} {target}");
        }
    }
}
