// Where things are, seen from a list or a show: `DATABASE/_design/pics/_list/images/main`. All URLs are relative, so that
// the app works under any database name and behind any proxy.
var html = require('lib/html');

var DATABASE = '../../../../';

exports.server = '../../../../../';
exports.asset = function (name) { return '../../' + name; };
exports.everything = '../../_list/images/main';
exports.pictures = '../../_list/images/images';
exports.folders = '../../_list/browse/by_folder?group_level=1';
exports.tags = '../../_list/browse/by_tag?group_level=1';
exports.databases = '../../_show/databases/pics-databases';

exports.folder = function (folder) { return selection('by_folder', folder); };
exports.tag = function (tag) { return selection('by_tag', tag); };

exports.attachment = function (id, name) {
  return DATABASE + html.component(id) + '/' + html.component(name);
};

function selection(view, key) {
  return '../../_list/images/' + view +
    html.query({ reduce: false, startkey: [key], endkey: [key, {}] });
}
