// All messages as a page that needs no script: `_list/page/messages?descending=true&reduce=false`.
function (head, req) {
  // !code lib/escape.js
  start({ headers: { 'Content-Type': 'text/html; charset=utf-8' } });
  send('<!doctype html><title>Guest book</title><link rel="stylesheet" href="../../style.css"><h1>Guest book</h1><ul>');
  var row;
  while ((row = getRow())) {
    send('<li><b>' + escape(row.value.author) + '</b> ' + escape(row.value.text) + '</li>\n');
  }
  send('</ul>');
}
