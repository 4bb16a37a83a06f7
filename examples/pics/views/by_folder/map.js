// Every file under each folder that it is in or below, newest first: ["2010", …] and ["2010/beach", …].
function (doc) {
  var items = require('views/lib/item');
  var item = items.of(doc);
  if (item) {
    items.folders(item).forEach(function (folder) {
      emit([folder, -item.at], item);
    });
  }
}
