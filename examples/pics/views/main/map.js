// Every file, newest first.
function (doc) {
  var item = require('views/lib/item').of(doc);
  if (item) {
    emit(-item.at, item);
  }
}
