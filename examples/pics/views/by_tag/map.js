// Files by tag; `group_level=1` counts them.
function (doc) {
  var file = require('views/lib/file');
  if (file.isFile(doc)) {
    file.tags(doc).forEach(function (tag) {
      emit([tag, file.order(doc)], file.summary(doc));
    });
  }
}
