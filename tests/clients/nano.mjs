// nano, Apache's client for node: every kind of call that it has and that is part of the endpoint.

import assert from 'node:assert/strict';

import nano from 'nano';

const open = (endpoint) => nano(endpoint.url);

async function databases(endpoint) {
  const server = open(endpoint);
  const name = endpoint.name('nano');
  assert.deepEqual(await server.db.create(name), { ok: true });
  await assert.rejects(server.db.create(name), { statusCode: 412, error: 'file_exists' });
  assert.ok((await server.db.list()).includes(name));
  assert.equal((await server.db.get(name)).db_name, name);
  assert.equal((await server.info()).couchdb, 'Welcome');
  assert.equal((await server.uuids(3)).uuids.length, 3);
  assert.deepEqual(await server.db.compact(name), { ok: true });
  assert.deepEqual(await server.db.destroy(name), { ok: true });
  await assert.rejects(server.db.get(name), { statusCode: 404, error: 'not_found' });
}

async function documents(endpoint) {
  const database = open(endpoint).use(await endpoint.create('nano'));
  const { rev } = await database.insert({ happy: true }, 'rabbit ä/1');
  assert.equal((await database.get('rabbit ä/1')).happy, true);
  assert.equal((await database.head('rabbit ä/1')).etag, `"${rev}"`);
  await assert.rejects(database.insert({ happy: false }, 'rabbit ä/1'), { statusCode: 409, error: 'conflict' });
  await database.insert({ _rev: rev, happy: 'very' }, 'rabbit ä/1');
  assert.equal((await database.get('rabbit ä/1', { revs_info: true }))._revs_info.length, 2);
  assert.equal((await database.get('rabbit ä/1', { rev })).happy, true);
  await database.insert({ ...(await database.get('rabbit ä/1')), _id: 'copy', _rev: undefined });
  const copy = await database.get('copy');
  assert.equal(copy.happy, 'very');
  await database.destroy('copy', copy._rev);
  await assert.rejects(database.get('copy'), { statusCode: 404, reason: 'deleted' });
  const bulk = await database.bulk({ docs: [{ _id: 'a', n: 1 }, { _id: 'b', n: 2 }, { _id: 'rabbit ä/1' }] });
  assert.deepEqual(bulk.map(({ error }) => error), [undefined, undefined, 'conflict']);
  const listed = await database.list({ startkey: 'a', endkey: 'b', include_docs: true });
  assert.deepEqual(listed.rows.map(({ doc }) => doc.n), [1, 2]);
  const fetched = await database.fetch({ keys: ['b', 'none', 'a'] });
  assert.deepEqual(fetched.rows.map(({ doc, error }) => doc?.n ?? error), [2, 'not_found', 1]);
  const revisions = await database.fetchRevs({ keys: ['a'] });
  assert.equal(revisions.rows[0].value.rev, bulk[0].rev);
  assert.equal((await database.info()).doc_count, 3);
}

async function attachments(endpoint) {
  const database = open(endpoint).use(await endpoint.create('nano'));
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256));
  const { rev } = await database.attachment.insert('one', 'a b.bin', bytes, 'application/octet-stream');
  assert.deepEqual(await database.attachment.get('one', 'a b.bin'), bytes);
  const streamed = [];
  for await (const chunk of database.attachment.getAsStream('one', 'a b.bin')) streamed.push(chunk);
  assert.deepEqual(Buffer.concat(streamed), bytes);
  await database.attachment.destroy('one', 'a b.bin', { rev });
  const parts = [
    { name: 'ä.txt', data: 'text, which is compressed when it is stored', content_type: 'text/plain' },
    { name: 'bytes', data: bytes, content_type: 'image/png' }
  ];
  await database.multipart.insert({ caption: 'both' }, parts, 'two');
  const two = await database.get('two');
  assert.deepEqual(Object.keys(two._attachments).sort(), ['bytes', 'ä.txt']);
  assert.equal((await database.attachment.get('two', 'ä.txt')).toString(), parts[0].data);
  const whole = await database.multipart.get('two');
  assert.ok(whole.includes(bytes.subarray(0, 1000)));
  assert.ok(whole.includes('"caption":"both"'));
}

async function apps(endpoint) {
  const database = open(endpoint).use(await endpoint.create('nano'));
  await database.bulk({ docs: Array.from({ length: 30 }, (_, at) => ({ _id: `d${at}`, n: at, odd: at % 2 })) });
  await database.insert(
    {
      views: { odd: { map: 'function (doc) { emit(doc.odd, doc.n); }', reduce: '_sum' } },
      shows: { hi: 'function (doc, req) { return "hi " + doc._id; }' },
      lists: {
        csv: `function () {
          var row;
          start({ headers: { "Content-Type": "text/csv" } });
          while (row = getRow()) { send(row.value + ","); }
        }`
      },
      updates: { bump: 'function (doc, req) { doc.n += JSON.parse(req.body).by; return [doc, "" + doc.n]; }' }
    },
    '_design/app'
  );
  const sums = await database.view('app', 'odd', { group: true });
  assert.deepEqual(sums.rows, [{ key: 0, value: 210 }, { key: 1, value: 225 }]);
  const keyed = await database.view('app', 'odd', { reduce: false, key: 1, limit: 2, include_docs: true });
  assert.equal(keyed.rows.length, 2);
  assert.equal((await database.view('app', 'odd', { reduce: false, keys: [0, 1] })).rows.length, 30);
  assert.equal(await database.show('app', 'hi', 'd3'), 'hi d3');
  assert.equal(await database.viewWithList('app', 'odd', 'csv', { reduce: false, limit: 2 }), '0,10,');
  assert.equal(Number(await database.atomic('app', 'bump', 'd3', { by: 4 })), 7);
}

async function finds(endpoint) {
  const database = open(endpoint).use(await endpoint.create('nano'));
  await database.bulk({ docs: Array.from({ length: 30 }, (_, at) => ({ _id: `d${at}`, n: at })) });
  const made = await database.createIndex({ index: { fields: ['n'] }, name: 'by-n' });
  assert.equal(made.result, 'created');
  const query = { selector: { n: { $gt: 20 } }, sort: [{ n: 'desc' }], fields: ['n'], limit: 5 };
  const first = await database.find(query);
  assert.deepEqual(first.docs.map(({ n }) => n), [29, 28, 27, 26, 25]);
  const second = await database.find({ ...query, bookmark: first.bookmark });
  assert.deepEqual(second.docs.map(({ n }) => n), [24, 23, 22, 21]);
  const streamed = [];
  for await (const chunk of database.findAsStream(query)) streamed.push(chunk);
  assert.equal(JSON.parse(Buffer.concat(streamed)).docs.length, 5);
}

async function changes(endpoint) {
  const name = await endpoint.create('nano');
  const database = open(endpoint).use(name);
  await database.bulk({ docs: Array.from({ length: 250 }, (_, at) => ({ _id: `d${at}` })) });
  assert.equal((await database.changes({ limit: 10 })).results.length, 10);
  const batches = [];
  await new Promise((resolve, reject) => {
    const reader = database.changesReader.get({ since: 0, timeout: 1000, batchSize: 100, includeDocs: true });
    reader.on('batch', (batch) => batches.push(batch.length)).on('end', resolve).on('error', reject);
  });
  assert.deepEqual(batches, [100, 100, 50]);
  const heard = await new Promise((resolve, reject) => {
    const reader = database.changesReader.start({ since: 'now', timeout: 1000, includeDocs: true });
    reader.on('change', (change) => (database.changesReader.stop(), resolve(change))).on('error', reject);
    setTimeout(() => database.insert({ news: 1 }, 'late').catch(reject), 300);
  });
  assert.equal(heard.doc.news, 1);
  const spooled = await new Promise((resolve, reject) => {
    const reader = database.changesReader.spool({ since: 0 });
    const ids = [];
    reader.on('batch', (batch) => ids.push(...batch.map(({ id }) => id)));
    reader.on('end', () => resolve(ids)).on('error', reject);
  });
  assert.equal(spooled.length, 251);
}

async function signsIn(endpoint) {
  const { user, password, plain } = endpoint;
  if (!user) {
    const session = await open(endpoint).session();
    assert.ok(session.userCtx.roles.includes('_admin'));
    return;
  }
  const server = nano(plain);
  await server.auth(user, password);
  assert.equal((await server.session()).userCtx.name, user);
  await server.db.create(endpoint.name('nano'));
}

export const scenarios = [
  ['makes and removes databases', databases],
  ['writes and reads documents', documents],
  ['sends attachments', attachments],
  ['asks apps', apps],
  ['finds by selector', finds],
  ['follows changes', changes],
  ['signs in', signsIn]
];
