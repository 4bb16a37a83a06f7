function (keys, values, rereduce) {
  // !code lib/count_and_cover.js
  return countAndCover(keys, values, rereduce);
}
