// Folders and tags to browse by: `_list/groups/by_folder?group_level=1`.
function (head, req) {
  var html = require('lib/html').html;
  var icons = require('lib/icons');
  var page = require('lib/page');
  var place = page.place(req);
  var view = req.path[req.path.length - 1];
  var isFolder = view === 'by_folder';
  var title = isFolder ? 'Folders' : 'Tags';

  // Of `2010/beach`, the last name is the one that counts.
  function words(name) {
    var before = isFolder ? name.split('/').slice(0, -1).map((step) => step + ' / ').join('') : '#';
    var last = isFolder ? name.split('/').pop() : name;
    return html`<b>${before && html`<span class="quiet">${before}</span>`}${last}</b>`;
  }

  function group(name, count, cover) {
    var face = html`<span class="face">${isFolder ? icons.folder : icons.tag}</span>`;
    var image = cover ? page.image(place, cover.id, cover.attachment) : face;
    return html`<li class="group" data-id="${name}" data-rev="${count} ${cover && cover.id}">
<a href="${page.range(place, view, name)}">${image}<span class="words">${words(name)} <i>${count}</i></span></a></li>
`;
  }

  start({ headers: { 'Content-Type': 'text/html; charset=utf-8' } });
  send(page.top(place, title, view).toString());
  send(html`<div class="head"><h1>${title}</h1></div>
<ul class="groups" id="gallery">
`.toString());
  var row;
  var shown = 0;
  while ((row = getRow())) {
    if (Array.isArray(row.key) && row.value) {
      send(group(String(row.key[0]), Number(row.value.count) || 0, row.value.cover).toString());
      shown++;
    }
  }
  send('</ul>\n');
  if (!shown) {
    send(html`<p class="empty">There are no ${title.toLowerCase()} yet.</p>`.toString());
  }
  send(page.bottom().toString());
}
