// The gallery: `_list/images/main` is everything, newest first; `images` has the pictures only, `by_folder` and `by_tag` take a
// range of keys. `show` is how many there are on a page.
function (head, req) {
  var html = require('lib/html').html;
  var part = require('lib/html').part;
  var gallery = require('lib/gallery');
  var icons = require('lib/icons');
  var page = require('lib/page');
  var place = page.place(req);
  var view = req.path[req.path.length - 1];
  var most = Math.min(1000, Math.max(1, parseInt(req.query.show, 10) || 60));

  function json(text) {
    try {
      return typeof text === 'string' ? JSON.parse(text) : text;
    } catch (error) {
      return undefined;
    }
  }

  var from = json(req.query.startkey);
  var name = Array.isArray(from) ? String(from[0]) : '';
  var steps = view === 'by_folder' && name ? name.split('/') : [];
  var title = view === 'by_tag' && name ? name : steps.length ? steps[steps.length - 1] : view === 'images' ? 'Photos' : 'Everything';

  start({ headers: { 'Content-Type': 'text/html; charset=utf-8' } });
  send(page.top(place, title, view).toString());
  send(html`<div class="head"><h1>${view === 'by_tag' ? html`<span class="quiet">#</span>` : ''}${title}</h1>`.toString());
  if (steps.length > 1) {
    send(html`<p class="crumbs">in ${steps.slice(0, -1).map((step, at) => html`<a href="${page.range(place, view, steps.slice(0, at + 1).join('/'))}">${step}</a> / `)}</p>`.toString());
  }
  send(html`<a class="button upload script" href="${place.app}_show/upload${steps.length ? '?folder=' + part(name) : ''}" hidden>${icons.upload}<span>Upload</span></a></div>
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
  if (shown === 0) {
    send(html`<p class="empty">There is nothing here yet. Send a folder with <code>couchapp sync-dir</code>, or upload some pictures.</p>`.toString());
  }
  if (row) {
    var query = Object.assign({}, req.query, { startkey: JSON.stringify(row.key), startkey_docid: row.id });
    var words = Object.keys(query).map((key) => part(key) + '=' + part(typeof query[key] === 'string' ? query[key] : JSON.stringify(query[key])));
    send(html`<p class="more"><a class="button" id="more" href="?${words.join('&')}">Older ones</a></p>`.toString());
  }
  send(page.bottom().toString());
}
