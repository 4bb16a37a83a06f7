//! Credentials as types that cannot be printed.

use std::fmt;

/// A password or token. `Debug` masks it and there is no `Display`: [`Secret::expose`] is the only way to the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one header or prompt that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// What a request is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP Basic: a user of the server's `_users` database or one of its admins.
    Basic {
        /// The user's name; may be shown.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token (JWT, or Cloudant's IAM token).
    Bearer(Secret),
}

impl Credentials {
    /// The user's name, where there is one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Basic { user, .. } => Some(user),
            Self::Bearer(_) => None,
        }
    }
}

/// `text` with the password of every URL in it masked: servers and proxies quote URLs in their messages.
///
/// `http://admin:secret@host/` becomes `http://admin:****@host/`. A password with an unencoded `/`, `?` or `#` ends the
/// authority for a URL parser; here what stands where a port should is taken for its beginning.
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    // A mistyped `http:/user:password@host` holds a password, too.
    while let Some(at) = rest.find(":/") {
        let slashes = rest[at + 1..].bytes().take_while(|byte| *byte == b'/').count();
        let (before, after) = rest.split_at(at + 1 + slashes);
        clean.push_str(before);
        let (authority, tail) = after.split_at(authority_end(after));
        match authority.rsplit_once('@') {
            Some((userinfo, host)) => {
                let user = userinfo.split_once(':').map_or("****", |(user, _)| user);
                clean.push_str(user);
                if userinfo.contains(':') {
                    clean.push_str(":****");
                }
                clean.push('@');
                clean.push_str(host);
            }
            None => clean.push_str(authority),
        }
        rest = tail;
    }
    clean.push_str(rest);
    clean
}

/// Where the authority ends that begins at the start of `text`.
fn authority_end(text: &str) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || "/?#\"'<>`".contains(c)).unwrap_or(text.len());
    let port = text[..end].rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = text[..end].contains('@') || port.bytes().all(|byte| byte.is_ascii_digit()) || port.ends_with(']');
    if is_port {
        return end;
    }
    let word = &text[..text.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c)).unwrap_or(text.len())];
    match word.rfind('@') {
        Some(at) => at + 1 + word[at + 1..].find(['/', '?', '#']).unwrap_or(word.len() - at - 1),
        None => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_secret() {
        let credentials = Credentials::Basic { user: "admin".into(), password: Secret::new("hunter2") };
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert!(!format!("{:?}", Credentials::Bearer(Secret::new("hunter2"))).contains("hunter2"));
    }

    #[test]
    fn passwords_inside_urls_are_masked() {
        let cases = [
            ("http://admin:hunter2@h:5984/db", "http://admin:****@h:5984/db"),
            ("see https://a:b@c:d@h/ and http://x/", "see https://a:****@h/ and http://x/"),
            ("http://token@h/", "http://****@h/"),
            ("http://h/a@b", "http://h/a@b"),
            ("http://a:b/c@h/db x@y", "http://a:****@h/db x@y"),
            ("http://a:b?c#d@h/db", "http://a:****@h/db"),
            ("{\"a\":\"http://h:x/\",\"b\":\"c@d\"}", "{\"a\":\"http://h:x/\",\"b\":\"c@d\"}"),
            ("http://[::1]:5984/a@b http://[::1]/a@b", "http://[::1]:5984/a@b http://[::1]/a@b"),
            ("no url", "no url"),
            ("http:/admin:hunter2@h:5984/db", "http:/admin:****@h:5984/db"),
            ("file:/etc/x and http:///u:p@h", "file:/etc/x and http:///u:****@h"),
            ("\"http://u:p@h\"", "\"http://u:****@h\""),
        ];
        for (text, clean) in cases {
            assert_eq!(redact(text), clean);
        }
    }
}
