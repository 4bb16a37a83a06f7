//! The files that a new app starts with.

/// A path and its text; `NAME` in a text stands for the app's name.
pub(super) type Template = &'static [(&'static str, &'static str)];

/// The template that is used when none is named.
pub(super) const DEFAULT: &str = "default";

/// The built-in templates by name.
pub(super) const BUILT_IN: [(&str, Template); 3] = [(DEFAULT, PLAIN), ("empty", EMPTY), ("hello", HELLO)];

const CONFIGURATION: &str = r#"# Where `couchapp push` sends this folder. Passwords do not belong here: this file is meant to be committed.
default = "local"

[targets.local]
url = "http://127.0.0.1:5984/NAME"

# [targets.production]
# url = "https://couch.example.com/NAME"
# confirm = true                     # ask before every push
"#;

const IGNORE: &str = "\
# What push leaves out, in the syntax of .gitignore. Always left out, without being named here: editor backups (*~,
# *.swp), .git and its like, .DS_Store, files that hold secrets (.env, *.pem, id_rsa), and couchapp's own files.
# node_modules/
# *.map
";

const EMPTY: Template = &[
    ("couchapp.toml", CONFIGURATION),
    (".couchappignore", IGNORE),
    ("_id", "_design/NAME\n"),
    ("language", "javascript\n"),
];

const PLAIN: Template = &[
    ("couchapp.toml", CONFIGURATION),
    (".couchappignore", IGNORE),
    ("_id", "_design/NAME\n"),
    ("language", "javascript\n"),
    (
        "views/by_type/map.js",
        "// Every document under its type.\nfunction (doc) {\n  if (doc.type) {\n    emit(doc.type, null);\n  }\n}\n",
    ),
    (
        "_attachments/index.html",
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>NAME</title>\n<h1>NAME</h1>\n\
         <p>This page is an attachment of <code>_design/NAME</code>.\n",
    ),
];

macro_rules! example {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../examples/hello/", $path)))),*]
    };
}

const HELLO: Template = example![
    "couchapp.toml",
    ".couchappignore",
    "_id",
    "language",
    "couchapp.json",
    "lib/escape.js",
    "views/messages/map.js",
    "views/messages/reduce",
    "lists/page.js",
    "shows/message.js",
    "validate_doc_update.js",
    "_attachments/index.html",
    "_attachments/app.js",
    "_attachments/style.css",
];
