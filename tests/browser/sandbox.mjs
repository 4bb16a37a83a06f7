// What is left of the app when the server sandboxes it: everything there is to read.
import assert from 'node:assert/strict';

import { folders, pictures } from './look.mjs';

export async function sandboxedGalleryIsReadable(stage) {
  const { endpoint } = stage;
  const page = await stage.visitor();
  const answer = await page.goto(endpoint.gallery());
  assert.match(answer.headers()['content-security-policy'] ?? '', /sandbox/, 'this server does not sandbox the app');
  assert.equal(await page.locator('html.alive').count(), 0, 'a script ran');
  await page.locator('.note', { hasText: 'couchapp csp allow' }).waitFor();
  assert.equal(await page.getByRole('button').count(), 0, 'there are buttons that do nothing');
  assert.equal(await page.locator('#gallery .tile').count(), (await endpoint.ids()).length);
  await pictures(page);
  await stage.shot(page, 'sandbox-gallery');
}

export async function sandboxedFolderAndFileAreReadable(stage) {
  const page = await stage.visitor();
  await page.goto(stage.endpoint.gallery());
  await folders(stage, page);
  await page.locator('#gallery .tile.picture a').first().click();
  await page.locator('article.item h1').waitFor();
  await pictures(page, 'article.item img');
  await stage.shot(page, 'sandbox-file');
}
