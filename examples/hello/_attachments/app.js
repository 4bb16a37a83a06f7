'use strict';

// The page is an attachment of _design/hello, so the database is two levels up.
const database = '../../';
const form = document.getElementById('form');
const list = document.getElementById('messages');

async function show() {
  const answer = await fetch('_view/messages?descending=true&reduce=false&limit=50');
  const { rows } = await answer.json();
  list.replaceChildren(...rows.map(({ value }) => {
    const item = document.createElement('li');
    const author = document.createElement('b');
    author.textContent = value.author;
    item.append(author, ' ', value.text);
    return item;
  }));
  document.getElementById('status').textContent = rows.length ? '' : 'Nobody has said hello yet.';
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const message = { type: 'message', left_at: new Date().toISOString() };
  for (const [name, value] of new FormData(form)) message[name] = value;
  const answer = await fetch(database, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(message)
  });
  if (answer.ok) form.reset();
  else alert((await answer.json()).reason);
  await show();
});

form.hidden = false;
show();
