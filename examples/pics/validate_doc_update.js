// Who may write what. The README of this folder says the same in words.
function (newDoc, oldDoc, userCtx, secObj) {
  var writer = userCtx.name;
  var old = oldDoc && !oldDoc._deleted ? oldDoc : null;

  // Admins bring what sync-dir and replication bring, whatever it is.
  if (isAdmin()) {
    return;
  }
  if (!writer) {
    throw { unauthorized: 'Please sign in first.' };
  }
  if (old && old.owner !== writer) {
    throw { forbidden: 'Only ' + (typeof old.owner === 'string' ? old.owner : 'an admin') + ' may change this.' };
  }
  if (newDoc._deleted) {
    return;
  }
  if (newDoc.owner !== writer) {
    throw { forbidden: 'The owner has to be you, ' + writer + '.' };
  }
  if (newDoc.type !== 'file') {
    throw { forbidden: 'Only files can be added.' };
  }
  checkFile();

  function isAdmin() {
    var admins = (secObj && secObj.admins) || {};
    var roles = admins.roles || [];
    return userCtx.roles.indexOf('_admin') >= 0 ||
      (!!writer && (admins.names || []).indexOf(writer) >= 0) ||
      userCtx.roles.some(function (role) { return roles.indexOf(role) >= 0; });
  }

  function checkFile() {
    var attachments = newDoc._attachments || {};
    demand(newDoc.file && isText(newDoc.file.path, 4000) && isText(newDoc.file.name, 1000), 'A file needs a path and a name.');
    demand(isText(newDoc.file.content_type, 200) && isHarmless(newDoc.file.content_type), 'This type of file is not taken.');
    demand(newDoc.caption === undefined || isText(newDoc.caption, 2000), 'A caption is a text of up to 2000 characters.');
    demand(Array.isArray(newDoc.tags) && newDoc.tags.length <= 100 && newDoc.tags.every(function (tag) {
      return isText(tag, 100) && tag !== '';
    }), 'Tags are up to 100 short texts.');
    Object.keys(attachments).forEach(function (name) {
      demand(isHarmless(attachments[name].content_type), 'This type of file is not taken: ' + name);
    });
  }

  // Pages, drawings and feeds run scripts with the rights of whoever opens them, on the same origin as the database.
  function isHarmless(type) {
    return /^(image|video|audio|font|application|text)\/[A-Za-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?$/.test(type) &&
      !/html|svg|script|\/xml|\+xml|xsl/i.test(type) &&
      !/^text\/(?!plain|csv|markdown)/i.test(type);
  }

  function isText(value, length) {
    return typeof value === 'string' && value.length <= length;
  }

  function demand(condition, reason) {
    if (!condition) {
      throw { forbidden: reason };
    }
  }
}
