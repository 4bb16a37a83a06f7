//! Which names can be created on every system, and how the others are escaped. Pure.
//!
//! A server stores nearly any text as a name: `../../x`, `C:\x`, `NUL`, control characters. A tree that is cloned on one
//! system ends on another, so the rule is the same everywhere: a name is taken as it is when every common system can
//! hold it, and is otherwise refused, or escaped when the user asks for that. Names that another program would *act* on
//! (`.git/config`, `.couchapprc` with its hooks) count as unportable too.
//!
//! Names are judged as sets ([`plan_paths`]) before the first byte is written: two harmless names can clash with each
//! other. An escaped name is a place to put the bytes, not a name to push: the caller keeps the true names beside it.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

use super::RelPath;

mod escape;
mod set;

pub use set::{Refusal, clashes, plan_paths};

/// The longest component that common file systems hold, in bytes of UTF-8.
pub const MAX_COMPONENT: usize = 255;

/// The longest path that common systems take, in bytes of UTF-8.
pub const MAX_PATH: usize = 4096;

/// `< > " | ? *` are ordinary characters everywhere but on Windows, where no file can have them.
const FORBIDDEN_HERE: &str = if cfg!(windows) { "<>\"|?*" } else { "" };

/// Why a name cannot be used for a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unportable {
    /// The name, or one of its components, is empty (`""`, `a//b`, `a/`, `/a`).
    #[error("has an empty part")]
    Empty,
    /// A component is `.` or `..`.
    #[error("has a `.` or `..` part, which means another folder")]
    Dot,
    /// A `/` inside something that must be a single component.
    #[error("has a `/`, which separates folders")]
    Slash,
    /// A `\`, which separates folders on Windows.
    #[error("has a `\\`, which separates folders on Windows")]
    Backslash,
    /// A `:`, which names a drive or a stream on Windows.
    #[error("has a `:`, which means a drive or a stream on Windows")]
    Colon,
    /// One of `< > " | ? *`; judged on Windows only.
    #[error("has one of `< > \" | ? *`, which no file can have on this system")]
    Forbidden,
    /// A control character: C0, DEL or C1.
    #[error("has a control character")]
    Control,
    /// A device of Windows (`CON`, `nul.txt`, `COM1`), whatever the extension.
    #[error("is the name of a device on Windows")]
    Device,
    /// A component ends with a dot or a space, which Windows drops.
    #[error("has a part that ends with a dot or a space, which Windows drops")]
    TrailingDotOrSpace,
    /// A component is longer than [`MAX_COMPONENT`] bytes.
    #[error("has a part longer than 255 bytes")]
    ComponentTooLong,
    /// The path is longer than [`MAX_PATH`] bytes.
    #[error("is longer than 4096 bytes")]
    PathTooLong,
    /// A component that another program, or this one, would act on: `.git` and `.hg`, whose settings name programs to
    /// run, `.couchapp`, `.couchapprc`.
    #[error("has a part that other programs act on (`.git`, `.hg`, `.couchapp`, `.couchapprc`)")]
    ActedOn,
    /// The same file as `with` where upper and lower case, or the two spellings of an accent, do not count.
    #[error("is the same file as `{}` on systems that ignore case", for_display(.with))]
    Clash {
        /// The earlier name.
        with: String,
    },
    /// Below `with`, which is a file.
    #[error("is below `{}`, which is a file", for_display(.with))]
    BelowFile {
        /// The name that would have to be a file and a folder.
        with: String,
    },
}

/// Whether `component` can be the name of a file or folder on every system.
pub fn judge_component(component: &str) -> Result<(), Unportable> {
    if component.is_empty() {
        return Err(Unportable::Empty);
    }
    if component == "." || component == ".." {
        return Err(Unportable::Dot);
    }
    for character in component.chars() {
        match character {
            '/' => return Err(Unportable::Slash),
            '\\' => return Err(Unportable::Backslash),
            ':' => return Err(Unportable::Colon),
            _ if character.is_control() => return Err(Unportable::Control),
            _ if FORBIDDEN_HERE.contains(character) => return Err(Unportable::Forbidden),
            _ => {}
        }
    }
    if is_acted_on(component) {
        return Err(Unportable::ActedOn);
    }
    if is_device(component) {
        return Err(Unportable::Device);
    }
    if component.ends_with(['.', ' ']) {
        return Err(Unportable::TrailingDotOrSpace);
    }
    if component.len() > MAX_COMPONENT {
        return Err(Unportable::ComponentTooLong);
    }
    Ok(())
}

/// Takes `name`, components separated by `/`, as a path that can be created on every system.
pub fn judge(name: &str) -> Result<RelPath, Unportable> {
    if name.len() > MAX_PATH {
        return Err(Unportable::PathTooLong);
    }
    name.split('/').try_for_each(judge_component)?;
    // Every component was judged, so nothing is left that could refuse it.
    RelPath::new(name).map_err(|_| Unportable::Empty)
}

/// Takes `name` as a path that this system can hold, for files that stay on it.
///
/// On Unix `CON`, `a:b` and `a\b` are ordinary names; what no system can hold, control characters, and what other programs
/// act on is refused all the same. On Windows this is [`judge`].
pub fn judge_here(name: &str) -> Result<RelPath, Unportable> {
    if cfg!(windows) {
        return judge(name);
    }
    if name.len() > MAX_PATH {
        return Err(Unportable::PathTooLong);
    }
    name.split('/').try_for_each(hold_here)?;
    RelPath::new(name).map_err(|_| Unportable::Empty)
}

/// `text` as one component that every system can hold: every byte that offends as `%XX`, and `%` as `%25`.
///
/// Different texts give different components, up to those that are so long that a hash stands for their end.
pub fn escaped_component(text: &str) -> String {
    escape::component(text)
}

/// [`judge_component`] for Unix alone.
fn hold_here(component: &str) -> Result<(), Unportable> {
    match component {
        "" => return Err(Unportable::Empty),
        "." | ".." => return Err(Unportable::Dot),
        _ => {}
    }
    if component.chars().any(char::is_control) {
        return Err(Unportable::Control);
    }
    if is_acted_on(component) {
        return Err(Unportable::ActedOn);
    }
    if component.len() > MAX_COMPONENT {
        return Err(Unportable::ComponentTooLong);
    }
    Ok(())
}

/// `text` for terminals and messages: control, bidirectional and invisible characters as `\n`, `\u{202e}`.
///
/// A file called `\x1b[2J` must not clear the screen, and one called `exe.\u{202e}gpj` must not look like a picture.
pub fn for_display(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if character.is_control() || is_invisible(character) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Equal for two names exactly when a file system that ignores case and Unicode composition takes them for one.
///
/// Lower, upper, lower again is Unicode's full case folding as far as file systems know it (`ß` = `SS` = `ẞ`, `ς` = `σ`);
/// it also joins the dotless `ı` with `i`, which can only make two names clash that need not.
pub(crate) fn folded(name: &str) -> String {
    name.nfd()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfd()
        .collect::<String>()
        .nfc()
        .collect()
}

/// Characters that are not seen or that reorder what is: bidirectional controls, zero widths, fillers, tags.
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0
        | 0xfff0..=0xfffb | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// Whether git, or this program, would take `component` for one of its own names.
///
/// Windows drops trailing dots and spaces and knows `.git` as `GIT~1` as well; HFS+ ignores case and some invisible
/// characters. git refuses the same spellings: <https://github.com/git/git/blob/master/path.c> (`is_ntfs_dotgit`),
/// <https://github.com/git/git/blob/master/utf8.c> (`is_hfs_dotgit`).
fn is_acted_on(component: &str) -> bool {
    let visible: String = component.chars().filter(|character| !is_invisible(*character)).collect();
    let name = folded(visible.trim_end_matches(['.', ' ']));
    matches!(name.as_str(), ".git" | "git~1" | ".hg" | ".couchapp" | ".couchapprc")
}

/// Whether Windows takes `component` for a device, whatever follows the first dot.
///
/// <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>
fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end_matches(' ').to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|port| {
        let mut characters = port.chars();
        let number = characters.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c));
        number && characters.next().is_none()
    })
}

#[cfg(test)]
mod tests;
