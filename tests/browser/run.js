'use strict';
// The gallery of examples/pics in a real browser. Nothing here sleeps: every step waits for what it is about.
//
//   node tests/browser/run.js --url http://127.0.0.1:5984/pics/_design/pics/_list/images/main \
//     --user admin --password secret --shots DIR [--app FOLDER] [--csp]
//
// `--app` is the folder that an endpoint with live reload watches; `--csp` expects the sandbox of a stock CouchDB.
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { chromium } = require('playwright-core');

const text = { type: 'string' };
const { values: options } = parseArgs({
  options: { url: text, user: text, password: text, shots: text, app: text, chromium: text, csp: { type: 'boolean' } }
});
const TIMEOUT = 20000;
// A picture of 1 × 1 pixel.
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const NAME = `up #1 & <b>100%?+ü ${process.pid}.png`;
const FOLDER = `browser test ${process.pid}`;

const tile = (page, name) => page.locator(`.tile[data-name=${JSON.stringify(name)}]`);

async function shot(page, name) {
  if (options.shots) await page.screenshot({ path: path.join(options.shots, `${name}.png`) });
}

async function signIn(page, name, password) {
  await page.click('#account');
  await page.fill('#sign [name=name]', name);
  await page.fill('#sign [name=password]', password);
  await page.click('#sign [value=in]');
}

function check(condition, message) {
  if (!condition) throw new Error(message);
}

const scenarios = {
  async 'gallery shows'({ page }) {
    await page.goto(options.url);
    await page.waitForSelector('.tile.image img');
    await page.waitForSelector('#live.live');
    await page.waitForFunction(() => [...document.querySelectorAll('.tile.image img')].slice(0, 3)
      .every((image) => image.complete && image.naturalWidth > 0));
    await shot(page, 'gallery');
    const phone = await page.context().browser().newContext({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
    const small = await phone.newPage();
    await small.goto(options.url);
    await small.waitForSelector('#live.live');
    check(await small.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the phone page scrolls sideways');
    await shot(small, 'gallery-phone-dark');
    await phone.close();
  },

  async 'sign-in is refused with a wrong password'({ page }) {
    await signIn(page, options.user, `${options.password}-wrong`);
    await page.waitForSelector('#sign .error:not([hidden])');
    await shot(page, 'sign-in');
    await page.click('#sign [value=cancel]');
    const status = await page.evaluate(() => fetch('../../../../refused-by-the-test', {
      method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: '{"type":"file","owner":"nobody"}'
    }).then((answer) => answer.status));
    check(status === 401, `an anonymous write was answered with ${status}`);
  },

  async 'sign-in'({ page }) {
    await signIn(page, options.user, options.password);
    await page.waitForFunction((name) => document.getElementById('account').textContent === name, options.user);
  },

  async 'an uploaded file appears, also in a second browser'({ page, other }) {
    await other.goto(options.url);
    await other.waitForSelector('#live.live');
    await page.click('#upload');
    await page.fill('#uploads [name=folder]', FOLDER);
    await page.fill('#uploads [name=tags]', 'fresh, <i>');
    await page.setInputFiles('#uploads [name=files]', { name: NAME, mimeType: 'image/png', buffer: PIXEL });
    await page.waitForSelector('#uploads .progress .done');
    await shot(page, 'upload');
    await page.click('#uploads [value=close]');
    await tile(page, NAME).waitFor();
    await tile(other, NAME).waitFor();
    await other.waitForFunction((name) => {
      const image = [...document.querySelectorAll('.tile')].find((item) => item.dataset.name === name)?.querySelector('img');
      return image?.complete && image.naturalWidth === 1;
    }, NAME);
    check(!(await other.locator('.tile .edit').count()), 'a stranger is offered to edit');
  },

  async 'a caption is edited in place and changes in the second browser'({ page, other }) {
    const words = `Hello <script>alert(1)</script> ${process.pid}`;
    await tile(page, NAME).hover();
    await tile(page, NAME).locator('.edit').click();
    await tile(page, NAME).locator('input').first().fill(words);
    await shot(page, 'edit');
    await page.keyboard.press('Enter');
    for (const one of [page, other]) await tile(one, NAME).locator('.caption', { hasText: words }).waitFor();
  },

  async 'folders and tags'({ page }) {
    await page.locator('#folders a', { hasText: FOLDER }).click();
    await page.waitForURL(/by_folder/);
    await tile(page, NAME).waitFor();
    check((await page.textContent('h1')) === FOLDER, 'the folder has another title');
    check((await page.locator('.tile').count()) === 1, 'the folder has not exactly one file');
    await page.locator('.tile .places a', { hasText: '#<i>' }).click();
    await page.waitForURL(/by_tag/);
    await tile(page, NAME).waitFor();
    check((await page.textContent('h1')) === '#<i>', 'the tag has another title');
    await page.locator('.menu a', { hasText: 'Folders' }).click();
    await page.locator('#names a', { hasText: FOLDER }).waitFor();
    await shot(page, 'folders');
    await page.locator('.menu a', { hasText: 'Databases' }).click();
    await page.waitForSelector('#databases small:has-text("file")');
    await shot(page, 'databases');
    await page.goto(options.url);
  },

  async 'the viewer opens, turns and closes by keys'({ page }) {
    await page.waitForSelector('#live.live');
    await page.locator('.tile.image a.open').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('#viewer[open] .stage img');
    const first = await page.evaluate(() => location.hash);
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((hash) => location.hash !== hash, first);
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction((hash) => location.hash === hash, first);
    await page.goto(`${options.url}${await page.evaluate(() => {
      const tiles = [...document.querySelectorAll('.tile.image')];
      return `#${encodeURIComponent(tiles.at(-1).dataset.id)}`;
    })}`);
    await page.reload();
    await page.waitForFunction(() => document.querySelector('#viewer[open] .stage img')?.naturalWidth > 0);
    await page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== 'running' || one.animationName !== 'fade'));
    await shot(page, 'viewer');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#viewer', { state: 'hidden' });
  },

  async 'video plays'({ page }) {
    const video = page.locator('.tile.video video').first();
    await video.scrollIntoViewIfNeeded();
    await video.evaluate((element) => { element.muted = true; return element.play(); });
    await page.waitForFunction(() => document.querySelector('.tile.video video').currentTime > 0);
  },

  async 'a deleted file goes, also in the second browser'({ page, other }) {
    page.once('dialog', (dialog) => dialog.accept());
    await tile(page, NAME).locator('a.open').click();
    await page.click('#viewer [data-do=remove]');
    for (const one of [page, other]) await tile(one, NAME).waitFor({ state: 'detached' });
  }
};

const reload = {
  async 'an edit of a style sheet reloads the page'({ page }) {
    const file = path.join(options.app, '_attachments', 'style.css');
    const before = fs.readFileSync(file);
    await page.goto(options.url);
    await page.waitForSelector('#live.live');
    try {
      fs.appendFileSync(file, '\nbody { outline: 7px solid rgb(1, 2, 3); }\n');
      await page.waitForFunction(() => getComputedStyle(document.body).outlineColor === 'rgb(1, 2, 3)');
    } finally {
      fs.writeFileSync(file, before);
    }
  }
};

const sandboxed = {
  async 'the gallery is readable without script'({ page }) {
    await page.goto(options.url);
    await page.waitForSelector('.tile.image img');
    check(await page.locator('#upload').isHidden(), 'script ran in the sandbox');
    await page.locator('#folders a').last().click();
    await page.waitForURL(/by_folder/);
    await page.waitForSelector('.tile');
    await page.goto(options.url);
    await page.waitForLoadState('load');
    await shot(page, 'sandboxed');
  }
};

async function main() {
  if (options.shots) fs.mkdirSync(options.shots, { recursive: true });
  const browser = await chromium.launch({
    executablePath: options.chromium || process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox']
  });
  const contexts = await Promise.all([1, 2].map(() => browser.newContext({ viewport: { width: 1280, height: 900 } })));
  const [page, other] = await Promise.all(contexts.map((context) => context.newPage()));
  for (const one of [page, other]) {
    one.setDefaultTimeout(TIMEOUT);
    one.on('pageerror', (error) => { console.error(`script error: ${error.message}`); process.exitCode = 1; });
  }
  const all = options.csp ? sandboxed : { ...scenarios, ...(options.app ? reload : {}) };
  try {
    for (const [name, run] of Object.entries(all)) {
      try {
        await run({ page, other });
        console.log(`ok: ${name}`);
      } catch (error) {
        console.error(`FAILED: ${name}\n${error.stack}`);
        await shot(page, 'failed').catch(() => {});
        process.exitCode = 1;
        break;
      }
    }
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
