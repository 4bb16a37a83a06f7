// Files become documents as `couchapp sync-dir` makes them, each with its file in one request.
import { documentUrl } from './couch.js';
import { splitTags } from './edit.js';
import { gallery } from './gallery.js';
import { complain } from './notes.js';
import { session, signIn } from './session.js';

const THUMBNAIL = 480;
const HASHED = 256 * 1024 * 1024;
const AT_ONCE = 3;

const dialog = document.getElementById('uploads');
const form = dialog.querySelector('form');
const list = dialog.querySelector('.progress');
const button = document.getElementById('upload');

// CouchDB keeps what begins with `_` for itself; sync-dir files it under another name, and so does this.
const escaped = (name) => (/^(_|~_|~~)/.test(name) ? `~${name}` : name);

// What browsers run is refused by the app's validation; as a plain file it can still be kept.
function harmless(type) {
  if (!type || /html|svg|script|xml$|xsl/i.test(type)) return 'application/octet-stream';
  if (/^text\/(?!plain|csv|markdown)/i.test(type)) return 'text/plain';
  return type;
}

const TYPES = { epub: 'application/epub+zip', md: 'text/markdown', txt: 'text/plain', mkv: 'video/x-matroska' };
const extension = (name) => name.split('.').pop().toLowerCase();

async function sha256(file) {
  if (!globalThis.crypto?.subtle || file.size > HASHED) return undefined;
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// Size and a small copy of a picture; nothing of what is none, or none that this browser knows.
async function picture(file) {
  if (!file.type.startsWith('image/') || file.type.includes('svg')) return {};
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return {};
  const { width, height } = bitmap;
  const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = scale < 1 ? await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.82)) : null;
  return { width, height, blob, size: { width: canvas.width, height: canvas.height } };
}

async function compose(file, folder, name, tags) {
  const { width, height, blob, size } = await picture(file);
  const path = folder ? `${folder}/${name}` : name;
  const key = escaped(name);
  const content_type = harmless(file.type || TYPES[extension(name)]);
  const small = key.toLowerCase() === 'thumbnail.jpg' ? 'thumbnail-2.jpg' : 'thumbnail.jpg';
  const parts = [{ key, type: content_type, body: file }];
  if (blob) parts.push({ key: small, type: 'image/jpeg', body: blob });
  const document = {
    _id: escaped(path),
    type: 'file',
    owner: session.name,
    tags,
    file: {
      path, name, folder, size: file.size, content_type,
      modified: new Date(file.lastModified).toISOString(),
      sha256: await sha256(file),
      ...(key === name ? {} : { attachment: key }),
      ...(width ? { width, height } : {}),
      ...(blob ? { thumbnail: { attachment: small, ...size } } : {})
    }
  };
  return { document, parts };
}

// `multipart/related`: the document, then its attachments in the order in which it names them.
function related({ document, parts }) {
  const boundary = `pics-${Math.random().toString(36).slice(2)}${Date.now().toString(36)}`;
  const stubs = parts.map(({ key, type, body }) => [key, { follows: true, content_type: type, length: body.size }]);
  const head = { ...document, _attachments: Object.fromEntries(stubs) };
  const pieces = [`--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(head)}`];
  for (const { key, type, body } of parts) {
    pieces.push(`\r\n--${boundary}\r\nContent-Disposition: attachment; filename="${encodeURIComponent(key)}"\r\n` +
      `Content-Type: ${type}\r\nContent-Length: ${body.size}\r\n\r\n`, body);
  }
  pieces.push(`\r\n--${boundary}--`);
  return new Blob(pieces, { type: `multipart/related; boundary="${boundary}"` });
}

// `fetch` tells nothing of how far an upload is.
function put(url, body, onProgress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open('PUT', url);
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Content-Type', body.type);
    request.responseType = 'json';
    request.upload.addEventListener('progress', (event) => onProgress(event.loaded / event.total));
    request.addEventListener('error', () => fail(new Error('The connection broke.')));
    request.addEventListener('load', () => {
      if (request.status < 300) done(request.response);
      else fail(Object.assign(new Error(request.response?.reason ?? request.statusText), { status: request.status }));
    });
    request.send(body);
  });
}

// A name that is taken gets a number; nothing that is there is replaced.
async function send(file, folder, tags, onProgress) {
  const [, stem, end] = /^(.*?)(\.[^.]*)?$/s.exec(file.name);
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? file.name : `${stem} (${number})${end ?? ''}`;
    const composed = await compose(file, folder, name, tags);
    try {
      return await put(documentUrl(composed.document._id), related(composed), onProgress);
    } catch (error) {
      if (error.status !== 409 || number === 50) throw error;
    }
  }
}

function line(file) {
  const item = document.createElement('li');
  const name = Object.assign(document.createElement('span'), { textContent: file.name });
  const bar = Object.assign(document.createElement('progress'), { max: 1, value: 0 });
  const state = Object.assign(document.createElement('small'), { textContent: 'waiting' });
  bar.setAttribute('aria-label', file.name);
  item.append(name, bar, state);
  list.append(item);
  return (text, value, kind = '') => {
    state.textContent = text;
    if (value !== undefined) bar.value = value;
    item.className = kind;
  };
}

const waiting = [];
let busy = 0;

async function work() {
  if (busy === AT_ONCE) return;
  busy += 1;
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    const { file, folder, tags, tell } = job;
    try {
      tell('preparing');
      await send(file, folder, tags, (share) => tell(share < 1 ? `${Math.floor(share * 100)} %` : 'storing', share));
      tell('done', 1, 'done');
    } catch (error) {
      tell(error.message, undefined, 'failed');
    }
  }
  busy -= 1;
}

function add(files) {
  const folder = form.elements.folder.value.split('/').map((part) => part.trim())
    .filter((part) => part && part !== '.' && part !== '..').join('/');
  const tags = splitTags(form.elements.tags.value);
  for (const file of files) {
    waiting.push({ file, folder, tags, tell: line(file) });
    work().catch(complain);
  }
}

function show() {
  if (session.name === null && !session.isAdmin) {
    signIn();
    return false;
  }
  const names = document.getElementById('folder-names');
  names.replaceChildren(...[...document.querySelectorAll('#folders a')].map((link) => new Option(folderOf(link))));
  if (!dialog.open) dialog.showModal();
  return true;
}

// The folder that a link of the page leads to, from its query.
function folderOf(link) {
  try {
    return JSON.parse(new URL(link.href).searchParams.get('startkey'))[0] ?? '';
  } catch {
    return '';
  }
}

export function startUploads() {
  button.hidden = false;
  const isFolder = location.pathname.endsWith('/by_folder') && gallery;
  if (isFolder) form.elements.folder.value = folderOf(location);
  button.addEventListener('click', () => { list.replaceChildren(...[...list.children].filter((item) => !item.className)); show(); });
  form.elements.files.addEventListener('change', ({ target }) => {
    add(target.files);
    target.value = '';
  });
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add('dragging');
  });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('dragging'); });
  addEventListener('drop', (event) => {
    document.body.classList.remove('dragging');
    if (!hasFiles(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (show()) add(files);
  });
}
