// CouchDB's own replicator, which pulls from the endpoint and pushes to it.

import assert from 'node:assert/strict';

import { documents, fill } from './documents.mjs';

const COUNT = 2000;

const there = ({ plain, headers }, name) => ({ url: `${plain}/${name}`, headers });

const both = (scenario) => async (endpoint, couchdb) => {
  try {
    await scenario(endpoint, couchdb);
  } finally {
    await couchdb.clean();
  }
};

async function same(endpoint, name, couchdb, other) {
  const [left, right] = [await endpoint.leaves(name), await couchdb.leaves(other)];
  assert.deepEqual(left, right);
  return Object.keys(left).length;
}

async function replicate(couchdb, source, target, options = {}) {
  const body = { source, target, ...options };
  const told = await couchdb.expect(options.continuous ? 202 : 200, 'POST', '/_replicate', body);
  assert.equal(told.ok, true);
  return told;
}

// Databases with documents in the first and nothing in the second.
async function pair(from, into, docs = documents(COUNT)) {
  const [full, empty] = [await from.create('source'), await into.create('target')];
  await fill(from, full, docs);
  return [full, empty];
}

async function pulls(endpoint, couchdb) {
  const [source, target] = await pair(endpoint, couchdb);
  const [from, into] = [there(endpoint, source), there(couchdb, target)];
  const { history } = await replicate(couchdb, from, into);
  assert.equal(history[0].doc_write_failures, 0);
  assert.ok((await same(endpoint, source, couchdb, target)) > COUNT);
  assert.equal((await replicate(couchdb, from, into)).no_changes, true);
}

async function pushes(endpoint, couchdb) {
  const [source, target] = await pair(couchdb, endpoint);
  const [from, into] = [there(couchdb, source), there(endpoint, target)];
  const { history } = await replicate(couchdb, from, into);
  assert.equal(history[0].doc_write_failures, 0);
  assert.ok((await same(endpoint, target, couchdb, source)) > COUNT);
  assert.equal((await replicate(couchdb, from, into)).no_changes, true);
}

async function createsTarget(endpoint, couchdb) {
  const source = await couchdb.create('source');
  await fill(couchdb, source, documents(20));
  const target = endpoint.name('created');
  await replicate(couchdb, there(couchdb, source), there(endpoint, target), { create_target: true });
  await same(endpoint, target, couchdb, source);
}

async function selects(endpoint, couchdb) {
  const [source, target] = await pair(endpoint, couchdb, documents(100));
  await replicate(couchdb, there(endpoint, source), there(couchdb, target), { selector: { type: 'odd' } });
  const ids = await couchdb.expect(200, 'GET', `/${target}/_all_docs?include_docs=true`);
  assert.ok(ids.rows.length >= 40 && ids.rows.every(({ doc }) => doc.type === 'odd'));
}

async function filters(endpoint, couchdb) {
  const [source, target] = await pair(endpoint, couchdb, documents(100));
  const filter = 'function (doc, req) { return doc.type === req.query.type; }';
  await endpoint.expect(201, 'PUT', `/${source}/_design/app`, { filters: { kind: filter } });
  const options = { filter: 'app/kind', query_params: { type: 'even' } };
  await replicate(couchdb, there(endpoint, source), there(couchdb, target), options);
  const ids = await couchdb.expect(200, 'GET', `/${target}/_all_docs?include_docs=true`);
  assert.ok(ids.rows.length >= 40 && ids.rows.every(({ doc }) => doc.type === 'even'));
}

async function continuous(endpoint, couchdb) {
  const half = COUNT / 2;
  const [here, other] = await pair(endpoint, couchdb, documents(half, 'here'));
  await fill(couchdb, other, documents(half, 'other'));
  const [left, right] = [there(endpoint, here), there(couchdb, other)];
  const running = [await replicate(couchdb, left, right, { continuous: true })];
  running.push(await replicate(couchdb, right, left, { continuous: true }));
  try {
    await until(() => same(endpoint, here, couchdb, other));
    const { rev } = await endpoint.expect(201, 'PUT', `/${here}/late`, { step: 1 });
    await until(() => couchdb.expect(200, 'GET', `/${other}/late`));
    await couchdb.expect(200, 'DELETE', `/${other}/late?rev=${rev}`);
    await until(() => endpoint.expect(404, 'GET', `/${here}/late`));
    assert.ok((await same(endpoint, here, couchdb, other)) > COUNT);
  } finally {
    for (const { _local_id: id } of running) {
      await couchdb.ask('POST', '/_replicate', { replication_id: id, cancel: true });
    }
  }
}

// Tries until nothing is thrown.
async function until(attempt) {
  for (let left = 300; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

export const scenarios = [
  ['pulls', both(pulls)],
  ['pushes', both(pushes)],
  ['makes its target', both(createsTarget)],
  ['pulls by selector', both(selects)],
  ['pulls through a filter of an app', both(filters)],
  ['follows both ways', both(continuous)]
];
