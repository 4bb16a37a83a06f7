// How many files there are, and the newest picture among them.
function countAndCover(keys, values, rereduce) {
  var count = 0;
  var cover = null;
  values.forEach(function (value, at) {
    var picture = null;
    if (rereduce) {
      picture = value.cover;
    } else if (value.kind === 'picture') {
      picture = { id: keys[at][1], attachment: value.thumbnail || value.attachment, at: value.at };
    }
    if (picture && (!cover || picture.at > cover.at)) {
      cover = picture;
    }
    count += rereduce ? value.count : 1;
  });
  return { count: count, cover: cover };
}
