// One file, large: arrows go on, Escape leaves. The files are the tiles of the gallery, in their order.
import { remove } from './couch.js';
import { edit } from './edit.js';
import { gallery, refresh, refreshed } from './gallery.js';
import { complain, note } from './notes.js';
import { mayChange, session } from './session.js';

const dialog = document.getElementById('viewer');
const stage = dialog.querySelector('.stage');
const words = dialog.querySelector('figcaption');
const facts = dialog.querySelector('.facts');
const part = (name) => dialog.querySelector(`[data-do=${name}]`);
let shown = null;

const MAKE = {
  image: ({ href, label }) => Object.assign(new Image(), { src: href, alt: label }),
  video: ({ href }) => Object.assign(document.createElement('video'), { src: href, controls: true, autoplay: true }),
  audio: ({ href }) => Object.assign(document.createElement('audio'), { src: href, controls: true, autoplay: true }),
  pdf: ({ href, label }) => Object.assign(document.createElement('iframe'), { src: href, title: label }),
  text: ({ href }) => {
    const element = document.createElement('pre');
    element.tabIndex = 0;
    // The beginning of a long text is enough to know it by.
    fetch(href, { headers: { Range: 'bytes=0-199999' } }).then((answer) => answer.text())
      .then((text) => { element.textContent = text.slice(0, 200000); }, complain);
    return element;
  },
  other: ({ name }) => Object.assign(document.createElement('p'), { className: 'plain', textContent: name })
};

const tiles = () => [...gallery.children];
const find = (id) => tiles().find((tile) => tile.dataset.id === id);

export function open(tile) {
  const { id, kind, href, name } = tile.dataset;
  shown = id;
  stage.replaceChildren((MAKE[kind] ?? MAKE.other)(tile.dataset));
  stage.className = `stage ${kind}`;
  part('original').href = href;
  part('original').hidden = kind === 'other' || /\.svgz?$/i.test(name);
  part('download').href = href;
  part('download').download = name;
  describe(tile);
  const all = tiles();
  dialog.querySelector('.previous').disabled = tile === all[0];
  dialog.querySelector('.next').disabled = tile === all.at(-1);
  if (!dialog.open) dialog.showModal();
  history.replaceState(null, '', `#${encodeURIComponent(id)}`);
}

function describe(tile) {
  const { label, name, facts: numbers, owner } = tile.dataset;
  if (!words.querySelector('form')) {
    words.replaceChildren(...[...tile.querySelector('figcaption').children].filter((child) => child.matches('.caption, .places'))
      .map((child) => child.cloneNode(true)));
  }
  facts.textContent = [label === name ? '' : name, numbers, owner && `by ${owner}`].filter(Boolean).join(' · ');
  part('edit').hidden = part('remove').hidden = !mayChange(owner);
}

function turn(step) {
  const all = tiles();
  const tile = all[all.findIndex((candidate) => candidate.dataset.id === shown) + step];
  if (!tile) return;
  words.replaceChildren();
  open(tile);
}

gallery.addEventListener('click', (event) => {
  const link = event.target.closest('a.open');
  // With Control or the middle button a link does what links do.
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  link.closest('.tile').querySelector('video, audio')?.pause();
  open(link.closest('.tile'));
});
dialog.querySelector('.previous').addEventListener('click', () => turn(-1));
dialog.querySelector('.next').addEventListener('click', () => turn(1));
dialog.querySelector('.close').addEventListener('click', () => dialog.close());
dialog.addEventListener('click', (event) => { if (event.target === stage || event.target === dialog) dialog.close(); });
dialog.addEventListener('keydown', (event) => {
  if (event.target.matches('video, audio, pre')) return;
  if (event.key === 'ArrowLeft') turn(-1);
  if (event.key === 'ArrowRight') turn(1);
});
dialog.addEventListener('close', () => {
  stage.replaceChildren();
  words.replaceChildren();
  history.replaceState(null, '', location.href.split('#')[0]);
  find(shown)?.querySelector('a.open, audio')?.focus();
  shown = null;
});
part('edit').addEventListener('click', () => edit(words, find(shown).dataset));
part('remove').addEventListener('click', async () => {
  const tile = find(shown);
  if (!confirm(`Delete ${tile.dataset.name}?`)) return;
  try {
    await remove(tile.dataset.id);
    await refresh();
  } catch (error) {
    complain(error);
  }
});

// Swiping turns the page as well.
let touched = null;
stage.addEventListener('pointerdown', (event) => { touched = event.pointerType === 'touch' ? event.clientX : null; });
stage.addEventListener('pointerup', (event) => {
  if (touched !== null && Math.abs(event.clientX - touched) > 60) turn(event.clientX < touched ? 1 : -1);
  touched = null;
});

refreshed.addEventListener('done', () => {
  if (!dialog.open) return;
  const tile = find(shown);
  if (tile) {
    describe(tile);
    return;
  }
  dialog.close();
  note('The file that was shown is gone.');
});
session.addEventListener('change', () => { if (dialog.open && find(shown)) describe(find(shown)); });

export function openFromAddress() {
  let id = null;
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch {
    return;
  }
  const tile = id && find(id);
  if (tile) open(tile);
}
