//! `generate`: the manual as man pages or Markdown, for packages.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::Context;
use crate::cli::{self, Generated};
use crate::exit::Exit;
use crate::local;

/// Prints the manual, or writes one man page per command into a folder.
pub(super) fn run(context: &Context, form: Generated, into: Option<&Path>) -> Result<Exit> {
    let pages = pages(&cli::command());
    match (form, into) {
        (Generated::Markdown, _) => {
            let text: String = pages.iter().map(|(name, command)| markdown(name, command)).collect();
            context.printer.data(text.as_bytes());
        }
        (Generated::Man, None) => {
            for (name, command) in &pages {
                context.printer.data(&man(name, command)?);
            }
        }
        (Generated::Man, Some(folder)) => {
            let destination = local::Destination::create(folder)?;
            let options = local::WriteOptions { existing: local::Existing::Replace, ..local::WriteOptions::default() };
            for (name, command) in &pages {
                let path = crate::path::RelPath::new(format!("{}.1", name.replace(' ', "-")))?;
                destination.write(&path, &man(name, command)?, options)?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// Every command that is not hidden, with its full name, parents first.
fn pages(root: &clap::Command) -> Vec<(String, clap::Command)> {
    fn collect(name: &str, command: &clap::Command, pages: &mut Vec<(String, clap::Command)>) {
        pages.push((name.to_owned(), command.clone()));
        for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
            collect(&format!("{name} {}", child.get_name()), child, pages);
        }
    }
    let mut built = root.clone();
    built.build();
    let mut pages = Vec::new();
    collect("couchapp", &built, &mut pages);
    pages.retain(|(name, _)| !name.split(' ').any(|part| part == "help"));
    pages
}

fn man(name: &str, command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let title = name.replace(' ', "-");
    clap_mangen::Man::new(command.clone().name(title)).render(&mut page)?;
    Ok(page)
}

fn markdown(name: &str, command: &clap::Command) -> String {
    let mut text = String::new();
    let help = command.clone().render_long_help();
    // Writing to a String cannot fail.
    let _ = write!(text, "## {name}\n\n```text\n{}\n```\n\n", help.to_string().trim_end());
    text
}
