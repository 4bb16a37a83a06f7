// Sends one file as one document, in the shape that `couchapp sync-dir` gives it, in one request and as one revision.
import { documentAt, Refusal } from './couch.js';
import { exif, measure, sha256 } from './picture.js';

const TYPES = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  epub: 'application/epub+zip',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/markdown',
  mp3: 'audio/mpeg',
  webm: 'video/webm'
};

// CouchDB keeps names that begin with an underscore for itself. `couchapp` escapes them, and what looks escaped, in the
// same way.
const escaped = (name) => (/^(_|~_|~~)/.test(name) ? `~${name}` : name);

// No empty name, none that means a folder, and nothing that cannot be seen.
export const clean = (name) =>
  name
    .replace(/[\u0000-\u001f\u007f\\/]/g, '-')
    .replace(/^\.{1,2}$/, 'file')
    .trim() || 'file';
export const cleanFolder = (path) =>
  path
    .split('/')
    .map((name) => name.trim())
    .filter(Boolean)
    .map(clean)
    .join('/');

// `photo.jpg`, `photo 2.jpg`, `photo 3.jpg`
function numbered(name, number) {
  if (number === 1) return name;
  const dot = name.lastIndexOf('.');
  return dot > 0 ? `${name.slice(0, dot)} ${number}${name.slice(dot)}` : `${name} ${number}`;
}

function typeOf(file, allowed) {
  const extension = file.name.split('.').pop().toLowerCase();
  const type = file.type || TYPES[extension] || '';
  return new RegExp(allowed, 'i').test(type) ? type : 'application/octet-stream';
}

function multipart(document, bodies) {
  const boundary = `pics-${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  const pieces = [`--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(document)}`];
  for (const [name, { content_type: type, length }] of Object.entries(document._attachments)) {
    pieces.push(
      `\r\n--${boundary}\r\nContent-Disposition: attachment; filename="${encodeURIComponent(name)}"\r\n`,
      `Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`,
      bodies.get(name)
    );
  }
  pieces.push(`\r\n--${boundary}--`);
  return new Blob(pieces, { type: `multipart/related; boundary="${boundary}"` });
}

// XMLHttpRequest is what tells of progress.
function put(url, body, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open('PUT', url);
    request.setRequestHeader('Accept', 'application/json');
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onerror = () => fail(new Refusal(0, 'The connection was lost.'));
    request.onload = () => {
      let json = {};
      try {
        json = JSON.parse(request.responseText);
      } catch {
        /* The status says enough. */
      }
      if (request.status >= 200 && request.status < 300) done(json);
      else fail(new Refusal(request.status, json.reason || request.statusText || 'The server refused it.'));
    };
    request.send(body);
  });
}

// `to` has the folder, tags, caption, owner and the allowed types. Answers the document's id.
export async function send(file, to, progress) {
  const type = typeOf(file, to.allowed);
  const facts = type === 'image/jpeg' ? await exif(file) : {};
  const { small, thumbnail, ...size } = type.startsWith('image/') ? await measure(file, facts.orientation) : {};
  const sum = await sha256(file);
  for (let number = 1; ; number++) {
    const name = numbered(clean(file.name), number);
    const path = to.folder ? `${to.folder}/${name}` : name;
    const attachment = escaped(name);
    const bodies = new Map([[attachment, file]]);
    const stubs = { [attachment]: { follows: true, content_type: type, length: file.size } };
    const known = {
      path,
      name,
      folder: to.folder,
      size: file.size,
      content_type: type,
      modified: new Date(file.lastModified).toISOString(),
      sha256: sum,
      ...size,
      ...facts
    };
    if (attachment !== name) known.attachment = attachment;
    if (small) {
      const other = attachment.toLowerCase() === 'thumbnail.jpg' ? 'thumbnail-2.jpg' : 'thumbnail.jpg';
      known.thumbnail = { attachment: other, ...thumbnail };
      stubs[other] = { follows: true, content_type: 'image/jpeg', length: small.size };
      bodies.set(other, small);
    }
    const document = { _id: escaped(path), type: 'file', tags: to.tags, file: known, _attachments: stubs };
    if (to.caption) document.caption = to.caption;
    if (to.owner) document.owner = to.owner;
    try {
      await put(documentAt(document._id), multipart(document, bodies), progress);
      return document._id;
    } catch (refusal) {
      // The name is taken: the next one is tried.
      if (refusal.status !== 409 || number === 50) throw refusal;
    }
  }
}
