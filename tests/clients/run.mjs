// Other people's clients against an endpoint: PouchDB, nano, couchbackup, and CouchDB's own replicator. `npm ci`, then
//
//   node run.mjs URL [--only NAME]
//
// URL is the server, as `couchapp serve` prints it, with `user:password@` where it has an administrator. Databases are
// called `clients-…` and removed again. The replicator is that of the CouchDB which `COUCHAPP_TEST_URL` names; it has to
// reach URL. Without one its scenarios are skipped, and say so.
//
// Prints a line for each scenario; the exit code is 1 when one failed.

import { parseArgs } from 'node:util';

import { Endpoint } from './endpoint.mjs';
import * as backup from './backup.mjs';
import * as client from './nano.mjs';
import * as pouchdb from './pouchdb.mjs';
import * as replicator from './replicator.mjs';

const LONGEST = 120_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' } }
});
const [url] = positionals;
if (!url) {
  console.error('usage: node run.mjs URL [--only NAME]');
  process.exit(2);
}
const { COUCHAPP_TEST_URL: other } = process.env;

const groups = [
  ['PouchDB', pouchdb.scenarios],
  ['nano', client.scenarios],
  ['couchbackup', backup.scenarios],
  ["CouchDB's replicator", replicator.scenarios]
];
const endpoint = new Endpoint(url);
let failed = 0;
for (const [group, scenarios] of groups) {
  for (const [name, scenario] of scenarios) {
    const title = `${group} ${name}`;
    if (options.only && !title.includes(options.only)) continue;
    if (scenarios === replicator.scenarios && !other) {
      console.log(`skipped ${title} (COUCHAPP_TEST_URL names no CouchDB)`);
      continue;
    }
    const start = Date.now();
    try {
      await within(scenario(endpoint, other && new Endpoint(other)));
      console.log(`ok      ${title} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${title}\n${error.stack ?? error}`);
    } finally {
      await endpoint.clean();
    }
  }
}
process.exit(failed === 0 ? 0 : 1);

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${LONGEST / 1000} s`)), LONGEST);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
