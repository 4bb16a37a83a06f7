// Drawings of 24 by 24, in the colour of the text.
var html = require('lib/html').html;

function icon(shape) {
  return html`<svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">${shape}</svg>`;
}

exports.brand = icon(
  html`<rect x="2" y="4" width="20" height="16" rx="3.5"/><circle cx="8" cy="9.5" r="1.8"/><path d="M3 18l5.5-5 3.5 3 4-4.5 5 5.5"/>`
);
exports.video = icon(html`<path class="solid" d="M8 5.5v13l10.5-6.5z"/>`);
exports.music = icon(
  html`<path d="M9 18V6l10-2v12"/><circle cx="6.5" cy="18" r="2.5"/><circle cx="16.5" cy="16" r="2.5"/>`
);
exports.paper = icon(html`<path d="M6 3h8l5 5v13H6zM14 3v5h5M9 13h7M9 17h7"/>`);
exports.book = icon(html`<path d="M12 6C9 4 6 4 3 5v14c3-1 6-1 9 1 3-2 6-2 9-1V5c-3-1-6-1-9 1zm0 0v14"/>`);
exports.text = icon(html`<path d="M5 6h14M5 10h14M5 14h14M5 18h8"/>`);
exports.file = icon(html`<path d="M6 3h8l5 5v13H6zM14 3v5h5"/>`);
exports.folder = icon(html`<path d="M3 6h6l2 2.5h10V19H3z"/>`);
exports.tag = icon(html`<path d="M3 4v8l9 9 8-8-9-9z"/><circle cx="7.5" cy="8.5" r="1.2"/>`);
exports.upload = icon(html`<path d="M12 16V4m0 0L7 9m5-5l5 5M4 16v4h16v-4"/>`);
exports.download = icon(html`<path d="M12 4v12m0 0l-5-5m5 5l5-5M4 18v2h16v-2"/>`);
