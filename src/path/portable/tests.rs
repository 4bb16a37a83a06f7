#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "extensions must be kept exactly")]

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// One bad component each, and why it is bad.
fn bad_components() -> Vec<(String, Unportable)> {
    let table: &[(&str, Unportable)] = &[
        ("", Unportable::Empty),
        (".", Unportable::Dot),
        ("..", Unportable::Dot),
        ("a\\b", Unportable::Backslash),
        ("..\\..\\x", Unportable::Backslash),
        ("\\\\srv\\x", Unportable::Backslash),
        ("C:", Unportable::Colon),
        ("C:x", Unportable::Colon),
        ("a.txt:stream", Unportable::Colon),
        ("a\0b", Unportable::Control),
        ("a\nb", Unportable::Control),
        ("a\r\nb", Unportable::Control),
        ("\t", Unportable::Control),
        ("\x1b[2J", Unportable::Control),
        ("\x7f", Unportable::Control),
        ("a\u{85}b", Unportable::Control),
        ("\u{9b}2J", Unportable::Control),
        ("CON", Unportable::Device),
        ("con", Unportable::Device),
        ("nul.txt", Unportable::Device),
        ("NUL.tar.gz", Unportable::Device),
        ("Aux.js", Unportable::Device),
        ("prn", Unportable::Device),
        ("COM1", Unportable::Device),
        ("com0.x", Unportable::Device),
        ("com¹", Unportable::Device),
        ("LPT9.txt", Unportable::Device),
        ("lpt³", Unportable::Device),
        ("CONIN$", Unportable::Device),
        ("conout$.txt", Unportable::Device),
        ("con .txt", Unportable::Device),
        ("a.", Unportable::TrailingDotOrSpace),
        ("a ", Unportable::TrailingDotOrSpace),
        ("...", Unportable::TrailingDotOrSpace),
        (" ", Unportable::TrailingDotOrSpace),
        ("a. .", Unportable::TrailingDotOrSpace),
        (".git", Unportable::ActedOn),
        (".GIT", Unportable::ActedOn),
        (".gIt", Unportable::ActedOn),
        (".git.", Unportable::ActedOn),
        (".git ", Unportable::ActedOn),
        (".git . .", Unportable::ActedOn),
        ("git~1", Unportable::ActedOn),
        ("GIT~1", Unportable::ActedOn),
        (".g\u{200c}it", Unportable::ActedOn),
        ("\u{feff}.git", Unportable::ActedOn),
        (".g\u{131}t", Unportable::ActedOn),
        (".Hg", Unportable::ActedOn),
        (".couchapp", Unportable::ActedOn),
        (".CouchApp", Unportable::ActedOn),
        (".couchapprc", Unportable::ActedOn),
        (".couchapprc.", Unportable::ActedOn),
    ];
    let mut components: Vec<_> = table.iter().map(|(name, reason)| ((*name).to_owned(), reason.clone())).collect();
    components.push(("x".repeat(256), Unportable::ComponentTooLong));
    components.push(("é".repeat(128), Unportable::ComponentTooLong));
    components
}

/// Every bad component at every place of a path: what a hostile server may send.
fn bad_names() -> Vec<(String, Unportable)> {
    let mut names = vec![("x/".repeat(2050) + "x", Unportable::PathTooLong)];
    for (bad, reason) in bad_components() {
        let places = [
            format!("{bad}/x"),
            format!("a/{bad}"),
            format!("a/{bad}/c"),
            format!("{bad}/{bad}"),
            format!("a/b/{bad}/d/e"),
        ];
        names.extend(places.into_iter().map(|name| (name, reason.clone())));
        names.push((bad, reason));
    }
    names
}

#[test]
fn hostile_names_are_refused_wherever_they_stand() {
    let names = bad_names();
    assert!(names.len() >= 300, "{} names", names.len());
    for (name, reason) in &names {
        assert_eq!(judge(name), Err(reason.clone()), "{name:?}");
    }
    // All at once, every one is named.
    let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let refusals = plan_paths(&all, None, false).unwrap_err();
    let refused: Vec<&str> = refusals.iter().map(|refusal| refusal.name.as_str()).collect();
    assert_eq!(refused, all);
}

#[test]
fn harmless_names_stay() {
    let long = "x".repeat(255);
    let names = [
        "a",
        "a/b/c",
        "index.html",
        ".htaccess",
        ".gitignore",
        "git",
        "..a",
        "a..b",
        "_x",
        "dir/_x",
        "~root/x",
        "-rf",
        "%",
        "a%2Fb",
        "a+b",
        "a#b",
        " a",
        "é",
        "e\u{301}",
        "日本語/ファイル",
        "CONSOLE",
        "com10",
        "COM",
        "nul_",
        "x.nul",
        "con-1.js",
        ".couchapprc2",
        "a'b\"c".split('"').next().unwrap(),
        &long,
    ];
    for name in names {
        assert_eq!(judge(name).map(|path| path.to_string()), Ok(name.to_owned()), "{name:?}");
    }
    assert_eq!(judge_component("a/b"), Err(Unportable::Slash));
    #[cfg(not(windows))]
    assert!(judge("what?<*>|\"").is_ok());
}

#[test]
fn absolute_paths_and_doubled_slashes_have_empty_parts() {
    for name in ["/etc/passwd", "a//b", "a/", "/", "//", ""] {
        assert_eq!(judge(name), Err(Unportable::Empty), "{name:?}");
    }
}

#[test]
fn clashes_are_found_where_case_or_composition_do_not_count() {
    let cases: &[(&[&str], &str)] = &[
        (&["File.txt", "file.TXT"], "file.TXT"),
        (&["\u{e9}.txt", "e\u{301}.txt"], "e\u{301}.txt"),
        (&["straße", "STRASSE"], "STRASSE"),
        (&["\u{1e9e}", "ss"], "ss"),
        (&["ς", "Σ"], "Σ"),
        (&["\u{212a}", "k"], "k"),
        (&["a", "a/b"], "a/b"),
        (&["a/b", "a"], "a/b"),
        (&["A", "a/b"], "a/b"),
        (&["a/b/c/d", "a/b"], "a/b/c/d"),
        (&["Dir/a", "dir/b"], "dir/b"),
        (&["x/Dir/a", "x/dir/b"], "x/dir/b"),
        (&["a", "a"], "a"),
    ];
    for (names, refused) in cases {
        let refusals = plan_paths(names, None, false).unwrap_err();
        let listed: Vec<&str> = refusals.iter().map(|refusal| refusal.name.as_str()).collect();
        assert_eq!(listed, [*refused], "{names:?}");
    }
    for apart in [["a", "b"], ["a/b", "a/c"], ["e", "\u{e9}"], ["a", "ab/c"], ["i", "j"], ["\u{df}", "s"]] {
        assert!(plan_paths(&apart, None, false).is_ok(), "{apart:?}");
    }
}

#[test]
fn refusals_name_what_the_server_named_and_say_why() {
    let prefix = RelPath::new("_attachments").unwrap();
    let refusals = plan_paths(&["ok", "OK", "a\x1b", "x/..", "q", "q/r"], Some(&prefix), false).unwrap_err();
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "`a\\u{1b}` has a control character",
            "`x/..` has a `.` or `..` part, which means another folder",
            "`OK` is the same file as `ok` on systems that ignore case",
            "`q/r` is below `q`, which is a file",
        ]
    );
}

#[test]
fn escaped_names_can_be_read_by_people() {
    let cases = [
        ("ok/file.js", "ok/file.js"),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/etc/passwd", "%/etc/passwd"),
        ("a//b", "a/%/b"),
        ("", "%"),
        ("C:\\x", "C%3A%5Cx"),
        ("100%:", "100%25%3A"),
        ("100%", "100%"),
        ("nul.txt", "%6Eul.txt"),
        (".git/config", "%2Egit/config"),
        (".git.", "%2Egit%2E"),
        ("a.", "a%2E"),
        ("a ", "a%20"),
        ("...", "..%2E"),
        ("a\nb", "a%0Ab"),
        ("\u{85}", "%C2%85"),
    ];
    for (name, path) in cases {
        let planned = plan_paths(&[name], None, true).unwrap();
        assert_eq!(planned[0].as_str(), path, "{name:?}");
    }
}

#[test]
fn what_clashes_gets_a_hash_before_its_extension_and_the_others_stay() {
    let names = ["a:b.js", "a%3Ab.js", "x", "x/y.txt", "Photo.JPG", "photo.jpg"];
    let planned = plan_paths(&names, None, true).unwrap();
    let planned: Vec<&str> = planned.iter().map(RelPath::as_str).collect();
    assert_eq!(&planned[1], &"a%3Ab.js");
    assert!(planned[0].starts_with("a%3Ab%~") && planned[0].ends_with(".js"), "{planned:?}");
    assert!(planned[2].starts_with("x%~"), "{planned:?}");
    assert_eq!(&planned[3], &"x/y.txt");
    assert_eq!(&planned[4], &"Photo.JPG");
    assert!(planned[5].starts_with("photo%~") && planned[5].ends_with(".jpg"), "{planned:?}");
}

#[test]
fn names_that_are_too_long_are_cut() {
    let component = format!("{}.html", "é".repeat(200));
    let path = vec!["long-enough-to-count"; 300].join("/") + "/x.js";
    let escaped_longer = vec![":".repeat(80); 20].join("/");
    let planned = plan_paths(&[&component, &path, &escaped_longer], None, true).unwrap();
    assert!(planned[0].as_str().starts_with("éé") && planned[0].as_str().ends_with(".html"));
    assert!(planned[0].as_str().len() <= MAX_COMPONENT);
    assert!(planned[1].as_str().starts_with("long-enough-to-count%~") && planned[1].as_str().ends_with(".js"));
    assert_eq!(planned[2].depth(), 1, "{}", planned[2]);
    let prefix = RelPath::new(vec!["p"; 2048].join("/")).unwrap();
    assert_eq!(plan_paths(&["x"], Some(&prefix), true).unwrap_err()[0].reason, Unportable::PathTooLong);
}

#[test]
fn planning_a_name_of_a_million_folders_is_quick_and_bounded() {
    let name = "/".repeat(1_000_000);
    let planned = plan_paths(&[&name, "a"], None, true).unwrap();
    assert!(planned[0].as_str().len() < 100);
    assert_eq!(plan_paths(&[&name], None, false).unwrap_err()[0].reason, Unportable::PathTooLong);
}

#[test]
fn the_same_name_twice_is_never_two_files() {
    assert_eq!(plan_paths(&["a", "a"], None, true).unwrap_err().len(), 1);
}

#[test]
fn shown_text_neither_moves_the_cursor_nor_hides() {
    let cases = [
        ("plain é 日本", "plain é 日本"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m", "\\u{1b}[31m"),
        ("\u{9b}2J\x7f", "\\u{9b}2J\\u{7f}"),
        ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
        ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
        ("\u{2028}\u{2066}\u{e0041}", "\\u{2028}\\u{2066}\\u{e0041}"),
    ];
    for (text, shown) in cases {
        assert_eq!(for_display(text), shown);
    }
}

fn nasty_component() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[abAB.%~:/ ]{0,4}",
        2 => prop::sample::select(vec![
            ".", "..", "con", "CON", "nul.txt", ".git", "git~1", ".couchapprc", "%3A", "%2E%2E", "%", "%25", "é", "e\u{301}", "ß",
            "ss", "\u{1e9e}", "\0", "\n", "\u{202e}", "\\", "a ", "a.",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => (200..600_usize).prop_map(|length| "L".repeat(length)),
    ];
    prop::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

fn nasty_names() -> impl Strategy<Value = Vec<String>> {
    let name = prop::collection::vec(nasty_component(), 1..4).prop_map(|components| components.join("/"));
    prop::collection::hash_set(name, 0..24).prop_map(|names| names.into_iter().collect())
}

/// What an escaped component stood for.
fn unescaped(component: &str) -> String {
    if component == "%" {
        return String::new();
    }
    percent_encoding::percent_decode_str(component).decode_utf8().unwrap().into_owned()
}

/// How a law is tried: always the same cases, as many as `COUCHAPP_CASES` says.
#[expect(clippy::disallowed_methods, reason = "the length of a test run is no setting of the program")]
fn laws() -> ProptestConfig {
    let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256);
    let rng_seed = proptest::test_runner::RngSeed::Fixed(20_100_919);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn escaping_always_finds_portable_paths_that_do_not_clash(names in nasty_names(), prefixed: bool) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let prefix = RelPath::new("_attachments").unwrap();
        let prefix = prefixed.then_some(&prefix);
        let planned = plan_paths(&names, prefix, true).unwrap();
        prop_assert_eq!(planned.len(), names.len());
        for path in &planned {
            prop_assert_eq!(judge(path.as_str()), Ok(path.clone()));
        }
        prop_assert_eq!(clashes(&planned), vec![]);
        let different: HashSet<&RelPath> = planned.iter().collect();
        prop_assert_eq!(different.len(), names.len());

        // The place of a name does not depend on the order in which the server lists them.
        let mut reversed = names.clone();
        reversed.reverse();
        let mut again = plan_paths(&reversed, prefix, true).unwrap();
        again.reverse();
        prop_assert_eq!(&again, &planned);
    }

    #[test]
    fn escaping_keeps_what_is_portable_and_can_be_undone(names in nasty_names()) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let planned = plan_paths(&names, None, true).unwrap();
        for (name, path) in names.iter().zip(&planned) {
            if path.as_str().contains("%~") {
                continue;
            }
            let parts: Vec<&str> = name.split('/').collect();
            prop_assert_eq!(parts.len(), path.depth());
            for (part, escaped) in parts.into_iter().zip(path.components()) {
                let expected = if judge_component(part).is_ok() { escaped.to_owned() } else { unescaped(escaped) };
                prop_assert_eq!(part, expected);
            }
        }
        if let Ok(plain) = plan_paths(&names, None, false) {
            prop_assert_eq!(plain, planned);
        }
    }

    #[test]
    fn what_is_shown_has_no_control_characters(text in "\\PC*|[\\x00-\\x1f\\x7f-\\x9f\u{200b}-\u{2064}]*") {
        let shown = for_display(&text);
        prop_assert!(!shown.chars().any(char::is_control));
        prop_assert_eq!(for_display(&shown), shown);
    }
}

#[cfg(unix)]
#[test]
fn what_only_windows_minds_can_stay_here() {
    for good in ["con.txt", "a:b", "a\\b", "what?", "ends.", "ends ", "NUL/COM1", "ä/…", ".gitignore", "..."] {
        assert_eq!(judge_here(good).unwrap().as_str(), good);
    }
    let long = "x".repeat(256);
    let deep = "dir/".repeat(1025) + "x";
    let bad = [
        ("", Unportable::Empty),
        ("/etc/passwd", Unportable::Empty),
        ("a//b", Unportable::Empty),
        ("a/", Unportable::Empty),
        ("a/../b", Unportable::Dot),
        (".", Unportable::Dot),
        ("a\0", Unportable::Control),
        ("a\\\n", Unportable::Control),
        ("c:\u{9b}2J", Unportable::Control),
        ("a/.GIT./config", Unportable::ActedOn),
        (".couchapp", Unportable::ActedOn),
        (long.as_str(), Unportable::ComponentTooLong),
        (deep.as_str(), Unportable::PathTooLong),
    ];
    for (name, refused) in bad {
        assert_eq!(judge_here(name), Err(refused), "{name:?}");
    }
}

#[test]
fn an_escaped_component_is_one_portable_component() {
    for (text, escaped) in
        [("a/b", "a%2Fb"), ("", "%"), ("..", "%2E%2E"), ("100%", "100%25"), ("plain.jpg", "plain.jpg")]
    {
        assert_eq!(escaped_component(text), escaped);
        assert_eq!(judge_component(&escaped_component(text)), Ok(()));
    }
}
