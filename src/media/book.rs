//! ePub: title and author from the package document inside.
//!
//! An ePub is a zip archive whose `META-INF/container.xml` names the package document
//! ([OCF](https://www.w3.org/TR/epub-33/#sec-container-metainf)). Two entries are read, each up to a fixed size, so
//! that it does not matter how large the others claim to be.

use roxmltree::{Document, ParsingOptions};

use super::archive::Archive;
use super::bounded::{USUAL, Window};
use super::facts::{AnySource, Facts};

/// The elements of Dublin Core.
const DUBLIN_CORE: &str = "http://purl.org/dc/elements/1.1/";

/// Bytes of `container.xml`, which holds one line of use.
const LONGEST_CONTAINER: u64 = 64 << 10;
/// Bytes of a package document, which lists every file of the book.
const LONGEST_PACKAGE: u64 = 2 << 20;
/// Elements and texts of a package document.
const MOST_NODES: u32 = 60_000;
/// Authors that are named.
const MOST_AUTHORS: usize = 5;

/// `title` and `author`.
pub(super) fn describe(source: AnySource, length: u64, facts: &mut Facts) -> Option<()> {
    let mut archive = Archive::new(Window::buffered(source, length, USUAL).ok()?, length)?;
    let container = text(archive.read("META-INF/container.xml", LONGEST_CONTAINER)?)?;
    let container = parse(&container)?;
    let root = container.descendants().find(|node| node.tag_name().name() == "rootfile")?;
    let package = text(archive.read(root.attribute("full-path")?, LONGEST_PACKAGE)?)?;
    let package = parse(&package)?;
    let texts = |name: &'static str| {
        let nodes = package.descendants().filter(move |node| node.has_tag_name((DUBLIN_CORE, name)));
        nodes.filter_map(|node| node.text()).map(str::trim).filter(|text| !text.is_empty())
    };
    facts.text("title", texts("title").next().unwrap_or_default());
    facts.text("author", &texts("creator").take(MOST_AUTHORS).collect::<Vec<_>>().join(", "));
    Some(())
}

/// XML in UTF-8, as nearly every book has it.
fn text(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Without entities of its own making, which could multiply.
fn parse(text: &str) -> Option<Document<'_>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).ok()
}
