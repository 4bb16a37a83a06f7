// couchbackup: a database into a file and back into another one.

import assert from 'node:assert/strict';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import couchbackup from '@cloudant/couchbackup';

import { documents, fill } from './documents.mjs';

const finish = (start) =>
  new Promise((resolve, reject) => start((error, told) => (error ? reject(error) : resolve(told))));

async function roundTrip(endpoint, options, docs) {
  const [from, into] = [await endpoint.create('backup'), await endpoint.create('restored')];
  await fill(endpoint, from, docs);
  const folder = await mkdtemp(join(tmpdir(), 'couchbackup-'));
  try {
    const file = join(folder, 'backup');
    const log = join(folder, 'log');
    const url = (name) => `${endpoint.url}/${name}`;
    const sink = createWriteStream(file);
    const saved = await finish((done) => couchbackup.backup(url(from), sink, { log, ...options }, done));
    const source = createReadStream(file);
    const read = await finish((done) => couchbackup.restore(source, url(into), options, done));
    assert.equal(read.total, saved.total);
    return [await endpoint.leaves(from), await endpoint.leaves(into)];
  } finally {
    await rm(folder, { recursive: true });
  }
}

// Without attachments everything is kept, conflicts and deletions included.
async function whole(endpoint) {
  const docs = documents(1200).map(({ _attachments, ...document }) => document);
  const [before, after] = await roundTrip(endpoint, { bufferSize: 250 }, docs);
  assert.deepEqual(after, before);
  assert.ok(Object.keys(before).length > 1200);
}

async function withAttachments(endpoint) {
  const [before, after] = await roundTrip(endpoint, { attachments: true, bufferSize: 50 }, documents(200));
  assert.deepEqual(after, before);
}

// Only the winners, and nothing of their past.
async function shallow(endpoint) {
  const docs = documents(100).map(({ _attachments, ...document }) => document);
  const [before, after] = await roundTrip(endpoint, { mode: 'shallow' }, docs);
  const ids = (leaves) => Object.keys(leaves).filter((key) => !leaves[key]._deleted).map((key) => leaves[key]._id);
  assert.deepEqual(new Set(ids(after)), new Set(ids(before)));
}

export const scenarios = [
  ['keeps all leaves', whole],
  ['keeps attachments', withAttachments],
  ['keeps the winners', shallow]
];
