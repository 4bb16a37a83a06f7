// What the scenarios need to know of, and to do on, the server itself.

export class Endpoint {
  // `url` is the database that holds the app and the files.
  constructor(url, user, password) {
    this.database = new URL(url.endsWith('/') ? url : `${url}/`);
    this.server = new URL('../', this.database);
    this.app = new URL('_design/pics/', this.database);
    this.user = user;
    this.password = password;
    this.name = decodeURIComponent(this.database.pathname.split('/').at(-2));
  }

  page(path) {
    return new URL(path, this.app).href;
  }

  gallery() {
    return this.page('_list/images/main');
  }

  document(id) {
    return new URL(encodeURIComponent(id), this.database);
  }

  headers() {
    const both = Buffer.from(`${this.user}:${this.password}`).toString('base64');
    return { Accept: 'application/json', Authorization: `Basic ${both}` };
  }

  // Asks as the admin.
  async ask(url, method = 'GET', body = undefined) {
    const headers = this.headers();
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  async ids(prefix = '') {
    const from = encodeURIComponent(JSON.stringify(prefix));
    const to = encodeURIComponent(JSON.stringify(`${prefix}\ufff0`));
    const range = prefix ? `?startkey=${from}&endkey=${to}` : '';
    const { rows } = await this.ask(new URL(`_all_docs${range}`, this.database));
    return rows.map(({ id }) => id).filter((id) => !id.startsWith('_design/') && id !== 'albums');
  }

  async remove(id) {
    const { _rev } = await this.ask(this.document(id));
    await this.ask(new URL(`${this.document(id)}?rev=${_rev}`), 'DELETE');
  }

  async addUser(name, password) {
    const id = `org.couchdb.user:${name}`;
    await this.ask(this.userAt(name), 'PUT', { _id: id, name, password, roles: [], type: 'user' });
  }

  userAt(name) {
    return new URL(`_users/${encodeURIComponent(`org.couchdb.user:${name}`)}`, this.server);
  }

  async removeUser(name) {
    const { _rev } = await this.ask(this.userAt(name));
    await this.ask(new URL(`${this.userAt(name)}?rev=${_rev}`), 'DELETE');
  }

  // Lets everybody look, as the family's album does, and answers what was before.
  async open() {
    const url = new URL('_security', this.database);
    const before = await this.ask(url);
    await this.ask(url, 'PUT', { ...before, members: { names: [], roles: [] } });
    return before;
  }

  async restore(security) {
    await this.ask(new URL('_security', this.database), 'PUT', security);
  }

  // Another database with the same app in it, and one small file.
  async second() {
    const name = `${this.name}-second-${Date.now().toString(36)}`;
    const database = new URL(`../${encodeURIComponent(name)}/`, this.database);
    await this.ask(database, 'PUT');
    const app = await this.ask(`${this.app.href.replace(/\/$/, '')}?attachments=true`);
    delete app._rev;
    await this.ask(new URL('_design/pics', database), 'PUT', app);
    const file = {
      path: 'a.txt',
      name: 'a.txt',
      folder: '',
      size: 2,
      content_type: 'text/plain',
      modified: '2011-01-01T00:00:00Z'
    };
    await this.ask(new URL('a.txt', database), 'PUT', {
      type: 'file',
      file,
      _attachments: { 'a.txt': { content_type: 'text/plain', data: 'aGk=' } }
    });
    return { name, remove: () => this.ask(database, 'DELETE') };
  }
}
