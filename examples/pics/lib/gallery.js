// One file among others.
var html = require('lib/html').html;
var icons = require('lib/icons');
var page = require('lib/page');

var WORDS = {
  picture: 'Photo',
  video: 'Video',
  music: 'Music',
  paper: 'PDF',
  book: 'Book',
  text: 'Text',
  file: 'File'
};

exports.WORDS = WORDS;

// 75.2 seconds are 1:15.
exports.time = function (seconds) {
  var whole = Math.round(seconds);
  return Math.floor(whole / 60) + ':' + ('0' + (whole % 60)).slice(-2);
};

exports.name = function (item) {
  return item.caption || item.title || item.name.replace(/(.)\.[a-z0-9]{1,5}$/i, '$1');
};

function inside(place, id, item) {
  if (item.thumbnail || item.kind === 'picture') {
    return page.image(place, id, item.thumbnail || item.attachment);
  }
  if (item.kind === 'video') {
    return html`<video src="${page.file(place, id, item.attachment)}#t=0.1" preload="metadata" muted playsinline
tabindex="-1" aria-hidden="true"></video>`;
  }
  var author = item.author && html`<i>${item.author}</i>`;
  return html`<span class="face">${icons[item.kind]}<b>${exports.name(item)}</b>${author}</span>`;
}

function badge(item) {
  var words = item.duration ? exports.time(item.duration) : WORDS[item.kind];
  return html`<span class="badge">${item.kind === 'video' && icons.video}${words}</span>`;
}

exports.tile = function (place, row) {
  var item = row.value;
  var ratio = Number(item.ratio) || { video: 1.78, paper: 0.72, book: 0.72 }[item.kind] || 1;
  return html`<li class="tile ${item.kind}" data-id="${row.id}" data-rev="${item.rev}" style="--ratio:${ratio}">
<a href="${page.item(place, row.id)}">${inside(place, row.id, item)}
<span class="label">${exports.name(item)}</span>${item.kind !== 'picture' && badge(item)}</a></li>
`;
};
