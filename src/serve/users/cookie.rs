//! The cookie `AuthSession`: a name, the time it was given, and a seal over both that only this server can make.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/authn.html#cookie-authentication>

use axum::http::{HeaderMap, header};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jiff::Timestamp;

use super::password::{are_equal, seal};
use crate::serve::failure::Failure;

/// A cookie that was sent, not proven yet.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::serve) struct Cookie {
    /// Whose it says it is.
    pub(in crate::serve) name: String,
    /// When it was given, in seconds.
    given: u64,
    /// The text of that time: what was sealed.
    sealed: String,
    seal: Vec<u8>,
}

impl Cookie {
    /// The cookie of a request.
    ///
    /// # Errors
    /// 400 for something else under that name.
    pub(in crate::serve) fn of(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        match cookies.find(|(name, _)| name.eq_ignore_ascii_case("AuthSession")) {
            None => Ok(None),
            Some((_, value)) => match value.trim_matches('"') {
                "" => Ok(None),
                value => Self::parse(value).map(Some).ok_or_else(malformed),
            },
        }
    }

    fn parse(value: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')).ok()?;
        let mut parts = bytes.splitn(3, |byte| *byte == b':');
        let (name, time, seal) = (parts.next()?, parts.next()?, parts.next()?);
        let (name, time) = (String::from_utf8(name.to_vec()).ok()?, std::str::from_utf8(time).ok()?);
        // Something that is no time was given at the beginning of time.
        let given = u64::from_str_radix(time, 16).unwrap_or(0);
        Some(Self { sealed: format!("{name}:{time}"), name, given, seal: seal.to_vec() })
    }

    /// For how many seconds it still holds; `None` when it is forged or too old.
    pub(in crate::serve) fn holds(&self, key: &[u8], now: u64, timeout: u64) -> Option<u64> {
        let left = self.given.saturating_add(timeout).checked_sub(now).filter(|left| *left > 0)?;
        are_equal(&seal(key, self.sealed.as_bytes()), &self.seal).then_some(left)
    }
}

fn malformed() -> Failure {
    Failure::bad_request("Malformed AuthSession cookie. Please clear your cookies.")
}

/// The value of a new cookie.
pub(in crate::serve) fn value(name: &str, key: &[u8], now: u64) -> String {
    let text = format!("{name}:{now:X}");
    let seal = seal(key, text.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode([text.as_bytes(), b":", &seal].concat())
}

/// The header `Set-Cookie`; an empty value makes the browser forget.
pub(in crate::serve) fn header(value: &str, now: u64, timeout: u64, is_persistent: bool) -> String {
    let expiry = if is_persistent {
        let time = i64::try_from(now.saturating_add(timeout)).ok().and_then(|end| Timestamp::from_second(end).ok());
        let expires = time.map(|time| time.strftime("; Expires=%a, %d-%b-%Y %H:%M:%S GMT").to_string());
        format!("{}; Max-Age={timeout}", expires.unwrap_or_default())
    } else {
        String::new()
    };
    format!("AuthSession={value}; Version=1{expiry}; Path=/; HttpOnly")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn sent(value: &str) -> Result<Option<Cookie>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(value).unwrap());
        Cookie::of(&headers)
    }

    #[test]
    fn a_cookie_comes_back() {
        let value = value("jän", b"key", 1_000);
        let cookie = sent(&format!("a=b; AuthSession={value}; c=d")).unwrap().unwrap();
        assert_eq!(cookie.name, "jän");
        for (key, now, timeout, left) in [
            ("key", 1_000, 600, Some(600)),
            ("key", 1_599, 600, Some(1)),
            ("key", 1_600, 600, None),
            ("key", 9_999, 600, None),
            ("other", 1_000, 600, None),
        ] {
            assert_eq!(cookie.holds(key.as_bytes(), now, timeout), left, "{key} {now}");
        }
    }

    #[test]
    fn what_was_altered_does_not_hold() {
        let original = BASE64_URL_SAFE_NO_PAD.decode(value("jan", b"key", 1_000)).unwrap();
        for at in 0..original.len() {
            let mut altered = original.clone();
            altered[at] ^= 1;
            let cookie = Cookie::parse(&BASE64_URL_SAFE_NO_PAD.encode(&altered));
            assert!(cookie.is_none_or(|cookie| cookie.holds(b"key", 1_000, 600).is_none()), "{at}");
        }
    }

    #[test]
    fn only_garbage_is_an_error() {
        for none in ["a=b", "AuthSession=", "AuthSession=\"\"", "xAuthSession=garbage"] {
            assert!(sent(none).unwrap().is_none(), "{none}");
        }
        for bad in ["AuthSession=garbage", "AuthSession=!", "AuthSession=YTpi"] {
            assert_eq!(sent(bad).err().unwrap().status.as_u16(), 400, "{bad}");
        }
    }

    #[test]
    fn the_header_is_that_of_couchdb() {
        assert_eq!(
            header("x", 1_795_404_259 - 600 + 200, 600, true),
            "AuthSession=x; Version=1; Expires=Mon, 23-Nov-2026 03:27:39 GMT; Max-Age=600; Path=/; HttpOnly"
        );
        assert_eq!(header("", 0, 600, false), "AuthSession=; Version=1; Path=/; HttpOnly");
    }
}
