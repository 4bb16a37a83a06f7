//! Open pages reload when their app changes.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, header};
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

/// Adds the script to a page that a browser asks for; anything else, and what programs ask for, stays as it is.
pub(in crate::serve) async fn follow(request: Request, next: Next) -> Response {
    // Those who only want the content (`*/*`) get what is stored.
    let accepted = request.headers().get_all(header::ACCEPT).iter();
    let is_browser = accepted.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"));
    let mut response = next.run(request).await;
    let headers = response.headers();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = is_browser
        && response.status() == StatusCode::OK
        && content_type.starts_with("text/html")
        && !headers.contains_key(header::CONTENT_ENCODING);
    if !is_page {
        return response;
    }
    // Neither the length nor the digest is that of what goes out now.
    for name in [header::CONTENT_LENGTH, HeaderName::from_static("content-md5")] {
        response.headers_mut().remove(name);
    }
    response.map(|body| {
        let script = stream::once(async { Ok(Bytes::from_static(SCRIPT.as_bytes())) });
        Body::from_stream(body.into_data_stream().chain(script))
    })
}
