use std::cell::Cell;

use axum::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

fn authorization(pair: &str) -> HeaderMap {
    headers(&[(header::AUTHORIZATION, &format!("Basic {}", BASE64_STANDARD.encode(pair)))])
}

fn users(with_administrator: bool) -> Users {
    let administrator = Administrator { name: "root".to_owned(), password: Secret::new("sesame") };
    Users::new(if with_administrator { vec![administrator] } else { vec![] }, b"secret".to_vec())
}

fn jan(password: &str) -> Object {
    let Value::Object(mut members) = json!({ "name": "jan", "password": password, "roles": ["family", "_admin"] })
    else {
        panic!("an object")
    };
    password::hide(&mut members, 3).unwrap();
    members
}

const SESSION: Session = Session { timeout: 600, is_persistent: true, now: 10_000 };

fn cookie_of(header: &str) -> HeaderMap {
    headers(&[(header::COOKIE, header.split(';').next().unwrap())])
}

#[test]
fn names_and_passwords_are_recognised() {
    let (users, account) = (users(true), jan("apple"));
    let lookup = |name: &str| Ok((name == "jan").then(|| account.clone()));
    let user = |headers: &HeaderMap| users.recognise(headers, SESSION, &lookup).map(|recognised| recognised.user);
    let root = User { name: Some("root".to_owned()), roles: vec!["_admin".to_owned()] };
    let known = User { name: Some("jan".to_owned()), roles: vec!["family".to_owned()] };
    for _ in 0..2 {
        assert_eq!(user(&authorization("root:sesame")).unwrap(), root);
        assert_eq!(user(&authorization("jan:apple")).unwrap(), known);
        for wrong in ["root:", "root:Sesame", "jan:pear", "jan:", "eva:apple", ":"] {
            assert_eq!(user(&authorization(wrong)).unwrap_err().status.as_u16(), 401, "{wrong}");
        }
    }
    for nobody in [HeaderMap::new(), authorization("_:_"), authorization("jan")] {
        assert_eq!(user(&nobody).unwrap(), User::default());
    }
    for (value, status) in [("Basic nonsense", None), ("Basic /zo=", Some(401))] {
        let found = user(&headers(&[(header::AUTHORIZATION, value)])).err();
        assert_eq!(found.map(|failure| failure.status.as_u16()), status, "{value}");
    }
    let bad = headers(&[(header::AUTHORIZATION, "Basic !!")]);
    assert_eq!(user(&bad).unwrap_err().status.as_u16(), 400);
}

#[test]
fn a_password_that_was_changed_is_not_remembered() {
    let users = users(true);
    let is_changed = Cell::new(false);
    let (old, new) = (jan("apple"), jan("pear"));
    let lookup = |_: &str| Ok(Some(if is_changed.get() { new.clone() } else { old.clone() }));
    assert!(users.sign_in("jan", "apple", &lookup).unwrap().is_some());
    let cookie = cookie_of(&users.begin("jan", SESSION, &lookup).unwrap().unwrap());
    assert!(users.recognise(&cookie, SESSION, &lookup).unwrap().user.name.is_some());
    is_changed.set(true);
    assert!(users.sign_in("jan", "apple", &lookup).unwrap().is_none());
    assert!(users.sign_in("jan", "pear", &lookup).unwrap().is_some());
    assert!(users.recognise(&cookie, SESSION, &lookup).unwrap().user.name.is_none());
}

#[test]
fn a_password_is_another_one_even_with_the_same_salt() {
    let users = users(true);
    let account = |password: &str| {
        let mut members = jan(password);
        members.insert("password".to_owned(), password.into());
        members.insert("salt".to_owned(), "the same".into());
        members.insert("preserve_salt".to_owned(), true.into());
        password::hide(&mut members, 3).unwrap();
        members
    };
    let accepts = |password: &str, account: &Object| {
        users.sign_in("jan", password, &|_| Ok(Some(account.clone()))).unwrap().is_some()
    };
    let (old, new) = (account("apple"), account("pear"));
    assert!(accepts("apple", &old));
    assert!(!accepts("apple", &new));
    assert!(accepts("pear", &new));
}

#[test]
fn a_session_goes_on_as_long_as_it_is_used() {
    let (users, account) = (users(true), jan("apple"));
    let lookup = |name: &str| Ok((name == "jan").then(|| account.clone()));
    for name in ["jan", "root"] {
        let cookie = cookie_of(&users.begin(name, SESSION, &lookup).unwrap().unwrap());
        for (later, is_known, is_renewed) in
            [(0, true, false), (59, true, false), (61, true, true), (600, false, false)]
        {
            let session = Session { now: SESSION.now + later, ..SESSION };
            let recognised = users.recognise(&cookie, session, &lookup).unwrap();
            let found = (recognised.user.name.is_some(), recognised.renewed.is_some());
            assert_eq!(found, (is_known, is_renewed), "{name} {later}");
        }
    }
    assert!(users.begin("eva", SESSION, &lookup).unwrap().is_none());
}

#[test]
fn sessions_outlive_the_process() {
    let lookup = |_: &str| Ok(None);
    let cookie = cookie_of(&users(true).begin("root", SESSION, &lookup).unwrap().unwrap());
    assert!(users(true).recognise(&cookie, SESSION, &lookup).unwrap().user.name.is_some());
    let other = Administrator { name: "root".to_owned(), password: Secret::new("other") };
    let other = Users::new(vec![other], b"secret".to_vec());
    assert!(other.recognise(&cookie, SESSION, &lookup).unwrap().user.name.is_none());
}

#[test]
fn a_second_factor_is_not_left_out() {
    let users = users(true);
    let mut account = jan("apple");
    account.insert("totp".to_owned(), json!({ "key": "x" }));
    assert!(users.sign_in("jan", "apple", &|_| Ok(Some(account.clone()))).unwrap().is_none());
}

#[test]
fn the_party_is_for_this_computer_only() {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
    let party = users(false);
    let lookup = |_: &str| Ok(None);
    let table = [
        (vec![], true),
        (vec![(header::HOST, "localhost:5984")], true),
        (vec![(header::HOST, "127.0.0.1:5984")], true),
        (vec![(header::HOST, "[::1]:5984")], true),
        (vec![(header::HOST, "pics.localhost:5984")], true),
        (vec![(header::HOST, "evil.example:5984")], false),
        (vec![(header::HOST, "localhost.evil.example")], false),
        (vec![(header::HOST, "localhost:5984"), (header::ORIGIN, "http://127.0.0.1:8000")], true),
        (vec![(header::HOST, "localhost:5984"), (header::ORIGIN, "http://evil.example")], false),
        (vec![(header::HOST, "localhost:5984"), (header::ORIGIN, "http://localhost@evil.example")], false),
        (vec![(header::HOST, "localhost:5984"), (header::ORIGIN, "null")], false),
        (vec![(SITE, "same-origin"), (MODE, "no-cors")], true),
        (vec![(SITE, "same-site"), (MODE, "no-cors")], true),
        (vec![(SITE, "none"), (MODE, "navigate")], true),
        // A link is followed; a picture or a script is not fetched.
        (vec![(SITE, "cross-site"), (MODE, "navigate"), (header::REFERER, "http://evil.example/")], true),
        (vec![(SITE, "cross-site"), (MODE, "no-cors")], false),
        (vec![(SITE, "cross-site"), (MODE, "no-cors"), (header::REFERER, "http://evil.example/")], false),
        (vec![(SITE, "cross-site"), (MODE, "no-cors"), (header::REFERER, "http://localhost@evil.example/")], false),
        // `localhost` and `127.0.0.1` are two sites.
        (vec![(SITE, "cross-site"), (MODE, "no-cors"), (header::REFERER, "http://localhost:8000/")], true),
        (vec![(SITE, "cross-site"), (MODE, "cors"), (header::ORIGIN, "http://localhost:8000")], true),
    ];
    for (pairs, is_admin) in table {
        let user = party.recognise(&headers(&pairs), SESSION, &lookup).unwrap().user;
        assert_eq!(access::is_server_admin(&user), is_admin, "{pairs:?}");
    }
    assert!(!access::is_server_admin(&users(true).nobody(&HeaderMap::new())));
}

#[test]
fn secrets_differ() {
    assert_ne!(new_secret(), new_secret());
    assert!(!format!("{:?}", Administrator { name: "a".to_owned(), password: Secret::new("hush") }).contains("hush"));
}
