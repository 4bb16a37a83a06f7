// Where things are, and how to ask for them. This file is an attachment of the design document, so everything else is
// found from its own address, whatever page it runs in.

export const app = new URL('.', import.meta.url);
export const database = new URL('../../', app);
export const server = new URL('../', database);

export const part = encodeURIComponent;
export const documentAt = (id) => new URL(part(id), database);

// An answer that says no: `status` is HTTP's, the message is the server's reason.
export class Refusal extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

export async function ask(url, { method = 'GET', body } = {}) {
  const options = { method, credentials: 'same-origin', cache: 'no-store', headers: { Accept: 'application/json' } };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(url, options);
  } catch {
    throw new Refusal(0, 'The server cannot be reached.');
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, json.reason || answer.statusText);
  return json;
}

// Changes a document; when somebody else was faster, what they wrote is changed instead.
export async function change(id, edit) {
  for (let attempt = 1; ; attempt++) {
    const document = await ask(documentAt(id));
    edit(document);
    try {
      return await ask(documentAt(id), { method: 'PUT', body: document });
    } catch (refusal) {
      if (refusal.status !== 409 || attempt === 5) throw refusal;
    }
  }
}

export async function remove(id) {
  const { _rev } = await ask(documentAt(id));
  const url = documentAt(id);
  url.searchParams.set('rev', _rev);
  return ask(url, { method: 'DELETE' });
}

// A page of this app, as a document to take parts out of.
export async function page(url) {
  const answer = await fetch(url, { credentials: 'same-origin', cache: 'no-store' });
  if (!answer.ok) throw new Refusal(answer.status, answer.statusText);
  return new DOMParser().parseFromString(await answer.text(), 'text/html');
}

// "beach, Holiday , beach" are two tags.
export const tagsOf = (text) => [
  ...new Set(
    text
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean)
  )
];

// Makes an element: `make('a', { href: '…' }, 'text', otherElement)`. Text stays text.
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

export function say(text) {
  const news = document.getElementById('news');
  news.textContent = text;
  news.classList.add('shown');
  clearTimeout(say.timer);
  say.timer = setTimeout(() => news.classList.remove('shown'), 4000);
}
