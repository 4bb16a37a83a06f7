// PouchDB's replicator between two databases, with its own defaults: `node pouchdb.cjs FOLDER`, where FOLDER has
// node_modules with pouchdb-core, pouchdb-adapter-http and pouchdb-replication (or with pouchdb).
'use strict';

const { createRequire } = require('node:module');
const { join, resolve } = require('node:path');

const load = createRequire(join(resolve(process.argv[2]), 'package.json'));
const { BENCH_SOURCE: source, BENCH_TARGET: target } = process.env;

async function main() {
  const PouchDB = load('pouchdb-core')
    .plugin(load('pouchdb-adapter-http'))
    .plugin(load('pouchdb-replication'));
  const result = await PouchDB.replicate(source, target);
  if (!result.ok || result.doc_write_failures > 0) throw new Error(JSON.stringify(result));
}

main().catch((error) => {
  console.error(`error: ${error.stack ?? JSON.stringify(error)}`);
  process.exit(1);
});
