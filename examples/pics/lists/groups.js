// Folders and tags to browse by: `_list/groups/by_folder?group_level=1`.
function (head, req) {
  var html = require('lib/html').html;
  var icons = require('lib/icons');
  var page = require('lib/page');
  var place = page.place(req);
  var view = req.path[req.path.length - 1];
  var isFolder = view === 'by_folder';
  var title = isFolder ? 'Folders' : 'Tags';

  start({ headers: { 'Content-Type': 'text/html; charset=utf-8' } });
  send(page.top(place, title, view).toString());
  send(html`<div class="head"><h1>${title}</h1></div><ul class="groups" id="gallery">
`.toString());
  var row;
  var shown = 0;
  while ((row = getRow())) {
    var name = Array.isArray(row.key) ? String(row.key[0]) : '';
    var value = row.value || {};
    var steps = name.split('/');
    var cover = value.cover;
    var count = Number(value.count) || 0;
    send(html`<li class="group" data-id="${name}" data-rev="${count} ${cover ? cover.id : ''}"><a href="${page.range(place, view, name)}">
${cover ? html`<img src="${page.file(place, cover.id, cover.attachment)}" alt="" loading="lazy" decoding="async">` : html`<span class="face">${isFolder ? icons.folder : icons.tag}</span>`}
<span class="words"><b>${isFolder ? (steps.length > 1 ? html`<span class="quiet">${steps.slice(0, -1).join(' / ')} / </span>` : '') : html`<span class="quiet">#</span>`}${isFolder ? steps[steps.length - 1] : name}</b> <i>${count}</i></span></a></li>
`.toString());
    shown++;
  }
  send('</ul>\n');
  if (!shown) {
    send(html`<p class="empty">There are no ${title.toLowerCase()} yet.</p>`.toString());
  }
  send(page.bottom().toString());
}
