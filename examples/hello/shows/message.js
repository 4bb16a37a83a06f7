// One message as a page: `_show/message/ID`.
function (doc, req) {
  // !code lib/escape.js
  if (!doc) {
    return { code: 404, body: 'There is no such message.' };
  }
  return {
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: '<!doctype html><title>Message</title><p><b>' + escape(doc.author) + '</b> ' + escape(doc.text)
  };
}
