// Messages by the time they were left, newest last.
function (doc) {
  if (doc.type === 'message') {
    emit(doc.left_at, { author: doc.author, text: doc.text });
  }
}
