// Pictures only, newest first.
function (doc) {
  var item = require('views/lib/item').of(doc);
  if (item && item.kind === 'picture') {
    emit(-item.at, item);
  }
}
