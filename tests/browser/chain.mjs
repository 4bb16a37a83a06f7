// What somebody sees at one end of a chain of databases when something changes at the other.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { live, tile, until } from './look.mjs';

const photo = new URL('../../fixtures/photos/2010/beach/IMG_0047.jpg', import.meta.url);

export async function galleryAtTheFarEndFollows(stage) {
  const { endpoint, near } = stage;
  await until(() => hasWhat(near, endpoint), 'the app and the files at the far end');
  const page = await stage.visitor();
  await page.goto(endpoint.gallery());
  await live(page);
  const loads = [];
  page.on('load', () => loads.push(page.url()));
  const name = `from-the-other-end-${Date.now().toString(36)}.jpg`;
  const content = await readFile(photo);
  const file = {
    path: name,
    name,
    folder: '',
    size: content.length,
    content_type: 'image/jpeg',
    modified: new Date().toISOString()
  };
  const begun = Date.now();
  await near.ask(near.document(name), 'PUT', {
    type: 'file',
    file,
    tags: [],
    _attachments: { [name]: { content_type: 'image/jpeg', data: content.toString('base64') } }
  });
  await tile(page, name).locator('img').waitFor();
  await until(
    () =>
      tile(page, name)
        .locator('img')
        .evaluate((image) => image.complete && image.naturalWidth > 0),
    'the picture'
  );
  console.log(`         the photo is in the page after ${Date.now() - begun} ms`);
  await stage.shot(page, 'far-end');
  await near.remove(name);
  await tile(page, name).waitFor({ state: 'detached' });
  assert.deepEqual(loads, [], 'the page was loaded anew');
}

// Whether one end has the app and all documents of the other.
async function hasWhat(near, far) {
  const [app, there, here] = await Promise.all([fetch(far.app, { headers: far.headers() }), near.ids(), far.ids()]);
  return app.ok && there.join() === here.join();
}
