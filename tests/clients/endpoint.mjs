// A server, asked by plain requests: what the clients did is compared by means that are none of theirs.

import assert from 'node:assert/strict';

export class Endpoint {
  constructor(url) {
    const parsed = new URL(url);
    const [user, password] = [decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)];
    this.user = user;
    this.password = password;
    this.url = url.replace(/\/*$/, '');
    this.plain = parsed.origin;
    this.headers = user ? { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } : {};
    this.made = new Set();
  }

  // A name that is not taken; what is called so is removed by `clean`.
  name(label) {
    const name = `clients-${label}-${process.pid}-${this.made.size}`;
    this.made.add(name);
    return name;
  }

  // A new database.
  async create(label) {
    const name = this.name(label);
    await this.expect(201, 'PUT', `/${name}`);
    return name;
  }

  async clean() {
    for (const name of this.made) await this.ask('DELETE', `/${name}`);
    this.made.clear();
  }

  ask(method, path, body, headers = {}) {
    const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array);
    return fetch(this.plain + path, {
      method,
      headers: { ...this.headers, ...(isJson ? { 'Content-Type': 'application/json' } : {}), ...headers },
      body: isJson ? JSON.stringify(body) : body
    });
  }

  // The JSON of an answer with this status.
  async expect(status, method, path, body, headers) {
    const response = await this.ask(method, path, body, headers);
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }

  // All leaves of all documents, with their ancestors and what is known of their attachments: `digest`, or with
  // `withData` their bytes instead.
  async leaves(database, { withData = false } = {}) {
    const changes = await this.expect(200, 'GET', `/${database}/_changes?style=all_docs`);
    const wanted = changes.results.flatMap(({ id, changes }) => changes.map(({ rev }) => ({ id, rev })));
    const found = new Map();
    for (let at = 0; at < wanted.length; at += 500) {
      const query = `revs=true&attachments=${withData}`;
      const docs = wanted.slice(at, at + 500);
      const { results } = await this.expect(200, 'POST', `/${database}/_bulk_get?${query}`, { docs });
      for (const { docs } of results) for (const { ok } of docs) found.set(`${ok._id} ${ok._rev}`, leaf(ok, withData));
    }
    assert.equal(found.size, wanted.length);
    return sorted(found);
  }
}

// All leaves in a PouchDB that is no server. It has digests of its own.
export async function pouchLeaves(database) {
  const changes = await database.changes({ style: 'all_docs' });
  const found = new Map();
  for (const { id, changes: revisions } of changes.results) {
    for (const { rev } of revisions) {
      const document = await database.get(id, { rev, revs: true, attachments: true });
      found.set(`${id} ${rev}`, leaf(document, true));
    }
  }
  return sorted(found);
}

function leaf(document, withData) {
  const attachments = Object.entries(document._attachments ?? {}).map(([name, stub]) => {
    const { content_type, data, digest, length, revpos } = stub;
    return [name, withData ? { content_type, data } : { content_type, digest, length, revpos }];
  });
  return { ...document, _attachments: Object.fromEntries(attachments.sort()) };
}

function sorted(found) {
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
