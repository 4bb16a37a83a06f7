//! Open pages reload when their app changes.
//!
//! Only what a browser is going to show as a page gets the script: whoever else asks for an attachment gets the very bytes
//! that are stored.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _};

/// Follows the page's own design document by the changes feed, and starts anew after each of its changes.
const SCRIPT: &str = r"
<script>
(() => {
  const [database, design, name] = location.pathname.split('/').slice(1);
  if (design !== '_design' || !window.EventSource) return;
  const ids = encodeURIComponent(JSON.stringify([`_design/${decodeURIComponent(name)}`]));
  const feed = new EventSource(`/${database}/_changes?feed=eventsource&since=now&filter=_doc_ids&doc_ids=${ids}`);
  feed.onmessage = () => location.reload();
  addEventListener('beforeunload', () => feed.close());
})();
</script>
";

/// Adds the script to a page; anything else stays as it is.
pub(in crate::serve) async fn follow(mut request: Request, next: Next) -> Response {
    if request.method() != Method::GET || !is_navigation(request.headers()) {
        return next.run(request).await;
    }
    // The script goes behind a page that is not compressed, and whole.
    for name in [header::ACCEPT_ENCODING, header::RANGE] {
        request.headers_mut().remove(name);
    }
    let response = next.run(request).await;
    if is_page(&response) { with_script(response) } else { response }
}

/// Whether a browser says that it is going to show the answer (<https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header>).
fn is_navigation(headers: &HeaderMap) -> bool {
    let destination = headers.get("sec-fetch-dest").map(axum::http::HeaderValue::as_bytes);
    matches!(destination, Some(b"document" | b"iframe" | b"frame"))
}

fn is_page(response: &Response) -> bool {
    let headers = response.headers();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status() == StatusCode::OK
        && content_type.starts_with("text/html")
        && !headers.contains_key(header::CONTENT_ENCODING)
}

fn with_script(mut response: Response) -> Response {
    // Neither the length nor the digest is that of what goes out now.
    for name in [header::CONTENT_LENGTH, HeaderName::from_static("content-md5")] {
        response.headers_mut().remove(name);
    }
    response.map(|body| {
        let script = stream::once(async { Ok(Bytes::from_static(SCRIPT.as_bytes())) });
        Body::from_stream(body.into_data_stream().chain(script))
    })
}
