// Text and URLs in HTML. File names, captions and tags are whatever somebody typed.

var ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

exports.escape = function (text) {
  return String(text === undefined || text === null ? '' : text).replace(/[&<>"']/g, function (character) {
    return ENTITIES[character];
  });
};

// One component of a path. A lone surrogate has no URL; it becomes the replacement character.
exports.component = function (text) {
  return encodeURIComponent(String(text).replace(
    /[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g,
    function (unit) { return unit.length === 2 ? unit : '\uFFFD'; }
  ));
};

// `{ a: 1 }` as `?a=1`; values are JSON, which is what CouchDB wants of keys.
exports.query = function (parameters) {
  return '?' + Object.keys(parameters).map(function (name) {
    return name + '=' + exports.component(JSON.stringify(parameters[name]));
  }).join('&');
};

exports.link = function (href, text, current) {
  return '<a href="' + exports.escape(href) + '"' + (current ? ' aria-current="page"' : '') + '>' +
    exports.escape(text) + '</a>';
};
