// One file as an entry of the gallery.
var html = require('lib/html');
var urls = require('lib/urls');

var UNITS = ['KB', 'MB', 'GB', 'TB'];

exports.kind = kind;
exports.size = size;

// What a browser can show: image, video, audio, pdf, text; `other` is offered to be kept.
function kind(type) {
  var family = /^(image|video|audio)\//.exec(type);
  if (family) {
    return family[1];
  }
  return type === 'application/pdf' ? 'pdf' : /^text\/(plain|csv|markdown)\b/.test(type) ? 'text' : 'other';
}

function size(bytes) {
  var unit = -1;
  if (!(bytes >= 1000)) {
    return (bytes || 0) + ' bytes';
  }
  while (bytes >= 999.5 && unit < UNITS.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return (bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)) + ' ' + UNITS[unit];
}

// `file` is the `summary` of `views/lib/file`.
exports.render = function (id, file) {
  var what = kind(file.content_type);
  var href = urls.attachment(id, file.attachment);
  var label = file.caption || [file.artist, file.title].filter(Boolean).join(' – ') || file.name;
  var data = {
    id: id, revision: file.revision, owner: file.owner, kind: what, name: file.name, label: label,
    caption: file.caption, tags: JSON.stringify(file.tags), href: href,
    facts: [size(file.size), pixels(file), String(file.taken || '').slice(0, 10)].filter(Boolean).join(' · ')
  };
  return '<li class="tile ' + what + '" style="--ratio:' + ratio(what, file) + '"' +
    Object.keys(data).map(function (name) {
      return ' data-' + name + '="' + html.escape(data[name]) + '"';
    }).join('') + '>\n<figure>' + (SHOWN[what] || card)(href, label, file, id) +
    '<figcaption><p class="caption">' + html.escape(label) + '</p><p class="places">' + places(file) + '</p>' +
    '</figcaption></figure></li>\n';
};

var SHOWN = {
  image: function (href, label, file, id) {
    var small = file.thumbnail && file.thumbnail.attachment;
    // `<img>` runs nothing of an SVG, a page of its own would: it is offered to be kept.
    var drawing = /xml/.test(file.content_type);
    return '<a class="open" href="' + html.escape(href) + '"' + (drawing ? ' download' : '') + '>' +
      '<img loading="lazy" decoding="async" alt="' + html.escape(label) + '" src="' + html.escape(href) + '"' +
      (small && file.width > 0
        ? ' srcset="' + html.escape(urls.attachment(id, small)) + ' ' + Math.round(Number(file.thumbnail.width) || 320) +
          'w, ' + html.escape(href) + ' ' + Math.round(Number(file.width)) + 'w" sizes="(max-width: 40rem) 50vw, 22rem"'
        : '') + '></a>';
  },
  video: function (href, label, file) {
    return '<video controls preload="metadata" playsinline aria-label="' + html.escape(label) + '" src="' +
      html.escape(href) + '"></video>' + more(href, file);
  },
  audio: function (href, label, file) {
    return '<div class="card">' + badge(file) + '<audio controls preload="none" aria-label="' + html.escape(label) +
      '" src="' + html.escape(href) + '"></audio></div>';
  }
};

// A PDF opens in the browser; anything that is not known to be harmless there is only ever kept.
function card(href, label, file) {
  var opens = /^(pdf|text)$/.test(kind(file.content_type));
  return '<a class="open card" href="' + html.escape(href) + '"' + (opens ? '' : ' download') + '>' + badge(file) +
    '<span class="file-name">' + html.escape(file.name) + '</span><span class="size">' + size(file.size) + '</span>' +
    '<span class="offer">' + (opens ? 'Open' : 'Download') + '</span></a>';
}

function badge(file) {
  var extension = /\.([A-Za-z0-9]{1,5})$/.exec(file.name);
  return '<span class="badge" aria-hidden="true">' + html.escape(extension ? extension[1] : 'file') + '</span>';
}

function more(href, file) {
  return '<a class="open enlarge" href="' + html.escape(href) + '" aria-label="Open ' + html.escape(file.name) +
    '">⤢</a>';
}

function places(file) {
  return (file.folder ? [html.link(urls.folder(file.folder), file.folder)] : []).concat(file.tags.map(function (tag) {
    return html.link(urls.tag(tag), '#' + tag);
  })).join(' ');
}

function pixels(file) {
  return file.width > 0 && file.height > 0 ? Number(file.width) + ' × ' + Number(file.height) : '';
}

// Width by height, within what looks well in a row.
function ratio(what, file) {
  var known = Number(file.width) / Number(file.height);
  var usual = what === 'image' ? 1.33 : what === 'video' ? 1.78 : 1;
  return (known > 0 && isFinite(known) ? Math.min(Math.max(known, 0.6), 2.6) : usual).toFixed(3);
}
