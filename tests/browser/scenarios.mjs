// What people do with the app. One function is one scenario; none needs another.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { folders, live, pictures, put, ready, signIn, somebody, tile, until } from './look.mjs';

const photos = new URL('../../fixtures/photos/', import.meta.url);

export async function galleryShows(stage) {
  const { endpoint } = stage;
  const page = await stage.visitor();
  await page.goto(endpoint.gallery());
  await ready(page);
  assert.equal(await page.locator('#gallery .tile').count(), (await endpoint.ids()).length);
  await pictures(page);
  const upright = await tile(page, '2010/beach/IMG_0047.jpg')
    .locator('img')
    .evaluate((image) => image.naturalHeight > image.naturalWidth);
  assert.ok(upright, 'the camera was held upright, and the picture lies');
  await stage.shot(page, 'gallery');

  const phone = await stage.visitor({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    colorScheme: 'dark'
  });
  await phone.goto(endpoint.gallery());
  await ready(phone);
  await pictures(phone);
  const overflow = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide for a phone`);
  await stage.shot(phone, 'gallery-phone-dark');
}

export async function galleryIsReadableWithoutScripts(stage) {
  const page = await stage.visitor({ javaScriptEnabled: false });
  await page.goto(stage.endpoint.gallery());
  await page.locator('.note').waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  await folders(stage, page);
}

export async function longGalleryContinues(stage) {
  const page = await stage.visitor();
  await page.goto(`${stage.endpoint.gallery()}?show=5`);
  await ready(page);
  const { length } = await stage.endpoint.ids();
  await until(async () => {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    return (await page.locator('#gallery .tile').count()) === length;
  }, 'all pages of the gallery');
  const shown = await page.locator('#gallery .tile').evaluateAll((tiles) => tiles.map((element) => element.dataset.id));
  assert.equal(new Set(shown).size, length);
}

export async function lightboxWorksWithTheKeyboard(stage) {
  const page = await stage.visitor();
  await page.goto(stage.endpoint.gallery());
  await ready(page);
  const links = page.locator('#gallery .tile.picture > a');
  await links.first().focus();
  await page.keyboard.press('Enter');
  const article = page.locator('.viewer article');
  const first = await page.locator('#gallery .tile.picture').first().getAttribute('data-id');
  await page.locator(`.viewer article[data-id=${JSON.stringify(first)}]`).waitFor();
  assert.ok(page.url().includes('_show/item/'), page.url());
  await pictures(page, '.viewer img');
  await stage.shot(page, 'lightbox');
  await page.keyboard.press('ArrowRight');
  await page.locator(`.viewer article:not([data-id=${JSON.stringify(first)}])`).waitFor();
  const second = await article.getAttribute('data-id');
  await page.keyboard.press('Escape');
  await page.locator('.viewer').waitFor({ state: 'hidden' });
  assert.equal(page.url(), stage.endpoint.gallery());
  assert.equal(await page.evaluate(() => document.activeElement.parentElement.dataset.id), second);
  await page.goForward();
  await page.locator('.viewer article').waitFor();
  await page.reload();
  await page.locator(`main > article[data-id=${JSON.stringify(second)}]`).waitFor();
}

export async function foldersAreBrowsed(stage) {
  const page = await stage.visitor();
  await page.goto(stage.endpoint.gallery());
  await ready(page);
  await folders(stage, page);
  await pictures(page);
  await page.getByRole('link', { name: '2010', exact: true }).click();
  await page.locator('h1', { hasText: '2010' }).waitFor();
  assert.equal(await page.locator('#gallery .tile').count(), (await stage.endpoint.ids('2010/')).length);
}

export async function captionsAndTagsAreEditedAndBrowsed(stage) {
  const { endpoint } = stage;
  const id = '2011/garden/sunflower.jpg';
  const before = await endpoint.ask(endpoint.document(id));
  stage.later(async () => {
    const now = await endpoint.ask(endpoint.document(id));
    await endpoint.ask(endpoint.document(id), 'PUT', { ...before, _rev: now._rev, _attachments: now._attachments });
  });
  const other = await stage.visitor();
  await other.goto(endpoint.gallery());
  await live(other);

  const page = await stage.visitor();
  await page.goto(endpoint.gallery());
  await signIn(page, endpoint.user, endpoint.password);
  await tile(page, id).locator('a').click();
  await page.locator('.viewer .edit').click();
  const caption = 'As high as <b>the & house</b> "itself"';
  await page.locator('.viewer').getByLabel('Caption').fill(caption);
  await page.locator('.viewer').getByLabel('Tags').fill('yellow, late summer, yellow');
  await stage.shot(page, 'editing');
  await page.locator('.viewer').getByRole('button', { name: 'Save' }).click();
  await page.locator('.viewer h1', { hasText: caption }).waitFor();
  const after = await endpoint.ask(endpoint.document(id));
  assert.deepEqual([after.caption, after.tags], [caption, ['yellow', 'late summer']]);
  assert.deepEqual([after.file, Object.keys(after._attachments)], [before.file, Object.keys(before._attachments)]);
  await tile(other, id).locator('.label', { hasText: caption }).waitFor({ state: 'attached' });

  await page.locator('.viewer .tags').getByRole('link', { name: 'late summer' }).click();
  await page.locator('h1', { hasText: 'late summer' }).waitFor();
  await tile(page, id).waitFor();
  assert.equal(await page.locator('#gallery .tile').count(), 1);
  await page.getByRole('link', { name: 'Tags', exact: true }).click();
  await page.locator('.group[data-id="yellow"]').waitFor();
  await stage.shot(page, 'tags');
}

// Somebody uploads, and somebody else sees it arrive.
export async function uploadAppearsAndOthersSeeIt(stage) {
  const { endpoint } = stage;
  const ann = await somebody(stage, 'ann');
  const folder = `browser/${ann.name}`;
  stage.later(async () => {
    for (const id of await endpoint.ids(`${folder}/`)) await endpoint.remove(id);
  });
  const other = await stage.visitor();
  await other.goto(endpoint.gallery());
  await live(other);
  await other.evaluate(() => {
    globalThis.neverReloaded = true;
  });

  const page = await stage.visitor();
  await page.goto(endpoint.gallery());
  await signIn(page, ann.name, ann.password);
  await page.getByRole('link', { name: 'Upload' }).click();
  await ready(page);
  const picture = await readFile(new URL('2010/beach/IMG_0047.jpg', photos));
  const hostile = '<img src=x onerror=alert(1)> "ü" 100% #?.jpg';
  await page.locator('#files').setInputFiles([
    { name: hostile, mimeType: 'image/jpeg', buffer: picture },
    { name: '_first.txt', mimeType: 'text/plain', buffer: Buffer.from('A name that CouchDB keeps for itself') },
    { name: 'evil.html', mimeType: 'text/html', buffer: Buffer.from('<script>alert(1)</script>') }
  ]);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }));
    document
      .getElementById('drop')
      .dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  assert.equal(await page.locator('.queue li').count(), 4);
  await page.getByLabel('Folder').fill(` ${folder}/ `);
  await page.getByLabel('Tags').fill('from afar');
  const caption = '<script>alert("caption")</script>';
  await page.locator('.queue input').first().fill(caption);
  await stage.shot(page, 'upload');
  await page.getByRole('button', { name: 'Upload 4 files' }).click();
  await page.locator('#total', { hasText: '4 of 4 sent' }).waitFor();
  assert.ok(
    await page
      .locator('.queue progress')
      .first()
      .evaluate((bar) => bar.value === 1),
    'no progress was shown'
  );
  await stage.shot(page, 'upload-done');

  const id = `${folder}/${hostile}`;
  await tile(other, id).waitFor();
  await tile(other, `${folder}/dropped.txt`).waitFor();
  assert.ok(await other.evaluate(() => globalThis.neverReloaded), 'the page was loaded again');
  assert.equal(await tile(other, id).locator('.label').textContent(), caption);
  await until(
    () =>
      tile(other, id)
        .locator('img')
        .evaluate((image) => image.complete && image.naturalHeight > image.naturalWidth),
    'an upright picture'
  );
  await stage.shot(other, 'arrived');

  const stored = await endpoint.ask(endpoint.document(id));
  assert.match(stored._rev, /^1-/, 'an upload is one revision');
  assert.equal(stored.owner, ann.name);
  assert.deepEqual(stored.tags, ['from afar']);
  assert.deepEqual(
    [stored.file.path, stored.file.folder, stored.file.name, stored.file.size],
    [id, folder, hostile, picture.length]
  );
  assert.deepEqual(
    [stored.file.taken, stored.file.orientation, stored.file.width, stored.file.height],
    ['2010-09-19T20:04:37', 6, 1440, 1080]
  );
  const original = await endpoint.ask(endpoint.document('2010/beach/IMG_0047.jpg'));
  assert.equal(stored.file.sha256, original.file.sha256, 'the same file has the same sum');
  const first = await endpoint.ask(endpoint.document(`${folder}/_first.txt`));
  assert.deepEqual([first.file.name, first.file.attachment], ['_first.txt', '~_first.txt']);
  const evil = await endpoint.ask(endpoint.document(`${folder}/evil.html`));
  assert.equal(evil._attachments['evil.html'].content_type, 'application/octet-stream');

  // The same name again becomes another file.
  await page
    .locator('#files')
    .setInputFiles([{ name: 'dropped.txt', mimeType: 'text/plain', buffer: Buffer.from('again') }]);
  await page.getByRole('button', { name: 'Upload', exact: true }).click();
  await tile(other, `${folder}/dropped 2.txt`).waitFor();

  // What is removed goes from every open page.
  await page.goto(endpoint.page(`_show/item/${encodeURIComponent(`${folder}/dropped 2.txt`)}`));
  await page.getByRole('button', { name: 'Delete' }).click();
  await tile(other, `${folder}/dropped 2.txt`).waitFor({ state: 'detached' });
}

export async function signInAndRefusal(stage) {
  const { endpoint } = stage;
  const ann = await somebody(stage, 'ann');
  const bob = await somebody(stage, 'bob');
  const id = `browser/${ann.name}.txt`;
  const file = {
    path: id,
    name: `${ann.name}.txt`,
    folder: 'browser',
    size: 2,
    content_type: 'text/plain',
    modified: '2011-01-01T00:00:00Z'
  };
  const document = {
    type: 'file',
    owner: ann.name,
    file,
    _attachments: { [file.name]: { content_type: 'text/plain', data: 'aGk=' } }
  };

  const page = await stage.visitor();
  await page.goto(endpoint.gallery());
  await ready(page);
  assert.equal(await page.getByRole('link', { name: 'Upload' }).count(), 0, 'strangers are offered to upload');
  assert.equal(await put(page, endpoint.document(id), document), 401, 'a stranger wrote');
  await page.goto(endpoint.page('_show/upload'));
  await page.locator('#please').waitFor();

  await signIn(page, ann.name, ann.password);
  await page.locator('#uploads').waitFor();
  stage.later(() => endpoint.remove(id));
  assert.equal(
    await put(page, endpoint.document(id), { ...document, owner: bob.name }),
    403,
    'ann wrote in the name of bob'
  );
  const svg = { ...document, _attachments: { 'a.svg': { content_type: 'image/svg+xml', data: 'aGk=' } } };
  assert.equal(await put(page, endpoint.document(id), svg), 403, 'a type that can run was taken');
  assert.equal(await put(page, endpoint.document(id), document), 201);
  await page.goto(endpoint.page(`_show/item/${encodeURIComponent(id)}`));
  await page.getByRole('button', { name: 'Edit' }).waitFor();
  await stage.shot(page, 'signed-in');

  const stored = await endpoint.ask(endpoint.document(id));
  const stranger = await stage.visitor();
  await stranger.goto(endpoint.page(`_show/item/${encodeURIComponent(id)}`));
  await signIn(stranger, bob.name, bob.password);
  assert.equal(
    await stranger.getByRole('button', { name: 'Edit' }).count(),
    0,
    'bob is offered to edit what is not his'
  );
  assert.equal(
    await put(stranger, endpoint.document(id), { ...stored, caption: 'mine now' }),
    403,
    'bob changed what is not his'
  );
  assert.equal(
    await put(stranger, endpoint.document(id), { ...stored, owner: bob.name }),
    403,
    'bob took what is not his'
  );
  assert.equal(
    await put(stranger, endpoint.document(id), { _id: id, _rev: stored._rev, _deleted: true }),
    403,
    'bob removed what is not his'
  );
  const synced = await endpoint.ask(endpoint.document('2011/garden/sunflower.jpg'));
  assert.equal(
    await put(stranger, endpoint.document(synced._id), { ...synced, owner: bob.name }),
    403,
    'bob took what has no owner'
  );

  await stranger.locator('.menu summary').click();
  await stranger.getByRole('button', { name: 'Sign out' }).click();
  await stranger.getByRole('button', { name: 'Sign in' }).waitFor();
  assert.equal(await put(stranger, endpoint.document(`${id}2`), document), 401, 'signed out, and still writing');
}

export async function adminAddsAPersonWhoSignsIn(stage) {
  const { endpoint } = stage;
  const name = `eve-${Math.random().toString(36).slice(2, 10)}`;
  const page = await stage.visitor();
  await page.goto(endpoint.gallery());
  await signIn(page, endpoint.user, endpoint.password);
  await page.locator('.menu summary').click();
  await page.getByRole('button', { name: 'Add a person' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a person' });
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Password').fill('open sesame');
  stage.later(() => endpoint.removeUser(name));
  await dialog.getByRole('button', { name: 'Add a person' }).click();
  await page.locator('.news', { hasText: `${name} can sign in now` }).waitFor();
  const other = await stage.visitor();
  await other.goto(endpoint.gallery());
  await signIn(other, name, 'open sesame');
}

export async function videoAndMusicPlay(stage) {
  const page = await stage.visitor();
  await page.goto(stage.endpoint.gallery());
  await ready(page);
  for (const [id, kind] of [
    ['2010/beach/evening.webm', 'video'],
    ['family/lullaby.mp3', 'audio']
  ]) {
    await tile(page, id).locator('a').click();
    const media = page.locator(`.viewer ${kind}`);
    await media.waitFor();
    await media.evaluate((element) => element.play());
    await until(() => media.evaluate((element) => element.currentTime > 0.4), `${id} to play`);
    assert.ok(await media.evaluate((element) => element.error === null));
    if (kind === 'video')
      assert.deepEqual(await media.evaluate((element) => [element.videoWidth, element.videoHeight]), [640, 360]);
    // Further on, which asks the server for a part of the file.
    await media.evaluate((element) => {
      element.currentTime = element.duration - 1;
    });
    await until(
      () => media.evaluate((element) => !element.seeking && element.currentTime > element.duration - 1.5),
      `${id} to play on`
    );
    await stage.shot(page, kind);
    await page.keyboard.press('Escape');
    await page.locator('.viewer').waitFor({ state: 'hidden' });
  }
}

export async function papersAreShownOrOffered(stage) {
  const page = await stage.visitor();
  const open = (id) => page.goto(stage.endpoint.page(`_show/item/${encodeURIComponent(id)}`));
  await open('family/plum cake.pdf');
  assert.equal(await page.locator('.stage object').getAttribute('type'), 'application/pdf');
  await page.locator('h1', { hasText: 'Plum cake' }).waitFor();
  await stage.shot(page, 'pdf');
  await open('family/The Lighthouse.epub');
  await page.locator('h1', { hasText: 'The Lighthouse That Turned Around' }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: /e-book/ }).click()
  ]);
  assert.equal(download.suggestedFilename(), 'The Lighthouse.epub');
  assert.deepEqual(
    await readFile(await download.path()),
    await readFile(new URL('family/The Lighthouse.epub', photos))
  );
  await stage.shot(page, 'book');
  await open('2010/beach/notes.txt');
  await page.locator('.stage pre', { hasText: 'The sea was flat as a plate' }).waitFor();
}

export async function severalDatabasesAreEntered(stage) {
  const { endpoint } = stage;
  const second = await endpoint.second();
  stage.later(second.remove);
  const before = await endpoint.ask(endpoint.document('albums')).catch(() => null);
  stage.later(async () => {
    const now = await endpoint.ask(endpoint.document('albums')).catch(() => null);
    if (now && before) await endpoint.ask(endpoint.document('albums'), 'PUT', { ...before, _rev: now._rev });
    else if (now) await endpoint.remove('albums');
  });
  const page = await stage.visitor();
  await page.goto(endpoint.page('_show/albums/albums'));
  await signIn(page, endpoint.user, endpoint.password);
  await page.getByLabel('Show another database').fill(second.name);
  await page.getByRole('button', { name: 'Add' }).click();
  const album = page.locator(`.album[data-name=${JSON.stringify(second.name)}]`);
  await album.locator('.count', { hasText: '1 file' }).waitFor();
  await stage.shot(page, 'albums');
  await album.locator('a').click();
  await page.locator('.brand', { hasText: second.name }).waitFor();
  assert.equal(await page.locator('#gallery .tile').count(), 1);
}

export async function pageFollowsAnEditedStyleSheet(stage, skip) {
  if (!stage.app) skip('no --app was given');
  const path = join(stage.app, '_attachments', 'style.css');
  const before = await readFile(path);
  const page = await stage.visitor();
  await page.goto(stage.endpoint.gallery());
  await ready(page);
  const mark = `rgb(1, 2, ${1 + Math.floor(Math.random() * 250)})`;
  stage.later(() => writeFile(path, before));
  await writeFile(path, `${before}\nh1 { color: ${mark}; }\n`);
  const shows = async (colour) =>
    (await page
      .locator('h1')
      .first()
      .evaluate((title) => getComputedStyle(title).color)
      .catch(() => '')) === colour;
  await until(() => shows(mark), 'the page to show the edited style sheet');
  await stage.shot(page, 'live-reload');
}
