// What more than one scenario looks at.
import assert from 'node:assert/strict';

export const ready = (page) => page.locator('html[data-ready]').waitFor({ state: 'attached' });
export const live = (page) => page.locator('html[data-live]').waitFor({ state: 'attached' });
export const tile = (page, id) => page.locator(`#gallery [data-id=${JSON.stringify(id)}]`);

// Every picture arrives and is a picture.
export async function pictures(page, selector = '#gallery img') {
  const images = page.locator(selector);
  const count = await images.count();
  assert.ok(count > 0, `no ${selector}`);
  for (let at = 0; at < count; at++) {
    const image = images.nth(at);
    await image.scrollIntoViewIfNeeded();
    // Without scripts in the page there are none to wait with, so this asks from outside.
    await until(async () => (await image.evaluate((element) => element.complete)) === true, 'a picture to arrive');
    assert.ok(
      await image.evaluate((element) => element.naturalWidth > 0),
      `no picture: ${await image.getAttribute('src')}`
    );
  }
  await images.first().scrollIntoViewIfNeeded();
}

// Waits for a condition that only this side can tell.
export async function until(holds, what) {
  const last = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > last) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => {
      setImmediate(done);
    });
  }
}

// From the page of folders into one of them.
export async function folders(stage, page) {
  await page.getByRole('link', { name: 'Folders', exact: true }).click();
  await page.locator('.groups').waitFor();
  await stage.shot(page, 'folders');
  await page.locator('.group[data-id="2010/beach"] a').click();
  await page.locator('h1', { hasText: 'beach' }).waitFor();
  const shown = await page.locator('#gallery .tile').evaluateAll((tiles) => tiles.map((element) => element.dataset.id));
  assert.deepEqual(shown.toSorted(), (await stage.endpoint.ids('2010/beach/')).toSorted());
}

export async function signIn(page, name, password) {
  await ready(page);
  await page.getByRole('button', { name: 'Sign in' }).click();
  const dialog = page.getByRole('dialog', { name: 'Sign in' });
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Password').fill(password);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.menu .name', { hasText: name }).waitFor();
}

// Somebody new, who is forgotten after the scenario.
export async function somebody(stage, start) {
  const name = `${start}-${Math.random().toString(36).slice(2, 10)}`;
  const password = Math.random().toString(36).slice(2);
  await stage.endpoint.addUser(name, password);
  stage.later(() => stage.endpoint.removeUser(name));
  return { name, password };
}

// Asks from inside of a page, so with the rights of whoever is signed in there. Answers the status.
export function put(page, url, body) {
  return page.evaluate(
    async ([address, text]) => {
      const answer = await fetch(address, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: text
      });
      return answer.status;
    },
    [String(url), JSON.stringify(body)]
  );
}
