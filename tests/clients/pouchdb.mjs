// PouchDB in memory, replicating with the endpoint, and PouchDB as a client of it.

import assert from 'node:assert/strict';

import http from 'pouchdb-adapter-http';
import memory from 'pouchdb-adapter-memory';
import PouchDB from 'pouchdb-core';
import find from 'pouchdb-find';
import mapreduce from 'pouchdb-mapreduce';
import replication from 'pouchdb-replication';

import { documents, fill } from './documents.mjs';
import { pouchLeaves } from './endpoint.mjs';

PouchDB.plugin(http).plugin(memory).plugin(replication).plugin(mapreduce).plugin(find);

let locals = 0;
const local = () => new PouchDB(`local-${(locals += 1)}`, { adapter: 'memory' });
const remote = (endpoint, name) => new PouchDB(`${endpoint.url}/${name}`);

async function same(endpoint, name, database) {
  assert.deepEqual(await pouchLeaves(database), await endpoint.leaves(name, { withData: true }));
}

async function filled(endpoint, docs = documents(200)) {
  const name = await endpoint.create('pouchdb');
  await fill(endpoint, name, docs);
  return name;
}

async function pulls(endpoint) {
  const name = await filled(endpoint);
  const target = local();
  const result = await PouchDB.replicate(remote(endpoint, name), target);
  assert.equal(result.doc_write_failures, 0);
  await same(endpoint, name, target);
  // The second one begins where the first ended.
  const again = await PouchDB.replicate(remote(endpoint, name), target);
  assert.equal(again.docs_read, 0);
  assert.equal(again.last_seq, result.last_seq);
}

async function pushes(endpoint) {
  const source = local();
  await source.bulkDocs(documents(200), { new_edits: false });
  const name = await endpoint.create('pouchdb');
  const result = await PouchDB.replicate(source, remote(endpoint, name));
  assert.equal(result.doc_write_failures, 0);
  await same(endpoint, name, source);
  assert.equal((await PouchDB.replicate(source, remote(endpoint, name))).docs_read, 0);
}

async function syncs(endpoint) {
  const name = await filled(endpoint, documents(40, 'theirs'));
  const here = local();
  await here.bulkDocs(documents(40, 'ours'), { new_edits: false });
  await here.put({ _id: 'both', from: 'here' });
  await endpoint.expect(201, 'PUT', `/${name}/both`, { from: 'there' });
  await here.sync(remote(endpoint, name));
  await same(endpoint, name, here);
  const { _conflicts } = await endpoint.expect(200, 'GET', `/${name}/both?conflicts=true`);
  assert.equal(_conflicts.length, 1);
}

async function live(endpoint) {
  const name = await endpoint.create('pouchdb');
  const here = local();
  const sync = here.sync(remote(endpoint, name), { live: true, retry: true, heartbeat: 1000 });
  try {
    await here.bulkDocs(documents(30, 'ours'), { new_edits: false });
    await fill(endpoint, name, documents(30, 'theirs'));
    await until(() => same(endpoint, name, here));
    const { rev } = await here.put({ _id: 'late', step: 1 });
    await until(() => endpoint.expect(200, 'GET', `/${name}/late`));
    await endpoint.expect(200, 'DELETE', `/${name}/late?rev=${rev}`);
    await until(() => assert.rejects(here.get('late'), { reason: 'deleted' }));
    await same(endpoint, name, here);
  } finally {
    sync.cancel();
    await sync.catch(() => {});
  }
}

async function filters(endpoint) {
  const name = await filled(endpoint);
  await endpoint.expect(201, 'PUT', `/${name}/_design/app`, {
    filters: { kind: 'function (doc, req) { return doc.type === req.query.type; }' }
  });
  const target = local();
  await PouchDB.replicate(remote(endpoint, name), target, { filter: 'app/kind', query_params: { type: 'odd' } });
  const { rows } = await target.allDocs({ include_docs: true });
  assert.ok(rows.length > 50);
  assert.ok(rows.every(({ doc }) => doc.type === 'odd'));
}

async function selects(endpoint) {
  const name = await filled(endpoint);
  const [target, named] = [local(), local()];
  await PouchDB.replicate(remote(endpoint, name), target, { selector: { type: 'even', number: { $gte: 100 } } });
  const { rows } = await target.allDocs({ include_docs: true });
  assert.ok(rows.length >= 40);
  assert.ok(rows.every(({ doc }) => doc.type === 'even' && doc.number >= 100));
  await PouchDB.replicate(remote(endpoint, name), named, { doc_ids: ['d00000', 'd00003', 'none'] });
  assert.deepEqual((await named.allDocs()).rows.map(({ id }) => id), ['d00000', 'd00003']);
}

async function asks(endpoint) {
  const database = remote(endpoint, endpoint.name('pouchdb'));
  assert.deepEqual((await database.allDocs()).rows, []);
  const { rev } = await database.put({ _id: 'one', tags: ['a', 'b'] });
  const bytes = Buffer.from('plain text, sent as it is');
  const added = await database.putAttachment('one', 'plain.txt', rev, bytes, 'text/plain');
  assert.equal((await database.getAttachment('one', 'plain.txt')).toString(), bytes.toString());
  await assert.rejects(database.put({ _id: 'one', _rev: rev }), { status: 409, name: 'conflict' });
  await database.removeAttachment('one', 'plain.txt', added.rev);
  await database.bulkDocs([{ _id: 'two', tags: ['b'] }, { _id: 'three', tags: [] }]);
  await database.put({
    _id: '_design/app',
    views: { tags: { map: 'function (doc) { (doc.tags || []).forEach(function (t) { emit(t); }); }', reduce: '_count' } }
  });
  const counted = await database.query('app/tags', { group: true });
  assert.deepEqual(counted.rows, [{ key: 'a', value: 1 }, { key: 'b', value: 2 }]);
  const named = await database.query('app/tags', { reduce: false, keys: ['b'], include_docs: true });
  assert.deepEqual(named.rows.map(({ doc }) => doc._id), ['one', 'two']);
  await database.createIndex({ index: { fields: ['tags'] } });
  const found = await database.find({ selector: { tags: { $elemMatch: { $eq: 'a' } } } });
  assert.deepEqual(found.docs.map(({ _id }) => _id), ['one']);
  assert.equal((await database.info()).doc_count, 5);
  const bulk = await database.bulkGet({ docs: [{ id: 'one' }, { id: 'none' }] });
  assert.equal(bulk.results.length, 2);
  const heard = new Promise((resolve, reject) => {
    const feed = database.changes({ since: 'now', live: true, include_docs: true });
    feed.on('change', (change) => resolve(feed.cancel() ?? change)).on('error', reject);
    setTimeout(() => database.put({ _id: 'news' }).catch(reject), 200);
  });
  assert.equal((await heard).doc._id, 'news');
  assert.equal((await database.get('one', { revs_info: true }))._revs_info.length, 3);
  await database.compact();
  await database.viewCleanup();
  await database.destroy();
}

// Tries until nothing is thrown.
async function until(attempt) {
  for (let left = 200; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export const scenarios = [
  ['pulls', pulls],
  ['pushes', pushes],
  ['syncs both ways', syncs],
  ['syncs live', live],
  ['pulls through a filter of an app', filters],
  ['pulls by selector and by id', selects],
  ['is a client', asks]
];
