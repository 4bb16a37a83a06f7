// One file, with everything that is known of it. Scripts take the same article out of this page for their lightbox.
var html = require('lib/html').html;
var gallery = require('lib/gallery');
var icons = require('lib/icons');
var items = require('views/lib/item');
var page = require('lib/page');

var MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December'
];

function date(at) {
  var day = new Date(at);
  return day.getUTCDate() + ' ' + MONTHS[day.getUTCMonth()] + ' ' + day.getUTCFullYear();
}

function bytes(size) {
  var units = ['bytes', 'KB', 'MB', 'GB'];
  var unit = 0;
  while (size >= 1000 && unit < 3) {
    size /= 1000;
    unit++;
  }
  return (unit && size < 10 ? size.toFixed(1) : Math.round(size)) + ' ' + units[unit];
}

// What stands for a file that has no picture.
function face(kind, title, author, offer) {
  return html`<div class="face ${kind}">${icons[kind]}<b>${title}</b>${author && html`<i>${author}</i>`}${offer}</div>`;
}

function download(item, file, words) {
  return html`<a class="button" href="${file}" download="${item.name}">${words}</a>`;
}

// What the browser shows is shown, what it cannot is offered.
function stage(item, file, name) {
  switch (item.kind) {
    case 'picture':
      return html`<img src="${file}" alt="${name}">`;
    case 'video':
      return html`<video src="${file}" controls playsinline preload="metadata">This browser plays no videos.</video>`;
    case 'music':
      return face('music', name, item.author, html`<audio src="${file}" controls preload="metadata"></audio>`);
    case 'paper':
      return html`<object data="${file}" type="application/pdf" aria-label="${name}">
${face('paper', name, item.author, html`<a class="button" href="${file}">Open the PDF</a>`)}</object>`;
    case 'book':
      return face('book', name, item.author, download(item, file, 'Read in your e-book app'));
    case 'text':
      return html`<iframe src="${file}" sandbox title="${name}"></iframe>`;
    default:
      return face('file', item.name, '', download(item, file, 'Download'));
  }
}

function facts(doc, item) {
  var file = doc.file;
  var size = Number(file.size) > 0 && bytes(Number(file.size));
  var pixels = Number(file.width) > 0 && Number(file.height) > 0 && Number(file.width) + ' × ' + Number(file.height);
  var duration = item.duration && gallery.time(item.duration);
  return [item.at && date(item.at), gallery.WORDS[item.kind], duration, pixels, size].filter(Boolean).join(' · ');
}

exports.article = function (place, doc, item) {
  var file = page.file(place, doc._id, item.attachment);
  var name = gallery.name(item);
  var tags = items.tags(doc);
  var owner = items.text(doc.owner);
  var origin = [item.name, owner && 'by ' + owner].filter(Boolean).join(' · ');
  var folder = item.folder && page.range(place, 'by_folder', item.folder);
  return html`<article class="item ${item.kind}" data-id="${doc._id}" data-rev="${doc._rev}" data-owner="${owner}">
<div class="stage">${stage(item, file, name)}</div>
<div class="about">
<h1>${name}</h1>
<p class="facts">${facts(doc, item)}</p>
<p class="facts">${folder && html`<a class="place" href="${folder}">${icons.folder}${item.folder}</a> `}${origin}</p>
<ul class="tags">${tags.map((tag) => html`<li><a href="${page.range(place, 'by_tag', tag)}">${tag}</a></li>`)}</ul>
<p class="actions"><a class="button" href="${file}" download="${item.name}">${icons.download}<span>Download</span></a>
<button type="button" class="edit" hidden>Edit</button> <button type="button" class="remove" hidden>Delete</button></p>
<form class="editor" hidden>
<label>Caption <textarea name="caption" rows="2" maxlength="2000">
${item.caption}</textarea></label>
<label>Tags, with commas between <input name="tags" value="${tags.join(', ')}" autocomplete="off"></label>
<p class="actions"><button class="primary">Save</button> <button type="button" class="cancel">Cancel</button></p>
<p class="trouble" role="alert"></p>
</form>
</div>
</article>
`;
};
