// The gallery: files of the views `main`, `images`, `by_folder` or `by_tag`, a page at a time.
function (head, req) {
  var html = require('lib/html');
  var page = require('lib/page');
  var tile = require('lib/tile');
  var urls = require('lib/urls');
  var LENGTH = 120;

  var view = req.path[req.path.length - 1];
  var wanted = chosen();
  var folders = {}, tags = {}, tiles = [], next = null, row;
  while ((row = getRow())) {
    if (tiles.length === LENGTH) {
      next = row;
      break;
    }
    tiles.push(tile.render(row.id, row.value));
    folders[row.value.folder] = true;
    row.value.tags.forEach(function (tag) { tags['#' + tag] = true; });
  }

  start(page.start);
  send(page.head({ title: title(), current: { main: 'Everything', images: 'Pictures' }[view], script: 'app.js',
    database: req.info.db_name }));
  send('<main id="content">\n<div class="heading"><h1>' + html.escape(title()) + '</h1></div>\n' +
    // `app.js` puts all folders and tags there, with their numbers.
    '<nav class="chips" id="folders" aria-label="Folders">' + chips(folders, urls.folder) + '</nav>\n' +
    '<nav class="chips" id="tags" aria-label="Tags">' + chips(tags, urls.tag) + '</nav>\n' +
    '<ol class="gallery" id="gallery">\n');
  tiles.forEach(function (text) { send(text); });
  send('</ol>\n<p id="empty"' + (tiles.length ? ' hidden' : '') + '>Nothing here yet.</p>\n' +
    '<nav id="pages" class="pages" aria-label="Pages">' + pages() + '</nav>\n</main>\n' + page.dialogs() + page.foot());

  // The folder or tag that the query selects. A query may say anything.
  function chosen() {
    try {
      var key = req.query.startkey;
      // CouchDB gives lists the keys of the query parsed, other servers as text.
      key = typeof key === 'string' ? JSON.parse(key) : key;
      return Array.isArray(key) ? String(key[0]) : null;
    } catch (error) {
      return null;
    }
  }

  function title() {
    if (view === 'by_folder' && wanted !== null) {
      return wanted || 'Outside of folders';
    }
    if (view === 'by_tag' && wanted !== null) {
      return '#' + wanted;
    }
    return view === 'images' ? 'Pictures' : 'Everything';
  }

  function chips(names, url) {
    return '<ul>' + Object.keys(names).sort().map(function (name) {
      var key = url === urls.tag ? name.slice(1) : name;
      var current = wanted === key && view === (url === urls.tag ? 'by_tag' : 'by_folder');
      return '<li>' + html.link(url(key), name || 'Outside of folders', current) + '</li>';
    }).join('') + '</ul>';
  }

  function pages() {
    var links = [], query;
    if (req.query.startkey_docid) {
      links.push('<a href="' + html.escape(first()) + '">« Newest</a>');
    }
    if (next) {
      query = { startkey: next.key, startkey_docid: next.id };
      if (Array.isArray(next.key)) {
        query.reduce = false;
        query.endkey = [next.key[0], {}];
      }
      links.push('<a href="' + html.escape('../../_list/images/' + view + docid(query)) + '">Older »</a>');
    }
    return links.join(' ');
  }

  function first() {
    return view === 'by_folder' ? urls.folder(wanted) : view === 'by_tag' ? urls.tag(wanted) :
      '../../_list/images/' + html.component(view);
  }

  // CouchDB takes `startkey_docid` as it is, not as JSON.
  function docid(query) {
    var id = query.startkey_docid;
    delete query.startkey_docid;
    return html.query(query) + '&startkey_docid=' + html.component(id);
  }
}
