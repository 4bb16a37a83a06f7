use super::*;

fn value(text: &str) -> Value {
    let tokens = Tokens::of(text);
    script_value(&tokens, &outline(&tokens))
}

#[test]
fn a_script_leaves_its_last_value_behind() {
    let functions = [
        "function (a) {}",
        "function (a) {} ; ; ",
        "function (a) {}\nvar x = 1, y = function () {}\nclass A {}",
        "x = y = function () {}",
        "x = function () {}\nvar y = 1\n;",
        "5\nfunction (a) {}",
        "(5, (function () {}))",
        "((((x => x))))",
        "a => b => 5",
        "true ? function () {} : x => x",
        "{ 5; (function () {}) }",
        "a: b: (function () {})",
        "do { } while (0) function (a) {}",
        "do if (1) x(); else y(); while (0); function (a) {}",
        "if (1) { } else if (2) x(); else { }\nfunction (a) {}",
        "var a = function () {}\n(function (b) {})\nfunction (c) {}",
        "(class {})",
        "function* (a) {}",
        "x = async function () {}",
        "(function* (a) {})",
        "function (a) {}\nif (0) {} else { }\nfor (;;) { break }\ndo { } while (0)",
    ];
    for text in functions {
        assert_eq!(value(text), Value::Function, "{text}");
    }
    for text in [
        "",
        "function f() {}",
        "var f = function () {}",
        "class A {}",
        "let a = 1, b",
        ";",
        "{ var a }",
        "if (1) function f() {}",
        "for (;;) { break }",
    ] {
        assert_eq!(value(text), Value::Empty, "{text}");
    }
    let unknown = [
        "f; var f",
        "f()",
        "a.b",
        "a || b",
        "new F()",
        "(function () {})()",
        "if (1) (function () {})",
        "var a, b; a ? b : 5",
    ];
    for text in unknown {
        assert_eq!(value(text), Value::Unknown, "{text}");
    }
    let others = [
        "5",
        "'a'",
        "`a${1}b`",
        "/a/",
        "[1]",
        "({})",
        "!f",
        "typeof f",
        "a + b",
        "a in b",
        "a instanceof b",
        "a++",
        "-1",
        "x = 5",
        "x += f",
        "function (a) {}\n5",
        "true ? 1 : 2",
        "null",
        "this",
        "missing",
        "throw f",
        "module.exports = function () {}",
        "(function () {}) / 2",
        "new Function('a')",
        "function (a) {}\n(1)",
    ];
    for text in others {
        assert!(matches!(value(text), Value::Other { .. }), "{text}: {:?}", value(text));
    }
}

#[test]
fn only_the_last_declaration_may_lack_a_name() {
    let find = |text: &str| {
        let tokens = Tokens::of(text);
        outline(&tokens).expression().map(|nameless| tokens.get(nameless.keyword).unwrap().start)
    };
    assert_eq!(find("function (a) {}"), Some(0));
    assert_eq!(find("function a() {} function (b) {}"), Some(16));
    assert_eq!(find("function (a) {} function (b) {}"), Some(16));
    assert_eq!(find("function (a) {} function b() {}"), None);
    assert_eq!(find("x = function (a) {}"), None);
    assert_eq!(find("x = 1\nfunction (a) {}"), Some(6));
    assert_eq!(find("{ function (a) {} }"), None);
}

#[test]
fn directives_are_read_as_javascript_reads_them() {
    for text in ["'use strict'", "\"use strict\";", "// a\n'a'; 'use strict'\nfunction (a) {}"] {
        assert!(is_strict(&Tokens::of(text)), "{text}");
    }
    for text in ["", "'use strict' + 1", "('use strict')", "x; 'use strict'", "'use\\x20strict'", "'use strict'.length"]
    {
        assert!(!is_strict(&Tokens::of(text)), "{text}");
    }
}
