// A PouchDB Server in memory on 127.0.0.1:$PORT (default: a free port), which it prints.
'use strict';

const express = require('express');
const PouchDB = require('pouchdb-core')
  .plugin(require('pouchdb-adapter-memory'))
  .plugin(require('pouchdb-adapter-http'))
  .plugin(require('pouchdb-mapreduce'))
  .plugin(require('pouchdb-replication'))
  .plugin(require('pouchdb-find'));

// The multipart reader throws from an event handler when a client breaks off an upload, which the suite does on purpose.
process.on('uncaughtException', (error) => console.error(error.stack));

// No adapter is named: names are databases in memory, URLs those of other servers, as replication needs them.
const app = express();
app.use('/', require('express-pouchdb')(PouchDB, { inMemoryConfig: true }));
const server = app.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
