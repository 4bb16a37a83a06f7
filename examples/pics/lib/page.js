// The frame of every page. `place` tells where the page is: `app` leads from it to the design document, `database` to
// the database, both relative, so that the app works behind any address.
var html = require('lib/html').html;
var part = require('lib/html').part;
var icons = require('lib/icons');

exports.place = function (req, depth) {
  var app = depth === 1 ? '../' : '../../';
  return { app: app, database: app + '../../', name: (req.info && req.info.db_name) || req.path[0] };
};

exports.file = function (place, id, attachment) {
  return place.database + part(id) + '/' + part(attachment);
};

exports.image = function (place, id, attachment) {
  return html`<img src="${exports.file(place, id, attachment)}" alt="" loading="lazy" decoding="async">`;
};

exports.item = function (place, id) {
  return place.app + '_show/item/' + part(id);
};

// What is in a folder, or has a tag.
exports.range = function (place, view, name) {
  return (
    place.app +
    '_list/images/' +
    view +
    '?reduce=false&startkey=' +
    part(JSON.stringify([name])) +
    '&endkey=' +
    part(JSON.stringify([name, {}]))
  );
};

exports.top = function (place, title, current) {
  var pages = [
    ['main', '_list/images/main', 'All'],
    ['images', '_list/images/images', 'Photos'],
    ['by_folder', '_list/groups/by_folder?group_level=1', 'Folders'],
    ['by_tag', '_list/groups/by_tag?group_level=1', 'Tags'],
    ['albums', '_show/albums/albums', 'Albums']
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${place.name}</title>
<link rel="icon" href="${place.app}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${place.app}style.css">
<script type="module" src="${place.app}app.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="bar">
<a class="brand" href="${place.app}_list/images/main">${icons.brand}<span>${place.name}</span></a>
<nav aria-label="Views">
${pages.map(
  (page) => html`<a href="${place.app}${page[1]}"${page[0] === current ? html` aria-current="page"` : ''}>${page[2]}</a>
`
)}</nav>
<div class="account" id="account"></div>
</header>
<noscript><p class="note">Scripts do not run here, so this is for looking only: to upload, to edit and to see news at once
needs them. If it is the sandbox of CouchDB that keeps them out, an admin lifts it with
<code>couchapp csp allow</code>.</p></noscript>
<main id="main" tabindex="-1">
`;
};

exports.bottom = function () {
  return html`</main>
<div id="news" class="news" role="status"></div>
</body>
</html>
`;
};
