//! Relative, `/`-separated paths inside a folder.
//!
//! A [`RelPath`] cannot leave its root: it has no empty, `.` or `..` component, is never absolute and holds no NUL.
//! Whether every component can be *created on any system* is a different question; [`portable`] answers it.

use std::borrow::Borrow;
use std::fmt;

pub mod portable;

/// A path below some root: one or more components joined by `/`. Ordered by bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(String);

/// Why a text is not a [`RelPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path, or one of its components, is empty (`""`, `/a`, `a//b`, `a/`).
    #[error("has an empty component")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("has a `.` or `..` component")]
    DotComponent,
    /// The path holds a NUL character.
    #[error("holds a NUL character")]
    Nul,
}

impl RelPath {
    /// Checks `text` and takes it as a path.
    pub fn new(text: impl Into<String>) -> Result<Self, PathError> {
        let text = text.into();
        if text.contains('\0') {
            return Err(PathError::Nul);
        }
        for component in text.split('/') {
            match component {
                "" => return Err(PathError::EmptyComponent),
                "." | ".." => return Err(PathError::DotComponent),
                _ => {}
            }
        }
        Ok(Self(text))
    }

    /// The path as text, components joined by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, first to last; never empty.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// How many components there are (at least 1).
    pub fn depth(&self) -> usize {
        self.components().count()
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The first component.
    pub fn first(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
    }

    /// The path without its last component; `None` for a single component.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Every proper prefix, shortest first: `a/b/c` gives `a`, `a/b`.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }

    /// This path followed by `rest`.
    pub fn join(&self, rest: &str) -> Result<Self, PathError> {
        Self::new(format!("{}/{rest}", self.0))
    }

    /// What remains of this path below `folder`; `None` when it is not below it.
    pub fn below(&self, folder: &str) -> Option<Self> {
        let rest = self.0.strip_prefix(folder)?.strip_prefix('/')?;
        Some(Self(rest.to_owned()))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for RelPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for RelPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_whatever_could_leave_the_root() {
        let cases = [
            ("", PathError::EmptyComponent),
            ("/etc/passwd", PathError::EmptyComponent),
            ("a//b", PathError::EmptyComponent),
            ("a/", PathError::EmptyComponent),
            (".", PathError::DotComponent),
            ("..", PathError::DotComponent),
            ("../x", PathError::DotComponent),
            ("a/../b", PathError::DotComponent),
            ("a/./b", PathError::DotComponent),
            ("a\0b", PathError::Nul),
        ];
        for (text, error) in cases {
            assert_eq!(RelPath::new(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn takes_paths_apart_and_together() {
        let path = RelPath::new("views/by_date/map.js").unwrap();
        assert_eq!(path.name(), "map.js");
        assert_eq!(path.first(), "views");
        assert_eq!(path.depth(), 3);
        assert_eq!(path.parent().unwrap().as_str(), "views/by_date");
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["views", "views/by_date"]);
        assert_eq!(path.below("views").unwrap().as_str(), "by_date/map.js");
        assert_eq!(path.below("view"), None);
        assert_eq!(RelPath::new("a").unwrap().parent(), None);
        assert_eq!(RelPath::new("a").unwrap().join("b/c").unwrap().as_str(), "a/b/c");
    }
}
