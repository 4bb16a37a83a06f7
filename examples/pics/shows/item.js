// One file as a page: `_show/item/ID`.
function (doc, req) {
  var html = require('lib/html').html;
  var page = require('lib/page');
  var place = page.place(req);
  var item = doc && require('views/lib/item').of(doc);
  var name = item ? require('lib/gallery').name(item) : 'Not here';
  var body = item
    ? require('lib/item_page').article(place, doc, item)
    : html`<p class="empty">This file is not here, or not any more.
<a href="${place.app}_list/images/main">All files</a></p>`;
  return {
    code: item ? 200 : 404,
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: page.top(place, name, '') + body + page.bottom()
  };
}
