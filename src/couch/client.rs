//! The HTTP client: one try of one request, and the loop around the harmless ones.
//!
//! Redirects are off (credentials would go along, a `PUT` would turn into a `GET`), nothing is decompressed on the way
//! (it would hide lengths and digests), the library's own retries are off (they know nothing of documents), and there
//! is no total timeout: a request ends when no byte has moved for [`Network::idle_timeout`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE,
};
use reqwest::{Certificate, Identity, Method, redirect};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::answer::{self, Place, Subject};
use super::body::{Body, Upload};
use super::fault::{self, Fault};
use super::meter::{self, Meter};
use super::retry::{self, Attempts, Next, Repeat};
use super::target::Target;
use super::{CouchError, Network, Pace};
use crate::address::Address;
use crate::json;
use crate::secret::{Credentials, Secret};

/// Sizes beyond which an answer is not read.
pub(super) mod limit {
    /// Errors, results of writes, facts about a server.
    pub(in crate::couch) const SMALL: usize = 1 << 20;
    /// Documents and listings.
    pub(in crate::couch) const LARGE: usize = 128 << 20;
    /// Documents with their attachments inside.
    pub(in crate::couch) const INLINE: usize = 512 << 20;
}

/// The connection to one origin.
#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    address: Address,
    authorization: Option<HeaderValue>,
    /// What the header was made of, for the jobs that a server carries out in our name.
    credentials: Option<Credentials>,
    /// What else goes with every request.
    headers: Vec<(HeaderName, HeaderValue)>,
    network: Network,
    /// How many requests may be under way at once, beside those that wait for something to happen.
    gate: Semaphore,
}

/// A thousand jobs that begin at once would each open a connection; more than this do not make a server faster.
const AT_ONCE: usize = 100;

/// One request, to be sent any number of times.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) subject: Subject,
    pub(super) accept: &'static str,
    pub(super) accept_encoding: &'static str,
    /// The first byte that is wanted, if not all are.
    pub(super) from: Option<u64>,
    pub(super) body: Option<Body>,
    /// How long the answer may take after the last byte of the body, if not as long as anything else.
    pub(super) late_answer: Option<Duration>,
    /// It is answered when something happens, which may be never.
    pub(super) is_wait: bool,
}

impl Request {
    pub(super) fn new(method: Method, target: Target, subject: Subject) -> Self {
        Self {
            method,
            target,
            subject,
            accept: "application/json",
            accept_encoding: "identity",
            from: None,
            body: None,
            late_answer: None,
            is_wait: false,
        }
    }

    /// The same with a JSON body.
    pub(super) fn json(self, value: &Value) -> Self {
        Self { body: Some(Body::json(value.to_string().into_bytes())), ..self }
    }

    /// Method and URL.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

impl Client {
    /// Prepares the client for the server of `address`.
    pub(super) fn new(
        address: &Address,
        credentials: Option<Credentials>,
        network: &Network,
    ) -> Result<Self, CouchError> {
        let authorization = credentials.as_ref().map(authorization).transpose()?;
        let headers = network.headers.iter().map(|(name, value)| header(name, value)).collect::<Result<_, _>>()?;
        let http = build(network)?;
        let (address, network) = (address.server(), network.clone());
        let gate = Semaphore::new(AT_ONCE);
        Ok(Self(Arc::new(Inner { http, address, authorization, credentials, headers, network, gate })))
    }

    pub(super) fn address(&self) -> &Address {
        &self.0.address
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }

    pub(super) fn network(&self) -> &Network {
        &self.0.network
    }

    pub(super) fn attempts(&self, request: &Request) -> Attempts<'_> {
        Attempts::new(&self.0.network, request.line())
    }

    /// Sends a request that may be sent twice until there is an answer, and reads the answer with `read`.
    pub(super) async fn repeat<T, F>(&self, request: &Request, read: impl Fn(Reply) -> F) -> Result<T, CouchError>
    where
        F: Future<Output = Result<T, CouchError>>,
    {
        let mut attempts = self.attempts(request);
        loop {
            let pass = self.pass(request).await;
            let fault = match self.exchange(request).await {
                Ok(reply) => match read(reply).await {
                    Ok(value) => return Ok(value),
                    Err(error) => Fault::reading(error),
                },
                Err(fault) => fault,
            };
            drop(pass);
            match retry::next(fault.effect, Repeat::Harmless) {
                Next::Again => attempts.again(fault).await?,
                Next::Recognise | Next::Stop => return Err(fault.error),
            }
        }
    }

    /// Waits for its turn. What waits for something to happen needs none, nor does what reads from elsewhere while it is
    /// sent: that may be this server, and two that wait for each other would wait for ever.
    async fn pass(&self, request: &Request) -> Option<SemaphorePermit<'_>> {
        let is_free = request.is_wait || request.body.as_ref().is_some_and(Body::has_source);
        if is_free { None } else { self.0.gate.acquire().await.ok() }
    }

    /// [`Client::repeat`] for a JSON answer of at most `limit` bytes.
    pub(super) async fn json(&self, request: &Request, limit: usize) -> Result<Value, CouchError> {
        self.repeat(request, |reply| reply.json(limit)).await
    }

    /// One try. Success is a status of 200 to 299.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Reply, Fault> {
        let url = request.target.url().map_err(|error| Fault::done(error.into()))?;
        let place = self.place(request);
        let upload = Upload::new(request.body.is_none());
        let built = self.build(request, url, &upload);
        let meter = &self.0.network.meter;
        let first_line = request.target.to_string().len() + request.method.as_str().len() + 12;
        meter.count(request, first_line as u64 + meter::length(built.headers()));
        let sending = self.0.http.execute(built);
        let idle = self.0.network.idle_timeout;
        let result = tokio::select! {
            result = sending => result,
            waited = upload.stalled(idle, request.late_answer) => {
                upload.stop();
                tracing::debug!(request = %place.request, "no answer");
                let error = CouchError::Timeout { origin: place.origin, waited, request: place.request };
                return Err(Fault::reading(error));
            }
        };
        upload.stop();
        if let Some((name, source)) = upload.failure() {
            return Err(Fault::done(CouchError::Source { name, source }));
        }
        let response = result.map_err(|error| {
            let fault = Fault::from_transport(&error.without_url(), &place.origin, &place.request);
            tracing::debug!(request = %place.request, error = %fault.error, "failed");
            fault
        })?;
        let reply = Reply::new(response, place, &self.0.network);
        tracing::debug!(request = %reply.place.request, status = reply.status, "answered");
        if (200..300).contains(&reply.status) { Ok(reply) } else { Err(reply.into_refusal(&request.subject).await) }
    }

    fn place(&self, request: &Request) -> Place {
        let address = &self.0.address;
        Place {
            origin: address.origin().to_owned(),
            host: address.authority().to_owned(),
            url: request.target.to_string(),
            request: request.line(),
            signed: self.0.authorization.is_some(),
        }
    }

    /// Credentials are put on here and nowhere else, and `target` has the origin they were given for.
    fn build(&self, request: &Request, url: url::Url, upload: &Arc<Upload>) -> reqwest::Request {
        let mut built = reqwest::Request::new(request.method.clone(), url);
        let headers = built.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(request.accept_encoding));
        if let Some(from) = request.from
            && let Ok(range) = HeaderValue::try_from(format!("bytes={from}-"))
        {
            headers.insert(RANGE, range);
        }
        if request.target.origin() == self.0.address.origin() {
            headers.extend(self.0.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
            if let Some(authorization) = &self.0.authorization {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
        }
        if let Some(body) = &request.body {
            if let Ok(content_type) = HeaderValue::try_from(body.content_type.as_str()) {
                headers.insert(CONTENT_TYPE, content_type);
            }
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.length()));
            *built.body_mut() = Some(reqwest::Body::wrap_stream(body.stream(Arc::clone(upload), &self.0.network)));
        }
        built
    }
}

/// Masks the credentials.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.0.address.to_string()).finish_non_exhaustive()
    }
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue, CouchError> {
    let (text, what) = match credentials {
        Credentials::Basic { user, password } => {
            (format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose()))), "password")
        }
        Credentials::Bearer(token) => (format!("Bearer {}", token.expose()), "token"),
    };
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| CouchError::Unusable { what, why: "it has characters that no header can hold".to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), CouchError> {
    let unusable = |why: &str| CouchError::Unusable { what: "header", why: why.to_owned() };
    let name = HeaderName::try_from(name).map_err(|_| unusable("its name has characters that no header has"))?;
    let mut value =
        HeaderValue::try_from(value.expose()).map_err(|_| unusable("it has characters that no header can hold"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn build(network: &Network) -> Result<reqwest::Client, CouchError> {
    let unusable = |what| move |error: reqwest::Error| CouchError::Unusable { what, why: fault::cause(&error) };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("couchapp/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(network.connect_timeout)
        .tls_danger_accept_invalid_certs(network.insecure);
    if let Some(pem) = &network.ca_certificate {
        let what = "CA certificate";
        let certificates = Certificate::from_pem_bundle(pem).map_err(unusable(what))?;
        if certificates.is_empty() {
            return Err(CouchError::Unusable { what, why: "there is no certificate in it".to_owned() });
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(pem) = &network.client_certificate {
        builder = builder.identity(Identity::from_pem(pem).map_err(unusable("client certificate"))?);
    }
    builder.build().map_err(unusable("TLS configuration"))
}

/// An answer whose body has not been read.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) place: Place,
    response: reqwest::Response,
    rest: Bytes,
    idle: Duration,
    pace: Option<Arc<Pace>>,
    meter: Arc<Meter>,
}

/// Pieces handed on at once: gzip can be a thousand times as large when it is inflated.
const CHUNK: usize = 64 * 1024;
/// `HTTP/1.1 200 OK`
const FIRST_LINE: u64 = 17;

impl Reply {
    fn new(response: reqwest::Response, place: Place, network: &Network) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (idle, pace, meter) = (network.idle_timeout, network.download.clone(), Arc::clone(&network.meter));
        meter.receive(meter::length(&headers) + FIRST_LINE);
        Self { status, headers, place, response, rest: Bytes::new(), idle, pace, meter }
    }

    /// A header as text.
    pub(super) fn header(&self, name: &HeaderName) -> Option<String> {
        answer::header(&self.headers, name)
    }

    /// The next bytes of the body; `None` after its proper end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, CouchError> {
        if self.rest.is_empty() {
            let (origin, request) = (&self.place.origin, &self.place.request);
            match timeout(self.idle, self.response.chunk()).await {
                Err(_) => {
                    let (origin, request) = (origin.clone(), request.clone());
                    return Err(CouchError::Timeout { origin, waited: self.idle, request });
                }
                Ok(Err(error)) => {
                    let why = fault::cause(&error.without_url());
                    return Err(CouchError::Broken { origin: origin.clone(), why, request: request.clone() });
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(bytes))) => {
                    self.meter.receive(bytes.len() as u64);
                    self.rest = bytes;
                }
            }
        }
        let chunk = self.rest.split_to(self.rest.len().min(CHUNK));
        if let Some(pace) = &self.pace {
            pace.pass(chunk.len()).await;
        }
        Ok(Some(chunk))
    }

    /// The JSON of the body.
    pub(super) async fn json(mut self, limit: usize) -> Result<Value, CouchError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(self.protocol(format!("it is larger than {} MiB", limit >> 20)));
            }
            body.extend_from_slice(&chunk);
        }
        let html = self.header(&CONTENT_TYPE).is_some_and(|text| text.to_ascii_lowercase().starts_with("text/html"));
        match json::parse(&body) {
            Ok(value) => Ok(value),
            Err(_) if html || body.trim_ascii_start().starts_with(b"<") => {
                Err(answer::not_couchdb(self.status, &self.headers, &body, &self.place))
            }
            Err(error) => Err(self.protocol(format!("malformed JSON: {error}"))),
        }
    }

    /// An error about the content of this answer.
    pub(super) fn protocol(&self, why: impl Into<String>) -> CouchError {
        let (origin, request) = (self.place.origin.clone(), self.place.request.clone());
        CouchError::Protocol { origin, why: why.into(), request }
    }

    /// A refusal counts even when its explanation does not arrive whole: the connection is often reset behind it.
    async fn into_refusal(mut self, subject: &Subject) -> Fault {
        let mut body = Vec::new();
        while body.len() < limit::SMALL {
            match self.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        answer::refusal(self.status, &self.headers, &body, subject, &self.place)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("request", &self.place.request)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
