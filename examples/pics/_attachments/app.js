// What a gallery page does beyond being read.
import { edit } from './edit.js';
import { gallery, refresh, refreshed } from './gallery.js';
import { follow } from './live.js';
import { complain } from './notes.js';
import { mayChange, readSession, session } from './session.js';
import { startUploads } from './upload.js';

// A pencil at every caption that the reader may change.
function offerEditing() {
  for (const tile of gallery?.children ?? []) {
    const figcaption = tile.querySelector('figcaption');
    const pencil = figcaption.querySelector('.edit');
    if (figcaption.querySelector('form') || Boolean(pencil) === mayChange(tile.dataset.owner)) continue;
    if (pencil) {
      pencil.remove();
      continue;
    }
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'edit', textContent: '✎' });
    button.setAttribute('aria-label', `Edit caption and tags of ${tile.dataset.name}`);
    figcaption.append(button);
  }
}

gallery?.addEventListener('click', (event) => {
  if (!event.target.closest('.edit')) return;
  const tile = event.target.closest('.tile');
  edit(tile.querySelector('figcaption'), tile.dataset);
});
session.addEventListener('change', offerEditing);
refreshed.addEventListener('done', offerEditing);

if (gallery) import('./viewer.js').then(({ openFromAddress }) => openFromAddress()).catch(complain);
startUploads();
readSession().catch(complain);

let timer = null;
follow(() => {
  // A sync brings hundreds of changes at once; the page keeps up by one look for all of them.
  timer ??= setTimeout(() => {
    timer = null;
    refresh().catch(() => {});
  }, 150);
});
