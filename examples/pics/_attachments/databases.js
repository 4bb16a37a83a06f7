// The databases that the reader may enter: those that the page lists and those that the server tells of.
import { app, ask, component, server } from './couch.js';
import { complain } from './notes.js';
import { readSession, session } from './session.js';

const list = document.getElementById('databases');
const design = app.split('/').at(-2);
const MOST = 300;

const entryOf = (name) => [...list.children].find((entry) => entry.dataset.name === name);

async function look() {
  // Most servers tell this to admins only.
  const all = await ask(`${server}_all_dbs`).catch(() => []);
  const listed = [...list.children].map((entry) => entry.dataset.name);
  const names = [...new Set([...listed, ...all.filter((name) => !name.startsWith('_')).slice(0, MOST)])];
  for (let start = 0; start < names.length; start += 4) {
    await Promise.all(names.slice(start, start + 4).map(lookInto));
  }
}

async function lookInto(name) {
  const base = `${server}${component(name)}/`;
  const views = `${base}_design/${design}/_view/`;
  let entry = entryOf(name);
  try {
    const [{ total_rows }, pictures] = await Promise.all([
      ask(`${views}main?limit=0`), ask(`${views}images?limit=1`)
    ]);
    entry ??= make(name, `${base}_design/${design}/_list/images/main`);
    entry.hidden = false;
    entry.querySelector('small').textContent = total_rows === 1 ? '1 file' : `${total_rows} files`;
    const [row] = pictures.rows;
    if (!row) return;
    const { attachment, thumbnail } = row.value;
    const image = Object.assign(new Image(), { alt: '' });
    image.src = `${base}${component(row.id)}/${component(thumbnail?.attachment ?? attachment)}`;
    entry.querySelector('.cover').replaceChildren(image);
  } catch (error) {
    // Not for this reader, or not a database of pictures.
    if (entry) entry.hidden = error.status === 401 || error.status === 403 || error.status === 404;
  }
}

function make(name, href) {
  const entry = document.createElement('li');
  entry.dataset.name = name;
  const link = Object.assign(document.createElement('a'), { href });
  link.append(Object.assign(document.createElement('span'), { className: 'cover' }),
    Object.assign(document.createElement('strong'), { textContent: name }), document.createElement('small'));
  entry.append(link);
  list.append(entry);
  return entry;
}

session.addEventListener('change', () => look().catch(complain));
readSession().catch(complain);
