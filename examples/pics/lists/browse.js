// The folders or the tags with their numbers: `_list/browse/by_folder?group_level=1`, and the same with `by_tag`.
function (head, req) {
  var html = require('lib/html');
  var page = require('lib/page');
  var urls = require('lib/urls');

  var isTags = req.path[req.path.length - 1] === 'by_tag';
  var title = isTags ? 'Tags' : 'Folders';
  var row, name, count = 0;

  start(page.start);
  send(page.head({ title: title, current: title, script: 'app.js', database: req.info.db_name }));
  send('<main id="content">\n<div class="heading"><h1>' + title + '</h1></div>\n' +
    '<nav class="chips large" id="names" aria-label="' + title + '"><ul>\n');
  while ((row = getRow())) {
    name = String(row.key && row.key[0]);
    count += 1;
    send('<li><a href="' + html.escape(isTags ? urls.tag(name) : urls.folder(name)) + '">' +
      html.escape(isTags ? '#' + name : name || 'Outside of folders') + ' <small>' + Number(row.value) +
      '</small></a></li>\n');
  }
  send('</ul></nav>\n<p id="empty"' + (count ? ' hidden' : '') + '>None yet.</p>\n</main>\n' + page.dialogs() + page.foot());
}
