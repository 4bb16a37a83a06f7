//! `init`: the first files of an app.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::local::{self, Destination, Existing, Folder, Links, WriteOptions};
use crate::name::DbName;
use crate::path::RelPath;
use crate::settings::command::InitSettings;
use crate::settings::import::import;

mod templates;

/// A template of the user's own may have files up to this many bytes.
const TEMPLATE_LIMIT: u64 = 16 << 20;

/// Writes the files; nothing that exists is overwritten.
pub(super) fn run(context: &Context, command: &InitSettings) -> Result<Exit> {
    if command.import_rc {
        return convert(context, command);
    }
    refuse_inside_an_app(&command.folder)?;
    let files = files(context, command)?;
    let occupied = match local::kind(&command.folder)? {
        None => Vec::new(),
        Some(local::Kind::Folder) => {
            let destination = Destination::open(&command.folder)?;
            let taken = |path: &&RelPath| destination.exists(path).unwrap_or(true);
            files.iter().map(|(path, _)| path).filter(taken).map(ToString::to_string).collect()
        }
        Some(_) => vec![command.shown.clone()],
    };
    if !occupied.is_empty() {
        let failure = Failure::new(Exit::Refused, format!("some files exist already in `{}`", command.shown));
        return Err(failure.details(occupied).hint("nothing was written; choose another folder").into());
    }
    let count = files.len();
    let fields = Map::from_iter([
        ("folder".to_owned(), Value::from(command.shown.as_str())),
        ("files".to_owned(), Value::from(count)),
    ]);
    if context.settings.dry_run {
        for (path, _) in &files {
            context.printer.note(&format!("  + {path}"));
        }
        context.printer.summary(&format!("Would create {} with {count} files", folder_name(&command.shown)), fields);
        return Ok(Exit::Ok);
    }
    let destination = Destination::create(&command.folder)?;
    for (path, bytes) in &files {
        destination.write(path, bytes, WriteOptions::default())?;
    }
    context.printer.summary(&format!("Created {} with {count} files", folder_name(&command.shown)), fields);
    let configuration = Path::new(&command.shown).join("couchapp.toml");
    context.printer.note(&format!("next: look at {}, then push from inside the folder", configuration.display()));
    Ok(Exit::Ok)
}

fn folder_name(shown: &str) -> String {
    format!("{}/", shown.trim_end_matches('/'))
}

fn refuse_inside_an_app(folder: &Path) -> Result<()> {
    const SIGNS: [&str; 4] = ["couchapp.toml", ".couchapprc", "_id", ".couchapp"];
    let Some(app) = local::find_up(folder, &SIGNS) else { return Ok(()) };
    let message = format!("`{}` is an app already", app.display());
    Err(Failure::new(Exit::Refused, message)
        .hint("nothing was written; start the new app in a folder outside of it")
        .into())
}

/// The files of the template with the app's name filled in.
fn files(context: &Context, command: &InitSettings) -> Result<Vec<(RelPath, Vec<u8>)>> {
    let name = name(&command.folder);
    let template = command.template.as_deref().unwrap_or(templates::DEFAULT);
    if let Some(folder) = own_template(context, template)? {
        return read_template(&folder);
    }
    let built_in = templates::BUILT_IN.iter().find(|(known, _)| *known == template);
    let Some((_, files)) = built_in else {
        let known: Vec<&str> = templates::BUILT_IN.iter().map(|(name, _)| *name).collect();
        let failure = Failure::new(Exit::Usage, format!("there is no template `{template}`"));
        let hint = format!(
            "built in are {}; your own go into couchapp/templates/NAME beside the user's config.toml",
            known.join(", ")
        );
        return Err(failure.hint(hint).into());
    };
    files.iter().map(|(path, text)| Ok((RelPath::new(*path)?, text.replace("NAME", &name).into_bytes()))).collect()
}

/// What the folder is called, as far as a database can be called so.
fn name(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    if DbName::new(name.as_str()).is_ok() { name } else { format!("app-{name}").trim_end_matches('-').to_owned() }
}

/// The user's own template of this name, if there is one.
fn own_template(context: &Context, template: &str) -> Result<Option<std::path::PathBuf>> {
    if RelPath::new(template).is_err() {
        return Ok(None);
    }
    let folder = context.environment.config_folder().map(|folder| folder.join("templates").join(template));
    match folder {
        Some(folder) if local::kind(&folder)? == Some(local::Kind::Folder) => Ok(Some(folder)),
        _ => Ok(None),
    }
}

fn read_template(root: &Path) -> Result<Vec<(RelPath, Vec<u8>)>> {
    let folder = Folder::open(root, Links::Inside)?;
    let listing = folder.walk(&crate::filter::Rules::none())?;
    let read = |entry: &local::FileEntry| Ok((entry.path.clone(), folder.read(&entry.path, TEMPLATE_LIMIT)?));
    listing.files.iter().map(read).collect()
}

/// `--import-rc`: couchapp.toml from the old configuration.
fn convert(context: &Context, command: &InitSettings) -> Result<Exit> {
    let Some(imported) = import(&command.folder, &context.environment)? else {
        let message = format!("`{}` has no .couchapprc and no couchapp.json with an `env`", command.shown);
        return Err(Failure::new(Exit::Missing, message).into());
    };
    for left_out in &imported.left_out {
        context.printer.warning("left_out", left_out);
    }
    if context.settings.dry_run {
        context.printer.answer(imported.toml.trim_end());
        return Ok(Exit::Ok);
    }
    let destination = Destination::open(&command.folder)?;
    let options = WriteOptions { existing: Existing::Refuse, ..WriteOptions::default() };
    destination.write(&RelPath::new("couchapp.toml")?, imported.toml.as_bytes(), options)?;
    context.printer.summary("Wrote couchapp.toml; the old file is as it was", Map::new());
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_can_be_called_like_the_folder() {
        for (folder, expected) in
            [("/a/blog", "blog"), ("/a/My Blog", "my-blog"), ("/a/2010", "app-2010"), ("/", "app")]
        {
            assert_eq!(name(Path::new(folder)), expected);
            assert!(DbName::new(name(Path::new(folder))).is_ok());
        }
    }

    #[test]
    fn the_templates_are_apps() {
        for (name, files) in templates::BUILT_IN {
            assert!(files.iter().any(|(path, _)| *path == "couchapp.toml"), "{name}");
            assert!(files.iter().all(|(path, _)| RelPath::new(*path).is_ok()), "{name}");
        }
    }
}
