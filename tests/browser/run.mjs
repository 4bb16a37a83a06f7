// Runs examples/pics in a real browser: `npm ci`, then
//
//   COUCHAPP_USER=admin COUCHAPP_PASSWORD=… node run.mjs URL [--screenshots FOLDER] [--app FOLDER] [--sandbox] [--near URL]
//
// URL is a database with the app (`couchapp push`) and fixtures/photos (`couchapp sync-dir`) in it. What the scenarios
// write they remove again. `--app` names the folder of an app that `couchapp serve --reload` watches: then a style sheet
// in it is edited, and the open page has to follow. `--sandbox` says that the server sandboxes apps: then it is only
// looked whether the gallery can be read. `--near` names the other end of a chain that `couchapp replicate --both
// --continuous` keeps: then it is only looked whether what changes there is seen here. `--only NAME` runs the scenarios
// with NAME in theirs. Chromium is /usr/bin/chromium, unless `CHROMIUM` names another.
//
// Prints a line for each scenario; the exit code is 1 when one failed.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

import * as chain from './chain.mjs';
import { Endpoint } from './endpoint.mjs';
import * as sandbox from './sandbox.mjs';
import * as scenarios from './scenarios.mjs';

const LONGEST = 30_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    screenshots: { type: 'string' },
    app: { type: 'string' },
    sandbox: { type: 'boolean' },
    near: { type: 'string' },
    only: { type: 'string' }
  }
});
const [url] = positionals;
const {
  COUCHAPP_USER: user,
  COUCHAPP_PASSWORD: password,
  CHROMIUM: executablePath = '/usr/bin/chromium'
} = process.env;
if (!url || !user || !password) {
  console.error(
    'usage: COUCHAPP_USER=… COUCHAPP_PASSWORD=… node run.mjs URL [--screenshots FOLDER] [--app FOLDER] [--sandbox] [--near URL]'
  );
  process.exit(2);
}

const endpoint = new Endpoint(url, user, password);
const near = options.near && new Endpoint(options.near, user, password);
const suite = near ? chain : options.sandbox ? sandbox : scenarios;
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required']
});
if (options.screenshots) await mkdir(options.screenshots, { recursive: true });

// What one scenario works with: browsers of people who do not know each other, and what has to be undone.
class Stage {
  constructor() {
    this.endpoint = endpoint;
    this.near = near;
    this.app = options.app;
    this.contexts = [];
    this.undo = [];
    this.errors = [];
  }

  // A page of somebody's own browser. Whatever goes wrong in its scripts fails the scenario.
  async visitor(settings = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...settings });
    this.contexts.push(context);
    context.setDefaultTimeout(LONGEST);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.errors.push(`script: ${error.message}`));
    page.on('dialog', (dialog) => {
      if (dialog.type() === 'alert') this.errors.push(`an alert was shown: ${dialog.message()}`);
      dialog.accept();
    });
    return page;
  }

  async shot(page, name) {
    if (options.screenshots) await page.screenshot({ path: join(options.screenshots, `${name}.png`) });
  }

  later(work) {
    this.undo.unshift(work);
  }

  async end() {
    for (const context of this.contexts) await context.close();
    for (const work of this.undo) await work();
  }
}

class Skipped extends Error {}

let failures = 0;
const security = await endpoint.open();
try {
  for (const [name, scenario] of Object.entries(suite)) {
    const title = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    if (options.only && !name.includes(options.only)) continue;
    const stage = new Stage();
    let trouble = null;
    try {
      await scenario(stage, (reason) => {
        throw new Skipped(reason);
      });
    } catch (error) {
      trouble = error;
    }
    try {
      await stage.end();
    } catch (error) {
      trouble ??= error;
    }
    if (stage.errors.length) trouble ??= new Error(stage.errors.join('\n'));
    if (trouble instanceof Skipped) {
      console.log(`skipped  ${title}: ${trouble.message}`);
    } else if (trouble) {
      failures++;
      console.log(`FAILED   ${title}\n${trouble.stack}`);
    } else {
      console.log(`ok       ${title}`);
    }
  }
} finally {
  await endpoint.restore(security);
  await browser.close();
}
process.exit(failures ? 1 : 0);
