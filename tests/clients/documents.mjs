// Documents of every kind: with attachments of both sorts (CouchDB compresses text), conflicts, deletions, odd names.

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const hash = (number) => number.toString(16).padStart(32, '0');

// So many documents as `_bulk_docs` takes them with `new_edits: false`. A tenth has conflicts, a tenth is deleted, a
// fifth has attachments.
export function documents(count, label = 'd') {
  return Array.from({ length: count }, (_, at) => kind(at, `${label}${String(at).padStart(5, '0')}`)).flat();
}

function kind(at, id) {
  const document = {
    _id: at % 50 === 7 ? `${id}/ä +&?%` : id,
    _revisions: { start: 2, ids: [hash(at * 8 + 2), hash(at * 8 + 1)] },
    number: at,
    type: at % 2 ? 'odd' : 'even',
    text: `Nº ${at} – ‘quoted’ "\u0000\ud83d\ude00"`,
    nested: { list: [1, 2.5, -1e3, null, true, { a: {} }] }
  };
  const conflict = (offset, members) => ({
    ...document,
    ...members,
    _revisions: { start: 2, ids: [hash(at * 8 + offset), hash(at * 8 + 1)] }
  });
  switch (at % 10) {
    case 1:
      return [document, conflict(3, { text: 'theirs' }), conflict(4, { text: 'deleted there', _deleted: true })];
    case 2:
      return [{ _id: document._id, _revisions: document._revisions, _deleted: true }];
    case 3:
      return [{ ...document, _attachments: attachments(at) }];
    case 4:
      return [{ ...document, _attachments: attachments(at) }, conflict(5, { _attachments: attachments(at + 1) })];
    default:
      return [document];
  }
}

function attachments(at) {
  const text = `attachment ${at}\n`.repeat(1 + (at % 40));
  return {
    'notes/ä ü.txt': { content_type: 'text/plain; charset=utf-8', data: Buffer.from(text).toString('base64') },
    'pixel.png': { content_type: 'image/png', data: PIXEL },
    empty: { content_type: 'application/octet-stream', data: '' }
  };
}

// Writes them to an endpoint.
export async function fill(endpoint, database, docs) {
  for (let at = 0; at < docs.length; at += 500) {
    const body = { new_edits: false, docs: docs.slice(at, at + 500) };
    await endpoint.expect(201, 'POST', `/${database}/_bulk_docs`, body);
  }
}
