// A message needs an author, a text and a time; once left, it stays as it is.
function (newDoc, oldDoc, userCtx) {
  if (newDoc._deleted || newDoc.type !== 'message') {
    return;
  }
  ['author', 'text', 'left_at'].forEach(function (field) {
    if (typeof newDoc[field] !== 'string' || newDoc[field] === '') {
      throw { forbidden: 'A message needs the field "' + field + '".' };
    }
  });
  if (oldDoc && (oldDoc.author !== newDoc.author || oldDoc.text !== newDoc.text)) {
    throw { forbidden: 'A message cannot be changed.' };
  }
}
