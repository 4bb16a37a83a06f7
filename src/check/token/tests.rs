use super::*;

fn cut(text: &str) -> Vec<String> {
    let tokens = Tokens::of(text);
    (0..tokens.len()).map(|index| format!("{:?} {}", tokens.list[index].kind, tokens.text(index))).collect()
}

fn regexes(text: &str) -> Vec<String> {
    cut(text).into_iter().filter_map(|token| token.strip_prefix("Regex ").map(str::to_owned)).collect()
}

#[test]
fn a_slash_divides_or_begins_a_regular_expression() {
    let divisions = [
        "a / b / c",
        "a++ / b / c",
        "f() / b / c",
        "a[0] / b / c",
        "({}) / b / c",
        "x = {} / b / c",
        "x = function () {} / b / c",
        "x.return / b / c",
        "`a${1}` / b / c",
        "this / b / c",
        "x = class {} / b / c",
        "x = a ? {} / b / c : 1",
        "x = 'a' / b / c",
        "10 / b / c",
        "x = {a: {} / b / c}",
        "x = {function: 1, m: (2) / b / c}",
        "x = {if: (2) / b / c}",
        "// /a/\n/* /a/ */ '/a/' + \"/a/\" + `/a/`",
    ];
    for text in divisions {
        assert_eq!(regexes(text), Vec::<String>::new(), "{text}");
    }
    let expressions = [
        ("x = /a/g", "/a/g"),
        ("return /a/", "/a/"),
        ("if (x) /a/.test(y)", "/a/"),
        ("for (;;) /a/.test(y)", "/a/"),
        ("for each (x in y) /a/.test(y)", "/a/"),
        ("{} /a/.test(y)", "/a/"),
        ("function f() {} /a/.test(y)", "/a/"),
        ("f(/[/\"']/)", "/[/\"']/"),
        ("[/\\//]", "/\\//"),
        ("a && /b'/", "/b'/"),
        ("a ? /b/ : 1", "/b/"),
        ("case /b/:", "/b/"),
        ("x = y => { } \n /b/", "/b/"),
        ("`a${/}/}`", "/}/"),
        ("a\n++/b/.lastIndex", "/b/"),
        ("class A {} /b/", "/b/"),
        ("a: {} /b/", "/b/"),
        ("x = function () { a: {} /b/ }", "/b/"),
        ("!/b/", "/b/"),
        ("typeof /b/", "/b/"),
    ];
    for (text, expected) in expressions {
        assert_eq!(regexes(text), [expected], "{text}");
    }
}

#[test]
fn texts_are_cut_as_javascript_cuts_them() {
    let cases = [
        ("a.b", vec!["Word a", "Punctuator .", "Word b"]),
        ("1..x", vec!["Number 1.", "Punctuator .", "Word x"]),
        ("1.5e-7n .5", vec!["Number 1.5e-7n", "Number .5"]),
        ("0x1F_F", vec!["Number 0x1F_F"]),
        ("a?.5:b", vec!["Word a", "Punctuator ?", "Number .5", "Punctuator :", "Word b"]),
        ("a?.b", vec!["Word a", "Punctuator ?.", "Word b"]),
        ("a ??= b >>>= c", vec!["Word a", "Punctuator ??=", "Word b", "Punctuator >>>=", "Word c"]),
        ("\\u0061b \\u{62}c $_ été", vec!["Word \\u0061b", "Word \\u{62}c", "Word $_", "Word été"]),
        ("'a\\'b\\\r\nc'", vec!["Text 'a\\'b\\\r\nc'"]),
        ("\u{feff}a <!-- b\n--> c\nd", vec!["Word a", "Word d"]),
        ("a // b\rc", vec!["Word a", "Word c"]),
        ("a // b\u{2028}c", vec!["Word a", "Word c"]),
        ("`a\\`${b}c${`d`}e`", vec!["Template `a\\`${", "Word b", "Template }c${", "Template `d`", "Template }e`"]),
        (
            "`${{a: 1}}`",
            vec!["Template `${", "Punctuator {", "Word a", "Punctuator :", "Number 1", "Punctuator }", "Template }`"],
        ),
        ("this.#x", vec!["Word this", "Punctuator .", "Word #x"]),
        ("x-->0", vec!["Word x", "Punctuator --", "Punctuator >", "Number 0"]),
    ];
    for (text, expected) in cases {
        assert_eq!(cut(text), expected, "{text}");
        assert_eq!(Tokens::of(text).fault, None, "{text}");
    }
}

#[test]
fn faults_name_their_place() {
    let deep = "(".repeat(MAXIMUM_DEPTH + 5);
    let cases = [
        ("a 'b\nc'", FaultKind::UnterminatedString, 2),
        ("a `b", FaultKind::UnterminatedTemplate, 2),
        ("a /* b", FaultKind::UnterminatedComment, 2),
        ("a = /b\n", FaultKind::UnterminatedRegex, 4),
        ("a \0 b", FaultKind::IllegalCharacter, 2),
        ("a # b", FaultKind::IllegalCharacter, 2),
        ("f(a", FaultKind::Unclosed, 1),
        ("f(a]", FaultKind::Unopened, 3),
        ("a }", FaultKind::Unopened, 2),
        (deep.as_str(), FaultKind::TooDeep, MAXIMUM_DEPTH),
    ];
    for (text, kind, offset) in cases {
        assert_eq!(Tokens::of(text).fault, Some(Fault { kind, offset }), "{}", &text[..text.len().min(40)]);
    }
}

proptest::proptest! {
    #![proptest_config(crate::check::tests::laws())]

    #[test]
    fn any_text_is_cut_without_loss_of_order(text in "[a-z0-9(){}\\[\\]`'\"/\\\\$#.?:;=<>+*\\- \n\u{2028}é\u{0}]{0,60}") {
        let tokens = Tokens::of(&text);
        let mut end = 0;
        for index in 0..tokens.len() {
            let token = tokens.get(index).unwrap();
            proptest::prop_assert!(end <= token.start && token.start < token.end && token.end <= text.len());
            end = token.end;
            if let Some(closer) = token.closer {
                proptest::prop_assert_eq!(tokens.get(closer).unwrap().opener, Some(index));
            }
            proptest::prop_assert!(tokens.skip(index) > index);
        }
    }
}
