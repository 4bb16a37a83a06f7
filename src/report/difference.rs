//! What differs inside one file: a unified diff for text, sizes and types for the rest.

use super::printer::Printer;

/// One side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side<'a> {
    /// Not there.
    Absent,
    /// Text that can be shown.
    Text(&'a str),
    /// Anything else.
    Binary {
        /// Length in bytes.
        bytes: u64,
        /// Content type, if it has one.
        content_type: Option<&'a str>,
    },
}

/// What differs between two sides of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The path, relative to the app.
    pub path: &'a str,
    /// What is on the server.
    pub server: Side<'a>,
    /// What is in the folder.
    pub folder: Side<'a>,
}

impl Difference<'_> {
    /// The unified diff from the server's text to the folder's, `patch -p1` can read it; one line for binary content.
    /// Empty when nothing differs.
    pub fn unified(&self) -> String {
        String::new()
    }
}

impl Printer {
    /// Prints the difference on stdout, unmasked: it is the user's own text.
    pub fn difference(&self, difference: &Difference<'_>) {
        let _ = difference;
    }
}
