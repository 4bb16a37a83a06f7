// Keeps a gallery, or a page of folders or tags, as the server has it now. The server draws every tile, here they are
// only put in their places.
import { page, say } from './couch.js';
import { follow } from './live.js';

const here = location.href;
const list = document.getElementById('gallery');

// What a tile shows is settled by the document and its revision.
const sign = (tile) => `${tile.dataset.id}\n${tile.dataset.rev}`;

// Gives the list these tiles. Those that are there already stay untouched, so that nothing flickers and a focus stays.
function arrange(wanted) {
  const known = new Map([...list.children].map((tile) => [sign(tile), tile]));
  const ids = new Set([...list.children].map((tile) => tile.dataset.id));
  const tiles = wanted.map((tile) => known.get(sign(tile)) ?? document.adoptNode(tile));
  const kept = new Set(tiles);
  for (const tile of [...list.children]) if (!kept.has(tile)) tile.remove();
  tiles.forEach((tile, at) => {
    if (list.children[at] !== tile) list.insertBefore(tile, list.children[at] ?? null);
  });
  const fresh = tiles.filter((tile) => !ids.has(tile.dataset.id));
  for (const tile of fresh) tile.classList.add('fresh');
  return fresh.length;
}

function take(fresh) {
  for (const selector of ['.more', '.empty']) {
    document.querySelector(`main > ${selector}`)?.remove();
    const found = fresh.querySelector(`main > ${selector}`);
    if (found) list.after(document.adoptNode(found));
  }
  watchForMore();
}

let busy = Promise.resolve();
// One after the other, so that an older answer never replaces a newer one.
const inTurn = (work) => (busy = busy.then(work).catch(() => {}));

let isComing = false;

function refresh() {
  if (isComing) return;
  isComing = true;
  inTurn(async () => {
    isComing = false;
    const url = new URL(here);
    if (list.classList.contains('gallery')) {
      url.searchParams.set('show', Math.max(Number(url.searchParams.get('show')) || 60, list.children.length));
    }
    const fresh = await page(url);
    const wanted = fresh.getElementById('gallery');
    if (!wanted) return;
    const count = arrange([...wanted.children]);
    take(fresh);
    if (count) say(count === 1 ? 'Something new has arrived.' : `${count} new ones have arrived.`);
  });
}

function more(link) {
  return inTurn(async () => {
    if (!link.isConnected) return;
    const fresh = await page(new URL(link.href, here));
    const known = new Set([...list.children].map((tile) => tile.dataset.id));
    list.append(...[...fresh.getElementById('gallery').children].filter((tile) => !known.has(tile.dataset.id)));
    take(fresh);
  });
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) more(entry.target);
  },
  { rootMargin: '600px' }
);

function watchForMore() {
  watcher.disconnect();
  const link = document.getElementById('more');
  if (link) watcher.observe(link);
}

export function begin() {
  watchForMore();
  follow(refresh);
}
