//! Open pages reload when their app changes.
//!
//! Pages get a script for that, and nothing else does: a client that copies the attachment of an app, or shows a fragment of
//! a page, gets the bytes that the app has.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _};

/// Follows the page's own design document by the changes feed. Whether the document is another one by now is asked each time
/// the feed begins: the endpoint may have been started anew, or the page been hidden. A hidden page lets go of the feed:
/// browsers have few connections for each server.
const SCRIPT: &str = r"
<script>
(() => {
  const [database, design, name] = location.pathname.split('/').slice(1);
  if (design !== '_design' || !name || !window.EventSource) return;
  const app = `/${database}/_design/${name}`;
  const ids = encodeURIComponent(JSON.stringify([`_design/${decodeURIComponent(name)}`]));
  const revision = () => fetch(app, { method: 'HEAD', cache: 'no-store' }).then((answer) => answer.headers.get('ETag'));
  let known, feed;
  const look = () => revision().then((now) => {
    known ??= now;
    if (now && now !== known) location.reload();
  }, () => {});
  const follow = () => {
    feed?.close();
    if (document.hidden) return;
    feed = new EventSource(`/${database}/_changes?feed=eventsource&since=now&filter=_doc_ids&doc_ids=${ids}`);
    feed.onopen = feed.onmessage = look;
  };
  look();
  follow();
  addEventListener('visibilitychange', follow);
  addEventListener('pagehide', () => feed?.close());
  addEventListener('pageshow', (event) => event.persisted && follow());
})();
</script>
";

/// Adds the script to the answer to a browser that opens a page of an app; anything else stays as it is.
pub(in crate::serve) async fn follow(mut request: Request, next: Next) -> Response {
    if !opens_page(&request) {
        return next.run(request).await;
    }
    // The script goes behind a page that is whole and not compressed.
    for name in [header::ACCEPT_ENCODING, header::RANGE] {
        request.headers_mut().remove(name);
    }
    let response = next.run(request).await;
    if is_page(&response) { extended(response) } else { response }
}

fn opens_page(request: &Request) -> bool {
    request.method() == Method::GET
        && request.uri().path().split('/').nth(2) == Some("_design")
        && is_page_wanted(request.headers())
}

/// Whether a browser asks for something to show by itself (<https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header>).
/// Browsers that do not say so ask for HTML.
fn is_page_wanted(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(HeaderName::from_static("sec-fetch-dest")) {
        Some(destination) => ["document", "iframe", "frame"].contains(&destination),
        None => text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html")),
    }
}

fn is_page(response: &Response) -> bool {
    let headers = response.headers();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status() == StatusCode::OK
        && content_type.starts_with("text/html")
        && !headers.contains_key(header::CONTENT_ENCODING)
}

fn extended(mut response: Response) -> Response {
    // Neither the length nor the digest is that of what goes out now.
    for name in [header::CONTENT_LENGTH, HeaderName::from_static("content-md5")] {
        response.headers_mut().remove(name);
    }
    response.map(|body| {
        let script = stream::once(async { Ok(Bytes::from_static(SCRIPT.as_bytes())) });
        Body::from_stream(body.into_data_stream().chain(script))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, path, headers, whether a page is opened.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], bool);

    #[test]
    fn only_browsers_open_pages() {
        const PAGE: &str = "/db/_design/app/index.html";
        let browser = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let document = ("sec-fetch-dest", "document");
        let table: [Case; 8] = [
            ("GET", PAGE, &[browser, document], true),
            ("GET", PAGE, &[browser], true),
            ("GET", "/db/_design/app/_list/images/main?a=b", &[("sec-fetch-dest", "iframe")], true),
            // A part of a page that a script asks for.
            ("GET", PAGE, &[browser, ("sec-fetch-dest", "empty")], false),
            // A client that copies the app.
            ("GET", PAGE, &[("accept", "*/*")], false),
            ("GET", PAGE, &[], false),
            ("POST", PAGE, &[browser, document], false),
            ("GET", "/db/page/page.html", &[browser, document], false),
        ];
        for (method, path, headers, expected) in table {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(opens_page(&request), expected, "{method} {path} {headers:?}");
        }
    }

    #[tokio::test]
    async fn a_page_is_extended_and_loses_what_no_longer_fits() {
        let answer = |headers: &[(&str, &str)]| {
            let mut response = Response::builder();
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(Body::from("<p>")).unwrap()
        };
        let html = ("content-type", "text/html; charset=utf-8");
        assert!(!is_page(&answer(&[("content-type", "text/plain")])));
        assert!(!is_page(&answer(&[html, ("content-encoding", "gzip")])));
        let page = answer(&[html, ("content-length", "3"), ("content-md5", "x"), ("etag", "y")]);
        assert!(is_page(&page));
        let page = extended(page);
        assert_eq!(page.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type", "etag"]);
        let body = axum::body::to_bytes(page.into_body(), 1 << 20).await.unwrap();
        assert!(body.starts_with(b"<p>") && body.ends_with(b"</script>\n"), "{body:?}");
    }
}
