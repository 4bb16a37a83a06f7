//! What differs inside one file: a unified diff for text, sizes and types for the rest.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use similar::TextDiff;

use super::printer::Printer;
use super::size::human_size;
use crate::path::portable::for_display;
use crate::settings::Verbosity;

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

impl Side<'_> {
    /// The side where the other one is binary.
    fn described(self) -> String {
        match self {
            Self::Absent => "absent".to_owned(),
            Self::Text(text) => human_size(text.len() as u64),
            Self::Binary { bytes, content_type: None } => human_size(bytes),
            Self::Binary { bytes, content_type: Some(content_type) } => {
                format!("{} {}", human_size(bytes), for_display(content_type))
            }
        }
    }
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
    /// The unified diff from the server's text to the folder's, as `patch -p1` reads it; one line for binary content.
    /// Empty when no text differs.
    pub fn unified(&self) -> String {
        let path = for_display(self.path);
        let (server, folder) = match (self.server, self.folder) {
            (Side::Absent, Side::Absent) => return String::new(),
            (Side::Absent, Side::Text("")) => return format!("Only in the folder: {path} (empty)\n"),
            (Side::Text(""), Side::Absent) => return format!("Only on the server: {path} (empty)\n"),
            (Side::Binary { .. }, _) | (_, Side::Binary { .. }) => {
                let (server, folder) = (self.server.described(), self.folder.described());
                return format!("Binary file {path}: server {server}, folder {folder}\n");
            }
            (Side::Absent, Side::Text(folder)) => ("", folder),
            (Side::Text(server), Side::Absent) => (server, ""),
            (Side::Text(server), Side::Text(folder)) => (server, folder),
        };
        let header = |side: Side<'_>, name: &str| match side {
            Side::Absent => "/dev/null".to_owned(),
            _ => format!("{name}/{path}"),
        };
        let (from, to) = (header(self.server, "server"), header(self.folder, "folder"));
        TextDiff::from_lines(server, folder).unified_diff().header(&from, &to).to_string()
    }

    /// The difference as a JSON object: `path`, `op`, and `diff` or the sizes.
    pub fn fields(&self) -> Value {
        let op = match (self.server, self.folder) {
            (Side::Absent, _) => "add",
            (_, Side::Absent) => "remove",
            _ => "change",
        };
        let mut fields = json!({"path": self.path, "op": op});
        let binary = |side| matches!(side, Side::Binary { .. });
        if binary(self.server) || binary(self.folder) {
            let bytes = |side| match side {
                Side::Absent => Value::Null,
                Side::Text(text) => Value::from(text.len()),
                Side::Binary { bytes, .. } => bytes.into(),
            };
            fields["server_bytes"] = bytes(self.server);
            fields["folder_bytes"] = bytes(self.folder);
        } else {
            fields["diff"] = self.unified().into();
        }
        fields
    }
}

impl Printer {
    /// Prints the difference on stdout, unmasked: it is the user's own text. Not shown with `--json`
    /// ([`Difference::fields`] is for its document).
    pub fn difference(&self, difference: &Difference<'_>) {
        let settings = self.settings();
        if settings.json || settings.verbosity == Verbosity::Silent {
            return;
        }
        let unified = difference.unified();
        if !settings.terminal_out && !settings.color_out {
            return self.out_bytes(unified.as_bytes());
        }
        let mut shown = String::new();
        let mut in_header = true;
        for line in unified.split_inclusive('\n') {
            let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
            in_header &= !text.starts_with("@@");
            let style = style_of(text, in_header);
            let text = if settings.terminal_out { on_terminal(text) } else { text.to_owned() };
            shown.push_str(&self.paint_out(style, &text));
            shown.push_str(end);
        }
        self.out_bytes(shown.as_bytes());
    }
}

fn style_of(line: &str, in_header: bool) -> Style {
    match line.as_bytes().first() {
        _ if in_header => Style::new().bold(),
        Some(b'@') => AnsiColor::Cyan.on_default(),
        Some(b'+') => AnsiColor::Green.on_default(),
        Some(b'-') => AnsiColor::Red.on_default(),
        _ => Style::new(),
    }
}

/// The line without what moves the cursor; tabs are part of the text.
fn on_terminal(line: &str) -> String {
    line.split('\t').map(for_display).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::captured;

    fn text<'a>(path: &'a str, server: &'a str, folder: &'a str) -> Difference<'a> {
        Difference { path, server: Side::Text(server), folder: Side::Text(folder) }
    }

    #[test]
    fn text_is_a_patch_from_server_to_folder() {
        insta::assert_snapshot!(text("views/a/map.js", "a\nb\nc\n", "a\nB\nc\nd").unified(), @r"
        --- server/views/a/map.js
        +++ folder/views/a/map.js
        @@ -1,3 +1,4 @@
         a
        -b
        +B
         c
        +d
        \ No newline at end of file
        ");
        assert_eq!(text("x", "same", "same").unified(), "");
    }

    #[test]
    fn what_is_on_one_side_only_is_a_whole_patch() {
        let new = Difference { path: "x", server: Side::Absent, folder: Side::Text("a\n") };
        insta::assert_snapshot!(new.unified(), @r"
        --- /dev/null
        +++ folder/x
        @@ -0,0 +1 @@
        +a
        ");
        let empty = Difference { path: "a\nb", server: Side::Text(""), folder: Side::Absent };
        assert_eq!(empty.unified(), "Only on the server: a\\nb (empty)\n");
    }

    #[test]
    fn binary_content_is_described() {
        let binary = Difference {
            path: "logo.png",
            server: Side::Binary { bytes: 4198, content_type: Some("image/png") },
            folder: Side::Text("text"),
        };
        assert_eq!(binary.unified(), "Binary file logo.png: server 4.1 KiB image/png, folder 4 B\n");
        assert_eq!(binary.fields()["server_bytes"], 4198);
        assert_eq!(text("x", "a\n", "b\n").fields()["op"], "change");
    }

    #[test]
    fn a_pipe_gets_the_bytes_a_terminal_gets_no_tricks() {
        let difference = text("x", "a\n", "\x1b[2J\thttp://a:b@h/\u{202e}\r\n");
        let (printer, piped) = captured(|_| {});
        printer.difference(&difference);
        assert_eq!(piped.out(), difference.unified());
        let (printer, terminal) = captured(|output| {
            output.terminal_out = true;
            output.color_out = true;
        });
        printer.difference(&difference);
        assert!(terminal.out().contains("+\\u{1b}[2J\thttp://a:b@h/\\u{202e}\\r\x1b[0m\n"), "{:?}", terminal.out());
    }
}
