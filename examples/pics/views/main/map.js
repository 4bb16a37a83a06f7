// All files, newest first.
function (doc) {
  var file = require('views/lib/file');
  if (file.isFile(doc)) {
    emit(file.order(doc), file.summary(doc));
  }
}
