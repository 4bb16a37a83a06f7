// The lightbox: an article over the gallery, taken from the page of that file, whose address it shows meanwhile.
import { make, page } from './couch.js';
import { enliven, isEditing } from './item.js';

const home = location.href;
const dialog = make('dialog', { className: 'viewer' });
dialog.setAttribute('aria-label', 'One file');
const place = make('div', { className: 'place-of-item' });
const step = (label, sign, by) =>
  make(
    'button',
    { type: 'button', className: `step ${by < 0 ? 'back' : 'on'}`, ariaLabel: label, onclick: () => move(by) },
    sign
  );
const backButton = step('The one before', '‹', -1);
const onButton = step('The next one', '›', 1);
const closeButton = make(
  'button',
  { type: 'button', className: 'close', ariaLabel: 'Close', onclick: () => history.back() },
  '×'
);
dialog.append(place, backButton, onButton, closeButton);

let current = null;

const links = () => [...document.querySelectorAll('#gallery .tile > a')];
const linkOf = (address) => links().find((link) => link.href === address);

async function show(address) {
  current = address;
  const tile = linkOf(address)?.parentElement;
  const all = links();
  const at = all.indexOf(linkOf(address));
  backButton.disabled = at <= 0;
  onButton.disabled = at < 0 || at === all.length - 1;
  if (!dialog.open) {
    // The small picture is here already: something to look at until the large one is.
    const small = tile?.querySelector('img');
    place.replaceChildren(small ? make('div', { className: 'stage' }, make('img', { src: small.src, alt: '' })) : '');
    dialog.showModal();
    document.documentElement.classList.add('viewing');
  }
  await draw(address);
  for (const neighbour of [all[at + 1], all[at - 1]]) {
    const image = neighbour?.querySelector('img');
    if (image) new Image().src = image.src;
  }
}

async function draw(address) {
  let article;
  try {
    article = (await page(address)).querySelector('article');
  } catch (refusal) {
    article = make(
      'p',
      { className: 'empty' },
      refusal.status === 404 ? 'This file is gone.' : 'This file cannot be shown now.'
    );
  }
  if (current !== address || !article) return;
  place.replaceChildren(document.adoptNode(article));
  if (article.matches('article')) enliven(article, { again: () => draw(address), gone: () => history.back() });
}

function move(by) {
  const all = links();
  const to = all[all.indexOf(linkOf(current)) + by];
  if (!to) return;
  history.replaceState({ viewing: true }, '', to.href);
  show(to.href);
}

function hide() {
  const link = linkOf(current);
  current = null;
  place.replaceChildren();
  if (dialog.open) dialog.close();
  document.documentElement.classList.remove('viewing');
  link?.focus();
}

// Something changed: the open article is drawn again, unless somebody types into it or listens to it.
async function renew() {
  if (current === null || isEditing(place.querySelector('article'))) return;
  const playing = [...place.querySelectorAll('video, audio')].some((media) => !media.paused);
  if (playing) return;
  const shown = place.querySelector('article');
  const fresh = (await page(current).catch(() => null))?.querySelector('article');
  if (fresh && shown && fresh.dataset.id === shown.dataset.id && fresh.dataset.rev !== shown.dataset.rev)
    await draw(current);
}

function begin() {
  document.body.append(dialog);
  document.getElementById('gallery').addEventListener('click', (event) => {
    const link = event.target.closest('.tile > a');
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState({ viewing: true }, '', link.href);
    show(link.href);
  });
  addEventListener('popstate', () => {
    if (location.href.split('#')[0] === home.split('#')[0]) hide();
    else if (linkOf(location.href)) show(location.href);
    else location.reload();
  });
  dialog.addEventListener('cancel', (event) => {
    event.preventDefault();
    history.back();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog || event.target === place || event.target.matches('.stage')) history.back();
  });
  dialog.addEventListener('keydown', (event) => {
    if (event.target.closest('input, textarea, video, audio, pre')) return;
    if (event.key === 'ArrowRight') move(1);
    if (event.key === 'ArrowLeft') move(-1);
  });
  let touch = null;
  dialog.addEventListener(
    'touchstart',
    (event) => {
      touch = event.touches.length === 1 ? event.touches[0] : null;
    },
    { passive: true }
  );
  dialog.addEventListener('touchend', (event) => {
    const aside = touch ? event.changedTouches[0].clientX - touch.clientX : 0;
    const down = touch ? event.changedTouches[0].clientY - touch.clientY : 0;
    if (Math.abs(aside) > 60 && Math.abs(aside) > 2 * Math.abs(down) && !event.target.closest('.about, video, audio'))
      move(aside < 0 ? 1 : -1);
  });
}

export { begin, renew };
