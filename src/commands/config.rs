//! `config show`: every setting, and where it comes from.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use crate::exit::Exit;

/// Prints the settings; with `origin` the place each of them was set.
pub(super) fn run(context: &Context, origin: bool) -> Result<Exit> {
    let shown = &context.settings.shown;
    let width = shown.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
    for setting in shown {
        let mut line = format!("{:width$}  {}", setting.key, setting.value);
        if origin {
            line = format!("{line}  ({})", setting.origin);
        }
        context.printer.answer(&line);
    }
    let settings = shown.iter().map(|setting| {
        let entry = [("value", &setting.value), ("origin", &setting.origin.to_string())]
            .map(|(key, text)| (key.to_owned(), Value::from(text.as_str())));
        (setting.key.clone(), Value::Object(Map::from_iter(entry)))
    });
    let fields = Map::from_iter([("settings".to_owned(), Value::Object(settings.collect()))]);
    context.printer.document("config", fields);
    Ok(Exit::Ok)
}
