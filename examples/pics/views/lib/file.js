// What the views tell of a file. It is under `views/` because map functions can require nothing else.

// Milliseconds since 1970 of the moment a picture was taken, else of the file's last change; 0 when nobody knows.
// Cameras know no time zone and file systems know nanoseconds: the first nineteen characters are enough to sort by.
exports.time = function (file) {
  var time = Date.parse(String(file.taken || file.modified || '').slice(0, 19) + 'Z');
  return isNaN(time) ? 0 : time;
};

// Newest first without `descending=true`, so that the plain URL of a list is the right one.
exports.order = function (doc) {
  return -exports.time(doc.file);
};

exports.isFile = function (doc) {
  return doc.type === 'file' && !!doc.file && typeof doc.file === 'object' && !!doc._attachments;
};

exports.isPicture = function (doc) {
  return exports.isFile(doc) && /^image\//.test(doc.file.content_type);
};

// Each text once: tags are edited by hand.
exports.tags = function (doc) {
  return (Array.isArray(doc.tags) ? doc.tags : []).filter(function (tag, index, all) {
    return typeof tag === 'string' && tag !== '' && all.indexOf(tag) === index;
  });
};

// "2010/beach" is found under "2010" as well.
exports.folders = function (doc) {
  var parts = String(doc.file.folder || '').split('/');
  return parts.map(function (part, index) {
    return parts.slice(0, index + 1).join('/');
  });
};

// All that a page shows of a file, so that no list has to read documents.
exports.summary = function (doc) {
  var file = doc.file;
  return {
    revision: doc._rev,
    owner: doc.owner,
    caption: doc.caption,
    tags: exports.tags(doc),
    name: file.name,
    folder: file.folder || '',
    attachment: file.attachment || file.name,
    thumbnail: file.thumbnail,
    content_type: file.content_type,
    size: file.size,
    taken: file.taken || file.modified,
    // Orientations 5 to 8 of EXIF lie on their side.
    width: file.orientation > 4 ? file.height : file.width,
    height: file.orientation > 4 ? file.width : file.height,
    title: file.title,
    artist: file.artist || file.author,
    duration: file.duration
  };
};
