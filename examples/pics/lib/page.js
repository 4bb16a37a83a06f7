// The frame of every page. All of it can be read without script; what needs script is hidden until `app.js` shows it.
var html = require('lib/html');
var urls = require('lib/urls');

var HEADERS = { 'Content-Type': 'text/html; charset=utf-8' };

exports.start = { headers: HEADERS };

// `page`: title, current (the entry of the menu that is this page), script, database.
exports.head = function (page) {
  var asset = urls.asset;
  return '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    '<meta name="color-scheme" content="light dark">\n' +
    '<title>' + html.escape(page.title) + ' · ' + html.escape(page.database) + '</title>\n' +
    '<link rel="icon" type="image/svg+xml" href="' + asset('icon.svg') + '">\n' +
    '<link rel="stylesheet" href="' + asset('style.css') + '">\n' +
    '<script type="module" src="' + asset(page.script) + '"></script>\n' +
    '</head>\n<body>\n<a class="skip" href="#content">Skip to the content</a>\n' +
    '<header class="bar">\n' +
    '<a class="brand" href="' + urls.everything + '"><img src="' + asset('icon.svg') + '" alt="" width="32" height="32">' +
    '<span>' + html.escape(page.database) + '</span></a>\n' + menu(page.current) +
    '<div class="tools"><span id="live" role="status" hidden></span>' +
    '<button type="button" id="upload" hidden>Upload</button>' +
    '<button type="button" id="account" class="quiet" hidden>Sign in</button></div>\n' +
    '</header>\n';
};

exports.foot = function () {
  return ACCOUNT + '<div id="notes" role="alert"></div>\n</body>\n</html>\n';
};

// The viewer and the upload of the gallery.
exports.dialogs = function () {
  return VIEWER + UPLOAD;
};

function menu(current) {
  var entries = [
    ['Everything', urls.everything],
    ['Pictures', urls.pictures],
    ['Folders', urls.folders],
    ['Tags', urls.tags],
    ['Databases', urls.databases]
  ];
  return '<nav class="menu" aria-label="Main">' + entries.map(function (entry) {
    return html.link(entry[1], entry[0], entry[0] === current);
  }).join('') + '</nav>\n';
}

var ACCOUNT = '<dialog id="sign" aria-labelledby="sign-title"><form method="dialog">' +
  '<h2 id="sign-title">Who are you?</h2>' +
  '<label>Name <input name="name" autocomplete="username" autocapitalize="none" required></label>' +
  '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>' +
  '<p class="error" role="alert" hidden></p>' +
  '<div class="actions"><button value="in">Sign in</button>' +
  '<button value="up" class="quiet">Create an account</button>' +
  '<button value="cancel" class="quiet" type="button">Cancel</button></div></form></dialog>\n';

var VIEWER = '<dialog id="viewer" aria-label="Viewer"><div class="stage"></div>' +
  '<button type="button" class="round previous" aria-label="Previous">‹</button>' +
  '<button type="button" class="round next" aria-label="Next">›</button>' +
  '<button type="button" class="round close" aria-label="Close">×</button>' +
  '<div class="about"><figcaption></figcaption><p class="facts"></p>' +
  '<div class="actions"><a class="button quiet" data-do="original" target="_blank" rel="noopener">Open the file</a>' +
  '<a class="button quiet" data-do="download" download>Download</a>' +
  '<button type="button" class="quiet" data-do="edit" hidden>Edit</button>' +
  '<button type="button" class="quiet danger" data-do="remove" hidden>Delete</button></div></div></dialog>\n';

var UPLOAD = '<dialog id="uploads" aria-labelledby="uploads-title"><h2 id="uploads-title">Upload</h2>' +
  '<form method="dialog"><label>Folder <input name="folder" list="folder-names" placeholder="2024/summer"></label>' +
  '<datalist id="folder-names"></datalist>' +
  '<label>Tags <input name="tags" placeholder="beach, friends"></label>' +
  '<label class="drop">Drop files here, or choose some<input type="file" name="files" multiple></label>' +
  '<ul class="progress"></ul><div class="actions"><button class="quiet" value="close">Close</button></div></form>' +
  '</dialog>\n';
