// What the app knows of a document that holds a file. Documents come from anywhere, so nothing in them is trusted to be
// of its type; `of` answers null for what is no file.

var KINDS = [
  [/^image\/(jpeg|png|gif|webp|avif|bmp|svg\+xml)$/, 'picture'],
  [/^video\//, 'video'],
  [/^(audio\/|application\/ogg$)/, 'music'],
  [/^application\/pdf$/, 'paper'],
  [/^application\/epub\+zip$/, 'book'],
  [/^text\/(plain|markdown|csv)$/, 'text']
];

function text(value) {
  return typeof value === 'string' ? value : '';
}

function number(value) {
  return typeof value === 'number' && value > 0 ? value : 0;
}

// A type without its parameters: `text/plain; charset=utf-8` is plain text.
function kind(type) {
  var bare = text(type).split(';')[0].trim().toLowerCase();
  for (var at = 0; at < KINDS.length; at++) {
    if (KINDS[at][0].test(bare)) {
      return KINDS[at][1];
    }
  }
  return 'file';
}

// Milliseconds. Cameras know no time zone, so theirs is taken for UTC.
function moment(value) {
  var found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?/.exec(text(value));
  return found ? Date.UTC(+found[1], found[2] - 1, +found[3], +(found[4] || 0), +(found[5] || 0), +(found[6] || 0)) : 0;
}

// Width by height, as it is looked at.
function ratio(file, thumbnail) {
  var width = number(thumbnail.width);
  var height = number(thumbnail.height);
  if (!width || !height) {
    var lies = number(file.orientation) > 4;
    width = number(lies ? file.height : file.width);
    height = number(lies ? file.width : file.height);
  }
  return width && height ? Math.round(100 * Math.min(3, Math.max(0.5, width / height))) / 100 : 0;
}

function has(object, key) {
  return Object.prototype.hasOwnProperty.call(object, key);
}

exports.text = text;

exports.tags = function (doc) {
  return Array.isArray(doc.tags)
    ? doc.tags.filter(function (tag, at, all) {
        return typeof tag === 'string' && tag !== '' && all.indexOf(tag) === at;
      })
    : [];
};

exports.of = function (doc) {
  var file = doc.file;
  if (doc.type !== 'file' || !file || typeof file !== 'object' || !doc._attachments) {
    return null;
  }
  var key = text(file.attachment) || text(file.name);
  if (!has(doc._attachments, key)) {
    return null;
  }
  var thumbnail = file.thumbnail || {};
  var small = text(thumbnail.attachment);
  return {
    kind: kind(doc._attachments[key].content_type),
    name: text(file.name),
    folder: text(file.folder),
    attachment: key,
    thumbnail: has(doc._attachments, small) ? small : '',
    ratio: ratio(file, thumbnail),
    at: moment(file.taken) || moment(file.modified),
    caption: text(doc.caption),
    title: text(file.title),
    author: text(file.artist) || text(file.author),
    duration: number(file.duration),
    rev: doc._rev
  };
};

// `2010/beach` is in `2010/beach` and in `2010`.
exports.folders = function (item) {
  var names = item.folder.split('/');
  return item.folder === ''
    ? []
    : names.map(function (name, at) {
        return names.slice(0, at + 1).join('/');
      });
};
