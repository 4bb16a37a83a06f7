// Several databases to enter from one page: `_show/albums/albums`. The document `albums` names them in `databases`;
// scripts add what is in them, and to admins the databases that are not named yet.
function (doc, req) {
  var html = require('lib/html').html;
  var part = require('lib/html').part;
  var icons = require('lib/icons');
  var page = require('lib/page');
  var place = page.place(req);
  var named = doc && Array.isArray(doc.databases) ? doc.databases : [];
  var databases = [place.name]
    .concat(named)
    .filter((name, at, all) => typeof name === 'string' && name !== '' && all.indexOf(name) === at);
  var app = req.path.slice(1, 3).map(part).join('/');

  function album(name) {
    return html`<li class="album" data-name="${name}">
<a href="${place.database}../${part(name)}/${app}/_list/images/main"><span class="mosaic">${icons.brand}</span><b>${name}</b>
<i class="count">${name === place.name && 'you are here'}</i></a></li>
`;
  }

  var body = html`<div class="head"><h1>Albums</h1></div>
<p class="lead">Each album is a database of its own, with people of its own who may look at it.</p>
<ul class="albums" id="albums">${databases.map(album)}</ul>
<form class="add" id="add" hidden>
<label>Show another database <input id="database" list="databases" required autocomplete="off"></label>
<datalist id="databases"></datalist>
<button>Add</button>
</form>
<p class="trouble" id="trouble" role="alert"></p>
`;
  return {
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: page.top(place, 'Albums', 'albums') + body + page.bottom()
  };
}
