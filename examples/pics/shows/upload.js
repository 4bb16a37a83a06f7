// The upload page: `_show/upload`, with `?folder=` for the folder to begin with.
function (doc, req) {
  // !code lib/allowed_types.js
  var html = require('lib/html').html;
  var icons = require('lib/icons');
  var page = require('lib/page');
  var place = page.place(req, 1);
  var folder = String(req.query.folder || new Date().getFullYear() + '/new');
  var body = html`<div class="head"><h1>Upload</h1></div>
<form class="uploads" id="uploads" data-types="${ALLOWED_TYPES}" hidden>
<label class="drop" id="drop">${icons.upload}<b>Choose files, or drop them here</b>
<i>Photos, videos, music, papers: as many as you like</i>
<input type="file" id="files" multiple></label>
<div class="fields">
<label>Folder <input id="folder" value="${folder}" list="folders" maxlength="1000" autocomplete="off"></label>
<label>Tags, with commas between <input id="tags" autocomplete="off" placeholder="beach, holiday"></label>
</div>
<datalist id="folders"></datalist>
<ul class="queue" id="queue" aria-label="Chosen files"></ul>
<p class="actions"><button class="primary" id="send" disabled>Upload</button> <span id="total" role="status"></span></p>
</form>
<noscript><p class="empty">Uploading needs scripts.</p></noscript>
<p class="empty" id="please" hidden>Please sign in to upload.</p>
`;
  return {
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: page.top(place, 'Upload', 'upload') + body + page.bottom()
  };
}
