// Files by folder and by the folders around it; `group_level=1` counts them.
function (doc) {
  var file = require('views/lib/file');
  if (file.isFile(doc)) {
    file.folders(doc).forEach(function (folder) {
      emit([folder, file.order(doc)], file.summary(doc));
    });
  }
}
