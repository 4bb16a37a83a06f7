// HTML that nothing put into it can break: html`<b>${name}</b>` escapes every value, except what html itself made.

function Markup(text) {
  this.text = text;
}

Markup.prototype.toString = function () {
  return this.text;
};

function escape(value) {
  return String(value).replace(/[&<>"']/g, function (character) {
    return '&#' + character.charCodeAt(0) + ';';
  });
}

function piece(value) {
  if (value instanceof Markup) {
    return value.text;
  }
  if (Array.isArray(value)) {
    return value.map(piece).join('');
  }
  return value === undefined || value === null || value === false ? '' : escape(value);
}

exports.html = function (parts, ...values) {
  return new Markup(parts.map((part, at) => part + (at < values.length ? piece(values[at]) : '')).join(''));
};

// One component of a URL, a name with slashes in it included. Half of a character, which no URL can have, must not end
// the page.
exports.part = function (name) {
  var whole = String(name).replace(
    /[\ud800-\udbff](?![\udc00-\udfff])|(^|[^\ud800-\udbff])[\udc00-\udfff]/g,
    '$1\ufffd'
  );
  return encodeURIComponent(whole);
};
