// Every file under each of its tags, newest first.
function (doc) {
  var items = require('views/lib/item');
  var item = items.of(doc);
  if (item) {
    items.tags(doc).forEach(function (tag) {
      emit([tag, -item.at], item);
    });
  }
}
