// The upload page: files are chosen or dropped, get their captions, and are sent two at a time.
import { app, ask, make, tagsOf } from './couch.js';
import { mayWrite, who } from './account.js';
import { cleanFolder, send } from './send.js';

const AT_ONCE = 2;
const form = document.getElementById('uploads');
const please = document.getElementById('please');
const drop = document.getElementById('drop');
const chooser = document.getElementById('files');
const folder = document.getElementById('folder');
const tags = document.getElementById('tags');
const queue = document.getElementById('queue');
const button = document.getElementById('send');
const total = document.getElementById('total');

let entries = [];

const waiting = () => entries.filter((entry) => entry.state === 'waiting' || entry.state === 'failed');

function megabytes(bytes) {
  return bytes < 100_000 ? `${Math.ceil(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function tell() {
  const left = waiting();
  button.disabled = left.length === 0 || entries.some((entry) => entry.state === 'sending');
  button.textContent = left.length > 1 ? `Upload ${left.length} files` : 'Upload';
  const done = entries.filter((entry) => entry.state === 'done').length;
  total.replaceChildren();
  if (done) {
    const where = new URL('_list/images/main', app);
    total.append(`${done} of ${entries.length} sent. `, make('a', { href: where }, 'See them'));
  }
}

function add(file) {
  const preview = file.type.startsWith('image/')
    ? make('img', { src: URL.createObjectURL(file), alt: '' })
    : make('span', { className: 'kind' }, file.name.split('.').pop().slice(0, 5).toUpperCase());
  const caption = make('input', { placeholder: 'Caption', ariaLabel: `Caption of ${file.name}`, maxLength: 2000 });
  const bar = make('progress', { max: 1, value: 0, hidden: true, ariaLabel: `Progress of ${file.name}` });
  const note = make('span', { className: 'state', role: 'status' }, megabytes(file.size));
  const out = make('button', { type: 'button', className: 'out', ariaLabel: `Leave out ${file.name}` }, '×');
  const line = make(
    'li',
    {},
    preview,
    make('div', { className: 'what' }, make('b', {}, file.name), caption, bar),
    note,
    out
  );
  const entry = { file, caption, bar, note, out, line, state: 'waiting' };
  out.onclick = () => {
    entries = entries.filter((other) => other !== entry);
    line.remove();
    tell();
  };
  entries.push(entry);
  queue.append(line);
  tell();
}

async function carry(entry, to) {
  entry.state = 'sending';
  entry.line.className = 'sending';
  entry.out.hidden = true;
  entry.bar.hidden = false;
  entry.note.textContent = 'Sending…';
  try {
    const id = await send(entry.file, { ...to, caption: entry.caption.value.trim() }, (part) => {
      entry.bar.value = part;
    });
    entry.state = 'done';
    entry.bar.hidden = true;
    const page = new URL(`_show/item/${encodeURIComponent(id)}`, app);
    entry.note.replaceChildren(make('a', { href: page }, 'There it is'));
    entry.caption.disabled = true;
  } catch (refusal) {
    entry.state = 'failed';
    entry.bar.hidden = true;
    entry.out.hidden = false;
    entry.note.textContent = refusal.status === 401 ? 'Please sign in again.' : refusal.message;
  }
  entry.line.className = entry.state;
  tell();
}

async function sendAll() {
  const to = {
    folder: cleanFolder(folder.value),
    tags: tagsOf(tags.value),
    owner: who().name,
    allowed: form.dataset.types
  };
  const left = waiting();
  const worker = async () => {
    for (let entry = left.shift(); entry; entry = left.shift()) await carry(entry, to);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function suggestFolders() {
  const { rows } = await ask(new URL('_view/by_folder?group_level=1', app));
  document.getElementById('folders').replaceChildren(...rows.map(({ key }) => make('option', { value: key[0] })));
}

export function begin() {
  const show = () => {
    form.hidden = !mayWrite();
    please.hidden = mayWrite();
  };
  document.addEventListener('person', show);
  chooser.onchange = () => {
    [...chooser.files].forEach(add);
    chooser.value = '';
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    sendAll();
  };
  addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) drop.classList.remove('over');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (!form.hidden) [...event.dataTransfer.files].forEach(add);
  });
  addEventListener('beforeunload', (event) => {
    if (entries.some((entry) => entry.state === 'sending')) event.preventDefault();
  });
  suggestFolders().catch(() => {}); // Only suggestions.
  tell();
}
