//! Who asks, and what they may do.
//!
//! Administrators of the server are named when it is started; everybody else is a document of the database `_users`. As long
//! as no administrator is named everybody is one (the "admin party" of CouchDB before 3.0), which is why an endpoint without
//! them listens on this computer only. A web page of somewhere else is not at the party: see [`is_trusted`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderName, header};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use self::cookie::Cookie;
use self::loan::{Loan, Loans};
use crate::hexadecimal;
use crate::json::Object;
use crate::secret::Secret;
use crate::serve::failure::Failure;

pub(in crate::serve) mod access;
pub(in crate::serve) mod account;
pub(in crate::serve) mod cookie;
pub(in crate::serve) mod loan;
pub(in crate::serve) mod password;

/// So many passwords that were right are remembered.
const MOST_PROOFS: usize = 1_000;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// `None` for nobody in particular.
    pub name: Option<String>,
    /// `_admin` for an administrator of the server.
    pub roles: Vec<String>,
}

/// An administrator of the server.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Secret,
}

/// An administrator without the password: only what proves it.
struct Known {
    name: String,
    salt: String,
    proof: [u8; 32],
}

/// Everybody who can sign in.
pub struct Users {
    administrators: Vec<Known>,
    /// Of this process.
    key: [u8; 32],
    /// What cookies are sealed with.
    secret: Vec<u8>,
    /// Proofs of passwords that were right: hashing one takes a while, and Basic sends it with every request.
    proofs: Mutex<HashMap<String, [u8; 32]>>,
    /// What this endpoint asks of itself in somebody's name.
    loans: Loans,
}

/// Somebody who was recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct Recognised {
    /// Who.
    pub(in crate::serve) user: User,
    /// `Set-Cookie`: the cookie of a session that goes on.
    pub(in crate::serve) renewed: Option<String>,
}

/// How sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Session {
    /// Seconds without a request after which a session ends.
    pub(in crate::serve) timeout: u64,
    /// Whether the browser keeps the cookie when it is closed.
    pub(in crate::serve) is_persistent: bool,
    /// Now, in seconds.
    pub(in crate::serve) now: u64,
}

/// Finds a user's document by the name.
pub(in crate::serve) type Lookup<'a> = dyn Fn(&str) -> Result<Option<Object>, Failure> + 'a;

impl Users {
    /// `secret` seals cookies: with the same one, sessions outlive the process.
    pub fn new(administrators: Vec<Administrator>, secret: Vec<u8>) -> Self {
        let key = new_secret();
        let known = administrators.into_iter().map(|administrator| {
            // The same after a restart, and another one when the password is.
            let password = administrator.password.expose();
            let text = format!("{}\0{password}", administrator.name);
            let salt = hexadecimal::encode(&password::seal(&secret, text.as_bytes()));
            let proof = proof(&key, &administrator.name, &salt, password);
            Known { name: administrator.name, salt, proof }
        });
        let administrators = known.collect();
        Self { administrators, key, secret, proofs: Mutex::new(HashMap::new()), loans: Loans::default() }
    }

    /// Whether everybody is an administrator.
    pub fn is_party(&self) -> bool {
        self.administrators.is_empty()
    }

    /// Who asks. Reads a document and may hash a password: call it from a blocking task, unless [`Self::needs_no_lookup`].
    ///
    /// # Errors
    /// 401 when name and password do not fit; 400 for headers that say nothing.
    pub(in crate::serve) fn recognise(
        &self,
        headers: &HeaderMap,
        session: Session,
        lookup: &Lookup<'_>,
    ) -> Result<Recognised, Failure> {
        if let Some(cookie) = Cookie::of(headers)?
            && let Some(recognised) = self.by_cookie(&cookie, session, lookup)?
        {
            return Ok(recognised);
        }
        if let Some(user) = scheme(headers, "bearer").and_then(|token| self.loans.user_of(token)) {
            let user = self.present(user, lookup)?.ok_or_else(wrong)?;
            return Ok(Recognised { user, renewed: None });
        }
        if let Some((name, password)) = basic(headers)? {
            let user = self.sign_in(&name, &password, lookup)?.ok_or_else(wrong)?;
            return Ok(Recognised { user, renewed: None });
        }
        Ok(Recognised { user: self.nobody(headers), renewed: None })
    }

    /// Whether a request names nobody.
    pub(in crate::serve) fn needs_no_lookup(headers: &HeaderMap) -> bool {
        !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::COOKIE)
    }

    /// Who asks without saying who: an administrator at the party, nobody in particular otherwise.
    pub(in crate::serve) fn nobody(&self, headers: &HeaderMap) -> User {
        if self.is_party() && is_trusted(headers) {
            return User { name: None, roles: vec![access::ADMINISTRATOR.to_owned()] };
        }
        User::default()
    }

    /// Whose name and password these are. Takes its time.
    pub(in crate::serve) fn sign_in(
        &self,
        name: &str,
        password: &str,
        lookup: &Lookup<'_>,
    ) -> Result<Option<User>, Failure> {
        if let Some(known) = self.administrators.iter().find(|known| known.name == name) {
            let is_right = password::are_equal(&proof(&self.key, name, &known.salt, password), &known.proof);
            return Ok(is_right.then(|| administrator(name)));
        }
        let Some(account) = lookup(name)? else { return Ok(None) };
        if account.contains_key("totp") {
            // A second factor that is not asked for here must not be left out.
            return Ok(None);
        }
        let proof = proof(&self.key, name, &password::kept(&account), password);
        let remembered = self.lock().get(name).copied();
        let is_right = remembered.is_some_and(|known| password::are_equal(&known, &proof));
        if !is_right {
            if !password::is_right(password, &account)? {
                return Ok(None);
            }
            let mut proofs = self.lock();
            if proofs.len() >= MOST_PROOFS {
                proofs.clear();
            }
            proofs.insert(name.to_owned(), proof);
        }
        Ok(Some(User { name: Some(name.to_owned()), roles: roles(&account) }))
    }

    /// Lends the rights of a user to what is carried out in that name.
    pub(in crate::serve) fn lend(&self, user: &User) -> Loan {
        self.loans.lend(user)
    }

    /// A user with the roles of now; `None` when there is no such user any longer.
    fn present(&self, user: User, lookup: &Lookup<'_>) -> Result<Option<User>, Failure> {
        match &user.name {
            None => Ok(Some(user)),
            Some(name) => Ok(self.key_of(name, lookup)?.map(|(_, user)| user)),
        }
    }

    /// The `Set-Cookie` of somebody who has signed in.
    pub(in crate::serve) fn begin(
        &self,
        name: &str,
        session: Session,
        lookup: &Lookup<'_>,
    ) -> Result<Option<String>, Failure> {
        let Some((key, _)) = self.key_of(name, lookup)? else { return Ok(None) };
        let value = cookie::value(name, &key, session.now);
        Ok(Some(cookie::header(&value, session.now, session.timeout, session.is_persistent)))
    }

    fn by_cookie(&self, cookie: &Cookie, session: Session, lookup: &Lookup<'_>) -> Result<Option<Recognised>, Failure> {
        let Some((key, user)) = self.key_of(&cookie.name, lookup)? else { return Ok(None) };
        let Some(left) = cookie.holds(&key, session.now, session.timeout) else { return Ok(None) };
        // CouchDB renews a cookie after a tenth of its time.
        let is_young = left.saturating_mul(10) >= session.timeout.saturating_mul(9);
        let renewed = (!is_young).then(|| {
            let value = cookie::value(&cookie.name, &key, session.now);
            cookie::header(&value, session.now, session.timeout, session.is_persistent)
        });
        Ok(Some(Recognised { user, renewed }))
    }

    /// What seals the cookies of somebody, and who that is. It changes with the password.
    fn key_of(&self, name: &str, lookup: &Lookup<'_>) -> Result<Option<(Vec<u8>, User)>, Failure> {
        if let Some(known) = self.administrators.iter().find(|known| known.name == name) {
            return Ok(Some(([self.secret.as_slice(), known.salt.as_bytes()].concat(), administrator(name))));
        }
        Ok(lookup(name)?.map(|account| {
            let key = [self.secret.as_slice(), salt(&account).as_bytes()].concat();
            (key, User { name: Some(name.to_owned()), roles: roles(&account) })
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, [u8; 32]>> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 401, as CouchDB says it.
pub(in crate::serve) fn wrong() -> Failure {
    Failure::new(401, "unauthorized", "Name or password is incorrect.")
}

/// A secret that nobody can guess.
///
/// The standard library draws keys from the operating system for every thread: those of a thread that has told no number
/// to anybody are secret.
pub(in crate::serve) fn new_secret() -> [u8; 32] {
    let drawn = std::thread::spawn(|| [crate::random::number(), crate::random::number()]).join();
    let drawn = [drawn.unwrap_or_default(), [crate::random::number(), crate::random::number()]].concat();
    let bytes: Vec<u8> = drawn.iter().flat_map(|number| number.to_be_bytes()).collect();
    password::seal(&bytes, b"secret")
}

fn administrator(name: &str) -> User {
    User { name: Some(name.to_owned()), roles: vec![access::ADMINISTRATOR.to_owned()] }
}

/// `kept` is what is kept of the password: a proof holds no longer than that.
fn proof(key: &[u8], name: &str, kept: &str, password: &str) -> [u8; 32] {
    password::seal(key, format!("{name}\0{kept}\0{password}").as_bytes())
}

fn salt(account: &Object) -> &str {
    account.get("salt").and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn roles(account: &Object) -> Vec<String> {
    let roles = account.get("roles").and_then(serde_json::Value::as_array);
    let roles = roles.into_iter().flatten().filter_map(serde_json::Value::as_str);
    // No document makes an administrator.
    roles.filter(|role| *role != access::ADMINISTRATOR).map(str::to_owned).collect()
}

/// What the header `Authorization` says in a scheme.
fn scheme<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())?;
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest.trim())
}

/// Name and password of the header `Authorization: Basic`.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Failure> {
    let Some(encoded) = scheme(headers, "basic") else { return Ok(None) };
    let bytes = BASE64_STANDARD.decode(encoded);
    let bytes = bytes.map_err(|_| Failure::bad_request("Authorization header has invalid base64 value"))?;
    // `_:_` is how people sign out of Basic.
    if !bytes.contains(&b':') || bytes == b"_:_" {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    Ok(text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned())))
}

/// Whether a request comes from this computer as far as a browser can tell: it names this computer as the host (a foreign
/// name that leads here is a [rebinding attack](https://en.wikipedia.org/wiki/DNS_rebinding)), and no page of somewhere else
/// has sent it.
pub(in crate::serve) fn is_trusted(headers: &HeaderMap) -> bool {
    let is_host = text(headers, &header::HOST).is_none_or(|host| is_loopback(host_name(host)));
    is_host && text(headers, &header::ORIGIN).map_or_else(|| !is_part_of_foreign_page(headers), is_loopback_origin)
}

/// Whether a browser fetches this for a page of somewhere else, as a picture or a script, say: no `Origin` is sent then, and
/// the page learns something by it. Following a link is no such thing. Pages of this computer have a `Referer`, where
/// `localhost` and `127.0.0.1` are different sites. <https://www.w3.org/TR/fetch-metadata/>
fn is_part_of_foreign_page(headers: &HeaderMap) -> bool {
    let says = |name, value| text(headers, &HeaderName::from_static(name)) == Some(value);
    if !says("sec-fetch-site", "cross-site") || says("sec-fetch-mode", "navigate") {
        return false;
    }
    let referer = text(headers, &header::REFERER).unwrap_or_default();
    let end = referer.match_indices('/').nth(2).map_or(referer.len(), |(end, _)| end);
    !is_loopback_origin(&referer[..end])
}

/// A header; empty when it is no text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether an origin is a server of this computer.
pub(in crate::serve) fn is_loopback_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|authority| !authority.contains(['/', '@']) && is_loopback(host_name(authority)))
}

/// A host without its port.
fn host_name(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

fn is_loopback(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests;
