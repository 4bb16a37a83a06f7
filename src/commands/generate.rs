//! `generate`: the manual as man pages or Markdown, for packages.

use std::path::Path;

use anyhow::Result;

use super::Context;
use crate::cli::{self, Generated};
use crate::exit::Exit;
use crate::local::{Destination, Existing, WriteOptions};
use crate::path::RelPath;

/// Prints the manual, or writes one man page per command into a folder.
pub(super) fn run(context: &Context, form: Generated, into: Option<&Path>) -> Result<Exit> {
    match (form, into) {
        (Generated::Markdown, _) => context.printer.data(cli::generate::markdown().as_bytes()),
        (Generated::Man, None) => {
            for (_, page) in cli::generate::man_pages()? {
                context.printer.data(&page);
            }
        }
        (Generated::Man, Some(folder)) => {
            let destination = Destination::create(folder)?;
            let options = WriteOptions { existing: Existing::Replace, ..WriteOptions::default() };
            for (name, page) in cli::generate::man_pages()? {
                destination.write(&RelPath::new(name)?, &page, options)?;
            }
        }
    }
    Ok(Exit::Ok)
}
