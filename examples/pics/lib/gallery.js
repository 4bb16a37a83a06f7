// One file among others.
var html = require('lib/html').html;
var icons = require('lib/icons');
var page = require('lib/page');

var WORDS = { picture: 'Photo', video: 'Video', music: 'Music', paper: 'PDF', book: 'Book', text: 'Text', file: 'File' };

exports.WORDS = WORDS;

// 75.2 seconds are 1:15.
exports.time = function (seconds) {
  var whole = Math.round(seconds);
  return Math.floor(whole / 60) + ':' + ('0' + whole % 60).slice(-2);
};

exports.name = function (item) {
  return item.caption || item.title || item.name.replace(/(.)\.[a-z0-9]{1,5}$/i, '$1');
};

function inside(place, id, item) {
  if (item.thumbnail || item.kind === 'picture') {
    return html`<img src="${page.file(place, id, item.thumbnail || item.attachment)}" alt="" loading="lazy" decoding="async">`;
  }
  if (item.kind === 'video') {
    return html`<video src="${page.file(place, id, item.attachment)}#t=0.1" preload="metadata" muted playsinline tabindex="-1" aria-hidden="true"></video>`;
  }
  return html`<span class="face">${icons[item.kind]}<b>${exports.name(item)}</b>${item.author && html`<i>${item.author}</i>`}</span>`;
}

exports.tile = function (place, row) {
  var item = row.value;
  var ratio = item.ratio || { video: 1.78, paper: 0.72, book: 0.72 }[item.kind] || 1;
  var badge = item.kind === 'picture' ? '' : html`<span class="badge">${item.kind === 'video' ? icons.video : ''}${item.duration ? exports.time(item.duration) : WORDS[item.kind]}</span>`;
  return html`<li class="tile ${item.kind}" data-id="${row.id}" data-rev="${item.rev}" style="--ratio:${Number(ratio)}">
<a href="${page.item(place, row.id)}">${inside(place, row.id, item)}<span class="label">${exports.name(item)}</span>${badge}</a></li>
`;
};
