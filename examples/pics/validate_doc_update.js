function (newDoc, oldDoc, userCtx, secObj) {
  // Only people who are signed in write, and a document is changed and removed by its owner alone. Admins may do
  // anything, and are the only ones who may touch what has no owner: what `couchapp sync-dir` sent, and documents that
  // are no files. (This stands inside: PouchDB Server takes no function that begins with a comment.)
  // !code lib/allowed_types.js
  var admins = (secObj && secObj.admins) || {};
  var isAdmin = userCtx.roles.indexOf('_admin') >= 0
    || (userCtx.name !== null && (admins.names || []).indexOf(userCtx.name) >= 0)
    || userCtx.roles.some(function (role) { return (admins.roles || []).indexOf(role) >= 0; });
  if (isAdmin) {
    return;
  }
  if (!userCtx.name) {
    throw { unauthorized: 'Please sign in first.' };
  }
  function must(holds, what) {
    if (!holds) {
      throw { forbidden: what };
    }
  }
  function isText(value, longest) {
    return typeof value === 'string' && value.length <= longest;
  }
  var before = oldDoc && !oldDoc._deleted ? oldDoc : null;
  if (before) {
    must(before.owner === userCtx.name, 'Only ' + (before.owner || 'an admin') + ' may change this.');
  }
  if (newDoc._deleted) {
    must(before, 'There is nothing to remove.');
    return;
  }
  must(newDoc.type === 'file', 'Only an admin may write documents that are no files.');
  must(newDoc.owner === userCtx.name, 'The owner has to be you, ' + userCtx.name + '.');
  must(newDoc.caption === undefined || isText(newDoc.caption, 2000), 'A caption is text of at most 2000 characters.');
  var tags = newDoc.tags === undefined ? [] : newDoc.tags;
  must(Array.isArray(tags) && tags.length <= 50, 'Tags are a list of at most 50.');
  tags.forEach(function (tag) {
    must(isText(tag, 60) && tag.trim() !== '', 'A tag is text of at most 60 characters.');
  });
  var file = newDoc.file || {};
  must(isText(file.name, 1000) && isText(file.path, 4000) && isText(file.folder, 4000),
    'A file has a name, a path and a folder.');
  var allowed = new RegExp(ALLOWED_TYPES, 'i');
  Object.keys(newDoc._attachments || {}).forEach(function (name) {
    var type = String(newDoc._attachments[name].content_type);
    must(allowed.test(type), 'Files of the type ' + type + ' are not taken: a browser could run them.');
  });
}
