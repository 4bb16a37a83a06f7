// The gallery: `_list/images/main` is everything, newest first; `images` has the pictures only, `by_folder` and `by_tag`
// take a range of keys. `show` is how many there are on a page.
function (head, req) {
  var html = require('lib/html').html;
  var part = require('lib/html').part;
  var gallery = require('lib/gallery');
  var icons = require('lib/icons');
  var page = require('lib/page');
  var place = page.place(req);
  var view = req.path[req.path.length - 1];
  var most = Math.min(1000, Math.max(1, parseInt(req.query.show, 10) || 60));

  // Servers hand over the keys of a query parsed, or as they were sent.
  function json(value) {
    try {
      return typeof value === 'string' ? JSON.parse(value) : value;
    } catch (error) {
      return undefined;
    }
  }

  // The page that begins with this row.
  function older(row) {
    var query = Object.assign({}, req.query, { startkey: JSON.stringify(row.key), startkey_docid: row.id });
    var text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
    return '?' + Object.keys(query).map((name) => part(name) + '=' + part(text(query[name]))).join('&');
  }

  function heading(name) {
    var steps = name.split('/');
    if (view === 'by_tag') {
      return html`<h1><span class="quiet">#</span>${name}</h1>`;
    }
    var above = steps.slice(0, -1).map((step, at) => {
      var folder = page.range(place, view, steps.slice(0, at + 1).join('/'));
      return html`<a href="${folder}">${step}</a> / `;
    });
    return html`<h1>${steps[steps.length - 1]}</h1>${above.length > 0 && html`<p class="crumbs">in ${above}</p>`}`;
  }

  var from = json(req.query.startkey);
  var name = Array.isArray(from) ? String(from[0]) : '';
  var title = name || (view === 'images' ? 'Photos' : 'Everything');
  var upload = place.app + '_show/upload' + (view === 'by_folder' && name ? '?folder=' + part(name) : '');

  start({ headers: { 'Content-Type': 'text/html; charset=utf-8' } });
  send(page.top(place, title, view).toString());
  send(html`<div class="head">${name ? heading(name) : html`<h1>${title}</h1>`}
<a class="button upload script" href="${upload}" hidden>${icons.upload}<span>Upload</span></a></div>
<ul class="gallery" id="gallery">
`.toString());

  var shown = 0;
  var row = getRow();
  while (row && shown < most) {
    if (row.value && row.value.kind) {
      send(gallery.tile(place, row).toString());
    }
    shown++;
    row = getRow();
  }
  send('</ul>\n');
  if (row) {
    send(html`<p class="more"><a class="button" id="more" href="${older(row)}">Older ones</a></p>
`.toString());
  }
  if (shown === 0) {
    send(html`<p class="empty">There is nothing here yet. Send a folder with <code>couchapp sync-dir</code>, or upload some
pictures.</p>
`.toString());
  }
  send(page.bottom().toString());
}
