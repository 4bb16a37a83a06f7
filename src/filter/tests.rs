use super::*;

fn verdict(rules: &Rules, path: &str) -> Option<Reason> {
    let (path, is_dir) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
    match rules.verdict(&RelPath::new(path).unwrap(), is_dir) {
        Verdict::Kept => None,
        Verdict::Ignored(reason) => Some(reason),
    }
}

fn couchappignore(text: &str) -> Rules {
    Rules::parse(&[Source::CouchappIgnore { file: ".couchappignore", text }]).unwrap()
}

/// Holds a table of paths that are ignored and paths that are kept against `rules`.
fn check(rules: &Rules, ignored: &[&str], kept: &[&str]) {
    for path in ignored {
        assert!(verdict(rules, path).is_some(), "{path} must be ignored");
    }
    for path in kept {
        assert_eq!(verdict(rules, path), None, "{path} must be kept");
    }
}

#[test]
fn built_in_rules_leave_out_clutter_and_secrets_only() {
    let ignored = [
        "x.js~",
        "views/a/.#map.js",
        "#map.js#",
        "a.swp",
        ".map.js.swp",
        ".map.js.swn",
        ".git/",
        ".git",
        ".git/config",
        "_attachments/.svn/entries",
        "CVS/Root",
        "_attachments/.DS_Store",
        "._x",
        "Thumbs.db",
        ".env",
        ".env.local",
        "_attachments/id_rsa",
        "server.key",
        "cert.pem",
        ".npmrc",
        ".ssh/id",
    ];
    let kept = [
        "x.js",
        "a~b",
        "#a",
        "a#",
        "x.swf",
        "git",
        ".gitx",
        ".htaccess",
        "CVS",
        "env",
        "environment.js",
        "id_rsa.pub",
        "key",
        "keys.js",
        "_attachments/.well-known/x",
        "node_modules/x",
        "backup.bak",
        "x.orig",
    ];
    check(&Rules::default(), &ignored, &kept);
    for pattern in ["*~", "*.pem"] {
        let path = pattern.replace('*', "x");
        let reason = verdict(&Rules::default(), &path).unwrap();
        assert_eq!((reason.rule.as_str(), reason.source.as_str()), (pattern, "built-in"));
    }
    assert_eq!(verdict(&Rules::default(), "a.pem").unwrap().kind, RuleKind::Secret);
    assert_eq!(verdict(&Rules::default(), "a~").unwrap().kind, RuleKind::Clutter);
}

#[test]
fn every_built_in_rule_compiles_and_does_something() {
    assert_eq!(builtin::patterns().num_ignores(), builtin::count());
}

#[test]
fn our_own_files_cannot_be_brought_back() {
    let everything = "!*\n!**\n!.couchapp/\n!.couchapprc\n!couchapp.toml\n!.couchappignore\n";
    let rules = Rules::parse(&[
        Source::CouchappIgnore { file: ".couchappignore", text: everything },
        Source::Include("*"),
        Source::Include(".couchapprc"),
    ])
    .unwrap();
    let own = [
        "couchapp.toml",
        ".couchapp/",
        ".couchapp/base",
        ".couchapprc",
        ".CouchAppRC",
        ".couchappignore",
        ".ericaignore",
        "_attachments/.couchapprc",
        "vendor/x/couchapp.toml",
        "_attachments/.couchapp-0123456789abcdef.tmp",
    ];
    check(&rules, &own, &["couchapp.json", "couchapp/", "couchapp/x", ".couchappx", "x.tmp", ".git/", "a~"]);
    assert_eq!(verdict(&rules, ".couchapp/base").unwrap().kind, RuleKind::Own);
    assert!(is_own(&temporary_name("x")));
}

#[test]
fn couchappignore_is_read_like_a_gitignore() {
    let rules = couchappignore(
        "\u{feff}# a comment\r\n*.log\r\n/build\ndocs/*.txt\n!docs/keep.txt\ntmp/\n\\#x\n**/deep/*.js\n",
    );
    let ignored =
        ["a.log", "x/a.log", "build", "build/x", "docs/a.txt", "tmp/", "x/tmp/y", "#x", "deep/a.js", "a/b/deep/a.js"];
    let kept = ["x/build", "docs/keep.txt", "docs/x/a.txt", "tmp", "a.logs", "deep/x/a.js"];
    check(&rules, &ignored, &kept);
    let reason = verdict(&rules, "x/tmp/y").unwrap();
    assert_eq!((reason.rule.as_str(), reason.source.as_str()), ("tmp/", ".couchappignore:6"));
    assert_eq!(reason.kind, RuleKind::User);
}

#[test]
fn a_folders_verdict_holds_for_what_is_below() {
    let rules = couchappignore("secret/\n!secret/not.txt\n");
    check(&rules, &["secret/", "secret/not.txt", "secret/a/b"], &["secret"]);
}

#[test]
fn later_layers_decide() {
    let rules = Rules::parse(&[
        Source::CouchappIgnore { file: ".couchappignore", text: "*.txt\n!.env\n" },
        Source::Patterns { file: "list", text: "*.md\n" },
        Source::Exclude("#x"),
        Source::Exclude("*.css"),
        Source::Include("keep.*"),
    ])
    .unwrap();
    check(&rules, &["a.txt", "a.md", "#x", "a.css"], &[".env", "keep.txt", "keep.css", "a.js"]);
    assert_eq!(verdict(&rules, "a.css").unwrap().source, "--exclude");
    assert_eq!(verdict(&rules, "a.md").unwrap().source, "list:1");
}

/// The table of couchapp 1.1's behaviour, as it was observed.
#[test]
fn expressions_match_whole_runs_of_components() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("bar", &["bar", "foo/bar", "foo/bar/baz.json"], &["foobar", "barn/x"]),
        ("^bar", &["bar", "foo/bar", "foo/bar/baz.json"], &["foobar", "barn/x"]),
        ("/bar", &["bar", "bar/x"], &["foo/bar"]),
        ("foo/bar", &["foo/bar", "foo/bar/baz.json", "x/foo/bar"], &["foo", "bar"]),
        ("README", &["README"], &["README.md"]),
        ("^README", &["README"], &["README.md"]),
        (".*\\\\.swx", &["a.swx", "_attachments/a.swx"], &["a.swxx"]),
        ("\\\\.swx$", &[], &["a.swx"]),
        ("x$", &["x", "a/x"], &["ax"]),
        ("^\\\\.", &[], &[".htaccess"]),
        ("^README\\\\.", &[], &["README.md"]),
        ("^_attachments/d3/[^d]", &["_attachments/d3/x"], &["_attachments/d3/xy"]),
        ("bower_components/*", &["bower_components/x", "a/bower_components/y"], &["bower"]),
        ("a|b", &["a", "abc", "x/ac", "b"], &["bc", "xa"]),
        ("foo/.*", &["foo/x", "foo/x/y", "a/foo/z"], &["foo", "xfoo/y"]),
    ];
    for (expression, ignored, kept) in cases {
        check(&couchappignore(&format!("[\"{expression}\"]")), ignored, kept);
    }
}

#[test]
fn expressions_may_have_comments_and_know_their_lines() {
    let text =
        "// what is left out\n/* and\n more */ [\n  \"a//b\", // not a comment: \"x\n  \"c/\\\\*\\\"d\",\n\n \"e\"]\n";
    let rules = couchappignore(text);
    check(&rules, &["e", "x/e/y"], &["x", "a"]);
    assert_eq!(verdict(&rules, "e").unwrap().source, ".couchappignore:7");
    check(&couchappignore(" \n"), &[], &["a"]);
    check(&couchappignore("[]"), &[], &["a"]);
    check(&couchappignore("// nothing yet\n[\n]\n"), &[], &["a"]);
}

#[test]
fn the_two_forms_are_told_apart() {
    let json = [
        "[\"a\"]",
        " [ ]",
        "\n[\n\"a\"\n]",
        "// x\n[\"a\"]",
        "/* x */ /* y */[\"a\"]",
        "\u{feff}[\"a\"]",
        "[",
        "['a']",
    ];
    for text in json {
        assert!(expressions::is_array(text), "{text:?}");
    }
    for text in ["", "a", "[Bb]in/", "[a-z]*.txt\n[x]", "/*\n!/x\n", "// x\na", "*.txt", "# [\n", "!a"] {
        assert!(!expressions::is_array(text), "{text:?}");
    }
    check(&couchappignore("/*\n!/kept\n"), &["x", "x/y"], &["kept", "kept/y"]);
    check(&couchappignore("[Bb]in/\n"), &["bin/", "Bin/x"], &["in"]);
}

#[test]
fn where_the_old_tool_read_the_file_otherwise_is_told() {
    let rules = couchappignore("[\"README\", \"^_attachments/x\",\n \"\\\\.sw\"]");
    let doubt = |path: &str| rules.doubt(&RelPath::new(path).unwrap());
    let readme = doubt("README.md").unwrap();
    assert!(readme.ignored_by_1_0);
    assert_eq!((readme.rule.as_str(), readme.source.as_str()), ("README", ".couchappignore:1"));
    assert_eq!(doubt("README"), None);
    assert!(!doubt("_attachments/x").unwrap().ignored_by_1_0);
    assert_eq!(doubt(".swx").unwrap().source, ".couchappignore:2");
    assert_eq!(doubt("a.js"), None);
    assert_eq!(couchappignore("README\n").doubt(&RelPath::new("README.md").unwrap()), None);
}

#[test]
fn ericaignore_searches_anywhere_in_any_case() {
    let rules =
        Rules::parse(&[Source::EricaIgnore { file: ".ericaignore", text: "// one\n[\"tests?/\", \"\\\\.MIN\\\\.\"]" }]);
    check(&rules.unwrap(), &["a/Tests/b", "mytest/x", "a.min.js"], &["tests", "amin.js"]);
}

#[test]
fn a_rule_that_cannot_be_read_is_an_error_with_its_place() {
    let couchapp = |text| Source::CouchappIgnore { file: ".couchappignore", text };
    let cases: &[(Source<'_>, &str)] = &[
        (couchapp("ok\n\n[abc\n"), ".couchappignore:3: `[abc` is no pattern: unclosed character class; missing ']'"),
        (couchapp("a{b\n"), ".couchappignore:1: `a{b` is no pattern:"),
        (couchapp("[\"a\",\n \"b\"\n \"c\"]"), ".couchappignore:3: expected `,` or `]`"),
        (couchapp("[\"a\",\n \"\\.swp\"]"), ".couchappignore:2: invalid escape"),
        (couchapp("[\"a\",\n \"*.swp\"]"), ".couchappignore:2: `*.swp` is no regular expression:"),
        (couchapp("[\"a\",\n \"(?!x)y\"]"), ".couchappignore:2: `(?!x)y` is no regular expression: look-around"),
        (couchapp("[\"a\", 1]"), ".couchappignore:1: `1` is no regular expression: it must be a string"),
        (couchapp("[\n"), ".couchappignore:2: "),
        (Source::EricaIgnore { file: ".ericaignore", text: "{}" }, ".ericaignore:1: must be a JSON array"),
        (Source::Patterns { file: "list", text: "a\n[z-a]" }, "list:2: `[z-a]` is no pattern: invalid range"),
        (Source::Exclude("[a"), "--exclude:1: `[a` is no pattern:"),
        (Source::Include("{a"), "--include:1: `!{a` is no pattern:"),
        (Source::Exclude(" "), "--exclude:1: the pattern is empty"),
    ];
    for (source, message) in cases {
        let error = Rules::parse(&[*source]).unwrap_err().to_string();
        assert!(error.starts_with(message), "{source:?}: {error}");
    }
}
