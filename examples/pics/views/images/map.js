// Pictures only, newest first.
function (doc) {
  var file = require('views/lib/file');
  if (file.isPicture(doc)) {
    emit(file.order(doc), file.summary(doc));
  }
}
