//! Passwords as CouchDB keeps them: `pbkdf2` (any of its hashes), and `simple` of old documents.
//!
//! <https://docs.couchdb.org/en/3.5.x/intro/security.html#creating-a-new-user>

use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use crate::hexadecimal;
use crate::json::Object;
use crate::random;
use crate::serve::failure::Failure;

/// How often a new password is hashed: CouchDB 3.5's `[chttpd_auth] iterations`.
pub(in crate::serve) const ITERATIONS: u32 = 600_000;

/// More than that is an attempt to keep the processor busy: CouchDB allows 10⁹, which takes minutes.
const MOST_ITERATIONS: u64 = 10_000_000;

/// The members that say what a password is.
const MEMBERS: [&str; 8] =
    ["derived_key", "iterations", "password", "password_scheme", "password_sha", "preserve_salt", "pbkdf2_prf", "salt"];

/// Replaces the member `password` of a user's document by what proves it; without one the document stays as it is.
///
/// # Errors
/// 403 when it is no text.
pub(in crate::serve) fn hide(members: &mut Object, iterations: u32) -> Result<(), Failure> {
    let invalid = |what: &str, value: &Value| {
        // CouchDB repeats whatever it was.
        let shown = if value.is_number() || value.is_boolean() { format!(" of '{value}'") } else { String::new() };
        Failure::new(403, "forbidden", format!("{what} value{shown} is invalid."))
    };
    let password = match members.get("password") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(password)) => password.clone(),
        Some(other) => return Err(invalid("Password", other)),
    };
    let keeps_salt = members.get("preserve_salt") == Some(&Value::Bool(true));
    let salt = match members.get("salt").filter(|_| keeps_salt) {
        None => random_salt(),
        Some(Value::String(salt)) => salt.clone(),
        Some(other) => return Err(invalid("Salt", other)),
    };
    let mut key = [0; 32];
    pbkdf2_hmac::<Sha256>(password.as_bytes(), salt.as_bytes(), iterations, &mut key);
    let mut hidden = Object::new();
    hidden.insert("password_scheme".to_owned(), "pbkdf2".into());
    hidden.insert("pbkdf2_prf".to_owned(), "sha256".into());
    hidden.insert("salt".to_owned(), salt.into());
    hidden.insert("iterations".to_owned(), iterations.into());
    hidden.insert("derived_key".to_owned(), hexadecimal::encode(&key).into());
    let others = std::mem::take(members).into_iter().filter(|(name, _)| !MEMBERS.contains(&name.as_str()));
    hidden.extend(others);
    *members = hidden;
    Ok(())
}

/// What a user's document keeps of the password, as a text. A new password changes it even where the salt stays the same.
pub(in crate::serve) fn kept(account: &Object) -> String {
    let members = MEMBERS.iter().map(|name| account.get(*name).map(Value::to_string).unwrap_or_default());
    members.collect::<Vec<_>>().join("\0")
}

/// A salt for a password.
pub(in crate::serve) fn random_salt() -> String {
    format!("{}{}", random::hexadecimal(), random::hexadecimal())
}

/// Whether a password is that of a user's document. Takes its time, on purpose: call it from a blocking task.
///
/// # Errors
/// 403 when the document asks for what is not done here.
pub(in crate::serve) fn is_right(password: &str, account: &Object) -> Result<bool, Failure> {
    let text = |name: &str| account.get(name).and_then(Value::as_str);
    let salt = text("salt").unwrap_or_default();
    let (found, expected) = match text("password_scheme").unwrap_or("simple") {
        "simple" => (simple(password, salt), text("password_sha")),
        "pbkdf2" => (derived(password, salt, account)?, text("derived_key")),
        "simple+pbkdf2" => (derived(&simple(password, salt), salt, account)?, text("derived_key")),
        _ => return Ok(false),
    };
    Ok(expected.is_some_and(|expected| are_equal(found.as_bytes(), expected.as_bytes())))
}

fn simple(password: &str, salt: &str) -> String {
    hexadecimal::encode(&Sha1::new().chain_update(password).chain_update(salt).finalize())
}

fn derived(password: &str, salt: &str, account: &Object) -> Result<String, Failure> {
    let forbidden = |reason: &str| Failure::new(403, "forbidden", reason);
    let iterations = account.get("iterations").map_or(Some(10_000), Value::as_u64);
    let iterations = match iterations {
        None | Some(0) => return Err(forbidden("Iteration count is too low for this server")),
        Some(iterations) if iterations > MOST_ITERATIONS => {
            return Err(forbidden("Iteration count is too high for this server"));
        }
        Some(iterations) => u32::try_from(iterations).unwrap_or(u32::MAX),
    };
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    let mut key = [0; 64];
    let length = match account.get("pbkdf2_prf").map_or(Some("sha"), Value::as_str) {
        Some("sha") => {
            pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut key[..20]);
            20
        }
        Some("sha224") => {
            pbkdf2_hmac::<Sha224>(password, salt, iterations, &mut key[..28]);
            28
        }
        Some("sha256") => {
            pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut key[..32]);
            32
        }
        Some("sha384") => {
            pbkdf2_hmac::<Sha384>(password, salt, iterations, &mut key[..48]);
            48
        }
        Some("sha512") => {
            pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut key);
            64
        }
        _ => return Err(forbidden("PRF is invalid")),
    };
    Ok(hexadecimal::encode(&key[..length]))
}

/// A keyed hash.
pub(in crate::serve) fn seal(key: &[u8], text: &[u8]) -> [u8; 32] {
    // A key of any length will do for HMAC.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mac| mac.chain_update(text).finalize().into_bytes().into())
}

/// Compares without telling by the time it takes where the difference is: the hashes are compared, under a key that nobody
/// knows.
pub(in crate::serve) fn are_equal(left: &[u8], right: &[u8]) -> bool {
    let key = random_salt();
    seal(key.as_bytes(), left) == seal(key.as_bytes(), right)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_password_is_hidden_as_couchdb_hides_it() {
        let mut user =
            object(json!({ "name": "jan", "password": "apple", "salt": "old", "roles": [], "type": "user" }));
        hide(&mut user, 10).unwrap();
        let names: Vec<&str> = user.keys().map(String::as_str).collect();
        let expected = ["password_scheme", "pbkdf2_prf", "salt", "iterations", "derived_key", "name", "roles", "type"];
        assert_eq!(names, expected);
        assert_ne!(user["salt"], "old");
        assert!(!Value::Object(user.clone()).to_string().contains("apple"));
        assert!(is_right("apple", &user).unwrap());
        assert!(!is_right("Apple", &user).unwrap());
        assert!(!is_right("", &user).unwrap());
    }

    #[test]
    fn a_salt_may_be_kept() {
        let mut user = object(json!({ "password": "x", "salt": "old", "preserve_salt": true }));
        hide(&mut user, 1).unwrap();
        assert_eq!(user["salt"], "old");
        assert!(!user.contains_key("preserve_salt"));
    }

    #[test]
    fn only_texts_are_passwords() {
        for bad in [json!(5), json!(["a"]), json!(true)] {
            let mut user = object(json!({ "password": bad }));
            let failure = hide(&mut user, 1).unwrap_err();
            assert_eq!((failure.status.as_u16(), failure.error.as_str()), (403, "forbidden"));
        }
        let mut user = object(json!({ "password": null, "a": 1 }));
        hide(&mut user, 1).unwrap();
        assert_eq!(user, object(json!({ "password": null, "a": 1 })));
    }

    /// What CouchDB 3.5 wrote for the password `apple`.
    #[test]
    fn the_hash_is_that_of_couchdb() {
        let user = object(json!({
            "password_scheme": "pbkdf2", "pbkdf2_prf": "sha256", "salt": "bad358dd8dbb2dbbaf2c9045728a1318",
            "iterations": 600_000, "derived_key": "7f1eb8a29d2ce015c32162a5c2ec43af812b29cf7684ec59146188831c1f10b8",
        }));
        assert!(is_right("apple", &user).unwrap());
    }

    #[test]
    fn old_documents_are_read() {
        // sha1("apple" + "salt"); PBKDF2 of RFC 6070.
        let sha = simple("apple", "salt");
        let table = [
            (json!({ "salt": "salt", "password_sha": sha }), "apple", true),
            (json!({ "salt": "salt", "password_sha": sha }), "pear", false),
            (json!({ "salt": "salt" }), "", false),
            (
                json!({ "password_scheme": "pbkdf2", "salt": "salt", "iterations": 2,
                        "derived_key": "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957" }),
                "password",
                true,
            ),
            (json!({ "password_scheme": "md5", "password_sha": sha }), "apple", false),
        ];
        for (account, password, expected) in table {
            assert_eq!(is_right(password, &object(account.clone())).unwrap(), expected, "{account}");
        }
    }

    #[test]
    fn what_would_take_for_ever_is_refused() {
        for (iterations, prf) in
            [(json!(4_000_000_000_u64), "sha256"), (json!(0), "sha256"), (json!("x"), "sha"), (json!(1), "md4")]
        {
            let account = object(json!({ "password_scheme": "pbkdf2", "iterations": iterations, "pbkdf2_prf": prf }));
            assert_eq!(is_right("x", &account).unwrap_err().status.as_u16(), 403);
        }
    }

    #[test]
    fn equal_is_equal() {
        assert!(are_equal(b"", b""));
        assert!(are_equal(b"abc", b"abc"));
        for (left, right) in [("a", "b"), ("a", "aa"), ("", "a")] {
            assert!(!are_equal(left.as_bytes(), right.as_bytes()));
        }
    }
}
