// The databases to enter: those of the document `pics-databases`, and with script all that the server tells of.
function (doc, req) {
  var html = require('lib/html');
  var page = require('lib/page');
  var urls = require('lib/urls');

  var here = req.info.db_name;
  var listed = doc && Array.isArray(doc.databases) ? doc.databases.filter(function (entry) {
    return entry && typeof entry.name === 'string';
  }) : [];
  if (!listed.some(function (entry) { return entry.name === here; })) {
    listed = [{ name: here }].concat(listed);
  }
  return {
    headers: page.start.headers,
    body: page.head({ title: 'Databases', current: 'Databases', script: 'databases.js', database: here }) +
      '<main id="content">\n<div class="heading"><h1>Databases</h1></div>\n' +
      '<ul class="databases" id="databases">\n' + listed.map(function (entry) {
        return '<li data-name="' + html.escape(entry.name) + '"><a href="' +
          html.escape(urls.server + html.component(entry.name) + '/_design/pics/_list/images/main') +
          '"><span class="cover"></span><strong>' + html.escape(entry.title || entry.name) + '</strong><small>' +
          html.escape(entry.name) + '</small></a></li>\n';
      }).join('') + '</ul>\n</main>\n' + page.foot()
  };
}
