// The page of several databases: what is in each, and for admins who may look and which others there are.
import { app, ask, change, database, documentAt, make, part, server } from './couch.js';
import { isAdmin } from './account.js';

const list = document.getElementById('albums');
const form = document.getElementById('add');
const input = document.getElementById('database');
const trouble = document.getElementById('trouble');
const design = app.pathname.slice(database.pathname.length);

const root = (name) => new URL(`${part(name)}/`, server);

async function fill(album) {
  const name = album.dataset.name;
  const count = album.querySelector('.count');
  const mosaic = album.querySelector('.mosaic');
  try {
    const [pictures, all] = await Promise.all(
      ['images?limit=4', 'main?limit=0'].map((view) => ask(new URL(`${design}_view/${view}`, root(name))))
    );
    count.textContent = all.total_rows === 1 ? '1 file' : `${all.total_rows} files`;
    const images = pictures.rows.map(({ id, value }) =>
      make('img', { src: new URL(`${part(id)}/${part(value.thumbnail || value.attachment)}`, root(name)), alt: '' })
    );
    if (images.length) mosaic.replaceChildren(...images);
    mosaic.classList.toggle('single', images.length < 4);
  } catch (refusal) {
    count.textContent =
      { 401: 'Locked: sign in', 403: 'Locked for you', 404: 'Pics is not there yet' }[refusal.status] ??
      refusal.message;
  }
  album.querySelector('.sharing')?.remove();
  if (isAdmin()) await offerSharing(album, name);
}

// A CouchDB shows a new database to nobody but its admins.
async function offerSharing(album, name) {
  const url = new URL('_security', root(name));
  const security = await ask(url).catch(() => null);
  if (!security) return;
  const { names = [], roles = [] } = security.members ?? {};
  const isOpen = names.length === 0 && roles.length === 0;
  const members = isOpen ? { names: [], roles: ['_admin'] } : { names: [], roles: [] };
  const button = make('button', { type: 'button' }, isOpen ? 'Close it' : 'Open it to everybody');
  button.onclick = async () => {
    const question = isOpen ? `Let only admins see ${name}?` : `Let everybody who reaches this server see ${name}?`;
    if (!confirm(question)) return;
    try {
      await ask(url, { method: 'PUT', body: { ...security, members } });
      await fill(album);
    } catch (refusal) {
      trouble.textContent = refusal.message;
    }
  };
  album.append(
    make(
      'p',
      { className: 'sharing' },
      isOpen ? 'Everybody may look. ' : names.length ? `For ${names.join(', ')}. ` : 'Only admins may look. ',
      button
    )
  );
}

async function offerDatabases() {
  form.hidden = !isAdmin();
  if (form.hidden) return;
  const shown = new Set([...list.children].map((album) => album.dataset.name));
  const names = await ask(new URL('_all_dbs', server)).catch(() => []);
  document
    .getElementById('databases')
    .replaceChildren(
      ...names.filter((name) => !name.startsWith('_') && !shown.has(name)).map((value) => make('option', { value }))
    );
}

async function addDatabase(name) {
  const include = (document) => {
    document.databases = [...new Set([...(document.databases ?? []), name])];
  };
  try {
    await change('albums', include);
  } catch (refusal) {
    if (refusal.status !== 404) throw refusal;
    const document = { _id: 'albums', type: 'albums' };
    include(document);
    await ask(documentAt('albums'), { method: 'PUT', body: document });
  }
}

export function begin() {
  document.addEventListener('person', () => {
    for (const album of list.children) fill(album);
    offerDatabases();
  });
  form.onsubmit = async (event) => {
    event.preventDefault();
    trouble.textContent = '';
    try {
      await addDatabase(input.value.trim());
      location.reload();
    } catch (refusal) {
      trouble.textContent = refusal.message;
    }
  };
}
