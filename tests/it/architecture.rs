//! The rules of the house, read from the sources: which module may use what, how long a file may be, which words do not
//! belong here. Each rule is tried on a sample that breaks it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// Names, values and words that everything may use.
const LEAVES: [&str; 10] =
    ["address", "content_type", "exit", "hexadecimal", "json", "mark", "name", "path", "random", "secret"];

/// What a module may use beside the leaves and itself: data flows from `cli` to `report`, never back.
const MAY_USE: [(&str, &[&str]); 16] = [
    ("address", &[]),
    ("check", &[]),
    // `cli` and `settings` are two halves of one thing: the types of values are parsed where they are typed.
    ("cli", &["settings"]),
    ("commands", &["*"]),
    ("couch", &[]),
    ("ddoc", &[]),
    ("filter", &[]),
    ("local", &["filter"]),
    ("media", &[]),
    ("plan", &["media"]),
    // One direction between two databases; beside `commands`, the endpoint uses it for its own `_replicate`.
    ("replicator", &["couch"]),
    // How loud and in which colours is settled before anything is said.
    ("report", &["settings"]),
    // The endpoint stands beside the client: it shares digests, revisions and functions with it, and is asked by HTTP.
    ("serve", &["check", "couch", "replicator"]),
    ("settings", &["cli", "local"]),
    ("snapshot", &["check", "couch", "ddoc", "filter", "local", "media", "plan"]),
    ("transfer", &["couch", "local", "media", "plan", "report"]),
];

/// Modules that compute and nothing else.
const PURE: [&str; 9] = ["check", "ddoc", "filter", "hexadecimal", "json", "media", "name", "path", "plan"];

/// What only one module may name.
const CONFINED: [(&str, &str, &str); 4] = [
    ("couch", r"\breqwest\b", "only `couch` speaks HTTP"),
    (
        "local",
        r"\b(std::fs|tokio::fs|cap_std|tempfile|fs_err)\b|\b(std|tokio)::\{[^}]*\bfs\b",
        "only `local` touches the disk",
    ),
    ("report", r"\b(print|println|eprint|eprintln)!", "only `report` prints"),
    ("settings", r"\bstd::env\b|\bstd::\{[^}]*\benv\b", "only `settings` reads the environment"),
];

/// What a module may name all the same.
const EXCEPTIONS: [(&str, &str); 3] = [
    // Arguments are no settings yet.
    ("src/main.rs", "std::env::args_os"),
    // The working folder belongs to the disk.
    ("src/local/", "std::env::current_dir"),
    // The files of the endpoint's databases are nobody's folder.
    ("src/serve/store/files.rs", "std::fs"),
];

/// Parts of the endpoint that know nothing of its API.
const BENEATH_HTTP: [&str; 9] =
    ["configuration", "failure", "functions", "lenient", "replication", "statistics", "store", "tree", "users"];

const LONGEST_FILE: usize = 400;
const LONGEST_CLI_FILE: usize = 700;
const LONGEST_FUNCTION: usize = 80;

/// A source file.
struct Source {
    /// Its path beneath the project, with `/`.
    path: String,
    /// Its text.
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module at the top level that it belongs to: `couch` for `src/couch/error.rs`.
    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inner.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The lines before the tests.
    fn lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_test_module =
            |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{');
        let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
        lines[..end].to_vec()
    }

    /// The lines before the tests without comments, and without items that exist in tests only.
    fn code(&self) -> String {
        static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^|\s)//.*$").unwrap());
        let mut code = String::new();
        let mut lines = self.lines().into_iter();
        while let Some(line) = lines.next() {
            if line.trim() == "#[cfg(test)]" {
                lines.next();
                continue;
            }
            code.push_str(&COMMENT.replace(line, ""));
            code.push('\n');
        }
        code
    }

    /// The modules at the top level that it names by `crate::`.
    fn used_modules(&self) -> BTreeSet<String> {
        static PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::(\{|\w+)").unwrap());
        let code = self.code();
        let mut used = BTreeSet::new();
        for found in PATH.captures_iter(&code) {
            let whole = found.get(0).unwrap();
            if &found[1] == "{" {
                used.extend(heads_of_group(&code[whole.end()..]));
            } else {
                used.insert(found[1].to_owned());
            }
        }
        used
    }
}

/// The first names in a group of imports: `a` and `d` in `a::{b, c}, d::e}`.
fn heads_of_group(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![String::new()];
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(String::new()),
            c => heads.last_mut().unwrap().push(c),
        }
    }
    let head = |item: String| item.trim().split("::").next().unwrap_or_default().to_owned();
    heads.into_iter().map(head).filter(|head| !head.is_empty()).collect()
}

type Rule = fn(&Source) -> Vec<String>;

/// Rules for what is compiled into the tool.
const RULES: [(&str, Rule); 8] = [
    ("confined", confined),
    ("order", order),
    ("layers", layers),
    ("purity", purity),
    ("length", length),
    ("functions", functions),
    ("unfinished", unfinished),
    ("contract", contract),
];

fn confined(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut broken = Vec::new();
    for (owner, pattern, rule) in CONFINED {
        if source.module() == owner {
            continue;
        }
        for found in Regex::new(pattern).unwrap().find_iter(&code) {
            let named = &code[found.start()..];
            let is_allowed = |(path, name): (&str, &str)| source.path.starts_with(path) && named.starts_with(name);
            if !EXCEPTIONS.into_iter().any(is_allowed) {
                broken.push(format!("`{}`: {rule}", found.as_str()));
            }
        }
    }
    broken
}

fn order(source: &Source) -> Vec<String> {
    let module = source.module();
    if ["lib", "main"].contains(&module) {
        return Vec::new();
    }
    let allowed = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
    if allowed.is_none() && !LEAVES.contains(&module) {
        return vec![format!("`{module}` has no place in the order of modules")];
    }
    let allowed = allowed.unwrap_or_default();
    let may = |used: &str| {
        used == module
            || LEAVES.contains(&used)
            || allowed.contains(&used)
            || allowed.contains(&"*")
            || !is_module(used)
    };
    let forbidden = source.used_modules().into_iter().filter(|used| !may(used));
    forbidden.map(|used| format!("`{module}` must not use `{used}`")).collect()
}

/// What is beneath the API of the endpoint does not reach up to it.
fn layers(source: &Source) -> Vec<String> {
    let part = source.path.strip_prefix("src/serve/").and_then(|path| path.split(['/', '.']).next());
    if part.is_none_or(|part| !BENEATH_HTTP.contains(&part)) || !source.code().contains("serve::http") {
        return Vec::new();
    }
    vec!["`serve::http` from beneath it".to_owned()]
}

/// Items of the crate's root that are no modules may be named by all.
fn is_module(name: &str) -> bool {
    LEAVES.contains(&name) || MAY_USE.iter().any(|(module, _)| *module == name)
}

fn purity(source: &Source) -> Vec<String> {
    static IMPURE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(tokio|reqwest|std::net|std::process|std::io::(stdin|stdout|stderr))\b").unwrap()
    });
    if !PURE.contains(&source.module()) {
        return Vec::new();
    }
    IMPURE.find_iter(&source.code()).map(|found| format!("`{}` in a pure module", found.as_str())).collect()
}

fn length(source: &Source) -> Vec<String> {
    let most = if source.module() == "cli" { LONGEST_CLI_FILE } else { LONGEST_FILE };
    let lines = source.lines().len();
    if lines > most { vec![format!("{lines} lines, at most {most}")] } else { Vec::new() }
}

/// Finds the ends of functions by their indentation, which rustfmt guarantees.
fn functions(source: &Source) -> Vec<String> {
    static START: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^( *)(pub(\([a-z]+\))? )?(const )?(async )?fn (\w+)").unwrap());
    let lines = source.lines();
    let mut broken = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(found) = START.captures(line) else { continue };
        let end = format!("{}}}", &found[1]);
        let long = lines[at..].iter().position(|line| *line == end).map_or(1, |lines| lines + 1);
        if !line.ends_with('}') && !line.ends_with(';') && long > LONGEST_FUNCTION {
            broken.push(format!("`{}` has {long} lines, at most {LONGEST_FUNCTION}", &found[6]));
        }
    }
    broken
}

fn unfinished(source: &Source) -> Vec<String> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        let words = ["todo!", "unimplemented!", "FIXME"];
        Regex::new(&words.join("|")).unwrap()
    });
    WORDS.find_iter(&source.text).map(|found| format!("`{}`", found.as_str())).collect()
}

fn contract(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    if !source.text.starts_with("//!") {
        broken.push("a module begins with its contract (`//!`)".to_owned());
    }
    if source.path.ends_with("/mod.rs") {
        broken.push("`foo.rs` and `foo/`, never `foo/mod.rs`".to_owned());
    }
    broken
}

/// Absolute paths into somebody's folders: they exist on one machine only.
fn outsiders(source: &Source) -> Vec<String> {
    static PATHS: LazyLock<Regex> = LazyLock::new(|| {
        // Taken apart, so that this file does not break its own rule.
        let roots = ["wo.rk", "ro.ot", "ho.me/[a-z]+"].map(|word| word.replace('.', "")).join("|");
        Regex::new(&format!(r#"(?m:^|[\s"'`(=])/({roots})/[a-z]"#)).unwrap()
    });
    PATHS.find_iter(&source.text).map(|found| format!("`{}`", found.as_str().trim())).collect()
}

/// The sources of the tool, without modules that exist in tests only.
fn sources() -> Vec<Source> {
    static TEST_MODULE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"#\[cfg\(test\)\]\s+(?:pub(?:\([a-z]+\))? )?mod (\w+);").unwrap());
    let all = files(&["src"], &["rs"]);
    let mut tests = BTreeSet::new();
    for source in &all {
        let folder = source.path.trim_end_matches(".rs").trim_end_matches("src/lib").trim_end_matches("src/main");
        let folder = if folder.is_empty() { "src" } else { folder };
        for found in TEST_MODULE.captures_iter(&source.text) {
            tests.insert(format!("{folder}/{}", &found[1]));
        }
    }
    let is_test = |path: &str| {
        let module = path.trim_end_matches(".rs");
        tests
            .iter()
            .any(|test| module == test || module.strip_prefix(test.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    all.into_iter().filter(|source| !is_test(&source.path)).collect()
}

/// Files of the project by their endings.
fn files(places: &[&str], endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in places {
        let walk = walkdir::WalkDir::new(root.join(place)).sort_by_file_name();
        let walk = walk.into_iter().filter_entry(|entry| entry.file_name() != "node_modules");
        for entry in walk.flatten().filter(|entry| entry.file_type().is_file()) {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            let ending = path.rsplit('.').next().unwrap_or_default();
            if endings.is_empty() || endings.contains(&ending) {
                found.push(Source { text: fs::read_to_string(entry.path()).unwrap_or_default(), path });
            }
        }
    }
    found
}

#[track_caller]
fn report(broken: &[String]) {
    assert!(broken.is_empty(), "{} rules broken:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn the_sources_keep_the_rules() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    let mut broken = Vec::new();
    for source in &sources {
        for (name, rule) in RULES {
            broken.extend(rule(source).into_iter().map(|problem| format!("{} ({name}): {problem}", source.path)));
        }
    }
    report(&broken);
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let places = [
        "src",
        "tests",
        "examples",
        "benches",
        "fixtures",
        ".ci",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "Cargo.toml",
        "build.rs",
        "clippy.toml",
        ".gitignore",
    ];
    let mut broken = Vec::new();
    for source in files(&places, &["rs", "md", "toml", "js", "json", "html", "css", "sh", "run", "ci/run", "gitignore"])
    {
        if !source.path.ends_with("package-lock.json") {
            broken.extend(outsiders(&source).into_iter().map(|problem| format!("{}: {problem}", source.path)));
        }
    }
    report(&broken);
}

#[test]
fn the_tests_are_finished_and_say_what_they_are() {
    let mut broken = Vec::new();
    for source in files(&["tests/it"], &["rs"]).iter().filter(|source| source.path != "tests/it/architecture.rs") {
        for (name, rule) in [("unfinished", unfinished as Rule), ("contract", contract)] {
            broken.extend(rule(source).into_iter().map(|problem| format!("{} ({name}): {problem}", source.path)));
        }
    }
    report(&broken);
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let long = |line: &str, times: usize| format!("//! .\n{}", line.repeat(times));
    let long_function =
        format!("//! .\nimpl A {{\n    async fn endless() {{\n{}    }}\n}}\n", "        a();\n".repeat(80));
    let cases: Vec<(Rule, &str, String)> = vec![
        (confined, "src/plan.rs", "use reqwest::Client;".into()),
        (confined, "src/commands/push.rs", "    std::fs::read(path)".into()),
        (confined, "src/commands/push.rs", "use std::{fmt, fs};".into()),
        (confined, "src/transfer.rs", "use tokio::fs::File;".into()),
        (confined, "src/snapshot.rs", "let x = tempfile::tempdir();".into()),
        (confined, "src/couch.rs", "println!(\"x\")".into()),
        (confined, "src/couch.rs", "eprint!(\"x\")".into()),
        (confined, "src/couch.rs", "std::env::var(\"X\")".into()),
        (confined, "src/main.rs", "std::env::var(\"X\")".into()),
        (order, "src/couch/write.rs", "use crate::local::State;".into()),
        (order, "src/plan.rs", "use crate::{json, couch::{Stub, Read}, name};".into()),
        (order, "src/ddoc/fold.rs", "fn a() { crate::plan::b() }".into()),
        (order, "src/name.rs", "use crate::ddoc;".into()),
        (order, "src/transfer.rs", "use crate::commands::push;".into()),
        (order, "src/report/line.rs", "use crate::commands;".into()),
        (order, "src/novelty.rs", String::new()),
        (layers, "src/serve/store/read.rs", "use crate::serve::http::path;".into()),
        (purity, "src/ddoc.rs", "use tokio::io;".into()),
        (purity, "src/path/x.rs", "std::process::exit(1)".into()),
        (length, "src/couch.rs", long("\n", 400)),
        (length, "src/cli.rs", long("\n", 700)),
        (functions, "src/couch.rs", long_function),
        (unfinished, "src/couch.rs", format!("{}!()", "todo")),
        (unfinished, "src/couch.rs", format!("{}ME", "// FIX")),
        (contract, "src/couch.rs", "use a;".into()),
        (contract, "src/couch/mod.rs", "//! x".into()),
        (outsiders, "README.md", format!("see /{}k/notes", "wor")),
    ];
    for (rule, path, text) in cases {
        assert!(!rule(&Source::new(path, &text)).is_empty(), "{path}: {text}");
    }
}

#[test]
fn no_rule_finds_what_is_allowed() {
    let tests = "//! .\nfn a() {}\n#[cfg(test)]\nmod tests {\n    use reqwest;\n    fn b() { std::fs::read() }\n}\n";
    let cases: Vec<(Rule, &str, String)> = vec![
        (confined, "src/couch/client.rs", "use reqwest::Client;".into()),
        (confined, "src/plan.rs", "/// Not through `reqwest`, nor `std::fs`.\n// println!".into()),
        (confined, "src/plan.rs", tests.into()),
        (confined, "src/plan.rs", "#[cfg(test)]\nuse std::fs;\nfn a() {}".into()),
        (confined, "src/main.rs", "couchapp::run(std::env::args_os())".into()),
        (order, "src/commands/push.rs", "use crate::{couch, plan, report};".into()),
        (order, "src/couch/write.rs", "use crate::json::Object;\nuse crate::couch::x;".into()),
        (order, "src/lib.rs", "use crate::commands;".into()),
        (layers, "src/serve/views/answer.rs", "use crate::serve::http::path;".into()),
        (length, "src/couch.rs", format!("//! .\n{}{}", "\n".repeat(390), &tests[6..])),
        (functions, "src/couch.rs", format!("fn a() {{\n{}}}\nfn b() {{}}\n", "    x;\n".repeat(78))),
        (outsiders, "README.md", "the network/home/worker of a frame/work/flow".into()),
    ];
    for (rule, path, text) in cases {
        assert_eq!(rule(&Source::new(path, &text)), Vec::<String>::new(), "{path}: {text}");
    }
}
